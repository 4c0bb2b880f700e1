//! What the figures do not say.

use crate::{Mode, Results};
use maud::{Markup, html};

/// Below so many answers, the p99.9 is the slowest of all.
const P999_OPS: u64 = 1000;

pub(super) fn section(results: &Results) -> Markup {
    html! {
        section id="limits" {
            h2 { "What it does not say" }
            ul { @for limit in limits(results) { li { (limit) } } }
        }
    }
}

fn limits(results: &Results) -> Vec<String> {
    let mut limits = Vec::new();
    match results.mode {
        Mode::Sim => limits.push(
            "In the simulator only distances and what the protocol waits for take time. Processors, \
             disks, bandwidth and lost packets do not: real latencies are longer, and throughput under \
             load says nothing of what a machine can do.",
        ),
        Mode::Wan => limits.push(
            "All processes share one machine, whose processors and disk they compete for. The emulated \
             network has fixed delays and enough bandwidth, and loses nothing.",
        ),
        Mode::Cluster => limits.push(
            "What else the machines and networks did at the time is in the figures. The bound is \
             computed from the table of round trips, which may be older than the run.",
        ),
    }
    limits.push(
        "Distances are averages, measured once; on another day, or between other availability zones, \
         they differ by some per cent.",
    );
    if results.mode == Mode::Sim {
        limits.push(
            "Other protocols are models, at their best: what is modelled of each stands in the \
             benchmark's README. They are no measurement of anybody's implementation.",
        );
    }
    limits.push(
        "Over all regions, every answer counts the same: where clients run for a time and not for a \
         number of commands, near regions have more of them.",
    );
    limits.push(
        "The bound counts one round trip to the nearest fast quorum of a leaderless protocol with that \
         f. A leader's own region may be faster, and any region farther from its leader is slower.",
    );
    let regions = results.runs.iter().flat_map(|run| &run.regions);
    let fewest = regions.map(|region| region.latency.len()).filter(|ops| *ops > 0).min();
    let mut limits: Vec<_> = limits.into_iter().map(str::to_owned).collect();
    if let Some(ops) = fewest.filter(|ops| *ops < P999_OPS) {
        limits.push(format!(
            "Some regions have no more than {ops} answers: of so few, the p99.9 is the slowest one, and \
             the p99 rests on {}.",
            match ops / 100 {
                0 | 1 => "one or two".to_owned(),
                few => format!("about {few}"),
            }
        ));
    }
    if results.workload.crash.is_none() {
        limits.push("Nothing failed in these runs.".to_owned());
    }
    if results.runs.iter().any(|run| run.linearizable.is_none()) {
        limits.push(
            "Where there is no verdict, a run has no history (a bound), or nobody could tell: that is \
             a sign of nothing."
                .to_owned(),
        );
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    /// Broken: the report of few commands shows a p99.9 without a word on what it is worth.
    #[test]
    fn says_when_there_are_few_answers() {
        let says = |results: &Results| limits(results).iter().any(|limit| limit.contains("p99.9"));
        let mut results = sample::sweep(&[0.0]);
        assert!(says(&results));
        for region in results.runs.iter_mut().flat_map(|run| &mut run.regions) {
            region.latency.record_n(100_000, P999_OPS).unwrap();
        }
        assert!(!says(&results));
    }
}
