//! The task that owns the client's state machine, and carries out what that wants done.

use crate::client::{Call, Executed, What};
use crate::error::Error;
use crate::limits;
use crate::link::Event;
use crate::watch::{WatchCall, Watches};
use althing_client::{Client as Machine, Ended, Failure, OperationId, Outcome, Output, Way};
use althing_model::{DepSet, Micros, NodeId};
use althing_transport::{ClientConnection, SendError};
use althing_wire::{
    Answer, Message, Outcome as Answered, Read, ReadAnswer, ReadDelay, ReadOutcome, Submit,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

pub(crate) struct Driver {
    machine: Machine,
    calls: mpsc::Receiver<Call>,
    watch_calls: mpsc::UnboundedReceiver<WatchCall>,
    watches: Watches,
    events: mpsc::Receiver<Event>,
    links: BTreeMap<NodeId, Arc<ClientConnection>>,
    waiting: HashMap<OperationId, Call>,
    begun: Instant,
    out: Vec<Output>,
}

impl Driver {
    /// A driver of a client that knows of no connection yet: nodes that are not in `links` are down.
    pub(crate) fn new(
        config: althing_client::Config,
        (calls, watch_calls): (mpsc::Receiver<Call>, mpsc::UnboundedReceiver<WatchCall>),
        events: mpsc::Receiver<Event>,
        links: BTreeMap<NodeId, Arc<ClientConnection>>,
    ) -> Self {
        let nodes = config.nodes.clone();
        let watches = Watches::new(nodes.clone());
        let mut machine = Machine::new(config);
        let mut out = Vec::new();
        for node in nodes.into_iter().filter(|node| !links.contains_key(node)) {
            machine.on_down(0, node, &mut out);
        }
        assert!(out.is_empty(), "nothing was asked of any node yet");
        Self {
            machine,
            calls,
            watch_calls,
            watches,
            events,
            links,
            waiting: HashMap::new(),
            begun: Instant::now(),
            out,
        }
    }

    /// Runs until every handle of the client is gone.
    pub(crate) async fn run(mut self) {
        let mut calls = Vec::new();
        let mut events = Vec::new();
        loop {
            let deadline = self.machine.deadline().into_iter().chain(self.watches.deadline()).min();
            let wake_at = self.begun + Duration::from_micros(deadline.unwrap_or_default());
            tokio::select! {
                count = self.calls.recv_many(&mut calls, limits::EVENTS_BATCH) => {
                    if count == 0 {
                        return;
                    }
                }
                count = self.events.recv_many(&mut events, limits::EVENTS_BATCH) => {
                    // The links end before the driver only with the runtime.
                    if count == 0 {
                        return;
                    }
                }
                // All handles have it, so it does not end before the calls do.
                Some(call) = self.watch_calls.recv() => {
                    let now = self.now();
                    let links = &self.links;
                    let is_up = |node| links.contains_key(&node);
                    let sent = self.watches.on_call(now, call, is_up);
                    self.send_watches(sent);
                }
                () = sleep_until(wake_at), if deadline.is_some() => {}
            }
            let now = self.now();
            events.drain(..).for_each(|event| self.on_event(now, event));
            for call in calls.drain(..) {
                self.on_call(now, call);
            }
            if self.machine.deadline().is_some_and(|deadline| deadline <= now) {
                self.machine.on_deadline(now, &mut self.out);
            }
            if self.watches.deadline().is_some_and(|deadline| deadline <= now) {
                let sent = self.watches.on_deadline(now);
                self.send_watches(sent);
            }
            self.carry_out(now);
        }
    }

    fn now(&self) -> Micros {
        self.begun.elapsed().as_micros() as Micros
    }

    fn on_call(&mut self, now: Micros, call: Call) {
        let payload = call.payload.clone();
        let operation = match &call.what {
            What::Command => self.machine.submit(now, payload, &mut self.out),
            What::Read { consistency, token } => {
                if let Some(token) = token {
                    self.machine.has_seen(token);
                }
                self.machine.read(now, payload, *consistency, &mut self.out)
            }
        };
        self.waiting.insert(operation, call);
    }

    fn on_event(&mut self, now: Micros, event: Event) {
        match event {
            Event::Up(node, connection) => {
                self.links.insert(node, connection);
                self.machine.on_up(node);
                self.watches.on_up(now, node);
            }
            Event::Answered(node, answer) => {
                self.machine.on_answer(now, node, answer, &mut self.out);
            }
            Event::ReadAnswered(node, answer) => {
                self.machine.on_read_answer(now, node, answer, &mut self.out);
            }
            Event::Down(node) => {
                self.links.remove(&node);
                self.machine.on_down(now, node, &mut self.out);
                let sent = self.watches.on_down(now, node);
                self.send_watches(sent);
            }
            Event::Watched(node, message) => {
                let sent = self.watches.on_message(now, node, message);
                self.send_watches(sent);
            }
            Event::Failed { .. } => {}
        }
    }

    fn carry_out(&mut self, now: Micros) {
        while !self.out.is_empty() {
            for output in std::mem::take(&mut self.out) {
                match output {
                    Output::Send(node, submit) => self.send(now, node, submit),
                    Output::Read(node, read) => self.send_read(now, node, read),
                    Output::Ended(ended) => self.end(ended),
                }
            }
        }
    }

    /// Sends what watches say. What does not leave is missed by its node, which then says nothing, and
    /// is left for another.
    fn send_watches(&self, sent: Vec<(NodeId, Message)>) {
        for (node, message) in sent {
            let Some(connection) = self.links.get(&node) else { continue };
            if let Err(error) = connection.send(message.kind() as u8, message.encode()) {
                tracing::debug!(node = node.0, "not sent: {error}");
            }
        }
    }

    fn send(&mut self, now: Micros, node: NodeId, submit: Submit) {
        let ticket = submit.ticket;
        if let Err(error) = self.send_message(node, submit.into()) {
            tracing::debug!(node = node.0, ticket, "not sent: {error}");
            // It did not leave, so it is as sure as when a node turns it away that this attempt has
            // no effect; and as with that, one waits a little before the next.
            let outcome = match error {
                SendError::TooLong => Answered::Invalid(error.to_string()),
                _ => Answered::Overloaded,
            };
            let answer = Answer { ticket, outcome, seen: DepSet::default() };
            self.machine.on_answer(now, node, answer, &mut self.out);
        }
    }

    fn send_read(&mut self, now: Micros, node: NodeId, read: Read) {
        let ticket = read.ticket;
        if let Err(error) = self.send_message(node, read.into()) {
            tracing::debug!(node = node.0, ticket, "not sent: {error}");
            let outcome = match error {
                SendError::TooLong => ReadOutcome::Invalid(error.to_string()),
                _ => ReadOutcome::Later(ReadDelay::Overloaded),
            };
            let answer = ReadAnswer { ticket, outcome };
            self.machine.on_read_answer(now, node, answer, &mut self.out);
        }
    }

    fn send_message(&self, node: NodeId, message: Message) -> Result<(), SendError> {
        match self.links.get(&node) {
            Some(connection) => connection.send(message.kind() as u8, message.encode()),
            None => Err(SendError::Disconnected(althing_transport::PeerAddress::Node(node))),
        }
    }

    fn end(&mut self, ended: Ended) {
        let Ended { operation, outcome, node, way } = ended;
        let call = self.waiting.remove(&operation).expect("an operation ends once");
        let result = match outcome {
            Outcome::Done(reply) => {
                let node = node.expect("who executed it answered");
                let (lag, is_command) = match way {
                    Way::Command { .. } => (None, true),
                    Way::Read { lag } => (lag, false),
                };
                let lag = lag.map(Duration::from_micros);
                Ok(Executed { reply, node, lag, is_command, seen: self.machine.seen().clone() })
            }
            // Nobody was asked at all.
            Outcome::Failed(Failure::Overloaded) if self.links.is_empty() => {
                Err(Error::Failed(Failure::Unreachable))
            }
            Outcome::Failed(failure) => Err(Error::Failed(failure)),
            Outcome::Unknown => Err(Error::Unknown),
        };
        // An error means that the caller does not wait any more.
        let _ = call.answer.send(result);
    }
}
