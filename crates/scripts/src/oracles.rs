//! The oracles' view of a story: invariants I1 to I3, I5 and I6 at every step, as in the simulator.

use althing_checker::floor::Prefixes;
use althing_checker::footprint::Footprint as Touched;
use althing_checker::quorum::{FastVote, Held};
use althing_checker::{
    AcceptorMonotone, Checkpoint, ColumnDependencies, CommittedConflicts, CommittedHasQuorum,
    Commutes, ConsensusConsistency, ExactlyOnce, FloorHeld, Nontriviality, SameBarrier, SameOrder,
    Vertex, Violation, monotone::Ballots,
};
use althing_model::{
    Ballot, Column, Command, DepSet, Footprint, Membership, NodeId, Operation, Reply, RequestId,
    Value, VertexId,
};
use althing_replica::Step;
use althing_roles::Roles;
use althing_wire::{
    AcceptorRecord, DependencyRecord, NodeRecord, ProposerRecord, ReplicaRecord, Vote, VoterRecord,
};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// All oracles of a story.
pub(crate) struct Oracles {
    consensus: ConsensusConsistency<VertexId>,
    conflicts: CommittedConflicts,
    quorum: CommittedHasQuorum<VertexId, Ballot>,
    order: SameOrder,
    exactly_once: ExactlyOnce,
    nontrivial: Nontriviality,
    monotone: AcceptorMonotone<VertexId, Ballot>,
    floors: FloorHeld,
    barriers: SameBarrier,
    /// Proposers that write their attempts again, since they were pruned: one in a vertex that is
    /// forgotten stands for many.
    writing_again: BTreeSet<NodeId>,
}

impl Oracles {
    pub(crate) fn new(membership: &Membership) -> Self {
        let commutes = Commutes::new(commute);
        let quorums = membership.acceptor_quorums();
        Self {
            consensus: ConsensusConsistency::describing(),
            conflicts: CommittedConflicts::new(commutes.clone()),
            quorum: CommittedHasQuorum::new(quorums.n(), quorums.f()),
            order: SameOrder::new(commutes),
            exactly_once: ExactlyOnce::new(),
            nontrivial: Nontriviality::new(),
            monotone: AcceptorMonotone::new(),
            floors: FloorHeld::new(quorums.phase2()),
            barriers: SameBarrier::new(),
            writing_again: BTreeSet::new(),
        }
    }

    /// A client submits a request, for the first time or again.
    pub(crate) fn submitted(&mut self, request: RequestId, payload: &Bytes) {
        self.nontrivial.submitted(digest(&(request, payload)));
    }

    /// A node holds a value as committed: on its disk, or it tells others.
    pub(crate) fn committed(
        &mut self,
        node: NodeId,
        vertex: VertexId,
        value: &Value,
        is_on_disk: bool,
    ) -> Result<(), Violation> {
        self.consensus.committed(node.0, vertex, digest(value), || crate::show::value(value))?;
        for command in value.commands.as_slice() {
            if let Operation::Apply { request, payload, .. } = &command.operation {
                let submitted = Some(digest(&(request, payload)));
                self.nontrivial.committed(vertex, submitted, || request.to_string())?;
            }
        }
        let dependencies = columns(&value.deps);
        let commands = value.commands.as_slice();
        let held = Held {
            value: digest(value),
            commands: digest(&value.commands),
            dependencies: &dependencies,
            is_on_disk,
        };
        self.quorum.committed(node.0, vertex, held)?;
        let named = Vertex { column: column_number(vertex.column()), seq: vertex.seq };
        if commands.is_empty() {
            return self.conflicts.committed(named, None, dependencies);
        }
        if commands.iter().any(|command| command.footprint == Footprint::Everything) {
            return self.conflicts.committed(named, Some(Touched::Everything), dependencies);
        }
        let resources: Vec<_> = commands.iter().flat_map(touched).collect();
        self.conflicts.committed(named, Some(Touched::Resources(&resources)), dependencies)
    }

    /// A node appends a record, which is not on disk yet: what it forgets is held by enough
    /// snapshots, and what it has forgotten it does not write of again.
    pub(crate) fn appended(&mut self, node: NodeId, record: &NodeRecord) -> Result<(), Violation> {
        match record {
            NodeRecord::Proposer(ProposerRecord::Pruned { .. }) => {
                self.writing_again.insert(node);
            }
            NodeRecord::Proposer(ProposerRecord::Rewritten) => {
                self.writing_again.remove(&node);
            }
            NodeRecord::Proposer(ProposerRecord::Attempted { .. })
                if self.writing_again.contains(&node) =>
            {
                return Ok(());
            }
            // Its own snapshot is all that a replica needs; after a loss it may write of the same
            // vertices again.
            NodeRecord::Replica(ReplicaRecord::Pruned { floor }) => {
                return self.floors.pruned_own(node.0, &prefixes(floor));
            }
            NodeRecord::Replica(_) => return Ok(()),
            _ => {}
        }
        match (floor_of(record), record.vertex()) {
            (Some(floor), _) => self.floors.pruned(node.0, role(record), &prefixes(floor)),
            (None, Some(vertex)) => {
                let vertex = (column_number(vertex.column()), vertex.seq);
                self.floors.written(node.0, role(record), vertex)
            }
            (None, None) => Ok(()),
        }
    }

    /// A node's record is on disk.
    pub(crate) fn synced(&mut self, node: NodeId, record: &NodeRecord) -> Result<(), Violation> {
        if let Some(floor) = floor_of(record) {
            self.floors.durable(node.0, role(record), &prefixes(floor));
            if matches!(record, NodeRecord::Voter(_) | NodeRecord::Acceptor(_)) {
                self.monotone.released_all(node.0, |vertex| floor.contains(*vertex));
            }
        }
        match record {
            // Of a committed vertex, written again: no promise.
            NodeRecord::Voter(VoterRecord::Depended { ballot, .. }) if ballot.round == 0 => Ok(()),
            NodeRecord::Voter(VoterRecord::Committed { vertex, value }) => {
                self.monotone.released(node.0, *vertex);
                self.committed(node, *vertex, value, true)
            }
            NodeRecord::Replica(ReplicaRecord::Committed { vertex, value }) => {
                self.committed(node, *vertex, value, true)
            }
            NodeRecord::Voter(
                VoterRecord::Promised { vertex, ballot }
                | VoterRecord::Depended { vertex, ballot, .. },
            )
            | NodeRecord::Acceptor(AcceptorRecord::Promised { vertex, ballot }) => {
                self.monotone.durable(node.0, *vertex, *ballot, false)
            }
            NodeRecord::Voter(VoterRecord::Voted { vertex, vote }) => {
                self.voted(node, *vertex, vote);
                self.monotone.durable(node.0, *vertex, vote.ballot, true)
            }
            NodeRecord::Acceptor(AcceptorRecord::Voted { vertex, ballot, value }) => {
                self.quorum.voted(node.0, *vertex, *ballot, digest(value));
                self.monotone.durable(node.0, *vertex, *ballot, true)
            }
            // What was written is written again, or forgotten: nothing new is promised.
            NodeRecord::Voter(
                VoterRecord::Pruned { .. } | VoterRecord::Kept { .. } | VoterRecord::Rewritten,
            )
            | NodeRecord::Acceptor(_)
            | NodeRecord::Replica(_)
            | NodeRecord::Proposer(_)
            | NodeRecord::Dependency(_) => Ok(()),
        }
    }

    fn voted(&mut self, node: NodeId, vertex: VertexId, vote: &Vote) {
        let Some(fast) = &vote.fast else {
            self.quorum.voted(node.0, vertex, vote.ballot, digest(&vote.value));
            return;
        };
        let members: Vec<u32> = fast.members.iter().map(|member| member.0).collect();
        let vote = FastVote {
            commands: digest(&vote.value.commands),
            dependencies: &columns(&vote.value.deps),
            members: &members,
            anchor: fast.anchor.0,
        };
        self.quorum.voted_fast(node.0, vertex, vote);
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
                    _ => Touched::Resources(&resources),
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

    /// A replica has executed the n-th barrier with its component; where its execution stands.
    pub(crate) fn passed(&mut self, node: NodeId, number: u64) -> Result<Checkpoint, Violation> {
        // The same for all oracles, which are told the same.
        let at = self.order.checkpoint(node.0);
        self.barriers.passed(node.0, number, at)?;
        Ok(at)
    }

    /// A snapshot is on disk at a node, its own or another's.
    pub(crate) fn saved(&mut self, node: NodeId, cut: &DepSet) {
        self.floors.saved(node.0, &prefixes(cut));
    }

    /// A replica goes on from a snapshot, or from the beginning.
    pub(crate) fn goes_on_from(
        &mut self,
        node: NodeId,
        at: Option<Checkpoint>,
    ) -> Result<(), Violation> {
        self.order.restarted(node.0, at)?;
        self.exactly_once.restarted(node.0, at)
    }

    /// A node is back with these roles, made from what its disk holds; its replica executes from
    /// its newest snapshot on, or from the beginning.
    pub(crate) fn restarted(
        &mut self,
        node: NodeId,
        at: Option<Checkpoint>,
        roles: &Roles,
    ) -> Result<(), Violation> {
        self.goes_on_from(node, at)?;
        self.floors.restarted(node.0);
        self.writing_again.remove(&node);
        self.monotone.recovered(node.0, |vertex| ballots(roles, vertex))
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

/// What a node's voter or acceptor holds of a vertex that is not committed there.
fn ballots(roles: &Roles, vertex: VertexId) -> Option<Ballots<Ballot>> {
    let by_voter = roles.voter.as_ref().and_then(|voter| voter.register(vertex));
    let by_acceptor = roles.acceptor.as_ref().and_then(|acceptor| acceptor.get(vertex));
    let register = by_voter.or(by_acceptor)?;
    let voted = register.vote().map(|vote| vote.ballot);
    Some(Ballots { promised: Some(register.promised()), voted })
}

/// The floor of a role that answers others and is pruned.
fn floor_of(record: &NodeRecord) -> Option<&DepSet> {
    match record {
        NodeRecord::Proposer(ProposerRecord::Pruned { floor })
        | NodeRecord::Voter(VoterRecord::Pruned { floor })
        | NodeRecord::Dependency(DependencyRecord::Pruned { floor })
        | NodeRecord::Acceptor(AcceptorRecord::Pruned { floor }) => Some(floor),
        _ => None,
    }
}

/// Which role of its node wrote a record.
fn role(record: &NodeRecord) -> u8 {
    match record {
        NodeRecord::Proposer(_) => 0,
        NodeRecord::Voter(_) => 1,
        NodeRecord::Dependency(_) => 2,
        NodeRecord::Acceptor(_) => 3,
        NodeRecord::Replica(_) => 4,
    }
}

fn prefixes(of: &DepSet) -> Prefixes {
    columns(of).into_iter().map(|column| (column.column, column.prefix)).collect()
}

fn columns(deps: &DepSet) -> Vec<ColumnDependencies<'_>> {
    let columns = deps.columns().map(|(column, row)| ColumnDependencies {
        column: column_number(column),
        prefix: row.below(),
        extras: row.extras(),
    });
    columns.collect()
}

fn touched(command: &Command) -> impl Iterator<Item = (&[u8], u8)> {
    command.footprint.resources().iter().map(|(resource, mode)| (resource.as_ref(), mode.0))
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
