//! The voter: dependency node and acceptor in one, on the fast path.

use crate::metrics::HoldMetrics;
use crate::role_loop::Driven;
use crate::status::Published;
use althing_model::Micros;
use althing_voter::Voter;
use althing_wire::{Address, Effects, Ignored, Message, VoterRecord};
use std::sync::Arc;

pub(crate) struct DrivenVoter {
    voter: Voter,
    metrics: HoldMetrics,
    published: Arc<Published>,
}

impl DrivenVoter {
    pub(crate) fn new(voter: Voter, published: Arc<Published>) -> Self {
        Self { voter, metrics: HoldMetrics::new(Self::NAME), published }
    }
}

impl Driven for DrivenVoter {
    type Record = VoterRecord;
    const NAME: &'static str = "voter";

    fn handle(
        &mut self,
        _now: Micros,
        from: Address,
        message: Message,
        effects: &mut Effects<VoterRecord>,
    ) -> Result<(), Ignored> {
        self.voter.handle(from, message, effects)
    }

    fn publish(&mut self, _now: Micros) {
        self.metrics.publish(self.voter.len());
        self.published.set_vertices(Self::NAME, self.voter.len() as u64);
    }
}
