//! `results.json`: everything there is, for whoever wants to draw or count something else.

use super::figures::{Latency, Totals, bound_ms, p50_over_bound, rounded, step_ms};
use super::series::run_names;
use crate::{Mode, Results, Workload};
use serde::Serialize;

/// The whole file.
#[derive(Debug, Serialize)]
pub(super) struct Archive<'a> {
    /// What printed it.
    command: &'a str,
    mode: Mode,
    /// What all runs have in common.
    workload: &'a Workload,
    runs: Vec<Run<'a>>,
}

impl<'a> Archive<'a> {
    pub(super) fn of(results: &'a Results, command: &'a str) -> Self {
        let warm_up_ms = results.workload.warm_up_ms;
        let runs = results.runs.iter().zip(run_names(results));
        Self {
            command,
            mode: results.mode,
            workload: &results.workload,
            runs: runs.map(|(run, name)| Run::of(run, name, warm_up_ms)).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Run<'a> {
    /// As in the names of the histogram logs.
    run: String,
    protocol: &'a str,
    title: &'a str,
    f: usize,
    conflict_percent: Option<f64>,
    clients: usize,
    rate: Option<f64>,
    seconds: f64,
    linearizable: Option<bool>,
    ops: u64,
    unanswered: u64,
    /// Answers a second.
    throughput: f64,
    bound_mean_ms: Option<f64>,
    fast_share: Option<f64>,
    latency: Option<Latency>,
    /// The length of the timelines' steps.
    step_ms: Option<u64>,
    regions: Vec<Region<'a>>,
}

impl<'a> Run<'a> {
    fn of(run: &'a crate::Run, name: String, warm_up_ms: u64) -> Self {
        let totals = Totals::of(run, warm_up_ms);
        Self {
            run: name,
            protocol: &run.protocol,
            title: &run.title,
            f: run.f,
            conflict_percent: run.conflict_percent,
            clients: run.clients,
            rate: run.rate,
            seconds: run.seconds,
            linearizable: run.linearizable,
            ops: totals.ops,
            unanswered: totals.unanswered,
            throughput: rounded(totals.throughput),
            bound_mean_ms: totals.bound_mean_ms,
            fast_share: totals.fast_share.map(rounded),
            latency: totals.latency,
            step_ms: step_ms(run),
            regions: run.regions.iter().map(Region::of).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Region<'a> {
    name: &'a str,
    ops: u64,
    unanswered: u64,
    bound_ms: Option<f64>,
    p50_over_bound: Option<f64>,
    fast_share: Option<f64>,
    latency: Option<Latency>,
    timeline: &'a [crate::Bucket],
}

impl<'a> Region<'a> {
    fn of(region: &'a crate::RegionRun) -> Self {
        Self {
            name: &region.name,
            ops: region.latency.len(),
            unanswered: region.unanswered,
            bound_ms: bound_ms(region),
            p50_over_bound: p50_over_bound(region).map(rounded),
            fast_share: region.fast_share.map(rounded),
            latency: Latency::of(&region.latency),
            timeline: &region.timeline,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    /// Broken: something that was measured cannot be found again.
    #[test]
    fn has_everything() {
        let results = sample::crash();
        let value = serde_json::to_value(Archive::of(&results, "the command")).unwrap();
        assert_eq!(value["command"], "the command");
        assert_eq!(value["mode"], "wan");
        let workload: Workload = serde_json::from_value(value["workload"].clone()).unwrap();
        assert_eq!(workload, results.workload);
        for (index, run) in results.runs.iter().enumerate() {
            let written = &value["runs"][index];
            assert_eq!(written["step_ms"], 250);
            for (index, region) in run.regions.iter().enumerate() {
                let written = &written["regions"][index];
                let timeline = written["timeline"].as_array().unwrap();
                assert_eq!(timeline.len(), region.timeline.len());
                assert_eq!(timeline[50]["ops"], region.timeline[50].ops);
                let p999_ms = region.latency.value_at_quantile(0.999) as f64 / 1e3;
                assert_eq!(written["latency"]["p99.9_ms"].as_f64(), Some(p999_ms));
            }
        }
    }
}
