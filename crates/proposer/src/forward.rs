//! Commands for a better placed proposer: which, when to take them back, and those of others.
//!
//! A command on a contended resource is forwarded where [`crate::placement`] says so. It keeps its
//! request id, so that it takes effect once whatever becomes of it (`protocol` section 7): here it
//! waits until the replica beside this proposer has executed it, and is proposed here when that takes
//! too long or the other node is believed down.

use crate::Proposer;
use crate::placement::Sites;
use crate::proposer::{Queued, Submitter};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Command, Footprint, Micros, NodeId, Operation, RequestId, Role};
use althing_wire::{
    Answer, Demand, Distances, Effects, Forward, Ignored, Outcome, ProposerRecord, Served,
};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// How often the patience with a hub can double.
const DOUBLINGS_MAX: u32 = 6;

/// What a proposer knows of better places, and what it has sent there. All of it is volatile.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forwarding {
    /// Round trips as others measured them.
    round_trips: BTreeMap<(NodeId, NodeId), Micros>,
    /// When to tell the others what was measured here; 0 for soon.
    tell_at: Micros,
    /// Resources whose commands are better proposed elsewhere, and where.
    placements: BTreeMap<Bytes, NodeId>,
    forwarded: BTreeMap<RequestId, Forwarded>,
    due: BTreeSet<(Micros, RequestId)>,
    /// Doublings of the patience: one for each command that was taken back, less one for each served.
    doublings: u32,
}

#[derive(Debug, Clone)]
struct Forwarded {
    command: Command,
    submitter: Submitter,
    to: NodeId,
    due: Micros,
}

impl Forwarding {
    /// A client asks again for a request that was forwarded: whoever asked last gets the reply.
    pub(crate) fn is_repeated(&mut self, request: RequestId, submitter: Submitter) -> bool {
        let forwarded = self.forwarded.get_mut(&request);
        forwarded.map(|it| it.submitter = submitter).is_some()
    }

    /// How many commands are elsewhere.
    pub(crate) fn len(&self) -> usize {
        self.forwarded.len()
    }

    /// How many resources are placed elsewhere.
    pub(crate) fn placements_len(&self) -> usize {
        self.placements.len()
    }

    fn remove(&mut self, request: RequestId) -> Option<Forwarded> {
        let forwarded = self.forwarded.remove(&request)?;
        self.due.remove(&(forwarded.due, request));
        Some(forwarded)
    }
}

impl Proposer {
    /// Where a command is better proposed; none for here.
    pub(crate) fn better_placed(&self, command: &Command) -> Option<NodeId> {
        let Footprint::Resources(resources) = &command.footprint else {
            return None;
        };
        // The replica tells of the sessions that were opened here, no others.
        let is_home = |it: RequestId| it.session.opened.proposer == self.config.me;
        command.operation.request().filter(|it| is_home(*it))?;
        if self.forwarding.placements.is_empty()
            || self.forwarding.len() >= self.config.limits.in_flight_max
        {
            return None;
        }
        let placements = &self.forwarding.placements;
        let to = resources.iter().find_map(|(resource, _)| placements.get(resource))?;
        self.is_up(*to).then_some(*to)
    }

    /// Lets a better placed proposer have the command.
    pub(crate) fn forward(
        &mut self,
        now: Micros,
        to: NodeId,
        command: Command,
        submitter: Submitter,
        effects: &mut Effects<ProposerRecord>,
    ) {
        mark::hit(Mark::Forwarded);
        self.counters.forwarded += 1;
        let request = command.operation.request().expect("only requests are forwarded");
        effects.send(to, Forward { operation: command.operation.clone() });
        // There and back, its commit there, and what that waits for.
        let patience = 3 * self.farthest(self.acceptors()) + self.config.timing.retry;
        let due = now + (patience << self.forwarding.doublings);
        self.forwarding.due.insert((due, request));
        self.forwarding.forwarded.insert(request, Forwarded { command, submitter, to, due });
    }

    /// Another proposer's command, better proposed here.
    pub(crate) fn on_forward(&mut self, now: Micros, forward: Forward) -> Result<(), Ignored> {
        let Forward { mut operation } = forward;
        let Operation::Apply { request, payload, .. } = &mut operation else {
            return Err(Ignored::Contradiction);
        };
        if self.requests.contains_key(request) {
            return Err(Ignored::Repeated);
        }
        if !self.may_be_open(request.session) {
            return Err(Ignored::Contradiction);
        }
        let Ok(footprint) = self.conflicts.footprint(payload) else {
            return Err(Ignored::Contradiction);
        };
        if self.queue.len() >= self.config.limits.queue_len_max {
            mark::hit(Mark::ForwardTurnedAway);
            self.counters.overloaded += 1;
            return Err(Ignored::Late);
        }
        if is_planted(Mutant::ForwardedAsNew) {
            request.sequence += 1 << 33;
        }
        mark::hit(Mark::ForwardTaken);
        self.counters.taken += 1;
        self.requests.insert(*request, None);
        let command = Command { operation, footprint };
        self.queue.push_back(Queued { command, submitter: Submitter::Proposer, since: now });
        Ok(())
    }

    /// A forwarded command was executed by the replica beside this proposer.
    pub(crate) fn on_served(
        &mut self,
        served: Served,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let Served { request, reply } = served;
        let Some(forwarded) = self.forwarding.remove(request) else {
            return Err(Ignored::Late);
        };
        self.forwarding.doublings = self.forwarding.doublings.saturating_sub(1);
        if let Submitter::Client { client, ticket } = forwarded.submitter {
            effects.send(client, Answer { ticket, outcome: Outcome::Executed(reply) });
        }
        Ok(())
    }

    /// The replica beside this proposer counted who contends for a resource.
    pub(crate) fn on_demand(&mut self, demand: Demand) -> Result<(), Ignored> {
        let limit = self.config.limits.placements_max;
        let me = self.config.me;
        let earlier = self.forwarding.placements.remove(&demand.resource);
        if limit == 0 || demand.commands.is_empty() {
            return Ok(());
        }
        let Some(sites) = self.sites() else {
            return Err(Ignored::Late);
        };
        let current = earlier.filter(|node| self.is_up(*node)).unwrap_or(me);
        let placed = sites.place(&demand, me, current);
        if placed != me && self.forwarding.placements.len() < limit {
            mark::hit(Mark::PlacedElsewhere);
            self.forwarding.placements.insert(demand.resource, placed);
        }
        Ok(())
    }

    /// Another proposer told how far it is from the others.
    pub(crate) fn on_distances(&mut self, from: NodeId, distances: Distances) {
        let known: BTreeSet<NodeId> = self.membership().nodes().collect();
        for (node, round_trip) in distances.round_trips {
            if node != from && known.contains(&node) {
                self.forwarding.round_trips.insert((from, node), round_trip);
            }
        }
    }

    /// A node is believed down: what was forwarded there is due.
    pub(crate) fn forward_no_more(&mut self, now: Micros, to: NodeId) {
        self.forwarding.placements.retain(|_, placed| *placed != to);
        let requests: Vec<RequestId> = self
            .forwarding
            .forwarded
            .iter()
            .filter(|(_, forwarded)| forwarded.to == to)
            .map(|(request, _)| *request)
            .collect();
        for request in requests {
            let forwarded = self.forwarding.forwarded.get_mut(&request).expect("found above");
            self.forwarding.due.remove(&(forwarded.due, request));
            forwarded.due = now;
            self.forwarding.due.insert((now, request));
        }
    }

    /// The earliest time at which [`Self::forward_on_deadline`] has something to do.
    pub(crate) fn forward_deadline(&self) -> Option<Micros> {
        let is_on = self.config.limits.placements_max > 0;
        let tell = is_on.then_some(self.forwarding.tell_at);
        let due = self.forwarding.due.first().map(|(at, _)| *at);
        tell.into_iter().chain(due).min()
    }

    /// Takes back what is due, and tells distances.
    pub(crate) fn forward_on_deadline(
        &mut self,
        now: Micros,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let mut is_overdue = false;
        while let Some((at, request)) = self.forwarding.due.first().copied()
            && at <= now
        {
            mark::hit(Mark::ForwardTakenBack);
            let forwarded = self.forwarding.remove(request).expect("each that is due is there");
            is_overdue |= self.is_up(forwarded.to);
            self.counters.taken_back += 1;
            self.requests.insert(request, None);
            let Forwarded { mut command, submitter, .. } = forwarded;
            if is_planted(Mutant::TakenBackAsNew)
                && let Operation::Apply { request, .. } = &mut command.operation
            {
                request.sequence += 1 << 34;
            }
            self.queue.push_back(Queued { command, submitter, since: now });
        }
        if is_overdue {
            // Whoever is slow may be busy: asking more of everyone would not help.
            self.forwarding.doublings = (self.forwarding.doublings + 1).min(DOUBLINGS_MAX);
        }
        if self.config.limits.placements_max > 0 && self.forwarding.tell_at <= now {
            self.forwarding.tell_at = now + self.config.timing.distances;
            self.tell_distances(effects);
        }
    }

    /// Something new was measured, which the others do not know.
    pub(crate) fn tell_distances_soon(&mut self, now: Micros) {
        self.forwarding.tell_at = self.forwarding.tell_at.min(now);
    }

    fn tell_distances(&mut self, effects: &mut Effects<ProposerRecord>) {
        let measured = self.links.iter().filter_map(|(node, link)| Some((*node, link.round_trip?)));
        let round_trips: Vec<(NodeId, Micros)> = measured.collect();
        if round_trips.is_empty() {
            return;
        }
        let others: Vec<NodeId> =
            self.membership().with(Role::Proposer).filter(|it| *it != self.config.me).collect();
        for other in others {
            effects.send(other, Distances { round_trips: round_trips.clone() });
        }
    }

    fn sites(&self) -> Option<Sites> {
        let mut round_trips = self.forwarding.round_trips.clone();
        for (node, link) in &self.links {
            if let Some(round_trip) = link.round_trip {
                round_trips.insert((self.config.me, *node), round_trip);
            }
        }
        Sites::new(self.membership(), &round_trips, |node| self.is_up(node))
    }
}
