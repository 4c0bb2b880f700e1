//! The proposer: flushed after each turn, told of links and of clients that are gone.

use crate::metrics::ProposerMetrics;
use crate::role_loop::Driven;
use crate::status::{CommitCounts, ProposerStatus, Published};
use althing_model::{Micros, NodeId};
use althing_proposer::{Link, Proposer};
use althing_wire::{Address, ClientId, Effects, Ignored, Message, ProposerRecord};
use std::sync::Arc;

pub(crate) struct DrivenProposer {
    proposer: Proposer,
    commits: CommitCounts,
    metrics: ProposerMetrics,
    published: Arc<Published>,
}

impl DrivenProposer {
    pub(crate) fn new(proposer: Proposer, published: Arc<Published>) -> Self {
        Self {
            proposer,
            commits: CommitCounts::default(),
            metrics: ProposerMetrics::new(),
            published,
        }
    }
}

impl Driven for DrivenProposer {
    type Record = ProposerRecord;
    const NAME: &'static str = "proposer";

    fn start(&mut self, now: Micros, effects: &mut Effects<ProposerRecord>) {
        self.proposer.start(now, effects);
    }

    fn handle(
        &mut self,
        now: Micros,
        from: Address,
        message: Message,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        self.proposer.handle(now, from, message, effects)
    }

    fn on_link(&mut self, now: Micros, node: NodeId, link: Link) {
        self.proposer.on_link(now, node, link);
    }

    fn on_client_gone(&mut self, client: ClientId) {
        self.proposer.on_client_gone(client);
    }

    fn deadline(&self) -> Option<Micros> {
        self.proposer.deadline()
    }

    fn on_deadline(&mut self, now: Micros, effects: &mut Effects<ProposerRecord>) {
        self.proposer.on_deadline(now, effects);
    }

    fn finish(&mut self, now: Micros, effects: &mut Effects<ProposerRecord>) {
        self.proposer.flush(now, effects);
        for (path, latency) in self.proposer.take_commits() {
            self.commits.count(path);
            self.metrics.commit(path, latency);
        }
    }

    fn publish(&mut self, _now: Micros) {
        let counters = self.proposer.counters();
        let status = ProposerStatus {
            in_flight: self.proposer.in_flight(),
            own_in_flight: self.proposer.own_in_flight(),
            queue: self.proposer.queue_len(),
            commits: self.commits,
            recoveries: counters.recoveries,
            noops: counters.noops,
            refused: counters.refused,
            proposed_again: counters.proposed_again,
            overloaded: counters.overloaded,
            forwarded: counters.forwarded,
            taken: counters.taken,
            taken_back: counters.taken_back,
        };
        self.metrics.publish(&status);
        self.published.set_proposer(status);
    }
}
