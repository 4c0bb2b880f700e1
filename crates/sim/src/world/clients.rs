//! Clients: what they ask and what they hear.

use super::World;
use crate::event::Event;
use crate::fault::Trouble;
use crate::node::Arrived;
use crate::observe::digest;
use crate::trace::{MessageName, Traced};
use althing_checker::OperationId as Observed;
use althing_checker::{Shown, Violation};
use althing_client::{Ended, Outcome, Output, Way};
use althing_model::{Micros, NodeId, Operation, RequestId};
use althing_wire::{Address, ClientId, Message, Submit};
use std::collections::VecDeque;

/// How far a client is from the node beside it.
pub(super) const CLIENT_DELAY: Micros = 200;

/// A client that does not listen.
pub(super) const NOBODY: ClientId = ClientId(u64::MAX);

impl World<'_> {
    pub(super) fn client_delay(&self, client: usize, node: NodeId) -> Micros {
        CLIENT_DELAY + self.network.distance(self.clients[client].home, node)
    }

    pub(super) fn answer(
        &mut self,
        (client, generation): (usize, u64),
        from: NodeId,
        answer: Message,
        shown: Option<Box<Shown>>,
    ) -> Result<(), Violation> {
        if self.clients[client].generation != generation {
            return Ok(());
        }
        let mut out = Vec::new();
        self.trace(|| Traced::Answered { client, from, answer: format!("{answer:?}") });
        match answer {
            Message::Answer(answer) => {
                self.mark(("answer", client, answer.ticket));
                self.clients[client].client.on_answer(self.now, from, answer, &mut out);
            }
            Message::ReadAnswer(answer) => {
                self.mark(("read answer", client, answer.ticket));
                self.clients[client].shown = shown;
                self.clients[client].client.on_read_answer(self.now, from, answer, &mut out);
            }
            other => unreachable!("{other:?} is no answer"),
        }
        self.client_output(client, out)
    }

    pub(super) fn wake_client(&mut self, client: usize) -> Result<(), Violation> {
        if self.clients[client].wake_at != self.now {
            // Another wake-up was set since, for an earlier time.
            return Ok(());
        }
        let mut out = Vec::new();
        self.clients[client].wake_at = Micros::MAX;
        self.clients[client].client.on_deadline(self.now, &mut out);
        self.client_output(client, out)
    }

    /// Does what a client wants done, lets it begin its next operations, and sets its alarm.
    pub(super) fn client_output(
        &mut self,
        client: usize,
        out: Vec<Output>,
    ) -> Result<(), Violation> {
        let mut out = VecDeque::from(out);
        loop {
            while let Some(output) = out.pop_front() {
                match output {
                    Output::Send(node, submit) => self.submit(client, node, submit),
                    Output::Read(node, read) => self.ask_to_read(client, node, read),
                    Output::Ended(ended) => self.ended(client, ended)?,
                }
            }
            let it = &self.clients[client];
            if !self.may_begin(it) || it.open.len() >= self.plan.workload.pipeline {
                break;
            }
            if self.plan.cut.omitted.contains(&(client, it.begun + 1)) {
                self.pass_over(client);
                continue;
            }
            out.extend(self.invoke(client)?);
        }
        let it = &mut self.clients[client];
        if let Some(deadline) = it.client.deadline()
            && deadline < it.wake_at
        {
            it.wake_at = deadline.max(self.now + 1);
            let at = it.wake_at;
            self.queue.push(at, Event::ClientWake { client });
        }
        Ok(())
    }

    /// A client passes over an operation: it counts as ended, so that all that waits for a number of
    /// them comes as it would have.
    fn pass_over(&mut self, client: usize) {
        let it = &mut self.clients[client];
        it.remaining -= 1;
        it.begun += 1;
        self.operations_ended += 1;
        self.begin_episodes();
    }

    /// A client begins an operation.
    fn invoke(&mut self, client: usize) -> Result<Vec<Output>, Violation> {
        let it = &mut self.clients[client];
        it.remaining -= 1;
        it.begun += 1;
        let nth = it.begun;
        // Unlike any other operation's number, and the same however many others there are.
        let number = (it.begun * self.clients.len() + client) as u64;
        let mut rng = self.draw(("operation", number));
        let read = self.draw_read(client, number);
        let payload = match &read {
            Some((payload, _)) => payload.clone(),
            None => self.app.operation(&self.plan.workload, client, number, &mut rng),
        };
        let observed = self.observer.invoked(client, self.now, payload.clone())?;
        if self.trace.is_some() {
            let footprint = match self.conflicts.footprint(&payload) {
                Ok(footprint) => format!("{footprint:?}"),
                Err(invalid) => invalid.to_string(),
            };
            self.trace(|| Traced::Invoked { client, nth, footprint });
        }
        let mut out = Vec::new();
        let it = &mut self.clients[client];
        let operation = match read {
            Some((payload, consistency)) => {
                let operation = it.client.read(self.now, payload, consistency, &mut out);
                it.reads.insert(operation, consistency);
                operation
            }
            None => it.client.submit(self.now, payload, &mut out),
        };
        it.open.insert(operation, observed);
        Ok(out)
    }

    fn submit(&mut self, client: usize, node: NodeId, submit: Submit) {
        if let Operation::Apply { request, payload, .. } = &submit.operation {
            let it = &self.clients[client];
            let operation = it.client.operation_of(submit.ticket);
            let operation = operation.and_then(|operation| it.open.get(&operation).copied());
            self.observer.submitted(*request, payload, operation);
        }
        let at = self.now + self.client_delay(client, node);
        let generation = self.clients[client].generation;
        let from = Address::Client(ClientId(generation << 32 | client as u64));
        // A connection: it breaks when the node stops.
        let life = Some(self.nodes[&node].life);
        let arrived = Arrived { life, from, name: MessageName::LOCAL, message: submit.into() };
        self.queue.push(at, Event::Deliver { to: node, arrived });
    }

    /// A command over everything, of nobody who waits for the answer.
    pub(crate) fn submit_over_everything(&mut self, operation: Operation) {
        let running = self
            .nodes
            .values()
            .find(|node| node.roles.as_ref().is_some_and(|roles| roles.proposer.is_some()));
        let Some(node) = running else { return };
        let (to, life) = (node.id, Some(node.life));
        let submit = Submit { ticket: 0, operation };
        let from = Address::Client(NOBODY);
        let arrived = Arrived { life, from, name: MessageName::LOCAL, message: submit.into() };
        self.queue.push(self.now, Event::Deliver { to, arrived });
    }

    fn ended(&mut self, client: usize, ended: Ended) -> Result<(), Violation> {
        self.operations_ended += 1;
        let it = &mut self.clients[client];
        let observed = it.open.remove(&ended.operation).expect("it was begun and not ended");
        let consistency = it.reads.remove(&ended.operation);
        let Way::Command { sequence } = ended.way else {
            let consistency = consistency.expect("what ends as a read began as one");
            return self.read_ended(client, observed, consistency, ended.outcome);
        };
        match ended.outcome {
            Outcome::Done(reply) => {
                let session = it.client.session().expect("it has one, since it was answered");
                let request = RequestId { session, sequence };
                self.operations_done += 1;
                self.observer.done(observed, self.now, request, reply)?;
                let client = self.client_id(client);
                let clocks = self.nodes.values().map(|node| (node.id, node.local(self.now)));
                self.observer.reads.answered(client, digest(&request), clocks);
                self.observer.knows(client, request);
            }
            Outcome::Failed(_) => self.observer.failed(observed)?,
            Outcome::Unknown => {
                self.observer.unknown(observed)?;
                self.check_answered(observed)?;
            }
        }
        self.begin_episodes();
        Ok(())
    }

    /// A cluster that has converged, and in which nothing goes wrong, answers everyone.
    pub(super) fn check_answered(&self, operation: Observed) -> Result<(), Violation> {
        if operation.number() < self.after_faults {
            return Ok(());
        }
        let account = format!(
            "an operation that began when everything had converged was not answered\n{}",
            self.describe_state()
        );
        Err(Violation::new("Converges", account))
    }

    /// A client goes away: what it began may or may not take effect.
    pub(super) fn client_gone(&mut self, client: usize) -> Result<(), Violation> {
        self.counts.count(Trouble::ClientsGone);
        for observed in std::mem::take(&mut self.clients[client].open).into_values() {
            self.operations_ended += 1;
            self.observer.unknown(observed)?;
        }
        self.clients[client].replace();
        self.begin_episodes();
        self.client_output(client, Vec::new())
    }

    /// The run ends before its clients: what they began has an unknown outcome.
    pub(crate) fn give_up(&mut self) -> Result<(), Violation> {
        for client in 0..self.clients.len() {
            for observed in std::mem::take(&mut self.clients[client].open).into_values() {
                self.operations_ended += 1;
                self.observer.unknown(observed)?;
            }
        }
        Ok(())
    }
}
