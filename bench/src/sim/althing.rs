//! Althing's own roles as a node of the simulator.

use super::application::Application;
use super::node::{Commits, Out, Outcome, ProtocolNode, Request, RequestNumber};
use super::settings::Settings;
use althing_model::{Membership, Micros, NodeId, Operation, Reply, RequestId, SessionId};
use althing_proposer::{CommitPath, Link};
use althing_replica::Snapshot;
use althing_roles::{Config, NodeEffect, Recovery, Roles};
use althing_wire::limits::DIGEST_LEN;
use althing_wire::{
    Address, ClientId, Effect, Kind, Message, NodeRecord, Party, SnapshotOffer, Submit,
};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Whose sessions are whose, all nodes together.
pub(super) type Sessions = Rc<RefCell<FxHashMap<SessionId, Session>>>;

/// A client's session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    client: u32,
    /// The client's number of the session's first request: it has another session after its node
    /// was restarted.
    first: u32,
}

/// A node: all roles, driven as the runtime drives them, over a disk that takes no time.
pub(super) struct AlthingNode {
    config: Config,
    application: Rc<dyn Application>,
    roles: Roles,
    /// What it wrote, where it is going to be restarted.
    records: Option<Vec<NodeRecord>>,
    /// Which role receives a kind of message.
    receivers: [Option<Party>; 256],
    /// Messages to itself.
    local: VecDeque<(Address, Message)>,
    effects: Vec<NodeEffect>,
    sessions: Sessions,
    /// The sessions of its own clients.
    open: FxHashMap<u32, (SessionId, Session)>,
    commits: Commits,
    /// How many of them were openings of sessions, which no client's figures should count.
    openings: u64,
}

/// Set in the ticket of an opening, beside the number of the first request; other tickets are the
/// number of their request.
const OPENING: u64 = 1 << 63;

impl AlthingNode {
    pub(super) fn new(
        me: usize,
        membership: &Membership,
        seed: u64,
        settings: &Settings,
        keeps_records: bool,
        sessions: Sessions,
        application: Rc<dyn Application>,
    ) -> Self {
        let me = NodeId(me as u32);
        let config = Config {
            me,
            membership: membership.clone(),
            is_lost: false,
            seed: seed ^ u64::from(me.0) << 32,
            proposer_timing: settings.proposer_timing,
            proposer_limits: settings.proposer_limits,
            replica_timing: settings.replica_timing,
            replica_limits: settings.replica_limits,
        };
        let mut receivers = [None; 256];
        for kind in Kind::ALL {
            receivers[*kind as usize] = kind.receiver_at(membership, me);
        }
        Self {
            roles: recover(config.clone(), &*application, &[]),
            config,
            application,
            records: keeps_records.then(Vec::new),
            receivers,
            local: VecDeque::new(),
            effects: Vec::new(),
            sessions,
            open: FxHashMap::default(),
            commits: Commits::default(),
            openings: 0,
        }
    }

    fn submit(&mut self, client: u32, ticket: u64, operation: Operation) {
        let from = Address::Client(ClientId(u64::from(client)));
        self.local.push_back((from, Submit { ticket, operation }.into()));
    }

    /// Handles what is in `local`, and what follows from it here.
    fn settle(&mut self, now: Micros, out: &mut Out<Message>) {
        self.carry_out(out);
        loop {
            while let Some((from, message)) = self.local.pop_front() {
                let party =
                    self.receivers[message.kind() as usize].expect("every node has all roles");
                // What a role ignores is late or repeated.
                let _ = self.roles.handle(now, party, from, message, &mut self.effects);
                self.carry_out(out);
            }
            // A snapshot is on disk at once, as everything is here.
            let Some(Snapshot { number, .. }) = self.roles.take_snapshot() else { break };
            let saved = SnapshotOffer { number, len: 0, digest: [0; DIGEST_LEN] };
            self.roles.on_saved(now, saved, &mut self.effects);
            self.carry_out(out);
        }
        self.report(out);
    }

    fn carry_out(&mut self, out: &mut Out<Message>) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Send { to, message } => self.send(to, message, out),
                Effect::Append { records, then } => {
                    if let Some(kept) = &mut self.records {
                        kept.extend(records);
                    }
                    for (to, message) in then {
                        self.send(to, message, out);
                    }
                }
            }
        }
        self.effects = effects;
    }

    fn send(&mut self, to: Address, message: Message, out: &mut Out<Message>) {
        match (to, message) {
            (Address::Node(to), message) if to == self.config.me => {
                self.local.push_back((Address::Node(to), message));
            }
            (Address::Node(to), message) => out.send(to.0 as usize, message),
            (Address::Client(ClientId(client)), Message::Answer(answer)) => {
                self.answer(client as u32, answer.ticket, answer.outcome, out);
            }
            (Address::Client(_), message) => panic!("{message:?} is not for a client"),
        }
    }

    fn answer(
        &mut self,
        client: u32,
        ticket: u64,
        outcome: althing_wire::Outcome,
        out: &mut Out<Message>,
    ) {
        let outcome = match outcome {
            althing_wire::Outcome::Executed(Reply::Opened(id)) => {
                self.openings += 1;
                let session = Session { client, first: ticket as u32 };
                self.sessions.borrow_mut().insert(id, session);
                self.open.insert(client, (id, session));
                return out.connected(client);
            }
            althing_wire::Outcome::Executed(Reply::Applied(reply)) => Outcome::Executed(reply),
            althing_wire::Outcome::Overloaded => Outcome::Refused,
            outcome => panic!("nothing else can come of a valid request: {outcome:?}"),
        };
        out.answer(RequestNumber { client, sequence: ticket as u32 }, outcome);
    }

    /// Tells what was committed and executed.
    fn report(&mut self, out: &mut Out<Message>) {
        if let Some(proposer) = &mut self.roles.proposer {
            for (path, _) in proposer.take_commits() {
                match path {
                    CommitPath::Fast => self.commits.fast += 1,
                    CommitPath::Slow | CommitPath::Classic => self.commits.slow += 1,
                    // Of another proposer's vertex, or by another proposer.
                    CommitPath::Recovered | CommitPath::Learned => {}
                }
            }
        }
        let steps = self.roles.take_steps();
        if steps.is_empty() {
            return;
        }
        let sessions = self.sessions.borrow();
        for step in &steps {
            for (command, took_effect) in
                step.value.commands.as_slice().iter().zip(&step.took_effect)
            {
                if let (Operation::Apply { request, .. }, true) = (&command.operation, took_effect)
                {
                    let Session { client, first } = sessions[&request.session];
                    let sequence = first + request.sequence as u32;
                    out.executed(RequestNumber { client, sequence });
                }
            }
        }
    }
}

/// The roles that these records tell of.
fn recover(config: Config, application: &dyn Application, records: &[NodeRecord]) -> Roles {
    let (conflicts, machine) = (application.conflicts(), application.machine());
    let mut recovery = Recovery::new(config, conflicts, machine);
    for record in records {
        recovery.restore(record.clone()).expect("a node keeps its roles");
    }
    recovery.finish()
}

impl ProtocolNode for AlthingNode {
    type Message = Message;

    fn start(&mut self, now: Micros, out: &mut Out<Message>) {
        self.roles.start(now, &mut self.effects);
        self.settle(now, out);
    }

    fn crash(&mut self) {
        let records = self.records.as_deref().unwrap_or_default();
        // Another life has other random numbers.
        self.config.seed = self.config.seed.wrapping_add(1);
        self.roles = recover(self.config.clone(), &*self.application, records);
        self.local.clear();
        self.open.clear();
    }

    fn on_connect(&mut self, now: Micros, from: RequestNumber, out: &mut Out<Message>) {
        let ticket = OPENING | u64::from(from.sequence);
        self.submit(from.client, ticket, Operation::OpenSession);
        self.settle(now, out);
    }

    fn on_submit(&mut self, now: Micros, request: Request, out: &mut Out<Message>) {
        let RequestNumber { client, sequence } = request.id;
        let (session, Session { first, .. }) = self.open[&client];
        let operation = Operation::Apply {
            request: RequestId { session, sequence: u64::from(sequence - first) },
            acknowledged_below: u64::from(request.acknowledged_below.saturating_sub(first)),
            payload: self.application.command(&request),
        };
        self.submit(client, u64::from(sequence), operation);
        self.settle(now, out);
    }

    fn on_message(&mut self, now: Micros, from: usize, message: Message, out: &mut Out<Message>) {
        self.local.push_back((Address::Node(NodeId(from as u32)), message));
        self.settle(now, out);
    }

    fn on_link(&mut self, now: Micros, other: usize, link: Link, out: &mut Out<Message>) {
        self.roles.on_link(now, NodeId(other as u32), link, false);
        self.settle(now, out);
    }

    fn deadline(&self) -> Option<Micros> {
        self.roles.deadline()
    }

    fn on_deadline(&mut self, now: Micros, out: &mut Out<Message>) {
        self.roles.on_deadline(now, &mut self.effects);
        self.settle(now, out);
    }

    fn take_commits(&mut self) -> Commits {
        let Commits { fast, slow } = std::mem::take(&mut self.commits);
        // They touch nothing, so that they are fast where anything is.
        let openings = std::mem::take(&mut self.openings);
        Commits { fast: fast.saturating_sub(openings), slow }
    }
}
