//! The key-value store under the audit.

use althing_audit::Audit;
use althing_kv::{KvCommand, KvConflicts, KvReply, Store};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn key() -> impl Strategy<Value = Bytes> {
    select(&["a", "b", "c"][..]).prop_map(Bytes::from)
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -2i64..3, 1 => Just(i64::MAX), 1 => Just(i64::MIN)]
}

fn value() -> impl Strategy<Value = Bytes> {
    let texts = select(&["", "x", "007"][..]).prop_map(Bytes::from);
    prop_oneof![3 => number().prop_map(|number| Bytes::from(number.to_string())), 1 => texts]
}

fn command() -> impl Strategy<Value = KvCommand> {
    prop_oneof![
        key().prop_map(|key| KvCommand::Get { key }),
        (key(), value()).prop_map(|(key, value)| KvCommand::Put { key, value }),
        key().prop_map(|key| KvCommand::Delete { key }),
        (key(), option::of(value()), option::of(value()))
            .prop_map(|(key, expected, new)| KvCommand::CompareAndSwap { key, expected, new }),
        (key(), number()).prop_map(|(key, by)| KvCommand::Increment { key, by }),
        (key(), number()).prop_map(|(key, by)| KvCommand::Add { key, by }),
        vec((key(), value()), 0..3).prop_map(|pairs| KvCommand::MultiPut { pairs }),
        vec(key(), 0..3).prop_map(|keys| KvCommand::MultiGet { keys }),
    ]
}

/// Broken: the store's conflict function lets commands be executed in different orders that leave
/// different states, or give different replies; or it makes kinds of commands wait that always
/// commute.
#[test]
fn the_store_keeps_the_laws() {
    let report = Audit::new(Store::default, KvConflicts::default())
        .commands(command(), KvCommand::encode)
        .replies(|reply| format!("{:?}", KvReply::decode(Bytes::copy_from_slice(reply))))
        .cases(3_000)
        .assert();
    assert!(report.commuting > 3_000, "{report}");
    assert_eq!(report.lost().collect::<Vec<_>>(), [], "{report}");
}
