//! The proposer's state, and which handler a message goes to.

use crate::chain::Chain;
use crate::forward::Forwarding;
use crate::prune::is_below;
use crate::work::{InFlight, Work};
use crate::{Config, Link};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{
    Ballot, Column, Commands, Conflicts, DepSet, Jitter, Membership, Micros, NodeId, Path,
    RequestId, Role, SeqSet, VertexId,
};
use althing_wire::{
    Address, ClientId, Effects, Ignored, Message, ProposerRecord, ReadAnswer, ReadOutcome,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A proposer.
///
/// Durable: which of its sequence numbers may be in use, which ballots it has used, and below which
/// floor it does nothing any more. Everything else is volatile: after a restart it fills what it left behind like anyone else, by recovery.
#[derive(Clone)]
pub struct Proposer {
    pub(crate) config: Config,
    pub(crate) conflicts: Arc<dyn Conflicts>,
    pub(crate) column: Column,

    // Sequence numbers: `next_seq` is used next, up to `reserved` they may be used, up to
    // `reserving` they are asked for. All own vertices below `resolved.below()` are committed.
    pub(crate) next_seq: u64,
    pub(crate) reserved: u64,
    pub(crate) reserving: u64,
    pub(crate) resolved: SeqSet,
    pub(crate) chain: Chain,

    /// Commands that wait for a vertex.
    pub(crate) queue: VecDeque<Queued>,
    /// Own vertices whose clients were not answered yet.
    pub(crate) unanswered: BTreeMap<VertexId, Unanswered>,
    /// The requests among these and the queue, so that one which a client repeats, or another
    /// proposer forwards again, is not proposed twice: the own vertex that it is in, or none while it is queued.
    pub(crate) requests: BTreeMap<RequestId, Option<VertexId>>,
    /// What is being done, for own vertices and others'.
    pub(crate) in_flight: BTreeMap<VertexId, InFlight>,
    pub(crate) own_in_flight: usize,
    /// Recoveries asked for beyond the limit.
    pub(crate) recovery_backlog: BTreeSet<VertexId>,
    /// The highest round used or heard of in vertices that may need another attempt.
    pub(crate) rounds: BTreeMap<VertexId, u32>,
    /// The highest round of vertices that are done with: it may have been used in any of them, so
    /// no new attempt uses it or a lower one (trap T14).
    pub(crate) rounds_floor: u32,
    /// A prefix in each column: nothing is attempted in a vertex below it (trap T16).
    pub(crate) floor: DepSet,
    /// The attempts from this vertex up are still to be written behind the last record of pruning.
    pub(crate) rewriting: Option<VertexId>,
    pub(crate) timers: BTreeSet<(Micros, VertexId)>,
    pub(crate) links: BTreeMap<NodeId, Link>,
    pub(crate) forwarding: Forwarding,
    pub(crate) jitter: Jitter,
    pub(crate) counters: Counters,
    pub(crate) commits: Vec<(CommitPath, Micros)>,
}

/// A command that waits for a vertex.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) command: althing_model::Command,
    pub(crate) submitter: Submitter,
    pub(crate) since: Micros,
}

/// Who wants the reply to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Submitter {
    /// A client, for its ticket.
    Client { client: ClientId, ticket: u64 },
    /// A client of another node, for the ticket of its relay.
    Node { node: NodeId, ticket: u64 },
    /// Nobody here: a client of the proposer that forwarded it, or one that was answered already.
    Nobody,
}

/// An own vertex whose clients were not answered yet, one submitter for each command.
#[derive(Debug, Clone)]
pub(crate) struct Unanswered {
    pub(crate) commands: Commands,
    pub(crate) submitters: Vec<Submitter>,
    pub(crate) since: Micros,
}

/// By which way a vertex was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommitPath {
    /// After one round trip to the fast quorum.
    Fast,
    /// On the fast path's second round.
    Slow,
    /// On the classic path.
    Classic,
    /// In a ballot of round 2 or higher.
    Recovered,
    /// Someone else had committed it.
    Learned,
}

impl CommitPath {
    /// Every way.
    pub const ALL: [Self; 5] =
        [Self::Fast, Self::Slow, Self::Classic, Self::Recovered, Self::Learned];

    /// The way's name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Slow => "slow",
            Self::Classic => "classic",
            Self::Recovered => "recovered",
            Self::Learned => "learned",
        }
    }
}

/// What happened so far, for metrics and for marks in tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Vertices committed as a noop.
    pub noops: u64,
    /// Commands proposed again, because their vertex was committed as a noop.
    pub proposed_again: u64,
    /// Recovery attempts begun.
    pub recoveries: u64,
    /// Recoveries that adopted a vote above round 0 (case b).
    pub adopted_votes: u64,
    /// Recoveries that ran a dependency round (case d1; on the classic path, a node held it).
    pub consulted: u64,
    /// Recoveries that took the answers of a fast quorum (case d2).
    pub rebuilt: u64,
    /// Attempts that were refused.
    pub refused: u64,
    /// Submissions turned away because too much was in flight.
    pub overloaded: u64,
    /// Commands forwarded to a better placed proposer.
    pub forwarded: u64,
    /// Commands forwarded here.
    pub taken: u64,
    /// Forwarded commands that were proposed here in the end.
    pub taken_back: u64,
}

impl Counters {
    /// Adds those of another proposer, or of another life.
    pub fn add(&mut self, other: &Self) {
        self.noops += other.noops;
        self.proposed_again += other.proposed_again;
        self.recoveries += other.recoveries;
        self.adopted_votes += other.adopted_votes;
        self.consulted += other.consulted;
        self.rebuilt += other.rebuilt;
        self.refused += other.refused;
        self.overloaded += other.overloaded;
        self.forwarded += other.forwarded;
        self.taken += other.taken;
        self.taken_back += other.taken_back;
    }
}

impl Proposer {
    /// A proposer, from the records of its earlier lives, oldest first; none for a new node.
    ///
    /// Call [`Self::start`] before anything else.
    pub fn new(
        config: Config,
        conflicts: Arc<dyn Conflicts>,
        records: impl IntoIterator<Item = ProposerRecord>,
    ) -> Self {
        let column = Column { epoch: config.membership.epoch(), proposer: config.me };
        let mut used_until = 0;
        let mut resolved = SeqSet::default();
        let mut rounds: BTreeMap<VertexId, u32> = BTreeMap::new();
        let mut rounds_floor = 0;
        let mut floor = DepSet::default();
        for record in records {
            match record {
                ProposerRecord::Reserved { until, resolved: below } => {
                    used_until = used_until.max(until);
                    resolved.insert_below(below);
                }
                ProposerRecord::Pruned { floor: higher } => {
                    floor.union(&higher.prefixes());
                    // Nothing is attempted there again, so that no round needs to be known.
                    rounds.retain(|vertex, _| !is_below(&floor, *vertex));
                    let below = floor.prefix(column);
                    used_until = used_until.max(below);
                    resolved.insert_below(below);
                }
                ProposerRecord::Rewritten => {}
                // Written again, it stands for all that were done with.
                ProposerRecord::Attempted { vertex, ballot } if is_below(&floor, vertex) => {
                    rounds_floor = rounds_floor.max(ballot.round);
                }
                ProposerRecord::Attempted { vertex, ballot } => {
                    let round = rounds.entry(vertex).or_default();
                    *round = (*round).max(ballot.round);
                }
            }
        }
        Self {
            column,
            // Trap T5: whatever may have been used is never used again.
            next_seq: if is_planted(Mutant::VertexReused) { resolved.below() } else { used_until },
            reserved: used_until,
            reserving: used_until,
            resolved,
            chain: Chain::new(column, config.limits.chain_len_max, used_until),
            queue: VecDeque::new(),
            unanswered: BTreeMap::new(),
            requests: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            own_in_flight: 0,
            recovery_backlog: BTreeSet::new(),
            rounds,
            rounds_floor,
            floor,
            rewriting: None,
            timers: BTreeSet::new(),
            links: BTreeMap::new(),
            forwarding: Forwarding::default(),
            jitter: Jitter::new(config.seed),
            counters: Counters::default(),
            commits: Vec::new(),
            config,
            conflicts,
        }
    }

    /// Learns, before [`Self::start`], which of its own vertices are known to be committed, so that
    /// they need not be recovered.
    pub fn assume_committed(&mut self, own: &SeqSet) {
        self.resolved.union(own);
    }

    /// Begins: reserves sequence numbers, and recovers what an earlier life left behind, so that no
    /// hole in its sequence blocks execution for ever (trap T5).
    pub fn start(&mut self, now: Micros, effects: &mut Effects<ProposerRecord>) {
        self.reserve(effects);
        let holes: Vec<u64> = self.resolved.missing(0, self.next_seq).collect();
        for seq in holes {
            mark::hit(Mark::RestartedWithHoles);
            self.recover(now, self.column.vertex(seq), effects);
        }
    }

    /// Handles a message. [`Self::flush`] follows when the messages at hand are handled.
    ///
    /// # Errors
    /// Why it did nothing.
    pub fn handle(
        &mut self,
        now: Micros,
        from: Address,
        message: Message,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        self.rewrite_more(effects);
        if message.vertex().is_some_and(|vertex| vertex.epoch != self.column.epoch) {
            return Err(Ignored::OtherEpoch);
        }
        let from = match (from, message) {
            (Address::Client(client), Message::Submit(submit)) => {
                self.on_submit(now, client, submit, effects);
                return Ok(());
            }
            // There is no replica on this node, or it would have it.
            (Address::Client(client), Message::Read(read)) => {
                let answer = ReadAnswer { ticket: read.ticket, outcome: ReadOutcome::Command };
                effects.send(client, answer);
                return Ok(());
            }
            (Address::Client(_), _) => return Err(Ignored::Misdirected),
            (Address::Node(node), message) => (node, message),
        };
        match from {
            (me, Message::Reserved(reserved)) if me == self.config.me => {
                self.on_reserved(reserved);
                Ok(())
            }
            (voter, Message::PreAccepted(m)) => self.on_pre_accepted(now, voter, m, effects),
            (voter, Message::Concluded(m)) => self.on_concluded(now, voter, m, effects),
            (node, Message::Depended(m)) => self.on_depended(now, node, m, effects),
            (node, Message::Inspected(m)) => self.on_inspected(now, node, m, effects),
            (acceptor, Message::Promised(m)) => self.on_promised(now, acceptor, m, effects),
            (acceptor, Message::Accepted(m)) => self.on_accepted(now, acceptor, m, effects),
            (acceptor, Message::Refused(m)) => self.on_refused(now, acceptor, m),
            (_, Message::Chosen(m)) => self.on_chosen(now, m, effects),
            (_, Message::Executed(m)) => self.on_executed(now, m, effects),
            (me, Message::Served(m)) if me == self.config.me => self.on_served(now, m, effects),
            (me, Message::Demand(m)) if me == self.config.me => {
                self.on_demand(m);
                Ok(())
            }
            (other, Message::Forward(m)) => self.on_forward(now, other, m),
            (other, Message::Distances(m)) => {
                self.on_distances(other, m);
                Ok(())
            }
            (_, Message::Recover(m)) => self.on_recover(now, m, effects),
            (node, Message::Pruned(m)) => self.on_pruned(now, node, m, effects),
            (node, Message::PruneProposer(m)) => self.on_prune(now, node, m, effects),
            (replica, Message::BarrierDue(_)) => self.on_barrier_due(now, replica),
            (other, Message::Relay(m)) => {
                let submitter = Submitter::Node { node: other, ticket: m.ticket };
                self.submit(now, submitter, m.operation, effects);
                Ok(())
            }
            _ => Err(Ignored::Misdirected),
        }
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes the commits since the last call: the way, and the time from the vertex's beginning at
    /// this proposer to its commit, in microseconds.
    pub fn take_commits(&mut self) -> Vec<(CommitPath, Micros)> {
        std::mem::take(&mut self.commits)
    }

    /// Own vertices that are not committed yet.
    pub fn own_in_flight(&self) -> usize {
        self.own_in_flight
    }

    /// Vertices that it works on, others' included.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Commands that wait for a vertex.
    pub fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// What it holds that has a limit: a name, how much there is, and how much there may be.
    ///
    /// Own vertices are not among them, since those that an earlier life left are all recovered at
    /// once; nor is what waits to be answered, which goes with the clients' patience; nor the rounds of
    /// attempts that an earlier life left, which are forgotten when it is pruned.
    pub fn sizes(&self) -> [(&'static str, usize, usize); 10] {
        let limits = &self.config.limits;
        // Commands of vertices that became noops, of those that lost their replies to a snapshot, and
        // those that are taken back, go into the queue, whatever is in it; and one barrier.
        let again = limits
            .unanswered_max()
            .saturating_mul(limits.batch_len_max)
            .saturating_add(limits.in_flight_max)
            .saturating_add(1);
        let recoveries = self.in_flight.len() - self.own_in_flight;
        let recoveries_max = limits.recoveries_max;
        [
            ("queued commands", self.queue.len(), limits.queue_len_max.saturating_add(again)),
            ("recoveries", recoveries, recoveries_max),
            (
                "recoveries that wait",
                self.recovery_backlog.len(),
                recoveries_max.saturating_mul(64),
            ),
            ("resources in the chain", self.chain.len(), limits.chain_len_max.max(1)),
            ("commands elsewhere", self.forwarding.len(), limits.in_flight_max),
            ("counts to place by", self.forwarding.demands_len(), limits.placements_max),
            ("placements", self.forwarding.placements_len(), limits.placements_max),
            ("timers", self.timers.len(), self.in_flight.len()),
            // Whatever is not resolved between two that are is worked on.
            ("gaps in what is resolved", self.resolved.fragments(), self.own_in_flight),
            (
                "columns of the floor",
                self.floor.columns().count(),
                self.membership().with(Role::Proposer).count(),
            ),
        ]
    }

    /// Whether a vertex is its own.
    pub(crate) fn is_own(&self, vertex: VertexId) -> bool {
        vertex.column() == self.column
    }

    /// Begins work on a vertex.
    pub(crate) fn begin(&mut self, now: Micros, vertex: VertexId, work: Work) {
        assert!(!self.is_pruned(vertex), "{vertex} is pruned: nothing may be done in it");
        let in_flight = InFlight { work, since: now, timer: Micros::MAX, refusals: 0 };
        let earlier = self.in_flight.insert(vertex, in_flight);
        assert!(earlier.is_none(), "{vertex} is worked on already");
        if self.is_own(vertex) {
            self.own_in_flight += 1;
        }
    }

    /// Ends work on a vertex, if there is any; the time since it was begun.
    pub(crate) fn end(&mut self, vertex: VertexId) -> Option<InFlight> {
        let in_flight = self.in_flight.remove(&vertex)?;
        self.timers.remove(&(in_flight.timer, vertex));
        if self.is_own(vertex) {
            self.own_in_flight -= 1;
        }
        Some(in_flight)
    }

    /// The step that a vertex is in.
    pub(crate) fn work_mut(&mut self, vertex: VertexId) -> Option<&mut Work> {
        self.in_flight.get_mut(&vertex).map(|in_flight| &mut in_flight.work)
    }

    /// The next step of a vertex that is worked on.
    pub(crate) fn set_work(&mut self, vertex: VertexId, work: Work) {
        let in_flight = self.in_flight.get_mut(&vertex).expect("only steps of vertices in flight");
        in_flight.work = work;
    }

    /// Sets when to lose patience with a vertex's current step.
    pub(crate) fn set_timer(&mut self, vertex: VertexId, at: Micros) {
        let Some(in_flight) = self.in_flight.get_mut(&vertex) else {
            return;
        };
        self.timers.remove(&(in_flight.timer, vertex));
        in_flight.timer = at;
        self.timers.insert((at, vertex));
    }

    /// The nodes whose answers make dependency quorums.
    pub(crate) fn dependency_nodes(&self) -> Vec<NodeId> {
        self.membership().with(Role::Dependency).collect()
    }

    /// The nodes that promise and vote.
    pub(crate) fn acceptors(&self) -> Vec<NodeId> {
        self.membership().with(Role::Acceptor).collect()
    }

    pub(crate) fn membership(&self) -> &Membership {
        &self.config.membership
    }

    pub(crate) fn is_fast_path(&self) -> bool {
        self.membership().path() == Path::Fast
    }

    /// A vertex is committed: its rounds need not be told apart from others' any more.
    pub(crate) fn forget_rounds(&mut self, vertex: VertexId) {
        if let Some(round) = self.rounds.remove(&vertex)
            && !is_planted(Mutant::BallotUsedForTwoAttempts)
        {
            self.rounds_floor = self.rounds_floor.max(round);
        }
    }

    /// A ballot for a new attempt: above all that were used or heard of (trap T14).
    pub(crate) fn next_ballot(&mut self, vertex: VertexId) -> Ballot {
        let floor = (self.rounds_floor + 1).max(Ballot::FIRST_RECOVERY_ROUND);
        let round = self.rounds.entry(vertex).or_default();
        *round = (*round + 1).max(floor);
        Ballot { round: *round, proposer: self.config.me }
    }
}

impl std::fmt::Debug for Proposer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proposer")
            .field("me", &self.config.me)
            .field("next_seq", &self.next_seq)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}
