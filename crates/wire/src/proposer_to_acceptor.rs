//! proposer -> acceptor: single-decree Paxos per vertex.

use althing_model::{Ballot, Value, VertexId};

/// Phase 1: promise never to vote below `ballot`, and tell your vote. It is durable at its sender
/// before it leaves: a ballot is one attempt, also across a restart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prepare {
    /// The vertex.
    pub vertex: VertexId,
    /// The attempt, of round 2 or higher.
    pub ballot: Ballot,
}

/// Phase 2: vote for `value` in `ballot`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Accept {
    /// The vertex.
    pub vertex: VertexId,
    /// The attempt, of round 1 or higher.
    pub ballot: Ballot,
    /// What to vote for.
    pub value: Value,
}
