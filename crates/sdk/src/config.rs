//! What a client has to know: where the nodes are, who it is, how patient it is.

use crate::error::ConnectError;
use crate::limits;
use althing_model::{ClusterId, NodeId};
use althing_transport::{Settings, certs::Tls};
use std::collections::BTreeSet;
use std::time::Duration;

/// A node, as a client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAddress {
    /// Its number: its certificate must say the same.
    pub id: NodeId,
    /// Where it is reached, HOST:PORT (UDP).
    pub address: String,
    /// Where it is; may be empty.
    pub region: String,
}

/// Which node is asked first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Prefer {
    /// The one with the shortest round trip, as measured when connecting.
    #[default]
    Nearest,
    /// The nearest of that region, then the nearest of all.
    Region(String),
    /// This one, then the nearest: for who runs beside a node.
    Node(NodeId),
    /// The first in the list.
    Listed,
}

/// A client's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The nodes that take commands (proposers).
    pub nodes: Vec<NodeAddress>,
    /// The authority's certificate, and the client's own with its key.
    pub tls: Tls,
    /// The cluster that the certificate must be of; whichever it is of, without.
    pub cluster: Option<ClusterId>,
    /// Which node is asked first.
    pub prefer: Prefer,
    /// How long [`crate::Client::connect`] tries before it says that no node can be reached.
    pub connect_timeout: Duration,
    /// How long a node may take to answer before the next is asked too; doubled with each attempt.
    /// Well above the round trip to a quorum, or commands are proposed twice for nothing.
    pub attempt_timeout: Duration,
    /// How long a command may take in all before its outcome is unknown.
    pub timeout: Duration,
    /// The first wait after an overloaded node's answer; randomised, and doubled each time.
    pub back_off: Duration,
    /// See [`limits::IN_FLIGHT_MAX`].
    pub in_flight_max: usize,
    /// QUIC.
    pub transport: Settings,
}

impl Config {
    /// The usual settings: 5 s to connect, 2 s for an attempt, 15 s in all.
    pub fn new(nodes: Vec<NodeAddress>, tls: Tls) -> Self {
        Self {
            nodes,
            tls,
            cluster: None,
            prefer: Prefer::Nearest,
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(2),
            timeout: Duration::from_secs(15),
            back_off: Duration::from_millis(10),
            in_flight_max: limits::IN_FLIGHT_MAX,
            transport: Settings::default(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConnectError> {
        let distinct: BTreeSet<_> = self.nodes.iter().map(|node| node.id).collect();
        let rules = [
            (!self.nodes.is_empty(), "there is no node to connect to".to_owned()),
            (
                self.nodes.len() <= limits::NODES_MAX,
                format!("{} nodes, of at most {}", self.nodes.len(), limits::NODES_MAX),
            ),
            (distinct.len() == self.nodes.len(), "two nodes have one id".to_owned()),
            (self.in_flight_max > 0, "in_flight_max must be at least 1".to_owned()),
            (
                !self.attempt_timeout.is_zero() && self.attempt_timeout <= self.timeout,
                "the time of an attempt must be above zero and at most the time of all".to_owned(),
            ),
        ];
        match rules.into_iter().find(|(kept, _)| !kept) {
            Some((_, rule)) => Err(ConnectError::Config(rule)),
            None => Ok(()),
        }
    }
}
