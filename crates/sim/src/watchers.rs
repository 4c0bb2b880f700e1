//! The simulated watchers: each drives the state machine of a watch that the SDK drives.

use crate::Plan;
use althing_checker::Watched;
use althing_client::{WatchConfig, Watcher};
use althing_model::{DepSet, Filter, Micros, NodeId, Role};

/// One watcher. What it is told it keeps in a store of its own, with the token; now and then it loses
/// the last of it, and goes on from what it has.
pub(crate) struct SimWatcher {
    pub(crate) watcher: Watcher,
    pub(crate) filter: Filter,
    /// The node beside it.
    pub(crate) home: NodeId,
    /// How often it began anew: what was meant for an earlier one does not reach this one.
    pub(crate) generation: u64,
    /// The token from which it is told everything; none before it was told one.
    pub(crate) begun_from: Option<DepSet>,
    pub(crate) watched: Watched,
    /// The token that it has stored with what it was told.
    pub(crate) stored: Option<DepSet>,
    /// What it was told until it was told that changes are lost: from which token, to which.
    pub(crate) ended: Vec<(DepSet, DepSet, Watched)>,
    pub(crate) wake_at: Micros,
    config: WatchConfig,
}

impl SimWatcher {
    /// It begins anew, from a token or from now on, at another node first.
    pub(crate) fn begin_again(&mut self, token: Option<DepSet>, turn: usize) {
        self.generation += 1;
        self.config.seed ^= self.generation << 40;
        let count = self.config.nodes.len();
        self.config.nodes.rotate_left(turn % count);
        self.watcher = Watcher::new(self.config.clone(), self.filter.clone(), token);
    }
}

/// The watchers of a run.
pub(crate) fn watchers(plan: &Plan) -> Vec<SimWatcher> {
    let replicas: Vec<NodeId> = plan.membership.with(Role::Replica).collect();
    let watchers = plan.watching.watchers.iter().enumerate().map(|(index, drawn)| {
        let mut nodes = replicas.clone();
        nodes.rotate_left(index % replicas.len());
        let config = WatchConfig {
            nodes,
            silence: drawn.silence,
            back_off: 10_000,
            first_number: 0,
            seed: plan.seed ^ (index as u64) << 16,
        };
        SimWatcher {
            home: config.nodes[0],
            watcher: Watcher::new(config.clone(), drawn.filter.clone(), None),
            filter: drawn.filter.clone(),
            generation: 0,
            begun_from: None,
            watched: Watched::new(),
            stored: None,
            ended: Vec::new(),
            wake_at: Micros::MAX,
            config,
        }
    });
    watchers.collect()
}
