//! What the transport asks of the node above it: whether a frame may come in, and to take it.

use crate::certs::Identity;
use crate::refusal::Refusal;
use althing_model::NodeId;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// Where messages go to and come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerAddress {
    /// A node; it keeps its address across connections.
    Node(NodeId),
    /// One connection of a client, numbered by the endpoint, never used again.
    Client(u64),
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node {}", node.0),
            Self::Client(connection) => write!(f, "client connection {connection}"),
        }
    }
}

/// The other end of one connection.
#[derive(Debug, PartialEq, Eq)]
pub struct PeerHandle {
    /// Who it is, as its certificate proves.
    pub identity: Identity,
    /// Where to send answers.
    pub address: PeerAddress,
    /// The number of the connection; a node that connects anew has the same address and another
    /// number.
    pub connection: u64,
}

/// A message that came in.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// Who sent it: the certificate of the connection, not a claim of the message.
    pub from: Arc<PeerHandle>,
    /// What the body is.
    pub kind: u8,
    /// The message, not decoded.
    pub body: Bytes,
}

/// Decides what may come in. Called on the transport's tasks, so it must not block.
pub trait Gate: Send + Sync + 'static {
    /// Whether that peer may send a frame of that kind and length. It is asked before the body is
    /// read, decoded or given memory; a refusal closes the connection.
    fn admit(&self, from: &Identity, kind: u8, len: u32) -> Result<(), Refusal>;
}

/// Takes what came in. Called on the transport's tasks, so it must not block.
pub trait Inbox: Send + Sync + 'static {
    /// Takes a message, or hands it back when there is no room: the lane that it came on is then
    /// held up until there is, and so, in the end, the peer.
    fn deliver(&self, inbound: Inbound) -> Result<(), Inbound>;

    /// A peer connected; called before its first message. A node's former connection is reported
    /// gone first.
    fn connected(&self, peer: &Arc<PeerHandle>) {
        let _ = peer;
    }

    /// A connection is gone; called after its last message.
    fn disconnected(&self, peer: &Arc<PeerHandle>) {
        let _ = peer;
    }
}
