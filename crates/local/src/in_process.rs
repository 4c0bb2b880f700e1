//! A cluster inside this process: for a first program, and for the tests of an application.

use crate::layout::Layout;
use crate::{ASK_EVERY, LocalClusterError, PORT_TRIES, READY_PATIENCE, Settings};
use althing_model::{Conflicts, StateMachine};
use althing_node::{Node, NodeFailed, NodeHandle, StartError};
use althing_sdk::{Client, Config, ConnectError};
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
    nodes: Vec<Option<NodeHandle>>,
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
            let Err(error) = cluster.start_all(&machine, &conflicts) else { break };
            cluster.stop_all().await?;
            // With all of them down, a port that is not free is somebody else's.
            if tries == PORT_TRIES || !cluster.layout.evade()? {
                return Err(error.into());
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
            self.nodes.push(Some(node));
        }
        Ok(())
    }

    async fn ready(&self, node: usize) -> Result<(), LocalClusterError> {
        let begun = Instant::now();
        let handle = self.node(node).expect("all run while they are waited for");
        while let Some(reason) = handle.status().await?.not_ready_because {
            if begun.elapsed() > READY_PATIENCE {
                let patience = READY_PATIENCE;
                return Err(LocalClusterError::NotReadyHere { node, patience, reason });
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        Ok(())
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
        routes.rotate_left(node);
        self.layout.client(&routes)
    }

    /// A node, unless it was stopped.
    ///
    /// # Panics
    /// Where there never was such a node; of all these functions.
    pub fn node(&self, node: usize) -> Option<&NodeHandle> {
        self.nodes[node].as_ref()
    }

    /// Ends one node in order; the others go on.
    ///
    /// # Errors
    /// When it had failed before.
    pub async fn stop_one(&mut self, node: usize) -> Result<(), NodeFailed> {
        match self.nodes[node].take() {
            Some(node) => node.shutdown().await,
            None => Ok(()),
        }
    }

    /// Ends all nodes in order.
    ///
    /// # Errors
    /// When one had failed before.
    pub async fn stop(mut self) -> Result<(), NodeFailed> {
        self.stop_all().await
    }

    async fn stop_all(&mut self) -> Result<(), NodeFailed> {
        for node in self.nodes.drain(..).flatten() {
            node.shutdown().await?;
        }
        Ok(())
    }
}
