//! voter -> the replica on its own node.

use althing_model::{Value, VertexId};

/// A vertex is committed, and the voter has it on disk: the replica need not record it again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Learned {
    /// The vertex.
    pub vertex: VertexId,
    /// Its value.
    pub value: Value,
}
