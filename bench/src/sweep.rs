//! Runs that are compared: one workload under several protocols, failures survived, conflict rates
//! and loads.

use crate::ground::{Ground, check_failures};
use crate::sim::{self, Settings};
use crate::{BenchError, Keys, Load, Mode, Protocol, Results, Run, Workload};
use serde::{Deserialize, Serialize};
use std::num::NonZero;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What to run: each protocol with each `f`, conflict rate and load. It is what a profile holds, as
/// TOML; what that does not name is as in [`Sweep::default`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sweep {
    /// By name; `leader` and `leader-majority` without a region stand for the best and the worst
    /// place.
    pub protocols: Vec<String>,
    /// Failures survived.
    pub f: Vec<usize>,
    /// Of a hundred commands, those on a shared key; none to leave it to the workload.
    pub conflict: Vec<f64>,
    /// Clients in each region; none to leave it to the workload.
    pub clients: Vec<usize>,
    /// Commands a second of each region; none to leave it to the workload.
    pub rates: Vec<f64>,
    /// What all have in common.
    pub workload: Workload,
}

impl Default for Sweep {
    fn default() -> Self {
        let (conflict, clients, rates) = (Vec::new(), Vec::new(), Vec::new());
        let protocols = vec!["fast".into()];
        Self { protocols, f: vec![1], conflict, clients, rates, workload: Workload::default() }
    }
}

/// One thing asked for: the same workload under protocols of which the extremes are reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// One, or one for each place of a leader.
    pub protocols: Vec<Protocol>,
    /// Failures survived.
    pub f: usize,
    /// What to run.
    pub workload: Workload,
}

impl Sweep {
    /// Reads a profile.
    ///
    /// # Errors
    /// It cannot be read, has a key that means nothing, or a value of another kind.
    pub fn from_file(path: &Path) -> Result<Self, BenchError> {
        let text = std::fs::read_to_string(path).map_err(|source| BenchError::ProfileFile {
            path: path.into(),
            source: source.into(),
        })?;
        toml::from_str(&text)
            .map_err(|source| BenchError::Profile { path: path.into(), source: source.into() })
    }

    /// All that is asked for, in order, checked.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn jobs(&self) -> Result<Vec<Job>, BenchError> {
        let mut jobs = Vec::new();
        for name in &self.protocols {
            let protocols = Protocol::named(name, &self.workload.regions);
            for f in &self.f {
                for workload in self.workloads()? {
                    // An unknown region of the planet is told before a leader in it.
                    Ground::of(&workload)?;
                    check_failures(*f, workload.regions.len())?;
                    let protocols = protocols.as_ref().map_err(Clone::clone)?.clone();
                    jobs.push(Job { protocols, f: *f, workload });
                }
            }
        }
        match jobs.is_empty() {
            true => Err(BenchError::invalid("nothing to run: name a protocol and an f")),
            false => Ok(jobs),
        }
    }

    pub(crate) fn workloads(&self) -> Result<Vec<Workload>, BenchError> {
        let mut workloads = vec![self.workload.clone()];
        each(&mut workloads, &self.conflict, |workload, percent| match &mut workload.keys {
            Keys::Pool { conflict_percent, .. } => {
                *conflict_percent = percent;
                Ok(())
            }
            Keys::Zipf { .. } => Err(BenchError::invalid(
                "a conflict rate is for a pool of shared keys; with a Zipf distribution conflicts \
                 follow from its exponent and its keys",
            )),
        })?;
        each(&mut workloads, &self.clients, |workload, clients| {
            workload.clients = clients;
            Ok(())
        })?;
        each(&mut workloads, &self.rates, |workload, wanted| match &mut workload.load {
            Load::Open { rate, .. } => {
                *rate = wanted;
                Ok(())
            }
            _ => Err(BenchError::invalid(
                "rates are of an open load: give a duration, and no number of commands",
            )),
        })?;
        Ok(workloads)
    }
}

/// Replaces each workload by one for each value, or leaves all where there is no value.
fn each<T: Copy>(
    workloads: &mut Vec<Workload>,
    values: &[T],
    set: impl Fn(&mut Workload, T) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    if values.is_empty() {
        return Ok(());
    }
    let mut all = Vec::new();
    for workload in &*workloads {
        for value in values {
            let mut workload = workload.clone();
            set(&mut workload, *value)?;
            all.push(workload);
        }
    }
    *workloads = all;
    Ok(())
}

/// Runs a sweep in virtual time, on all processors; the results stand in the order asked for.
/// `progress` is told, now and then, how much more of a run is over, in runs.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn simulate(
    sweep: &Sweep,
    settings: &Settings,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<Results, BenchError> {
    let jobs = sweep.jobs()?;
    let tasks: Vec<(&Job, &Protocol)> =
        jobs.iter().flat_map(|job| job.protocols.iter().map(move |it| (job, it))).collect();
    let done: Vec<Mutex<Option<Result<Run, BenchError>>>> =
        tasks.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some((job, protocol)) = tasks.get(place) else { break };
            let told = std::cell::Cell::new(0.0);
            let tell = |share: f64| progress(share - told.replace(share));
            let run = sim::run_with(&job.workload, protocol, job.f, settings, &tell);
            tell(1.0);
            *done[place].lock().expect("nobody panics with it") = Some(run);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get).min(tasks.len()) {
            scope.spawn(work);
        }
    });
    let mut done = done.into_iter().map(|run| {
        run.into_inner().expect("nobody panicked with it").expect("every task was taken")
    });
    let mut runs = Vec::new();
    for job in &jobs {
        let of_job: Result<Vec<Run>, _> = done.by_ref().take(job.protocols.len()).collect();
        runs.extend(extremes(of_job?));
    }
    // Of a table in a file it is the planet's name that is reported.
    let planet = Ground::of(&jobs[0].workload)?.planet.name().to_owned();
    let workload = Workload { planet, ..sweep.workload.clone() };
    Ok(Results { mode: Mode::Sim, workload, runs })
}

/// The best and the worst of several places of a leader, by mean latency; of one run, that.
fn extremes(mut runs: Vec<Run>) -> Vec<Run> {
    if runs.len() < 2 {
        return runs;
    }
    runs.sort_by(|a, b| a.latency().mean().total_cmp(&b.latency().mean()));
    let mut worst = runs.pop().expect("there are several");
    let mut best = runs.swap_remove(0);
    best.title += ", best place";
    worst.title += ", worst place";
    vec![best, worst]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What makes a sweep wrong.
    type Change<'a> = &'a dyn Fn(&mut Sweep);

    fn small() -> Sweep {
        let load = Load::Closed { commands: 20 };
        Sweep {
            protocols: ["fast", "leader", "epaxos"].map(String::from).into(),
            f: vec![1, 2],
            conflict: vec![0.0, 50.0],
            clients: vec![2, 1],
            workload: Workload { load, ..Workload::default() },
            ..Sweep::default()
        }
    }

    /// Broken: a figure stands under another's name, or depends on how many processors there are.
    #[test]
    fn results_stand_in_the_order_asked_for() {
        let sweep = small();
        let told = Mutex::new(0.0);
        let results = simulate(&sweep, &Settings::default(), &|share| {
            *told.lock().unwrap() += share;
        });
        let results = results.unwrap();
        let mut expected = Vec::new();
        for name in ["fast", "leader", "leader", "epaxos"] {
            for f in [1, 2] {
                for conflict in [0.0, 50.0] {
                    for clients in [2, 1] {
                        expected.push((name, f, conflict, clients));
                    }
                }
            }
        }
        // The best and the worst place of a leader stand side by side.
        let (before, rest) = expected.split_at(8);
        let (leaders, after) = rest.split_at(16);
        let mut both: Vec<_> = leaders[..8].iter().flat_map(|it| [*it, *it]).collect();
        both.splice(..0, before.iter().copied());
        both.extend(after);
        let found = results.runs.iter().map(|run| {
            let name = run.protocol.split(':').next().unwrap();
            (name, run.f, run.conflict_percent.unwrap(), run.clients)
        });
        assert_eq!(found.collect::<Vec<_>>(), both);
        let mean = |at: usize| results.runs[at].latency().mean();
        assert!(results.runs[8].protocol == "leader:ca-central-1" && mean(8) < mean(9));
        // Each run of the sweep, the leader's in all places.
        assert!((*told.lock().unwrap() - 8.0 * 7.0).abs() < 1e-6);

        let workload = Workload { clients: 2, ..sweep.workload.clone() };
        let workload = Workload { keys: Keys::Pool { conflict_percent: 50.0, len: 1 }, ..workload };
        let alone = sim::run(&workload, &Protocol::Fast, 1).unwrap();
        assert_eq!(alone.latency(), results.runs[2].latency());
    }

    fn profile(text: &str) -> Result<Sweep, BenchError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("profile.toml");
        std::fs::write(&path, text).unwrap();
        Sweep::from_file(&path)
    }

    /// Broken: a profile's misspelt key is passed over, and the figures are of something else.
    #[test]
    fn a_profile_with_an_unknown_key_is_refused() {
        let good = "protocols = [\"fast\", \"epaxos\"]\nf = [2]\n[workload]\nclients = 7\n\
                    load = { open = { rate = 50.0, duration_ms = 9000 } }\n\
                    keys = { zipf = { exponent = 1.0, len = 100 } }\n";
        let sweep = profile(good).unwrap();
        assert_eq!((sweep.workload.clients, &sweep.f[..]), (7, &[2][..]));
        assert_eq!(sweep.workload.planet, Workload::default().planet);
        for (from, to) in [("f =", "ff ="), ("clients", "client"), ("rate", "rat"), ("len", "size")]
        {
            let error = profile(&good.replace(from, to)).unwrap_err().to_string();
            let says_so = error.contains("unknown field") || error.contains("unexpected key");
            assert!(says_so && error.contains("profile.toml"), "{error}");
        }
        let written = toml::to_string(&small()).unwrap();
        assert_eq!(profile(&written).unwrap(), small(), "a profile that is written is not read");
    }

    /// Broken: what does not fit together is found out after an hour of running, or never.
    #[test]
    fn what_does_not_fit_is_refused_before_anything_runs() {
        let zipf = Keys::Zipf { exponent: 1.0, len: 9 };
        let workload = Workload { keys: zipf, ..Workload::default() };
        let sweep = |change: Change| {
            let mut sweep = small();
            change(&mut sweep);
            sweep.jobs().unwrap_err().to_string()
        };
        let cases: [(&str, Change); 6] = [
            ("too large", &|it| it.f = vec![1, 3]),
            ("f = 0", &|it| it.f = vec![0]),
            ("Zipf", &|it| it.workload = workload.clone()),
            ("open load", &|it| it.rates = vec![5.0]),
            ("nothing to run", &|it| it.protocols.clear()),
            ("did you mean \"epaxos\"", &|it| it.protocols.push("expaos".into())),
        ];
        for (part, change) in cases {
            let error = sweep(change);
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    /// Broken: whoever reads the JSON finds a key gone, renamed or added.
    #[test]
    fn the_keys_are_the_contract() {
        let workload = Workload { load: Load::Closed { commands: 5 }, ..Workload::default() };
        let protocols = ["fast", "bound"].map(String::from).into();
        let sweep = Sweep { protocols, f: vec![1, 2], workload, ..Sweep::default() };
        let results = simulate(&sweep, &Settings::default(), &|_| {}).unwrap();
        let text = crate::output::json(&results).to_string();
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
