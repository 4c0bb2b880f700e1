//! replica -> replica.

use althing_model::DepSet;

/// What the sender knows to be committed; the receiver answers with what it has beyond that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frontier {
    /// The committed vertices.
    pub committed: DepSet,
}
