//! A cluster on this machine: every node a process of its own, on loopback, and between the nodes,
//! if so wished, the distances of a planet.
//!
//! A [`LocalCluster`] lives in a directory, which is complete: with the files in it each node could
//! be started by hand.
//!
//! ```text
//! cluster.toml             what the cluster is; everything below is made from it
//! certs/                   the authority, a certificate for each node, one for clients
//! node-0.toml ..           the configuration of each node
//! client.toml              for clients that reach every node directly
//! client-REGION.toml ..    for clients in a region, the nearest node first
//! data/0/ ..               the journal of each node
//! logs/node-0.log ..       what each node wrote
//! ```
//!
//! With a planet, a relay stands between the processes and delays each datagram as long as it would
//! take between the two regions; a node, and a client, reaches another region through the links of
//! its own region only.
//!
//! Dropping the cluster ends its processes. They end also when this process is killed: each holds
//! the read end of a pipe that nobody else keeps open ([`leash`]).
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use althing_local::{LocalCluster, Settings};
//!
//! let mut cluster = LocalCluster::start(Settings::new(std::env::current_exe()?, 3)).await?;
//! cluster.kill(0);
//! cluster.restart(0).await?;
//! println!("{:?}", cluster.status(0).await?.replica);
//! cluster.stop();
//! # Ok(())
//! # }
//! ```
//!
//! [`LocalNodes`] are nodes in threads of this process, with a state machine of your own.

mod description;
mod error;
mod in_process;
mod layout;
pub mod leash;
mod network;
pub mod page;
pub mod planet;
mod ports;
mod process;

pub use error::LocalClusterError;
pub use in_process::LocalNodes;
pub use network::Route;
pub use page::PageError;
pub use planet::PlanetSourceError;

use althing_model::{ClusterId, Path, Role};
use althing_node::Status;
use althing_node::config::{JournalEntry, LimitsEntry, SnapshotsEntry, StoreEntry};
use althing_planet::Planet;
use althing_relay::Mesh;
use althing_transport::certs::Tls;
use layout::Layout;
use network::Network;
use process::NodeProcess;
use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, Instant};

/// The region of a node where there is no planet.
const NO_REGION: &str = "local";

/// The length of a journal's segment file. Each node makes two ahead of time, and what is tried on
/// one machine needs little.
const SEGMENT_MIB: u64 = 16;

/// How long a node may take until it could commit a command. It reads its journal before.
const READY_PATIENCE: Duration = Duration::from_secs(60);

/// Between two questions whether it can.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// How long nodes may take to shut down in order.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// How often another choice of ports is tried when somebody was faster.
const PORT_TRIES: usize = 3;

/// What a cluster is to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The `althing` program that the nodes run.
    pub binary: PathBuf,
    /// Where it is kept. A cluster that is there already is started again. None: nowhere.
    pub dir: Option<PathBuf>,
    /// The region of each node.
    pub regions: Vec<String>,
    /// Where the delays between the regions come from; without it there are none.
    pub planet: Option<Planet>,
    /// How many nodes may fail.
    pub f: usize,
    /// How commands are committed.
    pub path: Path,
    /// How much each node holds at a time, batches among it.
    pub limits: LimitsEntry,
    /// The journal of each node; whether a missing one is made is settled here.
    pub journal: JournalEntry,
    /// When each node has barriers and cuts snapshots, and what it keeps of its log.
    pub snapshots: SnapshotsEntry,
    /// The roles of each node, in the order of the regions; a node without any named has all.
    pub roles: Vec<Vec<Role>>,
    /// The port of the first node's gateway for Redis clients; the others' follow it. None without.
    pub resp: Option<u16>,
    /// How the reference store behaves.
    pub store: StoreEntry,
}

impl Settings {
    /// A cluster of `nodes` nodes beside each other, of which one may fail; not kept.
    pub fn new(binary: PathBuf, nodes: usize) -> Self {
        let regions = vec![NO_REGION.to_owned(); nodes];
        Self {
            binary,
            dir: None,
            regions,
            planet: None,
            f: 1,
            path: Path::Fast,
            limits: LimitsEntry::default(),
            journal: JournalEntry { segment_mib: SEGMENT_MIB, ..JournalEntry::default() },
            snapshots: SnapshotsEntry::default(),
            roles: Vec::new(),
            resp: None,
            store: StoreEntry::default(),
        }
    }

    /// The same on the classic path with its roles apart: `f + 1` nodes that take commands and hold
    /// the state, then `2 f + 1` dependency nodes, then as many acceptors, each a process of its own.
    pub fn split(binary: PathBuf, f: usize) -> Self {
        let several = |count: usize, roles: &[Role]| vec![roles.to_vec(); count];
        let roles = [
            several(f + 1, &[Role::Proposer, Role::Replica]),
            several(2 * f + 1, &[Role::Dependency]),
            several(2 * f + 1, &[Role::Acceptor]),
        ]
        .concat();
        Self { f, path: Path::Classic, roles: roles.clone(), ..Self::new(binary, roles.len()) }
    }
}

/// A running cluster. See the module's documentation.
#[derive(Debug)]
pub struct LocalCluster {
    // In the order in which they go: the processes before the network, the files last.
    nodes: Vec<Option<NodeProcess>>,
    network: Option<Network>,
    layout: Layout,
    binary: PathBuf,
}

impl LocalCluster {
    /// Makes a cluster, or takes the one that the directory holds, and starts its nodes. When this
    /// returns, each of them could commit a command.
    ///
    /// # Errors
    /// See [`LocalClusterError`]. Nothing runs then.
    pub async fn start(settings: Settings) -> Result<Self, LocalClusterError> {
        let mut cluster = Self::prepare(settings)?;
        let mut tries = 1;
        loop {
            let Err(error) = cluster.start_all().await else {
                return Ok(cluster);
            };
            cluster.stop_all();
            // With all nodes down, a port that is not free is somebody else's.
            if tries == PORT_TRIES || !cluster.layout.evade()? {
                return Err(error);
            }
            tries += 1;
            if let Some(network) = &mut cluster.network {
                network.start_again(&cluster.layout.description)?;
            }
            cluster.layout.write(cluster.network.as_ref())?;
        }
    }

    fn prepare(settings: Settings) -> Result<Self, LocalClusterError> {
        let layout = Layout::open(&settings)?;
        let network = settings.planet.map(|planet| Network::start(planet, &layout.description));
        let network = network.transpose()?;
        layout.write(network.as_ref())?;
        let nodes = (0..layout.len()).map(|_| None).collect();
        Ok(Self { nodes, network, layout, binary: settings.binary })
    }

    async fn start_all(&mut self) -> Result<(), LocalClusterError> {
        (0..self.nodes.len()).try_for_each(|node| self.launch(node))?;
        for node in 0..self.nodes.len() {
            self.ready(node).await?;
        }
        // From now on a journal that is missing is lost.
        let network = self.network.as_ref();
        (0..self.nodes.len()).try_for_each(|node| self.layout.write_config(node, network))
    }

    fn launch(&mut self, node: usize) -> Result<(), LocalClusterError> {
        let admin = self.layout.description.nodes[node].admin;
        let (config, log) = (self.layout.config_file(node), self.layout.log_file(node));
        let process = NodeProcess::start(node, &self.binary, &config, admin, log)?;
        self.nodes[node] = Some(process);
        Ok(())
    }

    /// Kills a node (SIGKILL): nothing of it runs when this returns.
    pub fn kill(&mut self, node: usize) {
        if let Some(mut process) = self.nodes[node].take() {
            process.kill();
        }
    }

    /// Kills all nodes, and only then waits until nothing of them runs.
    pub fn kill_all(&mut self) {
        self.nodes.iter_mut().flatten().for_each(NodeProcess::strike);
        (0..self.nodes.len()).for_each(|node| self.kill(node));
    }

    /// Starts a node again that was killed, and does not wait for it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_again(&mut self, node: usize) -> Result<(), LocalClusterError> {
        assert!(self.nodes[node].is_none(), "node {node} runs");
        self.launch(node)
    }

    /// Starts a node again that was killed. When this returns it could commit a command.
    ///
    /// # Errors
    /// When it cannot be started, or is not ready in time.
    pub async fn restart(&mut self, node: usize) -> Result<(), LocalClusterError> {
        self.start_again(node)?;
        self.ready(node).await
    }

    /// Waits until a node that runs could commit a command.
    ///
    /// # Errors
    /// When it is not ready in time, or a node ends meanwhile.
    pub async fn ready(&mut self, node: usize) -> Result<(), LocalClusterError> {
        let begun = Instant::now();
        loop {
            // Any of them: without a quorum this one is never ready.
            self.check()?;
            let process = self.nodes[node].as_ref().expect("only a node that runs gets ready");
            let Err(error) = process.ready().await else {
                return Ok(());
            };
            if begun.elapsed() > READY_PATIENCE {
                return Err(process.not_ready(READY_PATIENCE, &error));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Whether all nodes run that were not killed.
    ///
    /// # Errors
    /// With the last words of one that does not.
    pub fn check(&mut self) -> Result<(), LocalClusterError> {
        self.nodes.iter_mut().flatten().try_for_each(NodeProcess::check)
    }

    /// What a node says of itself.
    ///
    /// # Errors
    /// When it does not answer, as one that was killed.
    pub async fn status(&self, node: usize) -> Result<Status, LocalClusterError> {
        Ok(page::status(&self.page_address(node), page::PATIENCE).await?)
    }

    /// Ends all nodes in order. Dropping the cluster does the same.
    pub fn stop(self) {
        drop(self);
    }

    fn stop_all(&mut self) {
        self.nodes.iter_mut().flatten().for_each(NodeProcess::ask_to_end);
        let deadline = Instant::now() + END_PATIENCE;
        self.nodes.iter_mut().flatten().for_each(|node| node.end(deadline));
        self.nodes.iter_mut().for_each(|slot| *slot = None);
    }

    /// How many nodes it has, whether they run or not.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it has no node, which no cluster is.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The cluster's id.
    pub fn id(&self) -> ClusterId {
        self.layout.cluster
    }

    /// The directory of all its files.
    pub fn dir(&self) -> &FilePath {
        &self.layout.dir
    }

    /// The directory of a node's data.
    pub fn data_dir(&self, node: usize) -> PathBuf {
        self.layout.data_dir(node)
    }

    /// A node's roles.
    pub fn roles(&self, node: usize) -> Vec<Role> {
        self.layout.description.nodes[node].roles()
    }

    /// Where a node's pages for operators are, HOST:PORT.
    pub fn page_address(&self, node: usize) -> String {
        self.layout.description.nodes[node].admin.to_string()
    }

    /// Where a node's gateway for Redis clients is, if it was asked for.
    pub fn resp_address(&self, node: usize) -> Option<SocketAddr> {
        self.layout.resp_address(node)
    }

    /// The process of a node, if it runs.
    pub fn process_id(&self, node: usize) -> Option<u32> {
        self.nodes[node].as_ref().map(NodeProcess::id)
    }

    /// The certificates of clients.
    pub fn tls(&self) -> Tls {
        self.layout.tls()
    }

    /// The configuration of a client that reaches the nodes over these routes, the first first; those
    /// that take no commands are left out.
    pub fn client(&self, routes: &[Route]) -> althing_sdk::Config {
        self.layout.client(routes)
    }

    /// The configuration of a client in a node's region, as patient as the planet is large.
    pub fn client_in(&self, node: usize) -> althing_sdk::Config {
        let mut config = self.client(&self.routes_from(node));
        if let Some(network) = &self.network {
            config.attempt_timeout = network.attempt_timeout();
            config.transport.idle_timeout = network.silence_timeout();
        }
        config
    }

    /// How clients in a node's region reach the nodes: its own directly, the others over the
    /// region's links, the nearest first.
    pub fn routes_from(&self, node: usize) -> Vec<Route> {
        let mut routes = self.direct_routes();
        match &self.network {
            Some(network) => network.routes_from(node, &routes),
            None => {
                routes.rotate_left(node);
                routes
            }
        }
    }

    /// How whoever is nowhere reaches the nodes: without delay.
    pub fn direct_routes(&self) -> Vec<Route> {
        self.layout.direct_routes()
    }

    /// The emulated network, if there is one.
    pub fn mesh(&self) -> Option<&Mesh> {
        self.network.as_ref().map(|network| &network.mesh)
    }

    /// The configuration of clients in a node's region, or of those that are nowhere.
    pub fn client_file(&self, node: Option<usize>) -> PathBuf {
        self.layout.client_file(node)
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.stop_all();
    }
}
