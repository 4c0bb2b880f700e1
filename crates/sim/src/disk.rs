//! A node's virtual disk: what was synced survives a crash, and nothing is visible before.

use althing_wire::{Address, Message, NodeRecord};
use rand::{Rng, RngExt};
use std::collections::VecDeque;

/// An append in order: records, and what they make visible.
#[derive(Debug)]
struct Append {
    records: Vec<NodeRecord>,
    then: Vec<(Address, Message)>,
}

/// A disk with group commit: one sync at a time, each for all that was appended before it began.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    synced: Vec<NodeRecord>,
    waiting: VecDeque<Append>,
    /// How many of the waiting appends the running sync covers.
    syncing: usize,
}

impl Disk {
    /// Appends; true when a sync is to be begun for it.
    pub(crate) fn append(
        &mut self,
        records: Vec<NodeRecord>,
        then: Vec<(Address, Message)>,
    ) -> bool {
        self.waiting.push_back(Append { records, then });
        self.begin_sync()
    }

    /// The running sync ended: what it made visible, and whether another begins.
    pub(crate) fn synced(&mut self) -> (Vec<(Address, Message)>, bool) {
        let mut visible = Vec::new();
        for append in self.waiting.drain(..self.syncing) {
            self.synced.extend(append.records);
            visible.extend(append.then);
        }
        self.syncing = 0;
        (visible, self.begin_sync())
    }

    /// The node crashed: of what was not synced a prefix may have reached the disk all the same.
    /// Returns how many records were lost.
    pub(crate) fn crash(&mut self, rng: &mut impl Rng) -> u64 {
        let unsynced: Vec<NodeRecord> =
            self.waiting.drain(..).flat_map(|append| append.records).collect();
        self.syncing = 0;
        let kept = if unsynced.is_empty() { 0 } else { rng.random_range(0..=unsynced.len()) };
        let lost = unsynced.len() - kept;
        self.synced.extend(unsynced.into_iter().take(kept));
        lost as u64
    }

    /// What a restart reads.
    pub(crate) fn records(&self) -> &[NodeRecord] {
        &self.synced
    }

    fn begin_sync(&mut self) -> bool {
        if self.syncing > 0 || self.waiting.is_empty() {
            return false;
        }
        self.syncing = self.waiting.len();
        true
    }
}
