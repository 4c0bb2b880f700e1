//! A node's disk: records in order, appends that wait for a sync, and the newest snapshot.

use crate::snapshots::Saved;
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
    /// So many were before them, and are trimmed away.
    trimmed: usize,
    waiting: VecDeque<Append>,
    /// The script says when to sync.
    pub(crate) is_manual: bool,
    /// An older one is of no use in a story.
    pub(crate) saved: Option<Saved>,
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

    /// Lets go of what is before that position; how many records that was.
    pub(crate) fn trim(&mut self, keep: u64) -> usize {
        let gone = (keep as usize).saturating_sub(self.trimmed);
        self.synced.drain(..gone);
        self.trimmed += gone;
        gone
    }

    /// Where the next record comes to lie.
    pub(crate) fn end(&self) -> u64 {
        (self.trimmed + self.synced.len()) as u64
    }

    /// What is there, each with its position.
    pub(crate) fn records(&self) -> impl Iterator<Item = (u64, &NodeRecord)> {
        (self.trimmed as u64..).zip(&self.synced)
    }
}
