//! What `--json` prints: a contract with whoever reads it; a key that is once there stays.

use crate::{Mode, RegionRun, Results, Run};
use hdrhistogram::Histogram;
use serde::Serialize;

/// All results.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    mode: Mode,
    planet: &'a str,
    /// One entry for each protocol, f and conflict rate.
    protocols: Vec<Entry<'a>>,
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    name: &'a str,
    f: usize,
    conflict: Option<f64>,
    regions: Vec<Region<'a>>,
    mean_ms: f64,
    p50_ms: f64,
    p99_ms: f64,
    linearizable: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Region<'a> {
    name: &'a str,
    ops: u64,
    mean_ms: f64,
    p50_ms: f64,
    p99_ms: f64,
    bound_ms: f64,
    fast_share: Option<f64>,
}

impl<'a> Document<'a> {
    /// The document of these results.
    pub fn of(results: &'a Results) -> Self {
        Self {
            mode: results.mode,
            planet: &results.workload.planet,
            protocols: results.runs.iter().map(Entry::of).collect(),
        }
    }
}

impl<'a> Entry<'a> {
    fn of(run: &'a Run) -> Self {
        let latency = run.latency();
        let (mean_ms, p50_ms, p99_ms) = figures(&latency);
        Self {
            name: &run.protocol,
            f: run.f,
            conflict: run.conflict_percent,
            regions: run.regions.iter().map(Region::of).collect(),
            mean_ms,
            p50_ms,
            p99_ms,
            linearizable: run.linearizable,
        }
    }
}

impl<'a> Region<'a> {
    fn of(region: &'a RegionRun) -> Self {
        let (mean_ms, p50_ms, p99_ms) = figures(&region.latency);
        Self {
            name: &region.name,
            ops: region.latency.len(),
            mean_ms,
            p50_ms,
            p99_ms,
            bound_ms: ms(region.bound_us as f64),
            fast_share: region.fast_share.map(|share| (share * 1e4).round() / 1e4),
        }
    }
}

fn figures(latency: &Histogram<u64>) -> (f64, f64, f64) {
    let quantile = |quantile| ms(latency.value_at_quantile(quantile) as f64);
    (ms(latency.mean()), quantile(0.5), quantile(0.99))
}

/// Milliseconds, to the microsecond.
fn ms(us: f64) -> f64 {
    us.round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::{Sweep, simulate};
    use crate::{Load, Workload, sim::Settings};

    /// Broken: whoever reads the JSON finds a key gone, renamed or added.
    #[test]
    fn the_keys_are_the_contract() {
        let workload = Workload { load: Load::Closed { commands: 5 }, ..Workload::default() };
        let protocols = ["fast", "bound"].map(String::from).into();
        let sweep = Sweep { protocols, f: vec![1, 2], workload, ..Sweep::default() };
        let results = simulate(&sweep, &Settings::default(), &|_| {}).unwrap();
        let text = serde_json::to_string(&Document::of(&results)).unwrap();
        let keys = |text: &str| {
            let parts: Vec<_> = text.split('"').collect();
            let names = (1..parts.len()).step_by(2).filter(|at| parts[at + 1].starts_with(':'));
            names.map(|at| parts[at].to_owned()).collect::<Vec<_>>()
        };
        let region = ["name", "ops", "mean_ms", "p50_ms", "p99_ms", "bound_ms", "fast_share"];
        let mut expected = vec!["mode", "planet", "protocols"];
        for _ in 0..4 {
            expected.extend(["name", "f", "conflict", "regions"]);
            (0..5).for_each(|_| expected.extend(region));
            expected.extend(["mean_ms", "p50_ms", "p99_ms", "linearizable"]);
        }
        assert_eq!(keys(&text), expected);
        assert!(text.starts_with(r#"{"mode":"sim","planet":"aws-2020-06-05","protocols":[{"#));
        assert!(text.contains(
            r#""name":"fast","f":2,"conflict":2.0,"regions":[{"name":"eu-west-1","ops":5,"#
        ));
        // The bound is of no run, and has no history.
        assert!(text.ends_with(r#""linearizable":null}]}"#), "{text}");
    }
}
