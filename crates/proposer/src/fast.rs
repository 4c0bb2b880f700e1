//! The fast path: one wide-area round trip (`protocol` section 4, steps 1 to 4; Enes et al.,
//! EuroSys '20, with the rule that only the anchor concludes).

use crate::work::Work;
use crate::{CommitPath, Proposer};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Ballot, Commands, DepSet, Micros, NodeId, Value, VertexId};
use althing_wire::{
    Accept, Conclude, Concluded, Effects, Ignored, PreAccept, PreAccepted, ProposerRecord,
};
use std::collections::{BTreeMap, BTreeSet};

impl Proposer {
    /// Step 1: the own voter first. Its dependencies go to the others with the request.
    pub(crate) fn propose_fast(
        &mut self,
        now: Micros,
        vertex: VertexId,
        commands: Commands,
        base: DepSet,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let (quorum, is_fast) = self.choose_fast_quorum();
        if !is_fast {
            mark::hit(Mark::FastPathHopeless);
        }
        self.begin(now, vertex, Work::Anchoring { commands, base, quorum, is_fast });
        self.ask_anchor(now, vertex, effects);
    }

    /// Sends, or sends again, what the anchor must answer before anyone else.
    pub(crate) fn ask_anchor(
        &mut self,
        now: Micros,
        vertex: VertexId,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let anchor = self.config.me;
        match self.work_mut(vertex) {
            Some(Work::Anchoring { commands, base, quorum, .. }) => {
                let (commands, base) = (commands.clone(), base.clone());
                let quorum = quorum.clone();
                effects.send(anchor, PreAccept { vertex, commands, base, quorum, anchor });
            }
            Some(Work::Concluding { value }) => {
                let deps = value.deps.clone();
                effects.send(anchor, Conclude { vertex, deps });
            }
            Some(Work::Fencing { value }) => {
                let (ballot, value) = (Ballot::classic(vertex), value.clone());
                effects.send(anchor, Accept { vertex, ballot, value });
            }
            _ => unreachable!("only these steps ask the anchor alone"),
        }
        self.set_timer(vertex, now + self.config.timing.retry);
    }

    pub(crate) fn on_pre_accepted(
        &mut self,
        now: Micros,
        voter: NodeId,
        pre_accepted: PreAccepted,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let PreAccepted { vertex, deps } = pre_accepted;
        let me = self.config.me;
        match self.work_mut(vertex) {
            Some(Work::Anchoring { commands, quorum, is_fast, .. }) if voter == me => {
                let (commands, quorum) = (commands.clone(), std::mem::take(quorum));
                let is_fast = *is_fast;
                self.ask_voters(now, vertex, commands, deps, quorum, is_fast, effects);
                Ok(())
            }
            Some(Work::Voting { answers, .. }) => {
                if answers.contains_key(&voter) {
                    return Err(Ignored::Repeated);
                }
                answers.insert(voter, deps);
                self.count_answers(now, vertex, effects);
                Ok(())
            }
            _ => {
                mark::hit(Mark::AnswerLate);
                Err(Ignored::Late)
            }
        }
    }

    /// Step 2: all voters are asked. Answers from outside the quorum serve the slow path alone.
    #[expect(clippy::too_many_arguments, reason = "the parts of one step")]
    fn ask_voters(
        &mut self,
        now: Micros,
        vertex: VertexId,
        commands: Commands,
        base: DepSet,
        quorum: Vec<NodeId>,
        is_fast: bool,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let patience = self.farthest(quorum.iter().copied()) + self.config.timing.fast_path;
        let answers = BTreeMap::from([(self.config.me, base.clone())]);
        self.set_work(vertex, Work::Voting { commands, base, quorum, is_fast, answers });
        self.send_pre_accepts(vertex, effects);
        self.set_timer(vertex, now + patience);
    }

    /// Asks the voters that have not answered.
    fn send_pre_accepts(&mut self, vertex: VertexId, effects: &mut Effects<ProposerRecord>) {
        let anchor = self.config.me;
        let voters = self.acceptors();
        let Some(Work::Voting { commands, base, quorum, answers, .. }) = self.work_mut(vertex)
        else {
            unreachable!("only this step asks all voters");
        };
        for voter in voters.into_iter().filter(|voter| !answers.contains_key(voter)) {
            let (commands, base, quorum) = (commands.clone(), base.clone(), quorum.clone());
            effects.send(voter, PreAccept { vertex, commands, base, quorum, anchor });
        }
    }

    /// Steps 3 and 4: conclude when the whole quorum answered and enough of it reported each
    /// dependency; otherwise, once the fast path is given up, go on with a majority's union.
    fn count_answers(
        &mut self,
        now: Micros,
        vertex: VertexId,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let quorums = self.membership().acceptor_quorums();
        let Some(Work::Voting { quorum, answers, is_fast, commands, .. }) = self.work_mut(vertex)
        else {
            unreachable!("only this step counts answers");
        };
        if *is_fast {
            let mut counted: Vec<&DepSet> =
                quorum.iter().filter_map(|member| answers.get(member)).collect();
            if is_planted(Mutant::AnswerFromOutsideTheQuorum) {
                counted = answers.values().take(quorum.len()).collect();
            }
            if counted.len() + usize::from(is_planted(Mutant::FastQuorumIncomplete)) < quorum.len()
            {
                return;
            }
            let threshold = quorums.f() - usize::from(is_planted(Mutant::FastThresholdMinusOne));
            if DepSet::is_each_held_by(&counted, threshold) {
                let deps = union(counted.iter().copied());
                if counted.iter().any(|answer| **answer != deps) {
                    mark::hit(Mark::FastDespiteDifference);
                }
                let value = Value { commands: commands.clone(), deps };
                self.set_work(vertex, Work::Concluding { value });
                self.ask_anchor(now, vertex, effects);
                return;
            }
            // Disagreement: the fast path is given up for good.
            mark::hit(Mark::FastThresholdMissed);
            *is_fast = false;
        }
        let missing = usize::from(is_planted(Mutant::SlowQuorumTooSmall));
        if answers.len() + missing >= quorums.dependency() {
            let value = Value { commands: commands.clone(), deps: union(answers.values()) };
            self.set_work(vertex, Work::Fencing { value });
            if is_planted(Mutant::FenceAssumed) {
                self.on_fenced(now, vertex, effects);
                return;
            }
            self.ask_anchor(now, vertex, effects);
        }
    }

    /// A member of the fast quorum is silent for long: the fast path is given up for good.
    pub(crate) fn give_up_fast_path(
        &mut self,
        now: Micros,
        vertex: VertexId,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let changed =
            is_planted(Mutant::QuorumChangedOnResend).then(|| self.choose_fast_quorum().0);
        let Some(Work::Voting { is_fast, quorum, .. }) = self.work_mut(vertex) else {
            unreachable!("only this step has a fast path to give up");
        };
        if *is_fast {
            mark::hit(Mark::FastPathTimedOut);
        }
        match changed {
            Some(changed) => *quorum = changed,
            None => *is_fast = false,
        }
        self.count_answers(now, vertex, effects);
        if let Some(Work::Voting { .. }) = self.work_mut(vertex) {
            self.send_pre_accepts(vertex, effects);
            let patience = self.farthest(self.acceptors()) + self.config.timing.retry;
            self.set_timer(vertex, now + patience);
        }
    }

    /// The anchor committed, durably: now others may hear of it (trap T1).
    pub(crate) fn on_concluded(
        &mut self,
        now: Micros,
        voter: NodeId,
        concluded: Concluded,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let vertex = concluded.vertex;
        if voter != self.config.me {
            return Err(Ignored::NotTheOwner);
        }
        let Some(Work::Concluding { value }) = self.work_mut(vertex) else {
            return Err(Ignored::Late);
        };
        let value = value.clone();
        self.commit(now, vertex, value, CommitPath::Fast, effects);
        Ok(())
    }

    /// The anchor voted in round 1: from now on it never concludes round 0 (trap T15), and the
    /// other voters may hear of round 1.
    pub(crate) fn on_fenced(
        &mut self,
        now: Micros,
        vertex: VertexId,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let me = self.config.me;
        let Some(Work::Fencing { value }) = self.work_mut(vertex) else {
            unreachable!("only this step fences");
        };
        let value = value.clone();
        let votes = BTreeSet::from([me]);
        let ballot = Ballot::classic(vertex);
        self.propose(now, vertex, ballot, value, votes, CommitPath::Slow, effects);
    }
}

pub(crate) fn union<'a>(answers: impl IntoIterator<Item = &'a DepSet>) -> DepSet {
    let mut union = DepSet::default();
    answers.into_iter().for_each(|deps| union.union(deps));
    union
}
