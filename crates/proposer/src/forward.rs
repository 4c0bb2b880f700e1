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
use althing_wire::{Demand, Distances, Effects, Forward, Ignored, Outcome, ProposerRecord, Served};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The least time between two tellings of distances: round trips wobble.
const NEWS_LEAST: Micros = 1_000_000;

/// A round trip that differs by less is no news, however short it is.
const WOBBLE: Micros = 1_000;

/// How often the time for which a hub is shunned can double.
const DOUBLINGS_MAX: u32 = 5;

/// What a proposer knows of better places, and what it has sent there. All of it is volatile.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forwarding {
    /// Round trips as others measured them.
    round_trips: BTreeMap<(NodeId, NodeId), Micros>,
    /// What the others were told of those measured here, when, and when to tell them next.
    told: BTreeMap<NodeId, Micros>,
    told_at: Micros,
    tell_at: Micros,
    /// Made of the above and of the links when it is needed.
    sites: Option<Arc<Sites>>,
    /// Counts to place by, one a turn, so that a full table does not keep commands waiting.
    demands: BTreeMap<Bytes, Demand>,
    /// Resources whose commands are better proposed elsewhere, and where.
    placements: BTreeMap<Bytes, NodeId>,
    forwarded: BTreeMap<RequestId, Forwarded>,
    due: BTreeSet<(Micros, RequestId)>,
    /// Hubs that took too long: until when nothing is placed there, and how often that was.
    shunned: BTreeMap<NodeId, (Micros, u32)>,
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

    /// Whether a request is elsewhere.
    pub(crate) fn has(&self, request: RequestId) -> bool {
        self.forwarded.contains_key(&request)
    }

    /// How many commands are elsewhere.
    pub(crate) fn len(&self) -> usize {
        self.forwarded.len()
    }

    /// How many resources are placed elsewhere.
    pub(crate) fn placements_len(&self) -> usize {
        self.placements.len()
    }

    /// Counts that wait to be placed by.
    pub(crate) fn demands_len(&self) -> usize {
        self.demands.len()
    }

    /// Who waits for a request that is elsewhere; nobody from now on.
    pub(crate) fn take_submitter(&mut self, request: RequestId) -> Option<Submitter> {
        self.remove(request).map(|forwarded| forwarded.submitter)
    }

    fn remove(&mut self, request: RequestId) -> Option<Forwarded> {
        let forwarded = self.forwarded.remove(&request)?;
        self.due.remove(&(forwarded.due, request));
        Some(forwarded)
    }

    fn is_shunned(&self, now: Micros, node: NodeId) -> bool {
        self.shunned.get(&node).is_some_and(|(until, _)| now < *until)
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
        // There and back, its commit there, and what that waits for. No longer: a client's patience
        // is not endless, and proposing here is always right.
        let due = now + 3 * self.farthest(self.acceptors()) + self.config.timing.retry;
        self.forwarding.due.insert((due, request));
        self.forwarding.forwarded.insert(request, Forwarded { command, submitter, to, due });
    }

    /// Another proposer's command, better proposed here.
    pub(crate) fn on_forward(
        &mut self,
        now: Micros,
        from: NodeId,
        forward: Forward,
    ) -> Result<(), Ignored> {
        let Forward { mut operation } = forward;
        if self.is_beyond_window(&operation) {
            mark::hit(Mark::SessionWindowFull);
            return Err(Ignored::Late);
        }
        let Operation::Apply { request, payload, .. } = &mut operation else {
            return Err(Ignored::Contradiction);
        };
        // The sender's replica tells it of its own sessions, no others.
        if request.session.opened.proposer != from {
            return Err(Ignored::NotTheOwner);
        }
        if self.requests.contains_key(request) {
            return Err(Ignored::Repeated);
        }
        if !self.may_be_open(request.session) {
            return Err(Ignored::Contradiction);
        }
        let Ok(footprint) = self.conflicts.footprint(payload) else {
            return Err(Ignored::Contradiction);
        };
        if self.is_queue_full(now) {
            mark::hit(Mark::ForwardTurnedAway);
            return Err(Ignored::Late);
        }
        if is_planted(Mutant::ForwardedAsNew) {
            request.sequence += 1 << 33;
        }
        mark::hit(Mark::ForwardTaken);
        self.counters.taken += 1;
        self.requests.insert(*request, None);
        let command = Command { operation, footprint };
        self.queue.push_back(Queued { command, submitter: Submitter::Nobody, since: now });
        Ok(())
    }

    /// A request of one of this proposer's sessions was executed in another proposer's vertex: its
    /// client is answered, be the request still elsewhere or taken back. The first reply counts, for
    /// what a second vertex gives may be less than the truth: by then the session may be closed.
    pub(crate) fn on_served(
        &mut self,
        now: Micros,
        served: Served,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let Served { request, reply, seen } = served;
        let submitter = match self.forwarding.remove(request) {
            Some(forwarded) => {
                // Late answers of one that took too long are no reason to give it more.
                if !self.forwarding.is_shunned(now, forwarded.to) {
                    self.forwarding.shunned.remove(&forwarded.to);
                }
                forwarded.submitter
            }
            None => self.take_submitter(request).ok_or(Ignored::Late)?,
        };
        Self::answer_executed(submitter, Outcome::Executed(reply), &seen, effects);
        Ok(())
    }

    /// Who waits for a request that is queued or in an own vertex; nobody from now on.
    fn take_submitter(&mut self, request: RequestId) -> Option<Submitter> {
        let is_it = |command: &Command| command.operation.request() == Some(request);
        match *self.requests.get(&request)? {
            None => {
                let at = self.queue.iter().position(|queued| is_it(&queued.command))?;
                self.requests.remove(&request);
                self.queue.remove(at).map(|queued| queued.submitter)
            }
            Some(vertex) => {
                let unanswered = self.unanswered.get_mut(&vertex)?;
                let at = unanswered.commands.as_slice().iter().position(is_it)?;
                Some(std::mem::replace(&mut unanswered.submitters[at], Submitter::Nobody))
            }
        }
    }

    /// The replica beside this proposer counted who contends for a resource.
    pub(crate) fn on_demand(&mut self, demand: Demand) {
        let limit = self.config.limits.placements_max;
        if demand.commands.is_empty() {
            self.forwarding.demands.remove(&demand.resource);
            self.forwarding.placements.remove(&demand.resource);
        } else if self.forwarding.demands.len() < limit
            || self.forwarding.demands.contains_key(&demand.resource)
        {
            self.forwarding.demands.insert(demand.resource.clone(), demand);
        } else {
            // What was true earlier may not be any more.
            self.forwarding.placements.remove(&demand.resource);
        }
    }

    /// Places the commands on one of the resources that were counted.
    fn place_next(&mut self, now: Micros) {
        let Some((resource, demand)) = self.forwarding.demands.pop_first() else {
            return;
        };
        let me = self.config.me;
        let earlier = self.forwarding.placements.remove(&resource);
        let Some(sites) = self.sites() else {
            return;
        };
        let placed = sites.place(&demand, me, earlier.unwrap_or(me));
        if placed != me
            && !self.forwarding.is_shunned(now, placed)
            && self.forwarding.placements.len() < self.config.limits.placements_max
        {
            mark::hit(Mark::PlacedElsewhere);
            self.forwarding.placements.insert(resource, placed);
        }
    }

    /// Another proposer told how far it is from the others.
    pub(crate) fn on_distances(&mut self, from: NodeId, distances: Distances) {
        self.forwarding.sites = None;
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
        let place = (!self.forwarding.demands.is_empty()).then_some(0);
        let due = self.forwarding.due.first().map(|(at, _)| *at);
        tell.into_iter().chain(place).chain(due).min()
    }

    /// Takes back what is due, and tells distances.
    pub(crate) fn forward_on_deadline(
        &mut self,
        now: Micros,
        effects: &mut Effects<ProposerRecord>,
    ) {
        while let Some((at, request)) = self.forwarding.due.first().copied()
            && at <= now
        {
            mark::hit(Mark::ForwardTakenBack);
            let forwarded = self.forwarding.remove(request).expect("each that is due is there");
            self.counters.taken_back += 1;
            self.requests.insert(request, None);
            let Forwarded { mut command, submitter, to, .. } = forwarded;
            if is_planted(Mutant::TakenBackAsNew)
                && let Operation::Apply { request, .. } = &mut command.operation
            {
                request.sequence += 1 << 34;
            }
            self.queue.push_back(Queued { command, submitter, since: now });
            self.shun(now, to);
        }
        self.place_next(now);
        if self.config.limits.placements_max > 0 && self.forwarding.tell_at <= now {
            self.forwarding.tell_at = now + self.config.timing.distances;
            self.tell_distances(now, effects);
        }
    }

    /// A hub took too long: whatever ails it, nothing is placed there for a while, which doubles
    /// each time that it happens again.
    fn shun(&mut self, now: Micros, hub: NodeId) {
        if self.forwarding.is_shunned(now, hub) {
            return;
        }
        let (_, times) = self.forwarding.shunned.get(&hub).copied().unwrap_or_default();
        let pause = self.jitter.around(self.config.timing.distances << times.min(DOUBLINGS_MAX));
        self.forwarding.shunned.insert(hub, (now + pause, times + 1));
        self.forwarding.placements.retain(|_, placed| *placed != hub);
    }

    /// What was measured of a link: the sites are others, and soon told where that is news.
    pub(crate) fn on_measured(&mut self, now: Micros, node: NodeId, round_trip: Option<Micros>) {
        self.forwarding.sites = None;
        let Some(round_trip) = round_trip else {
            return;
        };
        let told = self.forwarding.told.get(&node).copied();
        let is_news = told.is_none_or(|told| told.abs_diff(round_trip) > (told / 8).max(WOBBLE));
        if is_news {
            let soon = now.max(self.forwarding.told_at + NEWS_LEAST);
            self.forwarding.tell_at = self.forwarding.tell_at.min(soon);
        }
    }

    fn tell_distances(&mut self, now: Micros, effects: &mut Effects<ProposerRecord>) {
        let measured = self.links.iter().filter_map(|(node, link)| Some((*node, link.round_trip?)));
        let round_trips: Vec<(NodeId, Micros)> = measured.collect();
        if round_trips.is_empty() {
            return;
        }
        self.forwarding.told = round_trips.iter().copied().collect();
        self.forwarding.told_at = now;
        let others: Vec<NodeId> =
            self.membership().with(Role::Proposer).filter(|it| *it != self.config.me).collect();
        for other in others {
            effects.send(other, Distances { round_trips: round_trips.clone() });
        }
    }

    fn sites(&mut self) -> Option<Arc<Sites>> {
        if self.forwarding.sites.is_none() {
            let mut round_trips = self.forwarding.round_trips.clone();
            for (node, link) in &self.links {
                if let Some(round_trip) = link.round_trip {
                    round_trips.insert((self.config.me, *node), round_trip);
                }
            }
            let sites = Sites::new(self.membership(), &round_trips, |node| self.is_up(node));
            self.forwarding.sites = sites.map(Arc::new);
        }
        self.forwarding.sites.clone()
    }
}
