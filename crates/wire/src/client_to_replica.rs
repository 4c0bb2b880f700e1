//! client -> replica: a read that no vertex carries (`protocol` section 8), and what the client wants to
//! be told of.

use althing_model::{DepSet, Filter};
use bytes::Bytes;

/// A client wants to know something, and to change nothing. It may be asked any number of times.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Read {
    /// Chosen by the client; the answer carries it. It has a meaning within one connection only, and
    /// none beside the tickets of submissions.
    pub ticket: u64,
    /// A command of the state machine that changes nothing.
    pub payload: Bytes,
    /// How new the state has to be.
    pub consistency: Consistency,
}

/// How new a state a read wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Consistency {
    /// Nothing that was answered to anyone, before the read was asked, may be missing.
    Linearizable,
    /// Nothing that the client has seen may be missing: a state in which all of this is executed.
    Session(DepSet),
    /// As it is at the node that is asked.
    Stale,
}

/// A client wants to be told of changes, in the order in which the receiver executes them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Watch {
    /// Chosen by the client, another one each time: what it is told carries it. It has a meaning within
    /// one connection only.
    pub watch: u64,
    /// Which changes.
    pub filter: Filter,
    /// The vertices whose changes it has been told of. Without: from now on.
    pub token: Option<DepSet>,
}

/// A client has taken in what it was told; without this only so much more is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WatchTaken {
    /// Which watch.
    pub watch: u64,
    /// The number of the last message that it took in, and all before.
    pub number: u64,
}

/// A client wants to be told no more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Unwatch {
    /// Which watch.
    pub watch: u64,
}
