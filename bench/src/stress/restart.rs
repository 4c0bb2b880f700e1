//! `althing bench restart`: a node comes back that has a long journal to read.

use super::comeback::come_back;
use super::commands::CommandArgs;
use super::load::Load;
use super::nodes::{Nodes, SETTLE_PATIENCE, keep_log};
use super::tally::Tally;
use super::{Outcome, attend, figure, mib, report, rounded, say};
use crate::BenchError;
use crate::real::Progress;
use althing_local::{Settings, page};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Between two looks at how long the journals are.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Fill the journals of a cluster, and see how long a node takes to come back.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RestartArgs {
    /// How much each node has written to its journal before one is killed.
    #[arg(long, value_name = "M", default_value_t = 256,
        value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    journal_mib: u64,
    /// Clients at each node, each with one command under way.
    #[arg(long, value_name = "N", default_value_t = 64,
        value_parser = clap::value_parser!(u64).range(1..=10_000))]
    clients: u64,
    /// How long the node may take to come back.
    #[arg(long, value_name = "SECONDS", default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    patience: u64,
    #[command(flatten)]
    asked: CommandArgs,
    /// Print JSON on stdout, and nothing else there.
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Example:
  althing bench restart --journal-mib 1024
  althing bench restart --journal-mib 64 --payload 10000 --json

What is measured: closed-loop clients of three processes write until each has written so much to its
journal (/status, `journal.bytes`), with a configuration that keeps the whole log. The load ends, all
states are equal; one process is killed (kill -9) and started again.
  votes       from its start until its admin page says that it is ready: it has read its journal and
              is connected to a quorum, so that it votes on what arrives
  consistent  from its start until it has executed as many vertices as the others
In the end the digests of all three states must be equal.

The JSON: `journal_mib` (of the node that is restarted), `commands`, `votes_seconds`,
`consistent_seconds`, `digests_equal`; null for what did not happen in time.

Exit codes: 0 done, 1 it did not come back in time, the states differ, or a node ended, 2 wrong usage,
4 a node cannot start.";

/// What a restart came to; the shape of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Restart {
    journal_mib: f64,
    commands: u64,
    votes_seconds: Option<f64>,
    consistent_seconds: Option<f64>,
    digests_equal: bool,
}

impl RestartArgs {
    /// Does it, and prints what came of it.
    ///
    /// # Errors
    /// What was wrong, and what to do.
    pub fn run(&self) -> Result<(), BenchError> {
        report(self.json, async |binary, progress| self.restart(binary, progress).await)
    }

    async fn restart(
        &self,
        binary: PathBuf,
        progress: Progress<'_>,
    ) -> Result<Restart, BenchError> {
        let source = self.asked.source()?;
        let mut nodes = Nodes::start(keep_log(Settings::new(binary, 3)), progress).await?;
        let tally = Arc::new(Tally::start(None));
        let mut load = Load::new(tally.clone(), None, None);
        for node in nodes.fronts() {
            let room = self.clients as usize;
            let kv = nodes.session(node, |it| it.in_flight_max = it.in_flight_max.max(room));
            let kv = kv.await?;
            (0..room).for_each(|_| load.closed(node, &kv, source.client(), Duration::ZERO));
        }
        let pages = (0..nodes.cluster.len()).map(|node| nodes.cluster.page_address(node)).collect();
        let written = until_written(pages, self.journal_mib << 20);
        attend(written, &mut nodes, &tally, progress).await?;
        attend(load.finish(), &mut nodes, &tally, progress).await?;
        let commands = tally.answered();
        let Some(before) = nodes.settled(SETTLE_PATIENCE).await else {
            let text = format!("the states differ {SETTLE_PATIENCE:?} after the load");
            return Err(BenchError::Broken(text));
        };
        let node = 2;
        let status = nodes.cluster.status(node).await?;
        nodes.cluster.kill(node);
        let journal_mib = mib(status.journal.bytes);
        say(progress, format!("node {node} is killed, with {journal_mib:.0} MiB in its journal"));
        let back = come_back(&mut nodes, node, Duration::from_secs(self.patience)).await?;
        let after = nodes.settled(SETTLE_PATIENCE).await;
        let seconds = |time: Duration| rounded(time.as_secs_f64());
        Ok(Restart {
            journal_mib,
            commands,
            votes_seconds: back.votes.map(seconds),
            consistent_seconds: back.consistent.map(seconds),
            digests_equal: after == Some(before),
        })
    }
}

/// Waits until every node has written so many bytes to its journal.
async fn until_written(pages: Vec<String>, bytes: u64) {
    for page in pages {
        let written = async || {
            let status = page::status(&page, page::PATIENCE).await;
            status.map_or(0, |status| status.journal.bytes)
        };
        while written().await < bytes {
            sleep(LOOK_EVERY).await;
        }
    }
}

impl Outcome for Restart {
    fn rows(&self) -> Vec<(String, String)> {
        let rows = [
            ("journal", format!("{:.1} MiB", self.journal_mib)),
            ("commands", self.commands.to_string()),
            ("votes after", figure(self.votes_seconds, "s")),
            ("consistent after", figure(self.consistent_seconds, "s")),
            ("states are equal in the end", self.digests_equal.to_string()),
        ];
        rows.map(|(name, figure)| (name.to_owned(), figure)).into()
    }

    fn broken(&self) -> Option<String> {
        match (self.votes_seconds, self.consistent_seconds, self.digests_equal) {
            (Some(_), Some(_), true) => None,
            (None, ..) => Some("the node did not vote again in time".to_owned()),
            (_, None, _) => Some("the node was not consistent again in time".to_owned()),
            (.., false) => Some("the state is not what it was before the restart".to_owned()),
        }
    }
}
