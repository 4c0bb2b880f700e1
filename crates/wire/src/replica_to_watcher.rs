//! replica -> client that watches: what was executed.

use althing_model::{DepSet, RequestId, VertexId};
use bytes::Bytes;

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
