//! Batches of Redis commands: time, what is watched, one key space, what is touched.

use althing_kv::redis::{
    RedisAccess, RedisBatch, RedisCursors, RedisOutcome, RedisReply, RedisVersion,
};
use althing_kv::{KvCommand, KvConflicts, KvOperation, KvReply, Store, Transaction};
use althing_model::{Conflicts, Footprint, Mode, StateMachine};
use bytes::Bytes;
use std::collections::BTreeSet;

fn args(command: &str) -> Vec<Bytes> {
    command.split(' ').map(|word| Bytes::copy_from_slice(word.as_bytes())).collect()
}

fn batch(access: RedisAccess, stamp_ms: u64, commands: &[&str]) -> RedisBatch {
    let commands = commands.iter().map(|command| args(command)).collect();
    RedisBatch { stamp_ms, access, is_transaction: false, watched: vec![], commands }
}

fn run(store: &mut Store, batch: RedisBatch) -> RedisOutcome {
    match KvReply::decode(store.apply(&KvCommand::Redis(batch).encode())) {
        Ok(KvReply::Redis(outcome)) => outcome,
        other => panic!("{other:?}"),
    }
}

fn write(store: &mut Store, stamp_ms: u64, commands: &[&str]) -> Vec<RedisReply> {
    match run(store, batch(RedisAccess::Write, stamp_ms, commands)) {
        RedisOutcome::Replies(replies) => replies,
        other => panic!("{other:?}"),
    }
}

fn read(store: &mut Store, stamp_ms: u64, commands: &[&str]) -> RedisOutcome {
    run(store, batch(RedisAccess::Read, stamp_ms, commands))
}

fn replies(replies: impl IntoIterator<Item = RedisReply>) -> RedisOutcome {
    RedisOutcome::Replies(replies.into_iter().collect())
}

fn bulk(text: &str) -> RedisReply {
    RedisReply::Bulk(Bytes::copy_from_slice(text.as_bytes()))
}

/// Broken: a key lives longer on one replica than on another, or a read deletes it.
#[test]
fn a_key_ends_by_the_stamps() {
    let store = &mut Store::default();
    assert_eq!(write(store, 1000, &["SET k v PX 500", "SADD s m"])[0], RedisReply::Ok);
    assert_eq!(read(store, 1500, &["GET k"]), replies([bulk("v")]));
    let digest = store.digest();
    assert_eq!(read(store, 1501, &["SCARD s", "GET k"]), RedisOutcome::Due);
    assert_eq!(read(store, 1501, &["DBSIZE"]), RedisOutcome::Due);
    assert_eq!(read(store, 1501, &["SCARD s"]), replies([RedisReply::Integer(1)]));
    assert_eq!(store.digest(), digest);
    assert_eq!(
        write(store, 1501, &["GET k", "DBSIZE"]),
        [RedisReply::Null, RedisReply::Integer(1)]
    );
    assert_ne!(store.digest(), digest);
    // It does not come back.
    assert_eq!(read(store, 1500, &["GET k"]), replies([RedisReply::Null]));
}

/// Broken: a stamp of a slow clock gives a key a time before that of an earlier write.
#[test]
fn a_keys_time_never_goes_back() {
    let store = &mut Store::default();
    write(store, 10_000, &["SET k v"]);
    write(store, 5_000, &["PEXPIRE k 100", "HSET h f v"]);
    let ends = replies([RedisReply::Integer(10_100), RedisReply::Integer(100)]);
    assert_eq!(read(store, 7_000, &["PEXPIRETIME k", "PTTL k"]), ends);
    // Another key has a time of its own.
    write(store, 5_000, &["PEXPIRE h 100"]);
    assert_eq!(read(store, 5_000, &["PEXPIRETIME h"]), replies([RedisReply::Integer(5_100)]));
    // Nor does a copy's.
    write(store, 1, &["COPY k copy", "PERSIST copy", "PEXPIRE copy 7"]);
    assert_eq!(read(store, 1, &["PEXPIRETIME copy"]), replies([RedisReply::Integer(10_007)]));
}

/// Broken: what is due fills the store, or what is not is deleted with it.
#[test]
fn a_purge_deletes_what_is_due() {
    let store = &mut Store::default();
    write(store, 0, &["SET a v PX 10", "SET b v PX 20", "RPUSH c v", "PEXPIRE c 5", "SET d v"]);
    let keys = |keys: &[&'static str]| keys.iter().map(|key| Bytes::from(*key)).collect::<Vec<_>>();
    assert_eq!(store.due(11, 10), keys(&["c", "a"]));
    assert_eq!(store.due(11, 1), keys(&["c"]));
    let due = replies([RedisReply::Array(vec![bulk("c"), bulk("a")])]);
    assert_eq!(read(store, 11, &["ALTHING.DUE 10"]), due);
    assert_eq!(write(store, 11, &["ALTHING.PURGE a b c d"]), [RedisReply::Integer(2)]);
    assert_eq!(store.len(), 2);
    assert!(store.due(20, 10).is_empty());
}

/// Broken: a transaction is executed although a watched key has changed, or is not although none has.
#[test]
fn a_watched_key_must_have_its_version() {
    let store = &mut Store::default();
    write(store, 1, &["SET k v", "ZADD z 1 m"]);
    let RedisOutcome::Replies(found) = read(store, 1, &["ALTHING.VERSION k z none"]) else {
        panic!("nothing is due")
    };
    let RedisReply::Array(versions) = &found[0] else { panic!("{found:?}") };
    let versions = versions.iter().map(|version| match version {
        RedisReply::Integer(version) => RedisVersion(*version as u64),
        other => panic!("{other:?}"),
    });
    let keys = ["k", "z", "none"].map(Bytes::from);
    let watched: Vec<_> = keys.into_iter().zip(versions).collect();
    assert_eq!(watched[2].1, RedisVersion(0));
    let exec = |stamp_ms| RedisBatch {
        watched: watched.clone(),
        is_transaction: true,
        ..batch(RedisAccess::Write, stamp_ms, &["SET result done"])
    };
    assert_eq!(run(store, exec(2)), replies([RedisReply::Ok]));
    let changes = [
        "SET k other",
        "DEL k",
        "EXPIRE k 100",
        "PEXPIRE k 1",
        "ZADD z 2 m",
        "ZADD z 1 n",
        "SET none v",
    ];
    for change in changes {
        let mut changed = store.clone();
        write(&mut changed, 3, &["DEL result", change]);
        // The last of them is due by then.
        assert_eq!(run(&mut changed, exec(50)), RedisOutcome::WatchedChanged, "{change}");
        assert_eq!(changed.get(b"result"), None);
    }
    // Written anew, with what it held.
    write(store, 3, &["DEL k"]);
    write(store, 3, &["SET k v"]);
    assert_eq!(run(store, exec(4)), RedisOutcome::WatchedChanged);
}

/// Broken: the store's own commands and Redis' see different keys.
#[test]
fn there_is_one_key_space() {
    let store = &mut Store::default();
    let key = || Bytes::from("k");
    store.execute(KvCommand::Add { key: key(), by: 41 });
    assert_eq!(write(store, 1, &["INCR k", "EXPIRE k 10"])[0], RedisReply::Integer(42));
    assert_eq!(store.get(b"k"), Some(&b"42"[..]));
    // Changed in its place, it ends when it would have; set, it does not.
    store.execute(KvCommand::Increment { key: key(), by: 1 });
    assert_eq!(read(store, 1, &["TTL k"]), replies([RedisReply::Integer(10)]));
    let increment = Transaction::new().then(KvOperation::increment("k", 1));
    store.execute(KvCommand::Transaction(increment));
    assert_eq!(read(store, 1, &["GET k", "TTL k"]), replies([bulk("44"), RedisReply::Integer(10)]));
    let put =
        Transaction::new().then(KvOperation::put("k", "1")).then(KvOperation::increment("k", 1));
    let mut set_anew = store.clone();
    set_anew.execute(KvCommand::Transaction(put));
    let ends = replies([bulk("2"), RedisReply::Integer(-1)]);
    assert_eq!(read(&mut set_anew, 1, &["GET k", "TTL k"]), ends);
    store.execute(KvCommand::Put { key: key(), value: "new".into() });
    assert_eq!(read(store, 1, &["TTL k"]), replies([RedisReply::Integer(-1)]));
    for collection in ["HSET k f v", "SADD k m", "RPUSH k e", "ZADD k 1 m"] {
        let store = &mut store.clone();
        write(store, 2, &["DEL k", collection]);
        let digest = store.digest();
        for command in [
            KvCommand::Get { key: key() },
            KvCommand::MultiGet { keys: vec![key()] },
            KvCommand::Increment { key: key(), by: 1 },
            KvCommand::Add { key: key(), by: 1 },
            KvCommand::CompareAndSwap { key: key(), expected: None, new: None },
            KvCommand::Transaction(Transaction::new().when_absent("k")),
            KvCommand::Transaction(Transaction::new().then(KvOperation::put("k", "v"))),
        ] {
            assert_eq!(store.execute(command.clone()), KvReply::WrongType, "{command:?}");
        }
        assert_eq!(store.digest(), digest);
        let put = KvCommand::Put { key: key(), value: "v".into() };
        assert_eq!(store.clone().execute(put), KvReply::Done);
        assert_eq!(store.execute(KvCommand::Delete { key: key() }), KvReply::Deleted(true));
        assert!(store.is_empty());
    }
}

/// Broken: a batch conflicts with less than it touches, or waits for what it does not.
#[test]
fn a_batch_touches_its_keys() {
    let footprint = |batch: RedisBatch| {
        let payload = KvCommand::Redis(batch).encode();
        KvConflicts::default().footprint(&payload).expect("it is a command")
    };
    let on = |keys: &[&'static str], mode: Mode| {
        Footprint::of(keys.iter().map(|key| (Bytes::from(*key), mode)))
    };
    let (reads, writes) = (KvConflicts::READ, KvConflicts::WRITE);
    let several = ["GET a", "MGET b a", "NOSUCH x", "GET too many", "SINTERCARD 1 c d"];
    let mut read = batch(RedisAccess::Read, 1, &several);
    assert_eq!(footprint(read.clone()), on(&["a", "b", "c"], reads));
    read.watched = vec![("w".into(), RedisVersion(0))];
    assert_eq!(footprint(read), on(&["a", "b", "c", "w"], reads));
    let write = batch(RedisAccess::Write, 1, &["GET a", "MSET b 1 c 2"]);
    assert_eq!(footprint(write), on(&["a", "b", "c"], writes));
    for whole in ["KEYS *", "SCAN 0", "DBSIZE", "RANDOMKEY", "FLUSHALL", "FLUSHDB"] {
        let batch = batch(RedisAccess::Write, 1, &["GET a", whole]);
        assert_eq!(footprint(batch), Footprint::Everything, "{whole}");
    }
}

/// Broken: a client that scans misses keys, or is given cursors that are no numbers.
#[test]
fn a_scan_finds_what_is_there_all_the_time() {
    let store = &mut Store::default();
    let names: BTreeSet<String> = (0..500).map(|number| format!("key:{number}")).collect();
    for name in &names {
        write(store, 1, &[&format!("SET {name} v"), &format!("HSET hash {name} v")]);
    }
    let mut cursors = RedisCursors::default();
    for scan in ["SCAN * COUNT 7 MATCH key:*", "HSCAN hash * COUNT 7"] {
        let mut found = BTreeSet::new();
        let mut cursor = "0".to_owned();
        let mut steps = 0;
        loop {
            let mut command = args(&scan.replacen('*', &cursor, 1));
            let asked = command.clone();
            cursors.to_store(&mut command);
            let commands = vec![command];
            let scan = RedisBatch { commands, ..batch(RedisAccess::Read, 1, &[]) };
            let RedisOutcome::Replies(mut replies) = run(store, scan) else { panic!("{cursor}") };
            let mut reply = replies.remove(0);
            cursors.to_client(&asked, &mut reply);
            let RedisReply::Array(parts) = reply else { panic!("{reply:?}") };
            let [RedisReply::Bulk(next), RedisReply::Array(items)] = &parts[..] else {
                panic!("{parts:?}")
            };
            found.extend(items.iter().filter_map(|item| match item {
                RedisReply::Bulk(text) if text != "v" => Some(text.clone()),
                _ => None,
            }));
            // The key that the cursor stands on goes, and another comes.
            write(store, 1, &["DEL key:300", "HDEL hash key:300", &format!("SET new:{steps} v")]);
            cursor = String::from_utf8(next.to_vec()).expect("it is a text");
            assert!(cursor.parse::<u64>().is_ok(), "{cursor}");
            steps += 1;
            if cursor == "0" {
                break;
            }
        }
        let remain = names.iter().filter(|name| *name != "key:300");
        assert!(remain.clone().all(|name| found.contains(name.as_bytes())), "{scan}");
        assert!(steps > 50, "{steps}");
    }
}

/// Broken: a client's number reaches what it was never given.
#[test]
fn a_cursor_that_nobody_gave_is_invalid() {
    let store = &mut Store::default();
    let cursors = RedisCursors::default();
    let invalid = replies([RedisReply::error("ERR invalid cursor")]);
    for cursor in ["17", "@a", "x", "99999999999999999999999"] {
        let mut command = args(&format!("SCAN {cursor}"));
        cursors.to_store(&mut command);
        let scan = RedisBatch { commands: vec![command], ..batch(RedisAccess::Read, 1, &[]) };
        assert_eq!(run(store, scan), invalid, "{cursor}");
    }
}

/// Broken: a read is a way to write.
#[test]
fn a_batch_of_reads_refuses_writes() {
    let store = &mut Store::default();
    let refused = RedisReply::error("ERR a command that may write is in a batch of reads");
    let outcome = read(store, 1, &["GET a", "SET a v", "ALTHING.PURGE a", "SPOP a"]);
    assert_eq!(outcome, replies([RedisReply::Null, refused.clone(), refused.clone(), refused]));
    assert!(store.is_empty());
}

/// Broken: nodes and gateways of two builds do not understand each other.
#[test]
fn golden_bytes() {
    let hex = |bytes: Bytes| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let golden = RedisBatch {
        is_transaction: true,
        watched: vec![("w".into(), RedisVersion(3))],
        ..batch(RedisAccess::Write, 300, &["GET k"])
    };
    let golden = KvCommand::Redis(golden).encode();
    assert_eq!(hex(golden), "7a1808ac021001180122050a017710032a080a034745540a016b");
    let all = vec![
        RedisReply::Ok,
        RedisReply::Simple("s".into()),
        RedisReply::Error("e".into()),
        RedisReply::Integer(-1),
        RedisReply::Double(0.5),
        RedisReply::Bulk("b".into()),
        RedisReply::Null,
        RedisReply::NullArray,
        RedisReply::Array(vec![RedisReply::Null]),
        RedisReply::Map(vec![(RedisReply::Null, RedisReply::Ok)]),
        RedisReply::Set(vec![]),
        RedisReply::Pairs(vec![(RedisReply::Ok, RedisReply::Null)]),
        RedisReply::Boolean(true),
    ];
    for (outcome, golden) in [
        (RedisOutcome::Due, "7a021200"),
        (RedisOutcome::WatchedChanged, "7a021a00"),
        (
            RedisOutcome::Replies(all),
            "7a540a520a020a000a031201730a031a01650a0220010a0929000000000000e03f0a033201620a023a000a02\
             42000a064a040a023a000a0a52080a023a000a020a000a025a000a0a62080a020a000a023a000a026801",
        ),
    ] {
        let reply = KvReply::Redis(outcome);
        assert_eq!(hex(reply.encode()), golden, "{reply:?}");
        assert_eq!(KvReply::decode(reply.encode()), Ok(reply));
    }
    assert_eq!(hex(KvReply::WrongType.encode()), "7200");
}
