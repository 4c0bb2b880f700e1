//! What a proposer does when nobody answers.

use crate::Proposer;
use crate::work::Work;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Micros, VertexId};
use althing_wire::{Effects, ProposerRecord};

impl Proposer {
    /// The earliest time at which [`Self::on_deadline`] has something to do.
    pub fn deadline(&self) -> Option<Micros> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let batch = self.batch_deadline();
        let forward = self.forward_deadline();
        timer.into_iter().chain(batch).chain(forward).chain(self.unanswered_deadline()).min()
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, now: Micros, effects: &mut Effects<ProposerRecord>) {
        while let Some((at, vertex)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.pop_first();
            self.on_timer(now, vertex, effects);
        }
        self.forget_unanswered(now);
        self.forward_on_deadline(now, effects);
        self.flush(now, effects);
    }

    /// Nobody answered for long about a vertex: ask again those who have not, give the fast path up,
    /// or try again in a higher ballot. For [`Self::on_deadline`], and for whoever drives the role
    /// by choices instead of time.
    pub fn on_timer(
        &mut self,
        now: Micros,
        vertex: VertexId,
        effects: &mut Effects<ProposerRecord>,
    ) {
        match self.work_mut(vertex) {
            None => {}
            Some(Work::Anchoring { .. } | Work::Concluding { .. } | Work::Fencing { .. }) => {
                mark::hit(Mark::AnchorAskedAgain);
                self.ask_anchor(now, vertex, effects);
            }
            Some(Work::Voting { .. }) => self.give_up_fast_path(now, vertex, effects),
            Some(Work::Depending { .. } | Work::Consulting { .. }) => {
                mark::hit(Mark::DependenciesAskedAgain);
                self.ask_dependencies(now, vertex, effects);
            }
            Some(Work::Proposing { .. }) if is_planted(Mutant::AcceptsNotResent) => {}
            Some(Work::Proposing { .. }) => {
                mark::hit(Mark::AcceptsResent);
                self.send_accepts(now, vertex, effects);
            }
            Some(Work::Preparing { .. }) => {
                mark::hit(Mark::PreparesResent);
                self.send_prepares(now, vertex, effects);
            }
            Some(Work::Waiting) => {
                mark::hit(Mark::RecoveryResumed);
                self.prepare(now, vertex, effects);
            }
        }
    }

    /// When the oldest that is unanswered makes room, if others wait for that.
    fn unanswered_deadline(&self) -> Option<Micros> {
        let is_full = self.unanswered.len() >= self.config.limits.unanswered_max();
        let (vertex, oldest) = self.unanswered.first_key_value()?;
        let is_due = is_full && !self.queue.is_empty() && !self.in_flight.contains_key(vertex);
        is_due.then_some(oldest.since.saturating_add(self.config.timing.answer))
    }

    /// Clients that were not answered for long have given up: their outcome is unknown to them, and
    /// a retry with the same request id finds the reply at a replica.
    fn forget_unanswered(&mut self, now: Micros) {
        while let Some(entry) = self.unanswered.first_entry()
            && now >= entry.get().since + self.config.timing.answer
            && !self.in_flight.contains_key(entry.key())
        {
            mark::hit(Mark::UnansweredForgotten);
            let (vertex, forgotten) = entry.remove_entry();
            self.forget_requests(vertex, &forgotten.commands);
        }
    }
}
