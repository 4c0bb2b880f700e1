//! The gateway for Redis clients: beside a node that `althing serve` runs, or alone as `althing resp`.

use crate::exit::Failure;
use althing_redis::{ClusterBackend, Gateway, GatewayError, Settings};
use althing_sdk::{Client, ClientFile, ConnectError};
use anyhow::Context;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Threads that serve clients.
const WORKERS: usize = 2;

/// Between two attempts to reach the cluster.
const CONNECT_AGAIN: Duration = Duration::from_secs(1);

const AFTER_HELP: &str = "\
Examples:
  althing resp --client client.toml
  redis-cli -p 7379 set city Reykjavik

  ALTHING_RESP_PASSWORD=secret althing resp --client client.toml --listen 10.0.0.1:7379

It takes Redis clients to the cluster, and runs until Ctrl-C or SIGTERM. Any number of gateways may run
at a time; `[resp]` in a node's configuration runs one beside the node.

Exit codes: 0 ended in order, 2 wrong usage, 4 it cannot start (an address in use, certificates).";

/// How to run a gateway.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// The client's configuration; `althing cluster` writes one.
    #[arg(long, value_name = "FILE", env = "ALTHING_CLIENT")]
    client: PathBuf,
    /// Where to listen (TCP).
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7379")]
    listen: SocketAddr,
    /// What AUTH has to say; needed where other machines can connect. Better in the environment: others
    /// see command lines.
    #[arg(long, env = "ALTHING_RESP_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Connections at a time.
    #[arg(long, value_name = "N", default_value_t = althing_redis::limits::CLIENTS_MAX)]
    clients: usize,
    /// Seconds after which an idle connection is closed; 0 for never.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    idle_timeout: u64,
    /// What to log: a level, or directives.
    #[arg(long, value_name = "FILTER", env = "ALTHING_LOG", default_value = "info")]
    log: String,
}

/// Runs a gateway to its end.
pub fn run(args: Args) -> Result<(), Failure> {
    crate::serve::log_to_stderr(&args.log, false)?;
    let settings = Settings {
        password: args.password,
        clients_max: args.clients,
        idle_timeout: (args.idle_timeout > 0).then(|| Duration::from_secs(args.idle_timeout)),
        ..Settings::new(args.listen)
    };
    let file = ClientFile::load(&args.client).map_err(Failure::usage)?;
    let config = file.config().map_err(Failure::usage)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let mut gateway = Running::bind(settings).await?.start(config);
        println!("{}", told(gateway.address()));
        tokio::select! {
            error = gateway.failed() => return Err(Failure::cannot_start(error)),
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
        }
        gateway.end().await;
        Ok(())
    })
}

/// How to reach a gateway.
pub(crate) fn told(address: SocketAddr) -> String {
    match address.ip().is_loopback() {
        true => format!("redis-cli -p {}", address.port()),
        false => format!("redis-cli -h {} -p {}", address.ip(), address.port()),
    }
}

/// A gateway on threads of its own, which listens and waits for its cluster.
pub(crate) struct Bound {
    runtime: Runtime,
    gateway: Gateway,
}

/// A gateway that runs until it is told to end, or dropped.
pub(crate) struct Running {
    /// Taken when it ends: a runtime must not be dropped where it would wait.
    runtime: Option<Runtime>,
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<(), ConnectError>>,
}

impl Running {
    /// Listens.
    pub(crate) async fn bind(settings: Settings) -> Result<Bound, Failure> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("resp")
            .enable_all()
            .build()
            .context("no runtime for Redis clients")
            .map_err(Failure::cannot_start)?;
        let bound = runtime.spawn(Gateway::bind(settings)).await;
        match bound.expect("nobody aborts it") {
            Ok(gateway) => Ok(Bound { runtime, gateway }),
            Err(error) => {
                runtime.shutdown_background();
                Err(match error {
                    GatewayError::Listen { .. } => Failure::cannot_start(error),
                    GatewayError::OpenToAll { .. } | GatewayError::EmptyPassword => {
                        Failure::usage(error)
                    }
                })
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it cannot go on: what it was told of the cluster is wrong.
    pub(crate) async fn failed(&mut self) -> ConnectError {
        match (&mut self.serving).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) => unreachable!("it has not been told to end"),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Answers what has been asked, and ends.
    pub(crate) async fn end(mut self) {
        drop(self.end.take());
        // An error means that it has ended already.
        let _ = (&mut self.serving).await;
    }
}

impl Bound {
    /// Answers clients as soon as the cluster can be reached; they wait until then.
    pub(crate) fn start(self, config: althing_sdk::Config) -> Running {
        let Self { runtime, gateway } = self;
        let address = gateway.address();
        let (end, ended) = oneshot::channel();
        let serving = runtime.spawn(serve(gateway, config, ended));
        Running { runtime: Some(runtime), address, end: Some(end), serving }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(
    gateway: Gateway,
    config: althing_sdk::Config,
    mut ended: oneshot::Receiver<()>,
) -> Result<(), ConnectError> {
    let client = loop {
        let connected = tokio::select! {
            connected = Client::connect(config.clone()) => connected,
            _ = &mut ended => return Ok(()),
        };
        match connected {
            Ok(client) => break client,
            Err(error @ ConnectError::NoNode { .. }) => {
                tracing::warn!("Redis clients wait: {error}");
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(CONNECT_AGAIN) => {}
            _ = &mut ended => return Ok(()),
        }
    };
    tracing::info!("Redis clients are served at TCP {}", gateway.address());
    gateway.serve(ClusterBackend::new(client), async { drop(ended.await) }).await;
    Ok(())
}
