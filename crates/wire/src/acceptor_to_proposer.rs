//! acceptor -> proposer.

use althing_model::{Ballot, NodeId, Value, VertexId};

/// The sender will never vote below `ballot` in this vertex.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Promised {
    /// The vertex.
    pub vertex: VertexId,
    /// The promise.
    pub ballot: Ballot,
    /// Its vote in the highest ballot that it voted in, if any.
    pub vote: Option<Vote>,
}

/// A vote, as a recovery learns of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Vote {
    /// The ballot voted in: not the one promised (Sutra, *On the correctness of Egalitarian Paxos*).
    pub ballot: Ballot,
    /// The value voted for.
    pub value: Value,
    /// For a vote of round 0: whose votes the fast path counts.
    pub fast: Option<FastQuorum>,
}

/// Whose round-0 votes the fast path of a vertex counts, and who concludes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FastQuorum {
    /// The members, ascending.
    pub members: Vec<NodeId>,
    /// The voter beside the vertex's own proposer.
    pub anchor: NodeId,
}

/// The sender voted in that ballot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Accepted {
    /// The vertex.
    pub vertex: VertexId,
    /// The ballot.
    pub ballot: Ballot,
}

/// The sender has promised a higher ballot than the one asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refused {
    /// The vertex.
    pub vertex: VertexId,
    /// The ballot asked for.
    pub ballot: Ballot,
    /// The ballot promised.
    pub promised: Ballot,
}

/// The vertex is committed: there is nothing left to ask for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chosen {
    /// The vertex.
    pub vertex: VertexId,
    /// Its value.
    pub value: Value,
}

/// The vertex is below the sender's floor: it is committed, executed and held in snapshots, and the
/// sender has forgotten it. Nothing may be proposed in it (trap T16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pruned {
    /// The vertex.
    pub vertex: VertexId,
}
