//! In the place of the proposer, on a node that lost its disk.

use crate::role_loop::Driven;
use althing_model::{Micros, NodeId};
use althing_proposer::{Link, Relay};
use althing_wire::{Address, ClientId, Effects, Ignored, Message, ProposerRecord};

pub(crate) struct DrivenRelay {
    relay: Relay,
}

impl DrivenRelay {
    pub(crate) fn new(relay: Relay) -> Self {
        Self { relay }
    }
}

impl Driven for DrivenRelay {
    type Record = ProposerRecord;
    const NAME: &'static str = "relay";

    fn handle(
        &mut self,
        now: Micros,
        from: Address,
        message: Message,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        self.relay.handle(now, from, message, effects)
    }

    fn on_link(&mut self, _now: Micros, node: NodeId, link: Link) {
        self.relay.on_link(node, link);
    }

    fn on_client_gone(&mut self, client: ClientId) {
        self.relay.on_client_gone(client);
    }

    fn publish(&mut self, _now: Micros) {}
}
