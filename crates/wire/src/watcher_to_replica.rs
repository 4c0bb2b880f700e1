//! client that watches -> replica: what it wants to be told of.

use althing_model::{DepSet, Filter};

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
