//! `althing bench overload`: more is asked for than can be done.

use super::commands::{CommandArgs, Source};
use super::load::Load;
use super::nodes::Nodes;
use super::tally::{Phase, Tally};
use super::{Outcome, attend, figure, mib, process, report, rounded, say};
use crate::BenchError;
use crate::real::Progress;
use althing_local::Settings;
use althing_node::config::LimitsEntry;
use althing_sdk::KvClient;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Latency is normal again from the first of so many answers in a row, at each node, that are.
const NORMAL_ANSWERS: usize = 5;

/// An answer is normal within so many times the p99 without load.
const NORMAL_RATIO: f64 = 2.0;

/// How long it may take until latency is normal.
const NORMAL_PATIENCE: Duration = Duration::from_secs(120);

/// A generator that takes this share of its threads' time, or is this late, may be what saturates.
const GENERATOR_SHARE_MAX: f64 = 0.8;
const GENERATOR_LATE_MS_MAX: f64 = 50.0;

/// Ask a cluster for several times what it can do, and see what it still does.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct OverloadArgs {
    /// How long it is overloaded.
    #[arg(long, value_name = "S", default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// How many times the peak is asked for.
    #[arg(long, value_name = "F", default_value_t = 10.0)]
    factor: f64,
    /// Processes, each with every role.
    #[arg(long, value_name = "N", default_value_t = 3,
        value_parser = clap::value_parser!(u64).range(3..=15))]
    nodes: u64,
    /// Added to each sync of the journals, in milliseconds: a slow disk, which lowers what the
    /// cluster can do below what the generator can.
    #[arg(long, value_name = "MS", default_value_t = 20,
        value_parser = clap::value_parser!(u64).range(0..=10_000))]
    sync_delay_ms: u64,
    /// Vertices in flight at a node (`limits.in_flight`): with the sync's delay, what it can do.
    #[arg(long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    in_flight: u64,
    /// Commands in a vertex at most (`limits.batch_commands`).
    #[arg(long, value_name = "N", default_value_t = 8,
        value_parser = clap::value_parser!(u64).range(1..=256))]
    batch: u64,
    /// Commands that may wait at a node (`limits.queue`) [default: the node's own].
    #[arg(long, value_name = "N")]
    queue: Option<usize>,
    /// How long a client waits for its command.
    #[arg(long, value_name = "MS", default_value_t = 5_000,
        value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout_ms: u64,
    /// Sessions at each node that the open load is spread over.
    #[arg(long, value_name = "N", default_value_t = 16,
        value_parser = clap::value_parser!(u64).range(1..=1000))]
    sessions: u64,
    /// The memory that a process may take.
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    memory_budget_mib: u64,
    #[command(flatten)]
    asked: CommandArgs,
    /// Print JSON on stdout, and nothing else there.
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Example:
  althing bench overload --seconds 60 --factor 10
  althing bench overload --seconds 10 --factor 4 --queue 256 --timeout-ms 2000 --json

What is measured, one after the other, on processes with slow syncs and few vertices in flight:
  unloaded   p99 of one closed-loop client at each node
  peak       answers a second of closed-loop clients, four times as many as fit into the vertices in
             flight
  overload   an open load (random arrivals, whatever is answered) of so many times the peak; each
             command is sent once, to the node of its session: one that is turned away is not sent
             again, and ends as overloaded when its time is up
  goodput    answers in that time, over the peak
  admitted   p99 of the commands that were answered, from when they were to be sent
  shares     of all commands: answered, shed (the typed error: overloaded, no effect), failed for
             another reason, and unknown (no answer in time)
  memory     the most that any process ever had resident (VmHWM)
  recovery   from the end of the load until one client at each node has five answers in a row within
             twice the unloaded p99
  generator  its own processor time in cores, how late it sent (p99), and whether it may be what
             saturated: over 80 % of its two threads, or 50 ms late

The JSON: `seconds`, `factor`, `peak_per_second`, `offered_per_second`, `goodput_per_second`,
`goodput_ratio`, `p99_ms` (`unloaded`, `admitted`), `share` (`answered`, `shed`, `failed`, `unknown`),
`rss_mib` (`peak`, `budget`), `recovery_seconds` (null: not in two minutes), `generator` (`cpu_cores`,
`late_p99_ms`, `saturated`), `nodes_cpu_cores`.

Exit codes: 0 done, 1 a node ended or answered no more, 2 wrong usage, 4 a node cannot start.";

/// What an overload came to; the shape of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Overload {
    seconds: f64,
    factor: f64,
    peak_per_second: f64,
    offered_per_second: f64,
    goodput_per_second: f64,
    goodput_ratio: f64,
    p99_ms: Latency,
    share: Share,
    rss_mib: Memory,
    recovery_seconds: Option<f64>,
    generator: Generator,
    nodes_cpu_cores: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Latency {
    unloaded: Option<f64>,
    admitted: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Share {
    answered: f64,
    shed: f64,
    failed: f64,
    unknown: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Memory {
    peak: f64,
    budget: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Generator {
    cpu_cores: f64,
    late_p99_ms: f64,
    saturated: bool,
}

impl Share {
    fn of(phase: &Phase) -> Self {
        let all = phase.ended().max(1) as f64;
        let share = |count: u64| rounded(count as f64 / all);
        Self {
            answered: share(phase.latency.len()),
            shed: share(phase.shed),
            failed: share(phase.failed),
            unknown: share(phase.unknown),
        }
    }
}

impl OverloadArgs {
    /// Does it, and prints what came of it.
    ///
    /// # Errors
    /// What was wrong, and what to do.
    pub fn run(&self) -> Result<(), BenchError> {
        report(self.json, async |binary, progress| self.overload(binary, progress).await)
    }

    async fn overload(
        &self,
        binary: PathBuf,
        progress: Progress<'_>,
    ) -> Result<Overload, BenchError> {
        if !(self.factor > 0.0 && self.factor <= 1000.0) {
            return Err(BenchError::invalid("the factor is above 0, up to 1000"));
        }
        let source = self.asked.source()?;
        let mut nodes = Nodes::start(self.settings(binary), progress).await?;
        let tally = Arc::new(Tally::start(None));

        // The first commands of all make connections and keys.
        let lone = self.lone_clients(&nodes).await?;
        self.closed(1, &lone, &source, &tally, part(self.seconds, 20), &mut nodes, progress)
            .await?;
        let unloaded = tally.begin_phase();
        let time = part(self.seconds, 5);
        self.closed(1, &lone, &source, &tally, time, &mut nodes, progress).await?;
        let unloaded = tally.phase(unloaded);

        let clients = 4 * (self.in_flight * self.batch) as usize;
        let mut wide = Vec::new();
        for node in nodes.fronts() {
            let room = |it: &mut althing_sdk::Config| {
                it.in_flight_max = it.in_flight_max.max(clients);
            };
            wide.push((node, nodes.session(node, room).await?));
        }
        let time = part(self.seconds, 20);
        self.closed(clients, &wide, &source, &tally, time, &mut nodes, progress).await?;
        let (answered, begun) = (tally.answered(), Instant::now());
        let time = part(self.seconds, 5);
        self.closed(clients, &wide, &source, &tally, time, &mut nodes, progress).await?;
        let peak = (tally.answered() - answered) as f64 / begun.elapsed().as_secs_f64();
        drop(wide);
        say(progress, format!("{peak:.0} answers a second at the peak"));

        let sessions = self.sessions(&nodes).await?;
        let (offered, time) = (self.factor * peak, Duration::from_secs(self.seconds));
        say(progress, format!("{offered:.0} commands a second from now on, for {time:?}"));
        let phase = tally.begin_phase();
        let until = tally.now() + time;
        let (answered, cpu) = (tally.answered(), Cpu::now(&nodes)?);
        let mut load = Load::new(tally.clone(), None, None);
        let rate = offered / sessions.len() as f64;
        for (node, sessions) in &sessions {
            load.open(*node, sessions, source.client(), rate, until);
        }
        attend(tokio::time::sleep_until(tally.at(until)), &mut nodes, &tally, progress).await?;
        let goodput = (tally.answered() - answered) as f64 / time.as_secs_f64();
        let cpu = Cpu::now(&nodes)?.since(cpu, time);
        let recovery = recovery(&lone, &source, &unloaded);
        let recovery = attend(recovery, &mut nodes, &tally, progress).await?;
        attend(load.ended(), &mut nodes, &tally, progress).await?;
        let phase = tally.phase(phase);

        let mut rss_peak = 0;
        for node in 0..nodes.cluster.len() {
            let id = nodes.cluster.process_id(node).expect("nobody killed it");
            rss_peak = rss_peak.max(process::rss_peak_bytes(id)?);
        }
        let late_p99_ms = tally.late_p99_ms();
        let share = cpu.own / crate::real::CLIENT_THREADS as f64;
        Ok(Overload {
            seconds: time.as_secs_f64(),
            factor: self.factor,
            peak_per_second: rounded(peak),
            offered_per_second: rounded(phase.ended() as f64 / time.as_secs_f64()),
            goodput_per_second: rounded(goodput),
            goodput_ratio: rounded(goodput / peak),
            p99_ms: Latency {
                unloaded: unloaded.percentile_ms(99.0),
                admitted: phase.percentile_ms(99.0),
            },
            share: Share::of(&phase),
            rss_mib: Memory { peak: mib(rss_peak), budget: self.memory_budget_mib as f64 },
            recovery_seconds: recovery.map(|time| rounded(time.as_secs_f64())),
            generator: Generator {
                cpu_cores: rounded(cpu.own),
                late_p99_ms,
                saturated: share > GENERATOR_SHARE_MAX || late_p99_ms > GENERATOR_LATE_MS_MAX,
            },
            nodes_cpu_cores: rounded(cpu.nodes),
        })
    }

    fn settings(&self, binary: PathBuf) -> Settings {
        let mut settings = Settings::new(binary, self.nodes as usize);
        let defaults = LimitsEntry::default();
        // Connections of this run's clients, all with one certificate.
        let connections = (self.nodes * (self.sessions + 2)) as usize;
        settings.limits = LimitsEntry {
            in_flight: self.in_flight as usize,
            batch_commands: self.batch as usize,
            queue: self.queue.unwrap_or(defaults.queue),
            clients: defaults.clients.max(connections),
            connections_per_client: defaults.connections_per_client.max(connections),
            ..defaults
        };
        settings.journal.sync_delay_us = self.sync_delay_ms * 1000;
        settings
    }

    async fn lone_clients(&self, nodes: &Nodes) -> Result<Vec<(usize, KvClient)>, BenchError> {
        let mut clients = Vec::new();
        for node in nodes.fronts() {
            clients.push((node, nodes.session(node, |_| {}).await?));
        }
        Ok(clients)
    }

    /// Clients that send each command once.
    async fn sessions(&self, nodes: &Nodes) -> Result<Vec<(usize, Vec<KvClient>)>, BenchError> {
        let timeout = Duration::from_millis(self.timeout_ms);
        let mut all = Vec::new();
        for node in nodes.fronts() {
            let mut opening = JoinSet::new();
            for _ in 0..self.sessions {
                let once = move |config: &mut althing_sdk::Config| {
                    config.in_flight_max = 1 << 20;
                    config.timeout = timeout;
                    config.attempt_timeout = timeout;
                    config.back_off = 2 * timeout;
                };
                opening.spawn(nodes.session(node, once));
            }
            let sessions = opening.join_all().await.into_iter().collect::<Result<_, _>>()?;
            all.push((node, sessions));
        }
        Ok(all)
    }

    /// So many closed-loop clients at each node, for so long.
    #[expect(clippy::too_many_arguments, reason = "all that a load is made of, for one file")]
    async fn closed(
        &self,
        clients: usize,
        sessions: &[(usize, KvClient)],
        source: &Source,
        tally: &Arc<Tally>,
        time: Duration,
        nodes: &mut Nodes,
        progress: Progress<'_>,
    ) -> Result<(), BenchError> {
        let mut load = Load::new(tally.clone(), None, None);
        for (node, kv) in sessions {
            (0..clients).for_each(|_| load.closed(*node, kv, source.client(), Duration::ZERO));
        }
        attend(sleep(time), nodes, tally, progress).await?;
        attend(load.finish(), nodes, tally, progress).await.map(|_| ())
    }
}

/// A part of the time, between a second and a quarter of a minute.
fn part(seconds: u64, of: u32) -> Duration {
    (Duration::from_secs(seconds) / of).clamp(Duration::from_secs(1), Duration::from_secs(15))
}

/// From now until latency is normal again at every node; none if it is not in time.
async fn recovery(
    clients: &[(usize, KvClient)],
    source: &Source,
    unloaded: &Phase,
) -> Option<Duration> {
    let normal_ms = NORMAL_RATIO * unloaded.percentile_ms(99.0)?;
    let begun = Instant::now();
    let mut nodes = JoinSet::new();
    for (_, kv) in clients {
        let (kv, mut commands) = (kv.clone(), source.client());
        nodes.spawn(async move {
            let (mut first, mut row) = (begun.elapsed(), 0);
            while begun.elapsed() < NORMAL_PATIENCE {
                let sent = begun.elapsed();
                let command = super::load::Commands::next_command(&mut commands);
                let is_answered = kv.execute(command).await.is_ok();
                let took_ms = (begun.elapsed() - sent).as_secs_f64() * 1e3;
                if !is_answered || took_ms > normal_ms {
                    row = 0;
                    continue;
                }
                if row == 0 {
                    first = sent;
                }
                row += 1;
                if row == NORMAL_ANSWERS {
                    return Some(first);
                }
            }
            None
        });
    }
    nodes.join_all().await.into_iter().collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// Processor time, in seconds, or cores over some time.
#[derive(Debug, Clone, Copy)]
struct Cpu {
    own: f64,
    nodes: f64,
}

impl Cpu {
    fn now(nodes: &Nodes) -> Result<Self, BenchError> {
        let mut all = 0.0;
        for node in 0..nodes.cluster.len() {
            if let Some(id) = nodes.cluster.process_id(node) {
                all += process::cpu_seconds(id)?;
            }
        }
        Ok(Self { own: process::cpu_seconds(std::process::id())?, nodes: all })
    }

    fn since(self, base: Self, time: Duration) -> Self {
        let seconds = time.as_secs_f64();
        Self { own: (self.own - base.own) / seconds, nodes: (self.nodes - base.nodes) / seconds }
    }
}

impl Outcome for Overload {
    fn rows(&self) -> Vec<(String, String)> {
        let per_second = |count: f64| format!("{count:.0} /s");
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let generator = match self.generator.saturated {
            true => "MAY BE WHAT SATURATED",
            false => "not what saturated",
        };
        let rows = [
            ("peak, closed loop", per_second(self.peak_per_second)),
            ("offered", per_second(self.offered_per_second)),
            ("goodput", per_second(self.goodput_per_second)),
            ("goodput over peak", format!("{:.2}", self.goodput_ratio)),
            ("p99, unloaded", figure(self.p99_ms.unloaded, "ms")),
            ("p99, admitted", figure(self.p99_ms.admitted, "ms")),
            ("answered", percent(self.share.answered)),
            ("shed: overloaded", percent(self.share.shed)),
            ("failed otherwise", percent(self.share.failed)),
            ("unknown", percent(self.share.unknown)),
            ("memory, peak", format!("{:.1} MiB", self.rss_mib.peak)),
            ("memory, budget", format!("{:.0} MiB", self.rss_mib.budget)),
            ("latency normal after", figure(self.recovery_seconds, "s")),
            ("nodes, cores", format!("{:.2}", self.nodes_cpu_cores)),
            ("generator, cores", format!("{:.2}", self.generator.cpu_cores)),
            ("generator, late at p99", format!("{:.1} ms", self.generator.late_p99_ms)),
            ("generator", generator.to_owned()),
        ];
        rows.map(|(name, figure)| (name.to_owned(), figure)).into()
    }
}
