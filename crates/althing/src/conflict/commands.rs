//! Commands of the reference store, drawn so that they meet: few keys, small numbers.

use althing_kv::KvCommand;
use bytes::Bytes;
use proptest::prelude::*;

/// Any command of the store.
pub(super) fn any() -> impl Strategy<Value = KvCommand> {
    prop_oneof![
        key().prop_map(|key| KvCommand::Get { key }),
        (key(), value()).prop_map(|(key, value)| KvCommand::Put { key, value }),
        key().prop_map(|key| KvCommand::Delete { key }),
        (key(), maybe(), maybe()).prop_map(|(key, expected, new)| KvCommand::CompareAndSwap {
            key,
            expected,
            new
        }),
        (key(), 0i64..3).prop_map(|(key, by)| KvCommand::Increment { key, by }),
        (key(), 0i64..3).prop_map(|(key, by)| KvCommand::Add { key, by }),
        prop::collection::vec((key(), value()), 0..4)
            .prop_map(|pairs| KvCommand::MultiPut { pairs }),
        prop::collection::vec(key(), 0..4).prop_map(|keys| KvCommand::MultiGet { keys }),
    ]
}

fn key() -> impl Strategy<Value = Bytes> {
    prop::sample::select(vec!["a", "ab", "b"]).prop_map(Bytes::from)
}

/// Numbers among them, for the commands that count.
fn value() -> impl Strategy<Value = Bytes> {
    prop::sample::select(vec!["", "0", "1", "7", "text"]).prop_map(Bytes::from)
}

fn maybe() -> impl Strategy<Value = Option<Bytes>> {
    prop::option::of(value())
}
