//! What the simulated clients do: operations on the reference store, and what the checker's
//! specification says of them.

use crate::Plan;
use crate::plan::pick;
use althing_checker::register_map::{Input, Output};
use althing_kv::{KvCommand, KvReply};
use bytes::Bytes;
use rand::{Rng, RngExt};

/// The next operation of a client, and its number among all clients' operations.
pub(crate) fn draw(
    plan: &Plan,
    client: usize,
    number: u64,
    rng: &mut impl Rng,
) -> (KvCommand, Input) {
    let mut key = || -> Vec<u8> {
        if rng.random_range(0..100) < plan.hot_percent {
            format!("hot{}", rng.random_range(0..plan.hot_keys)).into_bytes()
        } else {
            format!("own{client}-{}", rng.random_range(0..3)).into_bytes()
        }
    };
    let (first, second) = (key(), key());
    let value = number.to_string().into_bytes();
    let blob = |bytes: &Vec<u8>| bytes.as_slice().into();
    let bytes = |bytes: &Vec<u8>| Bytes::copy_from_slice(bytes);
    let kinds: &[u8] = match plan.has_multi_key {
        true => &[0, 0, 0, 1, 1, 1, 2, 3, 3, 4, 5, 6],
        false => &[0, 0, 0, 1, 1, 1, 2, 3, 3, 4],
    };
    match pick(rng, kinds) {
        0 => (
            KvCommand::Put { key: bytes(&first), value: bytes(&value) },
            Input::Put { key: blob(&first), value: blob(&value) },
        ),
        1 => (KvCommand::Get { key: bytes(&first) }, Input::Get { key: blob(&first) }),
        2 => (KvCommand::Delete { key: bytes(&first) }, Input::Delete { key: blob(&first) }),
        3 => (
            KvCommand::Increment { key: bytes(&first), by: 3 },
            Input::Increment { key: blob(&first), by: 3 },
        ),
        4 => (
            KvCommand::CompareAndSwap {
                key: bytes(&first),
                expected: None,
                new: Some(bytes(&value)),
            },
            Input::CompareAndSwap { key: blob(&first), expected: None, new: Some(blob(&value)) },
        ),
        5 => (
            KvCommand::MultiPut {
                pairs: vec![(bytes(&first), bytes(&value)), (bytes(&second), bytes(&value))],
            },
            Input::MultiPut {
                entries: vec![(blob(&first), blob(&value)), (blob(&second), blob(&value))],
            },
        ),
        _ => (
            KvCommand::MultiGet { keys: vec![bytes(&first), bytes(&second)] },
            Input::MultiGet { keys: vec![blob(&first), blob(&second)] },
        ),
    }
}

/// What a client saw, in the words of the checker.
pub(crate) fn output(reply: Bytes) -> Output {
    let blob = |value: Option<Bytes>| value.map(|bytes| bytes.as_ref().into());
    match KvReply::decode(reply).expect("replies are the store's own") {
        KvReply::Value(value) => Output::Value(blob(value)),
        KvReply::Values(values) => Output::Values(values.into_iter().map(blob).collect()),
        KvReply::Done | KvReply::Swapped { swapped: true, .. } => Output::Done,
        KvReply::Deleted(existed) => Output::Existed(existed),
        KvReply::Swapped { swapped: false, actual } => Output::DiffersHolding(blob(actual)),
        KvReply::Number(number) => Output::Integer(number),
        KvReply::NotANumber | KvReply::Overflow => Output::NotAnInteger,
        reply @ (KvReply::TooLong { .. } | KvReply::NotACommand) => {
            unreachable!("no simulated client asks for it: {reply:?}")
        }
    }
}

/// Which of the store's modes commute, said again here so that the oracles do not take the store's
/// word for it: reads with reads, blind additions with blind additions.
pub(crate) fn commutes(a: u8, b: u8) -> bool {
    matches!((a, b), (0, 0) | (2, 2))
}
