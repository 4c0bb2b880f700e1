//! Phase 2 and commit, the same on every path.

use crate::work::Work;
use crate::{CommitPath, Proposer};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Ballot, Micros, NodeId, Path, Role, Value, VertexId};
use althing_wire::{Accept, Accepted, Chosen, Commit, Effects, Ignored, ProposerRecord, Refused};
use std::collections::BTreeSet;

impl Proposer {
    /// Proposes `value` in `ballot`; `votes` are there already.
    #[expect(clippy::too_many_arguments, reason = "the parts of one step")]
    pub(crate) fn propose(
        &mut self,
        now: Micros,
        vertex: VertexId,
        ballot: Ballot,
        value: Value,
        votes: BTreeSet<NodeId>,
        path: CommitPath,
        effects: &mut Effects<ProposerRecord>,
    ) {
        self.set_work(vertex, Work::Proposing { ballot, value, votes, path });
        self.send_accepts(now, vertex, effects);
    }

    /// Asks the acceptors that have not voted.
    pub(crate) fn send_accepts(
        &mut self,
        now: Micros,
        vertex: VertexId,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let acceptors = self.acceptors();
        let Some(Work::Proposing { ballot, value, votes, .. }) = self.work_mut(vertex) else {
            unreachable!("only this step asks for votes");
        };
        for acceptor in acceptors.iter().filter(|acceptor| !votes.contains(acceptor)) {
            effects.send(*acceptor, Accept { vertex, ballot: *ballot, value: value.clone() });
        }
        let patience = self.farthest(acceptors) + self.config.timing.retry;
        self.set_timer(vertex, now + patience);
    }

    pub(crate) fn on_accepted(
        &mut self,
        now: Micros,
        acceptor: NodeId,
        accepted: Accepted,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let Accepted { vertex, ballot } = accepted;
        let me = self.config.me;
        let phase2 = self.membership().acceptor_quorums().phase2()
            - usize::from(is_planted(Mutant::Phase2QuorumTooSmall));
        match self.work_mut(vertex) {
            Some(Work::Fencing { .. }) if acceptor == me && ballot == Ballot::classic(vertex) => {
                self.on_fenced(now, vertex, effects);
            }
            Some(Work::Proposing { ballot: current, value, votes, path })
                if ballot == *current || is_planted(Mutant::StaleVotesCounted) =>
            {
                if !votes.insert(acceptor) {
                    mark::hit(Mark::VoteRepeated);
                    return Err(Ignored::Repeated);
                }
                if votes.len() >= phase2 {
                    let (value, path) = (value.clone(), *path);
                    self.commit(now, vertex, value, path, effects);
                }
            }
            _ => {
                mark::hit(Mark::VoteLate);
                return Err(Ignored::Late);
            }
        }
        Ok(())
    }

    /// A higher ballot is promised: another proposer is at it, and this attempt is over.
    pub(crate) fn on_refused(
        &mut self,
        now: Micros,
        acceptor: NodeId,
        refused: Refused,
    ) -> Result<(), Ignored> {
        let Refused { vertex, ballot, promised } = refused;
        let me = self.config.me;
        let current = match self.work_mut(vertex) {
            None | Some(Work::Waiting) => return Err(Ignored::Late),
            // The quorum answered; only the anchor can say no any more.
            Some(Work::Concluding { .. }) if acceptor != me => return Err(Ignored::Late),
            Some(Work::Anchoring { .. } | Work::Voting { .. } | Work::Concluding { .. }) => {
                Ballot::fast(vertex)
            }
            Some(Work::Fencing { .. } | Work::Depending { .. }) => Ballot::classic(vertex),
            Some(
                Work::Proposing { ballot, .. }
                | Work::Preparing { ballot, .. }
                | Work::Consulting { ballot, .. },
            ) => *ballot,
        };
        if ballot != current {
            return Err(Ignored::Late);
        }
        self.counters.refused += 1;
        match self.work_mut(vertex) {
            Some(Work::Anchoring { .. } | Work::Voting { .. }) => mark::hit(Mark::AnchoringRefused),
            Some(Work::Concluding { .. }) => mark::hit(Mark::ConclusionRefused),
            Some(Work::Fencing { .. }) => mark::hit(Mark::FenceRefused),
            _ if current.round >= Ballot::FIRST_RECOVERY_ROUND => mark::hit(Mark::RecoveryRefused),
            _ => {}
        }
        let round = self.rounds.entry(vertex).or_default();
        *round = (*round).max(promised.round);
        let in_flight = self.in_flight.get_mut(&vertex).expect("looked up above");
        in_flight.work = Work::Waiting;
        in_flight.refusals += 1;
        // Trap T10: whoever duels backs off for a random, growing time, which is soon long beside
        // an attempt, whatever the settings say: an attempt takes a few round trips. It grows no
        // further than needed: the winner of a duel may die. The vertex's own proposer waits half
        // as long.
        let exponent = (in_flight.refusals - 1).min(4);
        let own = u64::from(vertex.proposer == me);
        let round_trip = self.farthest(self.acceptors());
        let back_off = ((self.config.timing.back_off + round_trip) << exponent) >> own;
        let patience = round_trip + self.jitter.around(back_off);
        self.set_timer(vertex, now + patience);
        Ok(())
    }

    /// Someone knows that the vertex is committed.
    pub(crate) fn on_chosen(
        &mut self,
        now: Micros,
        chosen: Chosen,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let Chosen { vertex, value } = chosen;
        match self.work_mut(vertex) {
            None => return Err(Ignored::Late),
            Some(Work::Preparing { .. }) => mark::hit(Mark::RecoveryLearntCommit),
            Some(_) => {}
        }
        self.commit(now, vertex, value, CommitPath::Learned, effects);
        Ok(())
    }

    /// The value is chosen: everyone who executes it is told.
    pub(crate) fn commit(
        &mut self,
        now: Micros,
        vertex: VertexId,
        value: Value,
        path: CommitPath,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let Some(in_flight) = self.end(vertex) else {
            return;
        };
        self.commits.push((path, now.saturating_sub(in_flight.since)));
        self.forget_rounds(vertex);
        self.recovery_backlog.remove(&vertex);
        if value.commands.is_noop() {
            self.counters.noops += 1;
        }
        for node in self.learners() {
            // The anchor told its replica itself.
            if path == CommitPath::Fast && node == self.config.me {
                continue;
            }
            effects.send(node, Commit { vertex, value: value.clone() });
        }
        if self.is_own(vertex) {
            self.resolved.insert(vertex.seq);
            if value.commands.is_noop() {
                self.propose_again(now, vertex);
            }
        }
        self.recover_backlog(now, effects);
    }

    /// Who is told of commits: replicas, and on the fast path voters, which pass it on to theirs.
    fn learners(&self) -> Vec<NodeId> {
        let membership = self.membership();
        membership
            .nodes()
            .filter(|node| {
                membership.has(*node, Role::Replica)
                    || membership.path() == Path::Fast && membership.has(*node, Role::Acceptor)
            })
            .collect()
    }
}
