//! replica -> acceptor, dependency node, voter and proposer: what they may forget.
//!
//! One message for each role, since a node may have several and a message goes to one.

use althing_model::DepSet;

/// The vertices below `floor` are in durable snapshots of f + 1 replicas (`protocol` section 5):
/// forget their promises and votes, and say so to whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PruneAcceptor {
    /// A prefix in each column.
    pub floor: DepSet,
}

/// The same to a dependency node: forget them in the index, and name the floor in every answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PruneDependency {
    /// A prefix in each column.
    pub floor: DepSet,
}

/// The same to a proposer: they are committed and executed, whatever it knows of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PruneProposer {
    /// A prefix in each column.
    pub floor: DepSet,
}
