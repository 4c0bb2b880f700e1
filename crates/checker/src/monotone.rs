//! AcceptorMonotone: what an acceptor promised or voted never falls, also across a crash.
//!
//! Three rules: what it appends only grows; what it holds in memory after a step is what it has
//! appended, neither more (it would be forgotten in a crash) nor less; and a new life begins with at
//! least what the last one had synced.

use std::fmt::Debug;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::Violation;

/// The ballots of one vertex at one acceptor; `None` where nothing was promised or voted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ballots<B> {
    /// Nothing below it will be voted for.
    pub promised: Option<B>,
    /// The ballot of the latest vote.
    pub voted: Option<B>,
}

impl<B: Copy + Ord> Ballots<B> {
    const NONE: Self = Self { promised: None, voted: None };

    /// After a record that promises a ballot, and perhaps votes in it.
    fn with(self, ballot: B, is_vote: bool) -> Self {
        let voted = if is_vote { Some(ballot) } else { self.voted };
        Self { promised: Some(ballot), voted }
    }

    fn is_below(&self, other: &Self) -> bool {
        self.promised < other.promised || self.voted < other.voted
    }
}

/// Promised and voted ballots per (node, vertex) never fall.
#[derive(Debug)]
pub struct AcceptorMonotone<V, B> {
    nodes: FxHashMap<u32, FxHashMap<V, Entry<B>>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry<B> {
    appended: Ballots<B>,
    durable: Ballots<B>,
}

impl<V: Copy + Eq + Hash + Debug, B: Copy + Ord + Debug> AcceptorMonotone<V, B> {
    /// No acceptor has promised anything.
    pub fn new() -> Self {
        Self { nodes: FxHashMap::default() }
    }

    /// The node appends a record that promises the ballot, and votes in it if `is_vote`.
    pub fn appended(
        &mut self,
        node: u32,
        vertex: V,
        ballot: B,
        is_vote: bool,
    ) -> Result<(), Violation> {
        let entry = self.entry(node, vertex);
        let before = entry.appended;
        entry.appended = before.with(ballot, is_vote);
        not_below(node, vertex, "appended", before, entry.appended)
    }

    /// The node's state of the vertex in memory, after a step that appended something about it.
    pub fn held(&mut self, node: u32, vertex: V, ballots: Ballots<B>) -> Result<(), Violation> {
        let appended = self.entry(node, vertex).appended;
        if appended == ballots {
            return Ok(());
        }
        Err(violation(format!(
            "node {node} holds {ballots:?} of {vertex:?} in memory, and appended {appended:?}"
        )))
    }

    /// Such a record is synced: any later life starts with at least that.
    pub fn durable(
        &mut self,
        node: u32,
        vertex: V,
        ballot: B,
        is_vote: bool,
    ) -> Result<(), Violation> {
        let entry = self.entry(node, vertex);
        let before = entry.durable;
        entry.durable = before.with(ballot, is_vote);
        not_below(node, vertex, "made durable", before, entry.durable)
    }

    /// The node has forgotten all of these, for good.
    pub fn released_all(&mut self, node: u32, mut is_released: impl FnMut(&V) -> bool) {
        if let Some(vertices) = self.nodes.get_mut(&node) {
            vertices.retain(|vertex, _| !is_released(vertex));
        }
    }

    /// The node needs the vertex's ballots no more: it has a synced record of its commit, or has
    /// pruned it.
    pub fn released(&mut self, node: u32, vertex: V) {
        if let Some(vertices) = self.nodes.get_mut(&node) {
            vertices.remove(&vertex);
        }
    }

    /// The node is back from a crash; `held` says what it holds of a vertex. A node whose disk was
    /// wiped must not come back under its old identity: give it a new number.
    pub fn recovered(
        &mut self,
        node: u32,
        mut held: impl FnMut(V) -> Option<Ballots<B>>,
    ) -> Result<(), Violation> {
        let mut result = Ok(());
        let vertices = self.nodes.entry(node).or_default();
        vertices.retain(|vertex, entry| {
            let now = held(*vertex).unwrap_or(Ballots::NONE);
            if result.is_ok() {
                result = not_below(node, *vertex, "durable", entry.durable, now);
            }
            *entry = Entry { appended: now, durable: now };
            now != Ballots::NONE
        });
        result
    }

    fn entry(&mut self, node: u32, vertex: V) -> &mut Entry<B> {
        let vertices = self.nodes.entry(node).or_default();
        let none = Entry { appended: Ballots::NONE, durable: Ballots::NONE };
        vertices.entry(vertex).or_insert(none)
    }
}

impl<V: Copy + Eq + Hash + Debug, B: Copy + Ord + Debug> Default for AcceptorMonotone<V, B> {
    fn default() -> Self {
        Self::new()
    }
}

fn not_below<V: Debug, B: Copy + Ord + Debug>(
    node: u32,
    vertex: V,
    kind: &str,
    before: Ballots<B>,
    now: Ballots<B>,
) -> Result<(), Violation> {
    if !now.is_below(&before) {
        return Ok(());
    }
    Err(violation(format!(
        "node {node} fell back in {vertex:?}: {before:?} was {kind}, now {now:?}"
    )))
}

fn violation(account: String) -> Violation {
    Violation::new("AcceptorMonotone", account)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Oracle = AcceptorMonotone<u32, u64>;

    fn ballots(promised: u64, voted: Option<u64>) -> Ballots<u64> {
        let promised = Some(promised);
        Ballots { promised, voted }
    }

    /// Broken: a promise could be overwritten by a vote's lower ballot.
    #[test]
    fn a_falling_ballot_is_told() {
        let mut oracle = Oracle::new();
        oracle.appended(1, 7, 3, false).unwrap();
        oracle.appended(1, 7, 3, true).unwrap();
        oracle.appended(1, 7, 5, false).unwrap();
        let told = oracle.appended(1, 7, 4, true).unwrap_err();
        assert!(told.to_string().contains("node 1 fell back in 7"), "{told}");
        oracle.durable(2, 7, 5, false).unwrap();
        assert!(oracle.durable(2, 7, 4, true).is_err());
    }

    /// Broken: one ballot kept where two are needed, or a promise kept in memory alone, would pass
    /// (traps T4 and T1).
    #[test]
    fn memory_holds_what_was_appended() {
        let mut oracle = Oracle::new();
        oracle.appended(1, 7, 3, true).unwrap();
        oracle.appended(1, 7, 5, false).unwrap();
        oracle.held(1, 7, ballots(5, Some(3))).unwrap();
        assert!(oracle.held(1, 7, ballots(5, Some(5))).is_err());
        assert!(oracle.held(1, 7, ballots(6, Some(3))).is_err());
        assert!(oracle.held(1, 7, ballots(5, None)).is_err());
    }

    /// Broken: an answer before the sync: the quorum member forgets in a crash what it had promised.
    #[test]
    fn what_was_durable_survives_a_crash() {
        let mut oracle = Oracle::new();
        oracle.appended(1, 7, 3, false).unwrap();
        oracle.durable(1, 7, 3, false).unwrap();
        oracle.appended(1, 7, 9, false).unwrap();
        // The promise of 9 was never synced: forgetting it is right, and promising 5 afterwards.
        oracle.recovered(1, |_| Some(ballots(3, None))).unwrap();
        oracle.appended(1, 7, 5, false).unwrap();
        assert!(oracle.recovered(1, |_| None).is_err());
        oracle.durable(2, 7, 3, true).unwrap();
        assert!(oracle.recovered(2, |_| Some(ballots(3, None))).is_err());
        oracle.durable(3, 7, 3, true).unwrap();
        oracle.released(3, 7);
        oracle.recovered(3, |_| None).unwrap();
    }
}
