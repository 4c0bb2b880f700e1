//! A node of a story: its roles, made as everywhere from what its disk holds.

use crate::disk::Disk;
use althing_kv::{KvConflicts, Store};
use althing_model::{Membership, Micros, NodeId, VertexId};
use althing_proposer::Link;
use althing_roles::{Config, NodeEffect, Recovery, Roles};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node. Between a crash and a restart it has no roles.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) roles: Option<Roles>,
    pub(crate) disk: Disk,
    /// What it believes of the others, for its next life too.
    pub(crate) links: BTreeMap<NodeId, Link>,
    /// What its replica executed in this life, in order.
    pub(crate) executed: Vec<VertexId>,
}

/// What the nodes of a story are told at their start.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) membership: Membership,
    pub(crate) reserve_len: u64,
    /// Vertices in an answer of catch-up, and numbers that a frontier names above each prefix.
    pub(crate) catch_up_len_max: usize,
    pub(crate) chain_len_max: usize,
}

impl Node {
    pub(crate) fn new(id: NodeId) -> Self {
        Self {
            id,
            roles: None,
            disk: Disk::default(),
            links: BTreeMap::new(),
            executed: Vec::new(),
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
            replica_timing: althing_replica::Timing { catch_up: 60_000_000, ..Default::default() },
            replica_limits: althing_replica::Limits {
                catch_up_len_max: setting.catch_up_len_max,
                frontier_extras_max: setting.catch_up_len_max,
                ..althing_replica::Limits::default()
            },
        };
        let conflicts = Arc::new(KvConflicts::default());
        let mut recovery = Recovery::new(config, conflicts, Box::new(Store::default()));
        for record in self.disk.records() {
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
