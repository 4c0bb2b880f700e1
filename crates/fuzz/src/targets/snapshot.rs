//! Pieces of a snapshot: of the reference state machine, or of the session table.

use crate::allocation::bounded;
use crate::{Outcomes, Target};
use althing_kv::Store;
use althing_model::{
    Epoch, NodeId, Operation, RequestId, SessionId, StateMachine, Unrestorable, VertexId,
};
use althing_replica::Sessions;
use arbitrary::{Result, Unstructured};
use bytes::Bytes;

pub(crate) const TARGET: Target =
    Target { name: "snapshot", run, len_max: 4096, generate, words: &["\u{1}\u{1}", "\u{1}\u{2}"] };

/// A byte that says of what, and pieces, each after two bytes with its length.
fn run(data: &[u8], outcomes: &mut Outcomes) {
    let Some((what, mut rest)) = data.split_first() else { return };
    let mut pieces = Vec::new();
    while let Some((len, after)) = rest.split_first_chunk::<2>() {
        let (piece, after) = after.split_at(after.len().min(u16::from_be_bytes(*len).into()));
        pieces.push(Bytes::copy_from_slice(piece));
        rest = after;
    }
    // A session, a range and a reply are twelve bytes together, and three nodes of maps in memory.
    let max = (16 << 10) + 128 * data.len();
    let (name, refused) = match what % 2 {
        0 => (
            "store",
            bounded(max, || store(&pieces)).map(|store| {
                outcomes.note(("store", store.len().min(8)));
                let again = store_of(&mut store.snapshot()).expect("it is a snapshot");
                assert!(again.iter().eq(store.iter()));
                assert_eq!(again.digest(), store.digest());
            }),
        ),
        _ => (
            "sessions",
            bounded(max, || Sessions::restore(&mut pieces.iter().cloned())).map(|sessions| {
                outcomes.note(("sessions", sessions.len().min(8)));
                assert_eq!(Sessions::restore(&mut sessions.snapshot()).as_ref(), Ok(&sessions));
            }),
        ),
    };
    if let Err(Unrestorable(why)) = refused {
        assert!(!why.is_empty(), "the operator is told");
        let kind: String = why.chars().filter(|char| !char.is_ascii_digit()).collect();
        outcomes.note((name, kind));
    }
}

fn store(pieces: &[Bytes]) -> std::result::Result<Store, Unrestorable> {
    store_of(&mut pieces.iter().cloned())
}

fn store_of(pieces: &mut dyn Iterator<Item = Bytes>) -> std::result::Result<Store, Unrestorable> {
    let mut store = Store::default();
    store.restore(pieces).map(|()| store)
}

fn generate(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let what: bool = bytes.arbitrary()?;
    let pieces = match what {
        false => stored(bytes)?.snapshot(),
        true => opened(bytes)?.snapshot(),
    };
    let mut data = vec![what.into()];
    for piece in pieces {
        data.extend((piece.len() as u16).to_be_bytes());
        data.extend(piece);
    }
    Ok(data)
}

fn stored(bytes: &mut Unstructured<'_>) -> Result<Store> {
    let mut entries = Vec::new();
    for _ in 0..bytes.int_in_range(0..=12)? {
        entries.push((bytes.arbitrary::<[u8; 2]>()?, bytes.arbitrary::<Vec<u8>>()?));
    }
    // Within what an input may have.
    Ok(entries
        .into_iter()
        .map(|(key, value)| (key, value[..value.len().min(99)].to_vec()))
        .collect())
}

fn opened(bytes: &mut Unstructured<'_>) -> Result<Sessions> {
    let (mut sessions, mut store) = (Sessions::default(), Store::default());
    let vertex = |seq: u8| VertexId { epoch: Epoch(0), proposer: NodeId(1), seq: seq.into() };
    for _ in 0..bytes.int_in_range(0..=12)? {
        let opened: u8 = bytes.int_in_range(0..=3)?;
        let session = SessionId { opened: vertex(opened), slot: 0 };
        let operation = match bytes.int_in_range(0..=4)? {
            0 => Operation::CloseSessions(vec![session]),
            1 => Operation::OpenSession,
            _ => Operation::Apply {
                request: RequestId { session, sequence: bytes.int_in_range(0..=200)? },
                acknowledged_below: bytes.int_in_range(0..=9)?,
                payload: Bytes::new(),
            },
        };
        sessions.execute(vertex(opened), 0, &operation, &mut store);
    }
    Ok(sessions)
}
