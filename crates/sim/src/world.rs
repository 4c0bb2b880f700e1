//! The virtual world: one queue of events in virtual time, and what each does.

use crate::clients::{SimClient, clients};
use crate::network::Network;
use crate::node::Node;
use crate::observe::{Observer, digest};
use crate::{Fault, FaultCounts, Plan, workload};
use althing_checker::Violation;
use althing_client::{Ended, OperationId, Outcome, Output};
use althing_kv::{KvConflicts, Store};
use althing_model::{Conflicts, Micros, NodeId, Operation, RequestId, Role};
use althing_proposer::Link;
use althing_roles::NodeEffect;
use althing_wire::{Address, Answer, ClientId, Effect, Kind, Message, Submit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// How long a node takes to notice that another is down or back.
const DETECT: Micros = 300_000;
/// How far a client is from the node beside it.
const CLIENT_DELAY: Micros = 200;

/// A run in progress.
pub(crate) struct World<'a> {
    plan: &'a Plan,
    rng: ChaCha8Rng,
    pub(crate) now: Micros,
    queue: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
    pub(crate) events: u64,
    conflicts: Arc<dyn Conflicts>,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    wake_at: BTreeMap<NodeId, Micros>,
    clients: Vec<SimClient>,
    operations_begun: u64,
    pub(crate) operations_ended: usize,
    network: Network,
    pub(crate) observer: Observer,
    pub(crate) counts: FaultCounts,
    pub(crate) is_healed: bool,
    pub(crate) trace_digest: u64,
    trace: Option<&'a mut dyn FnMut(String)>,
}

/// An event and its place in the order of events.
struct Scheduled {
    at: Micros,
    order: u64,
    event: Event,
}

/// Something that happens.
enum Event {
    Deliver {
        to: NodeId,
        life: Option<u32>,
        from: Address,
        message: Message,
    },
    Answer {
        client: usize,
        from: NodeId,
        answer: Answer,
    },
    Synced {
        node: NodeId,
        life: u32,
    },
    Wake {
        node: NodeId,
    },
    ClientWake {
        client: usize,
    },
    Fault(Fault),
    /// Others notice whether a node is up.
    Detect {
        node: NodeId,
    },
}

impl<'a> World<'a> {
    pub(crate) fn new(plan: &'a Plan, trace: Option<&'a mut dyn FnMut(String)>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed.wrapping_add(1));
        let network = Network::new(plan, &mut rng);
        Self {
            plan,
            now: 0,
            queue: BinaryHeap::new(),
            scheduled: 0,
            events: 0,
            conflicts: Arc::new(KvConflicts::default()),
            nodes: plan.membership.nodes().map(|id| (id, Node::new(id))).collect(),
            wake_at: BTreeMap::new(),
            clients: clients(plan),
            operations_begun: 0,
            operations_ended: 0,
            network,
            observer: Observer::new(&plan.membership),
            counts: FaultCounts::default(),
            is_healed: false,
            trace_digest: 0,
            trace,
            rng,
        }
    }

    /// Starts every node, schedules the faults and lets the clients begin.
    pub(crate) fn start(&mut self) -> Result<(), Violation> {
        for node in self.plan.membership.nodes().collect::<Vec<_>>() {
            self.start_node(node)?;
        }
        for (at, fault) in &self.plan.faults {
            self.schedule(*at, Event::Fault(*fault));
        }
        for client in 0..self.clients.len() {
            let at = self.rng.random_range(0..self.plan.delay.1);
            self.schedule(at, Event::ClientWake { client });
        }
        Ok(())
    }

    /// Does the next event; false when there is none, or only after `until`.
    pub(crate) fn step(&mut self, until: Micros) -> Result<bool, Violation> {
        match self.queue.peek() {
            Some(Reverse(next)) if next.at <= until => {}
            _ => return Ok(false),
        }
        let Some(Reverse(Scheduled { at, event, .. })) = self.queue.pop() else {
            return Ok(false);
        };
        self.now = at;
        self.events += 1;
        match event {
            Event::Deliver { to, life, from, message } => self.deliver(to, life, from, message)?,
            Event::Answer { client, from, answer } => self.answer(client, from, answer)?,
            Event::Synced { node, life } => self.synced(node, life)?,
            Event::Wake { node } => self.wake(node)?,
            Event::ClientWake { client } => self.wake_client(client)?,
            Event::Fault(fault) => self.fault(fault)?,
            Event::Detect { node } => self.detect(node)?,
        }
        Ok(true)
    }

    /// All faults end: the network is whole and every node runs.
    pub(crate) fn heal(&mut self) -> Result<(), Violation> {
        self.is_healed = true;
        self.network.heal_all();
        for node in self.plan.membership.nodes().collect::<Vec<_>>() {
            if self.nodes[&node].roles.is_none() {
                self.fault_restart(node)?;
            }
            self.detect(node)?;
        }
        Ok(())
    }

    /// Whether every replica has executed the same and nobody works on anything.
    pub(crate) fn is_converged(&self) -> bool {
        let mut states = self.nodes.values().filter_map(|node| {
            let replica = node.roles.as_ref()?.replica.as_ref()?;
            Some((replica.digest(), replica.committed(), replica.pending_len()))
        });
        let Some(first) = states.next() else { return false };
        let is_idle = self.nodes.values().all(|node| {
            node.roles.as_ref().is_some_and(|roles| {
                roles.proposer.as_ref().is_none_or(|it| it.in_flight() == 0 && it.queue_len() == 0)
            })
        });
        is_idle && first.2 == 0 && states.all(|state| state == first)
    }

    /// What keeps the run from converging, in words.
    pub(crate) fn describe_state(&self) -> String {
        let lines = self.nodes.values().map(|node| match &node.roles {
            None => format!("{}: down", node.id),
            Some(roles) => {
                format!("{}: {:?} {:?}", node.id, roles.proposer, roles.replica)
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn schedule(&mut self, at: Micros, event: Event) {
        self.scheduled += 1;
        self.queue.push(Reverse(Scheduled { at, order: self.scheduled, event }));
    }

    fn trace(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace(format!("{:>10.3} ms  {}", self.now as f64 / 1000.0, line()));
        }
    }

    fn mark(&mut self, what: impl std::hash::Hash) {
        self.trace_digest = digest(&(self.trace_digest, self.now, what)) as u64;
    }

    // Nodes.

    fn start_node(&mut self, id: NodeId) -> Result<(), Violation> {
        let conflicts = Arc::clone(&self.conflicts);
        let node = self.nodes.get_mut(&id).expect("a member");
        let effects = node.start(self.now, self.plan, conflicts, Box::new(Store::default()));
        let roles = node.roles.as_ref().expect("just started");
        self.observer.recovered(id, node.disk.records(), roles)?;
        for other in self.plan.membership.nodes().filter(|other| *other != id) {
            let link = self.link(id, other);
            let roles = self.nodes.get_mut(&id).and_then(|node| node.roles.as_mut());
            roles.expect("just started").on_link(self.now, other, link);
        }
        self.apply(id, effects)
    }

    fn link(&self, from: NodeId, to: NodeId) -> Link {
        let is_up = self.nodes[&to].roles.is_some() && !self.network.is_cut(from, to);
        Link { round_trip: Some(2 * self.network.distance(from, to)), is_up }
    }

    fn deliver(
        &mut self,
        to: NodeId,
        life: Option<u32>,
        from: Address,
        message: Message,
    ) -> Result<(), Violation> {
        let now = self.now;
        let node = self.nodes.get_mut(&to).expect("a member");
        if node.paused_until > now {
            let at = node.paused_until;
            self.schedule(at, Event::Deliver { to, life, from, message });
            return Ok(());
        }
        if life.is_some_and(|life| life != node.life) {
            return Ok(());
        }
        let Some(roles) = &mut node.roles else { return Ok(()) };
        let kind = message.kind();
        let vertex = message.vertex();
        let may_come = match from {
            Address::Client(_) => kind == Kind::Submit,
            Address::Node(from) => kind.may_come_from(&self.plan.membership, from),
        };
        assert!(may_come, "{kind:?} may not come from {from:?}");
        let Some(party) = kind.receiver_at(&self.plan.membership, to) else { return Ok(()) };
        let mut effects = Vec::new();
        let shown = self.trace.is_some().then(|| format!("{message:?}"));
        let result = roles.handle(now, party, from, message, &mut effects);
        self.mark((to, kind as u8, vertex, result.is_ok()));
        self.trace(|| {
            let ignored =
                result.map_or_else(|why| format!("  ignored: {}", why.name()), |()| String::new());
            format!("{from:?} -> {to}  {}{ignored}", shown.unwrap_or_default())
        });
        self.apply(to, effects)
    }

    fn wake(&mut self, id: NodeId) -> Result<(), Violation> {
        let now = self.now;
        let node = self.nodes.get_mut(&id).expect("a member");
        self.wake_at.remove(&id);
        if node.paused_until > now {
            let at = node.paused_until;
            self.wake_at.insert(id, at);
            self.schedule(at, Event::Wake { node: id });
            return Ok(());
        }
        let Some(roles) = &mut node.roles else { return Ok(()) };
        let mut effects = Vec::new();
        if roles.deadline().is_some_and(|at| at <= now) {
            roles.on_deadline(now, &mut effects);
        }
        self.apply(id, effects)
    }

    fn synced(&mut self, id: NodeId, life: u32) -> Result<(), Violation> {
        let node = self.nodes.get_mut(&id).expect("a member");
        if node.life != life || node.roles.is_none() {
            return Ok(());
        }
        let earlier = node.disk.records().len();
        let (visible, begins) = node.disk.synced();
        for record in &node.disk.records()[earlier..] {
            self.observer.synced(id, record)?;
        }
        for (to, message) in visible {
            self.send(id, to, message)?;
        }
        if begins {
            self.begin_sync(id);
        }
        Ok(())
    }

    fn begin_sync(&mut self, id: NodeId) {
        let took = self.rng.random_range(self.plan.sync.0..=self.plan.sync.1);
        let life = self.nodes[&id].life;
        self.schedule(self.now + took, Event::Synced { node: id, life });
    }

    /// Does what a node's roles want done.
    fn apply(&mut self, id: NodeId, effects: Vec<NodeEffect>) -> Result<(), Violation> {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.send(id, to, message)?,
                Effect::Append { records, then } => {
                    self.observer.appended(id, &records)?;
                    let node = self.nodes.get_mut(&id).expect("a member");
                    if node.disk.append(records, then) {
                        self.begin_sync(id);
                    }
                }
            }
        }
        let node = self.nodes.get_mut(&id).expect("a member");
        let Some(roles) = &mut node.roles else { return Ok(()) };
        self.observer.stepped(id, roles)?;
        for step in roles.take_steps() {
            self.observer.executed(id, &step)?;
        }
        if let Some(deadline) = roles.deadline() {
            let at = deadline.max(self.now + 1);
            if self.wake_at.get(&id).is_none_or(|scheduled| *scheduled > at) {
                self.wake_at.insert(id, at);
                self.schedule(at, Event::Wake { node: id });
            }
        }
        Ok(())
    }

    fn send(&mut self, from: NodeId, to: Address, message: Message) -> Result<(), Violation> {
        let to = match (to, message) {
            (Address::Client(ClientId(client)), Message::Answer(answer)) => {
                let client = client as usize;
                let at = self.now + self.client_delay(client, from);
                self.schedule(at, Event::Answer { client, from, answer });
                return Ok(());
            }
            (Address::Client(_), message) => panic!("{message:?} is not for a client"),
            (Address::Node(to), message) => (to, message),
        };
        let (to, message) = to;
        self.observer.sent(from, &message)?;
        let source = Address::Node(from);
        if from == to {
            // Between roles of one node: in order, never lost, gone with the node's life.
            let life = Some(self.nodes[&from].life);
            self.schedule(self.now, Event::Deliver { to, life, from: source, message });
            return Ok(());
        }
        for after in self.network.carry(from, to, message.kind(), &mut self.rng, &mut self.counts) {
            let message = message.clone();
            self.schedule(
                self.now + after,
                Event::Deliver { to, life: None, from: source, message },
            );
        }
        Ok(())
    }

    // Faults.

    fn fault(&mut self, fault: Fault) -> Result<(), Violation> {
        if self.is_healed {
            return Ok(());
        }
        self.mark(format!("{fault:?}"));
        self.trace(|| format!("{fault:?}"));
        match fault {
            Fault::Crash(id) => {
                let node = self.nodes.get_mut(&id).expect("a member");
                if node.roles.take().is_none() {
                    return Ok(());
                }
                self.counts.crashes += 1;
                self.counts.unsynced += node.disk.crash(&mut self.rng);
                for client in 0..self.clients.len() {
                    let mut out = Vec::new();
                    self.clients[client].client.on_down(self.now, id, &mut out);
                    self.client_output(client, out)?;
                }
            }
            Fault::Restart(id) => {
                if self.nodes[&id].roles.is_none() {
                    self.fault_restart(id)?;
                }
            }
            Fault::Cut { node, one_way } => {
                self.counts.cuts += 1;
                self.network.cut(node, one_way);
            }
            Fault::Mute { node, kind, to } => {
                self.counts.mutes += 1;
                self.network.mute(node, kind, to);
            }
            Fault::Heal(node) => self.network.heal(node),
            Fault::Pause(id, length) => {
                self.counts.pauses += 1;
                let until = self.now + length;
                let node = self.nodes.get_mut(&id).expect("a member");
                node.paused_until = node.paused_until.max(until);
            }
        }
        let node = match fault {
            Fault::Crash(node) | Fault::Restart(node) | Fault::Heal(node) => node,
            Fault::Cut { node, .. } | Fault::Mute { node, .. } | Fault::Pause(node, _) => node,
        };
        self.schedule(self.now + DETECT, Event::Detect { node });
        Ok(())
    }

    fn fault_restart(&mut self, id: NodeId) -> Result<(), Violation> {
        if self.plan.membership.has(id, Role::Replica) {
            self.observer.restarted(id)?;
        }
        self.start_node(id)?;
        for client in &mut self.clients {
            client.client.on_up(id);
        }
        Ok(())
    }

    fn detect(&mut self, about: NodeId) -> Result<(), Violation> {
        for id in self.plan.membership.nodes().filter(|id| *id != about).collect::<Vec<_>>() {
            let (link, back) = (self.link(id, about), self.link(about, id));
            let now = self.now;
            if let Some(roles) = &mut self.nodes.get_mut(&id).expect("a member").roles {
                roles.on_link(now, about, link);
            }
            if let Some(roles) = &mut self.nodes.get_mut(&about).expect("a member").roles {
                roles.on_link(now, id, back);
            }
            self.apply(id, Vec::new())?;
        }
        self.apply(about, Vec::new())
    }

    // Clients.

    fn client_delay(&self, client: usize, node: NodeId) -> Micros {
        CLIENT_DELAY + self.network.distance(self.clients[client].home, node)
    }

    fn answer(&mut self, client: usize, from: NodeId, answer: Answer) -> Result<(), Violation> {
        let mut out = Vec::new();
        self.mark(("answer", client, answer.ticket));
        self.trace(|| format!("{from} -> client {client}  {answer:?}"));
        self.clients[client].client.on_answer(self.now, from, answer, &mut out);
        self.client_output(client, out)
    }

    fn wake_client(&mut self, client: usize) -> Result<(), Violation> {
        let mut out = Vec::new();
        self.clients[client].wake_at = Micros::MAX;
        self.clients[client].client.on_deadline(self.now, &mut out);
        self.client_output(client, out)
    }

    /// Does what a client wants done, lets it begin its next operations, and sets its alarm.
    fn client_output(&mut self, client: usize, out: Vec<Output>) -> Result<(), Violation> {
        let mut out = std::collections::VecDeque::from(out);
        loop {
            while let Some(output) = out.pop_front() {
                match output {
                    Output::Send(node, submit) => self.submit(client, node, submit),
                    Output::Ended(ended) => self.ended(client, ended)?,
                }
            }
            let it = &mut self.clients[client];
            if it.remaining == 0 || it.open.len() >= self.plan.pipeline {
                break;
            }
            it.remaining -= 1;
            let number = self.operations_begun;
            self.operations_begun += 1;
            let (command, input) = workload::draw(self.plan, client, number, &mut self.rng);
            let observed = self.observer.invoked(client, number, self.now, input)?;
            let mut begun = Vec::new();
            let operation = it.client.submit(self.now, command.encode(), &mut begun);
            it.open.insert(operation, observed);
            out.extend(begun);
        }
        let it = &mut self.clients[client];
        if let Some(deadline) = it.client.deadline()
            && deadline < it.wake_at
        {
            it.wake_at = deadline.max(self.now + 1);
            let at = it.wake_at;
            self.schedule(at, Event::ClientWake { client });
        }
        Ok(())
    }

    fn submit(&mut self, client: usize, node: NodeId, submit: Submit) {
        if let Operation::Apply { request, payload, .. } = &submit.operation {
            let operation = OperationId(request.sequence);
            let operation = self.clients[client].open.get(&operation).copied();
            self.observer.submitted(*request, payload, operation);
        }
        let at = self.now + self.client_delay(client, node);
        let from = Address::Client(ClientId(client as u64));
        // A connection: it breaks when the node stops.
        let life = Some(self.nodes[&node].life);
        self.schedule(at, Event::Deliver { to: node, life, from, message: submit.into() });
    }

    fn ended(&mut self, client: usize, ended: Ended) -> Result<(), Violation> {
        self.operations_ended += 1;
        let it = &mut self.clients[client];
        let observed = it.open.remove(&ended.operation).expect("it was begun and not ended");
        match ended.outcome {
            Outcome::Done(reply) => {
                let session = it.client.session().expect("it has one, since it was answered");
                let request = RequestId { session, sequence: ended.operation.0 };
                self.observer.done(observed, self.now, request, reply)
            }
            Outcome::Failed(_) => self.observer.failed(observed),
            Outcome::Unknown => self.observer.unknown(observed),
        }
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
