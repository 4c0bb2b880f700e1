//! replica -> client: the end of a read. Where a node has no replica, its proposer says so.

use althing_model::{DepSet, Micros};
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
