//! A node of a story: its roles, made as everywhere from what its disk holds.

use crate::disk::Disk;
use crate::snapshots::Writing;
use althing_checker::Checkpoint;
use althing_kv::{KvConflicts, Store};
use althing_model::{Membership, Micros, NodeId, VertexId};
use althing_proposer::Link;
use althing_roles::{Config, NodeEffect, Recovery, Roles, Trim};
use althing_wire::SnapshotOffer;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node. Between a crash and a restart it has no roles.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) roles: Option<Roles>,
    pub(crate) disk: Disk,
    /// What it believes of the others, for its next life too.
    pub(crate) links: BTreeMap<NodeId, Link>,
    /// The snapshot from which its replica went on in this life, if from any, by its number.
    pub(crate) began_from: Option<u64>,
    /// What it executed since, in order.
    pub(crate) executed: Vec<VertexId>,
    /// How many barriers its replica is known to have executed.
    pub(crate) barriers: u64,
    /// What was executed where it had executed each.
    pub(crate) passed: BTreeMap<u64, Checkpoint>,
    /// Vertices of the component under way that are still to come, and whether a barrier came.
    pub(crate) component: (usize, bool),
    /// The snapshot that was cut, and is not on disk yet.
    pub(crate) writing: Option<Writing>,
    /// The snapshot that it was offered last, and by whom.
    pub(crate) offered: Option<(NodeId, SnapshotOffer)>,
    /// What of its records is needed.
    pub(crate) trim: Trim,
}

/// What the nodes of a story are told at their start.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) membership: Membership,
    pub(crate) reserve_len: u64,
    /// Vertices in an answer of catch-up, and numbers that a frontier names above each prefix.
    pub(crate) catch_up_len_max: usize,
    pub(crate) chain_len_max: usize,
    /// Values that a replica keeps for others, above what its snapshot holds.
    pub(crate) log_len_max: usize,
}

impl Node {
    pub(crate) fn new(id: NodeId, membership: &Membership) -> Self {
        Self {
            id,
            roles: None,
            disk: Disk::default(),
            links: BTreeMap::new(),
            began_from: None,
            executed: Vec::new(),
            barriers: 0,
            passed: BTreeMap::new(),
            component: (0, false),
            writing: None,
            offered: None,
            trim: Trim::new(membership, id, false),
        }
    }

    /// Starts it, from what its disk holds; what its roles want done.
    pub(crate) fn start(&mut self, now: Micros, setting: &Setting) -> Vec<NodeEffect> {
        let config = Config {
            me: self.id,
            is_lost: false,
            membership: setting.membership.clone(),
            seed: u64::from(self.id.0),
            proposer_timing: althing_proposer::Timing::default(),
            proposer_limits: althing_proposer::Limits {
                reserve_len: setting.reserve_len,
                chain_len_max: setting.chain_len_max,
                ..Default::default()
            },
            // Catch-up is rare, so that it does not come between the events of a story.
            // A barrier is the script's to ask for.
            replica_timing: althing_replica::Timing {
                catch_up: 60_000_000,
                barrier_most: Micros::MAX,
                ..Default::default()
            },
            replica_limits: althing_replica::Limits {
                catch_up_len_max: setting.catch_up_len_max,
                frontier_extras_max: setting.catch_up_len_max,
                log_len_max: setting.log_len_max,
                barrier_len: u64::MAX,
                barrier_bytes: u64::MAX,
                ..althing_replica::Limits::default()
            },
        };
        let conflicts = Arc::new(KvConflicts::default());
        let mut recovery = Recovery::new(config, conflicts, Box::new(Store::default()));
        self.began_from = None;
        self.barriers = 0;
        if let Some(saved) = &self.disk.saved {
            let mut pieces = saved.pieces.iter().cloned();
            recovery.restore_snapshot(saved.offer, &mut pieces).expect("it is one that was cut");
            self.began_from = Some(saved.offer.number);
            self.barriers = saved.offer.number;
        }
        self.trim = Trim::new(&setting.membership, self.id, false);
        for (position, record) in self.disk.records() {
            self.trim.on_record(position, record);
            recovery.restore(record.clone()).expect("a node keeps its roles");
        }
        let mut roles = recovery.finish();
        let mut effects = Vec::new();
        roles.start(now, &mut effects);
        for other in setting.membership.nodes().filter(|other| *other != self.id) {
            let link = self.links.get(&other).copied().unwrap_or_default();
            roles.on_link(now, other, link, false);
        }
        self.roles = Some(roles);
        self.executed.clear();
        self.passed.clear();
        self.component = (0, false);
        self.writing = None;
        self.offered = None;
        effects
    }

    /// Changes what it believes of another node.
    pub(crate) fn believe(&mut self, now: Micros, other: NodeId, change: impl FnOnce(&mut Link)) {
        let link = self.links.entry(other).or_default();
        change(link);
        if let Some(roles) = &mut self.roles {
            roles.on_link(now, other, *link, false);
        }
    }
}
