//! The simulated clients: each drives the client's state machine that the SDK drives.

use crate::Plan;
use althing_checker::{OperationId as Observed, Shown};
use althing_client::{Client, Config, Consistency, OperationId};
use althing_model::{Micros, NodeId, Role};
use std::collections::BTreeMap;

/// One client.
pub(crate) struct SimClient {
    pub(crate) client: Client,
    /// The node beside it, which it asks first.
    pub(crate) home: NodeId,
    /// Operations that have not ended, as the history knows them.
    pub(crate) open: BTreeMap<OperationId, Observed>,
    /// The reads among them.
    pub(crate) reads: BTreeMap<OperationId, Consistency>,
    /// What the read that is being answered showed.
    pub(crate) shown: Option<Box<Shown>>,
    /// Operations begun under this number.
    pub(crate) begun: usize,
    /// Operations that it has yet to begin.
    pub(crate) remaining: usize,
    /// When its next wake-up is scheduled.
    pub(crate) wake_at: Micros,
    /// How often the client of this number went away and was replaced.
    pub(crate) generation: u64,
    config: Config,
}

impl SimClient {
    /// It goes away; the one that takes its place opens a session of its own.
    pub(crate) fn replace(&mut self) {
        self.generation += 1;
        self.config.seed ^= self.generation << 40;
        self.client = Client::new(self.config.clone());
        self.open.clear();
        self.reads.clear();
        self.wake_at = Micros::MAX;
    }
}

/// The clients of a run, spread over the proposers.
pub(crate) fn clients(plan: &Plan) -> Vec<SimClient> {
    let proposers: Vec<NodeId> = plan.membership.with(Role::Proposer).collect();
    let workload = &plan.workload;
    (0..workload.clients)
        .map(|index| {
            let mut nodes = proposers.clone();
            nodes.rotate_left(index % proposers.len());
            let home = nodes[0];
            let share = workload.operations / workload.clients
                + usize::from(index < workload.operations % workload.clients);
            let config = Config {
                nodes,
                attempt: plan.client_patience.0,
                give_up: plan.client_patience.1,
                back_off: 10_000,
                seed: plan.seed ^ (index as u64) << 8,
            };
            SimClient {
                client: Client::new(config.clone()),
                home,
                open: BTreeMap::new(),
                reads: BTreeMap::new(),
                shown: None,
                begun: 0,
                remaining: share,
                wake_at: Micros::MAX,
                generation: 0,
                config,
            }
        })
        .collect()
}
