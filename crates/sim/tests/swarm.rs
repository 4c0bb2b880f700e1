//! Many seeds: what would be broken if one failed is said by the oracle that it violates.

use althing_model::{Path, Role};
use althing_sim::{Failure, Plan, Report, run};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs the seeds on all cores.
fn swarm(seeds: std::ops::RangeInclusive<u64>, operations: usize) -> Vec<(Plan, Report)> {
    let next = AtomicU64::new(*seeds.start());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > *seeds.end() {
                        break;
                    }
                    let plan = Plan::draw(seed, operations);
                    let report = run(&plan).unwrap_or_else(|failure: Box<Failure>| {
                        panic!("{failure}");
                    });
                    done.lock().expect("no holder panics").push((plan, report));
                }
            });
        }
    });
    done.into_inner().expect("no holder panics")
}

/// Broken: some invariant of the protocol (I1 to I5) does not hold, or a run does not converge.
#[test]
fn a_thousand_seeds_of_five_hundred_operations() {
    let runs = swarm(1..=1000, 500);
    assert_eq!(runs.len(), 1000);
    // The runs did what they claim: every kind of cluster, every kind of fault, every way of
    // recovery.
    let clusters: BTreeSet<_> = runs
        .iter()
        .map(|(plan, _)| {
            let quorums = plan.membership.acceptor_quorums();
            let is_apart = plan
                .membership
                .with(Role::Proposer)
                .all(|node| plan.membership.roles(node).len() == 1);
            (quorums.n(), quorums.f(), plan.membership.path() == Path::Fast, is_apart)
        })
        .collect();
    let expected = [(3, 1), (5, 1), (5, 2)]
        .into_iter()
        .flat_map(|(n, f)| [(n, f, true, false), (n, f, false, false), (n, f, false, true)])
        .collect();
    assert_eq!(clusters, expected);
    let sum = |of: fn(&Report) -> u64| runs.iter().map(|(_, report)| of(report)).sum::<u64>();
    for (what, count) in [
        ("crashes", sum(|report| report.faults.crashes)),
        ("cuts", sum(|report| report.faults.cuts)),
        ("mutes", sum(|report| report.faults.mutes)),
        ("pauses", sum(|report| report.faults.pauses)),
        ("lost messages", sum(|report| report.faults.lost)),
        ("repeated messages", sum(|report| report.faults.duplicated)),
        ("records lost unsynced", sum(|report| report.faults.unsynced)),
        ("noops", sum(|report| report.proposers.noops)),
        ("commands proposed again", sum(|report| report.proposers.proposed_again)),
        ("recoveries that adopted a vote", sum(|report| report.proposers.adopted_votes)),
        ("recoveries that asked for dependencies", sum(|report| report.proposers.consulted)),
        ("recoveries from a fast quorum", sum(|report| report.proposers.rebuilt)),
        ("refusals", sum(|report| report.proposers.refused)),
        ("components of several", sum(|report| u64::from(report.component_len_max > 1))),
    ] {
        assert!(count >= 10, "{what}: only {count} in all runs");
    }
    assert!(sum(|report| report.operations as u64) > 490_000);
}

/// Broken: a failure could not be reproduced from its seed.
#[test]
fn a_seed_is_one_run() {
    for seed in 2001..=2040 {
        let plan = Plan::draw(seed, 100);
        assert_eq!(plan, Plan::draw(seed, 100));
        assert_eq!(run(&plan).unwrap(), run(&plan).unwrap());
    }
}
