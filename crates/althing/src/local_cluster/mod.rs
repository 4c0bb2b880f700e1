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
//! use althing::local_cluster::{LocalCluster, Settings};
//!
//! let mut cluster = LocalCluster::start(Settings::new(std::env::current_exe()?, 3)).await?;
//! cluster.kill(0);
//! cluster.restart(0).await?;
//! println!("{:?}", cluster.status(0).await?.replica);
//! cluster.stop();
//! # Ok(())
//! # }
//! ```

mod description;
mod error;
pub mod leash;
mod page;
mod ports;
mod process;

pub use error::LocalClusterError;

use althing_model::{ClusterId, NodeId, Path, Role};
use althing_node::config::AdminEntry;
use althing_node::{Config, ConfigFile, Status};
use althing_planet::{Planet, Region};
use althing_relay::{Mesh, Relay};
use althing_sdk::{ClientFile, ClientNodeEntry, ClientTlsEntry, NodeAddress, Prefer};
use althing_transport::certs::{ClusterAuthority, Tls};
use description::Description;
use process::NodeProcess;
use std::net::SocketAddr;
use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, Instant};

/// The name on the clients' certificate.
const CLIENT: &str = "local";

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
}

impl Settings {
    /// A cluster of `nodes` nodes beside each other, of which one may fail; not kept.
    pub fn new(binary: PathBuf, nodes: usize) -> Self {
        let regions = vec![NO_REGION.to_owned(); nodes];
        Self { binary, dir: None, regions, planet: None, f: 1, path: Path::Fast }
    }
}

/// Where a client finds a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The node.
    pub node: NodeId,
    /// Where it is.
    pub region: String,
    /// What to dial.
    pub address: SocketAddr,
}

/// A running cluster. See the module's documentation.
#[derive(Debug)]
pub struct LocalCluster {
    // In the order in which they go: the processes before the network, the files last.
    nodes: Vec<Option<NodeProcess>>,
    network: Option<Network>,
    description: Description,
    cluster: ClusterId,
    binary: PathBuf,
    dir: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

/// The emulated planet.
#[derive(Debug)]
struct Network {
    planet: Planet,
    regions: Vec<Region>,
    mesh: Mesh,
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
            let evaded = cluster.description.evade();
            if tries == PORT_TRIES || !evaded.map_err(LocalClusterError::file(&cluster.dir))? {
                return Err(error);
            }
            tries += 1;
            if let Some(Network { planet, regions, mesh }) = &mut cluster.network {
                *mesh = self::mesh(planet, regions, &cluster.description)?;
            }
            cluster.lay_out()?;
        }
    }

    fn prepare(settings: Settings) -> Result<Self, LocalClusterError> {
        let (dir, temporary) = directory(settings.dir.as_deref())?;
        let mut description = Description::of(&settings, &dir)?;
        description.evade().map_err(LocalClusterError::file(&dir))?;
        let cluster = description.cluster(&dir)?;
        let mut prepared = Self {
            nodes: description.nodes.iter().map(|_| None).collect(),
            network: None,
            cluster,
            description,
            binary: settings.binary,
            dir,
            _temporary: temporary,
        };
        prepared.certify()?;
        if let Some(planet) = settings.planet {
            let regions =
                prepared.description.nodes.iter().map(|place| planet.region(&place.region));
            let regions = regions.collect::<Result<Vec<_>, _>>()?;
            let mesh = mesh(&planet, &regions, &prepared.description)?;
            prepared.network = Some(Network { planet, regions, mesh });
        }
        prepared.lay_out()?;
        Ok(prepared)
    }

    /// Makes the certificates, unless they are there.
    fn certify(&self) -> Result<(), LocalClusterError> {
        let certs = self.certs();
        if certs.join("ca.pem").exists() {
            return Ok(());
        }
        let authority = ClusterAuthority::create(self.cluster)?;
        for node in 0..self.nodes.len() {
            authority.issue_node(id(node), &Role::ALL)?.write(&certs, true)?;
        }
        authority.issue_client(CLIENT)?.write(&certs, true)?;
        // The last: where it is, the others are.
        authority.write(&certs, true)?;
        Ok(())
    }

    /// Writes every configuration file, for the ports as they are now.
    fn lay_out(&self) -> Result<(), LocalClusterError> {
        for dir in [self.dir.join("data"), self.dir.join("logs")] {
            std::fs::create_dir_all(&dir).map_err(LocalClusterError::file(&dir))?;
        }
        let mut clients = vec![(None, self.direct_routes())];
        // The first node of a region stands for it.
        for node in (0..self.nodes.len()).rev() {
            self.write_config(node)?;
            clients.push((Some(node), self.routes_from(node)));
        }
        for (node, routes) in clients {
            let region = node.map(|node| self.description.nodes[node].region.as_str());
            let (file, text) = (self.client_file(node), self.client_text(region, &routes));
            std::fs::write(&file, text).map_err(LocalClusterError::file(&file))?;
        }
        self.description.write(&self.dir)
    }

    fn write_config(&self, node: usize) -> Result<(), LocalClusterError> {
        let addresses: Vec<String> =
            self.description.nodes.iter().map(|place| place.address.to_string()).collect();
        let path = self.description.path(&self.dir)?;
        let mut config =
            ConfigFile::example(self.cluster, id(node).0, &addresses, self.description.f, path);
        for (place, entry) in self.description.nodes.iter().zip(&mut config.nodes) {
            entry.region.clone_from(&place.region);
        }
        if let Some(Network { mesh, .. }) = &self.network {
            for (other, entry) in config.nodes.iter_mut().enumerate() {
                entry.dial = (other != node).then(|| mesh.address_of(node, other).to_string());
            }
        }
        let admin = self.description.nodes[node].admin.to_string();
        config.admin = Some(AdminEntry { listen: admin });
        config.journal.segment_mib = SEGMENT_MIB;
        // A node that ran and lost its journal must not come back as if it had promised nothing.
        config.journal.create = !self.dir.join(&config.data_dir).exists();
        Config::from_file(&config, &self.dir)?;
        let file = self.config_file(node);
        std::fs::write(&file, config.to_toml()).map_err(LocalClusterError::file(&file))
    }

    fn client_text(&self, region: Option<&str>, routes: &[Route]) -> String {
        let Tls { ca, cert, key } = self.tls();
        let node = |route: &Route| ClientNodeEntry {
            id: route.node.0,
            region: route.region.clone(),
            address: route.address.to_string(),
            admin: Some(self.description.nodes[route.node.0 as usize].admin.to_string()),
        };
        let file = ClientFile {
            cluster: self.cluster.to_string(),
            region: region.map(str::to_owned),
            tls: ClientTlsEntry { ca, cert, key },
            nodes: routes.iter().map(node).collect(),
        };
        file.to_toml()
    }

    async fn start_all(&mut self) -> Result<(), LocalClusterError> {
        (0..self.nodes.len()).try_for_each(|node| self.launch(node))?;
        for node in 0..self.nodes.len() {
            self.ready(node).await?;
        }
        // From now on a journal that is missing is lost.
        (0..self.nodes.len()).try_for_each(|node| self.write_config(node))
    }

    fn launch(&mut self, node: usize) -> Result<(), LocalClusterError> {
        let admin = self.description.nodes[node].admin;
        let (config, log) = (self.config_file(node), self.log_file(node));
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

    /// Kills all nodes, one right after the other.
    pub fn kill_all(&mut self) {
        self.nodes.iter_mut().for_each(|slot| {
            if let Some(mut process) = slot.take() {
                process.kill();
            }
        });
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
        let address = self.description.nodes[node].admin;
        let text = page::get(address, "/status").await?;
        serde_json::from_str(&text).map_err(|error| LocalClusterError::Page {
            address,
            path: "/status".to_owned(),
            reason: format!("it is no status: {error}"),
        })
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
        self.cluster
    }

    /// The directory of all its files.
    pub fn dir(&self) -> &FilePath {
        &self.dir
    }

    /// The process of a node, if it runs.
    pub fn process_id(&self, node: usize) -> Option<u32> {
        self.nodes[node].as_ref().map(NodeProcess::id)
    }

    /// The certificates of clients.
    pub fn tls(&self) -> Tls {
        Tls::of_client(&self.certs(), CLIENT)
    }

    /// The configuration of a client that reaches the nodes over these routes, the first first.
    pub fn client(&self, routes: &[Route]) -> althing_sdk::Config {
        let node = |route: &Route| NodeAddress {
            id: route.node,
            address: route.address.to_string(),
            region: route.region.clone(),
        };
        let mut config = althing_sdk::Config::new(routes.iter().map(node).collect(), self.tls());
        config.cluster = Some(self.cluster);
        config.prefer = Prefer::Listed;
        config
    }

    /// How clients in a node's region reach the nodes: its own directly, the others over the
    /// region's links, the nearest first.
    pub fn routes_from(&self, node: usize) -> Vec<Route> {
        let mut routes = self.direct_routes();
        if let Some(Network { planet, regions, mesh }) = &self.network {
            for (other, route) in routes.iter_mut().enumerate() {
                route.address = mesh.address_of(node, other);
            }
            let distance = |other: usize| {
                planet
                    .round_trip_us(&regions[node], &regions[other])
                    .expect("the regions were looked up on this planet")
            };
            routes.sort_by_key(|route| {
                let other = route.node.0 as usize;
                (other != node, distance(other))
            });
        } else {
            routes.rotate_left(node);
        }
        routes
    }

    /// How whoever is nowhere reaches the nodes: without delay.
    pub fn direct_routes(&self) -> Vec<Route> {
        let route = |(node, place): (usize, &description::Place)| Route {
            node: id(node),
            region: place.region.clone(),
            address: place.address,
        };
        self.description.nodes.iter().enumerate().map(route).collect()
    }

    /// The emulated network, if there is one.
    pub fn mesh(&self) -> Option<&Mesh> {
        self.network.as_ref().map(|network| &network.mesh)
    }

    /// The configuration of clients in a node's region, or of those that are nowhere.
    pub fn client_file(&self, node: Option<usize>) -> PathBuf {
        match node.map(|node| &self.description.nodes[node].region) {
            Some(region) => self.dir.join(format!("client-{region}.toml")),
            None => self.dir.join("client.toml"),
        }
    }

    fn certs(&self) -> PathBuf {
        self.dir.join("certs")
    }

    fn config_file(&self, node: usize) -> PathBuf {
        self.dir.join(format!("node-{node}.toml"))
    }

    fn log_file(&self, node: usize) -> PathBuf {
        self.dir.join("logs").join(format!("node-{node}.log"))
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.stop_all();
    }
}

fn id(node: usize) -> NodeId {
    NodeId(u32::try_from(node).expect("a configuration has far fewer nodes"))
}

/// The absolute path of the cluster's directory; it exists.
fn directory(
    kept: Option<&FilePath>,
) -> Result<(PathBuf, Option<tempfile::TempDir>), LocalClusterError> {
    let Some(dir) = kept else {
        let parent = std::env::temp_dir();
        let temporary = tempfile::Builder::new().prefix("althing-").tempdir_in(&parent);
        let temporary = temporary.map_err(LocalClusterError::file(&parent))?;
        return Ok((temporary.path().to_owned(), Some(temporary)));
    };
    std::fs::create_dir_all(dir).map_err(LocalClusterError::file(dir))?;
    Ok((dir.canonicalize().map_err(LocalClusterError::file(dir))?, None))
}

fn mesh(
    planet: &Planet,
    regions: &[Region],
    description: &Description,
) -> Result<Mesh, LocalClusterError> {
    let addresses = description.nodes.iter().map(|place| place.address);
    let endpoints: Vec<_> = regions.iter().cloned().zip(addresses).collect();
    Ok(Relay::mesh(planet, &endpoints)?)
}
