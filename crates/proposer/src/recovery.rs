//! Recovery of a vertex in a ballot of round 2 or higher: its own proposer's after a restart, or
//! anyone's who is blocked by it (`protocol` sections 3 and 4).

use crate::chain::noop_deps;
use crate::fast::union;
use crate::work::Work;
use crate::{CommitPath, Proposer};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Commands, DepSet, Micros, NodeId, Value, VertexId};
use althing_wire::{
    Effects, Held, Ignored, Inspect, Inspected, Prepare, Promised, ProposerRecord, Recover, Vote,
};
use std::collections::{BTreeMap, BTreeSet};

impl Proposer {
    pub(crate) fn on_recover(
        &mut self,
        now: Micros,
        recover: Recover,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let vertex = recover.vertex;
        if self.is_pruned(vertex) {
            // It is committed, executed, and in snapshots: whoever is blocked by it installs one.
            mark::hit(Mark::RecoveryOfPruned);
            return Err(Ignored::Late);
        }
        if self.in_flight.contains_key(&vertex) {
            mark::hit(Mark::RecoveryRepeated);
            return Err(Ignored::Repeated);
        }
        if self.is_own(vertex) && vertex.seq >= self.next_seq {
            // It was never used; nobody can depend on it.
            return Err(Ignored::Contradiction);
        }
        self.recover(now, vertex, effects);
        Ok(())
    }

    /// Begins to recover a vertex, now or when others are done.
    pub(crate) fn recover(
        &mut self,
        now: Micros,
        vertex: VertexId,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let recoveries = self.in_flight.len() - self.own_in_flight;
        let limit = self.config.limits.recoveries_max;
        if recoveries >= limit {
            mark::hit(Mark::RecoveryPostponed);
            if self.recovery_backlog.len() < limit * 64 {
                self.recovery_backlog.insert(vertex);
            }
            return;
        }
        self.begin(now, vertex, Work::Waiting);
        self.prepare(now, vertex, effects);
    }

    /// Goes on with recoveries that waited for room: with any of them, for the other proposers have
    /// the same to do, and all would duel over the first (trap T10).
    pub(crate) fn recover_backlog(&mut self, now: Micros, effects: &mut Effects<ProposerRecord>) {
        let recoveries = self.in_flight.len() - self.own_in_flight;
        while recoveries < self.config.limits.recoveries_max && !self.recovery_backlog.is_empty() {
            let at = self.jitter.below(self.recovery_backlog.len());
            let vertex = *self.recovery_backlog.iter().nth(at).expect("it is below the length");
            self.recovery_backlog.remove(&vertex);
            if !self.in_flight.contains_key(&vertex) {
                self.recover(now, vertex, effects);
                break;
            }
        }
    }

    /// Phase 1, in a new ballot. The attempt is on disk before the first request leaves: a ballot
    /// is one attempt, also across a restart (trap T14).
    pub(crate) fn prepare(
        &mut self,
        now: Micros,
        vertex: VertexId,
        effects: &mut Effects<ProposerRecord>,
    ) {
        self.counters.recoveries += 1;
        let ballot = self.next_ballot(vertex);
        let (promises, inspected) = (BTreeMap::new(), BTreeMap::new());
        self.set_work(vertex, Work::Preparing { ballot, promises, inspected });
        if !is_planted(Mutant::AttemptNotRecorded) {
            effects.append([ProposerRecord::Attempted { vertex, ballot }]);
        }
        self.send_prepares(now, vertex, effects);
    }

    /// Asks those who have not answered phase 1.
    pub(crate) fn send_prepares(
        &mut self,
        now: Micros,
        vertex: VertexId,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let acceptors = self.acceptors();
        let nodes = if self.is_fast_path() { Vec::new() } else { self.dependency_nodes() };
        let Some(Work::Preparing { ballot, promises, inspected }) = self.work_mut(vertex) else {
            unreachable!("only this step is phase 1");
        };
        let ballot = *ballot;
        let mut then = effects.after_earlier();
        for acceptor in acceptors.iter().filter(|acceptor| !promises.contains_key(acceptor)) {
            then = then.send(*acceptor, Prepare { vertex, ballot });
        }
        for node in nodes.iter().filter(|node| !inspected.contains_key(node)) {
            effects.send(*node, Inspect { vertex, ballot });
        }
        let patience = self.farthest(acceptors) + self.config.timing.retry;
        self.set_timer(vertex, now + patience);
    }

    pub(crate) fn on_promised(
        &mut self,
        now: Micros,
        acceptor: NodeId,
        promised: Promised,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let Promised { vertex, ballot, vote } = promised;
        match self.work_mut(vertex) {
            Some(Work::Preparing { ballot: current, promises, .. })
                if ballot == *current || is_planted(Mutant::StalePromisesCounted) =>
            {
                if promises.contains_key(&acceptor) {
                    return Err(Ignored::Repeated);
                }
                promises.insert(acceptor, vote);
            }
            _ => {
                mark::hit(Mark::PromiseLate);
                return Err(Ignored::Late);
            }
        }
        self.count_promises(now, vertex, effects);
        Ok(())
    }

    pub(crate) fn on_inspected(
        &mut self,
        now: Micros,
        node: NodeId,
        answer: Inspected,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let Inspected { vertex, ballot, held } = answer;
        match self.work_mut(vertex) {
            Some(Work::Preparing { ballot: current, inspected, .. }) if ballot == *current => {
                if inspected.contains_key(&node) {
                    return Err(Ignored::Repeated);
                }
                inspected.insert(node, held);
            }
            _ => return Err(Ignored::Late),
        }
        self.count_promises(now, vertex, effects);
        Ok(())
    }

    /// With a phase-1 quorum of promises, decides what to propose.
    pub(crate) fn count_promises(
        &mut self,
        now: Micros,
        vertex: VertexId,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let phase1 = self.membership().acceptor_quorums().phase1()
            - usize::from(is_planted(Mutant::Phase1QuorumTooSmall));
        let dependency = self.membership().dependency_quorums().dependency();
        let is_fast_path = self.is_fast_path();
        let Some(Work::Preparing { ballot, promises, inspected }) = self.work_mut(vertex) else {
            unreachable!("only this step counts promises");
        };
        if promises.len() < phase1 || !is_fast_path && inspected.len() < dependency {
            return;
        }
        let ballot = *ballot;
        let choice = if is_fast_path {
            choose_after_fast(vertex, promises)
        } else {
            choose_after_classic(vertex, promises, inspected)
        };
        match choice {
            Choice::Propose(value, why) => {
                match why {
                    Why::Vote => self.counters.adopted_votes += 1,
                    Why::FastQuorum => self.counters.rebuilt += 1,
                    Why::Nobody => {}
                }
                let path = CommitPath::Recovered;
                self.propose(now, vertex, ballot, value, BTreeSet::new(), path, effects);
            }
            Choice::Consult { commands, answers } => {
                self.counters.consulted += 1;
                let answers = if is_planted(Mutant::RecoveryForgetsAnswers) {
                    BTreeMap::new()
                } else {
                    answers
                };
                let base = union(answers.values());
                self.set_work(vertex, Work::Consulting { ballot, commands, base, answers });
                self.ask_dependencies(now, vertex, effects);
                self.count_dependencies(now, vertex, effects);
            }
        }
    }
}

/// What a recovery does after phase 1.
enum Choice {
    /// Propose this value.
    Propose(Value, Why),
    /// Complete a dependency quorum for these commands; these answers are there already.
    Consult { commands: Commands, answers: BTreeMap<NodeId, DepSet> },
}

/// Why a value may be proposed.
enum Why {
    /// It is the vote in the highest ballot (case b).
    Vote,
    /// It equals a fast commit, if there was one (case d2).
    FastQuorum,
    /// Nobody can have committed anything (case c).
    Nobody,
}

/// The cases of `protocol` section 4; the first that matches.
fn choose_after_fast(vertex: VertexId, promises: &BTreeMap<NodeId, Option<Vote>>) -> Choice {
    if let Some(vote) = highest_vote(promises)
        && vote.ballot.round > 0
    {
        mark::hit(Mark::RecoveryAdoptedVote);
        return Choice::Propose(vote.value.clone(), Why::Vote);
    }
    // From here on all votes are of round 0.
    let answers: BTreeMap<NodeId, DepSet> = promises
        .iter()
        .filter_map(|(node, vote)| Some((*node, vote.as_ref()?.value.deps.clone())))
        .collect();
    let Some(vote) = promises.values().flatten().next() else {
        mark::hit(Mark::RecoveryFoundNothing);
        return noop(vertex);
    };
    let commands = vote.value.commands.clone();
    let fast = vote.fast.as_ref().expect("a vote of round 0 names its fast quorum");
    if is_planted(Mutant::NoopAlthoughVoted) {
        return noop(vertex);
    }
    if is_planted(Mutant::OneFastVoteAdopted) {
        return Choice::Propose(vote.value.clone(), Why::FastQuorum);
    }
    let has_anchor_answered = promises.contains_key(&fast.anchor)
        && !is_planted(Mutant::RebuiltAlthoughTheAnchorAnswered);
    let has_one_no_vote = !is_planted(Mutant::RebuiltAlthoughOneHadNoVote)
        && fast.members.iter().any(|member| matches!(promises.get(member), Some(None)));
    let is_blind = is_planted(Mutant::ConsultedAlthoughTheAnchorIsSilent);
    if has_anchor_answered || has_one_no_vote || is_blind {
        mark::hit(match has_anchor_answered {
            true => Mark::RecoveryAnchorAnswered,
            false => Mark::RecoveryMemberWithoutVote,
        });
        return Choice::Consult { commands, answers };
    }
    // The anchor is silent, and every member of the fast quorum that answered voted: of the f
    // reporters of any dependency at least one answered, and what the anchor alone knew is in every
    // answer. Answers from outside the quorum do not count (trap T2).
    mark::hit(Mark::RecoveryRebuilt);
    let is_counted = |node: &NodeId| {
        fast.members.contains(node) || is_planted(Mutant::RebuiltFromOutsideTheQuorum)
    };
    let counted = answers.iter().filter(|(node, _)| is_counted(node)).map(|(_, deps)| deps);
    Choice::Propose(Value { commands, deps: union(counted) }, Why::FastQuorum)
}

/// The classic path: a vote binds; else the command, if a dependency node holds it.
fn choose_after_classic(
    vertex: VertexId,
    promises: &BTreeMap<NodeId, Option<Vote>>,
    inspected: &BTreeMap<NodeId, Option<Held>>,
) -> Choice {
    if let Some(vote) = highest_vote(promises) {
        mark::hit(Mark::RecoveryAdoptedVote);
        return Choice::Propose(vote.value.clone(), Why::Vote);
    }
    let Some(held) = inspected.values().flatten().next() else {
        mark::hit(Mark::ClassicFoundNothing);
        return noop(vertex);
    };
    mark::hit(Mark::ClassicConsulted);
    let answers = inspected
        .iter()
        .filter_map(|(node, held)| Some((*node, held.as_ref()?.deps.clone())))
        .collect();
    Choice::Consult { commands: held.commands.clone(), answers }
}

fn highest_vote(promises: &BTreeMap<NodeId, Option<Vote>>) -> Option<&Vote> {
    let votes = promises.values().flatten();
    if is_planted(Mutant::LowestVoteAdopted) {
        return votes.filter(|vote| vote.ballot.round > 0).min_by_key(|vote| vote.ballot);
    }
    votes.max_by_key(|vote| vote.ballot)
}

fn noop(vertex: VertexId) -> Choice {
    Choice::Propose(Value { commands: Commands::Noop, deps: noop_deps(vertex) }, Why::Nobody)
}
