//! The oracles' view of a run: translates what roles do into what the checker's properties are
//! told. Invariants I1 to I3 and I5 at every step; I4 at the end, along the order in which a replica
//! executed, and by a search for an order that knows nothing of replicas.

mod footprints;
mod values;

use althing_checker::quorum::{FastVote, Held};
use althing_checker::register_map::{Input, Output};
use althing_checker::{
    AcceptorMonotone, Accounted, Bounded, CommittedConflicts, CommittedHasQuorum, Commutes,
    ConsensusConsistency, DependencyConflicts, DurableAck, Ending, ExactlyOnce, History,
    Nontriviality, OperationId, RealTimeOrder, RegisterMap, SameOrder, Verdict, Violation,
    bounded::Size, linearizable, monotone::Ballots,
};
use althing_model::{
    Ballot, Commands, Membership, NodeId, Operation, Reply, RequestId, SessionId, Value, VertexId,
};
use althing_replica::Step;
use althing_roles::Roles;
use althing_wire::{AcceptorRecord, Message, NodeRecord, Vote, VoterRecord};
use bytes::Bytes;
use footprints::{columns, named, with_footprint, with_footprint_of};
use rustc_hash::FxHashMap;
use values::Values;
pub(crate) use values::digest;

/// All oracles of a run.
pub(crate) struct Observer {
    values: Values,
    consensus: ConsensusConsistency<VertexId>,
    dependencies: DependencyConflicts,
    conflicts: CommittedConflicts,
    quorum: CommittedHasQuorum<VertexId, Ballot>,
    commutes: Commutes,
    order: SameOrder,
    exactly_once: ExactlyOnce,
    durable: DurableAck,
    nontrivial: Nontriviality,
    monotone: AcceptorMonotone<VertexId, Ballot>,
    bounded: Bounded,
    accounted: Accounted,
    history: History<Input, Output>,
    /// By the digest of a request: the operation of the history that it is of.
    operations: FxHashMap<u128, OperationId>,
    /// How many of a node's records were told as synced.
    synced: FxHashMap<NodeId, usize>,
    /// The vertices that a node appended a promise or a vote of in the present step.
    appended: Vec<VertexId>,
    undecided: usize,
}

/// An operation of the clients' history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observed {
    in_history: OperationId,
    number: u64,
}

/// A promise of a ballot, or a vote in it.
struct Cast {
    vertex: VertexId,
    ballot: Ballot,
    is_vote: bool,
}

/// The clients' side.
impl Observer {
    pub(crate) fn new(membership: &Membership) -> Self {
        let commutes = Commutes::new(crate::workload::commutes);
        let quorums = membership.acceptor_quorums();
        Self {
            values: Values::default(),
            consensus: ConsensusConsistency::new(),
            dependencies: DependencyConflicts::new(commutes.clone()),
            conflicts: CommittedConflicts::new(commutes.clone()),
            quorum: CommittedHasQuorum::new(quorums.n(), quorums.f()),
            order: SameOrder::new(commutes.clone()),
            commutes,
            exactly_once: ExactlyOnce::new(),
            durable: DurableAck::new(),
            nontrivial: Nontriviality::new(),
            monotone: AcceptorMonotone::new(),
            bounded: Bounded::new(),
            accounted: Accounted::new(),
            history: History::new(),
            operations: FxHashMap::default(),
            synced: FxHashMap::default(),
            appended: Vec::new(),
            undecided: 0,
        }
    }

    /// A client invokes an operation, its `number`-th of all clients'.
    pub(crate) fn invoked(
        &mut self,
        client: usize,
        number: u64,
        now: u64,
        input: Input,
    ) -> Result<Observed, Violation> {
        self.accounted.began(number)?;
        let in_history = self.history.invoked(client as u64, now * 1000, input);
        Ok(Observed { in_history, number })
    }

    /// A client submits a request, for the first time or again, for an operation of the history.
    pub(crate) fn submitted(
        &mut self,
        request: RequestId,
        payload: &Bytes,
        operation: Option<Observed>,
    ) {
        self.nontrivial.submitted(digest(&(request, payload)));
        if let Some(operation) = operation {
            self.operations.insert(digest(&request), operation.in_history);
        }
    }

    /// An operation is done, by that reply.
    pub(crate) fn done(
        &mut self,
        operation: Observed,
        now: u64,
        request: RequestId,
        reply: Bytes,
    ) -> Result<(), Violation> {
        self.accounted.ended(operation.number, Ending::Done)?;
        let session = session_number(request.session);
        let describe = || format!("{reply:?}");
        self.exactly_once.answered(session, request.sequence, digest(&reply), describe)?;
        self.durable.acknowledged(digest(&request), || request.to_string());
        let output = crate::workload::output(reply);
        self.history.returned(operation.in_history, now * 1000, output);
        Ok(())
    }

    /// An operation failed for sure.
    pub(crate) fn failed(&mut self, operation: Observed) -> Result<(), Violation> {
        self.history.failed(operation.in_history);
        self.accounted.ended(operation.number, Ending::Failed)
    }

    /// An operation's outcome is unknown to its client.
    pub(crate) fn unknown(&mut self, operation: Observed) -> Result<(), Violation> {
        self.accounted.ended(operation.number, Ending::Unknown)
    }
}

/// The nodes' side.
impl Observer {
    /// A node sends a message to another, or to itself; whether it arrives or not.
    pub(crate) fn sent(&mut self, node: NodeId, message: &Message) -> Result<(), Violation> {
        match message {
            Message::PreAccept(m) => self.requested(m.vertex, &m.commands),
            Message::Depend(m) => self.requested(m.vertex, &m.commands),
            Message::Accept(m) if m.value.commands.is_noop() => Ok(()),
            Message::Accept(m) => {
                let is_new = self.values.value(m.vertex, &m.value).is_new;
                self.answered(m.vertex, &m.value.deps, is_new)
            }
            Message::Conclude(m) => {
                let met = self.values.value_of_asked(m.vertex, &m.deps);
                self.answered(m.vertex, &m.deps, met.is_none_or(|met| met.is_new))
            }
            Message::Commit(m) => self.committed(node, m.vertex, &m.value, false),
            _ => Ok(()),
        }
    }

    fn requested(&mut self, vertex: VertexId, commands: &Commands) -> Result<(), Violation> {
        let (digest, is_new) = self.values.commands(vertex, commands);
        if !is_new {
            return Ok(());
        }
        with_footprint(commands, |footprint| {
            self.dependencies.requested(named(vertex), digest, footprint)
        })
    }

    fn answered(
        &mut self,
        vertex: VertexId,
        deps: &althing_model::DepSet,
        is_new: bool,
    ) -> Result<(), Violation> {
        if !is_new {
            return Ok(());
        }
        self.dependencies.answered(named(vertex), columns(deps))
    }

    /// A node appends records; none is on disk yet.
    pub(crate) fn appended(
        &mut self,
        node: NodeId,
        records: &[NodeRecord],
    ) -> Result<(), Violation> {
        for Cast { vertex, ballot, is_vote } in records.iter().filter_map(cast) {
            self.monotone.appended(node.0, vertex, ballot, is_vote)?;
            self.appended.push(vertex);
        }
        Ok(())
    }

    /// A node's step is over, with all that it appended.
    pub(crate) fn stepped(&mut self, node: NodeId, roles: &Roles) -> Result<(), Violation> {
        for vertex in self.appended.drain(..) {
            // None: it was committed in the same step.
            if let Some(ballots) = ballots(roles, vertex) {
                self.monotone.held(node.0, vertex, ballots)?;
            }
        }
        let Some(proposer) = &roles.proposer else { return Ok(()) };
        let sizes = proposer.sizes();
        self.bounded.stepped(node.0, sizes.map(|(name, len, len_max)| Size { name, len, len_max }))
    }

    /// A node's record is on disk.
    pub(crate) fn synced(&mut self, node: NodeId, record: &NodeRecord) -> Result<(), Violation> {
        *self.synced.entry(node).or_default() += 1;
        if let Some(Cast { vertex, ballot, is_vote }) = cast(record) {
            self.monotone.durable(node.0, vertex, ballot, is_vote)?;
        }
        match record {
            NodeRecord::Voter(VoterRecord::Committed { vertex, value }) => {
                self.monotone.released(node.0, *vertex);
                self.committed(node, *vertex, value, true)
            }
            NodeRecord::Replica(record) => self.committed(node, record.vertex, &record.value, true),
            NodeRecord::Voter(VoterRecord::Voted { vertex, vote }) => {
                self.voted(node, *vertex, vote);
                Ok(())
            }
            NodeRecord::Acceptor(AcceptorRecord::Voted { vertex, ballot, value }) => {
                let value = self.values.value(*vertex, value).value;
                self.quorum.voted(node.0, *vertex, *ballot, value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn voted(&mut self, node: NodeId, vertex: VertexId, vote: &Vote) {
        let Some(fast) = &vote.fast else {
            let value = self.values.value(vertex, &vote.value).value;
            self.quorum.voted(node.0, vertex, vote.ballot, value);
            return;
        };
        let (commands, _) = self.values.commands(vertex, &vote.value.commands);
        let members: Vec<u32> = fast.members.iter().map(|member| member.0).collect();
        let vote = FastVote {
            commands,
            dependencies: &columns(&vote.value.deps),
            members: &members,
            anchor: fast.anchor.0,
        };
        self.quorum.voted_fast(node.0, vertex, vote);
    }

    /// A node holds a value as committed: on its disk, or it tells others.
    fn committed(
        &mut self,
        node: NodeId,
        vertex: VertexId,
        value: &Value,
        is_on_disk: bool,
    ) -> Result<(), Violation> {
        let met = self.values.value(vertex, value);
        let words = || self.values.words(vertex);
        self.consensus.committed(node.0, vertex, met.value, words)?;
        if !self.values.commit(vertex) {
            return Ok(());
        }
        for command in value.commands.as_slice() {
            if let Operation::Apply { request, payload, .. } = &command.operation {
                let submitted = Some(digest(&(request, payload)));
                self.nontrivial.committed(vertex, submitted, || request.to_string())?;
            }
        }
        let dependencies = columns(&value.deps);
        let held = Held {
            value: met.value,
            commands: met.commands,
            dependencies: &dependencies,
            is_on_disk,
        };
        self.quorum.committed(node.0, vertex, held)?;
        if value.commands.is_noop() {
            return self.conflicts.committed(named(vertex), None, dependencies);
        }
        with_footprint(&value.commands, |footprint| {
            self.conflicts.committed(named(vertex), Some(footprint), dependencies)
        })
    }

    /// A replica executed a vertex.
    pub(crate) fn executed(&mut self, node: NodeId, step: &Step) -> Result<(), Violation> {
        let commands = step.value.commands.as_slice();
        for ((command, reply), took_effect) in
            commands.iter().zip(&step.replies).zip(&step.took_effect)
        {
            let Operation::Apply { request, .. } = &command.operation else { continue };
            let session = session_number(request.session);
            if *took_effect {
                let id = digest(request);
                with_footprint_of(command, |footprint| self.order.executed(node.0, id, footprint))?;
                self.exactly_once.executed(node.0, session, request.sequence)?;
                self.durable.executed(node.0, id);
            }
            if let Reply::Applied(reply) = reply {
                let describe = || format!("{reply:?}");
                self.exactly_once.replied(
                    node.0,
                    session,
                    request.sequence,
                    digest(reply),
                    describe,
                )?;
            }
        }
        Ok(())
    }

    /// A replica starts again and executes from the beginning what it had on disk.
    pub(crate) fn restarted(&mut self, node: NodeId) -> Result<(), Violation> {
        self.order.restarted(node.0, None)?;
        self.exactly_once.restarted(node.0, None)?;
        self.durable.restarted(node.0, None)
    }

    /// A node is back with these roles, made from what its disk holds; it has done nothing yet.
    pub(crate) fn recovered(
        &mut self,
        node: NodeId,
        records: &[NodeRecord],
        roles: &Roles,
    ) -> Result<(), Violation> {
        // Of what was written and not synced, some may have reached the disk all the same.
        let synced = self.synced.get(&node).copied().unwrap_or(0);
        for record in records.get(synced..).unwrap_or_default() {
            self.synced(node, record)?;
        }
        self.monotone.recovered(node.0, |vertex| ballots(roles, vertex))
    }
}

/// The end.
impl Observer {
    /// The run is over, and these replicas are healed.
    pub(crate) fn finish(&mut self, healed: &[NodeId]) -> Result<(), Violation> {
        self.durable.finish(healed.iter().map(|node| node.0))?;
        self.accounted.finish()?;
        self.conflicts.finish()?;
        self.explain(healed)?;
        let budget = crate::limits::SEARCH_STEPS_MAX;
        match linearizable::check(&RegisterMap, &self.history, budget) {
            Verdict::NotLinearizable(account) => {
                Err(Violation::new("Linearizable", account.to_string()))
            }
            Verdict::Undecided { operations, .. } => {
                self.undecided = operations;
                Ok(())
            }
            Verdict::Linearizable { .. } => Ok(()),
        }
    }

    /// How many operations of the history the search could not decide. That they are linearizable
    /// is known from the order in which a replica executed them.
    pub(crate) fn undecided(&self) -> usize {
        self.undecided
    }

    /// The order in which a replica executed respects real time, and every client saw what the
    /// specification gives along it. All replicas have the same order of what conflicts; in each run
    /// another one is taken, so that what commutes is tried in different orders.
    fn explain(&self, healed: &[NodeId]) -> Result<(), Violation> {
        let turn = self.history.operations().len() + self.order.commands();
        let Some(replica) = healed.get(turn % healed.len().max(1)) else { return Ok(()) };
        let mut oracle = RealTimeOrder::new(&self.history, self.commutes.clone());
        let operation = |command: u128| self.operations.get(&command).copied();
        self.order.tell(replica.0, &mut oracle, operation)?;
        let order = oracle.finish()?;
        linearizable::explains(&RegisterMap, &self.history, &order)
    }
}

fn cast(record: &NodeRecord) -> Option<Cast> {
    let (vertex, ballot, is_vote) = match record {
        NodeRecord::Voter(
            VoterRecord::Promised { vertex, ballot } | VoterRecord::Depended { vertex, ballot, .. },
        )
        | NodeRecord::Acceptor(AcceptorRecord::Promised { vertex, ballot }) => {
            (*vertex, *ballot, false)
        }
        NodeRecord::Voter(VoterRecord::Voted { vertex, vote }) => (*vertex, vote.ballot, true),
        NodeRecord::Acceptor(AcceptorRecord::Voted { vertex, ballot, .. }) => {
            (*vertex, *ballot, true)
        }
        _ => return None,
    };
    Some(Cast { vertex, ballot, is_vote })
}

/// What a node's voter or acceptor holds of a vertex that is not committed there.
fn ballots(roles: &Roles, vertex: VertexId) -> Option<Ballots<Ballot>> {
    let voter = roles.voter.as_ref().and_then(|voter| voter.register(vertex));
    let acceptor = || roles.acceptor.as_ref().and_then(|acceptor| acceptor.get(vertex));
    let register = voter.or_else(acceptor)?;
    let voted = register.vote().map(|vote| vote.ballot);
    Some(Ballots { promised: Some(register.promised()), voted })
}

fn session_number(session: SessionId) -> u128 {
    digest(&session)
}
