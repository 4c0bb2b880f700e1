//! proposer -> voter: the fast path.

use althing_model::{Commands, DepSet, NodeId, VertexId};

/// Vote for `commands` in round 0, with your own dependencies and `base`.
///
/// Sent to the anchor first, whose answer becomes the `base` for the others (Atlas, figure 2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PreAccept {
    /// The vertex, of the sender's own.
    pub vertex: VertexId,
    /// What to execute.
    pub commands: Commands,
    /// To be contained in the answer: for the anchor the proposer's chain (its previous vertex on
    /// each resource, the opening of each session), for the others the anchor's answer.
    pub base: DepSet,
    /// The fast quorum, chosen once for the vertex, ascending.
    pub quorum: Vec<NodeId>,
    /// The voter that alone may conclude the fast path: the one beside the proposer.
    pub anchor: NodeId,
}

/// To the anchor: every member of the fast quorum answered, commit your round-0 commands with these
/// dependencies if you are still in round 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conclude {
    /// The vertex.
    pub vertex: VertexId,
    /// The union of the answers.
    pub deps: DepSet,
}
