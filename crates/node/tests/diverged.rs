//! State machines that are not what they must be: what a node does about them.

mod support;

use althing_model::{ModeTable, Operation, Path, Pieces, RequestId, StateMachine, Unrestorable};
use althing_node::{Node, NodeFailed};
use althing_wire::Outcome;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use support::{Cluster, NumbersConflicts, until};

/// Adds up what no command says: of machines on several nodes, as a clock or a random number would be
/// another on each.
struct Unsteady {
    sum: u64,
    step: u64,
}

impl StateMachine for Unsteady {
    fn apply(&mut self, _payload: &[u8]) -> Bytes {
        self.sum += self.step;
        Bytes::from_static(b"done")
    }

    fn digest(&self) -> u64 {
        self.sum
    }

    fn snapshot(&self) -> Pieces {
        let sum = self.sum;
        Box::new(std::iter::once_with(move || Bytes::copy_from_slice(&sum.to_be_bytes())))
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        let piece = pieces.next().ok_or_else(|| Unrestorable("the sum is missing".into()))?;
        let sum = piece[..].try_into().map_err(|_| Unrestorable("no eight bytes".into()))?;
        self.sum = u64::from_be_bytes(sum);
        Ok(())
    }
}

/// Three nodes with a barrier after every twenty vertices, whose machines take these steps.
async fn start(steps: [u64; 3]) -> Cluster {
    let mut cluster = Cluster::prepare(3, 1, Path::Fast);
    for file in &mut cluster.files {
        file.snapshots.barrier_vertices = 20;
        file.snapshots.barrier_least_ms = 50;
    }
    for (node, step) in steps.into_iter().enumerate() {
        let machine = Box::new(Unsteady { sum: 0, step });
        let conflicts = Arc::new(NumbersConflicts(ModeTable::read_write()));
        let started = Node::start(cluster.config(node), machine, conflicts);
        cluster.nodes[node] = Some(started.unwrap());
    }
    cluster.until_ready().await;
    cluster
}

async fn failed(cluster: &Cluster, node: usize, patience: Duration) -> Option<NodeFailed> {
    let node = cluster.nodes[node].as_ref().expect("it was started");
    tokio::time::timeout(patience, node.failed()).await.ok()
}

/// Broken: a state machine that is not deterministic goes on answering from a state that is nobody
/// else's, and nobody hears of it; or takes those down that are right.
#[tokio::test]
async fn a_node_whose_state_is_another_stops_and_says_so() {
    let mut cluster = start([1, 1, 2]).await;
    let mut client = cluster.client(0).await;
    let session = client.open_session().await;
    let mut sequence = 0;
    let failed = loop {
        let operation = Operation::Apply {
            request: RequestId { session, sequence },
            acknowledged_below: sequence,
            payload: Bytes::from_static(b"add it"),
        };
        let outcome = client.submit(operation).await;
        assert!(matches!(outcome, Outcome::Executed(_)), "{outcome:?}");
        sequence += 1;
        if let Some(failed) = failed(&cluster, 2, Duration::ZERO).await {
            break failed;
        }
    };
    assert_eq!(failed.thread, "replica");
    assert!(failed.reason.starts_with("the state here is not that of node "), "{failed}");
    assert!(failed.reason.contains("the state machine is not deterministic"), "{failed}");
    let node = cluster.nodes[2].take().unwrap();
    assert_eq!(node.shutdown().await, Err(failed));
    // The others know that they are right, and go on.
    for node in 0..2 {
        until("the others agree", async || {
            let replica = cluster.status(node).await.replica.expect("each node has one");
            replica.agreed_at
        })
        .await;
    }
    assert_eq!(client.apply(session, sequence, "add it").await, "done");
    cluster.shutdown().await;
}

/// Broken: where every node has another state, one of them goes on answering from its own.
#[tokio::test]
async fn where_no_two_nodes_agree_all_stop() {
    let mut cluster = start([1, 2, 3]).await;
    let mut client = cluster.client(0).await;
    let session = client.open_session().await;
    // No more than it takes until the first barrier: whoever has stopped answers nobody.
    for sequence in 0..19 {
        assert_eq!(client.apply(session, sequence, "add it").await, "done");
    }
    for node in 0..3 {
        let failed = failed(&cluster, node, support::PATIENCE).await.expect("no two agree");
        assert!(failed.reason.starts_with("the state here is not that of node "), "{failed}");
        let node = cluster.nodes[node].take().unwrap();
        assert_eq!(node.shutdown().await, Err(failed));
    }
}
