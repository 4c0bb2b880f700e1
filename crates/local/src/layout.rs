//! The cluster's directory: what lies where, and how it is written.

use crate::description::Description;
use crate::network::{Network, Route};
use crate::{LocalClusterError, Settings};
use althing_model::{ClusterId, NodeId, Role};
use althing_node::config::{
    AdminEntry, JournalEntry, LimitsEntry, RespEntry, SnapshotsEntry, StoreEntry,
};
use althing_node::{Config, ConfigFile};
use althing_sdk::{ClientFile, ClientNodeEntry, ClientTlsEntry, NodeAddress, Prefer};
use althing_transport::certs::{ClusterAuthority, Tls};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The name on the clients' certificate.
const CLIENT: &str = "local";

/// A directory that holds a cluster.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) dir: PathBuf,
    pub(crate) cluster: ClusterId,
    pub(crate) description: Description,
    limits: LimitsEntry,
    journal: JournalEntry,
    /// The port of the first node's gateway.
    resp: Option<u16>,
    snapshots: SnapshotsEntry,
    store: StoreEntry,
    /// Removes it in the end, if it is not to be kept.
    _temporary: Option<tempfile::TempDir>,
}

impl Layout {
    /// The directory that was asked for, with certificates and without configurations yet.
    pub(crate) fn open(settings: &Settings) -> Result<Self, LocalClusterError> {
        let (dir, temporary) = directory(settings.dir.as_deref())?;
        let description = Description::of(settings, &dir)?;
        let cluster = description.cluster(&dir)?;
        let last = usize::from(settings.resp.unwrap_or(0)) + description.nodes.len() - 1;
        if let Err(error) = u16::try_from(last) {
            let source = std::io::Error::other(format!("no port {last} for a gateway: {error}"));
            return Err(LocalClusterError::File { path: dir, source });
        }
        let (limits, journal) = (settings.limits.clone(), settings.journal.clone());
        let (snapshots, store) = (settings.snapshots.clone(), settings.store);
        let (resp, _temporary) = (settings.resp, temporary);
        let mut layout =
            Self { dir, cluster, description, limits, journal, resp, snapshots, store, _temporary };
        layout.evade()?;
        layout.certify()?;
        Ok(layout)
    }

    /// Gives nodes other ports where somebody else has theirs. Says whether there were any.
    pub(crate) fn evade(&mut self) -> Result<bool, LocalClusterError> {
        self.description.evade().map_err(LocalClusterError::file(&self.dir))
    }

    /// Makes the certificates, unless they are there.
    fn certify(&self) -> Result<(), LocalClusterError> {
        let certs = self.certs();
        if certs.join("ca.pem").exists() {
            return Ok(());
        }
        let authority = ClusterAuthority::create(self.cluster)?;
        for node in 0..self.len() {
            let roles = self.description.nodes[node].roles();
            authority.issue_node(id(node), &roles)?.write(&certs, true)?;
        }
        authority.issue_client(CLIENT)?.write(&certs, true)?;
        // The last: where it is, the others are.
        authority.write(&certs, true)?;
        Ok(())
    }

    /// Writes every configuration file, for the ports as they are now.
    pub(crate) fn write(&self, network: Option<&Network>) -> Result<(), LocalClusterError> {
        for dir in [self.dir.join("data"), self.dir.join("logs")] {
            std::fs::create_dir_all(&dir).map_err(LocalClusterError::file(&dir))?;
        }
        let direct = self.direct_routes();
        let mut clients = vec![(None, direct.clone())];
        // The first node of a region stands for it.
        for node in (0..self.len()).rev() {
            let routes = network.map(|network| network.routes_from(node, &direct));
            clients.push((Some(node), routes.unwrap_or_else(|| direct.clone())));
        }
        for (node, routes) in clients {
            let region = node.map(|node| self.description.nodes[node].region.as_str());
            let (file, text) = (self.client_file(node), self.client_text(region, &routes));
            std::fs::write(&file, text).map_err(LocalClusterError::file(&file))?;
        }
        // After the files of clients, of which gateways need one.
        (0..self.len()).try_for_each(|node| self.write_config(node, network))?;
        self.description.write(&self.dir)
    }

    /// Writes the configuration of one node.
    pub(crate) fn write_config(
        &self,
        node: usize,
        network: Option<&Network>,
    ) -> Result<(), LocalClusterError> {
        let addresses: Vec<String> =
            self.description.nodes.iter().map(|place| place.address.to_string()).collect();
        let path = self.description.path(&self.dir)?;
        let mut config =
            ConfigFile::example(self.cluster, id(node).0, &addresses, self.description.f, path);
        for (place, entry) in self.description.nodes.iter().zip(&mut config.nodes) {
            entry.region.clone_from(&place.region);
            entry.roles = place.roles().iter().map(|role| role.name().to_owned()).collect();
        }
        if let Some(network) = network {
            for (other, entry) in config.nodes.iter_mut().enumerate() {
                let dial = || network.mesh.address_of(node, other).to_string();
                entry.dial = (other != node).then(dial);
            }
        }
        let admin = self.description.nodes[node].admin.to_string();
        config.admin = Some(AdminEntry { listen: admin });
        config.resp = self.resp_address(node).map(|address| {
            RespEntry::new(address.to_string(), self.client_file(network.map(|_| node)))
        });
        config.limits = self.limits.clone();
        config.snapshots = self.snapshots.clone();
        config.store = self.store;
        config.journal = self.journal.clone();
        // A node that ran and lost its journal must not come back as if it had promised nothing.
        config.journal.create = !self.data_dir(node).exists();
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
            nodes: routes.iter().filter(|route| self.takes_commands(route)).map(node).collect(),
        };
        file.to_toml()
    }

    /// Where a node's gateway is.
    pub(crate) fn resp_address(&self, node: usize) -> Option<SocketAddr> {
        let port = usize::from(self.resp?) + node;
        let port = u16::try_from(port).expect("it was checked when the layout was made");
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// How many nodes it has.
    pub(crate) fn len(&self) -> usize {
        self.description.nodes.len()
    }

    /// Where each node listens.
    pub(crate) fn direct_routes(&self) -> Vec<Route> {
        let places = self.description.nodes.iter().enumerate();
        let route = places.map(|(node, place)| Route {
            node: id(node),
            region: place.region.clone(),
            address: place.address,
        });
        route.collect()
    }

    /// Whether clients may submit to the node at the end of a route.
    pub(crate) fn takes_commands(&self, route: &Route) -> bool {
        self.description.nodes[route.node.0 as usize].roles().contains(&Role::Proposer)
    }

    /// The configuration of a client that reaches the nodes over these routes, the first first; those
    /// that take no commands are left out.
    pub(crate) fn client(&self, routes: &[Route]) -> althing_sdk::Config {
        let node = |route: &Route| NodeAddress {
            id: route.node,
            address: route.address.to_string(),
            region: route.region.clone(),
        };
        let routes = routes.iter().filter(|route| self.takes_commands(route));
        let mut config = althing_sdk::Config::new(routes.map(node).collect(), self.tls());
        config.cluster = Some(self.cluster);
        config.prefer = Prefer::Listed;
        config
    }

    /// The certificates of clients.
    pub(crate) fn tls(&self) -> Tls {
        Tls::of_client(&self.certs(), CLIENT)
    }

    /// The configuration of clients in a node's region, or of those that are nowhere.
    pub(crate) fn client_file(&self, node: Option<usize>) -> PathBuf {
        match node.map(|node| &self.description.nodes[node].region) {
            Some(region) => self.dir.join(format!("client-{region}.toml")),
            None => self.dir.join("client.toml"),
        }
    }

    pub(crate) fn config_file(&self, node: usize) -> PathBuf {
        self.dir.join(format!("node-{node}.toml"))
    }

    /// As the example of a configuration has it.
    pub(crate) fn data_dir(&self, node: usize) -> PathBuf {
        self.dir.join("data").join(node.to_string())
    }

    pub(crate) fn log_file(&self, node: usize) -> PathBuf {
        self.dir.join("logs").join(format!("node-{node}.log"))
    }

    fn certs(&self) -> PathBuf {
        self.dir.join("certs")
    }
}

fn id(node: usize) -> NodeId {
    NodeId(u32::try_from(node).expect("a configuration has far fewer nodes"))
}

/// The absolute path of the cluster's directory; it exists.
fn directory(
    kept: Option<&Path>,
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
