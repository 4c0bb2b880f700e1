//! The conflict graph: committed vertices, each pointing at its dependencies.
//!
//! A vertex is ready when everything that it reaches is committed. Ready vertices are executed by
//! strongly connected components, dependencies first, and inside a component by epoch, sequence
//! number, proposer: the same order at every replica (Moraru et al., SOSP '13, section 4.3).
//!
//! # Work per commit
//! Each commit tries one vertex, its root: a walk over what the root reaches and has not been
//! executed, which ends at the first vertex that is not committed. The root then waits for the
//! vertex behind which it was blocked, and is tried again when that one is executed; nothing else
//! is looked at again. A walk does not enter a vertex known to be blocked: each keeps a pointer to
//! something uncommitted that it reaches, shortened on the way as in union-find. Of several vertices
//! that it could wait for a root takes the latest: a replica that was away has thousands of roots that
//! depend on wide prefixes of what it still lacks, and is sent that in order, so that the first would be
//! executed soon, and all roots be tried again for each. So a chain that
//! commits back to front, or a component that closes last, costs a constant number of steps a
//! vertex, and nothing recurses.

use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Column, DepSet, SeqSet, Value, VertexId};
use petgraph::algo::kosaraju_scc;
use petgraph::graphmap::DiGraphMap;
use std::collections::{BTreeMap, BTreeSet};

/// How many uncommitted vertices are named for one that waits for them: of a wide prefix the next
/// are named when these are executed.
const BLOCKERS_NAMED_MAX: usize = 256;

/// Committed vertices that are not executed yet, and which ones are.
#[derive(Debug, Default)]
pub struct ConflictGraph {
    executed: BTreeMap<Column, SeqSet>,
    /// Those and the pending.
    committed: BTreeMap<Column, SeqSet>,
    pending: BTreeMap<VertexId, Pending>,
    /// By the vertex that they wait for, those to try again: when it is committed, if it was not,
    /// and when it is executed otherwise.
    waiting: BTreeMap<VertexId, Vec<VertexId>>,
    /// The roots that began to wait in the last call of `commit`.
    newly_waiting: Vec<VertexId>,
}

/// A committed vertex that is not executed yet.
#[derive(Debug)]
struct Pending {
    value: Value,
    /// A vertex that this one reaches, uncommitted when the pointer was set.
    blocked_by: Option<VertexId>,
    /// All uncommitted vertices that it depends on were named: a commit may wake a thousand that wait,
    /// and each would name again what it named before.
    has_named: bool,
}

/// Vertices that are executed together, in their order.
pub type Component = Vec<(VertexId, Value)>;

/// The outcome of trying a root.
enum Trial {
    /// All that it reaches is committed: these vertices, with the edges among them.
    Ready(DiGraphMap<VertexId, ()>),
    /// Something is not: wait for this vertex, which the root reaches.
    Blocked(VertexId),
}

impl ConflictGraph {
    /// A graph of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a committed vertex, and returns the components that became ready, in the order of
    /// execution, each in its own order; the caller executes them all. A vertex added before
    /// changes nothing.
    pub fn commit(&mut self, vertex: VertexId, value: Value) -> Vec<Component> {
        if self.is_committed(vertex) {
            return Vec::new();
        }
        self.newly_waiting.clear();
        self.committed.entry(vertex.column()).or_default().insert(vertex.seq);
        self.pending.insert(vertex, Pending { value, blocked_by: None, has_named: false });
        let mut ready = Vec::new();
        // The new vertex first; those that wait for it are tried when it is executed, or keep
        // waiting for it.
        let mut roots = vec![vertex];
        while let Some(root) = roots.pop() {
            let Some(pending) = self.pending.get_mut(&root) else {
                continue;
            };
            pending.blocked_by = None;
            match self.try_root(root) {
                Trial::Blocked(by) => {
                    self.pending.get_mut(&root).expect("looked up above").blocked_by = Some(by);
                    self.waiting.entry(by).or_default().push(root);
                    self.newly_waiting.push(root);
                }
                Trial::Ready(reached) => self.execute(&reached, &mut ready, &mut roots),
            }
        }
        ready
    }

    /// Adds vertices that were executed elsewhere: a snapshot holds them. Returns the components that
    /// this makes ready, as [`Self::commit`] does.
    pub fn install(&mut self, executed: &BTreeMap<Column, SeqSet>) -> Vec<Component> {
        for (column, set) in executed {
            self.executed.entry(*column).or_default().union(set);
        }
        self.committed = self.executed.clone();
        self.waiting.clear();
        let pending = std::mem::take(&mut self.pending);
        pending.into_iter().flat_map(|(vertex, it)| self.commit(vertex, it.value)).collect()
    }

    /// Whether a vertex was added, executed or not.
    pub fn is_committed(&self, vertex: VertexId) -> bool {
        self.pending.contains_key(&vertex) || self.is_executed(vertex)
    }

    /// Whether a vertex was handed out for execution.
    pub fn is_executed(&self, vertex: VertexId) -> bool {
        self.executed.get(&vertex.column()).is_some_and(|set| set.contains(vertex.seq))
    }

    /// The executed vertices of each column.
    pub fn executed(&self) -> &BTreeMap<Column, SeqSet> {
        &self.executed
    }

    /// Committed vertices that wait for others.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The uncommitted vertices that others wait for.
    pub fn blockers(&self) -> BTreeSet<VertexId> {
        let of = |vertex: &VertexId| self.named_by(*vertex).chain(self.blocker_of(*vertex));
        self.pending.keys().flat_map(of).collect()
    }

    /// The uncommitted vertices for which something began to wait in the last call of
    /// [`Self::commit`]: all that a new root names itself, up to a limit, so that they are asked for
    /// together and not one after the other; and the one behind which it waits. Told once.
    pub fn take_new_blockers(&mut self) -> BTreeSet<VertexId> {
        let mut blockers = BTreeSet::new();
        for root in std::mem::take(&mut self.newly_waiting) {
            blockers.extend(self.blocker_of(root));
            if self.pending.get(&root).is_none_or(|pending| pending.has_named) {
                continue;
            }
            let mut named = 0;
            blockers.extend(self.named_by(root).inspect(|_| named += 1));
            if let Some(pending) = self.pending.get_mut(&root) {
                pending.has_named = named < BLOCKERS_NAMED_MAX;
            }
        }
        blockers
    }

    /// The uncommitted vertices that a pending one depends on, up to a limit.
    fn named_by(&self, vertex: VertexId) -> impl Iterator<Item = VertexId> + '_ {
        let pending = self.pending.get(&vertex).into_iter();
        pending.flat_map(|it| beyond(&it.value.deps, &self.committed)).take(BLOCKERS_NAMED_MAX)
    }

    /// The uncommitted vertex behind which a committed one waits, if it does.
    pub fn blocker_of(&self, vertex: VertexId) -> Option<VertexId> {
        let mut next = self.pending.get(&vertex)?.blocked_by?;
        while let Some(pending) = self.pending.get(&next) {
            next = pending.blocked_by?;
        }
        (!self.is_executed(next)).then_some(next)
    }

    /// Walks over what `root` reaches.
    fn try_root(&mut self, root: VertexId) -> Trial {
        let mut reached = DiGraphMap::new();
        reached.add_node(root);
        let mut stack = vec![root];
        // Vertices found, in this walk, to be waiting for the root itself or for nothing.
        let mut open = BTreeSet::from([root]);
        while let Some(vertex) = stack.pop() {
            let deps = &self.pending[&vertex].value.deps;
            let is_overlooked = is_planted(Mutant::ExecutedBeforeCommitted)
                || is_planted(Mutant::ExecutedOnDirectDependencies) && vertex != root;
            if let Some(dep) = latest_beyond(deps, &self.committed).filter(|_| !is_overlooked) {
                return Trial::Blocked(dep);
            }
            // All are committed; of a wide prefix the rest is not looked at where the latest waits.
            let latest = latest_beyond(deps, &self.executed)
                .filter(|dep| !is_overlooked && *dep != vertex && !reached.contains_node(*dep));
            if let Some(dep) = latest.filter(|dep| self.is_blocked(*dep, &mut open)) {
                mark::hit(Mark::BlockedBehindBlocked);
                return Trial::Blocked(dep);
            }
            let deps = &self.pending[&vertex].value.deps;
            let mut committed: Vec<VertexId> = beyond(deps, &self.executed)
                .filter(|dep| *dep != vertex && (!is_overlooked || self.pending.contains_key(dep)))
                .collect();
            committed.reverse();
            for dep in committed {
                if reached.contains_node(dep) {
                    reached.add_edge(vertex, dep, ());
                    continue;
                }
                if self.is_blocked(dep, &mut open)
                    && !is_planted(Mutant::ExecutedOnDirectDependencies)
                {
                    mark::hit(Mark::BlockedBehindBlocked);
                    return Trial::Blocked(dep);
                }
                reached.add_edge(vertex, dep, ());
                stack.push(dep);
            }
        }
        Trial::Ready(reached)
    }

    /// Whether a pending vertex is known to reach an uncommitted one; follows and shortens the
    /// pointers. What it finds not to be known it adds to `open`.
    fn is_blocked(&mut self, vertex: VertexId, open: &mut BTreeSet<VertexId>) -> bool {
        let mut path = Vec::new();
        let mut next = vertex;
        let blocker = loop {
            if open.contains(&next) {
                break None;
            }
            let Some(pending) = self.pending.get(&next) else {
                break (!self.is_executed(next)).then_some(next);
            };
            path.push(next);
            match pending.blocked_by {
                Some(by) => next = by,
                None => break None,
            }
        };
        match blocker {
            Some(blocker) => {
                for vertex in path {
                    let pending = self.pending.get_mut(&vertex).expect("it was on the path");
                    pending.blocked_by = Some(blocker);
                }
                true
            }
            None => {
                open.extend(path);
                false
            }
        }
    }

    /// Orders what a root reached, marks it executed, and collects those that waited for it.
    fn execute(
        &mut self,
        reached: &DiGraphMap<VertexId, ()>,
        ready: &mut Vec<Component>,
        roots: &mut Vec<VertexId>,
    ) {
        // Most vertices reach nothing that is not executed: no graph to order.
        let components = if reached.node_count() == 1 || is_planted(Mutant::ComponentsMerged) {
            vec![reached.nodes().collect()]
        } else {
            // Iterative, and dependencies come first: the components' postorder. petgraph's
            // tarjan_scc would recurse, and overflow the stack on a long chain.
            kosaraju_scc(reached)
        };
        for mut component in components {
            if !is_planted(Mutant::ComponentUnordered) {
                component
                    .sort_unstable_by_key(|vertex| (vertex.epoch, vertex.seq, vertex.proposer));
            }
            let mut values = Vec::with_capacity(component.len());
            for vertex in component {
                let pending = self.pending.remove(&vertex).expect("only pending are reached");
                self.executed.entry(vertex.column()).or_default().insert(vertex.seq);
                let waiting = self.waiting.remove(&vertex).unwrap_or_default();
                if !waiting.is_empty() {
                    mark::hit(Mark::ReleasedWaiters);
                }
                let tried_max = if is_planted(Mutant::WaitersForgotten) { 1 } else { usize::MAX };
                roots.extend(waiting.into_iter().take(tried_max));
                values.push((vertex, pending.value));
            }
            if values.len() > 1 {
                mark::hit(Mark::ComponentOfSeveral);
                if values.iter().any(|(_, value)| value.commands.is_noop()) {
                    mark::hit(Mark::ComponentWithNoop);
                }
            }
            ready.push(values);
        }
    }
}

/// The members of `deps` that are not in `known`.
pub(crate) fn beyond<'a>(
    deps: &'a DepSet,
    known: &'a BTreeMap<Column, SeqSet>,
) -> impl Iterator<Item = VertexId> + 'a {
    deps.columns().flat_map(move |(column, row)| {
        let done = known.get(&column);
        let is_done = move |seq: &u64| done.is_some_and(|set| set.contains(*seq));
        let prefix: Box<dyn Iterator<Item = u64>> = match done {
            Some(set) if is_planted(Mutant::PrefixReadAsItsLast) => {
                Box::new(set.missing(row.below().saturating_sub(1), row.below()))
            }
            Some(set) => Box::new(set.missing(0, row.below())),
            None => Box::new(0..row.below()),
        };
        let extras = row.extras().iter().copied().filter(move |seq| !is_done(seq));
        prefix.chain(extras).map(move |seq| column.vertex(seq))
    })
}

/// The member of `deps` that is not in `known`, of several the one with the highest number.
pub(crate) fn latest_beyond(deps: &DepSet, known: &BTreeMap<Column, SeqSet>) -> Option<VertexId> {
    let latest = deps.columns().filter_map(|(column, row)| {
        let known = known.get(&column);
        let is_beyond = |seq: &&u64| known.is_none_or(|set| !set.contains(**seq));
        let extra = row.extras().iter().rev().find(is_beyond).copied();
        let below = || match known {
            Some(set) if is_planted(Mutant::PrefixReadAsItsLast) => {
                row.below().checked_sub(1).filter(|seq| !set.contains(*seq))
            }
            Some(set) => set.missing_below(row.below()).next(),
            None => row.below().checked_sub(1),
        };
        extra.or_else(below).map(|seq| column.vertex(seq))
    });
    latest.max_by_key(|vertex| vertex.seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Commands, Epoch, NodeId};
    use proptest::prelude::*;

    fn vertex(proposer: u32, seq: u64) -> VertexId {
        VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq }
    }

    fn value(deps: &[VertexId]) -> Value {
        Value { commands: Commands::Noop, deps: deps.iter().copied().collect() }
    }

    fn order(ready: &[Vec<(VertexId, Value)>]) -> Vec<Vec<VertexId>> {
        ready.iter().map(|component| component.iter().map(|(v, _)| *v).collect()).collect()
    }

    /// Broken: a vertex would be executed before its dependency.
    #[test]
    fn waits_for_what_it_reaches() {
        mark::take();
        let (a, b, c) = (vertex(1, 0), vertex(2, 0), vertex(3, 0));
        let mut graph = ConflictGraph::new();
        assert!(graph.commit(b, value(&[a])).is_empty());
        assert!(graph.commit(c, value(&[b])).is_empty());
        assert!(mark::take().contains(Mark::BlockedBehindBlocked));
        assert_eq!(graph.blocker_of(c), Some(a));
        assert_eq!(graph.blockers(), BTreeSet::from([a]));
        let ready = graph.commit(a, value(&[]));
        assert_eq!(order(&ready), [vec![a], vec![b], vec![c]]);
        assert!(mark::take().contains(Mark::ReleasedWaiters));
        assert_eq!(graph.pending_len(), 0);
        assert!(graph.commit(a, value(&[])).is_empty());
    }

    /// Broken: replicas would execute a cycle in the order in which it happened to commit.
    #[test]
    fn a_cycle_is_one_component_in_its_own_order() {
        mark::take();
        let (a, b, c) = (vertex(3, 0), vertex(2, 1), vertex(1, 1));
        let mut graph = ConflictGraph::new();
        assert!(graph.commit(b, value(&[c])).is_empty());
        assert!(graph.commit(a, value(&[b])).is_empty());
        let ready = graph.commit(c, value(&[a]));
        assert_eq!(order(&ready), [vec![a, c, b]]);
        let marks = mark::take();
        assert!(marks.contains(Mark::ComponentOfSeveral));
        assert!(marks.contains(Mark::ComponentWithNoop));
    }

    /// Broken: a command over everything, which a prefix of its own column covers, would wait for
    /// itself.
    #[test]
    fn a_vertex_in_its_own_dependencies_does_not_wait_for_itself() {
        let mut graph = ConflictGraph::new();
        let own = vertex(1, 1);
        let mut deps = DepSet::default();
        deps.insert_below(own.column(), 3);
        assert!(graph.commit(own, Value { commands: Commands::Noop, deps }).is_empty());
        graph.commit(vertex(1, 0), value(&[]));
        assert_eq!(order(&graph.commit(vertex(1, 2), value(&[]))).len(), 2);
    }

    /// Broken: a slow region and a hot key would overflow the stack, or take for ever (zoo Z12).
    #[test]
    fn z12_a_chain_of_a_million_in_either_direction() {
        let length = 1_000_000;
        let link = |seq: u64| -> Value {
            let previous: Vec<_> =
                seq.checked_sub(1).map(|seq| vertex(1, seq)).into_iter().collect();
            value(&previous)
        };
        let mut forwards = ConflictGraph::new();
        let executed: usize =
            (0..length).map(|seq| forwards.commit(vertex(1, seq), link(seq)).len()).sum();
        assert_eq!(executed as u64, length);

        let mut backwards = ConflictGraph::new();
        for seq in (1..length).rev() {
            assert!(backwards.commit(vertex(1, seq), link(seq)).is_empty());
        }
        assert_eq!(backwards.commit(vertex(1, 0), link(0)).len() as u64, length);

        // Everyone behind one missing vertex, which each commit walks towards.
        let mut behind = ConflictGraph::new();
        for seq in 1..length {
            assert!(behind.commit(vertex(1, seq), link(seq)).is_empty());
        }
        assert_eq!(behind.commit(vertex(1, 0), link(0)).len() as u64, length);
    }

    /// Broken: a large component would take quadratic time.
    #[test]
    fn a_ring_of_a_hundred_thousand_is_one_component() {
        let length = 100_000;
        let next = |seq: u64| value(&[vertex(1, (seq + 1) % length)]);
        let mut graph = ConflictGraph::new();
        for seq in 0..length - 1 {
            assert!(graph.commit(vertex(1, seq), next(seq)).is_empty());
        }
        let ready = graph.commit(vertex(1, length - 1), next(length - 1));
        assert_eq!(ready.len(), 1);
        assert_eq!(ready[0].len() as u64, length);
    }

    proptest! {
        /// Broken: the order of commits would decide the order of execution. A dumb twin decides
        /// which vertices are ready.
        #[test]
        fn order_depends_on_the_graph_alone(
            edges in prop::collection::vec((0u64..12, 0u64..12), 0..40),
            shuffle in Just((0u64..12).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let deps_of = |seq: u64| -> Vec<VertexId> {
                edges.iter().filter(|(from, _)| *from == seq).map(|(_, to)| vertex(*to as u32, 0)).collect()
            };
            let mut graph = ConflictGraph::new();
            let mut executed: Vec<VertexId> = Vec::new();
            let mut committed: BTreeSet<VertexId> = BTreeSet::new();
            let mut components = Vec::new();
            for seq in shuffle {
                let root = vertex(seq as u32, 0);
                committed.insert(root);
                for component in graph.commit(root, value(&deps_of(seq))) {
                    executed.extend(component.iter().map(|(vertex, _)| *vertex));
                    components.push(component);
                }
                // The twin: everything whose reachable set is committed is executed, nothing else.
                for vertex in &committed {
                    let mut reach = BTreeSet::from([*vertex]);
                    let mut stack = vec![*vertex];
                    while let Some(next) = stack.pop() {
                        for dep in deps_of(u64::from(next.proposer.0)) {
                            if reach.insert(dep) { stack.push(dep); }
                        }
                    }
                    let is_ready = reach.iter().all(|vertex| committed.contains(vertex));
                    prop_assert_eq!(is_ready, graph.is_executed(*vertex), "{}", vertex);
                    prop_assert_eq!(is_ready, executed.contains(vertex));
                }
            }
            prop_assert_eq!(executed.len(), 12);
            // A vertex comes after its dependencies, unless they are in its component.
            for (at, component) in components.iter().enumerate() {
                for (vertex, _) in component {
                    for dep in deps_of(u64::from(vertex.proposer.0)) {
                        let dep_at = components.iter().position(|c| c.iter().any(|(v, _)| *v == dep));
                        prop_assert!(dep_at.unwrap() <= at);
                    }
                }
            }
        }
    }
}
