//! One client: one session, any number of operations in flight.

use crate::read::Reads;
use crate::{Failure, Outcome};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{
    DepSet, Jitter, Micros, NodeId, Operation, Reply, RequestId, SeqSet, SessionId,
};
use althing_wire::limits::SESSION_WINDOW;
use althing_wire::{Answer, Outcome as Answered, Read, Submit};
use bytes::Bytes;
use std::collections::BTreeMap;

/// A client's settings. All times in microseconds.
#[derive(Debug, Clone)]
pub struct Config {
    /// The nodes to submit to, the nearest first.
    pub nodes: Vec<NodeId>,
    /// How long the first node may take to answer before the next one is asked; each further one
    /// has twice as long as the one before.
    pub attempt: Micros,
    /// How long an operation may take in all, before its outcome is unknown.
    pub give_up: Micros,
    /// How long to wait after an overloaded answer, at first; randomised and doubled.
    pub back_off: Micros,
    /// For randomised back-off.
    pub seed: u64,
}

/// An operation of this client, numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub u64);

/// What the client wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this to that node.
    Send(NodeId, Submit),
    /// Send this to that node.
    Read(NodeId, Read),
    /// Tell the caller.
    Ended(Ended),
}

/// The end of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub operation: OperationId,
    /// How.
    pub outcome: Outcome,
    /// The node that answered, if one did.
    pub node: Option<NodeId>,
    /// By which way it ended.
    pub way: Way,
}

/// By which way an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As a command of the session; a read may have become one.
    Command {
        /// Its number in the session.
        sequence: u64,
    },
    /// As a read that no command carried.
    Read {
        /// Of a stale read that is done: how old the state was at most, in microseconds, unless the
        /// node did not know, since it had just begun.
        lag: Option<Micros>,
    },
}

/// A client.
#[derive(Debug)]
pub struct Client {
    pub(crate) config: Config,
    session: Option<SessionId>,
    /// Operations that have not ended, by ticket; ticket 0 opens the session.
    in_flight: BTreeMap<u64, InFlight>,
    next_operation: u64,
    next_sequence: u64,
    /// Sequences that have ended: their replies are not needed any more.
    ended: SeqSet,
    /// Reads that have not ended.
    pub(crate) reads: Reads,
    /// What it has seen executed: commands that it was answered, and what its reads showed.
    pub(crate) seen: DepSet,
    pub(crate) down: Vec<bool>,
    /// Nodes that let an attempt pass without an answer, and have answered nothing since: they are
    /// asked last.
    pub(crate) silent: Vec<bool>,
    pub(crate) jitter: Jitter,
}

#[derive(Debug)]
struct InFlight {
    what: What,
    /// Which node was asked last.
    node: usize,
    /// How many times it was submitted.
    attempts: u32,
    /// How many of these were turned away before they could have an effect.
    turned_away: u32,
    /// Whether the last of them was: the node answered, if not with much.
    is_turned_away: bool,
    try_again_at: Micros,
    give_up_at: Micros,
}

#[derive(Debug, Clone)]
enum What {
    Open,
    Apply { operation: OperationId, sequence: u64, payload: Bytes },
}

/// Vertices above the prefix of a column that a client names one by one: beyond it the lower ones are
/// named with all below them.
const SEEN_EXTRAS_MAX: usize = 64;

const OPEN_TICKET: u64 = 0;

/// The ticket of the request with that sequence.
fn ticket_of(sequence: u64) -> u64 {
    sequence + 1
}

impl Client {
    /// A client without a session; it opens one with its first operation.
    pub fn new(config: Config) -> Self {
        assert!(!config.nodes.is_empty(), "a client has a node to talk to");
        Self {
            session: None,
            in_flight: BTreeMap::new(),
            next_operation: 0,
            next_sequence: 0,
            ended: SeqSet::default(),
            reads: Reads::default(),
            seen: DepSet::default(),
            down: vec![false; config.nodes.len()],
            silent: vec![false; config.nodes.len()],
            jitter: Jitter::new(config.seed),
            config,
        }
    }

    /// Its session, once it is open.
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// Operations that have not ended.
    pub fn in_flight(&self) -> usize {
        let commands = self.in_flight.keys().filter(|ticket| **ticket != OPEN_TICKET);
        commands.count() + self.reads.len()
    }

    /// The operation that a submission with this ticket is of, while it has not ended.
    pub fn operation_of(&self, ticket: u64) -> Option<OperationId> {
        match self.in_flight.get(&ticket)?.what {
            What::Open => None,
            What::Apply { operation, .. } => Some(operation),
        }
    }

    /// What it has seen executed, or more: the token of its session's reads. Another client that is
    /// given it ([`Self::has_seen`]) will see nothing older.
    pub fn seen(&self) -> &DepSet {
        &self.seen
    }

    /// Its session's reads show all of this from now on, whoever saw it.
    pub fn has_seen(&mut self, seen: &DepSet) {
        self.seen.union(seen);
        self.seen.compact(SEEN_EXTRAS_MAX);
    }

    /// Submits a command.
    ///
    /// Replicas keep the replies to all requests from the first that has not ended, so that one too
    /// far from it ([`SESSION_WINDOW`]) is held back here until that one ends: within
    /// [`Config::give_up`], for an operation that was given up has ended too.
    pub fn submit(&mut self, now: Micros, payload: Bytes, out: &mut Vec<Output>) -> OperationId {
        let operation = self.next_operation();
        self.submit_by(now, operation, payload, now + self.config.give_up, out);
        operation
    }

    pub(crate) fn next_operation(&mut self) -> OperationId {
        let operation = OperationId(self.next_operation);
        self.next_operation += 1;
        operation
    }

    /// Submits an operation that is given up at a certain time.
    pub(crate) fn submit_by(
        &mut self,
        now: Micros,
        operation: OperationId,
        payload: Bytes,
        give_up_at: Micros,
        out: &mut Vec<Output>,
    ) {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let ticket = ticket_of(sequence);
        let what = What::Apply { operation, sequence, payload };
        self.begin(ticket, what, give_up_at);
        if self.session.is_some() {
            self.attempt(now, ticket, out);
        } else {
            self.open_session(now, out);
        }
    }

    /// A node answered.
    pub fn on_answer(&mut self, now: Micros, from: NodeId, answer: Answer, out: &mut Vec<Output>) {
        let Answer { ticket, outcome, seen } = answer;
        let window_end = self.window_end();
        if let Some(index) = self.index_of(from) {
            self.silent[index] = false;
        }
        if !self.in_flight.contains_key(&ticket) {
            return;
        };
        self.has_seen(&seen);
        let in_flight = self.in_flight.get_mut(&ticket).expect("looked up above");
        match outcome {
            Answered::Overloaded => {
                in_flight.turned_away += 1;
                mark::hit(Mark::ClientTurnedAway);
                in_flight.is_turned_away = true;
                let exponent = in_flight.turned_away.min(6);
                in_flight.try_again_at = now + self.jitter.around(self.config.back_off << exponent);
            }
            Answered::Invalid(why) => {
                self.end(ticket, Outcome::Failed(Failure::Invalid(why)), Some(from), out);
            }
            Answered::Executed(Reply::Opened(session)) => {
                if ticket == OPEN_TICKET && self.session.is_none() {
                    self.in_flight.remove(&ticket);
                    self.session = Some(session);
                    let waiting: Vec<u64> = self.in_flight.keys().copied().collect();
                    waiting.into_iter().for_each(|ticket| self.attempt(now, ticket, out));
                }
            }
            // Only operators pass barriers.
            Answered::Executed(Reply::Passed) => {}
            Answered::Executed(Reply::Applied(reply)) => {
                self.end(ticket, Outcome::Done(reply), Some(from), out);
            }
            Answered::Executed(Reply::SessionUnknown) => {
                // An earlier attempt may have taken effect before the session was closed.
                let outcome = match in_flight.attempts.saturating_sub(in_flight.turned_away) {
                    0 | 1 => Outcome::Failed(Failure::SessionClosed),
                    _ => Outcome::Unknown,
                };
                self.end(ticket, outcome, Some(from), out);
            }
            Answered::Executed(Reply::Forgotten | Reply::Closed) => {
                self.end(ticket, Outcome::Unknown, Some(from), out);
            }
        }
        self.let_go(now, window_end, out);
    }

    /// A node's connection broke: what it was asked is asked of the next one, at once.
    pub fn on_down(&mut self, now: Micros, node: NodeId, out: &mut Vec<Output>) {
        let Some(index) = self.index_of(node) else {
            return;
        };
        self.down[index] = true;
        let stranded: Vec<u64> = self
            .in_flight
            .iter()
            .filter(|(_, in_flight)| in_flight.attempts > 0 && in_flight.node == index)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in stranded {
            self.attempt(now, ticket, out);
        }
        self.read_elsewhere(now, index, out);
    }

    /// A node is connected: the nearest connected one is asked from now on.
    pub fn on_up(&mut self, node: NodeId) {
        if let Some(index) = self.index_of(node) {
            self.down[index] = false;
            self.silent[index] = false;
        }
    }

    /// The earliest time at which [`Self::on_deadline`] has something to do.
    pub fn deadline(&self) -> Option<Micros> {
        let commands = self.in_flight.values().map(|it| it.try_again_at.min(it.give_up_at));
        commands.chain(self.reads.deadline()).min()
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, now: Micros, out: &mut Vec<Output>) {
        self.read_on_deadline(now, out);
        let window_end = self.window_end();
        let due: Vec<u64> = self
            .in_flight
            .iter()
            .filter(|(_, it)| it.try_again_at.min(it.give_up_at) <= now)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in due {
            let in_flight = &self.in_flight[&ticket];
            if in_flight.give_up_at <= now {
                let outcome = match (in_flight.attempts, in_flight.turned_away) {
                    // Held back all the time.
                    (0, _) if self.session.is_some() => Outcome::Failed(Failure::Overloaded),
                    (0, _) => Outcome::Failed(Failure::Unreachable),
                    _ if is_planted(Mutant::UnknownTakenForFailed) => {
                        Outcome::Failed(Failure::Unreachable)
                    }
                    (attempts, turned_away)
                        if attempts == turned_away
                            || turned_away > 0 && is_planted(Mutant::OverloadHidesAttempts) =>
                    {
                        Outcome::Failed(Failure::Overloaded)
                    }
                    _ => {
                        mark::hit(Mark::ClientGaveUp);
                        Outcome::Unknown
                    }
                };
                self.end(ticket, outcome, None, out);
                if ticket == OPEN_TICKET && self.in_flight() > 0 {
                    // Others still wait for the session.
                    self.open_session(now, out);
                }
            } else if self.session.is_some() || ticket == OPEN_TICKET {
                if in_flight.attempts > 0 && !in_flight.is_turned_away {
                    self.silent[in_flight.node] = true;
                }
                self.attempt(now, ticket, out);
            } else {
                let give_up_at = in_flight.give_up_at;
                self.in_flight.get_mut(&ticket).expect("it is due").try_again_at = give_up_at;
                self.open_session(now, out);
            }
        }
        self.let_go(now, window_end, out);
    }

    /// Sequences from this one up are held back.
    fn window_end(&self) -> u64 {
        self.ended.below() + SESSION_WINDOW
    }

    /// Submits what was held back, from sequence `held_from` up, and is within the window now.
    fn let_go(&mut self, now: Micros, held_from: u64, out: &mut Vec<Output>) {
        let window_end = self.window_end();
        if self.session.is_none() || window_end == held_from {
            return;
        }
        let tickets = ticket_of(held_from)..ticket_of(window_end);
        let held: Vec<u64> = self
            .in_flight
            .range(tickets)
            .filter(|(_, in_flight)| in_flight.attempts == 0)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in held {
            self.attempt(now, ticket, out);
        }
    }

    fn begin(&mut self, ticket: u64, what: What, give_up_at: Micros) {
        let in_flight = InFlight {
            what,
            node: 0,
            attempts: 0,
            turned_away: 0,
            is_turned_away: false,
            try_again_at: give_up_at,
            give_up_at,
        };
        self.in_flight.insert(ticket, in_flight);
    }

    fn open_session(&mut self, now: Micros, out: &mut Vec<Output>) {
        if !self.in_flight.contains_key(&OPEN_TICKET) {
            self.begin(OPEN_TICKET, What::Open, now + self.config.give_up);
            self.attempt(now, OPEN_TICKET, out);
        }
    }

    /// Submits an operation, again if it was before: then to the next node that is not down. One that
    /// is beyond the session's window stays here.
    fn attempt(&mut self, now: Micros, ticket: u64, out: &mut Vec<Output>) {
        if ticket >= ticket_of(self.window_end()) {
            mark::hit(Mark::ClientHeldBack);
            return;
        }
        let in_flight = &self.in_flight[&ticket];
        let first = match in_flight.attempts {
            // The nearest that answers: one slow answer is no reason to go far for all others.
            0 => 0,
            _ => in_flight.node + 1,
        };
        let node = self.node_from(first);
        let in_flight = self.in_flight.get_mut(&ticket).expect("looked up above");
        if in_flight.attempts > 0 && in_flight.node != node {
            mark::hit(Mark::ClientRetried);
        }
        in_flight.node = node;
        in_flight.attempts += 1;
        in_flight.is_turned_away = false;
        // Whoever is slow is not made faster by repetition: the patience doubles.
        in_flight.try_again_at = now + (self.config.attempt << (in_flight.attempts - 1).min(6));
        let operation = match in_flight.what.clone() {
            What::Open => Operation::OpenSession,
            What::Apply { sequence, payload, .. } => {
                let Some(session) = self.session else { return };
                let is_new = is_planted(Mutant::RetryIsANewRequest) && in_flight.attempts > 1;
                let sequence = sequence + if is_new { SESSION_WINDOW / 2 } else { 0 };
                let request = RequestId { session, sequence };
                Operation::Apply { request, acknowledged_below: self.ended.below(), payload }
            }
        };
        out.push(Output::Send(self.config.nodes[node], Submit { ticket, operation }));
    }

    /// The node to ask, from that one on: the first that is neither down nor silent.
    pub(crate) fn node_from(&self, first: usize) -> usize {
        let count = self.config.nodes.len();
        let in_turn = || (0..count).map(|step| (first + step) % count);
        in_turn()
            .find(|index| !self.down[*index] && !self.silent[*index])
            .or_else(|| in_turn().find(|index| !self.down[*index]))
            .unwrap_or(first % count)
    }

    fn end(&mut self, ticket: u64, outcome: Outcome, node: Option<NodeId>, out: &mut Vec<Output>) {
        let Some(in_flight) = self.in_flight.remove(&ticket) else {
            return;
        };
        if let What::Apply { operation, sequence, .. } = in_flight.what {
            self.ended.insert(sequence);
            let way = Way::Command { sequence };
            out.push(Output::Ended(Ended { operation, outcome, node, way }));
        }
    }

    pub(crate) fn index_of(&self, node: NodeId) -> Option<usize> {
        self.config.nodes.iter().position(|other| *other == node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Epoch, VertexId};

    fn config() -> Config {
        let nodes = vec![NodeId(0), NodeId(1), NodeId(2)];
        Config { nodes, attempt: 100, give_up: 1000, back_off: 10, seed: 1 }
    }

    fn session() -> SessionId {
        let opened = VertexId { epoch: Epoch(0), proposer: NodeId(0), seq: 0 };
        SessionId { opened, slot: 0 }
    }

    fn answer(ticket: u64, reply: Reply) -> Answer {
        Answer { ticket, outcome: Answered::Executed(reply), seen: DepSet::default() }
    }

    fn opened() -> (Client, Vec<Output>) {
        // Tests may share a thread.
        mark::take();
        let mut client = Client::new(config());
        let mut out = Vec::new();
        client.submit(0, Bytes::from_static(b"x"), &mut out);
        assert!(matches!(
            out.as_slice(),
            [Output::Send(NodeId(0), Submit { ticket: 0, operation: Operation::OpenSession })]
        ));
        out.clear();
        client.on_answer(1, NodeId(0), answer(0, Reply::Opened(session())), &mut out);
        (client, out)
    }

    fn request(output: &Output) -> (NodeId, u64, RequestId) {
        match output {
            Output::Send(node, Submit { ticket, operation: Operation::Apply { request, .. } }) => {
                (*node, *ticket, *request)
            }
            other => panic!("no request: {other:?}"),
        }
    }

    /// Broken: a retry elsewhere would be another request, and take effect twice.
    #[test]
    fn a_retry_goes_elsewhere_under_the_same_id() {
        let (mut client, mut out) = opened();
        let (node, ticket, first) = request(&out[0]);
        assert_eq!(node, NodeId(0));
        out.clear();
        client.on_deadline(150, &mut out);
        let (node, again, second) = request(&out[0]);
        assert_eq!((node, again, second), (NodeId(1), ticket, first));
        assert!(mark::take().contains(Mark::ClientRetried));
        out.clear();
        let reply = Reply::Applied(Bytes::from_static(b"y"));
        client.on_answer(160, NodeId(1), answer(ticket, reply), &mut out);
        let ended = Ended {
            operation: OperationId(0),
            outcome: Outcome::Done(Bytes::from_static(b"y")),
            node: Some(NodeId(1)),
            way: Way::Command { sequence: 0 },
        };
        assert_eq!(out, [Output::Ended(ended)]);
        assert_eq!(client.in_flight(), 0);
    }

    /// Broken: a client would be turned away for requests that replicas would have to remember beside
    /// one that is lost, or one that is lost would stop it for ever.
    #[test]
    fn what_is_beyond_the_window_waits_for_the_first() {
        let (mut client, mut out) = opened();
        for _ in 1..SESSION_WINDOW + 2 {
            client.submit(500, Bytes::from_static(b"x"), &mut out);
        }
        assert!(mark::take().contains(Mark::ClientHeldBack));
        let sent: Vec<u64> = out.iter().map(|it| request(it).2.sequence).collect();
        assert_eq!(sent, (0..SESSION_WINDOW).collect::<Vec<_>>());
        out.clear();
        let reply = Reply::Applied(Bytes::new());
        // Later ones end, and nothing moves: the first may still be needed.
        for sequence in 1..10 {
            client.on_answer(600, NodeId(0), answer(ticket_of(sequence), reply.clone()), &mut out);
        }
        assert!(out.iter().all(|it| matches!(it, Output::Ended(_))));
        out.clear();
        // The first is given up, so that all below the tenth have ended.
        client.on_deadline(1_000, &mut out);
        let unknown = |it: &Output| {
            matches!(it, Output::Ended(Ended { outcome: Outcome::Unknown, operation, .. })
                if *operation == OperationId(0))
        };
        assert!(out.iter().any(unknown));
        let held: Vec<_> = out
            .iter()
            .filter_map(|it| match it {
                Output::Send(_, Submit { ticket, operation }) if *ticket > SESSION_WINDOW => {
                    Some(operation.clone())
                }
                _ => None,
            })
            .collect();
        assert_eq!(held.len(), 2);
        for operation in held {
            assert!(matches!(operation, Operation::Apply { acknowledged_below: 10, .. }));
        }
    }

    /// Broken: a client would be told that no node could be reached, or that the outcome of an
    /// operation that never left it is unknown.
    #[test]
    fn what_was_held_back_to_the_end_has_failed() {
        let (mut client, mut out) = opened();
        let mut last = OperationId(0);
        for _ in 0..SESSION_WINDOW {
            last = client.submit(0, Bytes::from_static(b"x"), &mut out);
        }
        out.clear();
        client.on_deadline(1_000, &mut out);
        let ended = out.iter().find_map(|it| match it {
            Output::Ended(ended) if ended.operation == last => Some(&ended.outcome),
            _ => None,
        });
        assert_eq!(ended, Some(&Outcome::Failed(Failure::Overloaded)));
        assert_eq!(client.in_flight(), 0);
    }

    /// Broken: a client would wait for a dead node although it knows.
    #[test]
    fn what_a_broken_connection_stranded_moves_at_once() {
        let (mut client, mut out) = opened();
        out.clear();
        client.on_down(20, NodeId(0), &mut out);
        assert_eq!(request(&out[0]).0, NodeId(1));
        out.clear();
        client.submit(30, Bytes::new(), &mut out);
        assert_eq!(request(&out[0]).0, NodeId(1));
        client.on_up(NodeId(0));
        out.clear();
        client.submit(40, Bytes::new(), &mut out);
        assert_eq!(request(&out[0]).0, NodeId(0));
    }

    /// Broken: each operation would find out anew that a hung node hangs, whose connection stands;
    /// or one slow answer would send all later operations far away for good.
    #[test]
    fn a_silent_node_is_asked_last_until_it_answers() {
        let (mut client, mut out) = opened();
        out.clear();
        client.on_deadline(150, &mut out);
        out.clear();
        client.submit(160, Bytes::new(), &mut out);
        assert_eq!(request(&out[0]).0, NodeId(1));
        // The late answer to the first attempt.
        let reply = Reply::Applied(Bytes::new());
        client.on_answer(170, NodeId(0), answer(1, reply), &mut out);
        out.clear();
        client.submit(180, Bytes::new(), &mut out);
        assert_eq!(request(&out[0]).0, NodeId(0));
    }

    /// Broken: the three outcomes would be confused, and an application would repeat what happened.
    #[test]
    fn outcomes_say_no_more_than_is_known() {
        let (mut client, mut out) = opened();
        out.clear();
        client.on_deadline(2000, &mut out);
        assert!(matches!(&out[..], [Output::Ended(Ended { outcome: Outcome::Unknown, .. })]));
        assert!(mark::take().contains(Mark::ClientGaveUp));

        let mut unreachable = Client::new(config());
        out.clear();
        unreachable.submit(0, Bytes::new(), &mut out);
        out.clear();
        unreachable.on_deadline(5000, &mut out);
        assert!(out.iter().any(|output| matches!(
            output,
            Output::Ended(Ended { outcome: Outcome::Failed(Failure::Unreachable), .. })
        )));

        let (mut busy, mut out) = opened();
        out.clear();
        let seen = DepSet::default();
        let overloaded = Answer { ticket: 1, outcome: Answered::Overloaded, seen };
        busy.on_answer(5, NodeId(0), overloaded, &mut out);
        assert!(mark::take().contains(Mark::ClientTurnedAway));
        busy.on_deadline(1001, &mut out);
        assert!(matches!(
            &out[..],
            [Output::Ended(Ended { outcome: Outcome::Failed(Failure::Overloaded), .. })]
        ));
    }
}
