//! Nodes that cut snapshots, forget what they hold, and come back from them.

mod support;

use althing_model::{Operation, Path, RequestId, SessionId};
use althing_node::Status;
use althing_wire::Outcome;
use bytes::Bytes;
use support::{Client, Cluster, until};

/// Barriers so often that a test sees several, values kept for nobody.
fn prepare(n: u32, f: usize, path: Path) -> Cluster {
    let mut cluster = Cluster::prepare(n, f, path);
    for file in &mut cluster.files {
        file.snapshots.barrier_vertices = 20;
        file.snapshots.barrier_least_ms = 50;
        file.snapshots.log_vertices = 0;
        file.snapshots.log_mib = 0;
    }
    cluster
}

async fn start(n: u32, f: usize, path: Path) -> Cluster {
    let mut cluster = prepare(n, f, path);
    cluster.start_all().await;
    cluster
}

/// Adds to as many numbers, one after the other.
async fn add(client: &mut Client, session: SessionId, sequences: std::ops::Range<u64>, len: usize) {
    for sequence in sequences {
        let operation = Operation::Apply {
            request: RequestId { session, sequence },
            acknowledged_below: sequence,
            payload: Bytes::from(format!("add {}{}", sequence % 8, "x".repeat(len))),
        };
        let outcome = client.submit(operation).await;
        assert!(matches!(outcome, Outcome::Executed(_)), "{outcome:?}");
    }
}

fn floor(status: &Status) -> u64 {
    status.replica.expect("each node has a replica").floor
}

async fn until_alike(cluster: &Cluster) -> String {
    until("all nodes are alike", async || {
        let mut states = Vec::new();
        for node in cluster.running() {
            let status = node.status().await.unwrap();
            states.push((status.replica.unwrap().barriers, status.digest));
        }
        states.dedup();
        match &states[..] {
            [(_, digest)] => digest.clone(),
            _ => None,
        }
    })
    .await
}

/// Broken: nothing is ever forgotten, or a node that restarts has lost or repeated something.
async fn nodes_forget_and_restart(path: Path) {
    let mut cluster = start(3, 1, path).await;
    let mut client = cluster.client(0).await;
    let session = client.open_session().await;
    // Three segments full of long values.
    add(&mut client, session, 0..120, 100_000).await;
    for node in 0..3 {
        until("the floor rises, and the journal is trimmed", async || {
            let status = cluster.status(node).await;
            let snapshots = status.snapshots.expect("a node with a replica has some");
            let done = floor(&status) > 20
                && status.journal.segments_trimmed > 0
                && status.journal.first_lsn > 1
                && snapshots.kept == 2;
            done.then_some(())
        })
        .await;
        let held = cluster.status(node).await.vertices;
        assert!(held.values().all(|held| *held < 100), "{held:?}");
    }
    let digest = until_alike(&cluster).await;
    for node in 0..3 {
        cluster.stop_node(node).await;
    }
    for node in 0..3 {
        cluster.try_start_node(node).unwrap();
    }
    let status = cluster.status(1).await;
    assert_eq!(status.digest.as_deref(), Some(&digest[..]));
    assert!(status.replica.unwrap().barriers > 0, "{status:?}");
    cluster.until_ready().await;
    let mut client = cluster.client(1).await;
    // The last one again, then the next.
    add(&mut client, session, 119..121, 100_000).await;
    until("the new one is everywhere", async || {
        (until_alike(&cluster).await != digest).then_some(())
    })
    .await;
    cluster.shutdown().await;
}

/// See [`nodes_forget_and_restart`].
#[tokio::test]
async fn nodes_forget_and_restart_on_the_fast_path() {
    nodes_forget_and_restart(Path::Fast).await;
}

/// See [`nodes_forget_and_restart`].
#[tokio::test]
async fn nodes_forget_and_restart_on_the_classic_path() {
    nodes_forget_and_restart(Path::Classic).await;
}

/// Broken: a node that was away while the others forgot what it lacks never comes back, or differs.
#[tokio::test]
async fn a_node_that_was_away_comes_back_by_snapshot() {
    let mut cluster = start(3, 1, Path::Fast).await;
    let mut client = cluster.client(0).await;
    let session = client.open_session().await;
    add(&mut client, session, 0..5, 10).await;
    cluster.stop_node(2).await;
    add(&mut client, session, 5..100, 1000).await;
    until("the others forget", async || (floor(&cluster.status(0).await) > 60).then_some(())).await;
    cluster.try_start_node(2).unwrap();
    until("it installs a snapshot", async || {
        let status = cluster.status(2).await;
        (status.replica.unwrap().snapshots_installed > 0).then_some(())
    })
    .await;
    add(&mut client, session, 100..110, 1000).await;
    until_alike(&cluster).await;
    let status = cluster.status(2).await;
    assert!(status.snapshots.unwrap().fetched > 0, "{status:?}");
    // It is a full member: with another one down it serves what it was given.
    cluster.stop_node(1).await;
    let mut client = cluster.client(2).await;
    add(&mut client, session, 109..120, 1000).await;
    cluster.shutdown().await;
}

/// Broken: a damaged snapshot ends a node for good, or is taken for a sound one.
#[tokio::test]
async fn a_damaged_snapshot_is_passed_over() {
    let mut cluster = start(3, 1, Path::Fast).await;
    let mut client = cluster.client(0).await;
    let session = client.open_session().await;
    add(&mut client, session, 0..100, 1000).await;
    until("two are kept", async || {
        let snapshots = cluster.status(1).await.snapshots.unwrap();
        (snapshots.kept == 2 && floor(&cluster.status(1).await) > 20).then_some(())
    })
    .await;
    until_alike(&cluster).await;
    cluster.stop_node(1).await;
    let data = cluster.dir.path().join(&cluster.files[1].data_dir).join("snapshots");
    let snapshots: Vec<_> = std::fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none() && !path.ends_with("lock"))
        .collect();
    assert_eq!(snapshots.len(), 2);
    for snapshot in snapshots {
        let mut bytes = std::fs::read(&snapshot).unwrap();
        bytes[100] ^= 1;
        std::fs::write(&snapshot, bytes).unwrap();
    }
    cluster.try_start_node(1).unwrap();
    add(&mut client, session, 100..110, 1000).await;
    until_alike(&cluster).await;
    until("it says that it installed one", async || {
        (cluster.status(1).await.replica.unwrap().snapshots_installed > 0).then_some(())
    })
    .await;
    cluster.shutdown().await;
}

/// Broken: a nearly full disk is filled by clients until the process dies, or the node stops voting,
/// or nobody is told.
#[tokio::test]
async fn with_little_room_clients_are_refused_and_votes_go_on() {
    let mut cluster = prepare(3, 1, Path::Fast);
    // More than any disk has.
    cluster.files[0].journal.reserve_mib = Some(1 << 30);
    for node in 0..3 {
        cluster.try_start_node(node).unwrap();
    }
    until("it is admitted", async || (!cluster.status(0).await.registry.is_asking()).then_some(()))
        .await;
    let mut refused = cluster.client(0).await;
    let outcome = refused.submit(Operation::OpenSession).await;
    assert!(matches!(outcome, Outcome::Overloaded), "{outcome:?}");
    let status = cluster.status(0).await;
    assert!(status.journal.disk_low, "{status:?}");
    assert!(status.not_ready_because.unwrap().contains("under the reserve"));
    // Two of three are needed: it votes.
    until("the others are ready", async || {
        let status = cluster.status(1).await;
        let is_up = status.links.iter().any(|link| link.node == 0 && link.up);
        (status.ready && is_up).then_some(())
    })
    .await;
    cluster.stop_node(2).await;
    let mut client = cluster.client(1).await;
    let session = client.open_session().await;
    add(&mut client, session, 0..60, 1000).await;
    // Snapshots, which are what gives room back, go on.
    until("it writes snapshots", async || {
        let snapshots = cluster.status(0).await.snapshots.unwrap();
        (snapshots.saved > 0).then_some(())
    })
    .await;
    let outcome = refused.submit(Operation::Barrier).await;
    assert!(matches!(outcome, Outcome::Executed(_)), "{outcome:?}");
    until_alike(&cluster).await;
    cluster.shutdown().await;
}
