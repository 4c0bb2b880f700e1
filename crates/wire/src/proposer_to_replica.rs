//! proposer -> replica (by way of its voter, where it has one), and replica -> replica.

use althing_model::{Value, VertexId};

/// A vertex is committed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Commit {
    /// The vertex.
    pub vertex: VertexId,
    /// Its value.
    pub value: Value,
}
