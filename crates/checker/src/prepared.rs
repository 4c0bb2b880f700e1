//! Prepared: whoever proposes in a ballot that needs a phase 1 has had one.
//!
//! A quorum of acceptors promised that ballot, or a higher one since, and the promise was on their
//! disks before the proposal left. Asked at every proposal, so that a proposer which counts answers to
//! an earlier attempt is told long before two values are committed.

use crate::Violation;
use rustc_hash::FxHashMap;
use std::fmt::Debug;
use std::hash::Hash;

/// The highest promise on disk, by acceptor, of each vertex.
#[derive(Debug)]
pub struct Prepared<V, B> {
    quorum: usize,
    promised: FxHashMap<V, Vec<(u32, B)>>,
}

impl<V: Copy + Eq + Hash + Debug, B: Copy + Ord + Debug> Prepared<V, B> {
    /// Nothing promised yet; a phase 1 needs `quorum` promises.
    pub fn new(quorum: usize) -> Self {
        Self { quorum, promised: FxHashMap::default() }
    }

    /// The acceptor's promise, or its vote, is on disk.
    pub fn promised(&mut self, acceptor: u32, vertex: V, ballot: B) {
        let promises = self.promised.entry(vertex).or_default();
        match promises.iter_mut().find(|(node, _)| *node == acceptor) {
            Some((_, highest)) => *highest = ballot.max(*highest),
            None => promises.push((acceptor, ballot)),
        }
    }

    /// A value is proposed in a ballot that needs a phase 1.
    pub fn proposed(&self, vertex: V, ballot: B) -> Result<(), Violation> {
        let promises = self.promised.get(&vertex).map_or(&[][..], Vec::as_slice);
        let count = promises.iter().filter(|(_, promised)| *promised >= ballot).count();
        if count >= self.quorum {
            return Ok(());
        }
        let account = format!(
            "{vertex:?} is proposed in {ballot:?} with {count} promises on disk of the {} that it \
             takes: {promises:?}",
            self.quorum
        );
        Err(Violation::new("Prepared", account))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a proposer that counts a promise of its earlier ballot would pass until two values
    /// are committed.
    #[test]
    fn promises_of_lower_ballots_do_not_count() {
        let mut oracle = Prepared::new(2);
        oracle.promised(1, 7, 5);
        oracle.promised(2, 7, 4);
        let told = oracle.proposed(7, 5).unwrap_err().to_string();
        assert!(told.contains("1 promises on disk of the 2"), "{told}");
        assert!(oracle.proposed(8, 1).is_err());
        oracle.promised(2, 7, 6);
        oracle.promised(2, 7, 3);
        oracle.proposed(7, 5).unwrap();
    }
}
