//! The cluster under test.

use crate::BenchError;
use crate::real::Progress;
use althing_local::{LocalCluster, Settings, page};
use althing_model::Role;
use althing_node::{ReplicaStatus, Status};
use althing_sdk::{Client, KvClient};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long replicas may take until all have the same state, once nobody asks for anything.
pub(super) const SETTLE_PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running cluster of processes, and where clients go.
pub(super) struct Nodes {
    pub(super) cluster: LocalCluster,
}

/// Lets every node keep its whole log, for as long as it runs: without barriers nothing may be
/// forgotten.
pub(super) fn keep_log(mut settings: Settings) -> Settings {
    settings.snapshots.barrier_vertices = 0;
    settings
}

impl Nodes {
    /// Starts it. When this returns, every node could commit a command.
    pub(super) async fn start(
        settings: Settings,
        progress: Progress<'_>,
    ) -> Result<Self, BenchError> {
        let begun = Instant::now();
        let cluster = LocalCluster::start(settings).await?;
        let (count, seconds) = (cluster.len(), begun.elapsed().as_secs_f64());
        super::say(progress, format!("{count} processes are up after {seconds:.1} s"));
        Ok(Self { cluster })
    }

    /// The nodes that take commands.
    pub(super) fn fronts(&self) -> Vec<usize> {
        self.with(Role::Proposer)
    }

    fn with(&self, role: Role) -> Vec<usize> {
        (0..self.cluster.len()).filter(|node| self.cluster.roles(*node).contains(&role)).collect()
    }

    /// A client that asks this node first, with its session open: what that takes is no command's
    /// latency.
    pub(super) fn session<F: FnOnce(&mut althing_sdk::Config)>(
        &self,
        node: usize,
        change: F,
    ) -> impl Future<Output = Result<KvClient, BenchError>> + Send + use<F> {
        let mut config = self.cluster.client(&self.cluster.routes_from(node));
        change(&mut config);
        let connecting = Client::connect(config);
        async move {
            let client = connecting.await.map_err(|source| BenchError::Connect {
                region: format!("node {node}"),
                source: Arc::new(source),
            })?;
            let kv = KvClient::new(client);
            // If it fails, the first command shows why.
            let _ = kv.get("session").await;
            Ok(kv)
        }
    }

    /// What a node says of itself, if it can be asked.
    pub(super) async fn status(&self, node: usize) -> Option<Status> {
        self.cluster.status(node).await.ok()
    }

    /// The most vertices that any replica but that of `except` says to have executed.
    pub(super) async fn executed_most(&self, except: usize) -> u64 {
        let mut most = 0;
        for node in self.with(Role::Replica).into_iter().filter(|node| *node != except) {
            let replica = self.status(node).await.and_then(|status| status.replica);
            most = most.max(replica.map_or(0, |replica| executed(&replica)));
        }
        most
    }

    /// Waits until every replica has executed all that it knows of and all have one state; its
    /// digest, or none if that does not happen in time.
    pub(super) async fn settled(&self, patience: Duration) -> Option<String> {
        let begun = Instant::now();
        let replicas = self.with(Role::Replica);
        loop {
            let mut digests = Vec::new();
            for node in &replicas {
                digests.push(self.digest_at_rest(*node).await);
            }
            if let Some(first) = digests.first().cloned().flatten()
                && digests.iter().all(|digest| digest.as_ref() == Some(&first))
            {
                return Some(first);
            }
            if begun.elapsed() > patience {
                return None;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// The digest of a replica that has nothing left to execute.
    async fn digest_at_rest(&self, node: usize) -> Option<String> {
        let status = self.status(node).await?;
        let replica = status.replica?;
        status.digest.filter(|_| replica.pending == 0 && replica.committed == replica.executed)
    }

    /// What a node's configuration allows its data to take on disk, log and kept snapshots together,
    /// in bytes, as the node itself says; none from a node that sets no bound.
    pub(super) async fn disk_budget_bytes(&self, node: usize) -> Option<u64> {
        let address = self.cluster.page_address(node);
        disk_budget_of(&page::status_as_json(&address, page::PATIENCE).await.ok()?)
    }
}

/// How many vertices a replica says to have executed, those that it read back included.
pub(super) fn executed(replica: &ReplicaStatus) -> u64 {
    replica.executed
}

/// The disk budget on a status page, in bytes.
fn disk_budget_of(status: &Value) -> Option<u64> {
    ["/disk_budget_bytes", "/disk_budget", "/journal/disk_budget_bytes", "/journal/disk_budget"]
        .into_iter()
        .find_map(|place| status.pointer(place)?.as_u64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Broken: a node's own bound is passed over, or one is made up for a node that has none.
    #[test]
    fn the_disk_budget_is_the_nodes_own() {
        let of = |status: Value| disk_budget_of(&status);
        assert_eq!(of(json!({ "node": 0, "journal": { "bytes": 7 } })), None);
        assert_eq!(of(json!({ "disk_budget_bytes": null })), None);
        assert_eq!(of(json!({ "disk_budget_bytes": 9 })), Some(9));
        assert_eq!(of(json!({ "journal": { "disk_budget_bytes": 8 } })), Some(8));
    }
}
