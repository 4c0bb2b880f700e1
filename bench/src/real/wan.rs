//! On one machine: a process for each region, and a relay that delays what goes between them as the
//! planet says.

use super::course::{Course, Site};
use super::{Progress, Told, runtime};
use crate::ground::{Ground, check_failures};
use crate::{BenchError, Protocol, Run, Workload};
use althing_local::{LocalCluster, Settings};
use althing_model::Path;
use althing_node::config::LimitsEntry;
use althing_planet::fast_quorum_size;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long the nodes may take to know how far all others are, before the clients begin anyway.
const LINKS_PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Which cluster is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The `althing` program, which the nodes run.
    pub binary: PathBuf,
    /// How commands are committed.
    pub path: Path,
    /// How many nodes may fail.
    pub f: usize,
}

impl Target {
    /// With nodes that run the program of this process, which has to be `althing`.
    ///
    /// # Errors
    /// When the system does not say which that is.
    pub fn new(path: Path, f: usize) -> Result<Self, BenchError> {
        Ok(Self { binary: std::env::current_exe()?, path, f })
    }
}

/// Runs a workload on a cluster of its own. Makes its own runtime.
///
/// # Errors
/// What is wrong with the workload, or why the cluster does not start.
pub fn run(
    workload: &Workload,
    target: &Target,
    progress: Progress<'_>,
) -> Result<Run, BenchError> {
    let runs = sweep(std::slice::from_ref(workload), target, progress)?;
    Ok(runs.into_iter().next().expect("one workload, one run"))
}

/// Runs workloads one after the other. They share a cluster as long as they want the same one, each
/// with keys of its own.
///
/// # Errors
/// As [`run`].
pub fn sweep(
    workloads: &[Workload],
    target: &Target,
    progress: Progress<'_>,
) -> Result<Vec<Run>, BenchError> {
    // Before anything is started.
    for workload in workloads {
        Ground::of(workload)?;
        check_failures(target.f, workload.regions.len())?;
    }
    runtime()?.block_on(async {
        let mut emulated: Option<Wan> = None;
        let mut runs = Vec::new();
        for workload in workloads {
            let mut wan = match emulated.take() {
                Some(wan) if wan.fits(workload) => wan,
                other => {
                    // The old one goes before the new one comes.
                    drop(other);
                    Wan::start(workload, target, progress).await?
                }
            };
            runs.push(wan.run(workload, progress).await?);
            emulated = Some(wan);
        }
        Ok(runs)
    })
}

/// A running cluster and its planet.
struct Wan {
    cluster: LocalCluster,
    ground: Ground,
    target: Target,
    /// What it was started for.
    workload: Workload,
    runs: u64,
}

impl Wan {
    async fn start(
        workload: &Workload,
        target: &Target,
        progress: Progress<'_>,
    ) -> Result<Self, BenchError> {
        let ground = Ground::of(workload)?;
        let limits = LimitsEntry {
            batch_commands: workload.batch_len_max,
            batch_delay_us: workload.batch_delay_us,
            ..LimitsEntry::default()
        };
        let settings = Settings {
            regions: workload.regions.clone(),
            planet: Some(ground.planet.clone()),
            f: target.f,
            path: target.path,
            limits,
            ..Settings::new(target.binary.clone(), workload.regions.len())
        };
        let begun = Instant::now();
        let cluster = LocalCluster::start(settings).await?;
        let (nodes, seconds) = (cluster.len(), begun.elapsed().as_secs_f64());
        progress(Told::Said(&format!("{nodes} processes are up after {seconds:.1} s")));
        let (target, workload) = (target.clone(), workload.clone());
        Ok(Self { cluster, ground, target, workload, runs: 0 })
    }

    /// Whether a workload could have been what the cluster was started for.
    fn fits(&self, workload: &Workload) -> bool {
        let of = |it: &Workload| {
            let batches = (it.batch_len_max, it.batch_delay_us);
            (it.planet.clone(), it.regions.clone(), batches)
        };
        of(&self.workload) == of(workload)
    }

    async fn run(
        &mut self,
        workload: &Workload,
        progress: Progress<'_>,
    ) -> Result<Run, BenchError> {
        self.mend().await?;
        let n = workload.regions.len();
        let bounds = self.ground.bounds_us(fast_quorum_size(n, self.target.f));
        let sites = workload.regions.iter().zip(bounds).enumerate();
        let sites: Vec<Site> = sites
            .map(|(node, (region, bound_us))| Site {
                region: region.clone(),
                client: self.cluster.client_in(node),
                pages: vec![self.cluster.page_address(node)],
                bound_us,
            })
            .collect();
        let farthest_us = self.ground.distances().into_iter().flatten().max().unwrap_or_default();
        let prefix = format!("run-{}/", self.runs);
        self.runs += 1;
        let course = Course {
            workload,
            sites: &sites,
            prefix: &prefix,
            // As in the simulator.
            spread: Duration::from_micros(2 * farthest_us),
            has_fast_path: self.target.path == Path::Fast,
            progress,
        };
        let relay = |cluster: &LocalCluster| {
            let mesh = cluster.mesh().expect("there is a planet");
            let stats = mesh.relay().stats();
            mesh.relay().clear_stats();
            stats
        };
        relay(&self.cluster);
        let measured = course.run(Some(&mut self.cluster)).await?;
        let stats = relay(&self.cluster);
        let (p50_us, p99_us) = (stats.delay_error.p50_us, stats.delay_error.p99_us);
        progress(Told::Said(&format!(
            "the emulated network was late by {p50_us} us at the median, {p99_us} us at p99"
        )));
        // Nobody who was not killed may have ended.
        self.cluster.check()?;
        let protocol = match self.target.path {
            Path::Fast => Protocol::Fast,
            Path::Classic => Protocol::Classic,
        };
        let (regions, seconds) = (measured.regions, measured.seconds);
        let f = self.target.f;
        Ok(Run::of(workload, &protocol, f, regions, seconds, measured.linearizable))
    }

    /// Starts what an earlier run left dead, and waits until all nodes know how far the others are:
    /// until then they do not know which quorum is near.
    async fn mend(&mut self) -> Result<(), BenchError> {
        for node in 0..self.cluster.len() {
            if self.cluster.process_id(node).is_none() {
                self.cluster.restart(node).await?;
            }
        }
        let begun = Instant::now();
        while !self.is_connected().await? && begun.elapsed() < LINKS_PATIENCE {
            self.cluster.check()?;
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn is_connected(&self) -> Result<bool, BenchError> {
        for node in 0..self.cluster.len() {
            let status = self.cluster.status(node).await?;
            if !status.links.iter().all(|link| link.up && link.round_trip_ms.is_some()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
