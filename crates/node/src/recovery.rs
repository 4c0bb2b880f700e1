//! From the journal to the roles of a node that was there before.

use crate::bounded_conflicts::BoundedConflicts;
use crate::config::Config;
use crate::start::StartError;
use althing_acceptor::Acceptor;
use althing_dependency::DependencyNode;
use althing_journal::{BoxError, FileDisk, Identity, Journal, Recovered};
use althing_model::{Column, Conflicts, Role, StateMachine};
use althing_proposer::Proposer;
use althing_replica::Replica;
use althing_voter::Voter;
use althing_wire::{NodeRecord, Party, ProposerRecord, VoterRecord};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a long recovery says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Steps of the replica are let go this often: each holds a value and its replies.
const STEPS_KEPT: u64 = 1024;

/// The roles that this node has.
pub(crate) struct Roles {
    pub(crate) proposer: Option<Proposer>,
    pub(crate) voter: Option<Voter>,
    pub(crate) dependency: Option<DependencyNode>,
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) replica: Option<Replica>,
}

/// A journal holds records of a role that this node does not have.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is a {role}'s, and this node has none by its configuration: a node keeps its roles, and a \
     cluster its path; restore `path` and `nodes.roles`"
)]
struct RoleMissing {
    role: &'static str,
}

/// Opens the journal and makes the roles what they were.
pub(crate) fn recover(
    config: &Config,
    machine: Box<dyn StateMachine>,
    conflicts: Arc<dyn Conflicts>,
) -> Result<(Roles, Journal<FileDisk>, Recovered), StartError> {
    let mut roles = new_roles(config, machine, &conflicts);
    let mut proposer_records = Vec::new();
    let identity = Identity { cluster: config.cluster.0, node: config.me.0 };
    let has_proposer = config.membership.has(config.me, Role::Proposer);
    let mut progress = Progress::start();
    let (journal, recovered) = Journal::open(
        FileDisk::new(&config.data_dir),
        identity,
        config.journal.clone(),
        |record| {
            let body = Bytes::copy_from_slice(record.body);
            let record = NodeRecord::decode(record.kind, body)?;
            progress.count(roles.replica.as_mut());
            match record {
                NodeRecord::Proposer(record) if has_proposer => proposer_records.push(record),
                record => restore(&mut roles, record)?,
            }
            Ok(())
        },
    )?;
    if let Some(replica) = &mut roles.replica {
        drop(replica.take_steps());
    }
    progress.end(&recovered);
    roles.proposer = has_proposer.then(|| {
        let mut proposer = new_proposer(config, conflicts, proposer_records);
        // What the replica knows to be committed need not be recovered.
        let column = Column { epoch: config.membership.epoch(), proposer: config.me };
        if let Some(own) = roles.replica.as_ref().and_then(|it| it.committed().get(&column)) {
            proposer.assume_committed(own);
        }
        proposer
    });
    Ok((roles, journal, recovered))
}

fn new_roles(
    config: &Config,
    machine: Box<dyn StateMachine>,
    conflicts: &Arc<dyn Conflicts>,
) -> Roles {
    let (me, membership) = (config.me, &config.membership);
    let is = |party: Party| party.is_at(membership, me);
    let epoch = membership.epoch();
    let has_replica = membership.has(me, Role::Replica);
    let modes = || conflicts.modes().clone();
    let voter = is(Party::Voter)
        .then(|| Voter::new(althing_voter::Config { me, epoch, modes: modes(), has_replica }));
    let replica = has_replica.then(|| {
        let config = althing_replica::Config {
            me,
            membership: membership.clone(),
            has_voter: voter.is_some(),
            seed: rand::random(),
            timing: config.replica_timing,
            limits: althing_replica::Limits::default(),
        };
        Replica::new(config, machine)
    });
    Roles {
        proposer: None,
        voter,
        dependency: is(Party::Node(Role::Dependency)).then(|| DependencyNode::new(epoch, modes())),
        acceptor: is(Party::Node(Role::Acceptor)).then(|| Acceptor::new(epoch)),
        replica,
    }
}

fn new_proposer(
    config: &Config,
    conflicts: Arc<dyn Conflicts>,
    records: Vec<ProposerRecord>,
) -> Proposer {
    let proposer = althing_proposer::Config {
        me: config.me,
        membership: config.membership.clone(),
        seed: rand::random(),
        timing: config.proposer_timing,
        limits: config.proposer_limits,
    };
    Proposer::new(proposer, Arc::new(BoundedConflicts(conflicts)), records)
}

fn restore(roles: &mut Roles, record: NodeRecord) -> Result<(), BoxError> {
    let missing = |role| Box::new(RoleMissing { role });
    match record {
        NodeRecord::Proposer(_) => return Err(missing("proposer")),
        NodeRecord::Voter(record) => {
            let voter = roles.voter.as_mut().ok_or_else(|| missing("voter"))?;
            // What its voter knows to be committed, a replica knows too: it has no record of its own.
            if let VoterRecord::Committed { vertex, value } = &record
                && let Some(replica) = &mut roles.replica
            {
                replica.restore(*vertex, value.clone());
            }
            voter.restore(record);
        }
        NodeRecord::Dependency(record) => {
            roles.dependency.as_mut().ok_or_else(|| missing("dependency node"))?.restore(record)
        }
        NodeRecord::Acceptor(record) => {
            roles.acceptor.as_mut().ok_or_else(|| missing("acceptor"))?.restore(record)
        }
        NodeRecord::Replica(record) => roles
            .replica
            .as_mut()
            .ok_or_else(|| missing("replica"))?
            .restore(record.vertex, record.value),
    }
    Ok(())
}

/// Tells whoever waits for a node with a long journal that it is at work.
struct Progress {
    begun: Instant,
    told: Instant,
    records: u64,
}

impl Progress {
    fn start() -> Self {
        let begun = Instant::now();
        Self { begun, told: begun, records: 0 }
    }

    fn count(&mut self, replica: Option<&mut Replica>) {
        self.records += 1;
        if !self.records.is_multiple_of(STEPS_KEPT) {
            return;
        }
        if let Some(replica) = replica {
            drop(replica.take_steps());
        }
        if self.told.elapsed() >= PROGRESS_EVERY {
            self.told = Instant::now();
            tracing::info!("recovering: {} records of the journal", self.records);
        }
    }

    fn end(&self, recovered: &Recovered) {
        if recovered.created {
            tracing::info!("a new journal: this node has promised nothing yet");
            return;
        }
        tracing::info!(
            "recovered {} records, {} bytes in {} segments, in {:?}{}",
            recovered.records,
            recovered.bytes,
            recovered.segments,
            self.begun.elapsed(),
            if recovered.closed { "" } else { "; the node had not been shut down in order" }
        );
    }
}
