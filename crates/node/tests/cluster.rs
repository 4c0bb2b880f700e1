//! Clusters of real nodes in one process: QUIC on loopback, journals in a directory.

mod support;

use althing_model::{Operation, Path, RequestId};
use althing_node::Status;
use althing_wire::{Kind, Message, Outcome, Submit};
use bytes::Bytes;
use support::{Cluster, until};

/// Opens a session, works at every node, retries a request at another, and finds all replicas
/// alike. Returns how many commands were applied, the opening included.
async fn works(cluster: &Cluster) -> u64 {
    let n = cluster.nodes.len();
    let mut clients = Vec::new();
    for node in 0..n {
        clients.push(cluster.client(node).await);
    }
    let session = clients[0].open_session().await;
    let mut sequence = 0;
    for round in 1..=5 {
        for client in &mut clients {
            let added = client.apply(session, sequence, "add shared").await;
            sequence += 1;
            assert_eq!(added, sequence.to_string(), "round {round}");
        }
    }
    let read = clients[1].apply(session, sequence, "get shared").await;
    assert_eq!(read, sequence.to_string());
    // The last addition again, elsewhere: it has its reply and takes no second effect.
    let again = clients[0].apply(session, sequence - 1, "add shared").await;
    assert_eq!(again, sequence.to_string());
    let applied = sequence + 2;
    cluster.until_applied(applied).await;
    applied
}

fn commits(status: &Status) -> althing_node::CommitCounts {
    status.proposer.expect("each node has a proposer").commits
}

/// Broken: three nodes on the fast path do not serve clients.
#[tokio::test]
async fn three_nodes_on_the_fast_path() {
    let cluster = Cluster::start(3, 1, Path::Fast).await;
    works(&cluster).await;
    for node in 0..3 {
        let counts = until("commits are counted", async || {
            let counts = commits(&cluster.status(node).await);
            (counts.fast + counts.slow >= 5).then_some(counts)
        })
        .await;
        assert!(counts.fast >= 1, "never fast: {counts:?}");
        assert_eq!(counts.classic, 0);
    }
    cluster.shutdown().await;
}

/// Broken: three nodes on the classic path do not serve clients.
#[tokio::test]
async fn three_nodes_on_the_classic_path() {
    let cluster = Cluster::start(3, 1, Path::Classic).await;
    works(&cluster).await;
    let counts = until("commits are counted", async || {
        let counts = commits(&cluster.status(1).await);
        (counts.classic >= 5).then_some(counts)
    })
    .await;
    assert_eq!(counts.fast + counts.slow, 0);
    cluster.shutdown().await;
}

/// Broken: five nodes of which two may fail do not serve clients, or not when two are down.
#[tokio::test]
async fn five_nodes_and_two_of_them_down() {
    let mut cluster = Cluster::start(5, 2, Path::Fast).await;
    let applied = works(&cluster).await;
    cluster.stop_node(3).await;
    cluster.stop_node(4).await;
    let mut client = cluster.client(0).await;
    let session = client.open_session().await;
    assert_eq!(client.apply(session, 0, "add other").await, "1");
    cluster.until_applied(applied + 2).await;
    cluster.shutdown().await;
}

/// Broken: a node that was shut down comes back as another, or does not learn what it missed.
async fn restarts(path: Path) {
    let mut cluster = Cluster::start(3, 1, path).await;
    let applied = works(&cluster).await;
    let digest = cluster.until_applied(applied).await;

    // One node misses something.
    cluster.stop_node(2).await;
    let mut client = cluster.client(0).await;
    let session = client.open_session().await;
    assert_eq!(client.apply(session, 0, "add missed").await, "1");
    let changed = cluster.until_applied(applied + 2).await;
    assert_ne!(changed, digest);
    cluster.try_start_node(2).unwrap();
    cluster.until_ready().await;
    assert_eq!(cluster.until_applied(applied + 2).await, changed);

    // All go, and one comes back alone: what it knows is from its journal.
    for node in 0..3 {
        cluster.stop_node(node).await;
    }
    cluster.try_start_node(1).unwrap();
    let status = cluster.status(1).await;
    assert_eq!(status.digest.as_deref(), Some(&changed[..]));
    assert!(status.journal.recovered_records > 0, "{status:?}");
    assert!(!status.ready, "a majority is down: {status:?}");
    let (head, reason) = cluster.page(1, "/health/ready").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(reason.contains("1 "), "{reason}");

    // With the others it goes on where it was: the session and the numbers are still there.
    cluster.try_start_node(0).unwrap();
    cluster.try_start_node(2).unwrap();
    cluster.until_ready().await;
    let mut client = cluster.client(1).await;
    assert_eq!(client.apply(session, 1, "add missed").await, "2");
    assert_eq!(client.apply(session, 0, "add missed").await, "1", "once");
    cluster.until_applied(applied + 3).await;
    cluster.shutdown().await;
}

/// See [`restarts`].
#[tokio::test]
async fn restarts_on_the_fast_path() {
    restarts(Path::Fast).await;
}

/// See [`restarts`].
#[tokio::test]
async fn restarts_on_the_classic_path() {
    restarts(Path::Classic).await;
}

/// Broken: operators see nothing, or something else than what is.
#[tokio::test]
async fn the_pages_tell_what_happens() {
    let cluster = Cluster::start(3, 1, Path::Fast).await;
    works(&cluster).await;
    let (head, body) = cluster.page(0, "/status").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let status: Status = serde_json::from_str(&body).unwrap();
    assert_eq!((status.node, status.f, &status.path[..]), (0, 1, "fast"));
    assert_eq!(status.roles.len(), 4);
    assert!(status.ready && status.journal.syncs > 0, "{status:?}");
    assert!(status.links.iter().all(|link| link.round_trip_ms.is_some()), "{status:?}");
    for link in &status.links {
        let all = link.round_trips.expect("there is one");
        assert!(all.count > 0 && all.min_ms <= all.avg_ms && all.avg_ms <= all.max_ms, "{all:?}");
    }
    for path in ["/health/live", "/health/ready"] {
        let (head, _) = cluster.page(0, path).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
    }
    let names = [
        "althing_proposer_commits_total{path=\"fast\"}",
        "althing_proposer_commit_latency_seconds_bucket{path=\"fast\",le=\"0.005\"}",
        "althing_proposer_inbox_len",
        "althing_voter_inbox_len",
        "althing_voter_ignored_total{reason=\"repeated\"}",
        "althing_replica_executed_total",
        "althing_replica_blocked_age_seconds",
        "althing_replica_component_size_bucket{le=\"1\"}",
        "althing_journal_sync_seconds_count",
        "althing_journal_batch_records_sum",
        "althing_journal_disk_bytes",
        "althing_snapshot_kept",
        "althing_replica_lag_vertices",
        "# HELP althing_journal_sync_seconds ",
    ];
    // Roles publish ten times a second.
    until("every metric is there", async || {
        let (_, page) = cluster.page(0, "/metrics").await;
        names.iter().all(|name| page.contains(name)).then_some(())
    })
    .await;
    cluster.shutdown().await;
}

/// Broken: a client's nonsense does more than cost it its connection.
#[tokio::test]
async fn nonsense_costs_the_connection_and_nothing_else() {
    let cluster = Cluster::start(3, 1, Path::Fast).await;
    let nonsense = [
        (Kind::Submit as u8, "no message"),
        (Kind::Commit as u8, "not for a client to say"),
        (250, "no kind"),
    ];
    for (kind, text) in nonsense {
        let client = cluster.client(0).await;
        let body = Bytes::from_static(text.as_bytes());
        client.connection.send(kind, body).unwrap();
        let closed = tokio::time::timeout(support::PATIENCE, client.connection.closed());
        let reason = closed.await.expect("the node closes it");
        assert!(reason.to_string().contains("refuses"), "{text}: {reason}");
    }
    let mut client = cluster.client(0).await;
    let session = client.open_session().await;
    // What is well formed and no command is told so, and leaves the connection alone.
    let operation = Operation::Apply {
        request: RequestId { session, sequence: 0 },
        acknowledged_below: 0,
        payload: Bytes::from_static(b"multiply it"),
    };
    let outcome = client.submit(operation).await;
    assert!(matches!(outcome, Outcome::Invalid(_)), "{outcome:?}");
    assert_eq!(client.apply(session, 0, "add it").await, "1");
    cluster.shutdown().await;
}

/// Broken: a node of which a role is dead looks alive.
#[tokio::test]
async fn a_role_that_fails_takes_the_node_down() {
    let mut cluster = Cluster::start(3, 1, Path::Fast).await;
    let mut client = cluster.client(0).await;
    let session = client.open_session().await;
    let operation = Operation::Apply {
        request: RequestId { session, sequence: 0 },
        acknowledged_below: 0,
        payload: Bytes::from_static(b"get FAULT"),
    };
    let submit = Message::from(Submit { ticket: 0, operation });
    let sent = client.connection.send(submit.kind() as u8, submit.encode());
    sent.unwrap();
    for node in 0..3 {
        let node = cluster.nodes[node].take().expect("it runs");
        let failed = tokio::time::timeout(support::PATIENCE, node.failed());
        let failed = failed.await.expect("each replica meets the fault");
        assert_eq!(failed.thread, "replica");
        // What the machine said, and which command it was.
        assert!(failed.reason.contains("a planted fault"), "{failed}");
        let request = RequestId { session, sequence: 0 };
        let command = format!("request {request}, command 0 of vertex ");
        assert!(failed.reason.contains(&command), "{failed}");
        assert_eq!(node.status().await.err(), Some(failed.clone()));
        assert_eq!(node.shutdown().await, Err(failed));
    }
}
