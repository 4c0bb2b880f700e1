//! What is in snapshots is forgotten (`protocol` section 5, invariant I6, trap T16), and barriers are
//! proposed at which they are cut.

use crate::Proposer;
use crate::proposer::{Queued, Submitter};
use crate::work::Work;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{
    Ballot, Command, DepSet, Footprint, Micros, NodeId, Operation, Role, VertexId,
};
use althing_wire::{Effects, Ignored, ProposerRecord, PruneProposer, Pruned};

/// Attempts written again in one call: about 4 KiB of the journal.
const REWRITE_LEN: usize = 64;

/// Whether a vertex is below a floor.
pub(crate) fn is_below(floor: &DepSet, vertex: VertexId) -> bool {
    vertex.seq < floor.prefix(vertex.column())
}

impl Proposer {
    /// Whether a vertex is below the floor: committed, executed and in snapshots.
    pub(crate) fn is_pruned(&self, vertex: VertexId) -> bool {
        is_below(&self.floor, vertex)
    }

    /// The replica beside this proposer wants a barrier; one at a time is enough.
    pub(crate) fn on_barrier_due(&mut self, now: Micros, replica: NodeId) -> Result<(), Ignored> {
        let me = self.config.me;
        // Replicas apart from all proposers ask any of them.
        if replica != me && self.membership().has(me, Role::Replica) {
            return Err(Ignored::Misdirected);
        }
        let is_due = |command: &Command, submitter: &Submitter| {
            command.operation == Operation::Barrier && *submitter == Submitter::Nobody
        };
        let is_queued = self.queue.iter().any(|it| is_due(&it.command, &it.submitter));
        // One that is committed here and not executed yet is still on its way.
        let is_in_flight = || {
            self.unanswered.values().any(|it| {
                let mut commands = it.commands.as_slice().iter().zip(&it.submitters);
                commands.any(|(command, submitter)| is_due(command, submitter))
            })
        };
        if is_queued || is_in_flight() {
            mark::hit(Mark::BarrierUnderWay);
            return Err(Ignored::Repeated);
        }
        mark::hit(Mark::BarrierProposed);
        let command = Command { operation: Operation::Barrier, footprint: Footprint::Everything };
        self.queue.push_back(Queued { command, submitter: Submitter::Nobody, since: now });
        Ok(())
    }

    /// Someone has forgotten the vertex: it is committed and in snapshots, whatever this proposer
    /// knows, and another value must not be proposed in it (trap T16). Its clients are answered by the
    /// replica here, which executes it or installs a snapshot; then the floor comes here too.
    pub(crate) fn on_pruned(
        &mut self,
        now: Micros,
        node: NodeId,
        pruned: Pruned,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let Pruned { vertex } = pruned;
        if is_planted(Mutant::PrunedTakenForNothing)
            && let Some(Work::Preparing { promises, inspected, .. }) = self.work_mut(vertex)
        {
            promises.entry(node).or_insert(None);
            inspected.entry(node).or_insert(None);
            self.count_promises(now, vertex, effects);
            return Ok(());
        }
        if self.end(vertex).is_none() {
            return Err(Ignored::Late);
        }
        mark::hit(Mark::PrunedInFlight);
        // It is not below the floor here yet, so that another attempt may be asked for.
        self.forget_rounds(vertex);
        if self.is_own(vertex) {
            self.resolved.insert(vertex.seq);
        }
        self.recover_backlog(now, effects);
        Ok(())
    }

    /// All vertices below the floor are committed, and executed by the replica here or in a snapshot
    /// that it installed.
    pub(crate) fn on_prune(
        &mut self,
        now: Micros,
        from: NodeId,
        prune: PruneProposer,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let me = self.config.me;
        // The replica here answers the clients first: nobody else knows when it has.
        if from != me && self.membership().has(me, Role::Replica) {
            return Err(Ignored::Misdirected);
        }
        let mut floor = self.floor.clone();
        floor.union(&prune.floor.prefixes());
        if floor == self.floor {
            return Err(Ignored::Repeated);
        }
        mark::hit(Mark::ProposerPruned);
        self.floor = floor;
        let freed = self.end_pruned();
        let below = self.floor.prefix(self.column);
        self.resolved.insert_below(below);
        // Only what an earlier life used can be below, and is not used again.
        self.next_seq = self.next_seq.max(below);
        self.reserved = self.reserved.max(below);
        self.reserving = self.reserving.max(below);
        self.chain.forget_below(below);
        self.propose_unanswered_again(now, below);
        self.forget_attempts();
        self.rewrite(effects);
        for _ in 0..freed {
            self.recover_backlog(now, effects);
        }
        Ok(())
    }

    /// Ends what is done below the floor; how many recoveries have room now.
    fn end_pruned(&mut self) -> usize {
        let pruned: Vec<VertexId> =
            self.in_flight.keys().copied().filter(|vertex| self.is_pruned(*vertex)).collect();
        for vertex in &pruned {
            self.end(*vertex);
        }
        let floor = &self.floor;
        self.recovery_backlog.retain(|vertex| !is_below(floor, *vertex));
        pruned.into_iter().filter(|vertex| !self.is_own(*vertex)).count()
    }

    /// Own vertices below `below` that are still unanswered lost their replies when a snapshot was
    /// installed: the commands that someone waits for get another vertex. Requests cannot take effect
    /// twice; a session that is opened twice is one that nobody uses.
    fn propose_unanswered_again(&mut self, now: Micros, below: u64) {
        let mut lost = Vec::new();
        while let Some(entry) = self.unanswered.first_entry()
            && entry.key().seq < below
        {
            lost.push(entry.remove_entry());
        }
        // The latest first, since each goes before what is queued.
        for (vertex, unanswered) in lost.into_iter().rev() {
            self.forget_requests(vertex, &unanswered.commands);
            let commands = unanswered.commands.as_slice().iter().cloned();
            for (command, submitter) in commands.zip(unanswered.submitters).rev() {
                let request = command.operation.request();
                // A client that asked again waits for the later copy.
                let has_copy = request
                    .is_some_and(|it| self.requests.contains_key(&it) || self.forwarding.has(it));
                if submitter == Submitter::Nobody || has_copy {
                    continue;
                }
                mark::hit(Mark::PrunedUnanswered);
                self.counters.proposed_again += 1;
                if let Some(request) = request {
                    self.requests.insert(request, None);
                }
                self.queue.push_front(Queued { command, submitter, since: now });
            }
        }
    }

    /// Rounds below the floor are of no use, for nothing is attempted there again. Those of vertices
    /// that nothing is done for need not be told apart: one number is above them all (trap T14).
    fn forget_attempts(&mut self) {
        let (floor, in_flight) = (&self.floor, &self.in_flight);
        let rounds_floor = &mut self.rounds_floor;
        self.rounds.retain(|vertex, round| {
            if is_below(floor, *vertex) {
                return false;
            }
            let stays = in_flight.contains_key(vertex);
            if !stays {
                *rounds_floor = (*rounds_floor).max(*round);
            }
            stays
        });
    }

    /// Records the floor, and behind it what is kept: the journal is cut before it. One that began
    /// earlier begins again.
    fn rewrite(&mut self, effects: &mut Effects<ProposerRecord>) {
        let floor = self.floor.clone();
        let (until, resolved) = (self.reserving, self.resolved.below());
        let mut records =
            vec![ProposerRecord::Pruned { floor }, ProposerRecord::Reserved { until, resolved }];
        // All columns, from the first vertex up: the floor has at least one.
        self.rewriting = self.rounds.first_key_value().map(|(vertex, _)| *vertex);
        records.extend(self.rewrite_some());
        effects.append(records);
    }

    /// Goes on with what an earlier call began to write again.
    pub(crate) fn rewrite_more(&mut self, effects: &mut Effects<ProposerRecord>) {
        if self.rewriting.is_some() {
            mark::hit(Mark::RewrittenLater);
            let records = self.rewrite_some();
            effects.append(records);
        }
    }

    /// The next attempts to write again. The last of them is followed by one in a pruned vertex, which
    /// stands for all those that were done with until now, above the floor too: a restarted proposer
    /// goes above its round in every vertex. It comes last, since what is done with in the meantime is
    /// not found by the walk any more.
    fn rewrite_some(&mut self) -> Vec<ProposerRecord> {
        let proposer = self.config.me;
        let attempted = |vertex, round| {
            let ballot = Ballot { round, proposer };
            ProposerRecord::Attempted { vertex, ballot }
        };
        let mut records = Vec::new();
        let mut rest = self.rewriting.take().map(|from| self.rounds.range(from..)).into_iter();
        let mut rest = rest.by_ref().flatten();
        for (vertex, round) in rest.by_ref().take(REWRITE_LEN) {
            records.push(attempted(*vertex, *round));
        }
        let next = rest.next().map(|(vertex, _)| *vertex);
        if is_planted(Mutant::AttemptsForgotten) {
            return vec![ProposerRecord::Rewritten];
        }
        if next.is_none() {
            let pruned = self.floor.columns().next().map(|(column, _)| column.vertex(0));
            // Lower rounds are not attempts, and not everyone's in every vertex: a restart would not
            // read the record.
            if self.rounds_floor >= Ballot::FIRST_RECOVERY_ROUND
                && let Some(pruned) = pruned
            {
                records.push(attempted(pruned, self.rounds_floor));
            }
            records.push(ProposerRecord::Rewritten);
        }
        self.rewriting = next;
        records
    }
}
