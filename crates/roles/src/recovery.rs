//! From a node's records to its roles.

use crate::Roles;
use althing_acceptor::Acceptor;
use althing_dependency::DependencyNode;
use althing_model::{Column, Conflicts, Membership, NodeId, Role, StateMachine, Unrestorable};
use althing_proposer::{Proposer, Relay};
use althing_replica::Replica;
use althing_voter::Voter;
use althing_wire::{NodeRecord, Party, ProposerRecord, ReplicaRecord, SnapshotOffer, VoterRecord};
use bytes::Bytes;
use std::sync::Arc;

/// What the roles of a node are told at their start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Their node.
    pub me: NodeId,
    /// It lost its disk: it neither votes nor proposes, and its replica records for itself.
    pub is_lost: bool,
    /// Who else there is, and the path.
    pub membership: Membership,
    /// For randomised back-off and time-outs.
    pub seed: u64,
    /// The proposer's patience.
    pub proposer_timing: althing_proposer::Timing,
    /// The proposer's limits.
    pub proposer_limits: althing_proposer::Limits,
    /// The replica's patience.
    pub replica_timing: althing_replica::Timing,
    /// The replica's limits.
    pub replica_limits: althing_replica::Limits,
}

/// A record is of a role that the node does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is a {role}'s, and this node has none by its configuration: a node keeps its roles, and a \
     cluster its path; restore `path` and `nodes.roles`"
)]
pub struct RoleMissing {
    role: &'static str,
}

/// Roles that are being made what they were. Give it the newest snapshot, if there is one, then every
/// record, oldest first, and finish.
pub struct Recovery {
    config: Config,
    conflicts: Arc<dyn Conflicts>,
    roles: Roles,
    proposer_records: Vec<ProposerRecord>,
    has_proposer: bool,
}

impl Recovery {
    /// The roles of a node before its first record.
    pub fn new(
        config: Config,
        conflicts: Arc<dyn Conflicts>,
        machine: Box<dyn StateMachine>,
    ) -> Self {
        let (me, membership) = (config.me, &config.membership);
        let is = |party: Party| party.is_at(membership, me) && !config.is_lost;
        let epoch = membership.epoch();
        let has_replica = membership.has(me, Role::Replica);
        let modes = || conflicts.modes().clone();
        let voter = is(Party::Voter)
            .then(|| Voter::new(althing_voter::Config { me, epoch, modes: modes(), has_replica }));
        let dependency = is(Party::Node(Role::Dependency)).then(|| {
            let node = DependencyNode::new(epoch, modes());
            if has_replica { node.beside_replica(me) } else { node }
        });
        let acceptor = is(Party::Node(Role::Acceptor)).then(|| {
            let acceptor = Acceptor::new(epoch);
            if has_replica { acceptor.beside_replica(me) } else { acceptor }
        });
        let replica = has_replica.then(|| {
            let replica = althing_replica::Config {
                me,
                membership: membership.clone(),
                modes: modes(),
                has_voter: voter.is_some(),
                has_proposer: is(Party::Node(Role::Proposer)),
                // Not the proposer's sequence of numbers.
                seed: config.seed ^ 0x5eed,
                timing: config.replica_timing,
                limits: config.replica_limits,
            };
            Replica::new(replica, machine).reading(Arc::clone(&conflicts))
        });
        let has_proposer = is(Party::Node(Role::Proposer));
        let relay = (config.is_lost && membership.has(me, Role::Proposer))
            .then(|| Relay::new(me, membership, config.seed, config.proposer_timing.answer));
        let is_lost = config.is_lost;
        let roles = Roles { is_lost, relay, proposer: None, voter, dependency, acceptor, replica };
        Self { config, conflicts, roles, proposer_records: Vec::new(), has_proposer }
    }

    /// Takes the newest snapshot on disk: before any record.
    ///
    /// # Errors
    /// When the pieces are no snapshot of this version. The recovery is not to be used then.
    pub fn restore_snapshot(
        &mut self,
        saved: SnapshotOffer,
        pieces: &mut dyn Iterator<Item = (u8, Bytes)>,
    ) -> Result<(), Unrestorable> {
        match &mut self.roles.replica {
            Some(replica) => replica.restore_snapshot(saved, pieces),
            None => Err(Unrestorable("this node has no replica".into())),
        }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// It is of a role that the node does not have.
    pub fn restore(&mut self, record: NodeRecord) -> Result<(), RoleMissing> {
        let missing = |role| RoleMissing { role };
        let record = match record {
            // What was promised by whatever is left of its journal is not all that was.
            NodeRecord::Voter(VoterRecord::Committed { vertex, value }) if self.config.is_lost => {
                ReplicaRecord::Committed { vertex, value }.into()
            }
            NodeRecord::Replica(_) => record,
            _ if self.config.is_lost => return Ok(()),
            _ => record,
        };
        match record {
            NodeRecord::Proposer(_) if !self.has_proposer => return Err(missing("proposer")),
            NodeRecord::Proposer(record) => self.proposer_records.push(record),
            NodeRecord::Voter(record) => {
                let voter = self.roles.voter.as_mut().ok_or(missing("voter"))?;
                // What its voter knows to be committed a replica knows too: it has no record of its
                // own.
                if let VoterRecord::Committed { vertex, value } = &record
                    && let Some(replica) = &mut self.roles.replica
                {
                    replica.restore(*vertex, value.clone());
                }
                voter.restore(record);
            }
            NodeRecord::Dependency(record) => {
                self.roles.dependency.as_mut().ok_or(missing("dependency node"))?.restore(record);
            }
            NodeRecord::Acceptor(record) => {
                self.roles.acceptor.as_mut().ok_or(missing("acceptor"))?.restore(record);
            }
            NodeRecord::Replica(record) => {
                let replica = self.roles.replica.as_mut().ok_or(missing("replica"))?;
                if let ReplicaRecord::Committed { vertex, value } = record {
                    replica.restore(vertex, value);
                }
            }
        }
        Ok(())
    }

    /// The replica so far: it executes as it is restored, and its steps can be let go.
    pub fn replica_mut(&mut self) -> Option<&mut Replica> {
        self.roles.replica.as_mut()
    }

    /// That was the last record.
    pub fn finish(self) -> Roles {
        let Self { config, conflicts, mut roles, proposer_records, has_proposer } = self;
        let column = Column { epoch: config.membership.epoch(), proposer: config.me };
        roles.proposer = has_proposer.then(|| {
            let config = althing_proposer::Config {
                me: config.me,
                membership: config.membership,
                seed: config.seed,
                timing: config.proposer_timing,
                limits: config.proposer_limits,
            };
            let mut proposer = Proposer::new(config, conflicts, proposer_records);
            // What the replica knows to be committed need not be recovered.
            if let Some(own) = roles.replica.as_ref().and_then(|it| it.committed().get(&column)) {
                proposer.assume_committed(own);
            }
            proposer
        });
        roles
    }
}
