//! The roles of one node: which it has, how they are made from what its journal holds, and which of
//! them a message goes to.
//!
//! The node runs them on a thread each; the simulator, the golden scripts and the exhaustive models
//! drive them through [`Roles`]. All make them with [`Recovery`], so that a restart is the same
//! everywhere.

mod recovery;
mod registry;
mod roles;
mod trim;

pub use recovery::{Config, Recovery, RoleMissing};
pub use registry::{JournalFound, Registry, RegistryEffect};
pub use roles::{NodeEffect, Roles};
pub use trim::Trim;
