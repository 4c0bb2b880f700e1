//! The latest vertices on resources, or on ranges: a table that is looked up in constant time and
//! swept bit by bit.

use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Column, DepSet, Mode, Range, VertexId};
use bytes::Bytes;
use indexmap::IndexMap;
use siphasher::sip::SipHasher13;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// What a table is looked up by.
pub(super) trait Key: Clone + Eq + Ord + Hash {
    /// The same in memory of its own. A slice of a received message would keep the whole message in
    /// memory for ever.
    fn detached(&self) -> Self;
}

impl Key for Bytes {
    fn detached(&self) -> Self {
        Bytes::copy_from_slice(self)
    }
}

impl Key for Range {
    fn detached(&self) -> Self {
        Range::detached(self)
    }
}

/// The latest vertex of a column in a mode on a key: the one with the highest sequence number,
/// whatever came last (trap T17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Latest {
    pub(super) column: Column,
    pub(super) mode: Mode,
    pub(super) seq: u64,
}

/// The latest vertices by key. Its order, which is that of arrival, shows nowhere: keys are looked up,
/// and swept.
///
/// A map by hash and not a tree: a tree of a million keys takes twice the steps of one of a thousand.
/// The hash is SipHash, which spreads names that clients choose; its key is fixed, so that one state
/// is the same bytes everywhere.
#[derive(Debug, Clone)]
pub(super) struct Latests<K: Key> {
    entries: IndexMap<K, Vec<Latest>, BuildHasherDefault<SipHasher13>>,
    /// Entries before this place have still to be looked at by the sweep, which goes backwards: a
    /// removed entry's place is taken by the last, which was looked at before or is new.
    unswept: usize,
}

impl<K: Key> Default for Latests<K> {
    fn default() -> Self {
        Self { entries: IndexMap::default(), unswept: 0 }
    }
}

impl<K: Key> Latests<K> {
    pub(super) fn get(&self, key: &K) -> &[Latest] {
        self.entries.get(key).map_or(&[], Vec::as_slice)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &[Latest])> {
        self.entries.iter().map(|(key, latest)| (key, latest.as_slice()))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Enters a vertex on a key. Returns the key, in memory of its own, if it is new there in this
    /// mode.
    pub(super) fn enter(&mut self, key: &K, mode: Mode, vertex: VertexId) -> Option<&K> {
        let index = match self.entries.get_index_of(key) {
            Some(index) => index,
            None => self.entries.insert_full(key.detached(), Vec::new()).0,
        };
        let (key, latest) = self.entries.get_index_mut(index).expect("it was found, or inserted");
        let is_new = !latest.iter().any(|latest| latest.mode == mode);
        enter(latest, mode, vertex);
        is_new.then_some(key)
    }

    /// Everything is to be looked at anew.
    pub(super) fn begin_sweep(&mut self) {
        self.unswept = self.entries.len();
    }

    pub(super) fn is_swept(&self) -> bool {
        self.unswept == 0
    }

    /// Takes what is below the floor out of memory, looking at as many keys as `budget` says and
    /// taking them off it; `emptied` is told of keys that are gone.
    pub(super) fn sweep(&mut self, floor: &DepSet, budget: &mut usize, mut emptied: impl FnMut(K)) {
        let begun = self.unswept > 0;
        while self.unswept > 0 && *budget > 0 {
            *budget -= 1;
            self.unswept -= 1;
            let at = self.unswept;
            let (_, latest) = self.entries.get_index_mut(at).expect("it is before the end");
            latest.retain(|latest| latest.seq >= floor.prefix(latest.column));
            latest.shrink_to_fit();
            if latest.is_empty() {
                let (key, _) = self.entries.swap_remove_index(at).expect("it was there");
                emptied(key);
            }
        }
        // Only where much is won: it takes time proportional to what is left.
        if begun && self.unswept == 0 && self.entries.capacity() / 4 > self.entries.len() {
            self.entries.shrink_to_fit();
        }
    }
}

fn enter(entries: &mut Vec<Latest>, mode: Mode, vertex: VertexId) {
    let column = vertex.column();
    let is_of_mode = |entry: &Latest| entry.mode == mode || is_planted(Mutant::ModesShareAnEntry);
    match entries.iter_mut().find(|entry| entry.column == column && is_of_mode(entry)) {
        Some(entry) if is_planted(Mutant::LatestByArrival) => entry.seq = vertex.seq,
        Some(entry) if entry.seq > vertex.seq => mark::hit(Mark::EnteredLate),
        Some(entry) => entry.seq = vertex.seq,
        None => entries.push(Latest { column, mode, seq: vertex.seq }),
    }
}

impl<K: Key> PartialEq for Latests<K> {
    fn eq(&self, other: &Self) -> bool {
        self.unswept == other.unswept && self.entries == other.entries
    }
}

impl<K: Key> Eq for Latests<K> {}

/// In the order of the keys, since equal tables may have been filled in different orders.
impl<K: Key> Hash for Latests<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut entries: Vec<_> = self.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        (entries, self.unswept).hash(state);
    }
}
