//! One client's watch, and how far it has been told.

use super::feed::Feed;
use super::limits;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{DepSet, Filter, Micros, VertexId};
use althing_wire::limits::{CHANGES_MAX, WATCHED_LEN_MAX};
use althing_wire::{Change, WatchEnd};
use std::collections::VecDeque;

/// A watch.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) filter: Filter,
    pub(crate) phase: Phase,
    /// What its client has been told of elsewhere, or before; empty once all of it lies behind.
    pub(crate) token: DepSet,
    /// The next position, and the next of its vertex's commands.
    pub(crate) next: (u64, usize),
    /// While it is live: the positions that it has yet to be told of.
    pending: VecDeque<u64>,
    /// The number of the last message, and the lengths of those that were not taken yet.
    pub(crate) number: u64,
    untaken: VecDeque<usize>,
    untaken_bytes: usize,
    /// When it was told a token last, at which position that was, and how many changes since; none
    /// before the first.
    pub(crate) token_told: Option<(Micros, u64)>,
    pub(crate) changes_since: usize,
}

/// What a watch is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is to be told a token first: from where on it is told changes.
    Starting,
    /// Its token holds this vertex, which is not executed here yet; so long it waits at most.
    Waiting { missing: VertexId, until: Micros },
    /// It goes through the feed.
    Behind,
    /// It is at the feed's end: what concerns it is put into `pending`.
    Live,
}

/// What a call of [`Subscription::collect`] found.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) changes: Vec<Change>,
    pub(crate) bytes: usize,
    /// The last vertex has more.
    pub(crate) is_cut: bool,
}

impl Subscription {
    pub(crate) fn new(filter: Filter, token: DepSet, phase: Phase, position: u64) -> Self {
        Self {
            filter,
            phase,
            token,
            next: (position, 0),
            pending: VecDeque::new(),
            number: 0,
            untaken: VecDeque::new(),
            untaken_bytes: 0,
            token_told: None,
            changes_since: 0,
        }
    }

    /// Whether its client may be told more before it takes in what it was told.
    pub(crate) fn has_room(&self, untaken_len_max: usize) -> bool {
        self.untaken.len() < untaken_len_max && self.untaken_bytes < limits::UNTAKEN_BYTES_MAX
    }

    /// Whether it has been told all that was executed.
    pub(crate) fn is_up_to_date(&self) -> bool {
        matches!(self.phase, Phase::Live | Phase::Starting) && self.pending.is_empty()
    }

    /// Notes a vertex that concerns it; one with too many falls behind, and is told from the feed.
    pub(crate) fn note(&mut self, position: u64, pending_len_max: usize) {
        if self.pending.back() != Some(&position) {
            self.pending.push_back(position);
        }
        if self.pending.len() > pending_len_max {
            mark::hit(Mark::WatchFellBehind);
            self.phase = Phase::Behind;
            self.next_pending();
            self.pending.clear();
        }
    }

    /// Whether something that it has not been told of is forgotten.
    pub(crate) fn is_overtaken(&self, feed: &Feed) -> bool {
        let next = match self.phase {
            Phase::Starting | Phase::Waiting { .. } => None,
            Phase::Behind => Some(self.next.0),
            Phase::Live => self.pending.front().copied(),
        };
        next.is_some_and(|position| position < feed.first())
    }

    /// A message of that length was sent.
    pub(crate) fn sent(&mut self, bytes: usize) -> u64 {
        self.number += 1;
        self.untaken.push_back(bytes);
        self.untaken_bytes += bytes;
        self.number
    }

    /// Its client has taken in the messages up to that number.
    pub(crate) fn taken(&mut self, number: u64) {
        while self.number - (self.untaken.len() as u64) < number {
            let Some(bytes) = self.untaken.pop_front() else { return };
            self.untaken_bytes -= bytes;
        }
    }

    /// Takes the next changes for one message, looking at `budget` positions at most. Whether some
    /// that it has not been told of are forgotten is an error.
    pub(crate) fn collect(
        &mut self,
        feed: &Feed,
        budget: &mut usize,
    ) -> Result<Collected, WatchEnd> {
        let mut collected = Collected::default();
        while *budget > 0 && !collected.is_cut {
            self.next_pending();
            if self.is_up_to_date() {
                self.next = (feed.end(), 0);
                return Ok(collected);
            }
            if self.next.0 < feed.first() {
                return Err(WatchEnd::TooSlow);
            }
            if self.phase == Phase::Behind && self.next.0 == feed.end() {
                self.phase = Phase::Live;
                self.token = DepSet::default();
                continue;
            }
            *budget -= 1;
            self.collect_one(feed, &mut collected);
            if !collected.is_cut {
                self.pending.pop_front();
                self.next = (self.next.0 + 1, 0);
            }
            if collected.bytes >= WATCHED_LEN_MAX {
                break;
            }
        }
        Ok(collected)
    }

    /// Goes to the next position that concerns it, if it knows of one; it may be in the middle of that.
    fn next_pending(&mut self) {
        if let Some(position) = self.pending.front()
            && *position != self.next.0
        {
            self.next = (*position, 0);
        }
    }

    /// Takes the changes of the next vertex, as many as there is room for.
    fn collect_one(&mut self, feed: &Feed, collected: &mut Collected) {
        let (position, from) = self.next;
        let kept = feed.get(position).expect("it lies within the feed");
        let is_told = match is_planted(Mutant::ExtrasOfATokenIgnored) {
            true => self.token.prefixes().contains(kept.vertex),
            false => self.token.contains(kept.vertex),
        };
        if is_told && !is_planted(Mutant::WatchedAgainAtAMove) {
            return;
        }
        for (slot, footprint, change) in kept.changes(from) {
            if !self.filter.matches(footprint) {
                continue;
            }
            // Elsewhere it took effect in a vertex of the token, before this one.
            if feed.is_repeated_in(change.request, &self.token) {
                mark::hit(Mark::WatchedRepeatPassed);
                continue;
            }
            if collected.bytes >= WATCHED_LEN_MAX || collected.changes.len() >= CHANGES_MAX {
                collected.is_cut = true;
                self.next = (position, slot);
                return;
            }
            collected.bytes += change.payload.len() + change.reply.len() + limits::CHANGE_LEN;
            collected.changes.push(change);
        }
    }
}
