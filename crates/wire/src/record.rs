//! What roles write to the journal: enough to be the same after a restart.

use crate::Vote;
use althing_model::{Ballot, Commands, DepSet, Value, VertexId};

/// A voter's record: dependency node and acceptor in one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum VoterRecord {
    /// It will not vote below `ballot`.
    Promised {
        /// The vertex.
        vertex: VertexId,
        /// The promise.
        ballot: Ballot,
    },
    /// It voted, and promised the same ballot. A vote of round 0 is a dependency answer too.
    Voted {
        /// The vertex.
        vertex: VertexId,
        /// The vote.
        vote: Vote,
    },
    /// It answered a recovery's dependency round, and promised its ballot.
    Depended {
        /// The vertex.
        vertex: VertexId,
        /// The promise; of round 0, none: a committed vertex is written again, with what it was
        /// entered in the index by.
        ballot: Ballot,
        /// What is to be executed.
        commands: Commands,
        /// The answer.
        deps: DepSet,
    },
    /// It knows the vertex to be committed.
    Committed {
        /// The vertex.
        vertex: VertexId,
        /// The value.
        value: Value,
    },
    /// It forgot what is below `floor`, and from here on writes down again what it keeps.
    Pruned {
        /// A prefix in each column.
        floor: DepSet,
    },
    /// All of an uncommitted vertex, whatever earlier records say of it.
    Kept {
        /// The vertex.
        vertex: VertexId,
        /// The highest ballot promised.
        promised: Ballot,
        /// The vote in the highest ballot voted in, if any. One of round 0 is a dependency answer
        /// too; another answer stands in a [`Self::Depended`] of its own behind this.
        vote: Option<Vote>,
    },
    /// All that it keeps stands after the last [`Self::Pruned`]: what stands before is not needed.
    Rewritten,
}

/// A dependency node's record, on the classic path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DependencyRecord {
    /// It answered.
    Depended {
        /// The vertex.
        vertex: VertexId,
        /// What is to be executed.
        commands: Commands,
        /// The answer.
        deps: DepSet,
    },
    /// It forgot what is below `floor`, and from here on writes down again what it keeps.
    Pruned {
        /// A prefix in each column.
        floor: DepSet,
    },
    /// All that it keeps stands after the last [`Self::Pruned`]: what stands before is not needed.
    Rewritten,
}

/// An acceptor's record, on the classic path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AcceptorRecord {
    /// It will not vote below `ballot`.
    Promised {
        /// The vertex.
        vertex: VertexId,
        /// The promise.
        ballot: Ballot,
    },
    /// It voted, and promised the same ballot.
    Voted {
        /// The vertex.
        vertex: VertexId,
        /// The ballot.
        ballot: Ballot,
        /// The value.
        value: Value,
    },
    /// It forgot what is below `floor`, and from here on writes down again what it keeps.
    Pruned {
        /// A prefix in each column.
        floor: DepSet,
    },
    /// All of a vertex, whatever earlier records say of it.
    Kept {
        /// The vertex.
        vertex: VertexId,
        /// The highest ballot promised.
        promised: Ballot,
        /// The vote in the highest ballot voted in, if any.
        vote: Option<Vote>,
    },
    /// All that it keeps stands after the last [`Self::Pruned`]: what stands before is not needed.
    Rewritten,
}

/// A proposer's record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProposerRecord {
    /// Its own vertices below `until` may be in use; a restart begins there and resolves those from
    /// `resolved` up.
    Reserved {
        /// The end of the reserved sequence numbers.
        until: u64,
        /// All its vertices below this are committed.
        resolved: u64,
    },
    /// It made an attempt with that ballot, and never will again.
    Attempted {
        /// The vertex.
        vertex: VertexId,
        /// The ballot.
        ballot: Ballot,
    },
    /// It forgot what is below `floor`, and from here on writes down again what it keeps.
    Pruned {
        /// A prefix in each column.
        floor: DepSet,
    },
    /// All that it keeps stands after the last [`Self::Pruned`]: what stands before is not needed.
    Rewritten,
}

/// A replica's record; a replica beside a voter writes none, since the voter's say the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReplicaRecord {
    /// It knows the vertex to be committed.
    Committed {
        /// The vertex.
        vertex: VertexId,
        /// Its value.
        value: Value,
    },
    /// It forgot what is below `floor`, and from here on writes down again what it keeps.
    Pruned {
        /// A prefix in each column.
        floor: DepSet,
    },
    /// All that it keeps stands after the last [`Self::Pruned`]: what stands before is not needed.
    Rewritten,
}

/// A record of any role of a node: what one journal holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NodeRecord {
    /// Of its proposer.
    Proposer(ProposerRecord),
    /// Of its dependency node.
    Dependency(DependencyRecord),
    /// Of its acceptor.
    Acceptor(AcceptorRecord),
    /// Of its voter.
    Voter(VoterRecord),
    /// Of its replica.
    Replica(ReplicaRecord),
}

impl NodeRecord {
    /// The vertex that the record is about, if it is about one.
    pub fn vertex(&self) -> Option<VertexId> {
        match self {
            Self::Proposer(ProposerRecord::Attempted { vertex, .. })
            | Self::Dependency(DependencyRecord::Depended { vertex, .. })
            | Self::Acceptor(
                AcceptorRecord::Promised { vertex, .. }
                | AcceptorRecord::Voted { vertex, .. }
                | AcceptorRecord::Kept { vertex, .. },
            )
            | Self::Voter(
                VoterRecord::Promised { vertex, .. }
                | VoterRecord::Voted { vertex, .. }
                | VoterRecord::Depended { vertex, .. }
                | VoterRecord::Committed { vertex, .. }
                | VoterRecord::Kept { vertex, .. },
            )
            | Self::Replica(ReplicaRecord::Committed { vertex, .. }) => Some(*vertex),
            Self::Proposer(
                ProposerRecord::Reserved { .. }
                | ProposerRecord::Pruned { .. }
                | ProposerRecord::Rewritten,
            )
            | Self::Dependency(DependencyRecord::Pruned { .. } | DependencyRecord::Rewritten)
            | Self::Acceptor(AcceptorRecord::Pruned { .. } | AcceptorRecord::Rewritten)
            | Self::Voter(VoterRecord::Pruned { .. } | VoterRecord::Rewritten)
            | Self::Replica(ReplicaRecord::Pruned { .. } | ReplicaRecord::Rewritten) => None,
        }
    }
}

macro_rules! node_record {
    ($($record:ident => $variant:ident),*) => {$(
        impl From<$record> for NodeRecord {
            fn from(record: $record) -> Self {
                Self::$variant(record)
            }
        }
    )*};
}

node_record!(
    ProposerRecord => Proposer,
    DependencyRecord => Dependency,
    AcceptorRecord => Acceptor,
    VoterRecord => Voter,
    ReplicaRecord => Replica
);
