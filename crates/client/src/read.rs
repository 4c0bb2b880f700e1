//! Reads: asked of the nearest node, and of the next where that one cannot answer. Nothing can take
//! effect twice, so that a read needs no id and no session; one that cannot be answered without a
//! command becomes one.

use crate::{Client, Ended, Failure, OperationId, Outcome, Output, Way};
use althing_model::mark::{self, Mark};
use althing_model::{Micros, NodeId};
use althing_wire::{Consistency as Wanted, Read, ReadAnswer, ReadDelay, ReadOutcome};
use bytes::Bytes;
use std::collections::BTreeMap;

/// How new a state a read wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consistency {
    /// It shows all that was answered to anyone before it was asked. One round trip to the nearest
    /// majority where the read touches one resource whose updates conflict with each other; else it
    /// is a command.
    #[default]
    Linearizable,
    /// It shows all that this client has seen, its own commands above all, and nothing older than an
    /// earlier read. No round trip between nodes, unless the client has just changed its node.
    Session,
    /// The state of the nearest node, at once, with its lag.
    Stale,
}

/// Reads that have not ended, by ticket.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    in_flight: BTreeMap<u64, InFlight>,
    next_ticket: u64,
}

#[derive(Debug)]
struct InFlight {
    operation: OperationId,
    payload: Bytes,
    consistency: Consistency,
    /// Which node was asked last.
    node: usize,
    attempts: u32,
    /// How often a node could not answer, and why the last one could not.
    delays: u32,
    delay: Option<ReadDelay>,
    /// The node that was asked last has not said anything yet.
    is_awaited: bool,
    try_again_at: Micros,
    give_up_at: Micros,
}

impl Reads {
    pub(crate) fn len(&self) -> usize {
        self.in_flight.len()
    }

    pub(crate) fn deadline(&self) -> Option<Micros> {
        self.in_flight.values().map(|it| it.try_again_at.min(it.give_up_at)).min()
    }
}

impl Client {
    /// Asks for the reply to a command that changes nothing, as the state machine's `query` gives it.
    ///
    /// Whatever a node cannot answer so, it is executed as a command: where the state machine answers
    /// no reads, where the read touches several resources, or some whose updates commute with each
    /// other. Then it ends like a command.
    pub fn read(
        &mut self,
        now: Micros,
        payload: Bytes,
        consistency: Consistency,
        out: &mut Vec<Output>,
    ) -> OperationId {
        let operation = self.next_operation();
        let ticket = self.reads.next_ticket;
        self.reads.next_ticket += 1;
        let give_up_at = now + self.config.give_up;
        let in_flight = InFlight {
            operation,
            payload,
            consistency,
            node: 0,
            attempts: 0,
            delays: 0,
            delay: None,
            is_awaited: false,
            try_again_at: give_up_at,
            give_up_at,
        };
        self.reads.in_flight.insert(ticket, in_flight);
        self.attempt_read(now, ticket, out);
        operation
    }

    /// A node answered a read.
    pub fn on_read_answer(
        &mut self,
        now: Micros,
        from: NodeId,
        answer: ReadAnswer,
        out: &mut Vec<Output>,
    ) {
        let ReadAnswer { ticket, outcome } = answer;
        if let Some(index) = self.index_of(from) {
            self.silent[index] = false;
        }
        let Some(in_flight) = self.reads.in_flight.get_mut(&ticket) else {
            return;
        };
        let asked = self.config.nodes[in_flight.node];
        match outcome {
            ReadOutcome::Done { reply, seen, lag } => {
                self.has_seen(&seen);
                self.end_read(ticket, Outcome::Done(reply), Some(from), lag, out);
            }
            ReadOutcome::Invalid(why) => {
                self.end_read(
                    ticket,
                    Outcome::Failed(Failure::Invalid(why)),
                    Some(from),
                    None,
                    out,
                );
            }
            ReadOutcome::TokenUnknown => {
                self.end_read(
                    ticket,
                    Outcome::Failed(Failure::TokenUnknown),
                    Some(from),
                    None,
                    out,
                );
            }
            ReadOutcome::Command => {
                let read = self.reads.in_flight.remove(&ticket).expect("looked up above");
                self.submit_by(now, read.operation, read.payload, read.give_up_at, out);
            }
            // Of an earlier attempt: the present one is elsewhere.
            ReadOutcome::Later(_) if asked != from => {}
            ReadOutcome::Later(delay) => {
                in_flight.delays += 1;
                in_flight.delay = Some(delay);
                in_flight.is_awaited = false;
                let turns = in_flight.delays / self.config.nodes.len() as u32;
                if in_flight.delays.is_multiple_of(self.config.nodes.len() as u32) {
                    // All have been asked: none is faster for being asked again at once.
                    let pause = self.jitter.around(self.config.back_off << turns.min(6));
                    in_flight.try_again_at = now + pause;
                } else {
                    self.attempt_read(now, ticket, out);
                }
            }
        }
    }

    /// What a node was asked whose connection broke is asked of the next one, at once.
    pub(crate) fn read_elsewhere(&mut self, now: Micros, node: usize, out: &mut Vec<Output>) {
        let is_there = |it: &InFlight| it.is_awaited && it.node == node;
        let reads = self.reads.in_flight.iter().filter(|(_, it)| is_there(it));
        let stranded: Vec<u64> = reads.map(|(ticket, _)| *ticket).collect();
        stranded.into_iter().for_each(|ticket| self.attempt_read(now, ticket, out));
    }

    pub(crate) fn read_on_deadline(&mut self, now: Micros, out: &mut Vec<Output>) {
        let is_due = |it: &InFlight| it.try_again_at.min(it.give_up_at) <= now;
        let due: Vec<u64> =
            self.reads.in_flight.iter().filter(|(_, it)| is_due(it)).map(|(t, _)| *t).collect();
        for ticket in due {
            let in_flight = &self.reads.in_flight[&ticket];
            if in_flight.give_up_at <= now {
                // Whatever becomes of it, it changes nothing.
                let failure = match in_flight.delay {
                    None => Failure::Unreachable,
                    Some(ReadDelay::Overloaded) => Failure::Overloaded,
                    Some(ReadDelay::NoQuorum) => Failure::NoQuorum,
                    Some(ReadDelay::Behind) => Failure::Behind,
                };
                self.end_read(ticket, Outcome::Failed(failure), None, None, out);
                continue;
            }
            if in_flight.is_awaited {
                self.silent[in_flight.node] = true;
            }
            self.attempt_read(now, ticket, out);
        }
    }

    /// Asks a node: the nearest at first, then each in turn.
    fn attempt_read(&mut self, now: Micros, ticket: u64, out: &mut Vec<Output>) {
        let in_flight = &self.reads.in_flight[&ticket];
        let first = if in_flight.attempts == 0 { 0 } else { in_flight.node + 1 };
        let node = self.node_from(first);
        let in_flight = self.reads.in_flight.get_mut(&ticket).expect("looked up above");
        if in_flight.attempts > 0 && in_flight.node != node {
            mark::hit(Mark::ClientReadElsewhere);
        }
        in_flight.node = node;
        in_flight.attempts += 1;
        in_flight.is_awaited = true;
        in_flight.try_again_at = now + (self.config.attempt << (in_flight.attempts - 1).min(6));
        let consistency = match in_flight.consistency {
            Consistency::Linearizable => Wanted::Linearizable,
            // What it has seen by now, and not when the read began: more does no harm.
            Consistency::Session => Wanted::Session(self.seen.clone()),
            Consistency::Stale => Wanted::Stale,
        };
        let payload = in_flight.payload.clone();
        out.push(Output::Read(self.config.nodes[node], Read { ticket, payload, consistency }));
    }

    fn end_read(
        &mut self,
        ticket: u64,
        outcome: Outcome,
        node: Option<NodeId>,
        lag: Option<Micros>,
        out: &mut Vec<Output>,
    ) {
        let Some(read) = self.reads.in_flight.remove(&ticket) else {
            return;
        };
        let way = Way::Read { lag };
        out.push(Output::Ended(Ended { operation: read.operation, outcome, node, way }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use althing_model::{DepSet, Epoch, Operation, Reply, SessionId, VertexId};
    use althing_wire::{Answer, Outcome as Answered, Submit};

    fn client() -> Client {
        // Tests may share a thread.
        mark::take();
        let nodes = vec![NodeId(0), NodeId(1)];
        Client::new(Config { nodes, attempt: 100, give_up: 1000, back_off: 10, seed: 1 })
    }

    fn vertex(seq: u64) -> VertexId {
        VertexId { epoch: Epoch(0), proposer: NodeId(0), seq }
    }

    fn seen(seqs: &[u64]) -> DepSet {
        seqs.iter().map(|seq| vertex(*seq)).collect()
    }

    fn ask(client: &mut Client, now: Micros, consistency: Consistency) -> Vec<Output> {
        let mut out = Vec::new();
        client.read(now, Bytes::from_static(b"r"), consistency, &mut out);
        out
    }

    fn asked(out: &[Output]) -> (NodeId, Read) {
        match out {
            [Output::Read(node, read)] => (*node, read.clone()),
            other => panic!("not one read: {other:?}"),
        }
    }

    fn answer(
        client: &mut Client,
        (now, from): (Micros, u32),
        ticket: u64,
        outcome: ReadOutcome,
    ) -> Vec<Output> {
        let mut out = Vec::new();
        client.on_read_answer(now, NodeId(from), ReadAnswer { ticket, outcome }, &mut out);
        out
    }

    fn done(seqs: &[u64], lag: Option<Micros>) -> ReadOutcome {
        ReadOutcome::Done { reply: Bytes::from_static(b"x"), seen: seen(seqs), lag }
    }

    fn ended(out: &[Output]) -> (Outcome, Way) {
        match out {
            [Output::Ended(Ended { outcome, way, .. })] => (outcome.clone(), *way),
            other => panic!("not one end: {other:?}"),
        }
    }

    /// Broken: a session's read at another node would show less than the client has seen; or a node
    /// that cannot answer, or is gone, would be waited for.
    #[test]
    fn a_read_goes_elsewhere_and_shows_what_was_seen() {
        let mut client = client();
        let (node, read) = asked(&ask(&mut client, 0, Consistency::Linearizable));
        assert_eq!((node, read.consistency), (NodeId(0), Wanted::Linearizable));
        let out = answer(&mut client, (5, 0), read.ticket, done(&[4], None));
        assert_eq!(ended(&out), (Outcome::Done("x".into()), Way::Read { lag: None }));
        let out = answer(&mut client, (5, 0), read.ticket, done(&[9], None));
        assert_eq!((out, client.seen().clone()), (vec![], seen(&[4])));

        let (_, read) = asked(&ask(&mut client, 10, Consistency::Session));
        assert_eq!(read.consistency, Wanted::Session(seen(&[4])));
        let behind = || ReadOutcome::Later(ReadDelay::Behind);
        let (node, again) = asked(&answer(&mut client, (11, 0), read.ticket, behind()));
        assert_eq!((node, &again), (NodeId(1), &read));
        assert!(mark::take().contains(Mark::ClientReadElsewhere));
        // Both could not: after a pause the first is asked again, and the other when it breaks off.
        assert_eq!(answer(&mut client, (12, 1), read.ticket, behind()), []);
        let mut out = Vec::new();
        client.on_deadline(client.deadline().unwrap(), &mut out);
        assert_eq!(asked(&out).0, NodeId(0));
        out.clear();
        client.on_down(60, NodeId(0), &mut out);
        assert_eq!(asked(&out).0, NodeId(1));
        out.clear();
        client.on_deadline(1_010, &mut out);
        assert_eq!(ended(&out).0, Outcome::Failed(Failure::Behind));
        assert_eq!(client.in_flight(), 0);

        let (_, read) = asked(&ask(&mut client, 1_100, Consistency::Stale));
        let out = answer(&mut client, (1_101, 1), read.ticket, done(&[4], Some(250)));
        assert_eq!(ended(&out).1, Way::Read { lag: Some(250) });
    }

    /// Broken: a read that needs a vertex would never be answered, or be waited for twice as long.
    #[test]
    fn what_needs_a_vertex_is_submitted() {
        let mut client = client();
        let (_, read) = asked(&ask(&mut client, 0, Consistency::Linearizable));
        let out = answer(&mut client, (1, 0), read.ticket, ReadOutcome::Command);
        let open = Submit { ticket: 0, operation: Operation::OpenSession };
        assert_eq!(out, [Output::Send(NodeId(0), open)]);
        let session = SessionId { opened: vertex(0), slot: 0 };
        let tell = |client: &mut Client, ticket, reply, seqs: &[u64]| {
            let mut out = Vec::new();
            let answer = Answer { ticket, outcome: Answered::Executed(reply), seen: seen(seqs) };
            client.on_answer(2, NodeId(0), answer, &mut out);
            out
        };
        let out = tell(&mut client, 0, Reply::Opened(session), &[0]);
        let [Output::Send(_, Submit { ticket, .. })] = &out[..] else { panic!("{out:?}") };
        let out = tell(&mut client, *ticket, Reply::Applied("y".into()), &[7]);
        assert_eq!(ended(&out), (Outcome::Done("y".into()), Way::Command { sequence: 0 }));
        assert_eq!(*client.seen(), seen(&[0, 7]));
    }

    /// Broken: a read that changes nothing would be said to have an unknown outcome; or a client would
    /// wait for a cluster that is not the one which it knew.
    #[test]
    fn a_read_that_nobody_answers_has_failed() {
        let mut client = client();
        ask(&mut client, 0, Consistency::Session);
        let mut out = Vec::new();
        client.on_deadline(100, &mut out);
        assert_eq!(asked(&out).0, NodeId(1));
        out.clear();
        client.on_deadline(1_000, &mut out);
        assert_eq!(ended(&out).0, Outcome::Failed(Failure::Unreachable));
        let (_, read) = asked(&ask(&mut client, 2_000, Consistency::Session));
        let out = answer(&mut client, (2_001, 0), read.ticket, ReadOutcome::TokenUnknown);
        assert_eq!(ended(&out).0, Outcome::Failed(Failure::TokenUnknown));
    }
}
