//! Pieces of a snapshot: of the reference state machine, of the session table, or its header.

use super::message::{MEMORY_BESIDE, MEMORY_PER_BYTE};
use crate::allocation::bounded;
use crate::scope::Scope;
use crate::{Outcomes, Target};
use althing_kv::Store;
use althing_model::{
    Epoch, NodeId, Operation, Path, RequestId, Role, SeqSet, SessionId, StateMachine, Unrestorable,
    VertexId,
};
use althing_replica::Sessions;
use althing_wire::{Party, SnapshotHeader};
use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use std::collections::BTreeMap;

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
    if what % 3 == 2 {
        return header(pieces.into_iter().next().unwrap_or_default(), outcomes);
    }
    let (name, refused) = match what % 3 {
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

fn header(piece: Bytes, outcomes: &mut Outcomes) {
    let max = MEMORY_BESIDE + MEMORY_PER_BYTE * piece.len();
    match bounded(max, || SnapshotHeader::decode(piece)) {
        Ok(header) => {
            outcomes.note(("header", header.executed.len().min(4), header.cut.is_empty()));
            assert_eq!(SnapshotHeader::decode(header.encode()), Ok(header));
        }
        Err(error) => outcomes.note((error.field, std::mem::discriminant(&error.fault))),
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
    let what: u8 = bytes.int_in_range(0..=2)?;
    let pieces = match what {
        0 => stored(bytes)?.snapshot(),
        1 => opened(bytes)?.snapshot(),
        _ => Box::new(std::iter::once(headed(bytes)?.encode())),
    };
    let mut data = vec![what];
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

fn headed(bytes: &mut Unstructured<'_>) -> Result<SnapshotHeader> {
    let scope = Scope::draw(bytes, Path::Fast, Party::Node(Role::Replica))?;
    let mut executed: BTreeMap<_, SeqSet> = BTreeMap::new();
    for _ in 0..bytes.int_in_range(0..=8)? {
        let vertex = scope.vertex(bytes)?;
        executed.entry(vertex.column()).or_default().insert(vertex.seq);
    }
    let cut = scope.floor(bytes)?;
    Ok(SnapshotHeader { number: bytes.arbitrary()?, cut, executed })
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
