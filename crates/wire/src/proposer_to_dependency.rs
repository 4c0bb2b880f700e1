//! proposer -> dependency node (on the fast path: voter, in a recovery).

use althing_model::{Ballot, Commands, DepSet, VertexId};

/// Compute, record and answer the dependencies of `commands` in `vertex`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Depend {
    /// The vertex.
    pub vertex: VertexId,
    /// The attempt that this dependency round is part of. For a voter it is a promise.
    pub ballot: Ballot,
    /// What to execute.
    pub commands: Commands,
    /// To be contained in the answer: the proposer's chain, and in a recovery all answers known.
    pub base: DepSet,
}

/// Do you hold the commands of this vertex? Asked by a recovery on the classic path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Inspect {
    /// The vertex.
    pub vertex: VertexId,
    /// The attempt that asks.
    pub ballot: Ballot,
}
