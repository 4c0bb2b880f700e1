//! The dependency service: told of a vertex, it answers with every conflicting vertex that it has
//! seen before (`protocol` sections 3 and 5; Whittaker et al., *SoK*, section 4).
//!
//! [`ConflictIndex`] finds conflicts on resources in time independent of history, and says what ranges
//! and predicates cost. [`DependencyNode`] is the role
//! on the classic path; on the fast path a voter keeps the index together with its votes.

mod index;
pub mod limits;
mod node;
mod unrecorded;

pub use index::ConflictIndex;
pub use node::DependencyNode;
