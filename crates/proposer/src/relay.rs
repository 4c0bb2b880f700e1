//! In the place of a proposer on a node that lost its disk: it has forgotten which vertices and ballots
//! it used, so it proposes nothing (traps T5 and T14), and passes its clients' submissions on.

use crate::Link;
use althing_model::mark::{self, Mark};
use althing_model::{DepSet, Membership, Micros, NodeId, Role};
use althing_wire::{
    Address, Answer, ClientId, Effects, Ignored, Message, Outcome, ProposerRecord, ReadAnswer,
    ReadOutcome, Relay as Request, Relayed, Submit,
};
use std::collections::BTreeMap;

/// Submissions on their way, about 100 bytes each; beyond it clients are told to slow down.
const IN_FLIGHT_MAX: usize = 16_384;

/// Passes submissions on to the nearest proposer that is up.
///
/// It remembers who waits for what, and nothing else: a client whose answer is lost asks again, as it
/// would of any node.
#[derive(Debug, Clone)]
pub struct Relay {
    proposers: Vec<NodeId>,
    links: BTreeMap<NodeId, Link>,
    in_flight: BTreeMap<u64, InFlight>,
    /// Begins anywhere: an answer to an earlier life is none to this one.
    next_ticket: u64,
    /// How long an answer is waited for.
    patience: Micros,
}

#[derive(Debug, Clone, Copy)]
struct InFlight {
    client: ClientId,
    ticket: u64,
    to: NodeId,
    since: Micros,
}

impl Relay {
    /// Of a node of a cluster; `seed` differs from that of earlier lives.
    pub fn new(me: NodeId, membership: &Membership, seed: u64, patience: Micros) -> Self {
        let proposers = membership.with(Role::Proposer).filter(|node| *node != me).collect();
        let (links, in_flight) = (BTreeMap::new(), BTreeMap::new());
        Self { proposers, links, in_flight, next_ticket: seed, patience }
    }

    /// Learns what the transport measured of a node.
    pub fn on_link(&mut self, node: NodeId, link: Link) {
        self.links.insert(node, link);
        if !link.is_up {
            self.in_flight.retain(|_, it| it.to != node);
        }
    }

    /// A client is gone: nobody waits for its answers.
    pub fn on_client_gone(&mut self, client: ClientId) {
        self.in_flight.retain(|_, it| it.client != client);
    }

    /// Submissions that were passed on and not answered.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Handles a message.
    ///
    /// # Errors
    /// Why it did nothing.
    pub fn handle(
        &mut self,
        now: Micros,
        from: Address,
        message: Message,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        match (from, message) {
            (Address::Client(client), Message::Submit(submit)) => {
                self.on_submit(now, client, submit, effects);
                Ok(())
            }
            (Address::Client(client), Message::Read(read)) => {
                let answer = ReadAnswer { ticket: read.ticket, outcome: ReadOutcome::Command };
                effects.send(client, answer);
                Ok(())
            }
            (Address::Node(node), Message::Relayed(relayed)) => {
                self.on_relayed(node, relayed, effects)
            }
            _ => Err(Ignored::Lost),
        }
    }

    fn on_submit(
        &mut self,
        now: Micros,
        client: ClientId,
        submit: Submit,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let Submit { ticket, operation } = submit;
        if self.in_flight.len() >= IN_FLIGHT_MAX {
            let patience = self.patience;
            self.in_flight.retain(|_, it| now < it.since.saturating_add(patience));
        }
        let to = self.nearest().filter(|_| self.in_flight.len() < IN_FLIGHT_MAX);
        let Some(to) = to else {
            effects.send(
                client,
                Answer { ticket, outcome: Outcome::Overloaded, seen: DepSet::default() },
            );
            return;
        };
        mark::hit(Mark::Relayed);
        let relayed = self.next_ticket;
        self.next_ticket = relayed.wrapping_add(1);
        self.in_flight.insert(relayed, InFlight { client, ticket, to, since: now });
        effects.send(to, Request { ticket: relayed, operation });
    }

    fn on_relayed(
        &mut self,
        from: NodeId,
        relayed: Relayed,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let Relayed { ticket, outcome, seen } = relayed;
        if self.in_flight.get(&ticket).is_none_or(|it| it.to != from) {
            return Err(Ignored::Late);
        }
        // A second copy of the same request may yet be taken there: what was turned away once is not
        // turned away for sure. The client asks elsewhere in time, and concludes nothing from this.
        if outcome == Outcome::Overloaded {
            mark::hit(Mark::RelayTurnedAway);
            return Ok(());
        }
        let InFlight { client, ticket, .. } = self.in_flight.remove(&ticket).expect("found above");
        effects.send(client, Answer { ticket, outcome, seen });
        Ok(())
    }

    fn nearest(&self) -> Option<NodeId> {
        let link = |node: &NodeId| self.links.get(node).copied().unwrap_or_default();
        let up = self.proposers.iter().filter(|node| link(node).is_up);
        up.min_by_key(|node| (link(node).round_trip.unwrap_or(Micros::MAX), **node)).copied()
    }
}
