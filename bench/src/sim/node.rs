//! What a protocol is to the simulator: the code of one node, driven by calls, answering with what
//! it wants done.

use althing_model::Micros;
use althing_proposer::Link;
use bytes::Bytes;
use std::collections::VecDeque;

/// A command as its client submits it to the node of its region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who wants it.
    pub id: RequestNumber,
    /// All requests of that client below this number are answered.
    pub acknowledged_below: u32,
    /// Which key it touches, by number; [`Self::payload`] has it by name.
    pub key: u32,
    /// Whether it only reads.
    pub is_read: bool,
    /// For the state machine.
    pub payload: Bytes,
}

/// A request's name: the client's number among all, and the request's among the client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestNumber {
    /// Whose.
    pub client: u32,
    /// From 0.
    pub sequence: u32,
}

/// One node of a protocol. All times in microseconds of virtual time.
///
/// A node's messages to itself never leave it: they take no time, nor do its writes to disk.
pub trait ProtocolNode {
    /// What nodes send each other.
    type Message;

    /// Begins, or begins again after [`Self::crash`].
    fn start(&mut self, now: Micros, out: &mut Out<Self::Message>);

    /// Loses all that is not on disk.
    fn crash(&mut self);

    /// A client of this region wants to submit, beginning with that sequence number; answered by
    /// [`Out::connected`].
    fn on_connect(&mut self, now: Micros, from: RequestNumber, out: &mut Out<Self::Message>);

    /// A client of this region submits; answered by [`Out::answer`].
    fn on_submit(&mut self, now: Micros, request: Request, out: &mut Out<Self::Message>);

    /// A message of another node.
    fn on_message(
        &mut self,
        now: Micros,
        from: usize,
        message: Self::Message,
        out: &mut Out<Self::Message>,
    );

    /// What the failure detector knows of the link to another node.
    fn on_link(&mut self, now: Micros, other: usize, link: Link, out: &mut Out<Self::Message>);

    /// The earliest time at which it has something to do unasked.
    fn deadline(&self) -> Option<Micros> {
        None
    }

    /// Does what is due.
    fn on_deadline(&mut self, _now: Micros, _out: &mut Out<Self::Message>) {}

    /// How it committed what its clients submitted, since the last call.
    fn take_commits(&mut self) -> Commits;
}

/// How a node committed what its clients submitted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Commits {
    /// After one round trip to a fast quorum.
    pub fast: u64,
    /// After more.
    pub slow: u64,
}

/// What a node wants done.
#[derive(Debug)]
pub struct Out<M> {
    pub(super) sends: Vec<(usize, M)>,
    pub(super) connected: VecDeque<u32>,
    pub(super) answers: VecDeque<(RequestNumber, Outcome)>,
    pub(super) executed: Vec<RequestNumber>,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Executed, with the state machine's reply.
    Executed(Bytes),
    /// Refused for sure: too much is in flight.
    Refused,
}

impl<M> Default for Out<M> {
    fn default() -> Self {
        let (connected, answers) = (VecDeque::new(), VecDeque::new());
        Self { sends: Vec::new(), connected, answers, executed: Vec::new() }
    }
}

impl<M> Out<M> {
    /// Sends a message to another node.
    pub fn send(&mut self, to: usize, message: M) {
        self.sends.push((to, message));
    }

    /// A client may submit now.
    pub fn connected(&mut self, client: u32) {
        self.connected.push_back(client);
    }

    /// A client of this region is answered.
    pub fn answer(&mut self, request: RequestNumber, outcome: Outcome) {
        self.answers.push_back((request, outcome));
    }

    /// This node's state machine executed a request now, for the first time.
    pub fn executed(&mut self, request: RequestNumber) {
        self.executed.push(request);
    }
}
