//! Rule C1: a vertex depends on its own proposer's previous vertex on each resource that it touches,
//! whatever the modes. The dependency service keeps the latest vertex only; this is why it may.

use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Column, Commands, DepSet, Footprint, VertexId};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The proposer's latest vertex on each resource.
///
/// It is not durable, and need not be (trap T18): what it does not remember, it replaces by the
/// whole prefix of the proposer's vertices below `floor`.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Chain {
    column: Column,
    len_max: usize,
    latest: BTreeMap<Bytes, u64>,
    /// The latest vertex over everything: the previous one on every resource.
    everything: Option<u64>,
    /// Resources that are not in `latest` may have been touched by any vertex below this.
    floor: u64,
}

impl Chain {
    pub(crate) fn new(column: Column, len_max: usize, floor: u64) -> Self {
        let floor = if is_planted(Mutant::ChainForgottenAtRestart) { 0 } else { floor };
        Self { column, len_max, latest: BTreeMap::new(), everything: None, floor }
    }

    /// What `commands` in the proposer's vertex `seq` must depend on, whatever the dependency
    /// service says; and it is the latest on its resources from now on. Sequence numbers ascend.
    pub(crate) fn extend(&mut self, seq: u64, commands: &Commands) -> DepSet {
        let mut deps = DepSet::default();
        for command in commands.as_slice() {
            // The opening of its session is executed first, everywhere.
            if let Some(session) = command.operation.session()
                && !is_planted(Mutant::SessionOpeningNoDependency)
            {
                deps.insert(session.opened);
            }
            match &command.footprint {
                // Not told apart from everything yet.
                Footprint::Ranges { .. } | Footprint::Predicate(_) | Footprint::Everything => {
                    deps.insert_below(self.column, seq);
                    if !is_planted(Mutant::EverythingNotInChain) {
                        self.everything = Some(seq);
                    }
                }
                Footprint::Resources(resources) => {
                    for (resource, mode) in resources {
                        if is_planted(Mutant::ChainSkipsReads) && mode.0 == 0 {
                            continue;
                        }
                        self.extend_on(resource, seq, &mut deps);
                    }
                }
            }
        }
        deps
    }

    /// All own vertices below `below` are pruned: what it knows of them is forgotten.
    ///
    /// Rule C1 holds all the same: a resource whose latest vertex is forgotten was last touched below
    /// `below`, and the next vertex on it depends on the whole prefix, that vertex included. So does
    /// one after a vertex over everything that is forgotten: what is remembered is later than it, and
    /// for the rest there is the prefix. It costs nothing to wait for, since all of it is executed, and
    /// no width: dependency answers hold the floor anyway.
    pub(crate) fn forget_below(&mut self, below: u64) {
        self.latest.retain(|_, latest| *latest >= below);
        self.everything = self.everything.filter(|everything| *everything >= below);
        self.floor = self.floor.max(below);
    }

    /// How many resources it remembers.
    pub(crate) fn len(&self) -> usize {
        self.latest.len()
    }

    fn extend_on(&mut self, resource: &Bytes, seq: u64, deps: &mut DepSet) {
        match self.latest.get_mut(resource) {
            Some(latest) => {
                let previous = (*latest).max(self.everything.unwrap_or(0));
                if previous > *latest {
                    mark::hit(Mark::ChainEverything);
                }
                *latest = seq;
                self.depend(previous, seq, deps);
            }
            None => {
                deps.insert_below(self.column, self.floor);
                if self.floor > 0 {
                    mark::hit(Mark::ChainPrefix);
                }
                if let Some(everything) = self.everything {
                    self.depend(everything, seq, deps);
                }
                if self.latest.len() >= self.len_max {
                    mark::hit(Mark::ChainOverflow);
                    self.latest.clear();
                    // This very vertex may have touched resources that are forgotten now.
                    if !is_planted(Mutant::ChainOverflowForgotten) {
                        self.floor = seq + 1;
                    }
                }
                self.latest.insert(Bytes::copy_from_slice(resource), seq);
            }
        }
    }

    fn depend(&self, previous: u64, seq: u64, deps: &mut DepSet) {
        if is_planted(Mutant::NoChain) {
            return;
        }
        // Two commands of one batch may touch one resource.
        if previous != seq {
            deps.insert(self.column.vertex(previous));
        }
    }
}

/// Rule C2: a noop depends on all earlier vertices of its proposer, since it took the place of one
/// that others rely on as a link of the chain (trap T7).
pub(crate) fn noop_deps(vertex: VertexId) -> DepSet {
    let mut deps = DepSet::default();
    if !is_planted(Mutant::NoopWithEmptyDeps) {
        deps.insert_below(vertex.column(), vertex.seq);
    }
    deps
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Command, Epoch, Mode, NodeId, Operation};

    fn column() -> Column {
        Column { epoch: Epoch(0), proposer: NodeId(1) }
    }

    fn write(resources: &[&'static str]) -> Commands {
        let footprint = Footprint::of(
            resources.iter().map(|name| (Bytes::from_static(name.as_bytes()), Mode(1))),
        );
        Commands::Batch([Command { operation: Operation::OpenSession, footprint }].into())
    }

    fn deps(seqs: &[u64]) -> DepSet {
        seqs.iter().map(|seq| column().vertex(*seq)).collect()
    }

    /// Broken: the index would forget what the chain does not lead to (trap T6).
    #[test]
    fn t6_each_vertex_names_the_previous_on_its_resources() {
        let mut chain = Chain::new(column(), 10, 0);
        assert_eq!(chain.extend(0, &write(&["a"])), deps(&[]));
        assert_eq!(chain.extend(1, &write(&["b"])), deps(&[]));
        assert_eq!(chain.extend(2, &write(&["a", "b"])), deps(&[0, 1]));
        assert_eq!(chain.extend(3, &write(&["a"])), deps(&[2]));
    }

    /// Broken: after a restart the first vertex on a resource would hang free (trap T18).
    #[test]
    fn t18_what_is_forgotten_is_replaced_by_the_whole_prefix() {
        let mut restarted = Chain::new(column(), 10, 5);
        let mut prefix = DepSet::default();
        prefix.insert_below(column(), 5);
        assert_eq!(restarted.extend(5, &write(&["a"])), prefix);
        assert_eq!(restarted.extend(6, &write(&["a"])), deps(&[5]));

        let mut full = Chain::new(column(), 2, 0);
        full.extend(0, &write(&["a"]));
        full.extend(1, &write(&["b"]));
        full.extend(2, &write(&["c", "d", "e"]));
        let mut prefix = DepSet::default();
        prefix.insert_below(column(), 3);
        assert_eq!(full.extend(3, &write(&["c"])), prefix);
    }

    /// Broken: a vertex after a scan would not depend on it at its own proposer.
    #[test]
    fn a_vertex_over_everything_is_the_previous_on_every_resource() {
        let mut chain = Chain::new(column(), 10, 0);
        chain.extend(0, &write(&["a"]));
        let everything = Commands::Batch(
            [Command { operation: Operation::OpenSession, footprint: Footprint::Everything }]
                .into(),
        );
        let mut prefix = DepSet::default();
        prefix.insert_below(column(), 1);
        assert_eq!(chain.extend(1, &everything), prefix);
        assert_eq!(chain.extend(2, &write(&["a"])), deps(&[1]));
        assert_eq!(chain.extend(3, &write(&["z"])), deps(&[1]));
        assert_eq!(chain.extend(4, &write(&["a"])), deps(&[2]));
    }
}
