//! What a message says that its sender must have on disk.

use althing_model::{Ballot, NodeId, Path, VertexId};
use althing_wire::Message;

/// What a record states and a message repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fact {
    /// A promise of the ballot.
    Promised(VertexId, Ballot),
    /// A vote in it.
    Voted(VertexId, Ballot),
    /// A dependency node's answer.
    Depended(VertexId),
    /// The commit.
    Committed(VertexId),
    /// An attempt to recover the vertex, in that ballot: once.
    Attempted(VertexId, Ballot),
    /// The vertex may be in use.
    Reserved(VertexId),
}

impl Fact {
    /// What the message says that its sender must have on disk.
    pub(crate) fn told_by(node: NodeId, path: Path, message: &Message) -> Option<Self> {
        Some(match message {
            Message::PreAccept(m) => Self::Reserved(m.vertex),
            Message::Depend(m) if m.vertex.proposer == node && m.ballot.round < 2 => {
                Self::Reserved(m.vertex)
            }
            Message::PreAccepted(m) => Self::Voted(m.vertex, Ballot::fast(m.vertex)),
            Message::Accepted(m) => Self::Voted(m.vertex, m.ballot),
            Message::Promised(m) => Self::Promised(m.vertex, m.ballot),
            // A voter's answer is a promise as well.
            Message::Depended(m) if path == Path::Fast => Self::Promised(m.vertex, m.ballot),
            Message::Depended(m) => Self::Depended(m.vertex),
            Message::Prepare(m) => Self::Attempted(m.vertex, m.ballot),
            Message::Concluded(m) => Self::Committed(m.vertex),
            Message::Learned(m) => Self::Committed(m.vertex),
            Message::Executed(m) => Self::Committed(m.vertex),
            _ => return None,
        })
    }
}
