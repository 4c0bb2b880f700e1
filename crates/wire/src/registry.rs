//! What a node keeps of incarnations, its own and others'.

use althing_model::NodeId;
use std::collections::BTreeMap;

/// Whether a node may vote and propose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Its journal is new, and it does not know yet whether it had another before.
    Asking,
    /// It never promised anything that is not in its journal.
    Admitted,
    /// Another node knows it from an earlier journal, which is gone: it has forgotten what it promised,
    /// and neither votes nor proposes any more.
    Lost,
}

/// The registry of a node, kept in a file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryState {
    /// The random number that its journal was made with.
    pub incarnation: u64,
    /// Whether it may vote and propose.
    pub standing: Standing,
    /// The first number heard of each other node.
    pub known: BTreeMap<NodeId, u64>,
}
