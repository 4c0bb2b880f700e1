//! The fast rule of EPaxos (Moraru et al., SOSP '13), as a baseline for runs without failures.
//!
//! ```text
//! client -> its node: PreAccept -> the nearest fast quorum, each of which adds what it knows
//!   all answers equal:  committed after one round trip
//!   otherwise:          Accept with their union -> a majority, and committed after a second one
//! ```
//!
//! A fast quorum has `F + (F + 1) / 2` nodes of `2 F + 1`, as in the paper's optimised variant, the
//! command's own node among them; its nearest members are asked, and no others. Answers need only
//! equal each other, not what the node itself first knew: the most that the paper allows. What is
//! executed, and in which order, is as in Althing: strongly connected components of the committed
//! graph. Answers go out after execution. There is no recovery, and so no crash.

use super::node::{Commits, Out, Outcome, ProtocolNode, Request, RequestNumber};
use althing_kv::Store;
use althing_model::{Commands, DepSet, Epoch, Micros, NodeId, StateMachine, Value, VertexId};
use althing_proposer::Link;
use althing_replica::ConflictGraph;
use rustc_hash::FxHashMap;
use std::rc::Rc;

pub(super) enum Message {
    PreAccept {
        seq: u64,
        request: Rc<Request>,
        deps: DepSet,
    },
    PreAccepted {
        seq: u64,
        deps: DepSet,
    },
    /// The union goes with it; nothing but recovery would read it.
    Accept {
        seq: u64,
    },
    Accepted {
        seq: u64,
    },
    Commit {
        seq: u64,
        request: Rc<Request>,
        deps: DepSet,
    },
}

/// The size of a fast quorum of `n` nodes.
pub(super) fn fast_quorum_size(n: usize) -> usize {
    let failures = n / 2;
    failures + failures.div_ceil(2)
}

/// A node.
pub(super) struct EpaxosNode {
    me: usize,
    n: usize,
    round_trips: Vec<Micros>,
    next: u64,
    index: FxHashMap<u32, Latest>,
    in_flight: FxHashMap<u64, InFlight>,
    graph: ConflictGraph,
    committed: FxHashMap<VertexId, Rc<Request>>,
    machine: Store,
    commits: Commits,
}

/// The latest commands on a key: a command that depends on these depends, by way of them, on all
/// earlier ones that this node knows of.
#[derive(Default)]
struct Latest {
    write: Option<VertexId>,
    /// Since that write, the latest of each node.
    reads: Vec<VertexId>,
}

/// A command of its own that is not committed.
struct InFlight {
    request: Rc<Request>,
    step: Step,
}

enum Step {
    PreAccepting { answers: Vec<DepSet> },
    Accepting { deps: DepSet, votes: usize },
}

impl EpaxosNode {
    pub(super) fn new(me: usize, n: usize) -> Self {
        Self {
            me,
            n,
            round_trips: vec![0; n],
            next: 0,
            index: FxHashMap::default(),
            in_flight: FxHashMap::default(),
            graph: ConflictGraph::new(),
            committed: FxHashMap::default(),
            machine: Store::default(),
            commits: Commits::default(),
        }
    }

    fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.me;
        (0..self.n).filter(move |node| *node != me)
    }

    /// The other members of the nearest fast quorum.
    fn quorum(&self) -> Vec<usize> {
        let mut others: Vec<_> = self.others().collect();
        others.sort_unstable_by_key(|node| (self.round_trips[*node], *node));
        others.truncate(fast_quorum_size(self.n) - 1);
        others
    }

    /// Adds to `deps` what a command on this key must come after, as far as is known here, and
    /// registers it. As few as will do: the fewer, the more often answers are equal.
    fn depend(&mut self, vertex: VertexId, request: &Request, deps: &mut DepSet) {
        let latest = self.index.entry(request.key).or_default();
        latest.write.iter().for_each(|write| deps.insert(*write));
        if !request.is_read {
            latest.reads.drain(..).for_each(|read| deps.insert(read));
            latest.write = Some(vertex);
            return;
        }
        match latest.reads.iter_mut().find(|read| read.proposer == vertex.proposer) {
            Some(read) if read.seq < vertex.seq => {
                // So that the later one leads to the earlier.
                deps.insert(*read);
                *read = vertex;
            }
            Some(_) => {}
            None => latest.reads.push(vertex),
        }
    }

    fn on_pre_accepted(&mut self, seq: u64, deps: DepSet, out: &mut Out<Message>) {
        let wanted = fast_quorum_size(self.n) - 1;
        let Some(InFlight { step: Step::PreAccepting { answers }, .. }) =
            self.in_flight.get_mut(&seq)
        else {
            return;
        };
        answers.push(deps);
        if answers.len() < wanted {
            return;
        }
        let answers = std::mem::take(answers);
        let mut union = DepSet::default();
        answers.iter().for_each(|answer| union.union(answer));
        if answers.iter().all(|answer| *answer == union) {
            self.commits.fast += 1;
            return self.commit_own(seq, union, out);
        }
        self.commits.slow += 1;
        for other in self.others() {
            out.send(other, Message::Accept { seq });
        }
        let in_flight = self.in_flight.get_mut(&seq).expect("looked up above");
        in_flight.step = Step::Accepting { deps: union, votes: 1 };
    }

    fn on_accepted(&mut self, seq: u64, out: &mut Out<Message>) {
        let majority = self.n / 2 + 1;
        if let Some(InFlight { step: Step::Accepting { deps, votes }, .. }) =
            self.in_flight.get_mut(&seq)
        {
            *votes += 1;
            if *votes >= majority {
                let deps = std::mem::take(deps);
                self.commit_own(seq, deps, out);
            }
        }
    }

    fn commit_own(&mut self, seq: u64, deps: DepSet, out: &mut Out<Message>) {
        let InFlight { request, .. } = self.in_flight.remove(&seq).expect("it is committed once");
        for other in self.others() {
            let (request, deps) = (request.clone(), deps.clone());
            out.send(other, Message::Commit { seq, request, deps });
        }
        self.commit(vertex(self.me, seq), request, deps, out);
    }

    fn commit(
        &mut self,
        vertex: VertexId,
        request: Rc<Request>,
        deps: DepSet,
        out: &mut Out<Message>,
    ) {
        self.committed.insert(vertex, request);
        // What is executed stands beside the graph, which needs the dependencies alone.
        let ready = self.graph.commit(vertex, Value { commands: Commands::Noop, deps });
        for (vertex, _) in ready.into_iter().flatten() {
            let request = self.committed.remove(&vertex).expect("it is executed once");
            let reply = self.machine.apply(&request.payload);
            out.executed(request.id);
            if vertex.proposer.0 as usize == self.me {
                out.answer(request.id, Outcome::Executed(reply));
            }
        }
    }
}

fn vertex(proposer: usize, seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(proposer as u32), seq }
}

impl ProtocolNode for EpaxosNode {
    type Message = Message;

    fn start(&mut self, _now: Micros, _out: &mut Out<Message>) {}

    fn crash(&mut self) {
        unreachable!("refused with the workload: there is no recovery");
    }

    fn on_connect(&mut self, _now: Micros, from: RequestNumber, out: &mut Out<Message>) {
        out.connected(from.client);
    }

    fn on_submit(&mut self, _now: Micros, request: Request, out: &mut Out<Message>) {
        let seq = self.next;
        self.next += 1;
        let mut deps = DepSet::default();
        self.depend(vertex(self.me, seq), &request, &mut deps);
        let request = Rc::new(request);
        for other in self.quorum() {
            let (request, deps) = (request.clone(), deps.clone());
            out.send(other, Message::PreAccept { seq, request, deps });
        }
        let step = Step::PreAccepting { answers: Vec::new() };
        self.in_flight.insert(seq, InFlight { request, step });
    }

    fn on_message(&mut self, _now: Micros, from: usize, message: Message, out: &mut Out<Message>) {
        match message {
            Message::PreAccept { seq, request, mut deps } => {
                self.depend(vertex(from, seq), &request, &mut deps);
                out.send(from, Message::PreAccepted { seq, deps });
            }
            Message::PreAccepted { seq, deps } => self.on_pre_accepted(seq, deps, out),
            Message::Accept { seq } => out.send(from, Message::Accepted { seq }),
            Message::Accepted { seq } => self.on_accepted(seq, out),
            Message::Commit { seq, request, deps } => {
                self.commit(vertex(from, seq), request, deps, out);
            }
        }
    }

    fn on_link(&mut self, _now: Micros, other: usize, link: Link, _out: &mut Out<Message>) {
        self.round_trips[other] = link.round_trip.unwrap_or(Micros::MAX);
    }

    fn take_commits(&mut self) -> Commits {
        std::mem::take(&mut self.commits)
    }
}
