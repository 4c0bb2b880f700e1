//! Real processes, all of them killed at once.

use althing::demo::audit::{self, Settled};
use althing::demo::load::Load;
use althing_bench::real::Recorder;
use althing_checker::Verdict;
use althing_local::{LocalCluster, Settings};
use althing_sdk::{Client, KvClient};
use std::sync::Arc;
use std::time::{Duration, Instant};

const NODES: usize = 5;
const CLIENTS: usize = 4;
const CONFLICT_PERCENT: f64 = 20.0;

/// Answers after which the processes are killed: a number between these two.
const KILL_AFTER: std::ops::Range<usize> = 100..400;

/// Answers after the restart that show the load going on.
const ANSWERS_AFTER: usize = 100;

/// Long enough for a machine that builds something else at the same time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Broken: an answer was given before what it promises was on disk, or a node that comes back does
/// not know what it had promised.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_all_processes_are_killed_at_once() {
    let binary = env!("CARGO_BIN_EXE_althing").into();
    let mut cluster = LocalCluster::start(Settings::new(binary, NODES)).await.unwrap();
    let recorder = Arc::new(Recorder::start());
    let mut load = Load::new(recorder.clone());
    let mut clients = Vec::new();
    for node in 0..NODES {
        let config = cluster.client(&cluster.routes_from(node));
        let kv = KvClient::new(Client::connect(config).await.unwrap());
        load.begin(node, &kv, CLIENTS, CONFLICT_PERCENT);
        clients.push((node, kv));
    }

    let kill_after = rand::random_range(KILL_AFTER);
    answered(&recorder, kill_after).await;
    cluster.kill_all();
    let before = recorder.answered();
    for node in 0..NODES {
        cluster.start_again(node).unwrap();
    }
    for node in 0..NODES {
        cluster.ready(node).await.unwrap();
    }
    answered(&recorder, before + ANSWERS_AFTER).await;

    let ledger = load.finish().await;
    assert_eq!(audit::lost(&recorder, &ledger, &clients).await, 0, "killed after {kill_after}");
    let settled = audit::settled(&cluster).await;
    assert!(matches!(settled, Settled::Equal { .. }), "{settled:?}");
    let verdict = recorder.verdict().await;
    assert!(matches!(verdict, Verdict::Linearizable { .. }), "{verdict:?}");
    cluster.check().unwrap();
}

/// Waits until the clients have had so many answers.
async fn answered(recorder: &Recorder, count: usize) {
    let begun = Instant::now();
    while recorder.answered() < count {
        let have = recorder.answered();
        assert!(begun.elapsed() < PATIENCE, "{have} of {count} answers after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
