//! The simulated clients: each drives the client's state machine that the SDK drives.

use crate::Plan;
use crate::observe::Observed;
use althing_client::{Client, Config, OperationId};
use althing_model::{Micros, NodeId, Role};
use std::collections::BTreeMap;

/// One client.
pub(crate) struct SimClient {
    pub(crate) client: Client,
    /// The node beside it, which it asks first.
    pub(crate) home: NodeId,
    /// Operations that have not ended.
    pub(crate) open: BTreeMap<OperationId, Observed>,
    /// Operations that it has yet to begin.
    pub(crate) remaining: usize,
    /// When its next wake-up is scheduled.
    pub(crate) wake_at: Micros,
}

/// The clients of a run, spread over the proposers.
pub(crate) fn clients(plan: &Plan) -> Vec<SimClient> {
    let proposers: Vec<NodeId> = plan.membership.with(Role::Proposer).collect();
    (0..plan.clients)
        .map(|index| {
            let mut nodes = proposers.clone();
            nodes.rotate_left(index % proposers.len());
            let home = nodes[0];
            let share = plan.operations / plan.clients
                + usize::from(index < plan.operations % plan.clients);
            let config = Config {
                nodes,
                attempt: plan.client_patience.0,
                give_up: plan.client_patience.1,
                back_off: 10_000,
                seed: plan.seed ^ (index as u64) << 8,
            };
            SimClient {
                client: Client::new(config),
                home,
                open: BTreeMap::new(),
                remaining: share,
                wake_at: Micros::MAX,
            }
        })
        .collect()
}
