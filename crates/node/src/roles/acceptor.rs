//! The acceptor, on the classic path.

use crate::metrics::HoldMetrics;
use crate::role_loop::Driven;
use crate::status::Published;
use althing_acceptor::Acceptor;
use althing_model::Micros;
use althing_wire::{AcceptorRecord, Address, Effects, Ignored, Message};
use std::sync::Arc;

pub(crate) struct DrivenAcceptor {
    acceptor: Acceptor,
    metrics: HoldMetrics,
    published: Arc<Published>,
}

impl DrivenAcceptor {
    pub(crate) fn new(acceptor: Acceptor, published: Arc<Published>) -> Self {
        Self { acceptor, metrics: HoldMetrics::new(Self::NAME), published }
    }
}

impl Driven for DrivenAcceptor {
    type Record = AcceptorRecord;
    const NAME: &'static str = "acceptor";

    fn handle(
        &mut self,
        _now: Micros,
        from: Address,
        message: Message,
        effects: &mut Effects<AcceptorRecord>,
    ) -> Result<(), Ignored> {
        self.acceptor.handle(from, message, effects)
    }

    fn publish(&mut self, _now: Micros) {
        self.metrics.publish(self.acceptor.len());
        self.published.set_vertices(Self::NAME, self.acceptor.len() as u64);
    }
}
