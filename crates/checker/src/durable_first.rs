//! DurableFirst (I5): what a node tells others is on its disk first.
//!
//! A promise, a vote, an answer, an attempt that leaves a node before it is synced is forgotten in a
//! crash at the wrong moment, and only then does harm. This asks at the moment at which it leaves,
//! whether a crash follows or not.
//!
//! What there is to tell is the caller's: any *fact* that a record states and a message repeats. Some
//! facts are stated once at most: a ballot is one attempt, whatever crash lies between (trap T14).

use std::fmt::Debug;
use std::hash::Hash;

use rustc_hash::FxHashSet;

use crate::Violation;

/// No message states a fact that its sender has no synced record of.
#[derive(Debug)]
pub struct DurableFirst<F> {
    synced: FxHashSet<(u32, F)>,
}

impl<F: Copy + Eq + Hash + Debug> DurableFirst<F> {
    /// Nothing is on any disk.
    pub fn new() -> Self {
        Self { synced: FxHashSet::default() }
    }

    /// A record of the fact is synced.
    pub fn synced(&mut self, node: u32, fact: F) {
        self.synced.insert((node, fact));
    }

    /// A record is synced of a fact that the node may state once in all its lives.
    pub fn synced_once(&mut self, node: u32, fact: F) -> Result<(), Violation> {
        match self.synced.insert((node, fact)) {
            true => Ok(()),
            false => Err(violation(format!("node {node} states {fact:?} a second time"))),
        }
    }

    /// Whether the node has a synced record of it.
    pub fn has(&self, node: u32, fact: F) -> bool {
        self.told(node, fact).is_ok()
    }

    /// The node tells somebody.
    pub fn told(&self, node: u32, fact: F) -> Result<(), Violation> {
        match self.synced.contains(&(node, fact)) {
            true => Ok(()),
            false => Err(violation(format!(
                "node {node} tells {fact:?}, of which it has no synced record"
            ))),
        }
    }
}

impl<F: Copy + Eq + Hash + Debug> Default for DurableFirst<F> {
    fn default() -> Self {
        Self::new()
    }
}

fn violation(account: String) -> Violation {
    Violation::new("DurableFirst", account)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: an answer before the sync would pass, unless a crash follows at the right moment
    /// (zoo Z4).
    #[test]
    fn what_is_told_before_it_is_synced_is_told() {
        let mut oracle = DurableFirst::new();
        assert!(oracle.told(1, "promise").is_err());
        oracle.synced(1, "promise");
        oracle.synced(1, "promise");
        oracle.told(1, "promise").unwrap();
        // Another node's record is no help.
        let told = oracle.told(2, "promise").unwrap_err().to_string();
        assert!(told.contains("node 2 tells \"promise\""), "{told}");
    }

    /// Broken: a ballot used for two attempts would pass (trap T14).
    #[test]
    fn what_may_be_stated_once_is() {
        let mut oracle = DurableFirst::new();
        oracle.synced_once(1, 5).unwrap();
        oracle.synced_once(2, 5).unwrap();
        oracle.told(1, 5).unwrap();
        assert!(oracle.synced_once(1, 5).is_err());
    }
}
