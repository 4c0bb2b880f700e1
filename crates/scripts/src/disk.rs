//! A node's disk: records in order, and appends that wait for a sync.

use althing_wire::{Address, Message, NodeRecord};
use std::collections::VecDeque;

/// An append: records, and what they make visible.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) records: Vec<NodeRecord>,
    pub(crate) then: Vec<(Address, Message)>,
}

/// A disk. It outlives its node's crashes.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    synced: Vec<NodeRecord>,
    waiting: VecDeque<Append>,
    /// The script says when to sync.
    pub(crate) is_manual: bool,
}

impl Disk {
    pub(crate) fn append(&mut self, append: Append) {
        self.waiting.push_back(append);
    }

    /// Syncs the oldest append; its records, and what they make visible.
    pub(crate) fn sync_one(&mut self) -> Option<Append> {
        let append = self.waiting.pop_front()?;
        self.synced.extend(append.records.iter().cloned());
        Some(append)
    }

    /// Loses what was not synced; how many records that were.
    pub(crate) fn crash(&mut self) -> usize {
        self.waiting.drain(..).map(|append| append.records.len()).sum()
    }

    pub(crate) fn records(&self) -> &[NodeRecord] {
        &self.synced
    }
}
