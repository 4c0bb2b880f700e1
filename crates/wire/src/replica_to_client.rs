//! replica -> client: the end of a read, and what was executed, for those who watch. Where a node has no
//! replica, its proposer says so.

use althing_model::{DepSet, Micros, RequestId, VertexId};
use bytes::Bytes;

/// The end of a read, for the client that asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReadAnswer {
    /// The read's ticket.
    pub ticket: u64,
    /// How it ended.
    pub outcome: ReadOutcome,
}

/// How a read ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReadOutcome {
    /// This is the reply.
    Done {
        /// What the state machine says.
        reply: Bytes,
        /// What was executed in the state that was read: whoever has executed it shows nothing older.
        seen: DepSet,
        /// Of a stale read: everything that was answered to anyone longer ago than this is in the
        /// state, in microseconds. Missing where the replica does not know yet, since it has just
        /// begun; and for other reads, whose age is none.
        lag: Option<Micros>,
    },
    /// It is no command of the state machine, or its token cannot be one of this cluster: why.
    Invalid(String),
    /// It cannot be answered without a vertex: submit it as a command, here or elsewhere.
    Command,
    /// Not here, or not now: ask elsewhere.
    Later(ReadDelay),
    /// A majority has never heard of something in the token: it is not of this cluster, or what it
    /// was of is lost.
    TokenUnknown,
}

/// Why a replica could not answer a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadDelay {
    /// It has too many reads in flight.
    Overloaded,
    /// It heard from too few dependency nodes to know what was committed.
    NoQuorum,
    /// It has not executed in time what the read must see.
    Behind,
}

impl ReadDelay {
    /// The reason's name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::NoQuorum => "no_quorum",
            Self::Behind => "behind",
        }
    }
}

/// Changes, in the order in which the sender executed them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Watched {
    /// Which watch.
    pub watch: u64,
    /// The messages of a watch are numbered from 1: one that is missing was lost, and what follows it
    /// is no use.
    pub number: u64,
    /// The changes, those of one vertex together; there may be none.
    pub changes: Vec<Change>,
    /// Whether more changes of the last vertex follow in the next message.
    pub is_cut: bool,
    /// Every vertex that the sender had executed by then, now and then: what lies behind is nothing
    /// that the watcher has not been told of.
    pub token: Option<DepSet>,
}

/// A command that took effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Change {
    /// The vertex that it stands in.
    pub vertex: VertexId,
    /// Which of the vertex's commands it is, from 0.
    pub slot: u32,
    /// Its request, which takes effect once.
    pub request: RequestId,
    /// The command, for whoever knows the state machine.
    pub payload: Bytes,
    /// What the state machine answered.
    pub reply: Bytes,
}

/// A watch is over.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WatchEnded {
    /// Which.
    pub watch: u64,
    /// Why.
    pub why: WatchEnd,
}

/// Why a watch is over at this replica. Another may go on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatchEnd {
    /// This replica has forgotten, or never executed one by one, changes that the token lacks.
    Compacted,
    /// The client took in what it was told so slowly that the rest is forgotten here.
    TooSlow,
    /// This replica has not executed, in time, what the token holds.
    Behind,
    /// Too many watches, of this client or of all.
    TooMany,
}
