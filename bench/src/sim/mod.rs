//! The discrete-event simulator: real role cores in regions of a planet, in virtual time.
//!
//! A message takes the planet's one way from its sender's region to its receiver's; within a node
//! nothing takes time, neither handling nor the disk, and clients stand beside their node. So a
//! latency is made of distances and of waiting for other commands, and of nothing else. Everything
//! follows from the workload's seed.
//!
//! ```
//! use althing_bench::{Protocol, Workload, sim};
//! // The reference setting: five regions, a client in each.
//! let run = sim::run(&Workload::default(), &Protocol::Fast, 1)?;
//! assert_eq!(run.linearizable, Some(true));
//! # Ok::<(), althing_bench::BenchError>(())
//! ```
//!
//! Other protocols run on the same simulator, with the same clients and the same checks of what they
//! saw: each is a [`ProtocolNode`].

mod althing;
mod application;
mod bound;
mod clients;
mod epaxos;
mod history;
mod leader;
mod node;
mod queue;
mod settings;
#[cfg(test)]
mod tests;
mod world;

pub use application::Application;
pub use node::{Commits, Out, Outcome, ProtocolNode, Request, RequestNumber};
pub use settings::Settings;

use crate::ground::{Ground, check_failures};
use crate::{BenchError, Protocol, RegionRun, Run, Workload};
use althing::{AlthingNode, Sessions};
use althing_checker::Violation;
use althing_model::{Membership, Path};
use althing_planet::{fast_quorum_size, majority};
use application::KeyValue;
use epaxos::EpaxosNode;
use leader::{LeaderNode, QuorumSizes};
use std::rc::Rc;
use world::{Finished, World};

/// Runs a workload under a protocol.
///
/// # Errors
/// What is wrong with the workload, or does not fit together.
pub fn run(workload: &Workload, protocol: &Protocol, f: usize) -> Result<Run, BenchError> {
    run_with(workload, protocol, f, &Settings::default(), &|_| {})
}

/// Runs a workload under a protocol whose nodes are set so; `progress` is told, now and then, how
/// much of it is over, from 0 to 1.
///
/// # Errors
/// What is wrong with the workload, or does not fit together.
pub fn run_with(
    workload: &Workload,
    protocol: &Protocol,
    f: usize,
    settings: &Settings,
    progress: &dyn Fn(f64),
) -> Result<Run, BenchError> {
    run_application(workload, protocol, f, settings, Rc::new(KeyValue), progress)
}

/// Runs a workload whose commands are those of an application; with another one than the store,
/// [`Settings::checks`] must be off, and the protocol Althing.
///
/// # Errors
/// What is wrong with the workload, or does not fit together.
pub fn run_application(
    workload: &Workload,
    protocol: &Protocol,
    f: usize,
    settings: &Settings,
    application: Rc<dyn Application>,
    progress: &dyn Fn(f64),
) -> Result<Run, BenchError> {
    let (finished, ground) = simulate(workload, protocol, f, settings, application, progress)?;
    let bounds = ground.bounds_us(fast_quorum_size(ground.regions.len(), f));
    let has_fast_path = matches!(protocol, Protocol::Fast | Protocol::Atlas | Protocol::Epaxos);
    Ok(assemble(workload, protocol, f, finished, &bounds, has_fast_path))
}

/// Why a run is not linearizable, if it is not: by running it again.
///
/// # Errors
/// As of [`run_with`].
pub fn violation(
    workload: &Workload,
    protocol: &Protocol,
    f: usize,
    settings: &Settings,
) -> Result<Option<Violation>, BenchError> {
    let (finished, _) = simulate(workload, protocol, f, settings, Rc::new(KeyValue), &|_| {})?;
    Ok(finished.verdict.and_then(Result::err))
}

fn simulate(
    workload: &Workload,
    protocol: &Protocol,
    f: usize,
    settings: &Settings,
    application: Rc<dyn Application>,
    progress: &dyn Fn(f64),
) -> Result<(Finished, Ground), BenchError> {
    let ground = Ground::of(workload)?;
    let n = ground.regions.len();
    check_failures(f, n)?;
    if *protocol == Protocol::Epaxos && workload.crash.is_some() {
        let text = "epaxos: this baseline has no recovery, and runs without failures only; leave \
                    `--crash` out, or this protocol";
        return Err(BenchError::invalid(text));
    }
    if *protocol == Protocol::Epaxos && workload.additions {
        let text = "epaxos: this baseline knows reads and writes only; leave `--additions` out, or \
                    this protocol";
        return Err(BenchError::invalid(text));
    }
    let setting = Setting { workload, settings, ground: &ground, f, application, progress };
    let finished = match protocol {
        Protocol::Fast | Protocol::Atlas => setting.althing(protocol, Path::Fast),
        Protocol::Classic => setting.althing(protocol, Path::Classic),
        Protocol::Leader { region } => {
            setting.leader(region, QuorumSizes { phase1: n - f, phase2: f + 1 })
        }
        Protocol::LeaderMajority { region } => {
            let majority = majority(n);
            setting.leader(region, QuorumSizes { phase1: majority, phase2: majority })
        }
        Protocol::Epaxos => {
            let nodes = (0..n).map(|me| EpaxosNode::new(me, n)).collect();
            setting.run(settings, nodes)
        }
        Protocol::Bound => bound::bound(workload, &ground.bounds_us(fast_quorum_size(n, f))),
    };
    Ok((finished, ground))
}

/// What a run is made from.
struct Setting<'a> {
    workload: &'a Workload,
    settings: &'a Settings,
    ground: &'a Ground,
    f: usize,
    application: Rc<dyn Application>,
    progress: &'a dyn Fn(f64),
}

impl Setting<'_> {
    fn run<P: ProtocolNode>(&self, settings: &Settings, nodes: Vec<P>) -> Finished {
        World::new(self.workload, settings, self.ground.distances(), nodes, self.progress).run()
    }

    fn althing(&self, protocol: &Protocol, path: Path) -> Finished {
        let settings = althing_settings(self.workload, protocol, self.settings);
        let n = self.ground.regions.len();
        let membership = Membership::colocated(n as u32, self.f, path).expect("f was checked");
        let sessions = Sessions::default();
        let crashing = self.workload.crash.as_ref().map(|crash| &crash.region);
        let node = |me: usize| {
            let keeps_records = crashing == Some(&self.workload.regions[me]);
            let (seed, sessions) = (self.workload.seed, sessions.clone());
            let application = self.application.clone();
            AlthingNode::new(me, &membership, seed, &settings, keeps_records, sessions, application)
        };
        self.run(&settings, (0..n).map(node).collect())
    }

    /// With a leader in `region` at first, and after it in the best place that is left.
    fn leader(&self, region: &str, quorums: QuorumSizes) -> Finished {
        let Ground { planet, regions } = self.ground;
        let mean_us = |node: usize| {
            let mean_us = planet.leader_mean_us(&regions[node], regions, quorums.phase2);
            mean_us.expect("of its own regions")
        };
        let mut succession: Vec<usize> = (0..regions.len()).collect();
        succession.sort_by_key(|node| (regions[*node].name() != region, mean_us(*node), *node));
        let keeps_replies = self.workload.crash.is_some();
        let node = |me| LeaderNode::new(me, succession.clone(), quorums, keeps_replies);
        self.run(self.settings, (0..regions.len()).map(node).collect())
    }
}

/// The settings of Althing's nodes: the workload decides over batches.
fn althing_settings(workload: &Workload, protocol: &Protocol, settings: &Settings) -> Settings {
    let mut settings = *settings;
    settings.proposer_limits.batch_len_max = workload.batch_len_max;
    settings.proposer_limits.batch_delay = workload.batch_delay_us;
    if *protocol == Protocol::Atlas {
        // What is added to the rule is left out.
        settings.proposer_limits.placements_max = 0;
        settings.replica_limits.demand_len_max = 0;
    }
    settings
}

fn assemble(
    workload: &Workload,
    protocol: &Protocol,
    f: usize,
    finished: Finished,
    bounds: &[u64],
    has_fast_path: bool,
) -> Run {
    let Finished { figures, commits, seconds, end, verdict } = finished;
    let regions = figures.into_iter().zip(commits).zip(bounds).zip(&workload.regions);
    let regions = regions.map(|(((mut figures, commits), bound_us), name)| {
        let all = commits.fast + commits.slow;
        RegionRun {
            name: name.clone(),
            latency: std::mem::replace(&mut figures.latency, RegionRun::histogram()),
            unanswered: figures.unanswered,
            bound_us: *bound_us,
            fast_share: (has_fast_path && all > 0).then(|| commits.fast as f64 / all as f64),
            timeline: figures.timeline(end),
        }
    });
    let linearizable = verdict.map(|verdict| verdict.is_ok());
    Run::of(workload, protocol, f, regions.collect(), seconds, linearizable)
}
