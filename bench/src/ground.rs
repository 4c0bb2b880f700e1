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

/// The planet of this name, or in the file of this name.
///
/// # Errors
/// There is none, or it is not in order.
pub fn planet(name: &str) -> Result<Planet, BenchError> {
    Ok(althing_local::planet::load(name)?)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Crash;

    /// What makes a workload wrong.
    type Change<'a> = &'a dyn Fn(&mut Workload);

    fn told(workload: &Workload) -> String {
        Ground::of(workload).unwrap_err().to_string()
    }

    fn with(change: impl FnOnce(&mut Workload)) -> String {
        let mut workload = Workload::default();
        change(&mut workload);
        told(&workload)
    }

    /// Broken: who mistypes a region or a planet is left to search.
    #[test]
    fn a_misspelt_region_or_planet_is_told_the_nearest() {
        let error = with(|it| it.regions[0] = "eu-wset-1".into());
        assert!(error.contains("did you mean \"eu-west-1\"?"), "{error}");
        let error = with(|it| it.planet = "aws-2020-06-50".into());
        assert!(error.contains("did you mean \"aws-2020-06-05\"?"), "{error}");
        let crash = Crash { region: "eu-west-2".into(), at_ms: 1, until_ms: None };
        let error = with(|it| it.crash = Some(crash));
        assert!(error.contains("did you mean \"eu-west-1\"?"), "{error}");
    }

    /// Broken: a table with a hole gives a figure, or an error that does not say where.
    #[test]
    fn an_incomplete_table_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rtt-mine.csv");
        let text = "from,to,min_ms,avg_ms,max_ms,mdev_ms\na,a,1,1,1,0\na,b,9,9,9,0\nb,b,1,1,1,0\n";
        std::fs::write(&path, text).unwrap();
        let name = path.to_str().unwrap();
        assert_eq!(planet(name).unwrap().name(), "mine");
        std::fs::write(&path, text.replace("b,b", "c,b")).unwrap();
        let error = planet(name).unwrap_err().to_string();
        assert!(error.contains("rtt-mine.csv") && error.contains("a and c"), "{error}");
        let error = planet("nowhere.csv").unwrap_err().to_string();
        assert!(error.contains("nowhere.csv"), "{error}");
    }

    /// Broken: a workload that means nothing gives a figure, or a panic.
    #[test]
    fn workloads_that_mean_nothing_are_refused() {
        let pool = |conflict_percent, len| Keys::Pool { conflict_percent, len };
        let cases: [(&str, Change); 14] = [
            ("2 regions", &|it| it.regions.truncate(2)),
            ("named twice", &|it| it.regions[1] = it.regions[0].clone()),
            ("reads", &|it| it.read_percent = 101.0),
            ("reads", &|it| it.read_percent = f64::NAN),
            ("conflict rate", &|it| it.keys = pool(-1.0, 1)),
            ("empty", &|it| it.keys = pool(1.0, 0)),
            ("ten million", &|it| it.keys = pool(1.0, 100_000_000)),
            ("exponent", &|it| it.keys = Keys::Zipf { exponent: -1.0, len: 5 }),
            ("a key", &|it| it.keys = Keys::Zipf { exponent: 1.0, len: 0 }),
            ("rate", &|it| it.load = Load::Open { rate: 0.0, duration_ms: 5 }),
            ("a command", &|it| it.load = Load::Closed { commands: 0 }),
            ("warm-up", &|it| {
                it.load = Load::ClosedFor { duration_ms: 1_000 };
                it.warm_up_ms = 1_000;
            }),
            ("clients", &|it| it.clients = 0),
            ("not before", &|it| {
                let region = it.regions[0].clone();
                it.crash = Some(Crash { region, at_ms: 9, until_ms: Some(9) });
            }),
        ];
        for (part, change) in cases {
            let error = with(|it| change(it));
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
