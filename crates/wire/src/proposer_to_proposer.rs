//! proposer -> proposer: a command for a better placed one, distances, and a note to itself.

use crate::Outcome;
use althing_model::{DepSet, Micros, NodeId, Operation};

/// A command of one of the sender's clients, for the receiver to propose: it is nearer to the others
/// that contend for what the command touches. The sender answers its client when the replica beside
/// it has executed the command, and proposes it itself where that takes too long.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Forward {
    /// What to execute: a command with a request id.
    pub operation: Operation,
}

/// How far the sender is from the other nodes, as it measured.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Distances {
    /// Round trips in microseconds, ascending by node, at most one each.
    pub round_trips: Vec<(NodeId, Micros)>,
}

/// The reservation of sequence numbers up to `until` (exclusive) is on disk: they may be used. To
/// itself; it never crosses the network.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reserved {
    /// The end of the reservation.
    pub until: u64,
}

/// A submission of one of the sender's clients. The sender lost its disk, so it proposes nothing: the
/// receiver treats it as its own client's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Relay {
    /// Chosen by the sender; the answer carries it.
    pub ticket: u64,
    /// What to execute.
    pub operation: Operation,
}

/// How a relayed submission ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Relayed {
    /// The ticket of the relay.
    pub ticket: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// As in an answer.
    pub seen: DepSet,
}
