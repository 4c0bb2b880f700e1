//! The first piece of a snapshot.

use althing_model::{Column, DepSet, SeqSet};
use std::collections::BTreeMap;

/// What a snapshot holds, before the sessions and the state machine's own pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// How many barriers were executed in it: the same number is the same point of the order, at every
    /// replica.
    pub number: u64,
    /// The join of the dependencies of all these barriers, as a prefix in each column: what may be
    /// pruned once enough replicas hold the snapshot.
    pub cut: DepSet,
    /// The vertices executed in it: those that the last barrier reaches, and noops.
    pub executed: BTreeMap<Column, SeqSet>,
}
