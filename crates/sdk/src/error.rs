//! What can go wrong, told apart by what the caller can do about it.

use althing_client::Failure;
use althing_model::{ClusterId, NodeId};
use std::fmt;

/// A command did not end well. There is no third way: either it is sure that it had no effect, or
/// nothing is sure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It had no effect, and never will: it may be sent again as a new command.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// Nobody answered in time: it may have taken effect, may yet do so once, or may never. Read
    /// the state before you send it again.
    #[error("the outcome is unknown: it may have taken effect, may yet, or may never")]
    Unknown,
}

/// A client cannot be connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The configuration does not make sense.
    #[error("the client's configuration: {0}")]
    Config(String),
    /// Certificates, or the socket.
    #[error(transparent)]
    Transport(#[from] althing_transport::Error),
    /// The certificate is of another cluster than the configuration.
    #[error("the certificate belongs to cluster {found}, the nodes to cluster {expected}")]
    AnotherCluster {
        /// The certificate's.
        found: ClusterId,
        /// The configuration's.
        expected: ClusterId,
    },
    /// No node lets this client in.
    #[error("no node can be reached:{}", Listed(.problems))]
    NoNode {
        /// What is known of each.
        problems: Vec<NodeProblem>,
    },
}

/// Why a node is not connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeProblem {
    /// The node.
    pub node: NodeId,
    /// Why.
    pub reason: String,
}

struct Listed<'a>(&'a [NodeProblem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "\n  node {}: {}", problem.node.0, problem.reason))
    }
}
