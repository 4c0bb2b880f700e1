//! From the journal to the roles of a node that was there before.

use crate::bounded_conflicts::BoundedConflicts;
use crate::config::Config;
use crate::start::StartError;
use althing_journal::{FileDisk, Identity, Journal, Recovered};
use althing_model::{Conflicts, StateMachine};
use althing_replica::Replica;
use althing_roles::{Recovery, Roles};
use althing_wire::NodeRecord;
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a long recovery says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Steps of the replica are let go this often: each holds a value and its replies.
const STEPS_KEPT: u64 = 1024;

/// Opens the journal and makes the roles what they were.
pub(crate) fn recover(
    config: &Config,
    machine: Box<dyn StateMachine>,
    conflicts: Arc<dyn Conflicts>,
) -> Result<(Roles, Journal<FileDisk>, Recovered), StartError> {
    let roles = althing_roles::Config {
        me: config.me,
        membership: config.membership.clone(),
        seed: rand::random(),
        proposer_timing: config.proposer_timing,
        proposer_limits: config.proposer_limits,
        replica_timing: config.replica_timing,
        replica_limits: config.replica_limits,
    };
    let mut recovery = Recovery::new(roles, Arc::new(BoundedConflicts(conflicts)), machine);
    let identity = Identity { cluster: config.cluster.0, node: config.me.0 };
    let mut progress = Progress::start();
    let (journal, recovered) = Journal::open(
        FileDisk::new(&config.data_dir),
        identity,
        config.journal.clone(),
        |record| {
            let body = Bytes::copy_from_slice(record.body);
            let record = NodeRecord::decode(record.kind, body)?;
            progress.count(recovery.replica_mut());
            recovery.restore(record)?;
            Ok(())
        },
    )?;
    if let Some(replica) = recovery.replica_mut() {
        drop(replica.take_steps());
    }
    progress.end(&recovered);
    Ok((recovery.finish(), journal, recovered))
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
