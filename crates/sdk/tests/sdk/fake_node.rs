//! Nodes that do as a test tells them: real endpoints, no protocol behind them.

use althing_model::{
    ClusterId, ConflictsId, Epoch, NodeId, Operation, Reply, Role, SessionId, VertexId,
};
use althing_sdk::{Config, NodeAddress};
use althing_transport::certs::{ClusterAuthority, Identity, Tls};
use althing_transport::{Endpoint, Gate, Inbound, Inbox, PeerAddress, Refusal, Settings};
use althing_wire::{Answer, Kind, Message, Outcome, Submit};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

pub(crate) const CLUSTER: ClusterId = ClusterId([7; 16]);

/// Long enough for a machine that builds something else at the same time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The certificates of three nodes and a client.
pub(crate) struct World {
    pub(crate) dir: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = ClusterAuthority::create(CLUSTER).unwrap();
        authority.write(dir.path(), false).unwrap();
        for id in 0..3 {
            let issued = authority.issue_node(NodeId(id), &Role::ALL).unwrap();
            issued.write(dir.path(), false).unwrap();
        }
        authority.issue_client("tester").unwrap().write(dir.path(), false).unwrap();
        Self { dir }
    }

    pub(crate) fn tls(&self) -> Tls {
        Tls::of_client(self.dir.path(), "tester")
    }

    /// Starts node `id` at any port.
    pub(crate) fn node(&self, id: u32) -> FakeNode {
        self.node_at(id, "127.0.0.1:0".parse().unwrap())
    }

    pub(crate) fn node_at(&self, id: u32, listen: SocketAddr) -> FakeNode {
        let (sender, submissions) = mpsc::unbounded_channel();
        let config = althing_transport::Config {
            listen,
            tls: Tls::of_node(self.dir.path(), NodeId(id)),
            cluster: CLUSTER,
            conflicts: ConflictsId::NONE,
            me: NodeId(id),
            peers: Vec::new(),
            settings: Settings::default(),
        };
        let endpoint = Endpoint::bind(config, Arc::new(AnyGate), Arc::new(Queue(sender))).unwrap();
        FakeNode { id: NodeId(id), endpoint, submissions }
    }

    /// A client's configuration: the nodes in this order, and patience beyond any test's, so that
    /// what ends early ends for another reason.
    pub(crate) fn config(&self, nodes: &[&FakeNode]) -> Config {
        let nodes = nodes.iter().map(|node| node.address()).collect();
        let mut config = Config::new(nodes, self.tls());
        config.prefer = althing_sdk::Prefer::Listed;
        config.connect_timeout = PATIENCE;
        config.attempt_timeout = PATIENCE;
        config.timeout = PATIENCE * 2;
        config
    }
}

struct AnyGate;

impl Gate for AnyGate {
    fn admit(&self, _: &Identity, _: u8, _: u32) -> Result<(), Refusal> {
        Ok(())
    }
}

struct Queue(mpsc::UnboundedSender<Inbound>);

impl Inbox for Queue {
    fn deliver(&self, inbound: Inbound) -> Result<(), Inbound> {
        self.0.send(inbound).map_err(|error| error.0)
    }
}

/// A node: the test reads what is submitted to it, and answers.
pub(crate) struct FakeNode {
    pub(crate) id: NodeId,
    pub(crate) endpoint: Endpoint,
    submissions: mpsc::UnboundedReceiver<Inbound>,
}

impl FakeNode {
    pub(crate) fn address(&self) -> NodeAddress {
        NodeAddress {
            id: self.id,
            address: self.endpoint.local_address().to_string(),
            region: format!("region-{}", self.id.0),
        }
    }

    /// The next submission, and whom to answer.
    pub(crate) async fn submission(&mut self) -> (PeerAddress, Submit) {
        let inbound = timeout(PATIENCE, self.submissions.recv());
        let inbound = inbound.await.expect("something is submitted in time").expect("it runs");
        let kind = Kind::from_number(inbound.kind).expect("a client sends messages");
        match Message::decode(kind, inbound.body).expect("a client sends messages") {
            Message::Submit(submit) => (inbound.from.address, submit),
            other => panic!("not a submission: {other:?}"),
        }
    }

    pub(crate) fn answer(&self, to: PeerAddress, ticket: u64, outcome: Outcome) {
        let message =
            Message::from(Answer { ticket, outcome, seen: althing_model::DepSet::default() });
        self.endpoint.send(to, message.kind() as u8, 0, message.encode()).unwrap();
    }

    /// Answers the opening of a session.
    pub(crate) async fn open_session(&mut self) {
        let (to, submit) = self.submission().await;
        assert_eq!(submit.operation, Operation::OpenSession);
        let opened = VertexId { epoch: Epoch(0), proposer: self.id, seq: 0 };
        let session = SessionId { opened, slot: 0 };
        self.answer(to, submit.ticket, Outcome::Executed(Reply::Opened(session)));
    }

    /// Answers a command with the name of this node and the command's payload.
    pub(crate) async fn echo(&mut self) {
        let (to, submit) = self.submission().await;
        let Operation::Apply { payload, .. } = submit.operation else {
            panic!("not a command: {submit:?}");
        };
        let reply = [self.id.to_string().as_bytes(), b":", &payload].concat();
        self.answer(to, submit.ticket, Outcome::Executed(Reply::Applied(reply.into())));
    }

    /// Opens sessions and echoes commands for ever.
    pub(crate) async fn serve(mut self) {
        loop {
            let (to, submit) = self.submission().await;
            let reply = match submit.operation {
                Operation::OpenSession => {
                    let opened = VertexId { epoch: Epoch(0), proposer: self.id, seq: 0 };
                    Reply::Opened(SessionId { opened, slot: 0 })
                }
                Operation::Apply { payload, .. } => Reply::Applied(payload),
                Operation::CloseSessions(_) => Reply::Closed,
                Operation::Barrier => Reply::Passed,
            };
            self.answer(to, submit.ticket, Outcome::Executed(reply));
        }
    }
}
