//! What a traced run tells: one event at a time, in order.

use crate::Fault;
use althing_model::{Micros, NodeId, VertexId};
use althing_wire::{Address, Kind, Message};
use rustc_hash::FxHasher;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceEvent {
    /// When, in virtual microseconds.
    pub at: Micros,
    /// What.
    pub what: Traced,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Traced {
    /// A message left a node, or a client.
    Sent {
        /// The message's name in this run.
        name: MessageName,
        /// From whom.
        from: Address,
        /// To which node.
        to: NodeId,
        /// Its kind.
        kind: Kind,
        /// What it is about.
        vertex: Option<VertexId>,
        /// How many copies arrive.
        copies: usize,
    },
    /// A message was handled.
    Delivered {
        /// The message's name in this run.
        name: MessageName,
        /// From whom; a client by its number.
        from: Address,
        /// The node.
        to: NodeId,
        /// The message.
        message: Box<Message>,
        /// Why the role did nothing, if so.
        ignored: Option<&'static str>,
    },
    /// A client was answered.
    Answered {
        /// The client.
        client: usize,
        /// The node that answered.
        from: NodeId,
        /// The answer, in words.
        answer: String,
    },
    /// A client asks for something new.
    Invoked {
        /// The client.
        client: usize,
        /// The how many-th of its operations, from 1.
        nth: usize,
        /// What it touches, in words.
        footprint: String,
    },
    /// Records are on disk.
    Synced {
        /// The node.
        node: NodeId,
        /// How many.
        records: usize,
    },
    /// A replica executed a vertex.
    Executed {
        /// The node.
        node: NodeId,
        /// The vertex.
        vertex: VertexId,
    },
    /// Something became of a snapshot of a node.
    Snapshot {
        /// The node.
        node: NodeId,
        /// How many barriers are executed in it.
        number: u64,
        /// What.
        what: &'static str,
    },
    /// A node runs from now on.
    Started(NodeId),
    /// A node does not run any more.
    Stopped(NodeId),
    /// Something went wrong, or ended.
    Fault(Fault),
    /// All faults end.
    Healed,
}

/// A message's name: the same in every run in which the same was sent as often before. Local
/// messages, between the roles of a node, have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageName(pub u64);

impl MessageName {
    /// No name: the message cannot be lost.
    pub const LOCAL: Self = Self(0);

    pub(crate) fn of(about: impl Hash, occurrence: u32) -> Self {
        let mut hasher = FxHasher::default();
        (about, occurrence).hash(&mut hasher);
        Self(hasher.finish() | 1)
    }
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>12.3} ms  ", self.at as f64 / 1000.0)?;
        match &self.what {
            Traced::Sent { from, to, kind, vertex, copies, .. } => {
                write!(f, "{} -> {to}  {} ", address(*from), kind.name())?;
                match vertex {
                    Some(vertex) => write!(f, "{vertex} leaves")?,
                    None => f.write_str("leaves")?,
                }
                match copies {
                    0 => f.write_str(" and is lost"),
                    1 => Ok(()),
                    copies => write!(f, ", {copies} copies"),
                }
            }
            Traced::Delivered { from, to, message, ignored, .. } => {
                write!(f, "{} -> {to}  {message:?}", address(*from))?;
                ignored.map_or(Ok(()), |why| write!(f, "  ignored: {why}"))
            }
            Traced::Answered { client, from, answer } => {
                write!(f, "{from} -> client {client}  {answer}")
            }
            Traced::Invoked { client, footprint, .. } => {
                write!(f, "client {client} asks: {footprint}")
            }
            Traced::Synced { node, records } => write!(f, "{node} synced {records} records"),
            Traced::Executed { node, vertex } => write!(f, "{node} executed {vertex}"),
            Traced::Snapshot { node, number, what } => write!(f, "{node} snapshot {number} {what}"),
            Traced::Started(node) => write!(f, "{node} starts"),
            Traced::Stopped(node) => write!(f, "{node} stops"),
            Traced::Fault(fault) => write!(f, "{fault:?}"),
            Traced::Healed => f.write_str("all faults end"),
        }
    }
}

fn address(of: Address) -> String {
    match of {
        Address::Node(node) => node.to_string(),
        Address::Client(client) => format!("client {}", client.0),
    }
}
