//! `althing cluster`: a cluster on this machine that stays up until it is told to end.

use crate::exit::{Exit, Failure};
use althing_local::{LocalCluster, LocalClusterError, Settings};
use althing_model::{Path, Quorums};
use althing_node::config::{Adds, StoreEntry};
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Between two looks whether all nodes run.
const LOOK_EVERY: Duration = Duration::from_millis(200);

const AFTER_HELP: &str = "\
Examples:
  althing cluster
  althing cluster --nodes 5 --f 2 --dir my-cluster
  althing cluster --resp 7379
  althing cluster --planet aws-2021-02-13 --regions eu-west-1,ca-central-1,sa-east-1

It prints how to reach the cluster, and runs until Ctrl-C or SIGTERM. The nodes end with it, also when
it is killed.

Exit codes: 0 ended in order, 2 wrong usage, 4 a node cannot start, or ended on its own.";

/// What can be asked of a local cluster.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// How many nodes, each a process of its own [default: 3, or one for each region].
    #[arg(long)]
    nodes: Option<usize>,
    /// How many of them may fail.
    #[arg(long, default_value_t = 1)]
    f: usize,
    /// How commands are committed: fast, or classic.
    #[arg(long, default_value = "fast", value_parser = path)]
    path: Path,
    /// Where to keep it. A cluster that is there already is started again, with its data. Without
    /// it everything is removed in the end.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Serve Redis clients too: at this port of the first node, and at the next ones of the others.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    resp: Option<u16>,
    /// What additions to one key are to each other: they commute, or they conflict. Where they conflict,
    /// a linearizable read of a key needs no command.
    #[arg(long, default_value = "commute", value_parser = adds)]
    adds: Adds,
    /// Put the distances of this planet between the nodes: a built-in one, for instance
    /// aws-2021-02-13, or the path of a table (CSV).
    #[arg(long)]
    planet: Option<String>,
    /// The regions of the nodes on the planet, separated by commas [default: its first].
    #[arg(long, value_delimiter = ',', requires = "planet", conflicts_with = "nodes")]
    regions: Option<Vec<String>>,
}

/// The path of that name.
pub(crate) fn path(name: &str) -> Result<Path, String> {
    let known = [Path::Fast, Path::Classic].into_iter().find(|path| path.name() == name);
    known.ok_or_else(|| "a path is fast or classic".to_owned())
}

fn adds(name: &str) -> Result<Adds, String> {
    match name {
        "commute" => Ok(Adds::Commute),
        "conflict" => Ok(Adds::Conflict),
        _ => Err("additions commute or conflict".to_owned()),
    }
}

/// Runs it. Makes its own runtime, if it needs one.
pub fn run(args: Args) -> Result<(), Failure> {
    let settings = settings(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(stay_up(settings))
}

fn settings(args: Args) -> Result<Settings, Failure> {
    let binary = std::env::current_exe()?;
    let planet = args.planet.as_deref().map(althing_local::planet::load);
    let planet = planet.transpose().map_err(Failure::usage)?;
    let mut settings = Settings::new(binary, args.nodes.unwrap_or(3));
    if let Some(planet) = &planet {
        let known = planet.regions().iter().map(|region| region.name().to_owned());
        settings.regions = match args.regions {
            Some(regions) => regions,
            None => known.take(args.nodes.unwrap_or(3)).collect(),
        };
        for region in &settings.regions {
            planet.region(region).map_err(Failure::usage)?;
        }
    }
    Quorums::new(settings.regions.len(), args.f).map_err(Failure::usage)?;
    let last = usize::from(args.resp.unwrap_or_default()) + settings.regions.len() - 1;
    if last > usize::from(u16::MAX) {
        let nodes = settings.regions.len();
        return Err(Failure::usage(anyhow::anyhow!(
            "--resp: there is no port {last} for {nodes} nodes"
        )));
    }
    let (f, path, resp) = (args.f, args.path, args.resp);
    let store = StoreEntry { adds: args.adds };
    Ok(Settings { dir: args.dir, planet, f, path, resp, store, ..settings })
}

async fn stay_up(settings: Settings) -> Result<(), Failure> {
    // Before anything is started: from here on nothing ends without being stopped.
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let is_kept = settings.dir.is_some();
    let mut cluster = tokio::select! {
        started = LocalCluster::start(settings) => started.map_err(cannot_start)?,
        _ = interrupts.recv() => return Ok(()),
        _ = terminations.recv() => return Ok(()),
    };
    print!("{}", how_to_reach(&cluster, is_kept));
    let watched = tokio::select! {
        watched = watch(&mut cluster) => watched,
        _ = interrupts.recv() => Ok(()),
        _ = terminations.recv() => Ok(()),
    };
    eprintln!("stopping {} nodes", cluster.len());
    cluster.stop();
    watched.map_err(cannot_start)
}

/// Looks after the nodes until one of them ends on its own.
async fn watch(cluster: &mut LocalCluster) -> Result<(), LocalClusterError> {
    loop {
        cluster.check()?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The failure that goes with a cluster that did not start.
pub(crate) fn cannot_start(error: LocalClusterError) -> Failure {
    use LocalClusterError as E;
    let exit = match &error {
        E::Config(_) | E::Planet(_) | E::NoNodes | E::Another { .. } | E::Description { .. } => {
            Exit::Usage
        }
        _ => Exit::CannotStart,
    };
    Failure::new(exit, error)
}

fn how_to_reach(cluster: &LocalCluster, is_kept: bool) -> String {
    let dir = cluster.dir().display();
    let client = cluster.client_file(None);
    let client = client.display();
    let mut text = format!("{} nodes, each a process of its own, in {dir}\n\n", cluster.len());
    for (node, route) in cluster.direct_routes().iter().enumerate() {
        let process = cluster.process_id(node).unwrap_or_default();
        let (region, address) = (&route.region, route.address);
        text += &format!("  node {node}   {region:<16} {address:<18} process {process}\n");
    }
    let althing = std::env::args().next().unwrap_or_else(|| "althing".to_owned());
    text += &format!(
        "\nIn another terminal:\n\
         \x20 {althing} kv --client {client} put city Reykjavik\n\
         \x20 {althing} kv --client {client} get city\n\
         \x20 {althing} status --client {client}\n"
    );
    let redis = (0..cluster.len()).filter_map(|node| cluster.resp_address(node));
    let redis: Vec<String> = redis.map(crate::resp::told).collect();
    if !redis.is_empty() {
        text += &format!("\nWith Redis, at any node:\n  {}\n", redis.join("\n  "));
    }
    if cluster.mesh().is_some() {
        let region = &cluster.direct_routes()[0].region;
        let file = cluster.client_file(Some(0));
        text += &format!("\nAs a client in {region}: --client {}\n", file.display());
    }
    text += match is_kept {
        true => "\nCtrl-C ends it; the data stay.\n",
        false => "\nCtrl-C ends it, and removes everything.\n",
    };
    text
}
