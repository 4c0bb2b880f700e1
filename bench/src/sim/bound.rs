//! No protocol: what the arithmetic says of one that needs a fast quorum, and of nothing else.

use super::node::Commits;
use super::world::Finished;
use crate::figures::Figures;
use crate::{Load, Workload};

/// A run in which every command takes the round trip to its region's nearest fast quorum.
pub(super) fn bound(workload: &Workload, bounds_us: &[u64]) -> Finished {
    let clients = workload.clients as u64;
    let mut end = 0;
    let figures = bounds_us.iter().map(|bound_us| {
        let took = (*bound_us).max(1);
        let (each, gap) = match workload.load {
            Load::Closed { commands } => (commands, took),
            Load::ClosedFor { duration_ms } => (duration_ms * 1000 / took, took),
            Load::Open { rate, duration_ms } => {
                let each = (rate * duration_ms as f64 / 1000.0 / clients as f64).round() as u64;
                (each, duration_ms * 1000 / each.max(1))
            }
        };
        let mut figures = Figures::new();
        for nth in 0..each {
            let at = nth * gap + took;
            end = end.max(at);
            (0..clients).for_each(|_| figures.answered(at, took, true));
        }
        figures
    });
    let figures = figures.collect();
    let commits = bounds_us.iter().map(|_| Commits::default()).collect();
    Finished { figures, commits, seconds: end as f64 / 1e6, end, verdict: None }
}
