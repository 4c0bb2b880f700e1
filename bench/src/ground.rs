//! Where a workload runs: its planet read, its regions found, its figures checked.

use crate::protocol::no_node;
use crate::{BenchError, Keys, Load, Workload};
use althing_model::Micros;
use althing_planet::{Planet, Region};

/// The planet and the regions of a workload.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The planet.
    pub planet: Planet,
    /// In the workload's order.
    pub regions: Vec<Region>,
}

impl Ground {
    /// Reads a workload's planet, and checks the workload against it.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn of(workload: &Workload) -> Result<Self, BenchError> {
        let planet = althing_local::planet::load(&workload.planet)?;
        let regions: Result<Vec<_>, _> =
            workload.regions.iter().map(|name| planet.region(name)).collect();
        let ground = Self { planet, regions: regions? };
        check(workload)?;
        Ok(ground)
    }

    /// One ways between the regions, from row to column, in microseconds.
    pub fn distances(&self) -> Vec<Vec<Micros>> {
        let one_way = |a: &Region, b: &Region| match a == b {
            true => 0,
            false => self.planet.one_way_us(a, b).expect("its own regions"),
        };
        self.regions.iter().map(|a| self.regions.iter().map(|b| one_way(a, b)).collect()).collect()
    }

    /// The round trip of each region to the farthest of its nearest `quorum_size` members, its own
    /// among them.
    pub fn bounds_us(&self, quorum_size: usize) -> Vec<u64> {
        let bound = |region| self.planet.bound_us(region, &self.regions, quorum_size);
        self.regions.iter().map(|it| bound(it).expect("of its own regions")).collect()
    }
}

/// Whether a cluster of so many regions survives `f` failures.
///
/// # Errors
/// It does not.
pub fn check_failures(f: usize, regions: usize) -> Result<(), BenchError> {
    let max = regions.saturating_sub(1) / 2;
    match f {
        0 => {
            Err(BenchError::invalid("f = 0: at least one failure is survived, so f is at least 1"))
        }
        f if f > max => Err(BenchError::FailuresTooMany { f, regions, max }),
        _ => Ok(()),
    }
}

fn check(workload: &Workload) -> Result<(), BenchError> {
    let regions = &workload.regions;
    if !(3..=64).contains(&regions.len()) {
        let text = format!("{} regions: a cluster has from 3 to 64", regions.len());
        return Err(BenchError::Invalid(text));
    }
    check_figures(workload)
}

/// Checks everything of a workload but where it runs.
pub(crate) fn check_figures(workload: &Workload) -> Result<(), BenchError> {
    let regions = &workload.regions;
    let invalid = |text: &str| Err(BenchError::invalid(text));
    if let Some(twice) = regions.iter().enumerate().find(|(at, it)| regions[..*at].contains(it)) {
        let text = format!("region {:?} is named twice: each has one node here", twice.1);
        return Err(BenchError::Invalid(text));
    }
    let is_share = |percent: f64| (0.0..=100.0).contains(&percent);
    if !is_share(workload.read_percent) {
        return invalid("the share of reads is from 0 to 100 (percent)");
    }
    match workload.keys {
        Keys::Pool { conflict_percent, .. } if !is_share(conflict_percent) => {
            return invalid("a conflict rate is from 0 to 100 (percent)");
        }
        Keys::Pool { len: 0, .. } => return invalid("the pool of shared keys must not be empty"),
        Keys::Zipf { len: 0, .. } => return invalid("there must be a key"),
        Keys::Pool { len, .. } | Keys::Zipf { len, .. } if len > 10_000_000 => {
            return invalid("more than ten million keys: each costs memory here, at every node");
        }
        Keys::Zipf { exponent, .. } if !(0.0..=10.0).contains(&exponent) => {
            return invalid("the exponent of a Zipf distribution is from 0 to 10");
        }
        Keys::Pool { .. } | Keys::Zipf { .. } => {}
    }
    match workload.load {
        Load::Open { rate, .. } if !(rate > 0.0 && rate <= 1e6) => {
            return invalid("a rate is above 0, up to a million commands a second of each region");
        }
        Load::Closed { commands: 0 } => return invalid("each client must have a command"),
        Load::ClosedFor { duration_ms } | Load::Open { duration_ms, .. }
            if duration_ms <= workload.warm_up_ms =>
        {
            return invalid("the duration must be longer than the warm-up, to measure anything");
        }
        _ => {}
    }
    if workload.clients == 0 || workload.clients > 100_000 {
        return invalid("there are from 1 to 100,000 clients in each region");
    }
    if workload.payload_len > althing_kv::limits::VALUE_LEN_MAX {
        let max = althing_kv::limits::VALUE_LEN_MAX;
        return Err(BenchError::Invalid(format!("a payload has at most {max} bytes")));
    }
    if workload.batch_len_max == 0 {
        return invalid("a batch has at least one command");
    }
    if let Some(crash) = &workload.crash {
        if !regions.contains(&crash.region) {
            return Err(no_node("the crash", &crash.region, regions));
        }
        if crash.until_ms.is_some_and(|until_ms| until_ms <= crash.at_ms) {
            return invalid("a region is started again after it crashed, not before");
        }
    }
    Ok(())
}
