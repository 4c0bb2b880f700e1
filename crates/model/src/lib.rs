//! The nouns of Althing.
mod id;
pub use id::*;
/// Placeholder until the dependency sets are written.
#[derive(Debug)]
pub struct DepSet;
