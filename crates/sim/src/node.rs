//! A node of the simulated cluster: its roles, driven as the runtime drives them, its disk and its
//! clock.

use crate::Plan;
use crate::clock::Clock;
use crate::disk::{Disk, Unusable};
use crate::fault::Edge;
use crate::shelf::Shelf;
use crate::trace::MessageName;
use althing_checker::Checkpoint;
use althing_journal::memory::MemoryDisk;
use althing_model::{Conflicts, Micros, NodeId, StateMachine};
use althing_replica::Snapshot;
use althing_roles::{
    Config, JournalFound, NodeEffect, Recovery, Registry, RegistryEffect, Roles, Trim,
};
use althing_snapshot::Fetch;
use althing_wire::{Address, Message, RegistryState, SnapshotOffer, Standing};
use std::collections::VecDeque;
use std::sync::Arc;

/// A node. Between a crash and a restart it has no roles.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) roles: Option<Roles>,
    pub(crate) disk: Disk,
    pub(crate) clock: Clock,
    /// How often it was started: what was meant for an earlier life does not reach this one.
    pub(crate) life: u32,
    /// It does nothing before.
    pub(crate) busy_until: Micros,
    /// What arrived while it was busy, and whether it is going to be told when it is not.
    pub(crate) inbox: VecDeque<Arrived>,
    pub(crate) is_resuming: bool,
    /// How long each message takes it.
    pub(crate) handling: Micros,
    /// How much longer each sync takes it.
    pub(crate) sync_extra: Micros,
    /// Its next sync fails.
    pub(crate) sync_fails: bool,
    /// It stops when it writes a record, perhaps only of one kind, and starts again so much later.
    pub(crate) crash_at: Option<(Option<u8>, Edge, Micros)>,
    /// A bit of its disk changed: it may refuse to start.
    pub(crate) has_rotten: bool,
    /// Its disk was lost, and with it what it promised.
    pub(crate) is_lost: bool,
    /// It does not come back from that.
    pub(crate) stays_down: bool,
    /// The file of its registry, and the registry while it runs.
    pub(crate) registry_file: Option<RegistryState>,
    pub(crate) registry: Option<Registry>,
    /// When its next wake-up is scheduled.
    pub(crate) wake_at: Micros,
    /// Its snapshots.
    pub(crate) shelf: Shelf,
    /// The one that is being written.
    pub(crate) writing: Option<Writing>,
    /// How many barriers its replica is known to have executed.
    pub(crate) barriers: u64,
    /// The snapshot that it fetches, by the store's own code or as a simple copy.
    pub(crate) fetch: Option<Fetch<MemoryDisk>>,
    pub(crate) copying: Option<SnapshotOffer>,
    /// When the fetch wants to be polled next.
    pub(crate) fetch_at: Micros,
    /// What of its records is needed.
    pub(crate) trim: Trim,
}

/// A snapshot that is being written, and what had been executed where it was cut.
pub(crate) struct Writing {
    pub(crate) snapshot: Snapshot,
    pub(crate) at: Checkpoint,
}

/// A message at its receiver.
pub(crate) struct Arrived {
    /// Only in that life of the receiver.
    pub(crate) life: Option<u32>,
    pub(crate) from: Address,
    pub(crate) name: MessageName,
    pub(crate) message: Message,
}

impl Node {
    pub(crate) fn new(id: NodeId, plan: &Plan) -> Self {
        Self {
            id,
            roles: None,
            disk: Disk::new(id.0, plan.disk.has_journal),
            clock: Clock::new(),
            life: 0,
            busy_until: 0,
            inbox: VecDeque::new(),
            is_resuming: false,
            handling: 0,
            sync_extra: 0,
            sync_fails: false,
            crash_at: None,
            has_rotten: false,
            is_lost: false,
            stays_down: false,
            registry_file: Some(registered(id, plan)),
            registry: None,
            wake_at: Micros::MAX,
            shelf: Shelf::new(plan.snapshots.keep, plan.disk.has_journal),
            writing: None,
            barriers: 0,
            fetch: None,
            copying: None,
            fetch_at: Micros::MAX,
            trim: Trim::new(&plan.membership, id, false),
        }
    }

    /// What its clock shows.
    pub(crate) fn local(&self, now: Micros) -> Micros {
        self.clock.read(now)
    }

    /// Begins to ask whether it may take part.
    pub(crate) fn ask(&mut self, now: Micros, plan: &Plan, drawn: u64) -> Vec<RegistryEffect> {
        let journal = match (self.disk.has_records(), self.is_lost) {
            (true, _) => JournalFound::WithRecords,
            (false, true) => JournalFound::None,
            (false, false) => JournalFound::Empty,
        };
        let file = self.registry_file.clone();
        let membership = &plan.membership;
        let mut registry = Registry::new(self.id, membership, file, journal, drawn, ASK_EVERY);
        let mut effects = Vec::new();
        registry.start(self.clock.read(now), &mut effects);
        self.registry = Some(registry);
        effects
    }

    /// Its disk is lost; so is its registry, or not.
    pub(crate) fn wipe(&mut self, known: usize, with_registry: bool) {
        self.disk.wipe(known);
        self.shelf.lose();
        if with_registry {
            self.registry_file = None;
        }
    }

    /// Starts it from what its disk holds; its first effects, and whether a torn end was cut.
    pub(crate) fn start(
        &mut self,
        now: Micros,
        plan: &Plan,
        conflicts: Arc<dyn Conflicts>,
        machine: Box<dyn StateMachine>,
    ) -> Result<(Vec<NodeEffect>, bool), Unusable> {
        let registry = self.registry.as_ref().expect("it decides before the roles are made");
        let is_lost = registry.standing() == Standing::Lost;
        let config = Config {
            me: self.id,
            is_lost,
            membership: plan.membership.clone(),
            seed: plan.seed ^ u64::from(self.life + 1) << 40 ^ u64::from(self.id.0) << 32,
            proposer_timing: plan.proposer_timing,
            proposer_limits: plan.proposer_limits,
            replica_timing: plan.replica_timing,
            replica_limits: plan.replica_limits,
        };
        self.trim = Trim::new(&plan.membership, self.id, is_lost);
        let mut recovery = Recovery::new(config, conflicts, machine);
        self.barriers = 0;
        self.fetch_at = Micros::MAX;
        if let Some(saved) = self.shelf.newest() {
            let pieces = self.shelf.read(saved.number).expect("it is listed");
            recovery
                .restore_snapshot(saved, &mut pieces.into_iter())
                .map_err(|it| Unusable::Falsified(format!("its snapshot cannot be read: {it}")))?;
            self.barriers = saved.number;
        }
        let (_, was_torn) = self.disk.recover()?;
        let trimmed = self.disk.trimmed();
        for (position, record) in (trimmed as u64..).zip(self.disk.since(trimmed)) {
            self.trim.on_record(position, record);
            recovery.restore(record.clone()).expect("a node keeps its roles");
        }
        self.life += 1;
        self.wake_at = Micros::MAX;
        let mut roles = recovery.finish();
        let mut effects = Vec::new();
        roles.start(self.clock.read(now), &mut effects);
        self.roles = Some(roles);
        Ok((effects, was_torn))
    }

    /// Ends all that is wrong with it, but for a lost disk.
    pub(crate) fn heal(&mut self, now: Micros) {
        self.handling = 0;
        self.sync_extra = 0;
        self.sync_fails = false;
        self.crash_at = None;
        self.clock.drift(now, 0);
    }
}

/// How often a node asks whether it may take part.
const ASK_EVERY: Micros = 200_000;

/// The registry of a node that has been part of its cluster from the beginning.
fn registered(id: NodeId, plan: &Plan) -> RegistryState {
    let number = |node: NodeId| 1 + u64::from(node.0);
    let others = plan.membership.nodes().filter(|node| *node != id);
    RegistryState {
        incarnation: number(id),
        standing: Standing::Admitted,
        known: others.map(|node| (node, number(node))).collect(),
    }
}
