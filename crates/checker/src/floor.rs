//! FloorHeld (I6): what is forgotten anywhere is held by enough durable snapshots.
//!
//! A node forgets what is below a floor when f + 1 replicas hold all of it in snapshots on disk: then
//! it survives the loss of any f of them. And what a role has forgotten it never writes of again
//! (trap T16): a vertex answered as if fresh could get a second value.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::Violation;

/// In each column, all sequence numbers below this.
pub type Prefixes = BTreeMap<u64, u64>;

/// Whoever prunes, enough replicas hold what is forgotten; and forgotten it stays.
#[derive(Debug)]
pub struct FloorHeld {
    enough: usize,
    held: FxHashMap<u32, Prefixes>,
    /// By node and role.
    floors: FxHashMap<(u32, u8), Floor>,
    pruned: u64,
}

#[derive(Debug, Default)]
struct Floor {
    appended: Prefixes,
    durable: Prefixes,
}

impl FloorHeld {
    /// So many replicas have to hold what is forgotten.
    pub fn new(enough: usize) -> Self {
        let (held, floors) = (FxHashMap::default(), FxHashMap::default());
        Self { enough, held, floors, pruned: 0 }
    }

    /// A snapshot is on disk at the replica, and holds all below this. Also one that is lost later:
    /// that is one of the f losses.
    pub fn saved(&mut self, replica: u32, cut: &Prefixes) {
        join(self.held.entry(replica).or_default(), cut);
    }

    /// A role of a node writes that it forgets what is below the floor.
    ///
    /// # Errors
    /// Not enough replicas hold it.
    pub fn pruned(&mut self, node: u32, role: u8, floor: &Prefixes) -> Result<(), Violation> {
        let holders: Vec<u32> = self
            .held
            .iter()
            .filter(|(_, held)| is_within(floor, held))
            .map(|(replica, _)| *replica)
            .collect();
        if holders.len() < self.enough {
            return Err(violation(format!(
                "node {node} forgets what is below {floor:?}, which snapshots of {holders:?} hold, \
                 and {} are needed; held: {:?}",
                self.enough, self.held
            )));
        }
        self.pruned += 1;
        join(&mut self.floors.entry((node, role)).or_default().appended, floor);
        Ok(())
    }

    /// A replica writes that its own snapshot holds what is below, and is all that it needs.
    ///
    /// # Errors
    /// It has no such snapshot.
    pub fn pruned_own(&self, replica: u32, floor: &Prefixes) -> Result<(), Violation> {
        if self.held.get(&replica).is_some_and(|held| is_within(floor, held)) {
            return Ok(());
        }
        let held = self.held.get(&replica);
        Err(violation(format!(
            "replica {replica} forgets what is below {floor:?}, and its own snapshots hold {held:?}"
        )))
    }

    /// That record is on disk.
    pub fn durable(&mut self, node: u32, role: u8, floor: &Prefixes) {
        join(&mut self.floors.entry((node, role)).or_default().durable, floor);
    }

    /// A role of a node writes of a vertex.
    ///
    /// # Errors
    /// It has forgotten it.
    pub fn written(&self, node: u32, role: u8, (column, seq): (u64, u64)) -> Result<(), Violation> {
        let floor = self.floors.get(&(node, role)).and_then(|it| it.appended.get(&column));
        match floor.is_some_and(|below| seq < *below) {
            false => Ok(()),
            true => Err(Violation::new(
                "PrunedStays",
                format!(
                    "node {node} writes of vertex {seq} of column {column}, and has forgotten all \
                     below {}",
                    floor.expect("compared just now")
                ),
            )),
        }
    }

    /// The node starts again: what was not on disk is undone.
    pub fn restarted(&mut self, node: u32) {
        for ((_, _), floor) in self.floors.iter_mut().filter(|((of, _), _)| *of == node) {
            floor.appended = floor.durable.clone();
        }
    }

    /// How often a role was pruned.
    pub fn count(&self) -> u64 {
        self.pruned
    }
}

fn join(all: &mut Prefixes, other: &Prefixes) {
    for (column, below) in other {
        let known = all.entry(*column).or_default();
        *known = (*known).max(*below);
    }
}

fn is_within(floor: &Prefixes, held: &Prefixes) -> bool {
    floor.iter().all(|(column, below)| held.get(column).is_some_and(|held| below <= held))
}

fn violation(account: String) -> Violation {
    Violation::new("FloorHeld", account)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: what one replica alone holds could be forgotten everywhere, and be lost with it.
    #[test]
    fn what_too_few_hold_is_not_forgotten() {
        let mut oracle = FloorHeld::new(2);
        let (low, high) = (Prefixes::from([(1, 5)]), Prefixes::from([(1, 7), (2, 3)]));
        oracle.saved(1, &high);
        assert!(oracle.pruned(9, 0, &low).unwrap_err().to_string().contains("2 are needed"));
        oracle.saved(2, &low);
        oracle.pruned(9, 0, &low).unwrap();
        assert!(oracle.pruned(9, 0, &high).is_err());
        oracle.pruned_own(1, &high).unwrap();
        assert!(oracle.pruned_own(2, &high).is_err());
    }

    /// Broken: a vertex that was forgotten could be promised and voted in as if it were fresh.
    #[test]
    fn what_is_forgotten_is_not_written_of_again() {
        let mut oracle = FloorHeld::new(1);
        let floor = Prefixes::from([(1, 5)]);
        oracle.saved(1, &floor);
        oracle.written(9, 0, (1, 4)).unwrap();
        oracle.pruned(9, 0, &floor).unwrap();
        assert!(oracle.written(9, 0, (1, 4)).is_err());
        oracle.written(9, 0, (1, 5)).unwrap();
        oracle.written(9, 1, (1, 4)).unwrap();
        // It was not on disk.
        oracle.restarted(9);
        oracle.written(9, 0, (1, 4)).unwrap();
        oracle.pruned(9, 0, &floor).unwrap();
        oracle.durable(9, 0, &floor);
        oracle.restarted(9);
        assert!(oracle.written(9, 0, (1, 4)).is_err());
    }
}
