//! client -> replica: a read that no vertex carries (`protocol` section 8).

use althing_model::DepSet;
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
