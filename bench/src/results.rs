//! What came of runs: everything that tables, files and plots are made from.

use crate::{Keys, Load, Protocol, Workload};
use hdrhistogram::Histogram;
use serde::Serialize;

/// How a workload was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// In virtual time.
    Sim,
    /// With real processes on one machine, the distances emulated.
    Wan,
    /// On a running cluster.
    Cluster,
}

/// The runs that one command made.
#[derive(Debug, Clone)]
pub struct Results {
    /// How they were made.
    pub mode: Mode,
    /// What all have in common; what differs between them stands in each [`Run`].
    pub workload: Workload,
    /// The runs, in the order in which they were asked for.
    pub runs: Vec<Run>,
}

/// One protocol under one workload.
#[derive(Debug, Clone)]
pub struct Run {
    /// The protocol's name as it is asked for, such as `fast`, `classic`, `leader:ca-central-1`.
    pub protocol: String,
    /// What a person calls it, such as `Althing, fast path, f = 1`.
    pub title: String,
    /// Failures that it tolerates.
    pub f: usize,
    /// Of a hundred commands, those on a shared key; none where keys follow another distribution.
    pub conflict_percent: Option<f64>,
    /// Clients in each region.
    pub clients: usize,
    /// Commands a second of each region, where the load is open.
    pub rate: Option<f64>,
    /// What the clients of each region saw, in the workload's order.
    pub regions: Vec<RegionRun>,
    /// Seconds from the first submission to the last answer, in the run's own time.
    pub seconds: f64,
    /// Whether one order explains the clients' history; none where nobody could tell.
    pub linearizable: Option<bool>,
}

/// What the clients of one region saw.
#[derive(Debug, Clone)]
pub struct RegionRun {
    /// The region.
    pub name: String,
    /// From submission to answer, in microseconds, after the warm-up.
    pub latency: Histogram<u64>,
    /// Commands that ended without an answer.
    pub unanswered: u64,
    /// The round trip to the farthest member of the nearest fast quorum, in microseconds: what no
    /// protocol of one round trip beats; 0 where nobody knows the distances.
    pub bound_us: u64,
    /// Of the region's own commits, those after one round trip; none where the protocol has no such
    /// path.
    pub fast_share: Option<f64>,
    /// The answers by time, in equal steps from the beginning.
    pub timeline: Vec<Bucket>,
}

/// Answers within one step of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bucket {
    /// When the step begins, in milliseconds.
    pub at_ms: u64,
    /// Answers.
    pub ops: u64,
    /// The longest latency among them, in microseconds; 0 of none.
    pub max_us: u64,
}

impl Run {
    /// What came of a workload under a protocol.
    pub(crate) fn of(
        workload: &Workload,
        protocol: &Protocol,
        f: usize,
        regions: Vec<RegionRun>,
        seconds: f64,
        linearizable: Option<bool>,
    ) -> Self {
        Self {
            protocol: protocol.to_string(),
            title: protocol.title(f),
            f,
            conflict_percent: match workload.keys {
                Keys::Pool { conflict_percent, .. } => Some(conflict_percent),
                Keys::Zipf { .. } => None,
            },
            clients: workload.clients,
            rate: match workload.load {
                Load::Open { rate, .. } => Some(rate),
                _ => None,
            },
            regions,
            seconds,
            linearizable,
        }
    }

    /// The latencies of all regions together.
    pub fn latency(&self) -> Histogram<u64> {
        let mut all = RegionRun::histogram();
        for region in &self.regions {
            all.add(&region.latency).expect("all have the same range and precision");
        }
        all
    }
}

impl RegionRun {
    /// An empty histogram: one microsecond to an hour, three digits, 170 KiB at most.
    pub fn histogram() -> Histogram<u64> {
        Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("the bounds are sound")
    }
}
