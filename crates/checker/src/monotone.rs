//! AcceptorMonotone: what an acceptor promised or voted never falls, also across a crash.
//!
//! Two rules: within a life the state in memory only grows; a new life begins with at least what
//! the last one had made durable.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::Violation;

/// The ballots of one vertex at one acceptor; `None` where nothing was promised or voted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ballots<B> {
    /// Nothing below it will be voted for.
    pub promised: Option<B>,
    /// The ballot of the latest vote.
    pub voted: Option<B>,
}

impl<B> Ballots<B> {
    fn none() -> Self {
        Self { promised: None, voted: None }
    }
}

/// Promised and voted ballots per (node, vertex) never fall.
#[derive(Debug)]
pub struct AcceptorMonotone<V, B> {
    nodes: BTreeMap<u32, BTreeMap<V, Entry<B>>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry<B> {
    current: Ballots<B>,
    durable: Ballots<B>,
}

impl<V: Copy + Ord + Debug, B: Copy + Ord + Debug> AcceptorMonotone<V, B> {
    /// No acceptor has promised anything.
    pub fn new() -> Self {
        Self { nodes: BTreeMap::new() }
    }

    /// The node's state for the vertex in memory, after a step.
    pub fn changed(&mut self, node: u32, vertex: V, ballots: Ballots<B>) -> Result<(), Violation> {
        let entry = self.entry(node, vertex);
        let current = entry.current;
        entry.current = ballots;
        not_below(node, vertex, "held in memory", current, ballots)?;
        if ballots.voted > ballots.promised {
            return Err(violation(format!(
                "node {node} voted in {vertex:?} above its promise: {ballots:?}"
            )));
        }
        Ok(())
    }

    /// A record with this state of the vertex is synced: any later life starts with at least that.
    pub fn durable(&mut self, node: u32, vertex: V, ballots: Ballots<B>) -> Result<(), Violation> {
        let entry = self.entry(node, vertex);
        let durable = entry.durable;
        entry.durable = ballots;
        not_below(node, vertex, "made durable", durable, ballots)
    }

    /// The node has pruned the vertex: executed everywhere and below its floor, so that nobody may
    /// ask for it again.
    pub fn pruned(&mut self, node: u32, vertex: V) {
        if let Some(vertices) = self.nodes.get_mut(&node) {
            vertices.remove(&vertex);
        }
    }

    /// The node is back from a crash with this state, complete. A node whose disk was wiped must
    /// not come back under its old identity: give it a new number.
    pub fn recovered(
        &mut self,
        node: u32,
        state: impl IntoIterator<Item = (V, Ballots<B>)>,
    ) -> Result<(), Violation> {
        let before = self.nodes.remove(&node).unwrap_or_default();
        let after: BTreeMap<V, Entry<B>> = state
            .into_iter()
            .map(|(vertex, ballots)| {
                let (current, durable) = (ballots, ballots);
                (vertex, Entry { current, durable })
            })
            .collect();
        let mut result = Ok(());
        for (vertex, entry) in before {
            let now = after.get(&vertex).map_or(Ballots::none(), |e| e.current);
            result = result.and(not_below(node, vertex, "durable", entry.durable, now));
        }
        self.nodes.insert(node, after);
        result
    }

    fn entry(&mut self, node: u32, vertex: V) -> &mut Entry<B> {
        let vertices = self.nodes.entry(node).or_default();
        vertices
            .entry(vertex)
            .or_insert(Entry { current: Ballots::none(), durable: Ballots::none() })
    }
}

impl<V: Copy + Ord + Debug, B: Copy + Ord + Debug> Default for AcceptorMonotone<V, B> {
    fn default() -> Self {
        Self::new()
    }
}

fn not_below<V: Debug, B: Ord + Debug>(
    node: u32,
    vertex: V,
    kind: &str,
    before: Ballots<B>,
    now: Ballots<B>,
) -> Result<(), Violation> {
    if now.promised >= before.promised && now.voted >= before.voted {
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

    fn ballots(promised: u64, voted: Option<u64>) -> Ballots<u64> {
        let promised = Some(promised);
        Ballots { promised, voted }
    }

    /// One ballot kept where two are needed: a promise overwritten by a vote's lower ballot.
    #[test]
    fn a_falling_ballot_is_told() {
        let mut oracle = AcceptorMonotone::new();
        oracle.changed(1, 7, ballots(3, None)).unwrap();
        oracle.changed(1, 7, ballots(3, Some(3))).unwrap();
        oracle.changed(1, 7, ballots(5, Some(3))).unwrap();
        let told = oracle.changed(1, 7, ballots(4, Some(4))).unwrap_err();
        assert!(told.to_string().contains("node 1 fell back in 7"), "{told}");
        let mut oracle = AcceptorMonotone::new();
        assert!(oracle.changed(1, 7, ballots(3, Some(4))).is_err());
    }

    /// An answer before the sync: the quorum member forgets in a crash what it had promised.
    #[test]
    fn what_was_durable_survives_a_crash() {
        let mut oracle = AcceptorMonotone::new();
        oracle.changed(1, 7, ballots(3, None)).unwrap();
        oracle.durable(1, 7, ballots(3, None)).unwrap();
        oracle.changed(1, 7, ballots(9, None)).unwrap();
        // The promise of 9 was never synced: forgetting it is right.
        oracle.recovered(1, [(7, ballots(3, None))]).unwrap();
        assert!(oracle.recovered(1, []).is_err());
        oracle.durable(2, 7, ballots(3, Some(3))).unwrap();
        assert!(oracle.recovered(2, [(7, ballots(3, None))]).is_err());
        oracle.durable(3, 7, ballots(3, Some(3))).unwrap();
        oracle.pruned(3, 7);
        oracle.recovered(3, []).unwrap();
    }
}
