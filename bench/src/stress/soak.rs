//! `althing bench soak`: many commands through a cluster in one run, and whether anything grows.

use super::commands::CommandArgs;
use super::load::Load;
use super::nodes::Nodes;
use super::sampler::{Sample, Sampler, Usage};
use super::tally::Tally;
use super::{Outcome, attend, figure, mib, report, rounded, say};
use crate::real::Progress;
use crate::{BenchError, output};
use althing_local::Settings;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Pass many commands through a cluster of processes, and see whether memory, disk or throughput
/// drift.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct SoakArgs {
    /// Commands that are answered in all.
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(100..))]
    commands: u64,
    /// Processes, each with every role.
    #[arg(long, value_name = "N", default_value_t = 3,
        value_parser = clap::value_parser!(u64).range(3..=15))]
    nodes: u64,
    /// Clients at each node, each with one command under way; enough to saturate it.
    #[arg(long, value_name = "N", default_value_t = 128,
        value_parser = clap::value_parser!(u64).range(1..=100_000))]
    clients: u64,
    #[command(flatten)]
    asked: CommandArgs,
    /// Write plots and a page into this directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON on stdout, and nothing else there.
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Example:
  althing bench soak --commands 10000000 --out soak
  althing bench soak --commands 200000 --keys 1000 --payload 1000 --json

What is measured: closed-loop clients keep every node busy with commands over a bounded range of keys,
so that the state is bounded. About once a second each process's resident memory (/proc/PID/statm) and
the disk space of its data directory (blocks in use) are read. `warm` is the highest of the second
tenth of the commands, when caches, buffers and keys are there; `end` the highest of the last tenth;
each of the process that grew most from the one to the other. `budget` is what the node itself says
that its configuration allows for log and kept snapshots; null where nothing bounds them. The
throughput ratio is that of the last tenth of the commands over that of the first.

The JSON: `commands`, `seconds`, `rss_mib` (`warm`, `end`), `disk_mib` (`warm`, `end`, `budget`),
`throughput_ratio`.

Exit codes: 0 done, 1 a node ended or answered no more, 2 wrong usage, 4 a node cannot start.";

/// What a soak came to; the shape of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Soak {
    commands: u64,
    seconds: f64,
    rss_mib: Memory,
    disk_mib: Disk,
    throughput_ratio: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Memory {
    warm: f64,
    end: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Disk {
    warm: f64,
    end: f64,
    budget: Option<f64>,
}

impl SoakArgs {
    /// Does it, and prints what came of it; `command_line` is what made it, for the page.
    ///
    /// # Errors
    /// What was wrong, and what to do.
    pub fn run(&self, command_line: &str) -> Result<(), BenchError> {
        report(self.json, async |binary, progress| self.soak(binary, command_line, progress).await)
    }

    async fn soak(
        &self,
        binary: PathBuf,
        command_line: &str,
        progress: Progress<'_>,
    ) -> Result<Soak, BenchError> {
        let source = self.asked.source()?;
        let settings = Settings::new(binary, self.nodes as usize);
        let mut nodes = Nodes::start(settings, progress).await?;
        let clients = self.clients as usize;
        let mut sessions = Vec::new();
        for node in nodes.fronts() {
            let room = |config: &mut althing_sdk::Config| {
                config.in_flight_max = config.in_flight_max.max(clients);
            };
            sessions.push((node, nodes.session(node, room).await?));
        }
        let tally = Arc::new(Tally::start(Some(self.commands)));
        let sampler = Sampler::start(&nodes, tally.clone(), self.commands / 10);
        let mut load = Load::new(tally.clone(), None, Some(self.commands));
        for (node, kv) in &sessions {
            (0..clients).for_each(|_| load.closed(*node, kv, source.client(), Duration::ZERO));
        }
        attend(load.ended(), &mut nodes, &tally, progress).await?;
        let seconds = tally.now().as_secs_f64();
        let samples = sampler.stop().await;
        nodes.cluster.check()?;
        let mut budget_bytes: Option<u64> = None;
        for node in 0..nodes.cluster.len() {
            budget_bytes = budget_bytes.max(nodes.disk_budget_bytes(node).await);
        }
        let soak = Soak {
            commands: tally.answered(),
            seconds: rounded(seconds),
            rss_mib: grew_most(&samples, self.commands, |usage| usage.rss_bytes).into(),
            disk_mib: grew_most(&samples, self.commands, |usage| usage.disk_bytes)
                .within(budget_bytes),
            throughput_ratio: throughput_ratio(&tally.tenths()).map(rounded),
        };
        if let Some(dir) = &self.out {
            let steps = tally.steps();
            let course = output::Course { samples: &samples, steps: &steps, budget_bytes };
            let files = output::write_course(&course, &soak.rows(), dir, command_line)
                .map_err(|error| BenchError::Output(error.into()))?;
            say(progress, format!("{} files in {}", files.len(), dir.display()));
        }
        Ok(soak)
    }
}

/// What one process took, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Growth {
    warm: u64,
    end: u64,
}

impl From<Growth> for Memory {
    fn from(Growth { warm, end }: Growth) -> Self {
        Self { warm: mib(warm), end: mib(end) }
    }
}

impl Growth {
    fn within(self, budget_bytes: Option<u64>) -> Disk {
        Disk { warm: mib(self.warm), end: mib(self.end), budget: budget_bytes.map(mib) }
    }
}

/// The highest in the second tenth of the commands and in the last, of the process where they are
/// farthest apart.
fn grew_most(samples: &[Sample], commands: u64, of: impl Fn(&Usage) -> u64) -> Growth {
    let tenth = commands / 10;
    let count = samples.first().map_or(0, |sample| sample.nodes.len());
    let highest = |node: usize, from: u64, to: u64| {
        // Of a tenth that was over between two looks, the first look after it.
        let within = samples.iter().filter(|sample| (from..=to).contains(&sample.answered));
        let after = samples.iter().find(|sample| sample.answered >= from);
        within.chain(after).map(|sample| of(&sample.nodes[node])).max().unwrap_or_default()
    };
    let growth = |node| Growth {
        warm: highest(node, tenth, 2 * tenth),
        end: highest(node, commands.saturating_sub(tenth), u64::MAX),
    };
    let all = (0..count).map(growth);
    all.max_by_key(|it| (it.end as i64 - it.warm as i64, it.end)).unwrap_or_default()
}

/// The throughput of the last tenth of the commands over that of the first; none before all are done.
fn throughput_ratio(tenths: &[Duration]) -> Option<f64> {
    let [first, .., before, last] = tenths else { return None };
    let took = last.saturating_sub(*before).as_secs_f64();
    (tenths.len() == 10 && took > 0.0).then(|| first.as_secs_f64() / took)
}

impl Outcome for Soak {
    fn rows(&self) -> Vec<(String, String)> {
        let per_second = self.commands as f64 / self.seconds.max(f64::MIN_POSITIVE);
        let budget = match self.disk_mib.budget {
            Some(mib) => format!("{mib:.1} MiB"),
            None => "no bound".to_owned(),
        };
        let mib = |mib: f64| format!("{mib:.1} MiB");
        let rows = [
            ("commands answered", self.commands.to_string()),
            ("seconds", format!("{:.1}", self.seconds)),
            ("commands a second", format!("{per_second:.0}")),
            ("memory, warm", mib(self.rss_mib.warm)),
            ("memory, end", mib(self.rss_mib.end)),
            ("disk, warm", mib(self.disk_mib.warm)),
            ("disk, end", mib(self.disk_mib.end)),
            ("disk, budget", budget),
            ("throughput, last tenth over first", figure(self.throughput_ratio, "")),
        ];
        rows.map(|(name, figure)| (name.to_owned(), figure)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(answered: u64, rss: [u64; 2]) -> Sample {
        let usage = |rss_bytes| Usage { rss_bytes, disk_bytes: 1 };
        Sample { at: Duration::from_secs(answered), answered, nodes: rss.map(usage).into() }
    }

    /// Broken: growth is hidden by a process that does not grow, by what is taken before the run is
    /// warm, or by a run that is over between two looks.
    #[test]
    fn growth_is_that_of_the_process_that_grew_most() {
        let rss = |samples: &[Sample]| grew_most(samples, 100, |usage| usage.rss_bytes);
        let samples = [
            sample(0, [900, 1]),
            sample(10, [50, 10]),
            sample(18, [60, 12]),
            sample(50, [99, 13]),
            sample(91, [61, 30]),
            sample(100, [60, 29]),
        ];
        assert_eq!(rss(&samples), Growth { warm: 12, end: 30 });
        assert_eq!(rss(&[sample(0, [1, 1]), sample(100, [9, 7])]), Growth { warm: 9, end: 9 });
        assert_eq!(rss(&[]), Growth::default());
        assert_eq!(grew_most(&samples, 100, |usage| usage.disk_bytes).warm, 1);
    }

    /// Broken: a cluster that became slower is told to have become faster.
    #[test]
    fn a_slower_end_is_a_ratio_below_one() {
        let tenths: Vec<_> = (1..=9).map(Duration::from_secs).collect();
        assert_eq!(throughput_ratio(&tenths), None);
        let all = [&tenths[..], &[Duration::from_secs(13)]].concat();
        assert_eq!(throughput_ratio(&all), Some(0.25));
    }

    /// Broken: a program that reads the agreed keys finds others.
    #[test]
    fn the_json_has_the_agreed_keys() {
        let growth = Growth { warm: 1 << 20, end: 3 << 19 };
        let soak = Soak {
            commands: 5,
            seconds: 2.0,
            rss_mib: growth.into(),
            disk_mib: growth.within(None),
            throughput_ratio: None,
        };
        assert_eq!(
            serde_json::to_string(&soak).unwrap(),
            r#"{"commands":5,"seconds":2.0,"rss_mib":{"warm":1.0,"end":1.5},"disk_mib":{"warm":1.0,"end":1.5,"budget":null},"throughput_ratio":null}"#
        );
    }
}
