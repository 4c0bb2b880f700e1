//! Transactions under the swarm, right and wrong.

use althing_checker::{History, OperationId};
use althing_kv::{KvCommand, KvOperation, KvReply, OperationResult, Store, TransactionEnd};
use althing_model::{Conflicts, Pieces, StateMachine, Unrestorable};
use althing_sim::app::{Application, Judgement, Transactions};
use althing_sim::{Plan, Workload, run_with};
use bytes::Bytes;
use rand::Rng;
use std::sync::Arc;

/// Broken: transactions are not strictly serializable under some fault, or no run says anything of it.
#[test]
fn a_hundred_seeds_of_transactions() {
    let (mut decided, mut done) = (0, 0);
    for seed in 1..=100 {
        let plan = Plan::draw(seed, 200);
        let report = run_with(&plan, &Transactions).unwrap_or_else(|failure| panic!("{failure}"));
        decided += report.judgement.decided;
        done += report.done;
    }
    assert!(decided > 19_000 && done > 15_000, "{decided} decided, {done} done");
}

/// What a wrong store does; every replica does the same, so that only what clients saw can tell.
#[derive(Clone, Copy)]
enum Wrong {
    /// Answers some appends and does not do them.
    Forgets,
    /// Lets some reads miss the last element.
    Lags,
    /// Does what stands before the operation that fails.
    DoesHalf,
}

/// The reference store with a fault, and the real one's clients and judge.
struct Faulty(Wrong);

struct Machine {
    wrong: Wrong,
    store: Store,
}

impl StateMachine for Machine {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let command = KvCommand::decode(Bytes::copy_from_slice(payload)).unwrap();
        let KvCommand::Transaction(mut transaction) = command else {
            return self.store.apply(payload);
        };
        // By the payload alone, since commuting commands have no common order.
        let is_chosen = payload.iter().map(|byte| u32::from(*byte)).sum::<u32>().is_multiple_of(5);
        let mut after = self.store.clone();
        let right = after.execute(KvCommand::Transaction(transaction.clone()));
        match (self.wrong, right) {
            (Wrong::Forgets, right) if is_chosen => right.encode(),
            (Wrong::Lags, KvReply::Transaction(TransactionEnd::Done { branch, mut results }))
                if is_chosen =>
            {
                self.store = after;
                for result in &mut results {
                    if let OperationResult::Value(Some(value)) = result
                        && let Some(cut) = value[..value.len() - 1].iter().rposition(|b| *b == b',')
                    {
                        value.truncate(cut + 1);
                    }
                }
                KvReply::Transaction(TransactionEnd::Done { branch, results }).encode()
            }
            (Wrong::DoesHalf, right @ KvReply::Transaction(TransactionEnd::Failed { .. })) => {
                transaction.then.retain(|it| matches!(it, KvOperation::Append { .. }));
                self.store.execute(KvCommand::Transaction(transaction));
                right.encode()
            }
            (_, right) => {
                self.store = after;
                right.encode()
            }
        }
    }

    fn digest(&self) -> u64 {
        self.store.digest()
    }

    fn snapshot(&self) -> Pieces {
        self.store.snapshot()
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        self.store.restore(pieces)
    }
}

impl Application for Faulty {
    fn conflicts(&self) -> Arc<dyn Conflicts> {
        Transactions.conflicts()
    }

    fn machine(&self) -> Box<dyn StateMachine> {
        Box::new(Machine { wrong: self.0, store: Store::default() })
    }

    fn operation(&self, load: &Workload, client: usize, number: u64, rng: &mut dyn Rng) -> Bytes {
        Transactions.operation(load, client, number, rng)
    }

    fn judge(
        &self,
        history: &History<Bytes, Bytes>,
        _order: Option<&[OperationId]>,
    ) -> Result<Judgement, String> {
        Transactions.judge(history, None)
    }
}

/// Broken: the checker at the end of a run lets wrong transactions through.
#[test]
fn a_wrong_store_is_found_by_what_clients_saw() {
    for (wrong, words) in [
        (Wrong::Forgets, &["lost append", "internal", "realtime", "G-single"][..]),
        (Wrong::Lags, &["realtime", "G1b", "internal", "incompatible", "G-single", "G2"]),
        (Wrong::DoesHalf, &["G1a"]),
    ] {
        let mut plan = Plan::draw(1, 200);
        plan.workload = Workload { operations: 200, has_multi_key: true, ..Workload::small() };
        let failure = run_with(&plan, &Faulty(wrong)).expect_err("the store is wrong");
        let account = failure.violation.account;
        assert!(account.contains("not strictly serializable"), "{account}");
        assert!(words.iter().any(|word| account.contains(word)), "{account}");
    }
}
