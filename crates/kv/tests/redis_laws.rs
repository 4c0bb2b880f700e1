//! The laws that replication relies on, for batches of Redis commands.

#[path = "../examples/redis_diff/generate.rs"]
mod generate;

use althing_kv::redis::{RedisAccess, RedisBatch, RedisOutcome, RedisVersion, spec};
use althing_kv::{KvCommand, KvConflicts, KvReply, Store};
use althing_model::{Conflicts, PIECE_LEN_MAX, StateMachine};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Stamps between which keys with ends of seconds and minutes come to them.
fn stamp() -> impl Strategy<Value = u64> {
    prop::sample::select(vec![0, 1000, 99_000, 100_000, 100_001, 150_000, 1_100_002])
}

fn batch() -> impl Strategy<Value = KvCommand> {
    let watched = prop_oneof![
        4 => Just(vec![]),
        1 => Just(vec![(Bytes::from("a"), RedisVersion(0)), (Bytes::from("z"), RedisVersion(0))]),
    ];
    (any::<u64>(), stamp(), 1usize..4, any::<bool>(), any::<bool>(), watched).prop_map(
        |(seed, stamp_ms, count, is_transaction, reads, watched)| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let commands = (0..count).map(|_| generate::command(&mut rng)).collect::<Vec<_>>();
            let is_read = |args: &Vec<Bytes>| spec(&args[0]).is_some_and(|it| it.is_read_only);
            let access = match reads || commands.iter().all(is_read) {
                true => RedisAccess::Read,
                false => RedisAccess::Write,
            };
            KvCommand::Redis(RedisBatch { stamp_ms, access, is_transaction, watched, commands })
        },
    )
}

fn command() -> impl Strategy<Value = KvCommand> {
    let key = prop::sample::select(generate::KEYS).prop_map(Bytes::from);
    prop_oneof![
        12 => batch(),
        1 => key.clone().prop_map(|key| KvCommand::Get { key }),
        1 => key.clone().prop_map(|key| KvCommand::Put { key, value: "7".into() }),
        1 => key.clone().prop_map(|key| KvCommand::Delete { key }),
        2 => (key.clone(), -2i64..3).prop_map(|(key, by)| KvCommand::Add { key, by }),
        1 => vec(key, 0..3).prop_map(|keys| KvCommand::MultiGet { keys }),
    ]
}

/// A store in which all types are met.
fn store() -> impl Strategy<Value = Store> {
    vec(command(), 0..80).prop_map(|commands| {
        let mut store = Store::default();
        for command in commands {
            store.execute(command);
        }
        store
    })
}

fn restored(store: &Store) -> Store {
    let pieces: Vec<Bytes> = store.snapshot().collect();
    assert!(pieces.iter().all(|piece| piece.len() <= PIECE_LEN_MAX));
    let mut restored = Store::default();
    restored.restore(&mut pieces.into_iter()).expect("it is a snapshot");
    restored
}

fn commute(one: &KvCommand, other: &KvCommand) -> bool {
    let conflicts = KvConflicts::default();
    let footprint = |command: &KvCommand| {
        conflicts.footprint(&command.encode()).expect("generated commands are commands")
    };
    !footprint(one).conflicts_with(&footprint(other), conflicts.modes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Broken: replicas that execute commuting batches in different orders diverge.
    #[test]
    fn what_is_said_to_commute_does(store in store(), one in command(), other in command()) {
        let (mut left, mut right) = (store.clone(), store);
        let (one_first, other_second) = (left.apply(&one.encode()), left.apply(&other.encode()));
        let (other_first, one_second) = (right.apply(&other.encode()), right.apply(&one.encode()));
        if commute(&one, &other) {
            prop_assert_eq!(one_first, one_second);
            prop_assert_eq!(other_first, other_second);
            prop_assert_eq!(left.digest(), right.digest());
        }
    }

    /// Broken: the digest drifts from the state, which a snapshot's end tells; or a replica that
    /// begins with another's state answers otherwise.
    #[test]
    fn what_is_restored_is_what_was_there(store in store(), after in vec(command(), 0..20)) {
        let (mut restored, mut store) = (restored(&store), store);
        prop_assert_eq!(restored.digest(), store.digest());
        prop_assert_eq!(restored.len(), store.len());
        for command in after {
            let payload = command.encode();
            prop_assert_eq!(restored.apply(&payload), store.apply(&payload));
            prop_assert_eq!(restored.digest(), store.digest());
        }
    }

    /// Broken: a read changes the state, or differs from the same read as a command.
    #[test]
    fn a_batch_of_reads_changes_nothing(store in store(), command in batch()) {
        let mut store = store;
        let payload = command.encode();
        let queried = store.query(&payload);
        let KvCommand::Redis(batch) = &command else { unreachable!("it is a batch") };
        prop_assert_eq!(queried.is_some(), batch.access == RedisAccess::Read);
        let before = store.digest();
        let applied = store.apply(&payload);
        if let Some(queried) = queried {
            prop_assert_eq!(queried, applied);
            prop_assert_eq!(store.digest(), before);
        }
    }

    /// Broken: a batch of writes leaves a key whose time is over, or a gateway that sends a batch again
    /// is told the same for ever.
    #[test]
    fn a_write_is_never_told_that_a_key_is_due(store in store(), command in batch()) {
        let KvCommand::Redis(mut batch) = command else { unreachable!("it is a batch") };
        batch.access = RedisAccess::Write;
        let reply = store.clone().execute(KvCommand::Redis(batch));
        prop_assert_ne!(reply, KvReply::Redis(RedisOutcome::Due));
    }

    /// Broken: a batch or its replies arrive as other ones.
    #[test]
    fn batches_and_replies_survive_their_encoding(store in store(), command in batch()) {
        prop_assert_eq!(KvCommand::decode(command.encode()), Ok(command.clone()));
        prop_assert_eq!(command.check(), Ok(()));
        let mut store = store;
        let reply = store.execute(command);
        prop_assert_eq!(KvReply::decode(reply.encode()), Ok(reply));
    }
}

/// Broken: the laws above are tested on stores that hold nothing, or on pairs that all conflict.
#[test]
fn the_laws_are_tested_on_all_types_and_on_pairs_that_commute() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut types = std::collections::BTreeSet::new();
    let (mut commuting, mut ends) = (0, 0);
    for _ in 0..50 {
        let mut sample = |strategy: &dyn Fn() -> BoxedStrategy<KvCommand>| {
            let tree = strategy().new_tree(&mut runner).expect("it is made");
            proptest::strategy::ValueTree::current(&tree)
        };
        let (one, other) = (sample(&|| batch().boxed()), sample(&|| batch().boxed()));
        commuting += usize::from(commute(&one, &other));
        let tree = store().new_tree(&mut runner).expect("it is made");
        let mut store = proptest::strategy::ValueTree::current(&tree);
        ends += store.due(u64::MAX, 1000).len();
        for key in generate::KEYS {
            let batch = RedisBatch {
                stamp_ms: 0,
                access: RedisAccess::Write,
                is_transaction: false,
                watched: vec![],
                commands: vec![vec!["TYPE".into(), (*key).into()]],
            };
            types.insert(format!("{:?}", store.execute(KvCommand::Redis(batch))));
        }
    }
    assert_eq!(types.len(), 6, "{types:?}");
    assert!(commuting > 5 && ends > 5, "{commuting} {ends}");
}
