//! Nodes that lost what they promised: they come back, and have no vote.

mod support;

use althing_journal::FileDisk;
use althing_model::Path;
use althing_node::{Status, set_journal_aside};
use std::path::PathBuf;
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

fn data(cluster: &Cluster, node: usize) -> PathBuf {
    cluster.dir.path().join(&cluster.files[node].data_dir)
}

/// Opens a session and adds that often.
async fn add(client: &mut Client, count: u64) {
    let session = client.open_session().await;
    for sequence in 0..count {
        client.apply(session, sequence, &format!("add {}", sequence % 8)).await;
    }
}

async fn until_alike(cluster: &Cluster) -> String {
    until("all nodes are alike", async || {
        let mut digests = Vec::new();
        for node in cluster.running() {
            digests.push(node.status().await.unwrap().digest);
        }
        digests.dedup();
        match &digests[..] {
            [digest] => digest.clone(),
            _ => None,
        }
    })
    .await
}

async fn until_lost(cluster: &Cluster, node: usize) -> Status {
    until("it knows that it lost its disk", async || {
        let status = cluster.status(node).await;
        (status.registry.is_lost() && status.ready).then_some(status)
    })
    .await
}

/// Node 0 of three: it takes clients, executes, and has no vote, before and after a restart.
async fn is_a_replica_without_a_vote(mut cluster: Cluster) {
    for restarted in [false, true] {
        if restarted {
            cluster.stop_node(0).await;
            cluster.try_start_node(0).unwrap();
        }
        until_lost(&cluster, 0).await;
        for other in [1, 2] {
            until("the others know", async || {
                (cluster.status(other).await.registry.lost == [0]).then_some(())
            })
            .await;
        }
        // What others commit, and what a client here writes and reads, is the same everywhere.
        add(&mut cluster.client(1).await, 30).await;
        let mut client = cluster.client(0).await;
        let session = client.open_session().await;
        let key = format!("mine-{restarted}");
        assert_eq!(client.apply(session, 0, &format!("add {key}")).await, "1");
        assert_eq!(client.apply(session, 1, &format!("get {key}")).await, "1");
        assert_eq!(client.apply(session, 0, &format!("add {key}")).await, "1", "once");
        until_alike(&cluster).await;
        let status = cluster.status(0).await;
        assert!(status.vertices.is_empty(), "it votes: {status:?}");
        assert!(status.proposer.is_none() && status.registry.is_lost(), "{status:?}");
        // Nobody waits for its voter.
        until("they commit in one round trip", async || {
            let mut commits = 0;
            for other in [1, 2] {
                let path = cluster.status(other).await.proposer.unwrap().commits;
                commits += path.fast + path.classic;
            }
            (commits > 30).then_some(())
        })
        .await;
    }
    // It counts among the f: with one more down nothing is committed, whoever is asked.
    cluster.stop_node(2).await;
    for node in [0, 1] {
        until("it says so", async || {
            let reason = cluster.status(node).await.not_ready_because?;
            reason.starts_with("1 ").then_some(())
        })
        .await;
    }
    cluster.shutdown().await;
}

/// Broken: a node whose disk was replaced votes again where it promised otherwise, or never comes
/// back.
async fn a_wiped_node_comes_back_without_a_vote(path: Path) {
    let mut cluster = start(3, 1, path).await;
    add(&mut cluster.client(0).await, 100).await;
    until("the others forget", async || {
        (cluster.status(1).await.replica.unwrap().floor > 40).then_some(())
    })
    .await;
    cluster.stop_node(0).await;
    std::fs::remove_dir_all(data(&cluster, 0)).unwrap();
    cluster.try_start_node(0).unwrap();
    until_lost(&cluster, 0).await;
    until_alike(&cluster).await;
    until("it says that it installed a snapshot", async || {
        (cluster.status(0).await.replica.unwrap().snapshots_installed > 0).then_some(())
    })
    .await;
    is_a_replica_without_a_vote(cluster).await;
}

/// See [`a_wiped_node_comes_back_without_a_vote`].
#[tokio::test]
async fn a_wiped_node_comes_back_without_a_vote_on_the_fast_path() {
    a_wiped_node_comes_back_without_a_vote(Path::Fast).await;
}

/// See [`a_wiped_node_comes_back_without_a_vote`].
#[tokio::test]
async fn a_wiped_node_comes_back_without_a_vote_on_the_classic_path() {
    a_wiped_node_comes_back_without_a_vote(Path::Classic).await;
}

/// Broken: a journal that is damaged in its midst ends a node for good, or its node votes again.
#[tokio::test]
async fn a_journal_set_aside_is_a_journal_lost() {
    let mut cluster = start(3, 1, Path::Fast).await;
    add(&mut cluster.client(0).await, 50).await;
    let config = cluster.config(0);
    let error = set_journal_aside(&config).expect_err("it runs").to_string();
    assert!(error.contains("in use"), "{error}");
    cluster.stop_node(0).await;
    let (aside, moved) = set_journal_aside(&config).unwrap();
    assert!(moved >= 2, "a superblock and segments: {moved}");
    assert!(althing_journal::verify(&aside).is_err(), "its lock stayed where it was");
    let whole = althing_journal::verify_disk(&FileDisk::new(&config.data_dir));
    assert!(whole.is_err(), "nothing is left of it");
    cluster.files[0].journal.create = false;
    cluster.try_start_node(0).unwrap();
    is_a_replica_without_a_vote(cluster).await;
}

/// Broken: a node that lost its journal alone is asked about by nobody, and votes.
#[tokio::test]
async fn a_node_that_lost_its_journal_alone_says_so_itself() {
    for keeps_registry in [true, false] {
        let mut cluster = start(3, 1, Path::Fast).await;
        add(&mut cluster.client(0).await, 50).await;
        until("it has a snapshot", async || {
            (cluster.status(1).await.snapshots.unwrap().kept > 0).then_some(())
        })
        .await;
        for node in 0..3 {
            cluster.stop_node(node).await;
        }
        for entry in std::fs::read_dir(data(&cluster, 1)).unwrap().map(|it| it.unwrap().path()) {
            if entry.is_file() && !(keeps_registry && entry.ends_with("registry")) {
                std::fs::remove_file(entry).unwrap();
            }
        }
        // There is nobody to ask.
        cluster.try_start_node(1).unwrap();
        assert!(cluster.status(1).await.registry.is_lost());
        cluster.shutdown().await;
    }
}

/// Broken: a cluster does not start, or starts when a lost disk could not be noticed.
#[tokio::test]
async fn a_new_cluster_starts_when_enough_have_answered() {
    let mut cluster = prepare(5, 2, Path::Fast);
    for node in 0..3 {
        cluster.try_start_node(node).unwrap();
    }
    let reason = until("it has asked", async || {
        let status = cluster.status(0).await;
        assert!(!status.ready && status.registry.is_asking(), "{status:?}");
        (status.registry.answered == 2).then_some(status.not_ready_because)
    });
    assert_eq!(reason.await.unwrap(), "admission: 2 of 3 other nodes have answered");
    // One of five is not there yet.
    cluster.try_start_node(3).unwrap();
    cluster.until_ready().await;
    add(&mut cluster.client(0).await, 10).await;
    cluster.try_start_node(4).unwrap();
    cluster.until_ready().await;
    add(&mut cluster.client(4).await, 10).await;
    until_alike(&cluster).await;
    for node in cluster.running() {
        assert_eq!(node.status().await.unwrap().registry.standing, "admitted");
    }
    cluster.shutdown().await;
}

/// Broken: an upgrade takes every node for new, or a damaged registry for none.
#[tokio::test]
async fn a_node_of_before_is_admitted_and_a_damaged_registry_is_named() {
    let mut cluster = start(3, 1, Path::Fast).await;
    add(&mut cluster.client(0).await, 5).await;
    for node in 0..3 {
        cluster.stop_node(node).await;
    }
    let registry = data(&cluster, 0).join("registry");
    std::fs::remove_file(&registry).unwrap();
    cluster.try_start_node(0).unwrap();
    assert_eq!(cluster.status(0).await.registry.standing, "admitted");
    cluster.stop_node(0).await;
    let mut bytes = std::fs::read(&registry).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&registry, bytes).unwrap();
    let error = cluster.try_start_node(0).unwrap_err().to_string();
    assert!(error.contains("registry is damaged") && error.contains("set-aside"), "{error}");
}
