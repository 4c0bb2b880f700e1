//! `althing demo`: five regions on one machine, under load, and one of them is killed.
//!
//! Each region is a process of its own; between them stands a relay that delays every datagram as
//! the planet's distances say. Clients in each region write and read through the region's own node
//! for half of the time; then one region's process is killed (SIGKILL), and later started again.
//! What the clients saw is recorded, and judged in the end: whether one order explains it, whether
//! a write that was acknowledged is missing, whether all replicas came to the same.
//!
//! ```text
//! args -> plan -> cluster (processes, relay) -> load (clients) -> recorder
//!                                                                  | samples   | history
//!                                                                  v           v
//!                                        view <- figures -> report <------- audit
//! ```

pub mod audit;
mod figures;
pub mod load;
mod plan;
mod report;
mod view;
pub mod workload;

use crate::cluster::cannot_start;
use crate::exit::{Exit, Failure};
use althing_bench::real::Recorder;
use althing_local::{LocalCluster, Settings};
use althing_model::Path;
use althing_sdk::{Client, KvClient};
use anyhow::anyhow;
use audit::Settled;
use figures::{Moments, Patience, of_region};
use load::Load;
use plan::Plan;
use report::Report;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Instant;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep_until;
use view::{State, View};

/// Threads for the clients of all regions; the nodes need the cores more.
const CLIENT_THREADS: usize = 2;

const AFTER_HELP: &str = "\
Examples:
  althing demo
  althing demo --conflict 20 --kill eu-west-1
  althing demo --f 2 --json

The JSON has, for each region, `name`, `ops`, `p50_ms`, `p99_ms`, `bound_ms`, `fast_share`,
`outage_p50_ms` and `longest_pause_ms` (null for the region that was killed), and `killed`, `ops`,
`linearizable`, `lost_acked` and `digests_equal` of all.

Exit codes: 0 the history is linearizable, nothing acknowledged was lost and all replicas are equal,
1 a promise was broken or it was interrupted, 2 wrong usage, 4 a node cannot start.";

/// What can be asked of the demonstration.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The planet whose distances are between the regions: a built-in one, or the path of a table
    /// (CSV).
    #[arg(long, default_value = "aws-2021-02-13")]
    planet: String,
    /// The regions, separated by commas [default: the planet's, five at most].
    #[arg(long, value_delimiter = ',')]
    regions: Option<Vec<String>>,
    /// How many regions may fail.
    #[arg(long, default_value_t = 1)]
    f: usize,
    /// How commands are committed: fast, or classic.
    #[arg(long, default_value = "fast", value_parser = crate::cluster::path)]
    path: Path,
    /// How long commands are sent.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(4..=3600))]
    seconds: u64,
    /// Of a hundred commands, those on one key that all clients share.
    #[arg(long, default_value_t = 2.0, value_name = "PERCENT", value_parser = percent)]
    conflict: f64,
    /// Clients in each region; each has one command under way.
    #[arg(long, default_value_t = 8, value_parser = clients)]
    clients: usize,
    /// The region that is killed at half time, or none [default: us-west-1, or the last].
    #[arg(long, value_name = "REGION")]
    kill: Option<String>,
    /// Print the result as JSON on stdout, and nothing else.
    #[arg(long)]
    json: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=100.0).contains(number));
    number.ok_or_else(|| "it is a number from 0 to 100".to_owned())
}

fn clients(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=1000).contains(number));
    number.ok_or_else(|| "it is a number from 1 to 1000".to_owned())
}

/// Runs it. Makes its own runtime, if it needs one.
pub fn run(args: Args) -> Result<(), Failure> {
    let plan = Plan::of(&args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CLIENT_THREADS)
        .enable_all()
        .build()?;
    let view = View::new(&plan, args.json);
    let report = runtime.block_on(async {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        tokio::select! {
            report = show(&plan, &view) => report,
            // Dropping the show ends its processes.
            _ = interrupts.recv() => Err(anyhow!("interrupted").into()),
            _ = terminations.recv() => Err(anyhow!("told to stop").into()),
        }
    });
    view.clear();
    let report = report?;
    match args.json {
        true => println!("{}", report.to_json(&plan)),
        false => print!("{}", report.to_text(&plan, std::io::stdout().is_terminal())),
    }
    match report.is_kept() {
        true => Ok(()),
        false => Err(Failure::new(Exit::Failed, anyhow!("the cluster did not keep its promises"))),
    }
}

async fn show(plan: &Plan, view: &View) -> Result<Report, Failure> {
    view.say(&headline(plan));
    let settings = Settings {
        regions: plan.regions.iter().map(|region| region.name().to_owned()).collect(),
        planet: Some(plan.planet.clone()),
        f: plan.quorums.f(),
        path: plan.path,
        ..Settings::new(std::env::current_exe()?, plan.regions.len())
    };
    let mut cluster = LocalCluster::start(settings).await.map_err(cannot_start)?;
    let mut clients = Vec::new();
    for region in 0..plan.regions.len() {
        clients.push(KvClient::new(Client::connect(cluster.client_in(region)).await?));
    }
    Show { plan, view, cluster: &mut cluster, clients }.run().await
}

fn headline(plan: &Plan) -> String {
    let (n, f) = (plan.regions.len(), plan.quorums.f());
    let (clients, conflict) = (plan.clients, plan.conflict_percent);
    let kill = match plan.victim_name() {
        Some(name) => format!("; {name} is killed at half time"),
        None => String::new(),
    };
    format!(
        "Althing: {n} regions of {}, {n} processes, no leader. f = {f}, {} path, {clients} clients a \
         region,\n{conflict} % of commands on one shared key, {:.0} s{kill}.\n",
        plan.planet.name(),
        plan.path,
        plan.phases.end.as_secs_f64(),
    )
}

struct Show<'a> {
    plan: &'a Plan,
    view: &'a View,
    cluster: &'a mut LocalCluster,
    /// One in each region.
    clients: Vec<KvClient>,
}

impl Show<'_> {
    async fn run(mut self) -> Result<Report, Failure> {
        let Self { plan, view, .. } = self;
        let recorder = Arc::new(Recorder::start());
        let following = tokio::spawn(view.clone().follow(recorder.clone()));
        let mut load = Load::new(recorder.clone());
        for (region, kv) in self.clients.iter().enumerate() {
            load.begin(region, kv, plan.clients, plan.conflict_percent);
        }
        let phases = &plan.phases;
        sleep_until(recorder.at(phases.warm)).await;
        let commits_before = self.commits().await?;
        self.relay().clear_stats();
        let warm = recorder.now();
        sleep_until(recorder.at(phases.measured)).await;
        let measured = recorder.now();
        let commits_after = self.commits().await?;
        sleep_until(recorder.at(phases.kill)).await;
        let kill = recorder.now();
        let restart = match plan.victim {
            Some(victim) => self.outage(victim, &recorder).await?,
            None => phases.end,
        };
        sleep_until(recorder.at(phases.end)).await;
        let ledger = load.finish().await;
        following.abort();
        view.clear();
        let relay = self.relay().stats();
        view.say("The load is over; now everything is read back and the history is checked.");

        if let Some(victim) = plan.victim {
            self.cluster.ready(victim).await.map_err(cannot_start)?;
        }
        // The measured part ends here: what follows asks for what has to be there.
        let samples = recorder.samples();
        let victim_serves = match plan.victim {
            Some(victim) => self.visit(victim, &recorder).await?,
            None => true,
        };
        let readers: Vec<_> = self.clients.iter().cloned().enumerate().collect();
        let lost_acked = audit::lost(&recorder, &ledger, &readers).await;
        let settled = audit::settled(self.cluster).await;
        let begun = Instant::now();
        let verdict = recorder.verdict().await;
        let checked_in = begun.elapsed();

        let moments = Moments { warm, measured, kill, restart };
        let patience = patience();
        let shares = commits_before.iter().zip(&commits_after).map(|(b, a)| a.fast_share_since(b));
        let figures = shares
            .enumerate()
            .map(|share| of_region(plan, &moments, patience, &samples, share))
            .collect();
        let (unknown, failed) = recorder.unknown_and_failed();
        Ok(Report {
            regions: figures,
            verdict,
            checked_in,
            operations: recorder.history().operations().len(),
            unknown,
            failed,
            lost_acked,
            settled: check_nodes(self.cluster, settled),
            victim_serves,
            relay: relay.delay_error,
            is_relay_real_time: relay.real_time,
            patience,
        })
    }

    /// Kills a region and starts it again; says when it was started.
    async fn outage(
        &mut self,
        victim: usize,
        recorder: &Recorder,
    ) -> Result<std::time::Duration, Failure> {
        let name = self.plan.regions[victim].name();
        let seconds = || recorder.now().as_secs_f64();
        self.cluster.kill(victim);
        self.view.set_state(victim, State::Killed);
        self.view.say(&format!("{:5.1} s  {name} is killed (SIGKILL)", seconds()));
        sleep_until(recorder.at(self.plan.phases.restart)).await;
        let restart = recorder.now();
        self.cluster.start_again(victim).map_err(cannot_start)?;
        self.view.set_state(victim, State::Restarting);
        self.view.say(&format!("{:5.1} s  {name} is started again", seconds()));
        self.cluster.ready(victim).await.map_err(cannot_start)?;
        self.view.set_state(victim, State::Back);
        self.view.say(&format!("{:5.1} s  {name} is ready again", seconds()));
        Ok(restart)
    }

    /// Whether the node that was away serves: a write and a read through it and no other.
    async fn visit(&self, victim: usize, recorder: &Recorder) -> Result<bool, Failure> {
        let routes = self.cluster.routes_from(victim);
        let only = &routes[..1];
        let client = Client::connect(self.cluster.client(only)).await?;
        Ok(audit::visit(recorder, victim, &KvClient::new(client)).await.unwrap_or(false))
    }

    fn relay(&self) -> &althing_relay::RelayHandle {
        self.cluster.mesh().expect("there is a planet").relay()
    }

    /// The commits of each region's own proposer so far.
    async fn commits(&self) -> Result<Vec<Commits>, Failure> {
        let mut commits = Vec::new();
        for node in 0..self.cluster.len() {
            let status = self.cluster.status(node).await?;
            let counts = status.proposer.unwrap_or_default().commits;
            let own = counts.fast + counts.slow + counts.classic + counts.recovered;
            commits.push(Commits { fast: counts.fast, all: own + counts.learned });
        }
        Ok(commits)
    }
}

/// A proposer's commits.
#[derive(Debug, Clone, Copy)]
struct Commits {
    fast: u64,
    all: u64,
}

impl Commits {
    fn fast_share_since(&self, before: &Self) -> f64 {
        match self.all - before.all {
            0 => 0.0,
            all => (self.fast - before.fast) as f64 / all as f64,
        }
    }
}

/// Replicas that are equal do not count where a node has ended on its own.
fn check_nodes(cluster: &mut LocalCluster, settled: Settled) -> Settled {
    match cluster.check() {
        Ok(()) => settled,
        Err(error) => Settled::Apart(vec![error.to_string()]),
    }
}

/// The nodes run with the usual time-outs.
fn patience() -> Patience {
    let timeouts = althing_node::config::TimeoutsEntry::default();
    Patience { fast_path_ms: timeouts.fast_path_ms as f64, recover_ms: timeouts.recover_ms as f64 }
}
