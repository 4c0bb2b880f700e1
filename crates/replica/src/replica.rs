//! The role: learns what is committed, executes it, answers.

use crate::barrier::SinceBarrier;
use crate::blocked::AllBlocked;
use crate::demand::Demand;
use crate::divergence::Digests;
use crate::log::Log;
use crate::pace::Asking;
use crate::prune::{Other, Rewriting};
use crate::read::ReadCounters;
use crate::reads::Reads;
use crate::snapshot::{Saving, Snapshot};
use crate::watch::Watchers;
use crate::{Component, Config, ConflictGraph, Sessions};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{
    Column, Conflicts, DepSet, Jitter, Micros, NodeId, Operation, Reply, Role, SeqSet,
    StateMachine, Value, VertexId,
};
use althing_wire::{
    Address, ClientId, Commit, Effects, Executed, Ignored, Learned, Message, ReplicaRecord, Served,
    SnapshotOffer, Unwatch,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A replica.
///
/// Durable: the newest snapshot, and the committed vertices beyond it, in its own records or in those
/// of the voter on its node. Rebuilt from them: everything else, the state machine too.
pub struct Replica {
    pub(crate) config: Config,
    pub(crate) machine: Box<dyn StateMachine>,
    pub(crate) sessions: Sessions,
    pub(crate) graph: ConflictGraph,
    pub(crate) log: Log,
    pub(crate) committed: BTreeMap<Column, SeqSet>,
    /// What was applied. The graph is ahead of it while components that became ready together are
    /// executed one after the other.
    pub(crate) executed: BTreeMap<Column, SeqSet>,
    pub(crate) blocked: AllBlocked,
    pub(crate) down: BTreeSet<NodeId>,
    /// Nodes that were up in this life, and since when those that are not any more are down.
    pub(crate) gone: BTreeMap<NodeId, Option<Micros>>,
    /// When, and whom, to ask for what is missing.
    pub(crate) catch_up_at: Micros,
    pub(crate) catch_up_turn: usize,
    /// Of what was asked for, what has come; and how long the first of an answer took.
    pub(crate) asking: Option<Asking>,
    pub(crate) answer_took: Micros,
    pub(crate) jitter: Jitter,
    demand: Demand,

    /// How many barriers were executed, and the join of their dependencies, as prefixes.
    pub(crate) number: u64,
    pub(crate) cut: DepSet,
    pub(crate) has_passed_barrier: bool,
    pub(crate) since_barrier: SinceBarrier,
    /// A snapshot to be written, and what is not told yet of the one that is.
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) saving: Option<Saving>,
    /// The newest snapshot on disk, and the cut of what is.
    pub(crate) saved: Option<SnapshotOffer>,
    pub(crate) held: DepSet,
    pub(crate) offered: Option<(NodeId, SnapshotOffer)>,
    /// What other replicas told of themselves.
    pub(crate) others: BTreeMap<NodeId, Other>,
    /// What is pruned everywhere, as far as is known here.
    pub(crate) floor: DepSet,
    pub(crate) rewriting: Option<Rewriting>,
    pub(crate) digests: Digests,

    /// What the conflict function says of reads; without it none is answered here.
    pub(crate) conflicts: Option<Arc<dyn Conflicts>>,
    pub(crate) reads: Reads,
    /// By column, one above the highest executed vertex that shows in the state: noops do not, and of
    /// those that only noops came after, others need never hear.
    pub(crate) shown: BTreeMap<Column, u64>,
    /// When the last probe of this state's age was sent, the last one that was answered and executed,
    /// and whether one is on its way.
    pub(crate) probe_sent_at: Option<Micros>,
    pub(crate) probed_at: Option<Micros>,
    pub(crate) is_probing: bool,
    /// Until when somebody is likely to ask for stale reads.
    pub(crate) wanted_until: Micros,

    pub(crate) watchers: Watchers,
    pub(crate) counters: Counters,
    steps: Vec<Step>,
}

/// One executed vertex, in the order of execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The vertex.
    pub vertex: VertexId,
    /// What was committed in it.
    pub value: Value,
    /// One reply for each command.
    pub replies: Vec<Reply>,
    /// For each command, whether it took effect now: false for one that had before, or whose
    /// session is closed.
    pub took_effect: Vec<bool>,
    /// How many vertices its component has.
    pub component_len: usize,
}

/// What happened so far, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Vertices learnt.
    pub committed: u64,
    /// Vertices executed.
    pub executed: u64,
    /// Commands that took effect.
    pub applied: u64,
    /// The largest component so far.
    pub component_len_max: usize,
    /// Recoveries asked for.
    pub recoveries_asked: u64,
    /// Vertices sent to replicas that lacked them.
    pub caught_up: u64,
    /// Snapshots cut.
    pub snapshots: u64,
    /// Snapshots of other replicas installed.
    pub installed: u64,
    /// Reads that no vertex carried.
    pub reads: ReadCounters,
}

impl Replica {
    /// A replica of `machine` in its first state.
    pub fn new(config: Config, machine: Box<dyn StateMachine>) -> Self {
        Self {
            machine,
            sessions: Sessions::default(),
            graph: ConflictGraph::new(),
            log: Log::default(),
            committed: BTreeMap::new(),
            executed: BTreeMap::new(),
            blocked: AllBlocked::default(),
            down: BTreeSet::new(),
            gone: BTreeMap::new(),
            catch_up_at: 0,
            catch_up_turn: config.me.0 as usize,
            asking: None,
            answer_took: 0,
            jitter: Jitter::new(config.seed),
            demand: Demand::new(
                config.modes.clone(),
                config.timing.demand,
                // Without a proposer beside it, nobody wants to know.
                match config.has_proposer {
                    true => config.limits.demand_len_max,
                    false => 0,
                },
            ),
            number: 0,
            cut: DepSet::default(),
            has_passed_barrier: false,
            since_barrier: SinceBarrier::default(),
            snapshot: None,
            saving: None,
            saved: None,
            held: DepSet::default(),
            offered: None,
            others: BTreeMap::new(),
            floor: DepSet::default(),
            rewriting: None,
            conflicts: None,
            reads: Reads::new(Jitter::new(config.seed ^ 0x4ead).around(u64::MAX / 2)),
            shown: BTreeMap::new(),
            probe_sent_at: None,
            probed_at: None,
            is_probing: false,
            wanted_until: 0,
            watchers: Watchers::new(
                config.limits.watch,
                config.timing.watch_wait,
                config.timing.watch_tell,
            ),
            digests: Digests::default(),
            counters: Counters::default(),
            steps: Vec::new(),
            config,
        }
    }

    /// Takes back one committed vertex of a previous life, from its own records or the voter's.
    /// Clients of that life are gone: nobody is answered.
    pub fn restore(&mut self, vertex: VertexId, value: Value) {
        let mut nobody = Effects::default();
        self.learn(0, vertex, value, &mut nobody);
        drop(nobody);
    }

    /// Begins, after the records of a previous life were taken back: what they left blocked is
    /// waited for anew, and what happened in the meantime is asked for at once.
    pub fn start(&mut self, now: Micros) {
        self.catch_up_at = now;
        self.begin_barriers(now);
        self.demand.start(now);
        self.watch_anew(now);
    }

    /// Handles a message.
    ///
    /// # Errors
    /// Why it did nothing.
    pub fn handle(
        &mut self,
        now: Micros,
        from: Address,
        message: Message,
        effects: &mut Effects<ReplicaRecord>,
    ) -> Result<(), Ignored> {
        if self.diverged().is_some() {
            return Err(Ignored::Diverged);
        }
        let result = match from {
            Address::Node(from) => self.handle_node(now, from, message, effects),
            Address::Client(from) => self.handle_client(now, from, message, effects),
        };
        self.tell_watchers(now, effects);
        result
    }

    fn handle_client(
        &mut self,
        now: Micros,
        from: ClientId,
        message: Message,
        effects: &mut Effects<ReplicaRecord>,
    ) -> Result<(), Ignored> {
        match message {
            Message::Read(read) => {
                self.on_read(now, from, read, effects);
                Ok(())
            }
            Message::Watch(watch) => self.watchers.on_watch(now, from, watch, &self.executed),
            Message::WatchTaken(taken) => self.watchers.on_taken(from, &taken),
            Message::Unwatch(Unwatch { watch }) => self.watchers.on_unwatch(from, watch),
            _ => Err(Ignored::Misdirected),
        }
    }

    fn handle_node(
        &mut self,
        now: Micros,
        from: NodeId,
        message: Message,
        effects: &mut Effects<ReplicaRecord>,
    ) -> Result<(), Ignored> {
        let epoch = self.config.membership.epoch();
        if message.vertex().is_some_and(|vertex| vertex.epoch != epoch) {
            return Err(Ignored::OtherEpoch);
        }
        self.rewrite_more(effects);
        match message {
            Message::SnapshotOffer(offer) => {
                self.on_offer(from, offer);
                Ok(())
            }
            Message::Learned(Learned { vertex, value }) if from == self.config.me => {
                self.on_committed(now, vertex, value, effects)
            }
            Message::Commit(Commit { vertex, value }) if !self.config.has_voter => {
                self.on_committed(now, vertex, value, effects)
            }
            Message::ReadDepended(depended) => self.on_read_depended(now, from, depended, effects),
            Message::Frontier(frontier) => {
                self.on_frontier(from, &frontier, effects);
                Ok(())
            }
            _ => Err(Ignored::Misdirected),
        }
    }

    /// The state machine's digest.
    pub fn digest(&self) -> u64 {
        self.machine.digest()
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes what was executed since the last call.
    pub fn take_steps(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }

    /// Committed vertices that wait for others.
    pub fn pending_len(&self) -> usize {
        self.graph.pending_len()
    }

    /// Uncommitted vertices that others wait for.
    pub fn blocked_len(&self) -> usize {
        self.blocked.len()
    }

    /// Since when the longest blocking vertex blocks.
    pub fn blocked_since(&self) -> Option<Micros> {
        self.blocked.since()
    }

    /// Open sessions.
    pub fn sessions_len(&self) -> usize {
        self.sessions.len()
    }

    /// The committed vertices of each column.
    pub fn committed(&self) -> &BTreeMap<Column, SeqSet> {
        &self.committed
    }

    /// Whether a vertex is known to be committed here, and its value.
    pub fn committed_value(&self, vertex: VertexId) -> Option<&Value> {
        self.log.get(vertex)
    }

    fn on_committed(
        &mut self,
        now: Micros,
        vertex: VertexId,
        value: Value,
        effects: &mut Effects<ReplicaRecord>,
    ) -> Result<(), Ignored> {
        if self.is_committed(vertex) {
            if let Some(known) = self.log.get(vertex) {
                assert_eq!(*known, value, "two values committed in {vertex}");
            }
            mark::hit(Mark::LearntTwice);
            return Err(Ignored::Repeated);
        }
        if !self.config.has_voter && !is_planted(Mutant::CommitsNotRecorded) {
            effects.append([ReplicaRecord::Committed { vertex, value: value.clone() }]);
        }
        self.learn(now, vertex, value, effects);
        Ok(())
    }

    fn learn(
        &mut self,
        now: Micros,
        vertex: VertexId,
        value: Value,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        self.log.insert(vertex, value.clone());
        if !self.committed.entry(vertex.column()).or_default().insert(vertex.seq) {
            return;
        }
        self.counters.committed += 1;
        self.pace(now, vertex, &value);
        self.blocked.remove(vertex);
        let ready = self.graph.commit(vertex, value);
        self.execute_all(now, ready, effects);
        self.watch(now);
    }

    pub(crate) fn is_committed(&self, vertex: VertexId) -> bool {
        self.committed.get(&vertex.column()).is_some_and(|set| set.contains(vertex.seq))
    }

    /// Executes components that are ready, and cuts a snapshot behind each that holds a barrier.
    pub(crate) fn execute_all(
        &mut self,
        now: Micros,
        ready: Vec<Component>,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        for component in ready {
            if self.diverged().is_some() {
                return;
            }
            let component_len = component.len();
            self.counters.component_len_max = self.counters.component_len_max.max(component_len);
            for (vertex, value) in component {
                self.execute(now, vertex, value, component_len, effects);
            }
            if !is_planted(Mutant::SnapshotCutLate) {
                self.cut_snapshot(now, effects);
            }
        }
        self.cut_snapshot(now, effects);
        if self.diverged().is_none() {
            self.read_on(now, effects);
        }
    }

    /// Executes a vertex, and answers if that falls to this replica.
    fn execute(
        &mut self,
        now: Micros,
        vertex: VertexId,
        value: Value,
        component_len: usize,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        if value.commands.is_noop() {
            mark::hit(Mark::NoopExecuted);
        }
        let commands = value.commands.as_slice();
        let mut replies = Vec::with_capacity(commands.len());
        let mut took_effect = Vec::with_capacity(commands.len());
        for (slot, command) in commands.iter().enumerate() {
            let operation = &command.operation;
            let had = match operation {
                Operation::Apply { request, .. } => self.sessions.is_executed(*request),
                _ => false,
            };
            let reply =
                self.sessions.execute(vertex, slot as u32, operation, self.machine.as_mut());
            if let Operation::Apply { payload, .. } = operation
                && is_planted(Mutant::MachineDiverges)
                && self.config.me.0 % 2 == 1
                && vertex.seq % 4 == 3
            {
                drop(self.machine.apply(payload));
            }
            let took = !had && reply != Reply::SessionUnknown;
            self.counters.applied += u64::from(took);
            took_effect.push(took);
            replies.push(reply);
        }
        self.counters.executed += 1;
        self.executed.entry(vertex.column()).or_default().insert(vertex.seq);
        if !commands.is_empty() {
            let end = self.shown.entry(vertex.column()).or_default();
            *end = (*end).max(vertex.seq + 1);
        }
        self.reads.wake(vertex);
        // A reply that was given before shows what had been executed by then, in another vertex, and
        // what leads there need not lead here.
        let mut seen = DepSet::default();
        if took_effect.contains(&false) && !is_planted(Mutant::DuplicateShowsItsVertex) {
            seen = self.seen();
        }
        self.pass_barrier(&value);
        self.since_barrier.count(&value);
        if self.answers(vertex) {
            if vertex.proposer != self.config.me {
                mark::hit(Mark::AnsweredByOther);
            }
            effects.after_earlier().send(
                vertex.proposer,
                Executed { vertex, replies: replies.clone(), seen: seen.clone() },
            );
        }
        seen.insert(vertex);
        self.tell_proposer(now, (vertex, &seen), &value, (&replies, &took_effect), effects);
        self.watchers.on_executed(vertex, &value, &replies, &took_effect);
        self.steps.push(Step { vertex, value, replies, took_effect, component_len });
    }

    /// Tells the proposer on this node of the requests of its sessions that another one proposed, and
    /// who contends for what the vertex touched.
    fn tell_proposer(
        &mut self,
        now: Micros,
        (vertex, seen): (VertexId, &DepSet),
        value: &Value,
        (replies, took_effect): (&[Reply], &[bool]),
        effects: &mut Effects<ReplicaRecord>,
    ) {
        let me = self.config.me;
        let is_own = vertex.proposer == me;
        if !self.config.has_proposer {
            return;
        }
        // What lies below the last barrier was executed long ago.
        let is_shared = value.deps.columns().any(|(column, row)| {
            let is_recent = row.below() > self.cut.prefix(column) || !row.extras().is_empty();
            column.proposer != vertex.proposer && is_recent
        });
        let mut told = Vec::new();
        let mut replies: Vec<&Reply> = replies.iter().collect();
        if is_planted(Mutant::ServedSwapped) {
            let by = 1.min(replies.len());
            replies.rotate_left(by);
        }
        let commands = value.commands.as_slice().iter();
        for ((command, reply), took_effect) in commands.zip(replies).zip(took_effect) {
            if *took_effect && is_shared {
                self.demand.count(now, command, &mut told);
            }
            let request = command.operation.request();
            if let Some(request) = request.filter(|it| !is_own && it.session.opened.proposer == me)
            {
                mark::hit(Mark::ServedElsewhere);
                effects
                    .after_earlier()
                    .send(me, Served { request, reply: reply.clone(), seen: seen.clone() });
            }
        }
        told.into_iter().for_each(|demand| effects.send(me, demand));
    }

    pub(crate) fn count_recovery_asked(&mut self) {
        self.counters.recoveries_asked += 1;
    }

    pub(crate) fn count_caught_up(&mut self, sent: usize) {
        self.counters.caught_up += sent as u64;
    }

    /// Whether this replica tells the vertex's proposer of the replies: the one on its node, or
    /// all if there is none there, so that the loss of one silences nobody (zoo Z11).
    fn answers(&self, vertex: VertexId) -> bool {
        vertex.proposer == self.config.me
            || !self.config.membership.has(vertex.proposer, Role::Replica)
    }
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica")
            .field("me", &self.config.me)
            .field("counters", &self.counters)
            .field("pending", &self.graph.pending_len())
            .finish_non_exhaustive()
    }
}
