//! A node of the simulated cluster: its roles, driven as the runtime drives them, and its disk.

use crate::Plan;
use crate::disk::Disk;
use althing_acceptor::Acceptor;
use althing_dependency::DependencyNode;
use althing_model::{Column, Conflicts, Micros, NodeId, Role, StateMachine};
use althing_proposer::{Link, Proposer};
use althing_replica::{Replica, Step};
use althing_voter::Voter;
use althing_wire::{Address, Effect, Effects, Ignored, Message, NodeRecord, Party, VoterRecord};
use std::sync::Arc;

/// A node. Between a crash and a restart it has no roles.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) roles: Option<Roles>,
    pub(crate) disk: Disk,
    /// How often it was started: what was meant for an earlier life does not reach this one.
    pub(crate) life: u32,
    /// It does nothing before.
    pub(crate) paused_until: Micros,
}

/// The roles of a running node.
pub(crate) struct Roles {
    pub(crate) proposer: Option<Proposer>,
    pub(crate) voter: Option<Voter>,
    pub(crate) dependency: Option<DependencyNode>,
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) replica: Option<Replica>,
}

/// What a call of a role gave, of whatever role it was.
pub(crate) type NodeEffect = Effect<NodeRecord>;

impl Node {
    pub(crate) fn new(id: NodeId) -> Self {
        Self { id, roles: None, disk: Disk::default(), life: 0, paused_until: 0 }
    }

    /// Starts it, from what its disk holds.
    pub(crate) fn start(
        &mut self,
        now: Micros,
        plan: &Plan,
        conflicts: Arc<dyn Conflicts>,
        machine: Box<dyn StateMachine>,
    ) -> Vec<NodeEffect> {
        self.life += 1;
        let mut effects = Vec::new();
        let seed = plan.seed ^ u64::from(self.life) << 40 ^ u64::from(self.id.0) << 32;
        let mut roles = Roles::new(self.id, seed, plan, conflicts, machine, self.disk.records());
        if let Some(replica) = &mut roles.replica {
            replica.start(now);
        }
        if let Some(proposer) = &mut roles.proposer {
            let mut own = Effects::default();
            proposer.start(now, &mut own);
            lift(own, &mut effects);
        }
        self.roles = Some(roles);
        effects
    }
}

impl Roles {
    fn new(
        me: NodeId,
        seed: u64,
        plan: &Plan,
        conflicts: Arc<dyn Conflicts>,
        machine: Box<dyn StateMachine>,
        records: &[NodeRecord],
    ) -> Self {
        let membership = &plan.membership;
        let epoch = membership.epoch();
        let column = Column { epoch, proposer: me };
        let is = |party: Party| party.is_at(membership, me);
        let modes = conflicts.modes().clone();
        let has_replica = membership.has(me, Role::Replica);
        let mut voter = is(Party::Voter).then(|| {
            Voter::new(althing_voter::Config { me, epoch, modes: modes.clone(), has_replica })
        });
        let mut dependency =
            is(Party::Node(Role::Dependency)).then(|| DependencyNode::new(epoch, modes));
        let mut acceptor = is(Party::Node(Role::Acceptor)).then(|| Acceptor::new(epoch));
        let mut replica = has_replica.then(|| {
            let config = althing_replica::Config {
                me,
                membership: membership.clone(),
                has_voter: voter.is_some(),
                seed,
                timing: plan.replica_timing,
                limits: althing_replica::Limits::default(),
            };
            Replica::new(config, machine)
        });
        let mut proposer_records = Vec::new();
        for record in records.iter().cloned() {
            match record {
                NodeRecord::Proposer(record) => proposer_records.push(record),
                NodeRecord::Dependency(record) => expect(&mut dependency).restore(record),
                NodeRecord::Acceptor(record) => expect(&mut acceptor).restore(record),
                NodeRecord::Replica(record) => {
                    expect(&mut replica).restore(record.vertex, record.value);
                }
                NodeRecord::Voter(record) => {
                    if let (VoterRecord::Committed { vertex, value }, Some(replica)) =
                        (&record, &mut replica)
                    {
                        replica.restore(*vertex, value.clone());
                    }
                    expect(&mut voter).restore(record);
                }
            }
        }
        let proposer = is(Party::Node(Role::Proposer)).then(|| {
            let config = althing_proposer::Config {
                me,
                membership: membership.clone(),
                seed,
                timing: plan.proposer_timing,
                limits: plan.proposer_limits,
            };
            let mut proposer = Proposer::new(config, conflicts, proposer_records);
            if let Some(own) = replica.as_ref().and_then(|it| it.committed().get(&column)) {
                proposer.assume_committed(own);
            }
            proposer
        });
        Self { proposer, voter, dependency, acceptor, replica }
    }

    /// Handles a message with the role that receives it, and lets the proposer put commands that
    /// arrived into vertices.
    pub(crate) fn handle(
        &mut self,
        now: Micros,
        party: Party,
        from: Address,
        message: Message,
        effects: &mut Vec<NodeEffect>,
    ) -> Result<(), Ignored> {
        match party {
            Party::Client => Err(Ignored::Misdirected),
            Party::Voter => {
                let mut own = Effects::default();
                let result = expect(&mut self.voter).handle(from, message, &mut own);
                lift(own, effects);
                result
            }
            Party::Node(Role::Dependency) => {
                let mut own = Effects::default();
                let result = expect(&mut self.dependency).handle(from, message, &mut own);
                lift(own, effects);
                result
            }
            Party::Node(Role::Acceptor) => {
                let mut own = Effects::default();
                let result = expect(&mut self.acceptor).handle(from, message, &mut own);
                lift(own, effects);
                result
            }
            Party::Node(Role::Replica) => {
                let mut own = Effects::default();
                let result = expect(&mut self.replica).handle(now, from, message, &mut own);
                lift(own, effects);
                result
            }
            Party::Node(Role::Proposer) => {
                let mut own = Effects::default();
                let proposer = expect(&mut self.proposer);
                let result = proposer.handle(now, from, message, &mut own);
                proposer.flush(now, &mut own);
                lift(own, effects);
                result
            }
        }
    }

    /// The earliest time at which a role has something to do unasked.
    pub(crate) fn deadline(&self) -> Option<Micros> {
        let proposer = self.proposer.as_ref().and_then(Proposer::deadline);
        let replica = self.replica.as_ref().and_then(Replica::deadline);
        proposer.into_iter().chain(replica).min()
    }

    /// Does what is due.
    pub(crate) fn on_deadline(&mut self, now: Micros, effects: &mut Vec<NodeEffect>) {
        if let Some(proposer) = &mut self.proposer {
            let mut own = Effects::default();
            proposer.on_deadline(now, &mut own);
            lift(own, effects);
        }
        if let Some(replica) = &mut self.replica
            && replica.deadline().is_some_and(|at| at <= now)
        {
            let mut own = Effects::default();
            replica.on_deadline(now, &mut own);
            lift(own, effects);
        }
    }

    /// Learns of a link.
    pub(crate) fn on_link(&mut self, now: Micros, other: NodeId, link: Link) {
        if let Some(proposer) = &mut self.proposer {
            proposer.on_link(now, other, link);
        }
        if let Some(replica) = &mut self.replica {
            replica.on_link(other, link.is_up);
        }
    }

    /// What the replica executed since the last call.
    pub(crate) fn take_steps(&mut self) -> Vec<Step> {
        if let Some(proposer) = &mut self.proposer {
            proposer.take_commits();
        }
        self.replica.as_mut().map(Replica::take_steps).unwrap_or_default()
    }
}

fn expect<T>(role: &mut Option<T>) -> &mut T {
    role.as_mut().expect("messages and records go to roles that the node has")
}

fn lift<R: Into<NodeRecord>>(own: Effects<R>, effects: &mut Vec<NodeEffect>) {
    effects.extend(own.into_iter().map(|effect| match effect {
        Effect::Send { to, message } => Effect::Send { to, message },
        Effect::Append { records, then } => {
            Effect::Append { records: records.into_iter().map(Into::into).collect(), then }
        }
    }));
}
