//! A node that was killed is started again: how long until it takes part, and until it holds what
//! the others held.

use super::nodes::{Nodes, executed};
use crate::BenchError;
use althing_local::page;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Between two looks: what times are exact to, beside what a page takes.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a page may take of a node that is busy coming back.
const PAGE_PATIENCE: Duration = Duration::from_secs(3);

/// From the start of the process on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Comeback {
    /// Until its page says that it is ready: it has read its journal, its roles run, and it is
    /// connected to a quorum, so that it votes on what arrives. None: not in time.
    pub(super) votes: Option<Duration>,
    /// Until it has executed as many vertices as the one of the others that had executed most when
    /// it was started. None: not in time.
    pub(super) consistent: Option<Duration>,
}

/// Starts the node and watches it, for `patience` at most.
///
/// # Errors
/// When it cannot be started, or a node ends.
pub(super) async fn come_back(
    nodes: &mut Nodes,
    node: usize,
    patience: Duration,
) -> Result<Comeback, BenchError> {
    let target = nodes.executed_most(node).await;
    let begun = Instant::now();
    nodes.cluster.start_again(node)?;
    let address = nodes.cluster.page_address(node);
    let mut back = Comeback { votes: None, consistent: None };
    while begun.elapsed() < patience && (back.votes.is_none() || back.consistent.is_none()) {
        nodes.cluster.check()?;
        if back.votes.is_none() && page::ready(&address, PAGE_PATIENCE).await.is_ok() {
            back.votes = Some(begun.elapsed());
        }
        if back.votes.is_some() {
            let status = page::status(&address, PAGE_PATIENCE).await.ok();
            let replica = status.and_then(|status| status.replica);
            if replica.is_some_and(|replica| executed(&replica) >= target) {
                back.consistent = Some(begun.elapsed());
            }
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(back)
}
