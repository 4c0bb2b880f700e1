//! The laws that replication relies on.

use althing_kv::{Condition, KvCommand, KvConflicts, KvOperation, KvReply, Store, Transaction};
use althing_model::{Conflicts, StateMachine};
use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

fn key() -> impl Strategy<Value = Bytes> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(Bytes::from)
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![-3i64..4, Just(i64::MAX), Just(i64::MIN), any::<i64>()]
}

fn value() -> impl Strategy<Value = Bytes> {
    let texts = vec!["", "x", "007", "-0", "+1", "99999999999999999999"];
    prop_oneof![
        3 => number().prop_map(|number| Bytes::from(number.to_string())),
        1 => prop::sample::select(texts).prop_map(Bytes::from),
    ]
}

fn command() -> impl Strategy<Value = KvCommand> {
    prop_oneof![
        2 => key().prop_map(|key| KvCommand::Get { key }),
        1 => (key(), value()).prop_map(|(key, value)| KvCommand::Put { key, value }),
        1 => key().prop_map(|key| KvCommand::Delete { key }),
        1 => (key(), option::of(value()), option::of(value()))
            .prop_map(|(key, expected, new)| KvCommand::CompareAndSwap { key, expected, new }),
        1 => (key(), number()).prop_map(|(key, by)| KvCommand::Increment { key, by }),
        3 => (key(), number()).prop_map(|(key, by)| KvCommand::Add { key, by }),
        1 => vec((key(), value()), 0..3).prop_map(|pairs| KvCommand::MultiPut { pairs }),
        1 => vec(key(), 0..3).prop_map(|keys| KvCommand::MultiGet { keys }),
        3 => transaction().prop_map(KvCommand::Transaction),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        Just(Condition::Exists),
        Just(Condition::Absent),
        value().prop_map(Condition::Equal),
        value().prop_map(Condition::NotEqual),
        value().prop_map(Condition::Less),
        value().prop_map(Condition::Greater),
        number().prop_map(Condition::AtLeast),
        number().prop_map(Condition::AtMost),
    ]
}

fn operation() -> impl Strategy<Value = KvOperation> {
    prop_oneof![
        3 => key().prop_map(KvOperation::get),
        1 => (key(), value()).prop_map(|(key, value)| KvOperation::put(key, value)),
        1 => key().prop_map(KvOperation::delete),
        1 => (key(), value()).prop_map(|(key, value)| KvOperation::append(key, value)),
        2 => (key(), number()).prop_map(|(key, by)| KvOperation::increment(key, by)),
    ]
}

fn transaction() -> impl Strategy<Value = Transaction> {
    let operations = || vec(operation(), 0..3);
    (vec((key(), condition()), 0..3), operations(), operations())
        .prop_map(|(compare, then, otherwise)| Transaction { compare, then, otherwise })
}

fn store() -> impl Strategy<Value = Store> {
    btree_map(key(), value(), 0..4).prop_map(|entries| entries.into_iter().collect())
}

fn commute(one: &KvCommand, other: &KvCommand) -> bool {
    let conflicts = KvConflicts::default();
    let footprint = |command: &KvCommand| {
        conflicts.footprint(&command.encode()).expect("generated commands are commands")
    };
    !footprint(one).conflicts_with(&footprint(other), conflicts.modes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Broken: replicas that execute commuting commands in different orders diverge.
    #[test]
    fn what_is_said_to_commute_does(store in store(), one in command(), other in command()) {
        let (mut left, mut right) = (store.clone(), store);
        let (one_first, other_second) =
            (left.apply(&one.encode()), left.apply(&other.encode()));
        let (other_first, one_second) =
            (right.apply(&other.encode()), right.apply(&one.encode()));
        if commute(&one, &other) {
            prop_assert_eq!(one_first, one_second);
            prop_assert_eq!(other_first, other_second);
            prop_assert!(left.iter().eq(right.iter()));
        }
        // The digest tells states apart and nothing else.
        prop_assert_eq!(left.iter().eq(right.iter()), left.digest() == right.digest());
    }

    /// Broken: the digest drifts from the state, and replicas seem to diverge or to agree.
    #[test]
    fn the_digest_is_that_of_the_state(store in store(), commands in vec(command(), 0..20)) {
        let mut store = store;
        for command in commands {
            store.apply(&command.encode());
            let fresh: Store = store.iter().collect();
            prop_assert_eq!(store.digest(), fresh.digest());
        }
    }

    /// Broken: a command or reply arrives as another one.
    #[test]
    fn commands_and_replies_survive_their_encoding(store in store(), command in command()) {
        prop_assert_eq!(KvCommand::decode(command.encode()), Ok(command.clone()));
        prop_assert_eq!(command.check(), Ok(()));
        let mut store = store;
        let reply = store.execute(command);
        prop_assert_eq!(KvReply::decode(reply.encode()), Ok(reply));
    }

    /// Broken: a client ends a node with noise.
    #[test]
    fn noise_never_panics(noise in vec(any::<u8>(), 0..60)) {
        let mut store = Store::default();
        let reply = KvReply::decode(store.apply(&noise));
        let footprint = KvConflicts::default().footprint(&noise);
        prop_assert_eq!(reply == Ok(KvReply::NotACommand), footprint.is_err());
        let _ = KvReply::decode(noise.into());
    }
}

/// Broken: the law above is tested on pairs that never meet.
#[test]
fn adds_commute_and_increments_do_not() {
    let add = |by| KvCommand::Add { key: "k".into(), by };
    let increment = |by| KvCommand::Increment { key: "k".into(), by };
    let get = KvCommand::Get { key: "k".into() };
    assert!(commute(&add(1), &add(2)));
    assert!(!commute(&increment(1), &increment(2)));
    assert!(!commute(&add(1), &increment(2)));
    assert!(!commute(&add(1), &get));
    assert!(commute(&get, &get));
}
