//! dependency node -> proposer (on the fast path: voter, in a recovery).

use althing_model::{Ballot, Commands, DepSet, VertexId};

/// The sender's dependencies for a vertex: the same whenever it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Depended {
    /// The vertex.
    pub vertex: VertexId,
    /// The attempt that asked.
    pub ballot: Ballot,
    /// Every conflicting vertex that the sender had seen, and the base of the first request.
    pub deps: DepSet,
}

/// What the sender holds of a vertex.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Inspected {
    /// The vertex.
    pub vertex: VertexId,
    /// The attempt that asked.
    pub ballot: Ballot,
    /// Its record of the vertex, if it has one.
    pub held: Option<Held>,
}

/// A dependency node's record of a vertex.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Held {
    /// What the vertex's own proposer wants executed.
    pub commands: Commands,
    /// What the sender answered, the proposer's chain included.
    pub deps: DepSet,
}
