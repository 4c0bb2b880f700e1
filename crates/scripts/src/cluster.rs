//! The cluster of a story: nodes, what is on its way between them, and the line for each thing that
//! happens.

use crate::disk::Append;
use crate::flight::{Flight, Selector, Sent};
use crate::node::{Node, Setting};
use crate::oracles::Oracles;
use crate::show;
use althing_model::{Micros, NodeId, Operation, RequestId, Role, SessionId};
use althing_roles::NodeEffect;
use althing_wire::{
    Address, Answer, ClientId, Effect, Message, NodeRecord, Outcome, ProposerRecord, Recover,
    Submit,
};
use std::collections::{BTreeMap, VecDeque};

/// What a story happens to.
pub(crate) struct Cluster {
    pub(crate) setting: Setting,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) flight: Flight,
    pub(crate) oracles: Oracles,
    now: Micros,
    /// From a role to another of its node: they arrive at once, in order.
    local: VecDeque<(NodeId, Message)>,
    clients: BTreeMap<u64, Client>,
    /// The client and sequence that each ticket was given for.
    tickets: Vec<(u64, u64)>,
    /// Whether reservations of sequence numbers are told.
    tells_reservations: bool,
    lines: Vec<String>,
}

/// A client, whose session was opened by its node's first vertex.
struct Client {
    session: SessionId,
    submitted: Vec<Operation>,
}

type Result<T = ()> = std::result::Result<T, String>;

impl Cluster {
    /// A cluster that is started, with a session for each proposer's client.
    pub(crate) fn start(setting: Setting, tells_reservations: bool) -> Result<Self> {
        let nodes: Vec<NodeId> = setting.membership.nodes().collect();
        let proposers: Vec<NodeId> = setting.membership.with(Role::Proposer).collect();
        let mut cluster = Self {
            nodes: nodes.iter().map(|id| (*id, Node::new(*id))).collect(),
            setting,
            flight: Flight::default(),
            oracles: Oracles::new(),
            now: 0,
            local: VecDeque::new(),
            clients: BTreeMap::new(),
            tickets: Vec::new(),
            tells_reservations,
            lines: Vec::new(),
        };
        for node in nodes {
            cluster.start_node(node)?;
        }
        let everything = Selector::parse(["all"])?;
        for node in proposers {
            let opened = cluster.setting.membership.epoch();
            let opened = althing_model::VertexId { epoch: opened, proposer: node, seq: 0 };
            let session = SessionId { opened, slot: 0 };
            let client = u64::from(node.0);
            cluster.clients.insert(client, Client { session, submitted: Vec::new() });
            cluster.submit_to(node, client, 0, Operation::OpenSession)?;
            cluster.deliver(&everything)?;
        }
        // The replicas' first catch-up.
        cluster.wait(0)?;
        cluster.deliver(&everything)?;
        cluster.lines.clear();
        Ok(cluster)
    }

    /// What happened since the last call.
    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    pub(crate) fn say(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    pub(crate) fn node(&mut self, id: NodeId) -> Result<&mut Node> {
        self.nodes.get_mut(&id).ok_or_else(|| format!("there is no {id}"))
    }

    // Clients.

    /// A client submits its next operation.
    pub(crate) fn submit(&mut self, client: u64, node: NodeId, words: &[&str]) -> Result {
        let it = self.clients.get_mut(&client).ok_or_else(|| format!("there is no c{client}"))?;
        let sequence = it.submitted.len() as u64;
        let operation = match words {
            ["close"] => Operation::CloseSessions(vec![it.session]),
            words => Operation::Apply {
                request: RequestId { session: it.session, sequence },
                acknowledged_below: 0,
                payload: show::parse_kv(words)?.encode(),
            },
        };
        it.submitted.push(operation.clone());
        self.submit_to(node, client, sequence, operation)
    }

    /// A client submits an operation once more.
    pub(crate) fn retry(&mut self, client: u64, sequence: u64, node: NodeId) -> Result {
        let submitted = self.clients.get(&client).map(|it| it.submitted.as_slice());
        let operation = submitted.and_then(|it| it.get(sequence as usize)).cloned();
        let operation = operation.ok_or("it was never submitted")?;
        self.submit_to(node, client, sequence, operation)
    }

    fn submit_to(
        &mut self,
        node: NodeId,
        client: u64,
        sequence: u64,
        operation: Operation,
    ) -> Result {
        let ticket = self.tickets.len() as u64;
        self.tickets.push((client, sequence));
        if let Operation::Apply { request, payload, .. } = &operation {
            self.oracles.submitted(*request, payload);
        }
        let submit = Submit { ticket, operation };
        if self.node(node)?.roles.is_none() {
            return Err(format!("{node} is down"));
        }
        self.handle(node, ClientId(client).into(), submit.into())?;
        self.finish()
    }

    // Messages.

    /// Delivers what is on its way and matches.
    pub(crate) fn deliver(&mut self, selector: &Selector) -> Result<usize> {
        let mut delivered = 0;
        loop {
            let sent = self.flight.take(selector);
            if sent.is_empty() {
                return Ok(delivered);
            }
            for Sent { from, to, message } in sent {
                delivered += 1;
                if self.node(to)?.roles.is_none() {
                    // It is down: the message is lost.
                    continue;
                }
                self.handle(to, from.into(), message)?;
                self.finish()?;
            }
            if !selector.is_all {
                return Ok(delivered);
            }
        }
    }

    /// A node's replica tells the proposer beside it that others wait for a vertex.
    pub(crate) fn recover(&mut self, node: NodeId, vertex: althing_model::VertexId) -> Result {
        self.handle(node, node.into(), Recover { vertex }.into())?;
        self.finish()
    }

    /// Delivers what the roles of nodes told each other, and what that causes.
    fn finish(&mut self) -> Result {
        while let Some((node, message)) = self.local.pop_front() {
            if let Message::Refused(_) = message {
                self.say(format!("{node} tells itself {}", show::message(&message)));
            }
            self.handle(node, node.into(), message)?;
        }
        Ok(())
    }

    fn handle(&mut self, to: NodeId, from: Address, message: Message) -> Result {
        let kind = message.kind();
        let party = kind
            .receiver_at(&self.setting.membership, to)
            .ok_or_else(|| format!("{to} has no role that receives {}", kind.name()))?;
        let text = show::message(&message);
        let now = self.now;
        let roles = self.node(to)?.roles.as_mut().ok_or_else(|| format!("{to} is down"))?;
        let mut effects = Vec::new();
        let result = roles.handle(now, party, from, message, &mut effects);
        if let Err(why) = result
            && from != Address::Node(to)
        {
            let why = why.name().replace('_', " ");
            self.say(format!("{to} ignores {text}: {why}"));
        }
        self.apply(to, effects)
    }

    fn send(&mut self, from: NodeId, to: Address, message: Message) -> Result {
        match (to, message) {
            (Address::Client(ClientId(client)), Message::Answer(answer)) => {
                self.answer(from, client, answer);
            }
            (Address::Client(_), message) => panic!("{message:?} is not for a client"),
            (Address::Node(to), message) => {
                if let Message::Commit(commit) = &message {
                    let told = self.oracles.committed(from, commit.vertex, &commit.value);
                    told.map_err(|violation| violation.to_string())?;
                }
                if to == from {
                    self.local.push_back((to, message));
                    return Ok(());
                }
                let beginning = format!("{from} sends {} to ", show::message(&message));
                let one_more = self.lines.last_mut().filter(|line| {
                    let to_whom = line.strip_prefix(&beginning);
                    to_whom.is_some_and(|nodes| !nodes.split(' ').any(|it| it == to.to_string()))
                });
                match one_more {
                    Some(line) => line.push_str(&format!(" {to}")),
                    None => self.say(format!("{beginning}{to}")),
                }
                self.flight.sent.push(Sent { from, to, message });
            }
        }
        Ok(())
    }

    fn answer(&mut self, from: NodeId, client: u64, answer: Answer) {
        let (_, sequence) = self.tickets[answer.ticket as usize];
        let outcome = match &answer.outcome {
            Outcome::Executed(reply) => show::reply(reply),
            Outcome::Invalid(why) => format!("invalid: {why}"),
            Outcome::Overloaded => "overloaded".to_owned(),
        };
        self.say(format!("{from} answers c{client}#{sequence}: {outcome}"));
    }

    // Nodes.

    /// Starts a node from its disk.
    pub(crate) fn start_node(&mut self, id: NodeId) -> Result {
        let (now, setting) = (self.now, self.setting.clone());
        let node = self.node(id)?;
        if node.roles.is_some() {
            return Err(format!("{id} runs"));
        }
        let effects = node.start(now, &setting);
        self.oracles.restarted(id).map_err(|violation| violation.to_string())?;
        self.take_steps(id, false)?;
        self.apply(id, effects)?;
        self.finish()
    }

    /// Stops a node; what it had not synced is lost.
    pub(crate) fn crash(&mut self, id: NodeId) -> Result<usize> {
        let node = self.node(id)?;
        node.roles.take().ok_or_else(|| format!("{id} is down"))?;
        Ok(node.disk.crash())
    }

    /// Syncs so many appends of a node, or all.
    pub(crate) fn sync(&mut self, id: NodeId, appends: usize) -> Result {
        for _ in 0..appends {
            let Some(Append { records, then }) = self.node(id)?.disk.sync_one() else { break };
            for record in &records {
                self.tell_record(id, "records", record);
                let told = self.oracles.synced(id, record);
                told.map_err(|violation| violation.to_string())?;
            }
            for (to, message) in then {
                self.send(id, to, message)?;
            }
        }
        self.finish()
    }

    /// Time passes; what is due is done.
    pub(crate) fn wait(&mut self, time: Micros) -> Result {
        let until = self.now + time;
        loop {
            let due = self.nodes.values().filter_map(|node| {
                let deadline = node.roles.as_ref()?.deadline()?;
                Some((deadline.max(self.now), node.id))
            });
            let Some((at, id)) = due.min().filter(|(at, _)| *at <= until) else { break };
            self.now = at;
            let mut effects = Vec::new();
            let roles = self.node(id)?.roles.as_mut().expect("it has a deadline");
            roles.on_deadline(at, &mut effects);
            self.apply(id, effects)?;
            self.finish()?;
        }
        self.now = until;
        Ok(())
    }

    pub(crate) fn now(&self) -> Micros {
        self.now
    }

    /// Does what a node's roles want done.
    fn apply(&mut self, id: NodeId, effects: Vec<NodeEffect>) -> Result {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.send(id, to, message)?,
                Effect::Append { records, then } => {
                    let is_manual = self.node(id)?.disk.is_manual;
                    if is_manual {
                        for record in &records {
                            self.tell_record(id, "appends", record);
                        }
                    }
                    self.node(id)?.disk.append(Append { records, then });
                    if !is_manual {
                        self.sync_now(id)?;
                    }
                }
            }
        }
        self.take_steps(id, true)
    }

    /// As [`Self::sync`], inside a step: what the roles told each other waits for its end.
    fn sync_now(&mut self, id: NodeId) -> Result {
        while let Some(Append { records, then }) = self.node(id)?.disk.sync_one() {
            for record in &records {
                self.tell_record(id, "records", record);
                let told = self.oracles.synced(id, record);
                told.map_err(|violation| violation.to_string())?;
            }
            for (to, message) in then {
                self.send(id, to, message)?;
            }
        }
        Ok(())
    }

    fn tell_record(&mut self, id: NodeId, verb: &str, record: &NodeRecord) {
        let is_reservation =
            matches!(record, NodeRecord::Proposer(ProposerRecord::Reserved { .. }));
        if !is_reservation || self.tells_reservations {
            self.say(format!("{id} {verb} {}", show::record(record)));
        }
    }

    /// Takes what a replica executed.
    fn take_steps(&mut self, id: NodeId, is_told: bool) -> Result {
        let Some(roles) = &mut self.node(id)?.roles else { return Ok(()) };
        for step in roles.take_steps() {
            let told = self.oracles.executed(id, &step);
            told.map_err(|violation| violation.to_string())?;
            let commands = step.value.commands.as_slice();
            if commands.iter().any(|command| command.operation == Operation::OpenSession) {
                continue;
            }
            self.node(id)?.executed.push(step.vertex);
            if !is_told {
                continue;
            }
            let mut line = format!("{id} executes {}", show::vertex(step.vertex));
            line.push_str(&format!(" {}", show::commands(&step.value.commands)));
            for reply in &step.replies {
                line.push_str(&format!(" -> {}", show::reply(reply)));
            }
            if step.took_effect.contains(&false) {
                line.push_str(", no effect");
            }
            if step.component_len > 1 {
                line.push_str(&format!(", in a component of {}", step.component_len));
            }
            self.say(line);
        }
        Ok(())
    }
}
