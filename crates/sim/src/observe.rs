//! The oracles' view of a run: translates what roles do into what the checker's properties are
//! told. Invariants I1 to I3 and I5 at every step; I4 is the linearizability of the clients'
//! history, at the end.

use althing_checker::footprint::Footprint as Touched;
use althing_checker::register_map::{Input, Output};
use althing_checker::{
    AcceptorMonotone, Accounted, ColumnDependencies, CommittedConflicts, Commutes,
    ConsensusConsistency, DurableAck, Ending, ExactlyOnce, History, Nontriviality, RegisterMap,
    SameOrder, Verdict, Vertex, Violation, linearizable,
};
use althing_model::{
    Ballot, Column, Command, Footprint, NodeId, Operation, Reply, RequestId, SessionId, Value,
    VertexId,
};
use althing_replica::Step;
use althing_wire::{AcceptorRecord, NodeRecord, VoterRecord};
use bytes::Bytes;
use std::hash::{DefaultHasher, Hash, Hasher};

/// All oracles of a run.
pub(crate) struct Observer {
    consensus: ConsensusConsistency<VertexId>,
    conflicts: CommittedConflicts,
    order: SameOrder,
    exactly_once: ExactlyOnce,
    durable: DurableAck,
    nontrivial: Nontriviality,
    monotone: AcceptorMonotone<VertexId, Ballot>,
    accounted: Accounted,
    history: History<Input, Output>,
}

/// An operation of the clients' history.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observed {
    in_history: althing_checker::history::OperationId,
    number: u64,
}

impl Observer {
    pub(crate) fn new() -> Self {
        let commutes = Commutes::new(crate::workload::commutes);
        Self {
            consensus: ConsensusConsistency::describing(),
            conflicts: CommittedConflicts::new(commutes.clone()),
            order: SameOrder::new(commutes),
            exactly_once: ExactlyOnce::new(),
            durable: DurableAck::new(),
            nontrivial: Nontriviality::new(),
            monotone: AcceptorMonotone::new(),
            accounted: Accounted::new(),
            history: History::new(),
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

    /// A client submits a request, for the first time or again.
    pub(crate) fn submitted(&mut self, request: RequestId, payload: &Bytes) {
        self.nontrivial.submitted(digest(&(request, payload)));
    }

    /// An operation is done.
    pub(crate) fn done(
        &mut self,
        operation: Observed,
        now: u64,
        request: RequestId,
        output: Output,
    ) -> Result<(), Violation> {
        self.accounted.ended(operation.number, Ending::Done)?;
        self.durable.acknowledged(digest(&request), || request.to_string());
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

    /// A node holds a value as committed.
    pub(crate) fn committed(
        &mut self,
        node: NodeId,
        vertex: VertexId,
        value: &Value,
    ) -> Result<(), Violation> {
        self.consensus.committed(node.0, vertex, digest(value), || format!("{value:?}"))?;
        for command in value.commands.as_slice() {
            if let Operation::Apply { request, payload, .. } = &command.operation {
                let submitted = Some(digest(&(request, payload)));
                self.nontrivial.committed(vertex, submitted, || request.to_string())?;
            }
        }
        let columns: Vec<_> = value.deps.columns().collect();
        let deps = columns.iter().map(|(column, row)| ColumnDependencies {
            column: column_number(*column),
            prefix: row.below(),
            extras: row.extras(),
        });
        let named = Vertex { column: column_number(vertex.column()), seq: vertex.seq };
        if value.commands.is_noop() {
            return self.conflicts.committed(named, None, deps);
        }
        let commands = value.commands.as_slice();
        if commands.iter().any(|command| command.footprint == Footprint::Everything) {
            return self.conflicts.committed(named, Some(Touched::Everything), deps);
        }
        let resources: Vec<(&[u8], u8)> = commands.iter().flat_map(touched).collect();
        self.conflicts.committed(named, Some(Touched::Resources(&resources)), deps)
    }

    /// A node's record is on disk.
    pub(crate) fn synced(&mut self, node: NodeId, record: &NodeRecord) -> Result<(), Violation> {
        let (vertex, promised, voted) = match record {
            NodeRecord::Voter(VoterRecord::Committed { vertex, value }) => {
                return self.committed(node, *vertex, value);
            }
            NodeRecord::Replica(record) => {
                return self.committed(node, record.vertex, &record.value);
            }
            NodeRecord::Voter(
                VoterRecord::Promised { vertex, ballot }
                | VoterRecord::Depended { vertex, ballot, .. },
            )
            | NodeRecord::Acceptor(AcceptorRecord::Promised { vertex, ballot }) => {
                (*vertex, *ballot, None)
            }
            NodeRecord::Voter(VoterRecord::Voted { vertex, vote }) => {
                (*vertex, vote.ballot, Some(vote.ballot))
            }
            NodeRecord::Acceptor(AcceptorRecord::Voted { vertex, ballot, .. }) => {
                (*vertex, *ballot, Some(*ballot))
            }
            NodeRecord::Proposer(_) | NodeRecord::Dependency(_) => return Ok(()),
        };
        self.monotone.durable(node.0, vertex, promised, voted.is_some())
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
                let resources: Vec<(&[u8], u8)> = touched(command).collect();
                let footprint = match command.footprint {
                    Footprint::Everything => Touched::Everything,
                    Footprint::Resources(_) => Touched::Resources(&resources),
                };
                self.order.executed(node.0, id, footprint)?;
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

    /// The run is over, and these replicas are healed.
    pub(crate) fn finish(&mut self, healed: &[NodeId]) -> Result<(), Violation> {
        self.durable.finish(healed.iter().map(|node| node.0))?;
        self.accounted.finish()?;
        self.conflicts.finish()?;
        let budget = crate::limits::SEARCH_STEPS_MAX;
        match linearizable::check(&RegisterMap, &self.history, budget) {
            Verdict::NotLinearizable(account) => {
                Err(Violation::new("Linearizable", account.to_string()))
            }
            Verdict::Undecided { keys, operations, steps } => Err(Violation::new(
                "Linearizable",
                format!("undecided after {steps} steps: {operations} operations on {keys:?}"),
            )),
            Verdict::Linearizable { .. } => Ok(()),
        }
    }
}

fn touched(command: &Command) -> impl Iterator<Item = (&[u8], u8)> {
    let resources = match &command.footprint {
        Footprint::Everything => &[][..],
        Footprint::Resources(resources) => resources,
    };
    resources.iter().map(|(resource, mode)| (resource.as_ref(), mode.0))
}

fn column_number(column: Column) -> u64 {
    u64::from(column.epoch.0) << 32 | u64::from(column.proposer.0)
}

fn session_number(session: SessionId) -> u128 {
    digest(&session)
}

/// The same for equal values in every run: the standard hasher with its fixed keys.
pub(crate) fn digest(value: &impl Hash) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        value.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
