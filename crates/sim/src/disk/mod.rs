//! A node's virtual disk: what was synced survives a crash, and nothing is visible before.
//!
//! Either it keeps records as they are, or it hands them to the journal's own code over a disk in
//! memory, which loses and tears what was not synced, and whose bits can change.

mod journaled;

use althing_wire::{Address, Message, NodeRecord};
use journaled::Journaled;
use rand::{Rng, RngExt};
use std::collections::VecDeque;

/// An append in order: records, and what they make visible.
#[derive(Debug)]
struct Append {
    records: Vec<NodeRecord>,
    then: Vec<(Address, Message)>,
}

/// A disk with group commit: one sync at a time, each for all that was appended before it began.
pub(crate) struct Disk {
    /// What is synced and not trimmed, whatever keeps it.
    synced: Vec<NodeRecord>,
    /// How many records were trimmed before these.
    trimmed: usize,
    waiting: VecDeque<Append>,
    /// How many of the waiting appends the running sync covers.
    syncing: usize,
    journaled: Option<Journaled>,
}

/// What a crash did to what was not synced.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crashed {
    pub(crate) lost: u64,
    pub(crate) survived: u64,
}

/// Why a node cannot start from its disk.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// The journal refused it: damage.
    Refused(String),
    /// It gave other records than were synced, and said nothing.
    Falsified(String),
}

impl Disk {
    pub(crate) fn new(node: u32, has_journal: bool) -> Self {
        Self {
            synced: Vec::new(),
            trimmed: 0,
            waiting: VecDeque::new(),
            syncing: 0,
            journaled: has_journal.then(|| Journaled::new(node)),
        }
    }

    /// Appends; true when a sync is to be begun for it.
    pub(crate) fn append(
        &mut self,
        records: Vec<NodeRecord>,
        then: Vec<(Address, Message)>,
    ) -> bool {
        self.waiting.push_back(Append { records, then });
        self.begin_sync()
    }

    /// The records that the running sync covers.
    pub(crate) fn in_sync(&self) -> impl Iterator<Item = &NodeRecord> {
        self.waiting.iter().take(self.syncing).flat_map(|append| &append.records)
    }

    /// The running sync ended: what it made visible, and whether another begins.
    pub(crate) fn synced(&mut self) -> (Vec<(Address, Message)>, bool) {
        let mut visible = Vec::new();
        let before = self.synced.len();
        for append in self.waiting.drain(..self.syncing) {
            self.synced.extend(append.records);
            match visible.is_empty() {
                // Mostly there is one append, and no list to make.
                true => visible = append.then,
                false => visible.extend(append.then),
            }
        }
        if let Some(journaled) = &mut self.journaled {
            journaled.commit(&self.synced[before..]);
        }
        self.syncing = 0;
        (visible, self.begin_sync())
    }

    /// The node crashed: of what was not synced some may have reached the disk all the same.
    pub(crate) fn crash(&mut self, rng: &mut impl Rng) -> Crashed {
        let unsynced: Vec<NodeRecord> =
            self.waiting.drain(..).flat_map(|append| append.records).collect();
        self.syncing = 0;
        let all = unsynced.len();
        if let Some(journaled) = &mut self.journaled {
            journaled.crash(&unsynced, rng);
            // What survived is seen at the restart.
            return Crashed { lost: all as u64, survived: 0 };
        }
        let kept = if unsynced.is_empty() { 0 } else { rng.random_range(0..=all) };
        self.synced.extend(unsynced.into_iter().take(kept));
        Crashed { lost: (all - kept) as u64, survived: kept as u64 }
    }

    /// What a restart reads, and whether a torn end was cut.
    pub(crate) fn recover(&mut self) -> Result<(&[NodeRecord], bool), Unusable> {
        let mut was_torn = false;
        if let Some(journaled) = &mut self.journaled {
            let (records, trimmed, torn) = journaled.open()?;
            // What was trimmed may come back, as long as its removal was not synced.
            let known = self.trimmed.checked_sub(trimmed).and_then(|back| records.get(back..));
            if known.is_none_or(|known| !known.starts_with(&self.synced)) {
                return Err(Unusable::Falsified(format!(
                    "{} records were synced after {} that were trimmed, and a restart read {} after \
                     {trimmed} that do not hold them",
                    self.synced.len(),
                    self.trimmed,
                    records.len()
                )));
            }
            self.synced = records;
            self.trimmed = trimmed;
            was_torn = torn;
        }
        Ok((&self.synced, was_torn))
    }

    /// The records before that position are not needed any more: some of them go, or all; how many
    /// are gone now.
    pub(crate) fn trim(&mut self, keep: usize, rng: &mut impl Rng) -> usize {
        if keep <= self.trimmed {
            return self.trimmed;
        }
        let gone = match &mut self.journaled {
            Some(journaled) => journaled.trim(keep),
            None if rng.random_bool(0.5) => keep,
            None => rng.random_range(self.trimmed..=keep),
        };
        self.synced.drain(..gone - self.trimmed);
        self.trimmed = gone;
        gone
    }

    /// All is lost, of which so many records were known. The journal's own code has nothing to say
    /// about what comes after.
    pub(crate) fn wipe(&mut self, known: usize) {
        self.trimmed = known;
        self.synced.clear();
        self.waiting.clear();
        self.syncing = 0;
        self.journaled = None;
    }

    /// Whether it holds a record.
    pub(crate) fn has_records(&self) -> bool {
        !self.synced.is_empty()
    }

    /// How many records were trimmed.
    pub(crate) fn trimmed(&self) -> usize {
        self.trimmed
    }

    /// A bit of what was written changes; false when nothing was written, or when the disk has no
    /// journal that could notice.
    pub(crate) fn rot(&mut self, rng: &mut impl Rng) -> bool {
        self.journaled.as_mut().is_some_and(|journaled| journaled.rot(rng))
    }

    /// How many records were synced, those counted that were trimmed.
    pub(crate) fn len(&self) -> usize {
        self.trimmed + self.synced.len()
    }

    /// What was synced after so many records, of which no later one may be trimmed.
    pub(crate) fn since(&self, len: usize) -> &[NodeRecord] {
        &self.synced[len - self.trimmed..]
    }

    fn begin_sync(&mut self) -> bool {
        if self.syncing > 0 || self.waiting.is_empty() {
            return false;
        }
        self.syncing = self.waiting.len();
        true
    }
}
