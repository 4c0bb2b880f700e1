//! The replica: its steps are counted and let go.

use crate::metrics::ReplicaMetrics;
use crate::role_loop::Driven;
use crate::status::{Published, ReplicaStatus};
use althing_model::{Micros, NodeId};
use althing_proposer::Link;
use althing_replica::Replica;
use althing_wire::{Address, Effects, Ignored, Message, ReplicaRecord};
use std::sync::Arc;
use tokio::sync::oneshot;

pub(crate) struct DrivenReplica {
    replica: Replica,
    metrics: ReplicaMetrics,
    published: Arc<Published>,
}

impl DrivenReplica {
    pub(crate) fn new(replica: Replica, published: Arc<Published>) -> Self {
        Self { replica, metrics: ReplicaMetrics::new(), published }
    }
}

impl Driven for DrivenReplica {
    type Record = ReplicaRecord;
    const NAME: &'static str = "replica";

    fn start(&mut self, now: Micros, _effects: &mut Effects<ReplicaRecord>) {
        self.replica.start(now);
    }

    fn handle(
        &mut self,
        now: Micros,
        from: Address,
        message: Message,
        effects: &mut Effects<ReplicaRecord>,
    ) -> Result<(), Ignored> {
        self.replica.handle(now, from, message, effects)
    }

    fn on_link(&mut self, now: Micros, node: NodeId, link: Link) {
        self.replica.on_link(now, node, link.is_up);
    }

    fn on_digest(&self, answer: oneshot::Sender<u64>) {
        // Whoever asked may have lost patience.
        let _ = answer.send(self.replica.digest());
    }

    fn deadline(&self) -> Option<Micros> {
        self.replica.deadline()
    }

    fn on_deadline(&mut self, now: Micros, effects: &mut Effects<ReplicaRecord>) {
        self.replica.on_deadline(now, effects);
    }

    fn finish(&mut self, _now: Micros, _effects: &mut Effects<ReplicaRecord>) {
        for step in self.replica.take_steps() {
            self.metrics.step(step.component_len);
        }
    }

    fn publish(&mut self, now: Micros) {
        let counters = self.replica.counters();
        let blocked_us = self.replica.blocked_since().map_or(0, |since| now.saturating_sub(since));
        let status = ReplicaStatus {
            committed: counters.committed,
            executed: counters.executed,
            applied: counters.applied,
            pending: self.replica.pending_len(),
            blocked: self.replica.blocked_len(),
            blocked_age_ms: blocked_us / 1000,
            sessions: self.replica.sessions_len(),
            recoveries_asked: counters.recoveries_asked,
            caught_up: counters.caught_up,
        };
        self.metrics.publish(&status);
        self.published.set_replica(status);
    }
}
