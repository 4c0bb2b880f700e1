//! A cluster inside this process: for a first program, and for the tests of an application.

use crate::layout::Layout;
use crate::{ASK_EVERY, LocalClusterError, PORT_TRIES, READY_PATIENCE, Settings};
use althing_model::{Conflicts, StateMachine};
use althing_node::{Node, NodeFailed, NodeHandle, StartError};
use althing_sdk::{Client, Config, ConnectError, NodeAddress, Prefer};
use std::path::PathBuf;
use std::time::Instant;

/// Nodes on loopback, in threads of this process, with certificates, journals and snapshots in a
/// temporary directory that goes when this is dropped. One of them may fail.
///
/// ```no_run
/// # use althing_model::{Conflicts, StateMachine};
/// # async fn run<M: StateMachine + Default + 'static, C: Conflicts + Default + 'static>()
/// # -> Result<(), Box<dyn std::error::Error>> {
/// use althing_local::LocalNodes;
///
/// let nodes = LocalNodes::start(3, M::default, C::default).await?;
/// let client = nodes.client(0).await?;
/// println!("{:?}", client.execute("a command".into()).await?);
/// nodes.stop().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LocalNodes {
    // Before the directory in which they write.
    nodes: Vec<NodeHandle>,
    layout: Layout,
}

impl LocalNodes {
    /// Starts so many nodes, each with a state machine and a conflict function of its own. When this
    /// returns, each of them could commit a command.
    ///
    /// # Errors
    /// When one cannot be started, or is not ready within a minute.
    pub async fn start<M, C>(
        count: usize,
        machine: impl Fn() -> M,
        conflicts: impl Fn() -> C,
    ) -> Result<Self, LocalClusterError>
    where
        M: StateMachine + 'static,
        C: Conflicts + 'static,
    {
        // No program is run: the nodes are threads.
        let layout = Layout::open(&Settings::new(PathBuf::new(), count))?;
        let mut cluster = Self { nodes: Vec::new(), layout };
        let mut tries = 1;
        loop {
            cluster.layout.write(None)?;
            let started = cluster.start_all(&machine, &conflicts);
            // A port that was free a moment ago may be somebody else's now.
            match started {
                Ok(()) => break,
                Err(error) if tries == PORT_TRIES => return Err(error.into()),
                Err(error) => {
                    cluster.nodes.clear();
                    if !cluster.layout.evade()? {
                        return Err(error.into());
                    }
                }
            }
            tries += 1;
        }
        for node in 0..count {
            cluster.ready(node).await?;
        }
        Ok(cluster)
    }

    fn start_all<M: StateMachine + 'static, C: Conflicts + 'static>(
        &mut self,
        machine: &impl Fn() -> M,
        conflicts: &impl Fn() -> C,
    ) -> Result<(), StartError> {
        for node in 0..self.layout.len() {
            let node = Node::builder()
                .config_file(self.layout.config_file(node))
                .state_machine(machine())
                .conflicts(conflicts())
                .start()?;
            self.nodes.push(node);
        }
        Ok(())
    }

    async fn ready(&self, node: usize) -> Result<(), LocalClusterError> {
        let begun = Instant::now();
        loop {
            let status = self.nodes[node].status().await?;
            let Some(reason) = status.not_ready_because else { return Ok(()) };
            if begun.elapsed() > READY_PATIENCE {
                let log = self.layout.log_file(node);
                return Err(LocalClusterError::NotReady {
                    node,
                    patience: READY_PATIENCE,
                    reason,
                    log,
                });
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// A client that asks this node first, and the others when it does not answer.
    ///
    /// # Errors
    /// When no node lets it in.
    pub async fn client(&self, node: usize) -> Result<Client, ConnectError> {
        Client::connect(self.client_config(node)).await
    }

    /// The configuration of such a client.
    pub fn client_config(&self, node: usize) -> Config {
        let mut routes = self.layout.direct_routes();
        let len = routes.len();
        routes.rotate_left(node % len);
        let addresses = routes.iter().map(|route| NodeAddress {
            id: route.node,
            address: route.address.to_string(),
            region: route.region.clone(),
        });
        let mut config = Config::new(addresses.collect(), self.layout.tls());
        config.cluster = Some(self.layout.cluster);
        config.prefer = Prefer::Listed;
        config
    }

    /// The nodes.
    pub fn nodes(&self) -> &[NodeHandle] {
        &self.nodes
    }

    /// Takes a node out of the cluster, to shut it down: the others go on.
    ///
    /// # Panics
    /// Where there is no such node.
    pub fn remove(&mut self, node: usize) -> NodeHandle {
        self.nodes.remove(node)
    }

    /// Ends all nodes in order.
    ///
    /// # Errors
    /// When one had failed before.
    pub async fn stop(self) -> Result<(), NodeFailed> {
        for node in self.nodes {
            node.shutdown().await?;
        }
        Ok(())
    }
}
