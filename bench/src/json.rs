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
