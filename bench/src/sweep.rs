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

    fn workloads(&self) -> Result<Vec<Workload>, BenchError> {
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
    Ok(Results { mode: Mode::Sim, workload: sweep.workload.clone(), runs })
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
