//! The cluster of a story: nodes, what is on its way between them, and what a script can do to them.
//! What the nodes want done is in `effects`.

use crate::flight::{Flight, Selector, Sent};
use crate::node::{Node, Setting};
use crate::oracles::Oracles;
use crate::show;
use althing_model::{Micros, NodeId, Operation, RequestId, Role, SessionId};
use althing_wire::{Address, BarrierDue, ClientId, Message, Recover, Submit};
use std::collections::{BTreeMap, VecDeque};

/// What a story happens to.
pub(crate) struct Cluster {
    pub(crate) setting: Setting,
    pub(crate) nodes: BTreeMap<NodeId, Node>,
    pub(crate) flight: Flight,
    pub(crate) oracles: Oracles,
    now: Micros,
    /// From a role to another of its node: they arrive at once, in order.
    pub(crate) local: VecDeque<(NodeId, Message)>,
    pub(crate) clients: BTreeMap<u64, Client>,
    /// The client and sequence that each ticket was given for.
    pub(crate) tickets: Vec<(u64, u64)>,
    /// Whether reservations of sequence numbers are told.
    pub(crate) tells_reservations: bool,
    pub(crate) lines: Vec<String>,
}

/// A client and what it submitted, by sequence. It has no session before it heard of its opening.
#[derive(Default)]
pub(crate) struct Client {
    pub(crate) session: Option<SessionId>,
    submitted: Vec<Operation>,
}

/// What stands for the sequence of an opening, which has none.
const OPENING: u64 = u64::MAX;

pub(crate) type Result<T = ()> = std::result::Result<T, String>;

impl Cluster {
    /// A cluster that is started, with a session for each proposer's client.
    pub(crate) fn start(setting: Setting, tells_reservations: bool) -> Result<Self> {
        let nodes: Vec<NodeId> = setting.membership.nodes().collect();
        let proposers: Vec<NodeId> = setting.membership.with(Role::Proposer).collect();
        let mut cluster = Self {
            nodes: nodes.iter().map(|id| (*id, Node::new(*id, &setting.membership))).collect(),
            oracles: Oracles::new(&setting.membership),
            setting,
            flight: Flight::default(),
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
            cluster.open(u64::from(node.0), node)?;
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

    /// A new client opens a session.
    pub(crate) fn open(&mut self, client: u64, node: NodeId) -> Result {
        if self.clients.insert(client, Client::default()).is_some() {
            return Err(format!("c{client} has a session"));
        }
        self.submit_to(node, client, OPENING, Operation::OpenSession)
    }

    /// A client submits its next operation.
    pub(crate) fn submit(&mut self, client: u64, node: NodeId, words: &[&str]) -> Result {
        let it = self.clients.get_mut(&client).ok_or_else(|| format!("there is no c{client}"))?;
        let session = it.session.ok_or_else(|| format!("c{client} has no session yet"))?;
        let sequence = it.submitted.len() as u64;
        let operation = match words {
            ["close"] => Operation::CloseSessions(vec![session]),
            words => Operation::Apply {
                request: RequestId { session, sequence },
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
    pub(crate) fn finish(&mut self) -> Result {
        while let Some((node, message)) = self.local.pop_front() {
            if let Message::Refused(_) = message {
                self.say(format!("{node} tells itself {}", show::message(&message)));
            }
            self.handle(node, node.into(), message)?;
        }
        Ok(())
    }

    /// A node's replica tells the proposer beside it that a barrier is due.
    pub(crate) fn barrier(&mut self, node: NodeId) -> Result {
        self.handle(node, node.into(), BarrierDue.into())?;
        self.finish()
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

    // Nodes.

    /// Starts a node from its disk.
    pub(crate) fn start_node(&mut self, id: NodeId) -> Result {
        let (now, setting) = (self.now, self.setting.clone());
        let node = self.node(id)?;
        if node.roles.is_some() {
            return Err(format!("{id} runs"));
        }
        let effects = node.start(now, &setting);
        let node = &self.nodes[&id];
        let roles = node.roles.as_ref().expect("just started");
        let at = node.disk.saved.as_ref().map(|saved| saved.at);
        self.oracles.restarted(id, at, roles).map_err(|violation| violation.to_string())?;
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
            let Some(append) = self.node(id)?.disk.sync_one() else { break };
            self.synced(id, append)?;
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
}
