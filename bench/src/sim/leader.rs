//! Multi-Paxos with a stable leader, as a baseline without handicaps.
//!
//! ```text
//! client -> its node -> Forward -> leader -> Accept -> acceptors -> Accepted -> leader
//!   leader: chosen once a phase-2 quorum has it; executed in the order of the log
//!   leader -> Reply -> the client's node -> client;  leader -> Chosen -> the other nodes
//! ```
//!
//! The leader answers as soon as it has executed, which is the best that a leader can do; its own
//! clients save the way to it. Phase-2 quorums are `f + 1` nodes with phase-1 quorums of `n - f`
//! (Howard et al., OPODIS '16), or majorities for both; all acceptors are asked, and the nearest
//! answers count. Leases, and reads without the log, are not modelled.
//!
//! A leader that is believed down, by the same failure detector as everywhere here, is replaced by
//! the node that is the best place of those that are up: phase 1, then what a quorum voted for is
//! proposed again, holes are filled with noops, and the nodes send what they have no reply to once
//! more. A request takes effect once, however often it was proposed. A node that is started again
//! has its log, and is sent what it missed.

use super::node::{Commits, Out, Outcome, ProtocolNode, Request, RequestNumber};
use althing_kv::Store;
use althing_model::{Micros, StateMachine};
use althing_proposer::Link;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What stands in a slot of the log; none for a noop.
pub(super) type Entry = Option<Rc<Command>>;

/// A client's request, and the node that waits for the reply.
#[derive(Debug)]
pub(super) struct Command {
    request: Request,
    home: usize,
}

/// A round of a leader: the round's number decides, and whose it is.
type Ballot = (u32, usize);

pub(super) enum Message {
    Forward(Rc<Command>),
    Accept {
        ballot: Ballot,
        slot: u64,
        entry: Entry,
    },
    Accepted {
        ballot: Ballot,
        slot: u64,
    },
    Chosen {
        slot: u64,
        entry: Entry,
    },
    Reply {
        request: RequestNumber,
        reply: Bytes,
    },
    Prepare {
        ballot: Ballot,
        from: u64,
    },
    Promise {
        ballot: Ballot,
        votes: Vec<(u64, Ballot, Entry)>,
    },
    /// A node asks for all that is chosen from this slot on.
    CatchUp {
        from: u64,
    },
}

/// How many answers make a quorum.
#[derive(Debug, Clone, Copy)]
pub(super) struct QuorumSizes {
    pub(super) phase1: usize,
    pub(super) phase2: usize,
}

/// A node: acceptor, learner, and leader at times.
pub(super) struct LeaderNode {
    me: usize,
    n: usize,
    quorums: QuorumSizes,
    /// Nodes in the order in which they are to lead.
    succession: Vec<usize>,
    /// Whether somebody crashes: only then is a second proposal of a request to be told apart.
    keeps_replies: bool,

    // On disk: the highest ballot promised, and the votes and choices by slot.
    promised: Ballot,
    log: BTreeMap<u64, (Ballot, Entry)>,
    chosen: BTreeMap<u64, Entry>,

    /// What it executed: all slots below, and the replies.
    executed: u64,
    machine: Store,
    replies: FxHashMap<RequestNumber, Bytes>,

    is_up: Vec<bool>,
    /// Whom it sends its clients' requests to.
    leader: usize,
    /// Its clients' requests without a reply.
    waiting: FxHashMap<RequestNumber, Rc<Command>>,
    leadership: Leadership,
    /// It was down, and may lack what was chosen meanwhile.
    is_behind: bool,
}

/// What a node is doing as a leader.
enum Leadership {
    None,
    /// It waits for promises; what arrives waits with it.
    Electing {
        promises: usize,
        votes: BTreeMap<u64, (Ballot, Entry)>,
        queue: Vec<Rc<Command>>,
    },
    Leading {
        next: u64,
        open: BTreeMap<u64, (usize, Entry)>,
    },
}

impl LeaderNode {
    pub(super) fn new(
        me: usize,
        succession: Vec<usize>,
        quorums: QuorumSizes,
        keeps_replies: bool,
    ) -> Self {
        let (n, leader) = (succession.len(), succession[0]);
        Self {
            me,
            n,
            quorums,
            keeps_replies,
            // The first leader's phase 1 was before anything else.
            promised: (0, leader),
            log: BTreeMap::new(),
            chosen: BTreeMap::new(),
            executed: 0,
            machine: Store::default(),
            replies: FxHashMap::default(),
            is_up: vec![true; n],
            leader,
            waiting: FxHashMap::default(),
            leadership: Leadership::None,
            is_behind: false,
            succession,
        }
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.me;
        (0..self.n).filter(move |node| *node != me)
    }

    /// A request reached its leader, or who was that.
    fn lead(&mut self, command: Rc<Command>, out: &mut Out<Message>) {
        match &mut self.leadership {
            Leadership::Leading { next, .. } => {
                let slot = *next;
                *next += 1;
                self.propose(slot, Some(command), out);
            }
            Leadership::Electing { queue, .. } => queue.push(command),
            // Its home will send it to the next leader.
            Leadership::None => {}
        }
    }

    fn propose(&mut self, slot: u64, entry: Entry, out: &mut Out<Message>) {
        let ballot = self.promised;
        for other in self.others() {
            out.send(other, Message::Accept { ballot, slot, entry: entry.clone() });
        }
        self.vote(ballot, slot, entry.clone());
        let Leadership::Leading { open, .. } = &mut self.leadership else {
            unreachable!("only a leader proposes");
        };
        open.insert(slot, (1, entry));
        self.count(slot, out);
    }

    fn vote(&mut self, ballot: Ballot, slot: u64, entry: Entry) {
        if !self.chosen.contains_key(&slot) {
            self.log.insert(slot, (ballot, entry));
        }
    }

    /// Whether a slot has its quorum.
    fn count(&mut self, slot: u64, out: &mut Out<Message>) {
        let Leadership::Leading { open, .. } = &mut self.leadership else { return };
        if open.get(&slot).is_none_or(|(votes, _)| *votes < self.quorums.phase2) {
            return;
        }
        let (_, entry) = open.remove(&slot).expect("looked up above");
        for other in self.others() {
            out.send(other, Message::Chosen { slot, entry: entry.clone() });
        }
        self.learn(slot, entry, out);
    }

    /// A slot is chosen: all that follows without a gap is executed.
    fn learn(&mut self, slot: u64, entry: Entry, out: &mut Out<Message>) {
        self.log.remove(&slot);
        if slot < self.executed || self.chosen.insert(slot, entry).is_some() {
            return;
        }
        self.execute_all(out);
    }

    fn execute_all(&mut self, out: &mut Out<Message>) {
        while let Some(entry) = self.chosen.get(&self.executed).cloned() {
            // Kept only where somebody may have to catch up.
            if !self.keeps_replies {
                self.chosen.remove(&self.executed);
            }
            self.executed += 1;
            if let Some(command) = entry {
                self.execute(&command, out);
            }
        }
    }

    fn execute(&mut self, command: &Command, out: &mut Out<Message>) {
        let id = command.request.id;
        let reply = match self.replies.get(&id) {
            Some(reply) => reply.clone(),
            None => {
                out.executed(id);
                let reply = self.machine.apply(&command.request.payload);
                if self.keeps_replies {
                    self.replies.insert(id, reply.clone());
                }
                reply
            }
        };
        if !matches!(self.leadership, Leadership::Leading { .. }) {
            return;
        }
        match command.home == self.me {
            true => self.reply(id, reply, out),
            false => out.send(command.home, Message::Reply { request: id, reply }),
        }
    }

    fn reply(&mut self, request: RequestNumber, reply: Bytes, out: &mut Out<Message>) {
        if self.waiting.remove(&request).is_some() {
            out.answer(request, Outcome::Executed(reply));
        }
    }

    /// Follows whoever has this ballot.
    fn follow(&mut self, ballot: Ballot, out: &mut Out<Message>) {
        if ballot.1 != self.me {
            self.leadership = Leadership::None;
        }
        self.promised = ballot;
        if self.leader != ballot.1 {
            self.leader = ballot.1;
            self.send_again(out);
        }
    }

    /// What has no reply goes to the new leader.
    fn send_again(&mut self, out: &mut Out<Message>) {
        let mut waiting: Vec<_> = self.waiting.values().cloned().collect();
        waiting.sort_unstable_by_key(|command| command.request.id);
        for command in waiting {
            match self.leader == self.me {
                true => self.lead(command, out),
                false => out.send(self.leader, Message::Forward(command)),
            }
        }
    }

    /// Phase 1.
    fn elect(&mut self, out: &mut Out<Message>) {
        self.promised = (self.promised.0 + 1, self.me);
        self.leader = self.me;
        let mut votes = BTreeMap::new();
        merge(&mut votes, self.votes_from(self.executed));
        self.leadership = Leadership::Electing { promises: 1, votes, queue: Vec::new() };
        let ballot = self.promised;
        for other in self.others() {
            out.send(other, Message::Prepare { ballot, from: self.executed });
        }
        self.send_again(out);
    }

    /// Its votes, what is chosen counting as one that cannot be outdone.
    fn votes_from(&self, from: u64) -> Vec<(u64, Ballot, Entry)> {
        let votes = self.log.range(from..).map(|(slot, (at, entry))| (*slot, *at, entry.clone()));
        let chosen = self.chosen.range(from..);
        let chosen = chosen.map(|(slot, entry)| (*slot, (u32::MAX, 0), entry.clone()));
        votes.chain(chosen).collect()
    }

    fn on_promise(&mut self, votes: Vec<(u64, Ballot, Entry)>, out: &mut Out<Message>) {
        let Leadership::Electing { promises, votes: known, queue } = &mut self.leadership else {
            return;
        };
        *promises += 1;
        merge(known, votes);
        if *promises < self.quorums.phase1 {
            return;
        }
        let (mut votes, queue) = (std::mem::take(known), std::mem::take(queue));
        let next = votes.last_key_value().map_or(self.executed, |(slot, _)| slot + 1);
        self.leadership = Leadership::Leading { next, open: BTreeMap::new() };
        for slot in self.executed..next {
            let entry = votes.remove(&slot).and_then(|(_, entry)| entry);
            self.propose(slot, entry, out);
        }
        for command in queue {
            self.lead(command, out);
        }
    }
}

/// Keeps, of each slot, the vote in the highest ballot.
fn merge(known: &mut BTreeMap<u64, (Ballot, Entry)>, votes: Vec<(u64, Ballot, Entry)>) {
    for (slot, ballot, entry) in votes {
        if known.get(&slot).is_none_or(|(earlier, _)| *earlier < ballot) {
            known.insert(slot, (ballot, entry));
        }
    }
}

impl ProtocolNode for LeaderNode {
    type Message = Message;

    fn start(&mut self, _now: Micros, out: &mut Out<Message>) {
        if self.is_behind {
            self.execute_all(out);
        } else if self.leader == self.me {
            self.leadership = Leadership::Leading { next: 0, open: BTreeMap::new() };
        }
    }

    fn crash(&mut self) {
        self.waiting.clear();
        self.leadership = Leadership::None;
        self.machine = Store::default();
        self.replies.clear();
        self.executed = 0;
        self.is_up = vec![true; self.n];
        self.is_behind = true;
    }

    fn on_connect(&mut self, _now: Micros, from: RequestNumber, out: &mut Out<Message>) {
        out.connected(from.client);
    }

    fn on_submit(&mut self, _now: Micros, request: Request, out: &mut Out<Message>) {
        let command = Rc::new(Command { home: self.me, request });
        self.waiting.insert(command.request.id, command.clone());
        match self.leader == self.me {
            true => self.lead(command, out),
            false => out.send(self.leader, Message::Forward(command)),
        }
    }

    fn on_message(&mut self, _now: Micros, from: usize, message: Message, out: &mut Out<Message>) {
        match message {
            Message::Forward(command) => self.lead(command, out),
            Message::Accept { ballot, slot, entry } if ballot >= self.promised => {
                self.follow(ballot, out);
                self.vote(ballot, slot, entry);
                out.send(from, Message::Accepted { ballot, slot });
            }
            Message::Accepted { ballot, slot } if ballot == self.promised => {
                if let Leadership::Leading { open, .. } = &mut self.leadership
                    && let Some((votes, _)) = open.get_mut(&slot)
                {
                    *votes += 1;
                    self.count(slot, out);
                }
            }
            Message::Chosen { slot, entry } => self.learn(slot, entry, out),
            Message::Reply { request, reply } => self.reply(request, reply, out),
            Message::Prepare { ballot, from: slot } if ballot > self.promised => {
                self.follow(ballot, out);
                let votes = self.votes_from(slot);
                out.send(from, Message::Promise { ballot, votes });
            }
            Message::Promise { ballot, votes } if ballot == self.promised => {
                self.on_promise(votes, out);
            }
            Message::CatchUp { from: slot } => {
                for (slot, entry) in self.chosen.range(slot..) {
                    out.send(from, Message::Chosen { slot: *slot, entry: entry.clone() });
                }
                if let Leadership::Leading { .. } = self.leadership {
                    // It is told, so, who leads.
                    let ballot = self.promised;
                    out.send(from, Message::Prepare { ballot, from: u64::MAX });
                }
            }
            // Of an earlier leader.
            Message::Accept { .. }
            | Message::Accepted { .. }
            | Message::Prepare { .. }
            | Message::Promise { .. } => {}
        }
    }

    fn on_link(&mut self, _now: Micros, other: usize, link: Link, out: &mut Out<Message>) {
        let was_up = std::mem::replace(&mut self.is_up[other], link.is_up);
        let successor = self.succession.iter().find(|node| self.is_up[**node]);
        if was_up && !link.is_up && other == self.leader && successor == Some(&self.me) {
            self.elect(out);
        }
        if link.is_up && self.is_behind {
            out.send(other, Message::CatchUp { from: self.executed });
        }
    }

    fn take_commits(&mut self) -> Commits {
        // It has one way to commit only.
        Commits::default()
    }
}
