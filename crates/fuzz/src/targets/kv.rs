//! Payloads of the reference state machine: what a client can make every replica execute.

use crate::allocation::bounded;
use crate::{Outcomes, Target};
use althing_kv::redis::{RedisAccess, RedisBatch, RedisVersion, specs};
use althing_kv::{Condition, KvCommand, KvConflicts, KvOperation, KvReply, Store, Transaction};
use althing_model::{Conflicts, Footprint, StateMachine};
use althing_wire::limits::{REPLY_LEN_MAX, RESOURCE_LEN_MAX, RESOURCES_PER_COMMAND_MAX};
use arbitrary::{Result, Unstructured};
use bytes::Bytes;

pub(crate) const TARGET: Target =
    Target { name: "kv", run, len_max: 4096, generate, words: &["17", "-1"] };

/// Payloads, each after a byte with its length, applied to one store; and each taken for a reply.
fn run(data: &[u8], outcomes: &mut Outcomes) {
    let (conflicts, mut store) = (KvConflicts::default(), Store::default());
    let mut rest = data;
    while let Some((len, after)) = rest.split_first() {
        let (payload, after) = after.split_at(usize::from(*len).min(after.len()));
        rest = after;
        let payload = Bytes::copy_from_slice(payload);
        // Empty pairs are two bytes on the wire and 64 in memory, in lists that double.
        let max = (8 << 10) + 256 * payload.len();
        let command = bounded(max, || KvCommand::decode(payload.clone()));
        let footprint = conflicts.footprint(&payload);
        assert_eq!(command.is_ok(), footprint.is_ok(), "some payloads are half a command");
        match (command, footprint) {
            (Ok(command), Ok(Footprint::Resources(resources))) => {
                outcomes.note((std::mem::discriminant(&command), resources.len().min(4)));
                assert_eq!(command.check(), Ok(()));
                assert_eq!(KvCommand::decode(command.encode()).as_ref(), Ok(&command));
                assert!(resources.len() <= RESOURCES_PER_COMMAND_MAX);
                assert!(resources.iter().all(|(name, _)| name.len() <= RESOURCE_LEN_MAX));
                assert!(resources.is_sorted_by(|a, b| a < b), "no decoder takes it otherwise");
            }
            (Err(invalid), _) => outcomes.note(std::mem::discriminant(&invalid)),
            (Ok(KvCommand::Redis(batch)), Ok(Footprint::Everything)) => {
                outcomes.note(("over all", batch.commands.len().min(4)));
            }
            (Ok(command), _) => panic!("only Redis has commands over all: {command:?}"),
        }
        let reply = store.apply(&payload);
        assert!(reply.len() <= REPLY_LEN_MAX);
        let read = KvReply::decode(reply).expect("clients understand every reply");
        outcomes.note(("reply", std::mem::discriminant(&read)));
        if let Ok(reply) = KvReply::decode(payload) {
            assert_eq!(KvReply::decode(reply.encode()).as_ref(), Ok(&reply));
        }
    }
    // The digest is that of the keys, however they came about: the end of a snapshot tells.
    let mut restored = Store::default();
    restored.restore(&mut store.snapshot()).expect("a snapshot of a store can be restored");
    assert_eq!(restored.digest(), store.digest());
}

fn generate(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    while !bytes.is_empty() {
        let key = Bytes::copy_from_slice(&[b'a' + bytes.int_in_range(0..=2u8)?]);
        let value = match bytes.int_in_range(0..=3)? {
            0 => Bytes::from(i64::MAX.to_string()),
            1 => Bytes::from(bytes.arbitrary::<i16>()?.to_string()),
            2 => Bytes::from_static(b"text"),
            _ => Bytes::new(),
        };
        let by = bytes.arbitrary()?;
        let command = match bytes.int_in_range(0..=13)? {
            0 => KvCommand::Get { key },
            1 => KvCommand::Delete { key },
            2 => KvCommand::CompareAndSwap { key, expected: None, new: Some(value) },
            3 => KvCommand::CompareAndSwap { key, expected: Some(value), new: None },
            4 => KvCommand::Increment { key, by },
            5 => KvCommand::Add { key, by },
            6 => KvCommand::MultiPut { pairs: vec![(key.clone(), value.clone()), (key, value)] },
            7 => KvCommand::MultiGet { keys: vec![key.clone(), key] },
            8 => {
                let condition = match bytes.int_in_range(0..=7)? {
                    0 => Condition::Exists,
                    1 => Condition::Absent,
                    2 => Condition::Equal(value.clone()),
                    3 => Condition::NotEqual(value.clone()),
                    4 => Condition::Less(value.clone()),
                    5 => Condition::Greater(value.clone()),
                    6 => Condition::AtLeast(by),
                    _ => Condition::AtMost(by),
                };
                KvCommand::Transaction(
                    Transaction::new()
                        .when(key.clone(), condition)
                        .then(KvOperation::append(key.clone(), value.clone()))
                        .then(KvOperation::increment("a", by))
                        .then(KvOperation::get(key.clone()))
                        .otherwise(KvOperation::delete(key.clone()))
                        .otherwise(KvOperation::put(key, value)),
                )
            }
            9 => KvCommand::Put { key, value },
            _ => KvCommand::Redis(redis(bytes)?),
        };
        let payload = command.encode();
        data.push(payload.len() as u8);
        data.extend_from_slice(&payload);
    }
    Ok(data)
}

/// Redis commands with about as many arguments as they take.
fn redis(bytes: &mut Unstructured<'_>) -> Result<RedisBatch> {
    const WORDS: &[&str] = &[
        "a",
        "b",
        "c",
        "0",
        "1",
        "-1",
        "2",
        "0.5",
        "inf",
        "-inf",
        "9223372036854775807",
        "-",
        "+",
        "[a",
        "(1",
        "*",
        "",
        "NX",
        "XX",
        "GET",
        "EX",
        "PX",
        "COUNT",
        "LIMIT",
        "BYSCORE",
        "BYLEX",
        "REV",
        "WITHSCORES",
        "LEFT",
        "RIGHT",
        "BEFORE",
    ];
    let mut batch = RedisBatch {
        stamp_ms: bytes.int_in_range(0..=20_000)?,
        access: if bytes.ratio(1, 4)? { RedisAccess::Read } else { RedisAccess::Write },
        is_transaction: bytes.arbitrary()?,
        watched: vec![],
        commands: vec![],
    };
    if bytes.ratio(1, 8)? {
        batch.watched.push((Bytes::from_static(b"a"), RedisVersion(bytes.int_in_range(0..=1)?)));
    }
    for _ in 0..bytes.int_in_range(1..=4)? {
        let spec = bytes.choose(specs())?;
        let mut command = vec![Bytes::from_static(spec.name.as_bytes())];
        let count = spec.arity.unsigned_abs() + u32::from(bytes.int_in_range(0..=3u8)?);
        for at in 1..count {
            // Keys stand first.
            let words = if at == 1 { &WORDS[..3] } else { WORDS };
            command.push(Bytes::from_static(bytes.choose(words)?.as_bytes()));
        }
        if spec.arity > 0 && !bytes.ratio(1, 16)? {
            command.truncate(spec.arity.unsigned_abs() as usize);
        }
        batch.commands.push(command);
    }
    Ok(batch)
}
