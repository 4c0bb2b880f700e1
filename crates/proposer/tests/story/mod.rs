//! A story told to one proposer: what it is told, what it sends, what it has on disk.

#![allow(dead_code, reason = "each file of tests tells its own stories")]

use althing_model::mark::{self, Mark};
use althing_model::{
    Ballot, Command, CommandInvalid, Commands, Conflicts, DepSet, Epoch, Footprint, Membership,
    Mode, ModeTable, NodeId, Operation, Path, RequestId, SeqSet, SessionId, Value, VertexId,
};
use althing_proposer::{Config, Limits, Link, Proposer, Timing};
use althing_wire::{
    Address, ClientId, Effect, Effects, FastQuorum, Ignored, Message, ProposerRecord, Reserved,
    Submit, Vote,
};
use bytes::Bytes;
use std::sync::Arc;

pub(crate) const ME: NodeId = NodeId(0);

/// Every command writes the resource that its payload names.
struct Writes(ModeTable);

impl Conflicts for Writes {
    fn modes(&self) -> &ModeTable {
        &self.0
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        Ok(Footprint::of([(Bytes::copy_from_slice(payload), Mode(1))]))
    }
}

/// A proposer, and what it did.
pub(crate) struct Story {
    pub(crate) proposer: Proposer,
    pub(crate) now: u64,
    pub(crate) sent: Vec<(Address, Message)>,
    pub(crate) disk: Vec<ProposerRecord>,
    /// Its disk is slow: it does not learn that numbers are reserved.
    pub(crate) withholds_numbers: bool,
}

impl Story {
    /// A proposer of a fast cluster.
    pub(crate) fn begin(n: u32, f: usize, disk: Vec<ProposerRecord>, committed: &SeqSet) -> Self {
        Self::of(Path::Fast, n, f, Self::limits(), disk, committed)
    }

    /// A new proposer of a cluster of that path, with these limits.
    pub(crate) fn new(path: Path, n: u32, f: usize, limits: Limits) -> Self {
        Self::of(path, n, f, limits, Vec::new(), &SeqSet::default())
    }

    pub(crate) fn limits() -> Limits {
        Limits { reserve_len: 4, ..Limits::default() }
    }

    fn of(
        path: Path,
        n: u32,
        f: usize,
        limits: Limits,
        disk: Vec<ProposerRecord>,
        committed: &SeqSet,
    ) -> Self {
        // Tests may share a thread.
        mark::take();
        let config = Config {
            me: ME,
            membership: Membership::colocated(n, f, path).unwrap(),
            seed: 1,
            timing: Timing::default(),
            limits,
        };
        let conflicts = Arc::new(Writes(ModeTable::read_write()));
        let mut proposer = Proposer::new(config, conflicts, disk.clone());
        proposer.assume_committed(committed);
        let mut story = Self { proposer, now: 0, sent: Vec::new(), disk, withholds_numbers: false };
        let mut effects = Effects::default();
        story.proposer.start(0, &mut effects);
        story.apply(effects);
        story
    }

    /// Does the effects; what the proposer tells itself arrives.
    fn apply(&mut self, effects: Effects<ProposerRecord>) {
        for effect in effects {
            let messages = match effect {
                Effect::Send { to, message } => vec![(to, message)],
                Effect::Append { records, then } => {
                    self.disk.extend(records);
                    then
                }
            };
            for (to, message) in messages {
                match message {
                    Message::Reserved(_) if self.withholds_numbers => {}
                    Message::Reserved(Reserved { .. }) => {
                        self.proposer
                            .handle(self.now, ME.into(), message, &mut Effects::default())
                            .unwrap();
                    }
                    message => self.sent.push((to, message)),
                }
            }
        }
    }

    pub(crate) fn tell(&mut self, from: impl Into<Address>, message: impl Into<Message>) {
        let _ = self.try_tell(from, message);
    }

    pub(crate) fn try_tell(
        &mut self,
        from: impl Into<Address>,
        message: impl Into<Message>,
    ) -> Result<(), Ignored> {
        let mut effects = Effects::default();
        let result = self.proposer.handle(self.now, from.into(), message.into(), &mut effects);
        self.proposer.flush(self.now, &mut effects);
        self.apply(effects);
        result
    }

    /// A client submits a write of `resource`.
    pub(crate) fn submit(&mut self, ticket: u64, resource: &'static str) {
        let opened = VertexId { epoch: Epoch(0), proposer: NodeId(1), seq: 0 };
        let operation = Operation::Apply {
            request: RequestId { session: SessionId { opened, slot: 0 }, sequence: ticket },
            acknowledged_below: 0,
            payload: Bytes::from_static(resource.as_bytes()),
        };
        self.tell(ClientId(9), Submit { ticket, operation });
    }

    pub(crate) fn wait(&mut self, time: u64) {
        self.now += time;
        let mut effects = Effects::default();
        self.proposer.on_deadline(self.now, &mut effects);
        self.apply(effects);
    }

    /// The connection to a node breaks.
    pub(crate) fn cut(&mut self, node: NodeId) {
        self.proposer.on_link(self.now, node, Link { round_trip: None, is_up: false });
    }

    /// What was sent since the last call.
    pub(crate) fn sent(&mut self) -> Vec<(Address, Message)> {
        std::mem::take(&mut self.sent)
    }
}

/// These marks were hit since the last call.
#[track_caller]
pub(crate) fn expect(marks: &[Mark]) {
    let hit = mark::take();
    let missing: Vec<_> = marks.iter().filter(|mark| !hit.contains(**mark)).collect();
    assert!(missing.is_empty(), "not hit: {missing:?}; hit: {hit:?}");
}

pub(crate) fn own(seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: ME, seq }
}

pub(crate) fn deps(vertices: &[VertexId]) -> DepSet {
    vertices.iter().copied().collect()
}

pub(crate) fn other(proposer: u32, seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq }
}

pub(crate) fn command() -> Commands {
    let footprint = Footprint::of([(Bytes::from_static(b"a"), Mode(1))]);
    Commands::Batch([Command { operation: Operation::OpenSession, footprint }].into())
}

pub(crate) fn has(sent: &[(Address, Message)], is: impl Fn(&Message) -> bool) -> bool {
    sent.iter().any(|(_, message)| is(message))
}

pub(crate) fn proposed(sent: &[(Address, Message)]) -> Option<(Ballot, Value)> {
    sent.iter().find_map(|(_, message)| match message {
        Message::Accept(accept) => Some((accept.ballot, accept.value.clone())),
        _ => None,
    })
}

pub(crate) fn ballot_of(sent: &[(Address, Message)]) -> Ballot {
    sent.iter()
        .find_map(|(_, message)| match message {
            Message::Prepare(prepare) => Some(prepare.ballot),
            _ => None,
        })
        .expect("a recovery was begun")
}

/// The vertices that someone is asked to promise a recovery of, without repetition.
pub(crate) fn prepared(sent: &[(Address, Message)]) -> Vec<VertexId> {
    let mut vertices: Vec<_> = sent
        .iter()
        .filter_map(|(_, message)| match message {
            Message::Prepare(prepare) => Some(prepare.vertex),
            _ => None,
        })
        .collect();
    vertices.dedup();
    vertices
}

pub(crate) fn fast_vote(vertex: VertexId, deps: DepSet, members: &[u32]) -> Vote {
    let members = members.iter().copied().map(NodeId).collect();
    Vote {
        ballot: Ballot::fast(vertex),
        value: Value { commands: command(), deps },
        fast: Some(FastQuorum { members, anchor: vertex.proposer }),
    }
}
