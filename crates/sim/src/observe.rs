//! The oracles' view of a run: translates what roles do into what the checker's properties are
//! told. Invariants I1 to I3 and I5 at every step; I4 at the end, along the order in which a replica
//! executed; what the replies mean is the application's to say.

mod facts;
mod footprints;
mod nodes;
mod reads;
mod values;
mod watched;

use crate::app::Seen;
use althing_checker::{
    AcceptorMonotone, Accounted, Bounded, CommittedConflicts, CommittedHasQuorum, Commutes,
    ConsensusConsistency, DependencyConflicts, DurableAck, DurableFirst, Ending, ExactlyOnce,
    FloorHeld, History, Nontriviality, OperationId, Prepared, RealTimeOrder, SameBarrier,
    SameOrder, Violation,
};
use althing_model::{Ballot, Epoch, Membership, NodeId, Path, RequestId, SessionId, VertexId};
use bytes::Bytes;
use facts::Fact;
use rustc_hash::FxHashMap;
use values::Values;
pub(crate) use values::digest;

/// All oracles of a run.
pub(crate) struct Observer {
    values: Values,
    consensus: ConsensusConsistency<VertexId>,
    dependencies: DependencyConflicts,
    conflicts: CommittedConflicts,
    prepared: Prepared<VertexId, Ballot>,
    quorum: CommittedHasQuorum<VertexId, Ballot>,
    commutes: Commutes,
    seen: Seen,
    order: SameOrder,
    exactly_once: ExactlyOnce,
    durable: DurableAck,
    nontrivial: Nontriviality,
    monotone: AcceptorMonotone<VertexId, Ballot>,
    durable_first: DurableFirst<Fact>,
    /// What watchers may be told of.
    watchable: FxHashMap<u128, watched::Watchable>,
    bounded: Bounded,
    pub(crate) floors: FloorHeld,
    barriers: SameBarrier,
    accounted: Accounted,
    history: History<Bytes, Bytes>,
    /// By the digest of a request: the operation of the history that it is of.
    operations: FxHashMap<u128, OperationId>,
    /// How many of a node's records were told as synced.
    synced: FxHashMap<NodeId, usize>,
    /// The vertices that a node appended a promise or a vote of in the present step.
    appended: Vec<VertexId>,
    appended_again: nodes::Again,
    synced_again: nodes::Again,
    pub(crate) reads: reads::Reads,
    path: Path,
    epoch: Epoch,
    /// Below it a proposer's sequence numbers are reserved.
    reserved: FxHashMap<NodeId, u64>,
}

/// The clients' side.
impl Observer {
    pub(crate) fn new(membership: &Membership, commutes: Commutes, seen: Seen) -> Self {
        let quorums = membership.acceptor_quorums();
        Self {
            values: Values::default(),
            consensus: ConsensusConsistency::new(),
            dependencies: DependencyConflicts::new(commutes.clone()),
            conflicts: CommittedConflicts::new(commutes.clone()),
            prepared: Prepared::new(quorums.phase1()),
            quorum: CommittedHasQuorum::new(quorums.n(), quorums.f()),
            order: SameOrder::new(commutes.clone()),
            commutes,
            seen,
            exactly_once: ExactlyOnce::new(),
            durable: DurableAck::new(),
            nontrivial: Nontriviality::new(),
            monotone: AcceptorMonotone::new(),
            durable_first: DurableFirst::new(),
            reads: reads::Reads::default(),
            watchable: FxHashMap::default(),
            path: membership.path(),
            epoch: membership.epoch(),
            reserved: FxHashMap::default(),
            appended_again: nodes::Again::default(),
            synced_again: nodes::Again::default(),
            bounded: Bounded::new(),
            floors: FloorHeld::new(quorums.phase2()),
            barriers: SameBarrier::new(),
            accounted: Accounted::new(),
            history: History::new(),
            operations: FxHashMap::default(),
            synced: FxHashMap::default(),
            appended: Vec::new(),
        }
    }

    /// A client invokes an operation.
    pub(crate) fn invoked(
        &mut self,
        client: usize,
        now: u64,
        payload: Bytes,
    ) -> Result<OperationId, Violation> {
        let operation = self.history.invoked(client as u64, now * 1000, payload);
        self.accounted.began(operation.number() as u64)?;
        Ok(operation)
    }

    /// A client submits a request, for the first time or again, for an operation of the history.
    pub(crate) fn submitted(
        &mut self,
        request: RequestId,
        payload: &Bytes,
        operation: Option<OperationId>,
    ) {
        self.nontrivial.submitted(digest(&(request, payload)));
        if let Some(operation) = operation {
            self.operations.insert(digest(&request), operation);
        }
    }

    /// An operation is done, by that reply.
    pub(crate) fn done(
        &mut self,
        operation: OperationId,
        now: u64,
        request: RequestId,
        reply: Bytes,
    ) -> Result<(), Violation> {
        self.accounted.ended(operation.number() as u64, Ending::Done)?;
        let session = session_number(request.session);
        let describe = || format!("{reply:?}");
        self.exactly_once.answered(session, request.sequence, digest(&reply), describe)?;
        self.durable.acknowledged(digest(&request), || request.to_string());
        self.history.returned(operation, now * 1000, reply);
        Ok(())
    }

    /// An operation failed for sure.
    pub(crate) fn failed(&mut self, operation: OperationId) -> Result<(), Violation> {
        self.history.failed(operation);
        self.accounted.ended(operation.number() as u64, Ending::Failed)
    }

    /// An operation's outcome is unknown to its client.
    pub(crate) fn unknown(&mut self, operation: OperationId) -> Result<(), Violation> {
        self.accounted.ended(operation.number() as u64, Ending::Unknown)
    }

    /// What the clients saw.
    pub(crate) fn history(&self) -> &History<Bytes, Bytes> {
        &self.history
    }
}

/// The end.
impl Observer {
    /// The run is over, and these replicas are healed: an order of the clients' operations that
    /// explains the execution, if there is such a replica.
    pub(crate) fn finish(
        &mut self,
        healed: &[NodeId],
    ) -> Result<Option<Vec<OperationId>>, Violation> {
        self.durable.finish(healed.iter().map(|node| node.0))?;
        self.accounted.finish()?;
        self.conflicts.finish()?;
        self.order_of_execution(healed)
    }

    /// The order in which a replica executed respects real time. All replicas have the same order of
    /// what conflicts; in each run another one is taken, so that what commutes is tried in different
    /// orders.
    fn order_of_execution(&self, healed: &[NodeId]) -> Result<Option<Vec<OperationId>>, Violation> {
        let turn = self.history.operations().len() + self.order.commands();
        let Some(replica) = healed.get(turn % healed.len().max(1)) else { return Ok(None) };
        let mut oracle = RealTimeOrder::new(&self.history, self.commutes.clone());
        let operation = |command: u128| self.operations.get(&command).copied();
        self.order.tell_with_reads(replica.0, &mut oracle, operation, &self.reads.done)?;
        oracle.finish().map(Some)
    }
}

fn session_number(session: SessionId) -> u128 {
    digest(&session)
}
