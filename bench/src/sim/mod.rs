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
mod clients;
mod history;
mod node;
mod queue;
mod settings;
mod world;

pub use node::{Commits, Out, Outcome, ProtocolNode, Request, RequestNumber};
pub use settings::Settings;

use crate::ground::{Ground, check_failures};
use crate::{BenchError, Protocol, RegionRun, Run, Workload};
use althing::{AlthingNode, Sessions};
use althing_model::{Membership, Path};
use althing_planet::fast_quorum_size;
use world::{Finished, World};

/// Runs a workload under a protocol.
///
/// # Errors
/// What is wrong with the workload, or does not fit together.
pub fn run(workload: &Workload, protocol: &Protocol, f: usize) -> Result<Run, BenchError> {
    run_with(workload, protocol, f, &Settings::default(), &|_| {})
}

/// Runs a workload under a protocol whose nodes are set so; `progress` is told, now and then, how
/// many commands were answered.
///
/// # Errors
/// What is wrong with the workload, or does not fit together.
pub fn run_with(
    workload: &Workload,
    protocol: &Protocol,
    f: usize,
    settings: &Settings,
    progress: &dyn Fn(u64),
) -> Result<Run, BenchError> {
    let ground = Ground::of(workload)?;
    let n = ground.regions.len();
    check_failures(f, n)?;
    let bounds = ground.bounds_us(fast_quorum_size(n, f));
    let has_fast_path = *protocol != Protocol::Classic;
    let finished = match protocol {
        Protocol::Fast | Protocol::Atlas | Protocol::Classic => {
            let path = match protocol {
                Protocol::Classic => Path::Classic,
                _ => Path::Fast,
            };
            let settings = althing_settings(workload, protocol, settings);
            let membership = Membership::colocated(n as u32, f, path).expect("f was checked");
            let sessions = Sessions::default();
            let node = |me: usize| {
                let keeps_records = workload
                    .crash
                    .as_ref()
                    .is_some_and(|crash| crash.region == workload.regions[me]);
                let sessions = sessions.clone();
                AlthingNode::new(me, &membership, workload.seed, &settings, keeps_records, sessions)
            };
            let nodes = (0..n).map(node).collect();
            World::new(workload, &settings, ground.distances(), nodes, progress).run()
        }
        _ => return Err(BenchError::invalid("this protocol is not simulated yet")),
    };
    Ok(assemble(workload, protocol, f, finished, &bounds, has_fast_path))
}

/// The settings of Althing's nodes: the workload decides over batches.
fn althing_settings(workload: &Workload, protocol: &Protocol, settings: &Settings) -> Settings {
    let mut settings = *settings;
    settings.proposer_limits.batch_len_max = workload.batch_len_max;
    settings.proposer_limits.batch_delay = workload.batch_delay_us;
    if *protocol == Protocol::Atlas {
        // What is added to the rule, and can be left out, is left out here.
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
