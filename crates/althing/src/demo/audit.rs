//! After the load: whether everything promised is there, and the same everywhere.

use super::workload::{Ledger, SHARED_KEY};
use althing_bench::real::{Recorder, read_back};
use althing_kv::{KvCommand, KvReply};
use althing_local::LocalCluster;
use althing_sdk::{KvClient, KvError};
use bytes::Bytes;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The client number of the audit, which no client of the load has.
const AUDITOR: u64 = u64::MAX;

/// The client number of the one that asks a single node.
const VISITOR: u64 = u64::MAX - 1;

/// How long replicas may take to have executed the same.
const SETTLE_PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Reads everything that was promised, and counts what is missing. A read that fails counts as well:
/// what cannot be read is not there. `readers` are asked in turn.
pub async fn lost(recorder: &Arc<Recorder>, ledger: &Ledger, readers: &[(usize, KvClient)]) -> u64 {
    let shared = Bytes::from_static(SHARED_KEY.as_bytes());
    let keys: Vec<Bytes> = ledger.keys().cloned().chain([shared.clone()]).collect();
    let reads = read_back(recorder, AUDITOR, keys, readers).await;
    let lost = reads.into_iter().map(|(key, outcome)| match outcome {
        Ok(KvReply::Value(found)) if key == shared => ledger.lost_increments(found.as_ref()),
        Ok(KvReply::Value(found)) => ledger.lost_put(&key, found.as_ref()),
        _ => 1,
    });
    lost.sum()
}

/// One write and one read, through a client that asks one node only: whether that node serves.
///
/// # Errors
/// As the store's client says.
pub async fn visit(recorder: &Recorder, region: usize, kv: &KvClient) -> Result<bool, KvError> {
    let (key, value) = (Bytes::from("visitor"), Bytes::from("was here"));
    let put = KvCommand::Put { key: key.clone(), value: value.clone() };
    recorder.execute(VISITOR, region, kv, put).await?;
    let read = recorder.execute(VISITOR, region, kv, KvCommand::Get { key }).await?;
    Ok(read == KvReply::Value(Some(value)))
}

/// What the replicas came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// All executed the same and have one state.
    Equal {
        /// Its digest.
        digest: String,
        /// How many commands each applied.
        applied: u64,
    },
    /// They did not in time: what each says.
    Apart(Vec<String>),
}

/// Waits until all replicas have executed all that is committed and have the same state.
pub async fn settled(cluster: &LocalCluster) -> Settled {
    let begun = Instant::now();
    loop {
        let views = views(cluster).await;
        if let Some(View { digest: Some(digest), applied, .. }) = views.first()
            && views.iter().all(|view| view.is_settled() && view.same_as(&views[0]))
        {
            return Settled::Equal { digest: digest.clone(), applied: *applied };
        }
        if begun.elapsed() > SETTLE_PATIENCE {
            return Settled::Apart(views.iter().map(|view| format!("{view:?}")).collect());
        }
        sleep(LOOK_EVERY).await;
    }
}

/// A replica's state, as far as it matters here.
#[derive(Debug, Default)]
struct View {
    committed: u64,
    executed: u64,
    applied: u64,
    digest: Option<String>,
}

impl View {
    fn is_settled(&self) -> bool {
        self.committed == self.executed && self.digest.is_some()
    }

    fn same_as(&self, other: &Self) -> bool {
        self.committed == other.committed && self.digest == other.digest
    }
}

async fn views(cluster: &LocalCluster) -> Vec<View> {
    let mut views = Vec::new();
    for node in 0..cluster.len() {
        let status = cluster.status(node).await.ok();
        let view = status.and_then(|status| {
            let replica = status.replica?;
            Some(View {
                committed: replica.committed,
                executed: replica.executed,
                applied: replica.applied,
                digest: status.digest,
            })
        });
        views.push(view.unwrap_or_default());
    }
    views
}
