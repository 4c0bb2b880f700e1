//! replica -> proposer.

use althing_model::{Reply, VertexId};

/// To the vertex's own proposer: it was executed here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Executed {
    /// The vertex.
    pub vertex: VertexId,
    /// One reply for each command, in the order of the batch; none if the vertex was committed as
    /// a noop.
    pub replies: Vec<Reply>,
}

/// This vertex is not committed here, and others wait for it: commit it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recover {
    /// The vertex.
    pub vertex: VertexId,
}
