//! Nodes: messages, timers, syncs, and what their roles want done.

use super::World;
use super::clients::NOBODY;
use super::watchers::watcher_of;
use crate::disk::Unusable;
use crate::event::Event;
use crate::fault::{Edge, Fault, Trouble};
use crate::node::Arrived;
use crate::trace::{MessageName, Traced};
use althing_checker::Violation;
use althing_model::{Micros, NodeId, Role};
use althing_proposer::Link;
use althing_roles::{NodeEffect, Registry, RegistryEffect, Roles};
use althing_wire::{Address, ClientId, Effect, Message, Party, Standing};
use rand::RngExt;
use std::sync::Arc;

/// Nodes with lost disks that come back, at most: with more at one time, registries do not promise to
/// notice (`althing_roles::Registry`).
const COMING_BACK_MAX: usize = 2;

impl World<'_> {
    /// Starts a node; one whose journal refuses its disk, because a bit of it changed, stays down.
    pub(super) fn start_node(&mut self, id: NodeId) -> Result<(), Violation> {
        if self.nodes[&id].registry.is_none() {
            let drawn = self.draw(("incarnation", id, self.now)).random();
            let (now, plan) = (self.now, self.plan);
            let effects = self.node_mut(id).ask(now, plan, drawn);
            self.register(id, effects)?;
        }
        let registry = self.nodes[&id].registry.as_ref().expect("it was just made");
        if registry.standing() == Standing::Asking {
            self.wake_in_time(id);
            return Ok(());
        }
        let conflicts = Arc::clone(&self.conflicts);
        let now = self.now;
        let node = self.nodes.get_mut(&id).expect("a member");
        let known = node.disk.len();
        let opened = node.shelf.open();
        let (newest, is_first) = (node.shelf.newest(), node.life == 0);
        if let Err(account) = opened {
            return Err(Violation::new("DurableSnapshots", format!("{id}: {account}")));
        }
        let at = newest.and_then(|saved| self.checkpoint_of(saved));
        if !is_first && self.plan.membership.has(id, Role::Replica) {
            self.observer.restarted(id, at)?;
        }
        let node = self.nodes.get_mut(&id).expect("a member");
        let (effects, was_torn) = match node.start(now, self.plan, conflicts, self.app.machine()) {
            Ok(started) => started,
            Err(Unusable::Refused(_)) if node.has_rotten => {
                self.counts.count(Trouble::Refusals);
                node.registry = None;
                node.has_rotten = false;
                self.lose_disk(id, false);
                return Ok(());
            }
            Err(Unusable::Refused(why)) => {
                let account = format!("{id} refuses a disk that lost nothing but power: {why}");
                return Err(Violation::new("DurableRecords", account));
            }
            Err(Unusable::Falsified(account)) => {
                return Err(Violation::new("DurableRecords", format!("{id}: {account}")));
            }
        };
        let survived = node.disk.since(known).len() as u64;
        self.trace(|| Traced::Started(id));
        let node = &self.nodes[&id];
        let roles = node.roles.as_ref().expect("just started");
        let told = self.observer.synced_len(id);
        self.observer.recovered(id, node.disk.since(told), roles)?;
        self.counts.count_many(Trouble::Survived, survived);
        if was_torn {
            self.counts.count(Trouble::Torn);
        }
        for other in self.plan.membership.nodes().filter(|other| *other != id) {
            let link = self.link(id, other);
            self.on_link(id, other, link);
        }
        self.apply(id, effects)
    }

    /// A node's disk is lost: it stays down, or comes back without a vote.
    pub(super) fn lose_disk(&mut self, id: NodeId, with_registry: bool) {
        let mut rng = self.draw(("lost", id, self.now));
        let comes_back = self.plan.is_survivable && self.plan.lost.len() <= COMING_BACK_MAX;
        let known = self.observer.synced_len(id);
        let node = self.node_mut(id);
        node.is_lost = true;
        node.stays_down = !comes_back;
        if comes_back {
            node.wipe(known, with_registry);
            let at = self.now + rng.random_range(100_000..20_000_000);
            self.queue.push(at, Event::Fault(Fault::Restart(id)));
        }
    }

    /// Does what a node's registry wants done.
    fn register(&mut self, id: NodeId, effects: Vec<RegistryEffect>) -> Result<(), Violation> {
        for effect in effects {
            match effect {
                RegistryEffect::Save(state) => self.node_mut(id).registry_file = Some(state),
                RegistryEffect::Send { to, message } => self.send(id, to.into(), message)?,
            }
        }
        Ok(())
    }

    /// A message between registries: it may tell a node what it was.
    fn on_registry(&mut self, id: NodeId, from: NodeId, message: Message) -> Result<(), Violation> {
        let node = self.node_mut(id);
        let Some(registry) = &mut node.registry else { return Ok(()) };
        let mut effects = Vec::new();
        let _ = registry.handle(from, message, &mut effects);
        let is_decided = registry.standing() != Standing::Asking && node.roles.is_none();
        self.register(id, effects)?;
        let link = self.link(id, from);
        self.on_link(id, from, link);
        if is_decided {
            return self.back(id);
        }
        Ok(())
    }

    /// Wakes a node when it has something to do.
    fn wake_in_time(&mut self, id: NodeId) {
        let now = self.now;
        let node = self.node_mut(id);
        let roles = node.roles.as_ref().and_then(|roles| roles.deadline());
        let registry = node.registry.as_ref().and_then(Registry::deadline);
        let Some(deadline) = roles.into_iter().chain(registry).min() else { return };
        let at = node.clock.when(deadline, now).max(now + 1);
        if at < node.wake_at {
            node.wake_at = at;
            self.queue.push(at, Event::Wake { node: id });
        }
    }

    fn link(&self, from: NodeId, to: NodeId) -> Link {
        let is_up = self.nodes[&to].roles.is_some() && !self.network.is_cut(from, to);
        Link { round_trip: Some(2 * self.network.distance(from, to)), is_up }
    }

    pub(super) fn on_link(&mut self, at: NodeId, other: NodeId, link: Link) {
        let node = self.nodes.get_mut(&at).expect("a member");
        let local = node.local(self.now);
        let is_lost = node.registry.as_ref().is_some_and(|it| it.lost().contains(&other));
        if let Some(roles) = &mut node.roles {
            roles.on_link(local, other, link, is_lost);
        }
    }

    pub(super) fn suspect(&mut self, by: NodeId, of: NodeId, is_up: bool) {
        let link = Link { is_up, ..self.link(by, of) };
        self.on_link(by, of, link);
    }

    /// A message arrives: a busy node takes it later, in the order of arrival.
    pub(super) fn deliver(&mut self, to: NodeId, arrived: Arrived) -> Result<(), Violation> {
        let now = self.now;
        let node = self.nodes.get_mut(&to).expect("a member");
        if node.busy_until <= now && node.inbox.is_empty() {
            return self.handle(to, arrived);
        }
        node.inbox.push_back(arrived);
        self.resume_later(to);
        Ok(())
    }

    /// A node that was busy handles what arrived meanwhile, as far as its time goes.
    pub(super) fn resume(&mut self, id: NodeId, life: u32) -> Result<(), Violation> {
        let node = self.nodes.get_mut(&id).expect("a member");
        if node.life != life {
            return Ok(());
        }
        node.is_resuming = false;
        loop {
            let node = self.nodes.get_mut(&id).expect("a member");
            if node.busy_until > self.now {
                break;
            }
            let Some(arrived) = node.inbox.pop_front() else { return Ok(()) };
            self.handle(id, arrived)?;
        }
        self.resume_later(id);
        Ok(())
    }

    fn resume_later(&mut self, id: NodeId) {
        let node = self.nodes.get_mut(&id).expect("a member");
        if !node.inbox.is_empty() && !node.is_resuming && node.roles.is_some() {
            node.is_resuming = true;
            let at = node.busy_until.max(self.now);
            self.queue.push(at, Event::Resume { node: id, life: node.life });
        }
    }

    fn handle(&mut self, to: NodeId, arrived: Arrived) -> Result<(), Violation> {
        let Arrived { life, from, name, mut message } = arrived;
        let now = self.now;
        let node = self.nodes.get_mut(&to).expect("a member");
        if life.is_some_and(|life| life != node.life) {
            return Ok(());
        }
        if let (Message::Register(_) | Message::Registered(_), Address::Node(from)) =
            (&message, from)
        {
            return self.on_registry(to, from, message);
        }
        let node = self.node_mut(to);
        let local = node.local(now);
        if node.roles.is_none() {
            return Ok(());
        }
        node.busy_until = now + node.handling;
        let kind = message.kind();
        let vertex = message.vertex();
        let may_come = match from {
            Address::Client(_) => kind.senders().contains(&Party::Client),
            Address::Node(from) => self.rights.may_come_from(kind, from),
        };
        assert!(may_come, "{kind:?} may not come from {from:?}");
        let Some(party) = self.rights.receiver_at(kind, to) else { return Ok(()) };
        // The node's own, not a role's.
        match (message, from) {
            (Message::SnapshotAsk(ask), Address::Node(from)) => {
                return self.on_snapshot_ask(to, from, ask);
            }
            (Message::SnapshotChunk(chunk), Address::Node(from)) => {
                return self.on_snapshot_chunk(to, from, chunk);
            }
            (other, _) => message = other,
        }
        let node = self.nodes.get_mut(&to).expect("a member");
        let roles = node.roles.as_mut().expect("it runs");
        let mut effects = Vec::new();
        let shown = self.trace.is_some().then(|| Box::new(message.clone()));
        let result = roles.handle(local, party, from, message, &mut effects);
        self.mark((to, kind as u8, vertex, result.is_ok()));
        self.trace(|| Traced::Delivered {
            name,
            from,
            to,
            message: shown.expect("kept for the trace"),
            ignored: result.err().map(|why| why.name()),
        });
        self.apply(to, effects)
    }

    pub(super) fn wake(&mut self, id: NodeId) -> Result<(), Violation> {
        let now = self.now;
        let node = self.nodes.get_mut(&id).expect("a member");
        if node.wake_at != now {
            // Another wake-up was set since, for an earlier time.
            return Ok(());
        }
        node.wake_at = Micros::MAX;
        if node.busy_until > now {
            node.wake_at = node.busy_until;
            self.queue.push(node.wake_at, Event::Wake { node: id });
            return Ok(());
        }
        let local = node.local(now);
        let mut told = Vec::new();
        if let Some(registry) = &mut node.registry {
            registry.on_deadline(local, &mut told);
        }
        self.register(id, told)?;
        let node = self.node_mut(id);
        let Some(roles) = &mut node.roles else {
            self.wake_in_time(id);
            return Ok(());
        };
        let mut effects = Vec::new();
        if roles.deadline().is_some_and(|at| at <= local) {
            roles.on_deadline(local, &mut effects);
        }
        self.apply(id, effects)
    }

    pub(super) fn synced(&mut self, id: NodeId, life: u32) -> Result<(), Violation> {
        let node = self.nodes.get_mut(&id).expect("a member");
        if node.life != life || node.roles.is_none() {
            return Ok(());
        }
        if node.sync_fails {
            node.sync_fails = false;
            self.counts.count(Trouble::SyncErrors);
            return self.crash(id);
        }
        let edge = node.crash_at.and_then(|(record, edge, _)| {
            node.disk
                .in_sync()
                .any(|it| record.is_none_or(|kind| it.kind() == kind))
                .then_some(edge)
        });
        if edge == Some(Edge::InSync) {
            return self.crash_at_edge(id);
        }
        let before = node.disk.len();
        let (visible, begins) = node.disk.synced();
        let node = &self.nodes[&id];
        let records = node.disk.since(before);
        for record in records {
            self.observer.synced(id, record)?;
        }
        let records = records.len();
        self.trim(id, before);
        self.trace(|| Traced::Synced { node: id, records });
        let leaving = match edge {
            Some(Edge::AfterSync) => 0,
            Some(Edge::AfterFirstSend) => 1,
            _ => visible.len(),
        };
        for (to, message) in visible.into_iter().take(leaving) {
            self.send(id, to, message)?;
        }
        if matches!(edge, Some(Edge::AfterSync | Edge::AfterFirstSend)) {
            return self.crash_at_edge(id);
        }
        if begins {
            self.begin_sync(id);
        }
        Ok(())
    }

    /// Lets go of what is not needed any more, now that what was synced since is on disk.
    fn trim(&mut self, id: NodeId, before: usize) {
        let now = self.now;
        let node = self.nodes.get_mut(&id).expect("a member");
        for (position, record) in (before as u64..).zip(node.disk.since(before)) {
            node.trim.on_record(position, record);
        }
        let Some(keep) = node.trim.keep().map(|keep| keep as usize) else { return };
        let trimmed = node.disk.trimmed();
        if keep > trimmed {
            let mut rng = self.draw(("trim", id, now));
            let node = self.nodes.get_mut(&id).expect("a member");
            let gone = node.disk.trim(keep, &mut rng) - trimmed;
            self.counts.count_many(Trouble::Trimmed, gone as u64);
        }
    }

    fn begin_sync(&mut self, id: NodeId) {
        let (at_least, at_most) = self.plan.disk.sync;
        let took = self.draw(("sync", id, self.now)).random_range(at_least..=at_most);
        let node = &self.nodes[&id];
        let at = self.now + took + node.sync_extra;
        self.queue.push(at, Event::Synced { node: id, life: node.life });
    }

    /// Does what a node's roles want done.
    pub(super) fn apply(&mut self, id: NodeId, effects: Vec<NodeEffect>) -> Result<(), Violation> {
        let roles = self.nodes[&id].roles.as_ref();
        if let Some(diverged) = roles.and_then(Roles::diverged) {
            return Err(Violation::new("SameState", format!("{id}: {diverged}")));
        }
        // What they show is told when it is known here what was executed.
        let mut reads = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send { to, message: message @ Message::ReadAnswer(_) } => {
                    reads.push((to, message));
                }
                Effect::Send { to, message } => self.send(id, to, message)?,
                Effect::Append { records, then } => {
                    self.observer.appended(id, &records)?;
                    let node = self.nodes.get_mut(&id).expect("a member");
                    let stops = matches!(node.crash_at, Some((kind, Edge::BeforeSync, _))
                        if records.iter().any(|it| kind.is_none_or(|kind| it.kind() == kind)));
                    if node.disk.append(records, then) {
                        self.begin_sync(id);
                    }
                    if stops {
                        return self.crash_at_edge(id);
                    }
                }
            }
        }
        let node = self.nodes.get_mut(&id).expect("a member");
        let Some(roles) = &mut node.roles else { return Ok(()) };
        self.observer.stepped(id, roles)?;
        let (steps, snapshot) = (roles.take_steps(), roles.take_snapshot());
        let offer = roles.take_offer();
        self.wake_in_time(id);
        self.executed(id, steps, snapshot)?;
        for (to, message) in reads {
            self.send(id, to, message)?;
        }
        match offer {
            Some((from, offer)) => self.offered(id, from, offer),
            None => Ok(()),
        }
    }

    pub(super) fn send(
        &mut self,
        from: NodeId,
        to: Address,
        message: Message,
    ) -> Result<(), Violation> {
        let (to, message) = match (to, message) {
            (Address::Client(NOBODY), _) => return Ok(()),
            (Address::Client(ClientId(id)), Message::Answer(answer)) => {
                let (client, generation) = (id as u32 as usize, id >> 32);
                let at = self.now + self.client_delay(client, from);
                let (answer, shown) = (answer.into(), None);
                self.queue.push(at, Event::Answer { client, generation, from, answer, shown });
                return Ok(());
            }
            (Address::Client(client), Message::ReadAnswer(answer)) => {
                return self.send_read_answer(from, client, answer);
            }
            (Address::Client(client), message @ (Message::Watched(_) | Message::WatchEnded(_))) => {
                let to = watcher_of(client).expect("only watchers watch");
                self.tell_watcher(to, from, message);
                return Ok(());
            }
            (Address::Client(_), message) => panic!("{message:?} is not for a client"),
            (Address::Node(to), message) => (to, message),
        };
        self.observer.sent(from, &message)?;
        let source = Address::Node(from);
        if from == to {
            // Between roles of one node: in order, never lost, gone with the node's life.
            let life = Some(self.nodes[&from].life);
            let arrived = Arrived { life, from: source, name: MessageName::LOCAL, message };
            let at = self.network.local(self.now, to);
            self.queue.push(at, Event::Deliver { to, arrived });
            return Ok(());
        }
        let (kind, vertex) = (message.kind(), message.vertex());
        let name = self.name((from, to, kind as u8, vertex));
        let is_dropped = self.plan.cut.delivered.as_ref().is_some_and(|only| !only.contains(&name));
        let arrivals = match is_dropped {
            true => crate::network::Arrivals::default(),
            false => self.network.carry(self.now, from, to, &message, &mut self.counts),
        };
        let copies = arrivals.as_slice().len();
        self.trace(|| Traced::Sent { name, from: source, to, kind, vertex, copies });
        let Some((first, others)) = arrivals.as_slice().split_first() else { return Ok(()) };
        let message = if self.plan.encodes { self.codec.pass(message) } else { message };
        let arrived = |message| Arrived { life: None, from: source, name, message };
        for at in others {
            let arrived = arrived(message.clone());
            self.queue.push(*at, Event::Deliver { to, arrived });
        }
        self.queue.push(*first, Event::Deliver { to, arrived: arrived(message) });
        Ok(())
    }
}
