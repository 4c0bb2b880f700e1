//! voter -> proposer: the fast path.

use althing_model::{DepSet, VertexId};

/// The sender voted in round 0 with these dependencies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PreAccepted {
    /// The vertex.
    pub vertex: VertexId,
    /// The sender's dependencies, those of the request included.
    pub deps: DepSet,
}

/// The anchor committed on the fast path, durably.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Concluded {
    /// The vertex.
    pub vertex: VertexId,
}
