//! A shorter run of the same kind, and a plainer one.

use super::{LIVENESS, SEEDS_EACH, Search};
use crate::{Family, Fault, Plan};

/// Numbers of operations that are tried instead, ascending.
const SHORTER: [usize; 9] = [4, 6, 8, 12, 20, 30, 50, 100, 200];

/// Of the time for a shorter run, what each number of operations may take.
const SHARE_EACH: f64 = 0.05;

impl Search<'_> {
    /// Looks for a run of few operations that fails in the same way, fewest first.
    pub(super) fn shorten(&mut self) {
        self.stage = "operations";
        let whole = self.best.plan.clone();
        // What fails before the end need not come to it; what fails at the end may do so at an
        // earlier one.
        let ends: &[bool] = match self.oracle == LIVENESS || !whole.is_survivable {
            true => &[whole.is_survivable],
            false => &[false, true],
        };
        let mut until = 0.0;
        for operations in SHORTER.into_iter().filter(|it| *it < whole.workload.operations) {
            until += SHARE_EACH;
            let mut other = 0;
            while !self.is_late(until) && other < SEEDS_EACH {
                for is_survivable in ends {
                    let mut plan = shortened(&whole, operations, *is_survivable);
                    plan.seed = self.first_seed.wrapping_add(other);
                    if self.fails(&plan) {
                        return;
                    }
                }
                other += 1;
            }
        }
        let _ = ends.contains(&false) && self.fails(&Plan { is_survivable: false, ..whole });
    }

    /// Switches off whatever is not needed, one by one.
    pub(super) fn simplify(&mut self) {
        self.stage = "kinds of trouble";
        for plainer in PLAINER {
            let mut plan = self.best.plan.clone();
            plainer(&mut plan);
            if plan != self.best.plan && !self.is_late(0.7) {
                self.fails_somehow(&plan, 6, 0.7);
            }
        }
    }
}

/// The plan with fewer operations, of no more clients than can be; what goes wrong comes earlier.
fn shortened(whole: &Plan, operations: usize, is_survivable: bool) -> Plan {
    let mut plan = Plan { is_survivable, ..whole.clone() };
    let before = plan.workload.operations;
    plan.workload.operations = operations;
    for episode in &mut plan.episodes {
        episode.after = episode.after * operations / before;
    }
    limit_clients(&mut plan, operations.div_ceil(2));
    plan
}

/// At most so many clients; who goes away is one of them.
fn limit_clients(plan: &mut Plan, most: usize) {
    let clients = plan.workload.clients.min(most);
    plan.workload.clients = clients;
    for (_, fault) in plan.episodes.iter_mut().flat_map(|episode| &mut episode.faults) {
        if let Fault::ClientGone(client) = fault {
            *client %= clients;
        }
    }
}

/// What makes a plan plainer.
const PLAINER: [fn(&mut Plan); 18] = [
    |plan| plan.watching.watchers.clear(),
    |plan| plan.network.local = 0,
    |plan| plan.is_survivable = false,
    |plan| plan.network.tail_permille = 0,
    |plan| plan.network.replay_per_10k = 0,
    |plan| plan.network.duplicate_permille = 0,
    |plan| plan.network.loss_permille = 0,
    |plan| {
        plan.network.is_ordered = true;
        plan.network.jitter = plan.network.delay.1 / 10 + 2;
    },
    |plan| plan.encodes = false,
    |plan| {
        if plan.episodes.iter().all(|episode| episode.family != Family::BitRot) {
            plan.disk.has_journal = false;
        }
    },
    |plan| plan.disk.sync = (50, 100),
    |plan| plan.workload.pipeline = 1,
    |plan| plan.workload.everything_permille = 0,
    |plan| plan.workload.has_multi_key = false,
    |plan| (plan.workload.hot_keys, plan.workload.hot_percent) = (1, 100),
    |plan| (plan.proposer_limits.batch_len_max, plan.proposer_limits.batch_delay) = (1, 0),
    |plan| plan.proposer_limits.reserve_len = 16,
    |plan| limit_clients(plan, 2),
];
