//! What is too much of Redis: hostile arguments, long replies, large batches, large collections.

use althing_kv::limits::*;
use althing_kv::redis::{RedisAccess, RedisBatch, RedisOutcome, RedisReply, check};
use althing_kv::{KvCommand, KvInvalid, KvReply, Store};
use althing_model::{PIECE_LEN_MAX, StateMachine};
use bytes::Bytes;

fn args(command: &str) -> Vec<Bytes> {
    command.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}

fn batch(commands: Vec<Vec<Bytes>>) -> RedisBatch {
    let access = RedisAccess::Write;
    RedisBatch { stamp_ms: 1, access, is_transaction: false, watched: vec![], commands }
}

fn run(store: &mut Store, batch: RedisBatch) -> Vec<RedisReply> {
    let reply = store.apply(&KvCommand::Redis(batch).encode());
    assert!(reply.len() <= REPLY_LEN_MAX);
    match KvReply::decode(reply) {
        Ok(KvReply::Redis(RedisOutcome::Replies(replies))) => replies,
        other => panic!("{other:?}"),
    }
}

fn ask(store: &mut Store, command: Vec<Bytes>) -> RedisReply {
    run(store, batch(vec![command])).remove(0)
}

fn too_long() -> RedisReply {
    RedisReply::error("ERR the reply is over the 1048576 bytes allowed: ask for less")
}

/// A list of so many elements, each of so many bytes.
fn list(store: &mut Store, key: &'static str, count: u32, len: usize) {
    for number in 0..count {
        let mut element = vec![b'e'; len];
        element[..4].copy_from_slice(&number.to_be_bytes());
        ask(store, vec!["RPUSH".into(), key.into(), element.into()]);
    }
}

/// Broken: a client ends all replicas with one command, or has them take their memory for it.
#[test]
fn hostile_arguments_take_neither_memory_nor_a_panic() {
    let mut store = Store::default();
    for command in ["SET s 5", "HSET h f 1 g 2", "SADD m a b c", "RPUSH l a b c", "ZADD z 1 a 2 b"]
    {
        ask(&mut store, args(command));
    }
    let numbers =
        [i64::MIN, i64::MIN + 1, -(1 << 40), -1, 0, 1, 1 << 29, 1 << 40, i64::MAX - 1, i64::MAX];
    for number in numbers {
        for command in [
            "SETRANGE s N x",
            "SETRANGE none N x",
            "GETRANGE s N N",
            "GETRANGE s 0 N",
            "INCRBY s N",
            "DECRBY s N",
            "INCRBYFLOAT s N",
            "SET s 5 EX N",
            "SET s 5 PX N",
            "SET s 5 PXAT N",
            "EXPIRE h N",
            "PEXPIRE h N",
            "EXPIREAT h N",
            "PEXPIREAT h N",
            "HINCRBY h f N",
            "HINCRBYFLOAT h f N",
            "HRANDFIELD h N",
            "HRANDFIELD h N WITHVALUES",
            "SRANDMEMBER m N",
            "SPOP m N",
            "SINTERCARD N m",
            "SINTERCARD 1 m LIMIT N",
            "LRANGE l N N",
            "LRANGE l 0 N",
            "LINDEX l N",
            "LSET l N x",
            "LREM l N a",
            "LTRIM l N N",
            "LPOP l N",
            "RPOP l N",
            "LPOS l a RANK N",
            "LPOS l a COUNT N",
            "LPOS l a MAXLEN N",
            "ZADD z N a",
            "ZINCRBY z N a",
            "ZRANGE z N N",
            "ZRANGE z 0 N REV",
            "ZRANGE z N N BYSCORE LIMIT N N",
            "ZCOUNT z N N",
            "ZREMRANGEBYRANK z N N",
            "ZPOPMIN z N",
            "ZPOPMAX z N",
            "SCAN N",
            "SCAN 0 COUNT N",
            "HSCAN h 0 COUNT N",
            "ALTHING.DUE N",
            "COPY s t DB N",
        ] {
            let command = args(&command.replace('N', &number.to_string()));
            let mut store = store.clone();
            let used = allocation_counter::measure(|| drop(ask(&mut store, command.clone())));
            // Room for a reply as long as one may be, and its copies.
            assert!(used.bytes_max < 64 << 20, "{command:?} took {}", used.bytes_max);
        }
    }
    for text in ["1e999999999999", "1e-999999999999", "-inf", "nan", "1e308", "0x1p-3", "1e4932"] {
        for command in
            ["INCRBYFLOAT s N", "HINCRBYFLOAT h f N", "ZADD z N a", "ZINCRBY z N a", "ZCOUNT z N N"]
        {
            ask(&mut store.clone(), args(&command.replace('N', text)));
        }
    }
    let digits = "9".repeat(900_000);
    assert_eq!(
        ask(&mut store, args(&format!("INCRBYFLOAT s {digits}"))),
        RedisReply::error("ERR value is not a valid float")
    );
}

/// Broken: an answer that no frame holds is made, or what was taken out for it is lost.
#[test]
fn what_is_too_long_to_be_answered_has_no_effect() {
    let mut store = Store::default();
    list(&mut store, "l", 4, 300_000);
    let digest = store.digest();
    for command in ["LRANGE l 0 -1", "LPOP l 4", "RPOP l 100"] {
        assert_eq!(ask(&mut store, args(command)), too_long(), "{command}");
        assert_eq!(store.digest(), digest, "{command}");
    }
    let RedisReply::Array(popped) = ask(&mut store, args("LPOP l 3")) else { panic!("it fits") };
    assert_eq!(popped.len(), 3);
}

/// Broken: a pipeline of long replies fails, or a transaction stops in its middle.
#[test]
fn a_batch_stops_where_its_replies_are_long_and_a_transaction_goes_on() {
    let mut store = Store::default();
    list(&mut store, "l", 1, 400_000);
    let commands: Vec<_> =
        ["INCR n", "LINDEX l 0", "LINDEX l 0", "LPOP l", "INCR n"].map(args).into();
    let replies = run(&mut store.clone(), batch(commands.clone()));
    // The third would fit no longer.
    assert_eq!(replies.len(), 3);
    assert_eq!(replies[0], RedisReply::Integer(1));
    let mut rest = store.clone();
    run(&mut rest, batch(commands.clone()));
    let replies = run(&mut rest, batch(commands[3..].to_vec()));
    assert_eq!(replies.len(), 2);
    assert_eq!(replies[1], RedisReply::Integer(2));
    assert_eq!(rest.len(), 1);

    let whole = RedisBatch { is_transaction: true, ..batch(commands) };
    let replies = run(&mut store, whole);
    assert_eq!(replies.len(), 5);
    assert_eq!(replies[3..], [too_long(), RedisReply::Integer(2)]);
    // It was not popped.
    assert_eq!(store.len(), 2);
}

/// Broken: the largest batch has no room for its answers.
#[test]
fn the_largest_batch_is_answered() {
    for is_transaction in [false, true] {
        let commands = vec![args("NOSUCHCOMMAND with some arguments"); REDIS_COMMANDS_MAX];
        let batch = RedisBatch { is_transaction, ..batch(commands) };
        let replies = run(&mut Store::default(), batch);
        assert_eq!(replies.len(), REDIS_COMMANDS_MAX);
    }
}

/// Broken: a batch over a limit reaches the replicas, or is refused without a reason.
#[test]
fn a_batch_over_a_limit_is_refused() {
    let refused = |batch: RedisBatch| {
        let command = KvCommand::Redis(batch);
        let invalid = KvCommand::decode(command.encode()).expect_err("it is over a limit");
        assert_eq!(command.check(), Err(invalid.clone()));
        invalid
    };
    let count = REDIS_COMMANDS_MAX + 1;
    assert_eq!(refused(batch(vec![args("DBSIZE"); count])), KvInvalid::TooManyCommands { count });
    let count = REDIS_ARGS_MAX + 1;
    let pushed = vec![Bytes::from("RPUSH"); count];
    assert_eq!(refused(batch(vec![pushed])), KvInvalid::TooManyArguments { count });
    assert_eq!(refused(batch(vec![vec![]])), KvInvalid::NoName);
    let count = KEYS_MAX + 1;
    let keys = (0..count).map(|number| Bytes::from(number.to_string()));
    let del = [Bytes::from("DEL")].into_iter().chain(keys).collect();
    assert_eq!(refused(batch(vec![del])), KvInvalid::TooManyKeys { count });
    let watched = vec![(Bytes::new(), Default::default())];
    assert_eq!(refused(RedisBatch { watched, ..batch(vec![]) }), KvInvalid::KeyEmpty);
}

/// Broken: a key that no footprint holds is written to, or a client is not told what is wrong with it.
#[test]
fn a_key_over_its_limit_is_refused() {
    let error = |key: Vec<u8>| check(&["GET".into(), key.into()]).map(|_| ()).unwrap_err();
    assert_eq!(error(vec![]), RedisReply::error("ERR the key is empty: here a key has a byte"));
    let text = "ERR a key of 1025 bytes, over the 1024 allowed";
    assert_eq!(error(vec![b'k'; 1025]), RedisReply::error(text));
}

/// Broken: a value grows until no command and no reply holds it.
#[test]
fn a_string_keeps_to_its_limit() {
    let mut store = Store::default();
    let half = Bytes::from(vec![b'x'; VALUE_LEN_MAX / 2 + 1]);
    let append = || vec![Bytes::from("APPEND"), "k".into(), half.clone()];
    let len = half.len() as i64;
    assert_eq!(ask(&mut store, append()), RedisReply::Integer(len));
    let text = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    assert_eq!(ask(&mut store, append()), RedisReply::error(text));
    assert_eq!(ask(&mut store, args("SETRANGE k 1044481 x")), RedisReply::error(text));
    assert_eq!(ask(&mut store, args("STRLEN k")), RedisReply::Integer(len));
}

/// Broken: a large collection makes a piece that no message holds, or is not whole when it comes back.
#[test]
fn large_collections_are_cut_into_pieces() {
    let mut store = Store::default();
    list(&mut store, "list", 5, 700_000);
    for number in 0..4u8 {
        let item = Bytes::from(vec![number; 500_000]);
        for (name, key) in [("SADD", "set"), ("ZADD", "zset"), ("HSET", "hash")] {
            let mut command = vec![Bytes::from(name), key.into()];
            match name {
                "SADD" => command.push(item.clone()),
                "ZADD" => command.extend([Bytes::from((number / 2).to_string()), item.clone()]),
                _ => command.extend([item.clone(), item.slice(..100_000)]),
            }
            ask(&mut store, command);
        }
    }
    for number in 0..3000 {
        ask(&mut store, args(&format!("SADD small:{number} a b")));
        ask(&mut store, args(&format!("SET text:{number} a EX 100")));
    }
    let pieces: Vec<Bytes> = store.snapshot().collect();
    assert!(pieces.len() > 8, "{}", pieces.len());
    assert!(pieces.iter().all(|piece| piece.len() <= PIECE_LEN_MAX));
    let mut restored = Store::default();
    restored.restore(&mut pieces.clone().into_iter()).expect("it is a snapshot");
    assert_eq!(restored.digest(), store.digest());
    assert_eq!(restored.len(), store.len());
    for at in 0..pieces.len() {
        let mut lacking = pieces.clone();
        lacking.remove(at);
        assert!(Store::default().restore(&mut lacking.into_iter()).is_err(), "{at} is lacking");
        let mut repeated = pieces.clone();
        repeated.insert(at, pieces[at].clone());
        assert!(
            Store::default().restore(&mut repeated.into_iter()).is_err(),
            "{at} is there twice"
        );
    }
}

/// Broken: snapshots of an earlier build are lost with it.
#[test]
fn a_snapshot_of_the_first_version_is_restored() {
    let entries = b"\x01\x01\x01\0\0\0k\x01\0\0\0v\x03\0\0\0key\0\0\0\0";
    let expected = Store::from_iter([("k", "v"), ("key", "")]);
    let mut end = vec![1, 2, 2, 0, 0, 0, 0, 0, 0, 0];
    end.extend(expected.digest().to_le_bytes());
    let mut restored = Store::default();
    let pieces = [Bytes::from_static(entries), end.into()];
    restored.restore(&mut pieces.into_iter()).expect("it is a snapshot");
    assert!(restored.iter().eq(expected.iter()));
    assert_eq!(restored.digest(), expected.digest());
}
