//! Looks at every process about once a second.

use super::nodes::Nodes;
use super::process;
use super::tally::Tally;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// About how often every process is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often it is asked whether it is time for that.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What one look found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// When, from the tally's beginning.
    pub(crate) at: Duration,
    /// Commands that were answered by then.
    pub(crate) answered: u64,
    /// Node by node.
    pub(crate) nodes: Vec<Usage>,
}

/// What one process takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Resident memory.
    pub(crate) rss_bytes: u64,
    /// Its data directory.
    pub(crate) disk_bytes: u64,
}

/// A task that takes samples until it is stopped.
pub(super) struct Sampler {
    stop: oneshot::Sender<()>,
    samples: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    /// Looks at all nodes of a cluster, of which none is restarted meanwhile: at once, about every
    /// second, and whenever another so many commands are answered, however short the run.
    pub(super) fn start(nodes: &Nodes, tally: Arc<Tally>, answers: u64) -> Self {
        let cluster = &nodes.cluster;
        let places: Vec<(Option<u32>, PathBuf)> = (0..cluster.len())
            .map(|node| (cluster.process_id(node), cluster.data_dir(node)))
            .collect();
        let (stop, mut stopped) = oneshot::channel();
        let samples = tokio::spawn(async move {
            let mut ticks = interval(ASK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut samples: Vec<Sample> = Vec::new();
            loop {
                let is_last = tokio::select! {
                    _ = ticks.tick() => false,
                    _ = &mut stopped => true,
                };
                let (now, answered) = (tally.now(), tally.answered());
                let is_due = samples.last().is_none_or(|last| {
                    now >= last.at + LOOK_EVERY || answered / answers > last.answered / answers
                });
                if is_last || is_due {
                    samples.push(look(&places, &tally));
                }
                if is_last {
                    return samples;
                }
            }
        });
        Self { stop, samples }
    }

    /// Takes a last sample, and returns all.
    pub(super) async fn stop(self) -> Vec<Sample> {
        // It runs until it is told.
        let _ = self.stop.send(());
        self.samples.await.expect("it does not panic, and nobody aborts it")
    }
}

fn look(places: &[(Option<u32>, PathBuf)], tally: &Tally) -> Sample {
    let usage = |(process, dir): &(Option<u32>, PathBuf)| Usage {
        // A process that ended is told of by whoever looks after the cluster.
        rss_bytes: process.and_then(|id| process::rss_bytes(id).ok()).unwrap_or_default(),
        disk_bytes: process::disk_bytes(dir),
    };
    let nodes = places.iter().map(usage).collect();
    Sample { at: tally.now(), answered: tally.answered(), nodes }
}
