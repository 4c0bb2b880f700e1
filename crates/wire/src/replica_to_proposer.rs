//! replica -> proposer.

use althing_model::{DepSet, Micros, NodeId, Reply, RequestId, VertexId};
use bytes::Bytes;

/// To the vertex's own proposer: it was executed here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Executed {
    /// The vertex.
    pub vertex: VertexId,
    /// One reply for each command, in the order of the batch; none if the vertex was committed as
    /// a noop.
    pub replies: Vec<Reply>,
    /// What the replies show beyond what the vertex itself leads to: nothing, unless a command had
    /// taken effect before, in another vertex. Then it is all that was executed here.
    pub seen: DepSet,
}

/// To the proposer beside it: a request of a session that was opened there was executed here, in a
/// vertex of another proposer. It never crosses the network.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Served {
    /// The request.
    pub request: RequestId,
    /// Its reply.
    pub reply: Reply,
    /// A replica that has executed this has all that the reply shows in its state.
    pub seen: DepSet,
}

/// To the proposer beside it: how often commands of each node's clients touched a resource for which
/// they contend. It never crosses the network.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Demand {
    /// The resource.
    pub resource: Bytes,
    /// How long was counted, in microseconds.
    pub window: Micros,
    /// The nodes whose clients touched it in a mode that conflicts with another node's, and how many
    /// commands did; ascending, none where nobody contends any more.
    pub commands: Vec<(NodeId, u64)>,
}

/// This vertex is not committed here, and others wait for it: commit it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recover {
    /// The vertex.
    pub vertex: VertexId,
}

/// To the proposer beside it: propose a barrier, so that replicas cut snapshots. It never crosses the
/// network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BarrierDue;
