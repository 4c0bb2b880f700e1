//! A node of the simulated cluster: its roles, driven as the runtime drives them, and its disk.

use crate::Plan;
use crate::disk::Disk;
use althing_model::{Conflicts, Micros, NodeId, StateMachine};
use althing_roles::{Config, NodeEffect, Recovery, Roles};
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
        let config = Config {
            me: self.id,
            membership: plan.membership.clone(),
            seed,
            proposer_timing: plan.proposer_timing,
            proposer_limits: plan.proposer_limits,
            replica_timing: plan.replica_timing,
            replica_limits: althing_replica::Limits::default(),
        };
        let mut recovery = Recovery::new(config, conflicts, machine);
        for record in self.disk.records().iter().cloned() {
            recovery.restore(record).expect("a node keeps its roles");
        }
        let mut roles = recovery.finish();
        roles.start(now, &mut effects);
        self.roles = Some(roles);
        effects
    }
}
