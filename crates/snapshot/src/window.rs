//! Which parts of a whole were asked for, of whom, and which are still to come.

use std::collections::{BTreeMap, BTreeSet};

use althing_model::NodeId;

use crate::limits::ASKS_MAX;

/// The parts `0..parts`, asked for in order, a few at a time.
#[derive(Debug)]
pub(crate) struct Window {
    parts: u64,
    /// From here on nothing was asked for.
    next: u64,
    /// To be asked for again.
    again: BTreeSet<u64>,
    asked: BTreeMap<u64, Asked>,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    peer: NodeId,
    at: u64,
}

impl Window {
    pub(crate) fn new(parts: u64) -> Self {
        Self { parts, next: 0, again: BTreeSet::new(), asked: BTreeMap::new() }
    }

    /// The next part to ask for, if one may. It counts as come until
    /// [`Window::asked`] says that it was asked for.
    pub(crate) fn take(&mut self) -> Option<u64> {
        if self.asked.len() >= ASKS_MAX {
            return None;
        }
        self.again.pop_first().or_else(|| {
            (self.next < self.parts).then(|| {
                self.next += 1;
                self.next - 1
            })
        })
    }

    pub(crate) fn asked(&mut self, part: u64, peer: NodeId, at: u64) {
        self.asked.insert(part, Asked { peer, at });
    }

    /// Whether the part was asked for and has not come.
    pub(crate) fn awaits(&self, part: u64) -> bool {
        self.asked.contains_key(&part) || self.again.contains(&part)
    }

    /// The part has come.
    pub(crate) fn came(&mut self, part: u64) {
        self.asked.remove(&part);
        self.again.remove(&part);
    }

    /// What came as this part was not it.
    pub(crate) fn ask_again(&mut self, part: u64) {
        self.asked.remove(&part);
        self.again.insert(part);
    }

    /// Gives up what these peers were asked for.
    pub(crate) fn give_up(&mut self, is_given_up: impl Fn(NodeId) -> bool) {
        let again = &mut self.again;
        self.asked.retain(|part, asked| {
            let given_up = is_given_up(asked.peer);
            if given_up {
                again.insert(*part);
            }
            !given_up
        });
    }

    /// Gives up what was asked for too long ago, and says of whom.
    pub(crate) fn expire(&mut self, now: u64, timeout: impl Fn(NodeId) -> u64) -> BTreeSet<NodeId> {
        let mut silent = BTreeSet::new();
        let again = &mut self.again;
        self.asked.retain(|part, asked| {
            let expired = now >= asked.at.saturating_add(timeout(asked.peer));
            if expired {
                silent.insert(asked.peer);
                again.insert(*part);
            }
            !expired
        });
        silent
    }

    /// When the next ask expires.
    pub(crate) fn expires_at(&self, timeout: impl Fn(NodeId) -> u64) -> Option<u64> {
        self.asked.values().map(|asked| asked.at.saturating_add(timeout(asked.peer))).min()
    }

    /// Whether one more may be asked for now.
    pub(crate) fn has_room(&self) -> bool {
        self.asked.len() < ASKS_MAX && (self.next < self.parts || !self.again.is_empty())
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.next == self.parts && self.asked.is_empty() && self.again.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_came_wrong_is_the_next_one() {
        // If this failed, a damaged chunk would hold its place until it expires.
        let mut window = Window::new(20);
        for part in 0..ASKS_MAX as u64 {
            assert_eq!(window.take(), Some(part));
            window.asked(part, NodeId(1), 0);
        }
        assert_eq!((window.take(), window.has_room()), (None, false));
        window.ask_again(3);
        assert!(window.has_room() && window.awaits(3));
        assert_eq!(window.take(), Some(3));
        window.came(5);
        assert!(!window.awaits(5));
    }
}
