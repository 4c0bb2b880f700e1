//! Transactions of many clients on real processes, of which one is killed.

use althing_checker::{History, OperationId};
use althing_kv::{KvCommand, KvReply};
use althing_local::{LocalCluster, Settings};
use althing_sdk::{Client, Error, KvClient, KvError, KvOperation, OperationResult, Transaction};
use althing_sim::Workload;
use althing_sim::app::{Application, Transactions};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const NODES: usize = 3;

/// Of each node.
const CLIENTS: usize = 3;

/// Answers before the kill, while the node is dead, and after it is back.
const ANSWERS: u64 = 400;

const ACCOUNTS: [&str; 4] = ["bank/a", "bank/b", "bank/c", "bank/d"];

/// What is in each account in the beginning.
const BALANCE: i64 = 100;

/// Long enough for a machine that builds something else at the same time.
const PATIENCE: Duration = Duration::from_secs(60);

/// What clients did and saw, and when.
struct Run {
    begun: Instant,
    history: Mutex<History<Bytes, Bytes>>,
    answers: AtomicU64,
    is_over: AtomicBool,
}

impl Run {
    fn ns(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap()
    }

    /// Asks for transactions on lists until it is over, one after the other.
    async fn append_and_read(self: Arc<Self>, kv: KvClient, client: usize) {
        let workload = Workload { has_multi_key: true, hot_keys: 4, ..Workload::small() };
        let mut rng = StdRng::seed_from_u64(client as u64);
        let mut count = 0;
        while !self.is_over.load(Relaxed) {
            let number = (count * NODES * CLIENTS + client) as u64;
            count += 1;
            let payload = Transactions.operation(&workload, client, number, &mut rng);
            let command = KvCommand::decode(payload.clone()).unwrap();
            let ns = self.ns();
            let operation = self.history.lock().unwrap().invoked(client as u64, ns, payload);
            self.ended(operation, kv.execute(command).await);
        }
    }

    fn ended(&self, operation: OperationId, outcome: Result<KvReply, KvError>) {
        let mut history = self.history.lock().unwrap();
        match outcome {
            Ok(reply) => {
                history.returned(operation, self.ns(), reply.encode());
                self.answers.fetch_add(1, Relaxed);
            }
            Err(KvError::Command(Error::Failed(_))) => history.failed(operation),
            Err(KvError::Command(Error::Unknown)) => {}
            Err(other) => panic!("{other}"),
        }
    }

    /// Moves money to and fro, and counts it.
    async fn bank(self: Arc<Self>, kv: KvClient, client: usize) {
        let mut rng = StdRng::seed_from_u64(client as u64);
        while !self.is_over.load(Relaxed) {
            let [from, to] = [(); 2].map(|()| ACCOUNTS[rng.random_range(0..ACCOUNTS.len())]);
            let amount = rng.random_range(1..60);
            let transfer = Transaction::new()
                .when_at_least(from, amount)
                .then(KvOperation::increment(from, -amount))
                .then(KvOperation::increment(to, amount));
            match kv.transaction(transfer).await {
                Ok(_) | Err(KvError::Command(_)) => {}
                Err(other) => panic!("{other}"),
            }
            let all = ACCOUNTS.into_iter().map(KvOperation::get);
            match kv.transaction(all.fold(Transaction::new(), Transaction::then)).await {
                Ok(seen) => assert_is_all_there(&seen.results),
                Err(KvError::Command(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// Waits for so many more answers.
    async fn answered(&self, more: u64) {
        let (begun, until) = (Instant::now(), self.answers.load(Relaxed) + more);
        while self.answers.load(Relaxed) < until {
            let have = self.answers.load(Relaxed);
            assert!(begun.elapsed() < PATIENCE, "{have} of {until} answers after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn assert_is_all_there(results: &[OperationResult]) {
    let balances = results.iter().map(|result| match result {
        OperationResult::Value(Some(value)) => {
            std::str::from_utf8(value).unwrap().parse::<i64>().unwrap()
        }
        other => panic!("{other:?} is no balance"),
    });
    let balances: Vec<i64> = balances.collect();
    assert_eq!(balances.iter().sum::<i64>(), BALANCE * ACCOUNTS.len() as i64, "{balances:?}");
    assert!(balances.iter().all(|balance| *balance >= 0), "{balances:?}");
}

/// Broken: transactions on a real cluster are not strictly serializable, or take half an effect, when a
/// node dies amid them and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_are_strictly_serializable_while_a_node_is_killed() {
    let binary = env!("CARGO_BIN_EXE_althing").into();
    let mut cluster = LocalCluster::start(Settings::new(binary, NODES)).await.unwrap();
    let run = Arc::new(Run {
        begun: Instant::now(),
        history: Mutex::default(),
        answers: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    });
    let mut clients = JoinSet::new();
    for node in 0..NODES {
        let config = cluster.client(&cluster.routes_from(node));
        let kv = KvClient::new(Client::connect(config).await.unwrap());
        if node == 0 {
            let all = ACCOUNTS.iter().fold(Transaction::new(), |all, account| {
                all.when_absent(*account).then(KvOperation::put(*account, BALANCE.to_string()))
            });
            assert!(kv.transaction(all).await.unwrap().held);
        }
        for place in 0..CLIENTS {
            let client = node * CLIENTS + place;
            clients.spawn(run.clone().append_and_read(kv.clone(), client));
        }
        clients.spawn(run.clone().bank(kv, node));
    }

    run.answered(ANSWERS).await;
    cluster.kill(0);
    run.answered(ANSWERS).await;
    cluster.start_again(0).unwrap();
    cluster.ready(0).await.unwrap();
    run.answered(ANSWERS).await;
    run.is_over.store(true, Relaxed);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }

    let history = run.history.lock().unwrap();
    let judgement =
        Transactions.judge(&history, None).unwrap_or_else(|account| panic!("{account}"));
    assert!(judgement.decided >= 3 * ANSWERS, "{judgement:?}");
    cluster.check().unwrap();
}
