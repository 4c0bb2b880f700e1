//! `--json`: the figures for programs, in one line.

use super::figures::{Latency, Totals, bound_ms, rounded};
use crate::{Mode, Results};
use serde::Serialize;
use std::fmt;

/// The shape of `--json`. Latencies are in milliseconds; those of nobody who was answered are null,
/// and so are shares, verdicts and bounds that there are none of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    mode: Mode,
    planet: String,
    protocols: Vec<Protocol>,
}

impl Report {
    /// One entry for each run, in their order.
    pub fn of(results: &Results) -> Self {
        let warm_up_ms = results.workload.warm_up_ms;
        let protocol = |run: &crate::Run| {
            let latency = Totals::of(run, warm_up_ms).latency;
            Protocol {
                name: run.protocol.clone(),
                f: run.f,
                conflict: run.conflict_percent,
                regions: run.regions.iter().map(Region::of).collect(),
                mean_ms: latency.map(|latency| latency.mean_ms),
                p50_ms: latency.map(|latency| latency.p50_ms),
                p99_ms: latency.map(|latency| latency.p99_ms),
                linearizable: run.linearizable,
            }
        };
        Self {
            mode: results.mode,
            planet: results.workload.planet.clone(),
            protocols: results.runs.iter().map(protocol).collect(),
        }
    }
}

/// One line of JSON, the keys in the order of the contract.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Protocol {
    name: String,
    f: usize,
    conflict: Option<f64>,
    regions: Vec<Region>,
    mean_ms: Option<f64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    linearizable: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Region {
    name: String,
    ops: u64,
    mean_ms: Option<f64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    bound_ms: Option<f64>,
    fast_share: Option<f64>,
}

impl Region {
    fn of(region: &crate::RegionRun) -> Self {
        let latency = Latency::of(&region.latency);
        Self {
            name: region.name.clone(),
            ops: region.latency.len(),
            mean_ms: latency.map(|latency| latency.mean_ms),
            p50_ms: latency.map(|latency| latency.p50_ms),
            p99_ms: latency.map(|latency| latency.p99_ms),
            bound_ms: bound_ms(region),
            fast_share: region.fast_share.map(rounded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn json(results: &Results) -> Value {
        serde_json::from_str(&Report::of(results).to_string()).unwrap()
    }

    fn keys(value: &Value) -> BTreeSet<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    /// Broken: a program that reads the agreed keys finds others.
    #[test]
    fn has_the_agreed_keys() {
        let results = sample::sweep(&[0.0, 10.0]);
        let value = json(&results);
        assert_eq!(keys(&value), BTreeSet::from(["mode", "planet", "protocols"]));
        assert_eq!(value["mode"], "sim");
        let protocols = value["protocols"].as_array().unwrap();
        assert_eq!(protocols.len(), results.runs.len());
        let of_protocol =
            ["name", "f", "conflict", "regions", "mean_ms", "p50_ms", "p99_ms", "linearizable"];
        let of_region = ["name", "ops", "mean_ms", "p50_ms", "p99_ms", "bound_ms", "fast_share"];
        for (protocol, run) in protocols.iter().zip(&results.runs) {
            assert_eq!(keys(protocol), BTreeSet::from(of_protocol));
            assert_eq!(protocol["conflict"].as_f64(), run.conflict_percent);
            for (region, from) in protocol["regions"].as_array().unwrap().iter().zip(&run.regions) {
                assert_eq!(keys(region), BTreeSet::from(of_region));
                assert_eq!(region["ops"].as_u64(), Some(from.latency.len()));
                let mean_ms = region["mean_ms"].as_f64().unwrap();
                assert!((mean_ms - from.latency.mean() / 1e3).abs() < 0.001);
            }
        }
    }

    /// Broken: the line has a second one, which a program that reads lines takes for another result.
    #[test]
    fn is_one_line() {
        let mut results = sample::sweep(&[0.0]);
        results.workload.planet = "a\nb".to_owned();
        assert!(!Report::of(&results).to_string().contains('\n'));
    }

    /// Broken: a region that nobody was answered in counts as one of no latency.
    #[test]
    fn nothing_is_null() {
        let mut results = sample::sweep(&[0.0]);
        results.runs[0].regions[0].latency.reset();
        results.runs[0].linearizable = None;
        results.runs[0].regions[1].bound_us = 0;
        let value = json(&results);
        let run = &value["protocols"][0];
        assert_eq!(run["regions"][0]["p50_ms"], Value::Null);
        assert_eq!(run["linearizable"], Value::Null);
        assert_eq!(run["regions"][1]["bound_ms"], Value::Null);
    }
}
