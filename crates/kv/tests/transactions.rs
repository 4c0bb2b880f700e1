//! Transactions: what they ask, what they do, and that they do all of it or nothing.

use althing_kv::{
    Branch, Condition, KvCommand, KvConflicts, KvOperation, KvReply, OperationFailure,
    OperationResult, Store, Transaction, TransactionEnd, limits::*,
};
use althing_model::{Conflicts, Footprint, StateMachine};
use bytes::Bytes;
use proptest::prelude::*;

fn run(store: &mut Store, transaction: Transaction) -> TransactionEnd {
    let command = KvCommand::Transaction(transaction);
    assert_eq!(command.check(), Ok(()));
    let reply = store.apply(&command.encode());
    assert!(reply.len() <= REPLY_LEN_MAX);
    match KvReply::decode(reply) {
        Ok(KvReply::Transaction(end)) => end,
        other => panic!("{other:?}"),
    }
}

fn done(branch: Branch, results: impl Into<Vec<OperationResult>>) -> TransactionEnd {
    TransactionEnd::Done { branch, results: results.into() }
}

fn failed(operation: u32, why: OperationFailure) -> TransactionEnd {
    TransactionEnd::Failed { branch: Branch::Then, operation, why }
}

fn value(text: &'static str) -> OperationResult {
    OperationResult::Value(Some(text.into()))
}

type Values = &'static [Option<&'static str>];

/// Broken: an application's condition lets through what it excludes.
#[test]
fn each_condition_asks_what_it_says() {
    let text = |text: &'static str| Bytes::from(text);
    let cases: [(Condition, Values, Values); 8] = [
        (Condition::Exists, &[Some("")], &[None]),
        (Condition::Absent, &[None], &[Some("")]),
        (Condition::Equal(text("b")), &[Some("b")], &[None, Some("a"), Some("bb")]),
        (Condition::NotEqual(text("b")), &[None, Some("a"), Some("bb")], &[Some("b")]),
        (Condition::Less(text("b")), &[Some(""), Some("aa")], &[None, Some("b"), Some("ba")]),
        (Condition::Greater(text("b")), &[Some("ba"), Some("c")], &[None, Some("b"), Some("a")]),
        (
            Condition::AtLeast(9),
            &[Some("9"), Some("10")],
            &[None, Some("8"), Some("-10"), Some("010"), Some("x")],
        ),
        (Condition::AtMost(9), &[None, Some("9"), Some("-10")], &[Some("10"), Some("x")]),
    ];
    for (condition, holds, holds_not) in cases {
        for (values, branch) in [(holds, Branch::Then), (holds_not, Branch::Otherwise)] {
            for value in values {
                let mut store: Store = value.iter().map(|value| ("k", value)).collect();
                let asked = Transaction::new().when("k", condition.clone());
                assert_eq!(run(&mut store, asked), done(branch, []), "{condition:?} {value:?}");
                // Also when it is one of several.
                let asked = Transaction::new().when_absent("none").when("k", condition.clone());
                let end = run(&mut store, asked.then(KvOperation::get("none")));
                assert_eq!(
                    matches!(end, TransactionEnd::Done { branch: Branch::Then, .. }),
                    branch == Branch::Then
                );
            }
        }
    }
}

/// Broken: an operation does something else than it says, or does not see what those before it did.
#[test]
fn operations_are_done_in_their_order_and_see_each_other() {
    let mut store: Store = [("n", "1"), ("gone", "x")].into_iter().collect();
    let all = Transaction::new()
        .then(KvOperation::get("list"))
        .then(KvOperation::append("list", "a,"))
        .then(KvOperation::append("list", "b,"))
        .then(KvOperation::get("list"))
        .then(KvOperation::increment("n", 2))
        .then(KvOperation::increment("fresh", -1))
        .then(KvOperation::put("n", "7"))
        .then(KvOperation::increment("n", 1))
        .then(KvOperation::delete("gone"))
        .then(KvOperation::delete("gone"))
        .then(KvOperation::get("gone"))
        .then(KvOperation::append("gone", ""))
        .then(KvOperation::get("gone"));
    let end = done(
        Branch::Then,
        [
            OperationResult::Value(None),
            OperationResult::Length(2),
            OperationResult::Length(4),
            value("a,b,"),
            OperationResult::Number(3),
            OperationResult::Number(-1),
            OperationResult::Done,
            OperationResult::Number(8),
            OperationResult::Deleted(true),
            OperationResult::Deleted(false),
            OperationResult::Value(None),
            OperationResult::Length(0),
            value(""),
        ],
    );
    assert_eq!(run(&mut store, all), end);
    let left: Store =
        [("fresh", "-1"), ("gone", ""), ("list", "a,b,"), ("n", "8")].into_iter().collect();
    assert!(store.iter().eq(left.iter()));
    assert_eq!(store.digest(), left.digest());
}

/// Broken: half a transaction takes effect, and money is made or lost.
#[test]
fn one_that_fails_changes_nothing_and_says_where() {
    let long = Bytes::from(vec![b'x'; VALUE_LEN_MAX]);
    let mut store: Store =
        [("most", i64::MAX.to_string().into()), ("text", Bytes::from("x")), ("long", long)]
            .into_iter()
            .collect();
    for at in 0..6 {
        // Nine tenths of the most that a transaction may change.
        let name = format!("long{at}");
        run(&mut store, Transaction::new().then(KvOperation::put(name, vec![0; 900 << 10])));
    }
    let before = store.clone();
    let first = || Transaction::new().then(KvOperation::put("first", "1"));
    let lengths = |lengths: &[u64]| lengths.iter().sum::<u64>();
    let mut appends = first();
    let mut gets = first();
    for at in 0..6 {
        appends = appends.then(KvOperation::append(format!("long{at}"), "y"));
        gets = gets.then(KvOperation::get(format!("long{at}")));
    }
    let one = (900 << 10) + 1;
    let cases = [
        (first().then(KvOperation::increment("text", 1)), failed(1, OperationFailure::NotANumber)),
        (first().then(KvOperation::increment("most", 1)), failed(1, OperationFailure::Overflow)),
        (
            first().then(KvOperation::append("long", "y")),
            failed(1, OperationFailure::ValueTooLong { len: VALUE_LEN_MAX as u64 + 1 }),
        ),
        (
            // Found as soon as the fifth is copied, with its own byte not there yet.
            appends,
            failed(
                5,
                OperationFailure::TransactionTooLong { len: lengths(&[1, 4 * one, one - 1]) },
            ),
        ),
    ];
    for (transaction, end) in cases {
        assert_eq!(run(&mut store, transaction), end);
        assert!(store.iter().eq(before.iter()), "{end:?}");
        assert_eq!(store.digest(), before.digest());
    }
    let end = run(&mut store, gets);
    let TransactionEnd::Failed { operation: 2, why: OperationFailure::ReplyTooLong { .. }, .. } =
        end
    else {
        panic!("{end:?}");
    };
    assert!(store.iter().eq(before.iter()));
    // The branch that is not taken may be impossible.
    let other = first().otherwise(KvOperation::increment("text", 1));
    assert_eq!(run(&mut store, other), done(Branch::Then, [OperationResult::Done]));
}

/// Broken: a reply of many small results is longer than a frame, or one that would do is refused.
#[test]
fn as_many_results_as_operations_are_answered() {
    let mut store: Store = [("n", "0")].into_iter().collect();
    let mut all = Transaction::new();
    for _ in 0..KEYS_MAX {
        all = all.then(KvOperation::increment("n", i64::MAX / 2048));
    }
    let TransactionEnd::Done { results, .. } = run(&mut store, all) else {
        panic!("it is within all limits");
    };
    assert_eq!(results.len(), KEYS_MAX);
    let len = (VALUE_LEN_MAX - 100) / KEYS_MAX;
    let mut all = Transaction::new().then(KvOperation::put("n", vec![0; len - 64]));
    for _ in 1..KEYS_MAX {
        all = all.then(KvOperation::get("n"));
    }
    assert!(matches!(run(&mut store, all), TransactionEnd::Done { .. }));
}

/// Broken: replicas order two transactions differently of which one reads what the other writes.
#[test]
fn the_footprint_is_of_all_branches_and_a_key_that_is_read_and_written_is_written() {
    let transaction = Transaction::new()
        .when_exists("compared")
        .when_exists("both")
        .then(KvOperation::get("got"))
        .then(KvOperation::put("both", ""))
        .otherwise(KvOperation::delete("deleted"))
        .otherwise(KvOperation::append("appended", "x"))
        .otherwise(KvOperation::increment("incremented", 1))
        .otherwise(KvOperation::get("incremented"));
    let read = ["compared", "got"].map(|key| (Bytes::from(key), KvConflicts::READ));
    let written = ["appended", "both", "deleted", "incremented"]
        .map(|key| (Bytes::from(key), KvConflicts::WRITE));
    let expected = Footprint::of(read.into_iter().chain(written));
    let payload = KvCommand::Transaction(transaction).encode();
    assert_eq!(KvConflicts::default().footprint(&payload), Ok(expected));
    let nothing = KvCommand::Transaction(Transaction::new());
    assert_eq!(KvConflicts::footprint_of(&nothing), Footprint::NOTHING);
}

proptest! {
    /// Broken: transfers make or lose money, or overdraw an account.
    #[test]
    fn transfers_keep_the_sum(transfers in prop::collection::vec((0..4usize, 0..4usize, 1..80i64), 0..60)) {
        let accounts = ["a", "b", "c", "d"];
        let mut bank: Store = accounts.iter().map(|account| (account, "100")).collect();
        for (from, to, amount) in transfers {
            run(
                &mut bank,
                Transaction::new()
                    .when_at_least(accounts[from], amount)
                    .then(KvOperation::increment(accounts[from], -amount))
                    .then(KvOperation::increment(accounts[to], amount)),
            );
            let balances: Vec<i64> = bank
                .iter()
                .map(|(_, balance)| std::str::from_utf8(balance).unwrap().parse().unwrap())
                .collect();
            prop_assert_eq!(balances.iter().sum::<i64>(), 400);
            prop_assert!(balances.iter().all(|balance| *balance >= 0));
        }
    }
}
