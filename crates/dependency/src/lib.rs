//! The dependency service: told of a vertex, it answers with every conflicting vertex that it has
//! seen before (`protocol` sections 3 and 5; Whittaker et al., *SoK*, section 4).
//!
//! [`ConflictIndex`] finds conflicts in time independent of history. [`DependencyNode`] is the role
//! on the classic path; on the fast path a voter keeps the index together with its votes.

mod index;
mod node;
mod unrecorded;

pub use index::ConflictIndex;
pub use node::DependencyNode;
