//! Commands and replies one by one: what they do, what they look like, what is refused.

use althing_kv::{
    Branch, Condition, KvCommand, KvConflicts, KvInvalid, KvOperation, KvReply, OperationFailure,
    OperationResult, Store, Transaction, TransactionEnd, limits::*,
};
use althing_model::{Conflicts, StateMachine};
use bytes::Bytes;

fn bytes(text: &'static str) -> Bytes {
    text.into()
}

fn run(store: &mut Store, command: KvCommand) -> KvReply {
    KvReply::decode(store.apply(&command.encode())).expect("the store answers with replies")
}

/// Broken: the store is not the map that its documentation promises.
#[test]
fn each_command_does_what_it_says() {
    let store = &mut Store::default();
    let key = bytes("k");
    let get = || KvCommand::Get { key: bytes("k") };
    assert_eq!(run(store, get()), KvReply::Value(None));
    let put = KvCommand::Put { key: key.clone(), value: bytes("") };
    assert_eq!(run(store, put), KvReply::Done);
    assert_eq!(run(store, get()), KvReply::Value(Some(bytes(""))));
    let swap = |expected, new| KvCommand::CompareAndSwap { key: bytes("k"), expected, new };
    assert_eq!(
        run(store, swap(None, Some(bytes("x")))),
        KvReply::Swapped { swapped: false, actual: Some(bytes("")) }
    );
    assert_eq!(
        run(store, swap(Some(bytes("")), Some(bytes("x")))),
        KvReply::Swapped { swapped: true, actual: Some(bytes("")) }
    );
    let increment = |by| KvCommand::Increment { key: bytes("k"), by };
    let add = |by| KvCommand::Add { key: bytes("k"), by };
    assert_eq!(run(store, increment(1)), KvReply::NotANumber);
    assert_eq!(run(store, add(1)), KvReply::NotANumber);
    assert_eq!(run(store, get()), KvReply::Value(Some(bytes("x"))));
    let delete = || KvCommand::Delete { key: bytes("k") };
    assert_eq!(run(store, delete()), KvReply::Deleted(true));
    assert_eq!(run(store, delete()), KvReply::Deleted(false));
    assert_eq!(store.digest(), Store::default().digest());
    assert_eq!(run(store, increment(i64::MAX)), KvReply::Number(i64::MAX));
    assert_eq!(run(store, increment(1)), KvReply::Overflow);
    assert_eq!(run(store, add(1)), KvReply::Done);
    assert_eq!(run(store, increment(0)), KvReply::Number(i64::MIN));
    let multi_put = KvCommand::MultiPut {
        pairs: vec![(bytes("a"), bytes("1")), (bytes("b"), bytes("2")), (bytes("a"), bytes("3"))],
    };
    assert_eq!(run(store, multi_put), KvReply::Done);
    let multi_get = KvCommand::MultiGet { keys: vec![bytes("b"), bytes("none"), bytes("a")] };
    assert_eq!(
        run(store, multi_get),
        KvReply::Values(vec![Some(bytes("2")), None, Some(bytes("3"))])
    );
}

/// Broken: a read that no command carries differs from one that is a command, or a write is lost
/// because it was taken for a read.
#[test]
fn a_query_is_the_reply_of_a_command_that_changes_nothing() {
    let mut store: Store = [("a", "1"), ("b", "x")].into_iter().collect();
    let key = || bytes("a");
    let reads = [
        KvCommand::Get { key: key() },
        KvCommand::Get { key: bytes("none") },
        KvCommand::MultiGet { keys: vec![bytes("b"), bytes("none"), key()] },
    ];
    for read in reads.map(|it| it.encode()) {
        let digest = store.digest();
        assert_eq!(store.query(&read), Some(store.apply(&read)));
        assert_eq!(store.digest(), digest);
    }
    let changes = [
        KvCommand::Put { key: key(), value: bytes("1") },
        KvCommand::Delete { key: bytes("none") },
        KvCommand::CompareAndSwap { key: key(), expected: None, new: None },
        KvCommand::Increment { key: key(), by: 0 },
        KvCommand::Add { key: key(), by: 0 },
        KvCommand::MultiPut { pairs: Vec::new() },
    ];
    for change in changes {
        assert_eq!(store.query(&change.encode()), None, "{change:?}");
    }
    assert_eq!(store.query(b"no command"), None);
}

/// Broken: clients and nodes of two builds do not understand each other.
#[test]
fn golden_bytes() {
    let hex = |bytes: Bytes| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let key = || bytes("k");
    let value = || bytes("v");
    let commands = [
        (KvCommand::Get { key: key() }, "0a030a016b"),
        (KvCommand::Put { key: key(), value: value() }, "12060a016b120176"),
        (KvCommand::Delete { key: key() }, "1a030a016b"),
        (
            KvCommand::CompareAndSwap { key: key(), expected: None, new: Some(value()) },
            "22060a016b1a0176",
        ),
        (KvCommand::Increment { key: key(), by: -1 }, "2a050a016b1001"),
        (KvCommand::Add { key: key(), by: 1 }, "32050a016b1002"),
        (KvCommand::MultiPut { pairs: vec![(key(), value())] }, "3a080a060a016b120176"),
        (KvCommand::MultiGet { keys: vec![key()] }, "42030a016b"),
        (
            KvCommand::Transaction(
                Transaction::new()
                    .when_exists(key())
                    .when_absent(key())
                    .when_equal(key(), value())
                    .when(key(), Condition::NotEqual(value()))
                    .when(key(), Condition::Less(value()))
                    .when(key(), Condition::Greater(value()))
                    .when_at_least(key(), -1)
                    .when(key(), Condition::AtMost(1)),
            ),
            "4a3c0a050a016b12000a050a016b1a000a060a016b2201760a060a016b2a01760a060a016b3201760a060a01\
             6b3a01760a050a016b40010a050a016b4802",
        ),
        (
            KvCommand::Transaction(
                Transaction::new()
                    .then(KvOperation::get(key()))
                    .then(KvOperation::put(key(), value()))
                    .then(KvOperation::delete(key()))
                    .otherwise(KvOperation::append(key(), value()))
                    .otherwise(KvOperation::increment(key(), -1)),
            ),
            "4a2b12050a030a016b120812060a016b12017612051a030a016b1a0822060a016b1201761a072a050a016b1001",
        ),
    ];
    for (command, golden) in commands {
        assert_eq!(hex(command.encode()), golden, "{command:?}");
    }
    let failed = |why| {
        let branch = Branch::Otherwise;
        KvReply::Transaction(TransactionEnd::Failed { branch, operation: 1, why })
    };
    let replies = [
        (KvReply::Value(None), "0a00"),
        (KvReply::Value(Some(value())), "0a030a0176"),
        (KvReply::Done, "1200"),
        (KvReply::Deleted(true), "1801"),
        (KvReply::Swapped { swapped: true, actual: Some(bytes("")) }, "220408011200"),
        (KvReply::Number(-1), "2801"),
        (KvReply::Values(vec![None, Some(value())]), "32070a000a030a0176"),
        (KvReply::NotANumber, "3a00"),
        (KvReply::Overflow, "4200"),
        (KvReply::TooLong { len: 300 }, "48ac02"),
        (KvReply::NotACommand, "5200"),
        (
            KvReply::Transaction(TransactionEnd::Done {
                branch: Branch::Then,
                results: vec![
                    OperationResult::Value(Some(value())),
                    OperationResult::Done,
                    OperationResult::Deleted(true),
                    OperationResult::Length(1),
                    OperationResult::Number(-1),
                ],
            }),
            "5a19080112050a030a017612021200120218011202200112022801",
        ),
        (failed(OperationFailure::NotANumber), "5a061a0408011200"),
        (failed(OperationFailure::Overflow), "5a061a0408011a00"),
        (failed(OperationFailure::ValueTooLong { len: 300 }), "5a071a05080120ac02"),
        (failed(OperationFailure::TransactionTooLong { len: 300 }), "5a071a05080128ac02"),
        (failed(OperationFailure::ReplyTooLong { len: 300 }), "5a071a05080130ac02"),
    ];
    for (reply, golden) in replies {
        assert_eq!(hex(reply.encode()), golden, "{reply:?}");
    }
}

/// Broken: a client's mistake reaches the state machine, or is refused without a reason.
#[test]
fn what_is_no_command_is_refused_with_a_reason() {
    let refused = |command: KvCommand| {
        let invalid = KvCommand::decode(command.encode()).expect_err("it is over a limit");
        assert_eq!(command.check(), Err(invalid.clone()));
        invalid
    };
    let get = |len: usize| KvCommand::Get { key: vec![b'k'; len].into() };
    let put = |len: usize| KvCommand::Put {
        key: vec![b'k'; KEY_LEN_MAX].into(),
        value: vec![0; len].into(),
    };
    assert_eq!(refused(get(0)), KvInvalid::KeyEmpty);
    assert_eq!(refused(get(1025)), KvInvalid::KeyTooLong { len: 1025 });
    let len = VALUE_LEN_MAX + 1;
    assert_eq!(refused(put(len)), KvInvalid::ValueTooLong { len });
    let keys = vec![bytes("k"); KEYS_MAX + 1];
    assert_eq!(refused(KvCommand::MultiGet { keys }), KvInvalid::TooManyKeys { count: 1025 });
    let value = Bytes::from(vec![0; COMMAND_LEN_MAX / 2]);
    let pairs = vec![(bytes("a"), value.clone()), (bytes("b"), value)];
    assert!(matches!(refused(KvCommand::MultiPut { pairs }), KvInvalid::CommandTooLong { .. }));
    let operation = KvOperation::get("k");
    let many = Transaction {
        compare: vec![(bytes("k"), Condition::Exists)],
        then: vec![operation.clone(); KEYS_MAX / 2],
        otherwise: vec![operation; KEYS_MAX / 2],
    };
    let transaction = |transaction| refused(KvCommand::Transaction(transaction));
    assert_eq!(transaction(many), KvInvalid::TooManyKeys { count: 1025 });
    assert_eq!(transaction(Transaction::new().when_exists("")), KvInvalid::KeyEmpty);
    let append = KvOperation::append("k", vec![0; len]);
    assert_eq!(transaction(Transaction::new().otherwise(append)), KvInvalid::ValueTooLong { len });
    let equal = Transaction::new().when_equal("k", vec![0; len]);
    assert_eq!(transaction(equal), KvInvalid::ValueTooLong { len });
    // A transaction with an operation that says nothing.
    assert_eq!(KvCommand::decode(bytes("\x4a\x02\x12\x00")), Err(KvInvalid::Unknown));
    assert_eq!(KvCommand::decode(Bytes::new()), Err(KvInvalid::Unknown));
    assert_eq!(put(VALUE_LEN_MAX).check(), Ok(()));

    let refusal = KvConflicts::default().footprint(&get(0).encode());
    assert_eq!(refusal.unwrap_err().0, "the key is empty: a key has at least one byte");
    let mut store = Store::default();
    let reply = KvReply::decode(store.apply(b"\xff\xff"));
    assert_eq!(reply, Ok(KvReply::NotACommand));
}

/// Broken: a read of many long values makes a reply that no frame holds.
#[test]
fn a_reply_keeps_to_its_limit() {
    let mut store: Store =
        [(bytes("k"), Bytes::from(vec![0; VALUE_LEN_MAX]))].into_iter().collect();
    let one = store.apply(&KvCommand::Get { key: bytes("k") }.encode());
    assert!(one.len() <= REPLY_LEN_MAX);
    let get = |count| KvCommand::MultiGet { keys: vec![bytes("k"); count] };
    assert!(store.apply(&get(1).encode()).len() <= REPLY_LEN_MAX);
    let len = 2 * VALUE_LEN_MAX as u64;
    assert_eq!(run(&mut store, get(2)), KvReply::TooLong { len });
}
