//! `althing serve`: one node with the reference store, until a signal ends it.

use crate::conflict;
use crate::exit::Failure;
use crate::resp::{Bound, Running};
use althing_kv::Store;
use althing_local::leash;
use althing_model::NodeId;
use althing_node::config::Resp;
use althing_node::{Config, Node, NodeHandle, StartError};
use althing_sdk::{ClientFile, Prefer};
use anyhow::Context;
use serde_json::json;
use std::io::IsTerminal;
use std::path::PathBuf;
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
    log_to_stderr(&args.log, args.log_json)?;
    let config = Config::load(&args.config).map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime for signals")
        .map_err(Failure::cannot_start)?;
    runtime.block_on(serve(config, args.json))
}

/// Logs what this filter lets through, on stderr.
pub(crate) fn log_to_stderr(filter: &str, as_json: bool) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("--log {filter:?} (or ALTHING_LOG) is no filter"))
        .map_err(Failure::usage)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if as_json {
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
    // Before the node: an address in use, or a client's file that is none, leaves nothing behind.
    let gateway = match config.resp.clone() {
        Some(resp) => Some(gateway(resp, me).await?),
        None => None,
    };
    let conflicts = conflict::of_config(&config).map_err(Failure::usage)?;
    let node = Node::start(config, Box::<Store>::default(), conflicts).map_err(not_started)?;
    let addresses = node.addresses();
    let mut gateway = gateway.map(|(gateway, client)| gateway.start(client));
    let resp = gateway.as_ref().map(Running::address);
    if as_json {
        let (listen, admin) = (addresses.listen, addresses.admin);
        println!(
            "{}",
            json!({ "node": me.0, "cluster": cluster.to_string(),
            "listen": listen.to_string(), "admin": admin.map(|admin| admin.to_string()),
            "resp": resp.map(|resp| resp.to_string()) })
        );
    } else {
        let admin = addresses.admin.map(|admin| format!(", operators at http://{admin}"));
        let resp = resp.map(|resp| format!(", Redis clients at TCP {resp}"));
        println!(
            "node {} of cluster {cluster} is running: nodes and clients at UDP {}{}{}",
            me.0,
            addresses.listen,
            resp.unwrap_or_default(),
            admin.unwrap_or_default()
        );
    }
    tokio::select! {
        failed = node.failed() => Err(failed.into()),
        failed = gateway_failed(&mut gateway) => Err(Failure::cannot_start(failed)),
        () = ends.next(&node) => {
            let in_order = async {
                // What its clients have asked needs the node.
                if let Some(gateway) = gateway {
                    gateway.end().await;
                }
                node.shutdown().await
            };
            // Whoever asks twice does not want to wait.
            tokio::select! {
                ended = in_order => Ok(ended?),
                () = ends.once_more() => Err(anyhow::anyhow!("ended before it had shut down").into()),
            }
        }
    }
}

/// Listens for Redis clients; and how to reach the cluster, this node first.
async fn gateway(resp: Resp, me: NodeId) -> Result<(Bound, althing_sdk::Config), Failure> {
    let settings = althing_redis::Settings {
        password: resp.password,
        clients_max: resp.clients_max,
        idle_timeout: resp.idle_timeout,
        ..althing_redis::Settings::new(resp.listen)
    };
    let file = ClientFile::load(&resp.client).context("resp.client").map_err(Failure::usage)?;
    let config = file.config().context("resp.client").map_err(Failure::usage)?;
    let config = althing_sdk::Config { prefer: Prefer::Node(me), ..config };
    Ok((Running::bind(settings).await?, config))
}

/// Why the gateway cannot go on; never, where there is none.
async fn gateway_failed(gateway: &mut Option<Running>) -> anyhow::Error {
    match gateway {
        Some(gateway) => anyhow::Error::new(gateway.failed().await).context("resp.client"),
        None => std::future::pending().await,
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
