//! `althing serve`: one node with the reference store, until a signal ends it.

use crate::exit::Failure;
use althing_kv::{KvConflicts, Store};
use althing_local::leash;
use althing_node::config::Adds;
use althing_node::{Config, Node, NodeHandle, StartError};
use anyhow::Context;
use serde_json::json;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

const AFTER_HELP: &str = "\
Example:
  althing certs init --dir certs && althing certs node --dir certs --id 0
  althing config check node-0.toml
  althing serve --config node-0.toml

When the node is ready to listen it prints one line to stdout; its log goes to stderr.
SIGTERM and SIGINT end it in order; SIGHUP takes over new certificates.

Exit codes: 0 ended in order, 1 failed while running, 2 the configuration cannot be used,
4 it cannot start (an address in use, a journal or a certificate that is not in order).";

/// How to run a node.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The node's configuration (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// What to log: a level, or directives such as `info,althing_node=debug`.
    #[arg(long, value_name = "FILTER", env = "ALTHING_LOG", default_value = "info")]
    log: String,
    /// Log one JSON object a line.
    #[arg(long)]
    log_json: bool,
    /// Print the ready line as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the node to its end.
pub fn run(args: Args) -> Result<(), Failure> {
    althing_node::abort_on_panic();
    leash::hold();
    log_to_stderr(&args)?;
    let config = Config::load(&args.config).map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime for signals")
        .map_err(Failure::cannot_start)?;
    runtime.block_on(serve(config, args.json))
}

fn log_to_stderr(args: &Args) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&args.log)
        .with_context(|| format!("--log {:?} (or ALTHING_LOG) is no filter", args.log))
        .map_err(Failure::usage)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if args.log_json {
        subscriber.json().init()
    } else {
        subscriber.init()
    }
    Ok(())
}

async fn serve(config: Config, as_json: bool) -> Result<(), Failure> {
    // From here on a signal ends the node in order, also one that comes while it starts.
    let mut ends = Ends::listen().map_err(Failure::cannot_start)?;
    let (me, cluster) = (config.me, config.cluster);
    let conflicts = Arc::new(match config.adds {
        Adds::Commute => KvConflicts::default(),
        Adds::Conflict => KvConflicts::without_commuting_adds(),
    });
    let node = Node::start(config, Box::<Store>::default(), conflicts).map_err(not_started)?;
    let addresses = node.addresses();
    if as_json {
        let (listen, admin) = (addresses.listen, addresses.admin);
        println!(
            "{}",
            json!({ "node": me.0, "cluster": cluster.to_string(),
            "listen": listen.to_string(), "admin": admin.map(|admin| admin.to_string()) })
        );
    } else {
        let admin = addresses.admin.map(|admin| format!(", operators at http://{admin}"));
        println!(
            "node {} of cluster {cluster} is running: nodes and clients at UDP {}{}",
            me.0,
            addresses.listen,
            admin.unwrap_or_default()
        );
    }
    tokio::select! {
        failed = node.failed() => Err(failed.into()),
        () = ends.next(&node) => {
            // Whoever asks twice does not want to wait.
            tokio::select! {
                ended = node.shutdown() => Ok(ended?),
                () = ends.once_more() => Err(anyhow::anyhow!("ended before it had shut down").into()),
            }
        }
    }
}

fn not_started(error: StartError) -> Failure {
    match error {
        StartError::Config(_) => Failure::usage(error),
        _ => Failure::cannot_start(error),
    }
}

/// The signals that a node obeys.
struct Ends {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Ends {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal that ends the node; certificates are taken over meanwhile.
    async fn next(&mut self, node: &NodeHandle) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => match node.reload_certificates() {
                    Ok(()) => tracing::info!("new certificates are in use"),
                    Err(error) => tracing::error!("the old certificates stay: {error}"),
                },
            }
        }
    }

    async fn once_more(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
