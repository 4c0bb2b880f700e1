//! What may be forgotten, here and everywhere (`protocol` section 5, I6).
//!
//! Each replica tells what its durable snapshots hold, as the join of the dependencies of their
//! barriers. Barriers are executed in one order everywhere, so these are totally ordered, and the
//! greatest that f + 1 replicas hold is the floor: whatever is below survives the loss of f of them,
//! in one snapshot, and nobody needs it any more who cannot be given that.

use crate::Replica;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{DepSet, NodeId, Role, VertexId};
use althing_wire::{
    Effects, Frontier, Kind, PruneAcceptor, PruneDependency, PruneProposer, ReplicaRecord,
    SnapshotOffer,
};

/// What another replica told of itself last.
#[derive(Debug, Default)]
pub(crate) struct Other {
    /// What its snapshots hold.
    held: DepSet,
    /// What it knows to be committed, as prefixes.
    pub(crate) committed: DepSet,
}

/// How far a replica without a voter beside it is with writing down again what it keeps.
#[derive(Debug)]
pub(crate) struct Rewriting {
    /// The next vertex, or later.
    next: VertexId,
}

impl Replica {
    /// What is pruned everywhere, as far as is known here.
    pub fn floor(&self) -> &DepSet {
        &self.floor
    }

    /// Vertices whose values are kept for others, and the bytes that they take, about.
    pub fn log_size(&self) -> (usize, usize) {
        (self.log.len(), self.log.bytes())
    }

    /// How many vertices others are known to have committed that were not executed here.
    pub fn lag(&self) -> u64 {
        let mut known = DepSet::default();
        for other in self.others.values() {
            known.union(&other.committed);
        }
        let executed = &self.executed;
        let behind = |(column, row): (_, &althing_model::Row)| {
            let done = executed.get(&column).map_or(0, |set| set.below());
            row.below().saturating_sub(done)
        };
        known.columns().map(behind).sum()
    }

    /// A snapshot is on disk here, with what its barriers depended on.
    pub(crate) fn hold(
        &mut self,
        saved: SnapshotOffer,
        cut: DepSet,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        if self.saved.is_none_or(|newest| newest.number < saved.number) {
            self.saved = Some(saved);
        }
        self.held.union(&cut);
        if !self.config.has_voter {
            self.rewrite(effects);
        }
        self.raise_floor(effects);
        self.forget_log();
        // Others wait for this to prune; all are told at once, so that their floors rise together.
        let others: Vec<NodeId> = self.others_up().collect();
        for other in others {
            effects.send(other, self.frontier());
        }
    }

    /// Another replica told what it knows and holds.
    pub(crate) fn note_frontier(
        &mut self,
        from: NodeId,
        frontier: &Frontier,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        let other = self.others.entry(from).or_default();
        // Not joined with what it told before: who lost its disk holds less.
        other.committed = frontier.committed.prefixes();
        let rises = !frontier.held.is_subset(&other.held);
        other.held = frontier.held.clone();
        if rises {
            self.raise_floor(effects);
        }
        self.forget_log();
    }

    /// The floor rises to what f + 1 replicas hold, this one among them.
    fn raise_floor(&mut self, effects: &mut Effects<ReplicaRecord>) {
        let holders = match is_planted(Mutant::PrunedHeldByOne) {
            true => 1,
            // As many as a vote needs: f + 1.
            false => self.config.membership.acceptor_quorums().phase2(),
        };
        let mut floor = DepSet::default();
        for (column, own) in self.held.columns() {
            let others = self.others.values().map(|other| other.held.prefix(column));
            let mut held: Vec<u64> = others.chain([own.below()]).collect();
            held.sort_unstable_by(|a, b| b.cmp(a));
            let by_enough = held.get(holders - 1).copied().unwrap_or(0);
            floor.insert_below(column, by_enough.min(own.below()));
        }
        if floor.is_subset(&self.floor) {
            return;
        }
        mark::hit(Mark::FloorRaised);
        self.floor.union(&floor);
        self.prune(self.config.me, effects);
        self.prune_apart(effects);
    }

    /// Tells its own roles again, so that those of an idle node come to an end with writing down what
    /// they keep, and the nodes without a replica, which hear of the floor from others only.
    pub(crate) fn prune_again(&self, effects: &mut Effects<ReplicaRecord>) {
        if !self.floor.is_empty() {
            self.prune(self.config.me, effects);
            self.prune_apart(effects);
        }
    }

    fn prune_apart(&self, effects: &mut Effects<ReplicaRecord>) {
        let membership = &self.config.membership;
        for node in membership.nodes().filter(|node| !membership.has(*node, Role::Replica)) {
            self.prune(node, effects);
        }
    }

    /// Tells the roles of a node what they may forget.
    fn prune(&self, node: NodeId, effects: &mut Effects<ReplicaRecord>) {
        let has = |kind: Kind| kind.receiver_at(&self.config.membership, node).is_some();
        let floor = || self.floor.clone();
        // Behind what was answered before: the proposer takes what is below for answered.
        let mut then = effects.after_earlier();
        if has(Kind::PruneAcceptor) {
            then = then.send(node, PruneAcceptor { floor: floor() });
        }
        if has(Kind::PruneDependency) {
            then = then.send(node, PruneDependency { floor: floor() });
        }
        if has(Kind::PruneProposer) {
            then.send(node, PruneProposer { floor: floor() });
        }
    }

    /// Forgets values that all replicas have, and beyond the limit all that a snapshot here holds.
    fn forget_log(&mut self) {
        let me = self.config.me;
        let mut all = DepSet::default();
        for (column, set) in &self.executed {
            all.insert_below(*column, set.below());
        }
        let replicas = self.config.membership.with(Role::Replica);
        for other in replicas.filter(|node| *node != me) {
            let known = self.others.get(&other).map(|other| &other.committed);
            all = known.map(|known| all.common_prefixes(known)).unwrap_or_default();
        }
        // Who has them all may yet lose its disk: then a snapshot has to hold them, below its cut, for a
        // noop above may have been executed here and be in no barrier's reach for ever. And a replica
        // without a voter writes them down again.
        self.log.forget_below(&all.common_prefixes(&self.held));
        let limits = &self.config.limits;
        if self.log.len() > limits.log_len_max || self.log.bytes() > limits.log_bytes_max {
            mark::hit(Mark::LogCut);
            self.log.forget_below(&self.held);
        }
    }

    /// Begins to write down again what a snapshot does not hold, so that the journal can be trimmed.
    fn rewrite(&mut self, effects: &mut Effects<ReplicaRecord>) {
        effects.append([ReplicaRecord::Pruned { floor: self.held.clone() }]);
        let first = VertexId { epoch: althing_model::Epoch(0), proposer: NodeId(0), seq: 0 };
        self.rewriting = Some(Rewriting { next: first });
        self.rewrite_more(effects);
    }

    /// Writes down some more.
    pub(crate) fn rewrite_more(&mut self, effects: &mut Effects<ReplicaRecord>) {
        let Some(rewriting) = &self.rewriting else {
            return;
        };
        let limits = &self.config.limits;
        let (mut records, mut bytes) = (Vec::new(), 0);
        let mut next = None;
        for (vertex, value) in self.log.from(rewriting.next) {
            if vertex.seq < self.held.prefix(vertex.column()) {
                continue;
            }
            if records.len() >= limits.rewrite_len_max || bytes >= limits.rewrite_bytes_max {
                next = Some(Rewriting { next: vertex });
                break;
            }
            bytes += crate::barrier::value_len(value);
            records.push(ReplicaRecord::Committed { vertex, value: value.clone() });
        }
        if next.is_none() {
            mark::hit(Mark::ReplicaRewritten);
            records.push(ReplicaRecord::Rewritten);
        }
        self.rewriting = next;
        effects.append(records);
    }
}
