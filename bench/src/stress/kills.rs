//! `althing bench kills`: processes are killed all the time, and every promise is checked.

use super::load::Load;
use super::nodes::{Nodes, SETTLE_PATIENCE};
use super::promises::{Broken, Ledger, Promises};
use super::tally::Tally;
use super::{Outcome, attend, figure, report, rounded, say};
use crate::BenchError;
use crate::real::{Progress, Recorder, Told, read_back};
use althing_checker::Verdict;
use althing_kv::KvReply;
use althing_local::Settings;
use althing_sdk::KvClient;
use clap::Args;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::sleep;

/// The client number of the one that reads back, which no client of the load has.
const READER: u64 = u64::MAX;

/// Kills of an era: the shared keys of the next one are others.
const ERA_KILLS: u64 = 3;

/// Of a hundred rounds, those in which clients are at work.
const LOADED_PERCENT: u32 = 67;

/// Of a hundred rounds, those in which the node is killed again while it starts up.
const START_UP_PERCENT: u32 = 25;

/// Of a hundred rounds, those in which a second node is killed as well: then there may be no quorum.
const SECOND_PERCENT: u32 = 15;

/// From a round's beginning to its kill, in milliseconds.
const RUNS_MS: Range<u64> = 50..600;

/// From a kill to the start, in milliseconds.
const DEAD_MS: Range<u64> = 0..400;

/// From a start to the kill during start-up, in milliseconds.
const STARTS_MS: Range<u64> = 0..300;

/// How long a node may take to answer before a client asks the next one.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(250);

/// How long nothing may be heard of a node before its clients take it for dead.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Kill processes at random moments, and check everything that clients saw.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct KillsArgs {
    /// How many times a process is killed (kill -9).
    #[arg(long, value_name = "N", default_value_t = 200,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    kills: u64,
    /// The classic path with its roles in processes of their own (two with proposer and replica, three
    /// dependency nodes, three acceptors) instead of three processes with every role on the fast path.
    #[arg(long)]
    classic: bool,
    /// Clients at each node that takes commands.
    #[arg(long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u64).range(1..=1000))]
    clients: u64,
    /// How long a client waits before its next command: all of them are kept and checked.
    #[arg(long, value_name = "MS", default_value_t = 10)]
    think_ms: u64,
    /// The choice of nodes, moments and commands follows from it; what comes of them does not
    /// [default: any].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print JSON on stdout, and nothing else there.
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Example:
  althing bench kills --kills 200
  althing bench kills --kills 50 --classic --json

What is measured: nothing but whether promises are kept. Random processes are killed (kill -9) at random
moments, in two rounds of three while clients are at work; in one of four the process is killed again
while it starts up, and in one of seven a second one is killed as well, which may leave no quorum. Each
is started again and gets ready. Clients increment shared counters, write shared registers and keys of
their own, each value once, and read. In the end every key is read back. Checked are:
  linearizable    whether one order explains all that clients saw, key by key (althing-checker)
  lost            acknowledged writes that are not there in the end
  applied twice   increments that took effect beyond those asked for
  states          whether all replicas have one state (digest) in the end

The JSON: `seed`, `kills`, `under_load`, `during_start_up`, `second_node`, `seconds`, `operations`,
`unknown`, `failed`, `latency_ms` (`p50`, `p99`, `max`), `linearizable` (null: too many operations to
decide), `lost`, `applied_twice`, `digests_equal`, `ready_seconds_max`.

Exit codes: 0 every promise was kept, 1 one was broken, or a node ended on its own or did not get
ready, 2 wrong usage, 4 a node cannot start.";

/// What the kills came to; the shape of `--json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
struct Kills {
    seed: u64,
    kills: u64,
    under_load: u64,
    during_start_up: u64,
    second_node: u64,
    seconds: f64,
    operations: usize,
    unknown: u64,
    failed: u64,
    latency_ms: Latency,
    linearizable: Option<bool>,
    lost: u64,
    applied_twice: u64,
    digests_equal: bool,
    /// The longest from a start to being ready.
    ready_seconds_max: f64,
}

/// Of the answered operations; null where there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
struct Latency {
    p50: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

impl KillsArgs {
    /// Does it, and prints what came of it.
    ///
    /// # Errors
    /// What was wrong, and what to do.
    pub fn run(&self) -> Result<(), BenchError> {
        report(self.json, async |binary, progress| self.kills(binary, progress).await)
    }

    async fn kills(&self, binary: PathBuf, progress: Progress<'_>) -> Result<Kills, BenchError> {
        let seed = self.seed.unwrap_or_else(rand::random);
        say(progress, format!("seed {seed}"));
        let settings = match self.classic {
            true => Settings::split(binary, 1),
            false => Settings::new(binary, 3),
        };
        let mut nodes = Nodes::start(settings, progress).await?;
        let recorder = Arc::new(Recorder::start());
        let tally = Arc::new(Tally::start(None));
        let era = Arc::new(AtomicU64::new(0));
        let mut load = Load::new(tally.clone(), Some(recorder.clone()), None);
        let mut clients = Vec::new();
        for node in nodes.fronts() {
            let kv = nodes.session(node, impatient).await?;
            for place in 0..self.clients {
                let number = node as u64 * self.clients + place;
                let commands = Promises::new(number, era.clone(), seed);
                load.closed(node, &kv, commands, Duration::from_millis(self.think_ms));
            }
            clients.push((node, kv));
        }

        let random = StdRng::seed_from_u64(seed);
        let kills = Kills { seed, ..Kills::default() };
        let mut rounds = Rounds { random, load: &load, kills, kills_max: self.kills };
        while rounds.kills.kills < self.kills {
            era.store(rounds.kills.kills / ERA_KILLS, Relaxed);
            rounds.round(&mut nodes, &tally, progress).await?;
            progress(Told::Answered(tally.answered()));
        }
        let mut kills = rounds.kills;
        load.resume();
        // The last one under way is seen to work, too.
        attend(sleep(Duration::from_millis(RUNS_MS.end)), &mut nodes, &tally, progress).await?;
        let ledgers = attend(load.finish(), &mut nodes, &tally, progress).await?;
        let ledger = Ledger::merged(ledgers.into_iter().map(Promises::into_ledger));
        kills.seconds = rounded(tally.now().as_secs_f64());
        let percentile = |percentile| tally.phase(0).percentile_ms(percentile);
        let [p50, p99, max] = [50.0, 99.0, 100.0].map(percentile);
        kills.latency_ms = Latency { p50, p99, max };

        let Broken { lost, twice } = audit(&recorder, &ledger, &clients).await;
        kills.digests_equal = nodes.settled(SETTLE_PATIENCE).await.is_some();
        (kills.lost, kills.applied_twice) = (lost, twice);
        (kills.unknown, kills.failed) = recorder.unknown_and_failed();
        kills.operations = recorder.history().operations().len();
        kills.linearizable = match recorder.verdict().await {
            Verdict::Linearizable { .. } => Some(true),
            Verdict::NotLinearizable(account) => {
                say(progress, account.to_string());
                Some(false)
            }
            Verdict::Undecided { operations, .. } => {
                say(progress, format!("{operations} operations were too many to decide"));
                None
            }
        };
        nodes.cluster.check()?;
        Ok(kills)
    }
}

/// Clients that soon ask another node: each kill makes them send again what may have taken effect.
fn impatient(config: &mut althing_sdk::Config) {
    config.attempt_timeout = ATTEMPT_TIMEOUT;
    config.transport.idle_timeout = IDLE_TIMEOUT;
}

/// Kills one after the other.
struct Rounds<'a> {
    random: StdRng,
    load: &'a Load<Promises>,
    kills: Kills,
    kills_max: u64,
}

impl Rounds<'_> {
    async fn round(
        &mut self,
        nodes: &mut Nodes,
        tally: &Tally,
        progress: Progress<'_>,
    ) -> Result<(), BenchError> {
        let is_loaded = self.chance(LOADED_PERCENT);
        match is_loaded {
            true => self.load.resume(),
            false => self.load.pause(),
        }
        attend(sleep(self.moment(RUNS_MS)), nodes, tally, progress).await?;
        let count = nodes.cluster.len();
        let victim = self.random.random_range(0..count);
        self.kill(nodes, victim, is_loaded);
        let mut dead = vec![victim];
        if self.is_left() && self.chance(SECOND_PERCENT) {
            let second = (victim + self.random.random_range(1..count)) % count;
            sleep(self.moment(STARTS_MS)).await;
            self.kill(nodes, second, is_loaded);
            self.kills.second_node += 1;
            dead.push(second);
        }
        sleep(self.moment(DEAD_MS)).await;
        if self.is_left() && self.chance(START_UP_PERCENT) {
            nodes.cluster.start_again(victim)?;
            sleep(self.moment(STARTS_MS)).await;
            self.kill(nodes, victim, is_loaded);
            self.kills.during_start_up += 1;
        }
        let begun = tally.now();
        dead.iter().try_for_each(|node| nodes.cluster.start_again(*node))?;
        for node in dead {
            nodes.cluster.ready(node).await?;
        }
        let took = tally.now().saturating_sub(begun).as_secs_f64();
        self.kills.ready_seconds_max = self.kills.ready_seconds_max.max(rounded(took));
        Ok(())
    }

    fn kill(&mut self, nodes: &mut Nodes, node: usize, is_loaded: bool) {
        nodes.cluster.kill(node);
        self.kills.kills += 1;
        self.kills.under_load += u64::from(is_loaded);
    }

    fn is_left(&self) -> bool {
        self.kills.kills < self.kills_max
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn moment(&mut self, ms: Range<u64>) -> Duration {
        Duration::from_millis(self.random.random_range(ms))
    }
}

/// Reads everything back, and counts what is not as it was promised. What cannot be read is not there.
async fn audit(recorder: &Arc<Recorder>, ledger: &Ledger, readers: &[(usize, KvClient)]) -> Broken {
    let keys: Vec<_> = ledger.keys().cloned().collect();
    let mut sum = Broken::default();
    for (key, outcome) in read_back(recorder, READER, keys, readers).await {
        let broken = match outcome {
            Ok(KvReply::Value(found)) => ledger.broken(&key, found.as_ref()),
            _ => Broken { lost: 1, twice: 0 },
        };
        sum.lost += broken.lost;
        sum.twice += broken.twice;
    }
    sum
}

impl Outcome for Kills {
    fn rows(&self) -> Vec<(String, String)> {
        let linearizable = match self.linearizable {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "not decided",
        };
        let rows = [
            ("seed", self.seed.to_string()),
            ("kills", self.kills.to_string()),
            ("of them under load", self.under_load.to_string()),
            ("of them during start-up", self.during_start_up.to_string()),
            ("of them a second node's", self.second_node.to_string()),
            ("seconds", format!("{:.1}", self.seconds)),
            ("operations", self.operations.to_string()),
            ("of unknown outcome", self.unknown.to_string()),
            ("failed for sure", self.failed.to_string()),
            ("latency, p50", figure(self.latency_ms.p50, "ms")),
            ("latency, p99", figure(self.latency_ms.p99, "ms")),
            ("latency, the longest", figure(self.latency_ms.max, "ms")),
            ("linearizable", linearizable.to_owned()),
            ("acknowledged and lost", self.lost.to_string()),
            ("applied twice", self.applied_twice.to_string()),
            ("states are equal in the end", self.digests_equal.to_string()),
            ("ready again, the longest", figure(Some(self.ready_seconds_max), "s")),
        ];
        rows.map(|(name, figure)| (name.to_owned(), figure)).into()
    }

    fn broken(&self) -> Option<String> {
        let mut broken = Vec::new();
        if self.linearizable == Some(false) {
            broken.push("no order explains what the clients saw".to_owned());
        }
        if self.lost > 0 {
            broken.push(format!("{} acknowledged writes are lost", self.lost));
        }
        if self.applied_twice > 0 {
            broken.push(format!("{} increments took effect twice", self.applied_twice));
        }
        if !self.digests_equal {
            broken.push(format!("the states differ {SETTLE_PATIENCE:?} after the load"));
        }
        (!broken.is_empty()).then(|| format!("promises were broken: {}", broken.join("; ")))
    }
}
