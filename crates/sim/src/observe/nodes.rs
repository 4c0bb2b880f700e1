//! What the nodes do: messages that leave, records that are written, commits, executions, restarts.

use super::facts::Fact;
use super::footprints::{columns, named, with_footprint, with_footprint_of};
use super::{Observer, digest, session_number};
use althing_checker::bounded::Size;
use althing_checker::floor::Prefixes;
use althing_checker::quorum::{FastVote, Held};
use althing_checker::{Checkpoint, FloorHeld, Violation, monotone::Ballots};
use althing_model::{Ballot, Column, Commands, DepSet, NodeId, Operation, Reply, Value, VertexId};
use althing_replica::Step;
use althing_roles::Roles;
use althing_wire::{
    AcceptorRecord, DependencyRecord, Message, NodeRecord, ProposerRecord, ReplicaRecord, Vote,
    VoterRecord,
};
use rustc_hash::FxHashSet;

/// A promise of a ballot, or a vote in it.
struct Cast {
    vertex: VertexId,
    ballot: Ballot,
    is_vote: bool,
}

impl Observer {
    /// A node sends a message to another, or to itself; whether it arrives or not.
    pub(crate) fn sent(&mut self, node: NodeId, message: &Message) -> Result<(), Violation> {
        // What a voter has pruned is in the snapshots of others: it records no commit of it.
        let is_pruned_commit = matches!(message, Message::Learned(m)
            if is_below(&self.floors, node, VOTER, m.vertex));
        if let Some(fact) = Fact::told_by(node, self.path, message).filter(|_| !is_pruned_commit) {
            self.durable_first.told(node.0, fact)?;
        }
        match message {
            Message::Learned(m) if is_pruned_commit => {
                self.committed(node, m.vertex, &m.value, false)
            }
            Message::PreAccept(m) => self.requested(m.vertex, &m.commands),
            Message::Depend(m) => self.requested(m.vertex, &m.commands),
            Message::Accept(m) => {
                if m.ballot.round >= Ballot::FIRST_RECOVERY_ROUND {
                    self.prepared.proposed(m.vertex, m.ballot)?;
                }
                if m.value.commands.is_noop() {
                    return Ok(());
                }
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
        with_footprint(commands, &self.seen, |footprint| {
            self.dependencies.requested(named(vertex), digest, footprint)
        })
    }

    fn answered(&mut self, vertex: VertexId, deps: &DepSet, is_new: bool) -> Result<(), Violation> {
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
        for record in records {
            self.appended_again.follow(node, record);
            // Made earlier, and written again; one in a vertex that is forgotten stands for many.
            if self.appended_again.is_attempt(node, record) {
                continue;
            }
            self.check_floor(node, record)?;
            let Some(Cast { vertex, ballot, is_vote }) = cast(record) else { continue };
            self.monotone.appended(node.0, vertex, ballot, is_vote)?;
            self.appended.push(vertex);
        }
        Ok(())
    }

    /// What is forgotten is held by enough snapshots, and stays forgotten.
    fn check_floor(&mut self, node: NodeId, record: &NodeRecord) -> Result<(), Violation> {
        // Whose snapshots are lost takes vertices again that it had before.
        if let NodeRecord::Replica(record) = record {
            return match record {
                ReplicaRecord::Pruned { floor } => self.floors.pruned_own(node.0, &prefixes(floor)),
                _ => Ok(()),
            };
        }
        match pruned(record) {
            Some(floor) => self.floors.pruned(node.0, role(record), &prefixes(floor)),
            None => match record.vertex() {
                Some(vertex) => {
                    let vertex = named(vertex);
                    self.floors.written(node.0, role(record), (vertex.column, vertex.seq))
                }
                None => Ok(()),
            },
        }
    }

    /// A snapshot of a node is on disk.
    pub(crate) fn saved(&mut self, node: NodeId, cut: &DepSet) {
        self.floors.saved(node.0, &prefixes(cut));
    }

    /// A replica has executed the n-th barrier with its component; where its execution stands.
    pub(crate) fn passed(&mut self, node: NodeId, number: u64) -> Result<Checkpoint, Violation> {
        let at = self.checkpoint(node);
        self.barriers.passed(node.0, number, at)?;
        Ok(at)
    }

    /// Where a replica's execution stands: the same for all oracles, which are told the same.
    pub(crate) fn checkpoint(&self, node: NodeId) -> Checkpoint {
        self.order.checkpoint(node.0)
    }

    /// How many of a node's records were told as synced.
    pub(crate) fn synced_len(&self, node: NodeId) -> usize {
        self.synced.get(&node).copied().unwrap_or(0)
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
        self.synced_again.follow(node, record);
        if let Some(Cast { vertex, ballot, is_vote }) = cast(record) {
            self.monotone.durable(node.0, vertex, ballot, is_vote)?;
            if ballot.round >= Ballot::FIRST_RECOVERY_ROUND {
                self.prepared.promised(node.0, vertex, ballot);
            }
            if ballot.round > 0 {
                self.quorum.promised(node.0, vertex);
            }
            let fact = if is_vote { Fact::Voted } else { Fact::Promised };
            self.durable_first.synced(node.0, fact(vertex, ballot));
        }
        if !matches!(record, NodeRecord::Replica(_))
            && let Some(floor) = pruned(record)
        {
            self.floors.durable(node.0, role(record), &prefixes(floor));
            if matches!(record, NodeRecord::Voter(_) | NodeRecord::Acceptor(_)) {
                self.monotone.released_all(node.0, |vertex| floor.contains(*vertex));
            }
        }
        match record {
            NodeRecord::Voter(VoterRecord::Committed { vertex, value }) => {
                self.durable_first.synced(node.0, Fact::Committed(*vertex));
                self.monotone.released(node.0, *vertex);
                self.committed(node, *vertex, value, true)
            }
            NodeRecord::Replica(ReplicaRecord::Committed { vertex, value }) => {
                self.durable_first.synced(node.0, Fact::Committed(*vertex));
                self.committed(node, *vertex, value, true)
            }
            NodeRecord::Dependency(DependencyRecord::Depended { vertex, .. }) => {
                self.durable_first.synced(node.0, Fact::Depended(*vertex));
                Ok(())
            }
            NodeRecord::Proposer(ProposerRecord::Attempted { vertex, ballot }) => {
                let attempt = Fact::Attempted(*vertex, *ballot);
                let is_again = self.synced_again.is_attempt(node, record);
                if is_again
                    && (is_below(&self.floors, node, PROPOSER, *vertex)
                        || self.durable_first.has(node.0, attempt))
                {
                    return Ok(());
                }
                self.durable_first.synced_once(node.0, attempt)
            }
            NodeRecord::Proposer(ProposerRecord::Reserved { until, .. }) => {
                let reserved = self.reserved.entry(node).or_default();
                let column = Column { epoch: self.epoch, proposer: node };
                for seq in *reserved..*until {
                    self.durable_first.synced(node.0, Fact::Reserved(column.vertex(seq)));
                }
                *reserved = (*reserved).max(*until);
                Ok(())
            }
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
                self.may_be_watched(vertex, *request, &command.footprint);
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
        with_footprint(&value.commands, &self.seen, |footprint| {
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
                with_footprint_of(command, &self.seen, |footprint| {
                    self.order.executed(node.0, id, footprint)
                })?;
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

    /// A replica starts again from a snapshot, or from nothing, and executes what it has on disk; or
    /// it goes on from a snapshot.
    pub(crate) fn restarted(
        &mut self,
        node: NodeId,
        at: Option<Checkpoint>,
    ) -> Result<(), Violation> {
        self.order.restarted(node.0, at)?;
        self.exactly_once.restarted(node.0, at)?;
        self.durable.restarted(node.0, at)
    }

    /// A node is back with these roles, made from what its disk holds; it has done nothing yet. Of
    /// what was written and not synced, these records reached the disk all the same.
    pub(crate) fn recovered(
        &mut self,
        node: NodeId,
        records: &[NodeRecord],
        roles: &Roles,
    ) -> Result<(), Violation> {
        for record in records {
            self.synced(node, record)?;
        }
        self.floors.restarted(node.0);
        self.appended_again.0.remove(&node);
        self.synced_again.0.remove(&node);
        // Who lost its disk has no ballots any more, and casts none.
        if roles.is_lost {
            return Ok(());
        }
        self.monotone.recovered(node.0, |vertex| ballots(roles, vertex))
    }
}

/// Proposers that write their attempts again, since they were pruned.
#[derive(Debug, Default)]
pub(super) struct Again(FxHashSet<NodeId>);

impl Again {
    fn follow(&mut self, node: NodeId, record: &NodeRecord) {
        match record {
            NodeRecord::Proposer(ProposerRecord::Pruned { .. }) => self.0.insert(node),
            NodeRecord::Proposer(ProposerRecord::Rewritten) => self.0.remove(&node),
            _ => false,
        };
    }

    fn is_attempt(&self, node: NodeId, record: &NodeRecord) -> bool {
        let is_attempt = matches!(record, NodeRecord::Proposer(ProposerRecord::Attempted { .. }));
        is_attempt && self.0.contains(&node)
    }
}

/// Whether a vertex is below the floor that a role of a node has.
fn is_below(floors: &FloorHeld, node: NodeId, role: u8, vertex: VertexId) -> bool {
    let vertex = named(vertex);
    floors.written(node.0, role, (vertex.column, vertex.seq)).is_err()
}

const PROPOSER: u8 = 0;
const VOTER: u8 = 1;

/// The floor of a role that is pruned.
fn pruned(record: &NodeRecord) -> Option<&DepSet> {
    match record {
        NodeRecord::Proposer(ProposerRecord::Pruned { floor })
        | NodeRecord::Voter(VoterRecord::Pruned { floor })
        | NodeRecord::Dependency(DependencyRecord::Pruned { floor })
        | NodeRecord::Acceptor(AcceptorRecord::Pruned { floor })
        | NodeRecord::Replica(ReplicaRecord::Pruned { floor }) => Some(floor),
        _ => None,
    }
}

/// Which role of its node wrote a record.
fn role(record: &NodeRecord) -> u8 {
    match record {
        NodeRecord::Proposer(_) => PROPOSER,
        NodeRecord::Voter(_) => VOTER,
        NodeRecord::Dependency(_) => 2,
        NodeRecord::Acceptor(_) => 3,
        NodeRecord::Replica(_) => 4,
    }
}

fn prefixes(of: &DepSet) -> Prefixes {
    columns(of).into_iter().map(|column| (column.column, column.prefix)).collect()
}

fn cast(record: &NodeRecord) -> Option<Cast> {
    let (vertex, ballot, is_vote) = match record {
        // Of a committed vertex, written again: no promise.
        NodeRecord::Voter(VoterRecord::Depended { ballot, .. }) if ballot.round == 0 => {
            return None;
        }
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
