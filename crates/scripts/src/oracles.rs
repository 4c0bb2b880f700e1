//! The oracles' view of a story: invariants I1 to I3 at every step, as in the simulator.

use althing_checker::footprint::Footprint as Touched;
use althing_checker::{
    AcceptorMonotone, ColumnDependencies, CommittedConflicts, Commutes, ConsensusConsistency,
    ExactlyOnce, Nontriviality, SameOrder, Vertex, Violation,
};
use althing_model::{
    Ballot, Column, Command, Footprint, NodeId, Operation, Reply, RequestId, Value, VertexId,
};
use althing_replica::Step;
use althing_wire::{AcceptorRecord, NodeRecord, VoterRecord};
use bytes::Bytes;
use std::hash::{DefaultHasher, Hash, Hasher};

/// All oracles of a story.
pub(crate) struct Oracles {
    consensus: ConsensusConsistency<VertexId>,
    conflicts: CommittedConflicts,
    order: SameOrder,
    exactly_once: ExactlyOnce,
    nontrivial: Nontriviality,
    monotone: AcceptorMonotone<VertexId, Ballot>,
}

impl Oracles {
    pub(crate) fn new() -> Self {
        let commutes = Commutes::new(commute);
        Self {
            consensus: ConsensusConsistency::describing(),
            conflicts: CommittedConflicts::new(commutes.clone()),
            order: SameOrder::new(commutes),
            exactly_once: ExactlyOnce::new(),
            nontrivial: Nontriviality::new(),
            monotone: AcceptorMonotone::new(),
        }
    }

    /// A client submits a request, for the first time or again.
    pub(crate) fn submitted(&mut self, request: RequestId, payload: &Bytes) {
        self.nontrivial.submitted(digest(&(request, payload)));
    }

    /// A node holds a value as committed.
    pub(crate) fn committed(
        &mut self,
        node: NodeId,
        vertex: VertexId,
        value: &Value,
    ) -> Result<(), Violation> {
        self.consensus.committed(node.0, vertex, digest(value), || crate::show::value(value))?;
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
        let commands = value.commands.as_slice();
        if commands.is_empty() {
            return self.conflicts.committed(named, None, deps);
        }
        if commands.iter().any(|command| command.footprint == Footprint::Everything) {
            return self.conflicts.committed(named, Some(Touched::Everything), deps);
        }
        let resources: Vec<_> = commands.iter().flat_map(touched).collect();
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
            let session = digest(&request.session);
            if *took_effect {
                let resources: Vec<_> = touched(command).collect();
                let footprint = match command.footprint {
                    Footprint::Everything => Touched::Everything,
                    Footprint::Resources(_) => Touched::Resources(&resources),
                };
                self.order.executed(node.0, digest(request), footprint)?;
                self.exactly_once.executed(node.0, session, request.sequence)?;
            }
            if let Reply::Applied(reply) = reply {
                let describe = || format!("{reply:?}");
                let digest = digest(reply);
                self.exactly_once.replied(node.0, session, request.sequence, digest, describe)?;
            }
        }
        Ok(())
    }

    /// A replica starts again, and executes from the beginning what it has on disk.
    pub(crate) fn restarted(&mut self, node: NodeId) -> Result<(), Violation> {
        self.order.restarted(node.0, None)?;
        self.exactly_once.restarted(node.0, None)
    }

    /// Settles what was left open; how many conflicting vertices wait for commits between them.
    pub(crate) fn settle(&mut self) -> Result<usize, Violation> {
        self.conflicts.finish()
    }
}

/// Which of the store's modes commute, said again so that the store's word is not taken for it.
fn commute(a: u8, b: u8) -> bool {
    matches!((a, b), (0, 0) | (2, 2))
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

fn digest(value: &impl Hash) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        value.hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
