//! When a barrier is due: a command over everything, at which all replicas cut a snapshot.
//!
//! What follows a barrier waits for it, and it waits for everything before, so barriers are as rare
//! as memory and disk allow: so many vertices or bytes after the last one, and not sooner than ten
//! times what writing a snapshot takes. Replicas take turns, so that one asks and the others only
//! where it does not.

use crate::Replica;
use althing_model::mark::{self, Mark};
use althing_model::{Micros, NodeId, Role, Value};
use althing_wire::{BarrierDue, Effects, ReplicaRecord};

/// A snapshot may be written during this part of the time.
const SAVING_SHARE: u64 = 10;

/// So many times what makes a barrier due, and it is due at once: memory is short.
const PRESSING: u64 = 4;

/// What a vertex takes in memory and in the journal beside its payloads, about.
pub(crate) const VERTEX_LEN: usize = 256;

/// What happened since the last barrier.
#[derive(Debug, Default)]
pub(crate) struct SinceBarrier {
    /// Vertices executed.
    len: u64,
    /// Their payloads, and what they take beside.
    bytes: u64,
    /// When the last barrier was executed.
    at: Micros,
    /// Another replica needs a snapshot of what was executed since.
    is_wanted: bool,
    /// Not to ask before.
    asked_until: Micros,
    /// How long it took to write the last snapshot.
    pub(crate) saving_took: Micros,
}

impl SinceBarrier {
    pub(crate) fn count(&mut self, value: &Value) {
        self.len += 1;
        self.bytes += value_len(value) as u64;
    }

    /// Another replica lacks what no snapshot holds and nobody has a value of.
    pub(crate) fn want(&mut self) {
        self.is_wanted = true;
    }

    /// Whatever was counted, time begins now.
    pub(crate) fn begin(&mut self, now: Micros) {
        self.at = now;
    }

    /// A barrier was executed, or a snapshot that holds later ones was installed.
    pub(crate) fn passed(&mut self, now: Micros) {
        let saving_took = self.saving_took;
        *self = Self { at: now, saving_took, ..Self::default() };
    }
}

/// What a value takes, about.
pub(crate) fn value_len(value: &Value) -> usize {
    let commands = value.commands.as_slice().iter();
    VERTEX_LEN + commands.map(|command| command.operation.payload_len() + 64).sum::<usize>()
}

impl Replica {
    /// When to ask for a barrier.
    pub(crate) fn barrier_deadline(&self) -> Option<Micros> {
        let (limits, timing) = (&self.config.limits, &self.config.timing);
        let since = &self.since_barrier;
        if limits.barrier_len == 0 || since.len == 0 || self.is_saving() {
            return None;
        }
        self.barrier_from()?;
        let is_over = |times: u64| {
            since.len >= limits.barrier_len.saturating_mul(times)
                || since.bytes >= limits.barrier_bytes.saturating_mul(times)
        };
        let least = timing.barrier_least.max(since.saving_took.saturating_mul(SAVING_SHARE));
        let wait = match (is_over(PRESSING), is_over(1) || since.is_wanted) {
            (true, _) => 0,
            (false, true) => least,
            (false, false) => timing.barrier_most.max(least),
        };
        let turn = self.barrier_turn().saturating_mul(timing.recover);
        Some(since.at.saturating_add(wait).saturating_add(turn).max(since.asked_until))
    }

    /// Asks for one, if it is due.
    pub(crate) fn ask_for_barrier(&mut self, now: Micros, effects: &mut Effects<ReplicaRecord>) {
        if self.barrier_deadline().is_none_or(|at| at > now) {
            return;
        }
        let Some(proposer) = self.barrier_from() else {
            return;
        };
        mark::hit(Mark::BarrierAsked);
        self.since_barrier.asked_until = now + 2 * self.config.timing.recover.max(1);
        effects.send(proposer, BarrierDue);
    }

    /// Who would propose it: the proposer on this node; where no replica that is up has one, any.
    fn barrier_from(&self) -> Option<NodeId> {
        let membership = &self.config.membership;
        if self.config.has_proposer {
            return Some(self.config.me);
        }
        let mut others = self.others_up();
        let is_apart = !others.any(|node| membership.has(node, Role::Proposer));
        is_apart.then(|| self.proposers_up().first().copied()).flatten()
    }

    /// How many replicas ask before this one: the turn goes round with the barriers.
    fn barrier_turn(&self) -> u64 {
        let membership = &self.config.membership;
        let mut asking: Vec<NodeId> =
            membership.with(Role::Replica).filter(|node| !self.down.contains(node)).collect();
        let with_proposer = |node: &NodeId| membership.has(*node, Role::Proposer);
        if asking.iter().any(with_proposer) {
            asking.retain(with_proposer);
        }
        let place = asking.iter().position(|node| *node == self.config.me).unwrap_or_default();
        let count = asking.len().max(1) as u64;
        (place as u64 + count - self.number % count) % count
    }
}
