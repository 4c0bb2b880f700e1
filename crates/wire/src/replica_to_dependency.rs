//! replica -> dependency node or voter, and back: dependencies that are not recorded.

use althing_model::{DepSet, Mode};
use bytes::Bytes;

/// Which dependencies would a command have that touches this? Nothing is recorded, so later commands
/// do not depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReadDepend {
    /// Chosen by the sender, unlike any of its earlier lives'; the answer carries it.
    pub read: u64,
    /// What it touches.
    pub scope: ReadScope,
}

/// What a read touches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReadScope {
    /// One resource, in that mode.
    Resource(Bytes, Mode),
    /// The whole state.
    Everything,
}

/// The sender's dependencies for a read. It promises nothing: what the sender has entered in its
/// index and not on disk yet is named too, and need not be.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReadDepended {
    /// Which read.
    pub read: u64,
    /// Every conflicting vertex that the sender has entered, as compact as the chain rules allow, and
    /// its floor (invariant I6).
    pub deps: DepSet,
}
