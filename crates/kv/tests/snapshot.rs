//! Snapshots of the store: what comes back, and what is refused.

use althing_kv::limits::{SNAPSHOT_PIECE_LEN, VALUE_LEN_MAX};
use althing_kv::{KvCommand, Store};
use althing_model::{PIECE_LEN_MAX, StateMachine, Unrestorable};
use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn key() -> impl Strategy<Value = Bytes> {
    vec(b'a'..b'd', 1..4).prop_map(Bytes::from)
}

/// Most are short; a few of the long ones make several pieces.
fn value() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        8 => vec(any::<u8>(), 0..20).prop_map(Bytes::from),
        4 => any::<i64>().prop_map(|number| Bytes::from(number.to_string())),
        1 => (any::<u8>(), 0..=VALUE_LEN_MAX).prop_map(|(byte, len)| vec![byte; len].into()),
    ]
}

fn store() -> impl Strategy<Value = Store> {
    btree_map(key(), value(), 0..40).prop_map(|entries| entries.into_iter().collect())
}

fn command() -> impl Strategy<Value = KvCommand> {
    prop_oneof![
        3 => (key(), value()).prop_map(|(key, value)| KvCommand::Put { key, value }),
        3 => key().prop_map(|key| KvCommand::Delete { key }),
        1 => key().prop_map(|key| KvCommand::Get { key }),
        1 => (key(), any::<i64>()).prop_map(|(key, by)| KvCommand::Add { key, by }),
        1 => (key(), any::<i64>()).prop_map(|(key, by)| KvCommand::Increment { key, by }),
    ]
}

fn restored(pieces: impl IntoIterator<Item = Bytes>) -> Result<Store, Unrestorable> {
    // Something that has to go.
    let mut store: Store = [("aaaa", "before")].into_iter().collect();
    store.restore(&mut pieces.into_iter()).map(|()| store)
}

/// Three pieces of entries, and the end.
fn long_snapshot() -> Vec<Bytes> {
    let value = |byte| vec![byte; SNAPSHOT_PIECE_LEN - 10_000];
    let store: Store = (b'a'..=b'e').map(|byte| ([byte], value(byte))).collect();
    store.snapshot().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Broken: a replica that begins with another's state differs from it, or what is executed while
    /// a snapshot is read shows in it.
    #[test]
    fn what_is_restored_is_what_was_there(
        store in store(), meanwhile in vec(command(), 0..20), after in vec(command(), 0..20),
    ) {
        let (mut store, before) = (store.clone(), store);
        let mut pieces = store.snapshot();
        // One of the pieces is made before the changes, the others after.
        let first = pieces.next();
        for command in &meanwhile {
            store.apply(&command.encode());
        }
        let pieces: Vec<Bytes> = first.into_iter().chain(pieces).collect();
        prop_assert!(pieces.iter().all(|piece| piece.len() <= PIECE_LEN_MAX));
        let mut restored = restored(pieces).expect("it is a snapshot");
        prop_assert!(restored.iter().eq(before.iter()));
        prop_assert_eq!(restored.len(), before.len());
        prop_assert_eq!(restored.digest(), before.digest());
        let mut before = before;
        for command in meanwhile.iter().chain(&after) {
            let payload = command.encode();
            prop_assert_eq!(restored.apply(&payload), before.apply(&payload));
        }
        prop_assert_eq!(restored.digest(), before.digest());
    }

    /// Broken: a damaged snapshot is taken for a state, or ends the node.
    #[test]
    fn a_change_of_one_byte_is_refused(store in store(), at in any::<prop::sample::Index>(), by in 1u8..) {
        let mut pieces: Vec<Vec<u8>> = store.snapshot().map(Vec::from).collect();
        let mut at = at.index(pieces.iter().map(Vec::len).sum());
        for piece in &mut pieces {
            if let Some(byte) = piece.get_mut(at) {
                *byte ^= by;
                break;
            }
            at -= piece.len();
        }
        prop_assert!(restored(pieces.into_iter().map(Bytes::from)).is_err());
    }

    /// Broken: a short snapshot is taken for the whole state.
    #[test]
    fn a_piece_cut_short_is_refused(store in store(), at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
        let mut pieces: Vec<Bytes> = store.snapshot().collect();
        let at = at.index(pieces.len());
        let len = cut.index(pieces[at].len());
        pieces[at].truncate(len);
        prop_assert!(restored(pieces).is_err());
    }

    /// Broken: a peer ends a node with noise, or has it take memory for what never comes.
    #[test]
    fn noise_is_refused_and_takes_no_memory(
        noise in vec((0u8..3, 0u8..4, vec(prop_oneof![Just(0u8), any::<u8>()], 0..60)), 0..4),
    ) {
        let pieces: Vec<Bytes> = noise
            .into_iter()
            .map(|(version, kind, rest)| [&[version, kind], &rest[..]].concat().into())
            .collect();
        let mut result = Ok(Store::default());
        let used = allocation_counter::measure(|| result = restored(pieces));
        prop_assert!(result.is_err());
        prop_assert!(used.bytes_max < 16 << 10, "{used:?}");
    }
}

/// Broken: pieces that are lost, repeated, exchanged or another snapshot's are taken for a state.
#[test]
fn pieces_out_of_place_are_refused() {
    let pieces = long_snapshot();
    assert_eq!(pieces.len(), 4);
    assert!(restored(pieces.clone()).is_ok());
    for at in 0..pieces.len() {
        let mut lacking = pieces.clone();
        lacking.remove(at);
        assert!(restored(lacking).is_err(), "{at} is lacking");
        let mut repeated = pieces.clone();
        repeated.insert(at, pieces[at].clone());
        assert!(restored(repeated).is_err(), "{at} is there twice");
        for other in 0..at {
            let mut exchanged = pieces.clone();
            exchanged.swap(at, other);
            assert!(restored(exchanged).is_err(), "{at} and {other} are exchanged");
        }
    }
    let other: Vec<Bytes> = Store::from_iter([("b", "other")]).snapshot().collect();
    assert!(restored([pieces[0].clone(), other[1].clone()]).is_err());
}

/// Broken: the operator is not told what is wrong.
#[test]
fn what_is_refused_is_named() {
    let error = |pieces: Vec<Vec<u8>>| {
        restored(pieces.into_iter().map(Bytes::from)).expect_err("it is damaged").to_string()
    };
    let end = [[2, 2].as_slice(), &[0; 16]].concat();
    for (pieces, what) in [
        (vec![], "last piece is missing"),
        (vec![vec![1]], "piece 0 of the store is cut short"),
        (vec![vec![3, 1]], "piece 0 of the store has version 3; this program knows 1 and 2 alone"),
        (vec![vec![1, 7]], "unknown kind, 7"),
        (vec![vec![1, 1], vec![1, 1, 255, 255, 255, 255, 0]], "piece 1 of the store is cut short"),
        (vec![[&[1, 1, 0, 8, 0, 0], &[b'k'; 0x900][..]].concat()], "too long"),
        (vec![vec![1, 1, 0, 0, 0, 0, 0, 0, 0, 0]], "do not ascend"),
        (vec![vec![1; PIECE_LEN_MAX + 1]], "longer than a piece may be"),
        (vec![end.clone(), end.clone()], "more follows it"),
        (vec![end[..17].to_vec()], "other entries"),
    ] {
        let error = error(pieces);
        assert!(error.contains(what), "{error}");
    }
}

/// Broken: a snapshot of one build is not restored by another.
#[test]
fn golden_bytes() {
    let hex = |bytes: &Bytes| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let store = Store::from_iter([("k", "v"), ("key", "")]);
    let pieces: Vec<String> = store.snapshot().map(|piece| hex(&piece)).collect();
    let end = format!(
        "0202{}{}",
        "0200000000000000",
        hex(&store.digest().to_le_bytes()[..].to_vec().into())
    );
    assert_eq!(pieces, ["0201010000006b0100000076030000006b657900000000", &end]);
}

/// Broken: a snapshot of nothing is no snapshot.
#[test]
fn an_empty_store_is_restored() {
    let pieces: Vec<Bytes> = Store::default().snapshot().collect();
    assert!(restored(pieces).unwrap().is_empty());
}
