//! `althing bench absence`: a node misses many commands, and comes back while others arrive.

use super::comeback::come_back;
use super::commands::CommandArgs;
use super::load::Load;
use super::nodes::{Nodes, SETTLE_PATIENCE};
use super::tally::Tally;
use super::{LOOK_EVERY, Outcome, attend, figure, report, rounded, say, until_answered};
use crate::BenchError;
use crate::real::Progress;
use althing_local::Settings;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// However soon a node is back, latency is looked at for as long as this.
const DURING_LEAST: Duration = Duration::from_secs(1);

/// Let a node miss many commands, and see how it comes back under load.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct AbsenceArgs {
    /// Commands that pass while the node is away.
    #[arg(long, value_name = "N", default_value_t = 100_000,
        value_parser = clap::value_parser!(u64).range(100..))]
    commands: u64,
    /// Clients at each of the two other nodes, each with one command under way.
    #[arg(long, value_name = "N", default_value_t = 16,
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
  althing bench absence --commands 1000000
  althing bench absence --commands 20000 --clients 4 --json

What is measured: three processes, closed-loop clients at two of them. After a warm-up of a tenth of
the commands, another tenth gives the p99 `before`. The third process is killed (kill -9), so many
commands are answered without it, and it is started again while the load goes on.
  votes       from its start until its admin page says that it is ready: it has read its journal and
              is connected to a quorum, so that it votes on what arrives
  consistent  from its start until it has executed as many vertices as the others had then
  p99 during  of the other nodes' clients, of what they sent from its start until it is consistent,
              one second at least; ratio: over the p99 before
When the load has ended, the digests of all three states must be equal.

The JSON: `commands`, `votes_seconds`, `consistent_seconds`, `p99_ms` (`before`, `during`),
`p99_ratio`, `digests_equal`; null for what did not happen in time.

Exit codes: 0 done, 1 it did not come back in time, the states differ, or a node ended, 2 wrong usage,
4 a node cannot start.";

/// What an absence came to; the shape of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Absence {
    commands: u64,
    votes_seconds: Option<f64>,
    consistent_seconds: Option<f64>,
    p99_ms: BeforeAndDuring,
    p99_ratio: Option<f64>,
    digests_equal: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct BeforeAndDuring {
    before: Option<f64>,
    during: Option<f64>,
}

impl AbsenceArgs {
    /// Does it, and prints what came of it.
    ///
    /// # Errors
    /// What was wrong, and what to do.
    pub fn run(&self) -> Result<(), BenchError> {
        report(self.json, async |binary, progress| self.absence(binary, progress).await)
    }

    async fn absence(
        &self,
        binary: PathBuf,
        progress: Progress<'_>,
    ) -> Result<Absence, BenchError> {
        let source = self.asked.source()?;
        let mut nodes = Nodes::start(Settings::new(binary, 3), progress).await?;
        let away = 2;
        let tally = Arc::new(Tally::start(None));
        let mut load = Load::new(tally.clone(), None, None);
        for node in nodes.fronts().into_iter().filter(|node| *node != away) {
            let room = self.clients as usize;
            let kv = nodes.session(node, |it| it.in_flight_max = it.in_flight_max.max(room));
            let kv = kv.await?;
            (0..room).for_each(|_| load.closed(node, &kv, source.client(), Duration::ZERO));
        }
        let tenth = self.commands.div_ceil(10);
        attend(until_answered(&tally, tenth), &mut nodes, &tally, progress).await?;
        let before = tally.begin_phase();
        attend(until_answered(&tally, 2 * tenth), &mut nodes, &tally, progress).await?;

        tally.begin_phase();
        nodes.cluster.kill(away);
        let gone_at = tally.answered();
        say(progress, format!("node {away} is killed after {gone_at} answers"));
        let back_at = gone_at + self.commands;
        attend(until_answered(&tally, back_at), &mut nodes, &tally, progress).await?;
        let missed = tally.answered() - gone_at;

        let during = tally.begin_phase();
        let begun = tally.now();
        say(progress, format!("node {away} is started again, {missed} answers later"));
        let back = come_back(&mut nodes, away, Duration::from_secs(self.patience)).await?;
        let rest = DURING_LEAST.saturating_sub(tally.now().saturating_sub(begun));
        attend(tokio::time::sleep(rest), &mut nodes, &tally, progress).await?;
        tally.begin_phase();
        // What it is given from now on is not measured, but it has to cope with it.
        attend(tokio::time::sleep(LOOK_EVERY), &mut nodes, &tally, progress).await?;
        attend(load.finish(), &mut nodes, &tally, progress).await?;
        let digest = nodes.settled(SETTLE_PATIENCE).await;
        let p99 = |phase| tally.phase(phase).percentile_ms(99.0);
        let p99_ms = BeforeAndDuring { before: p99(before), during: p99(during) };
        let seconds = |time: Duration| rounded(time.as_secs_f64());
        Ok(Absence {
            commands: missed,
            votes_seconds: back.votes.map(seconds),
            consistent_seconds: back.consistent.map(seconds),
            p99_ms,
            p99_ratio: p99_ms.during.zip(p99_ms.before).map(|(during, it)| rounded(during / it)),
            digests_equal: digest.is_some(),
        })
    }
}

impl Outcome for Absence {
    fn rows(&self) -> Vec<(String, String)> {
        let rows = [
            ("commands that it missed", self.commands.to_string()),
            ("votes after", figure(self.votes_seconds, "s")),
            ("consistent after", figure(self.consistent_seconds, "s")),
            ("p99 of the others, before", figure(self.p99_ms.before, "ms")),
            ("p99 of the others, during", figure(self.p99_ms.during, "ms")),
            ("during over before", figure(self.p99_ratio, "")),
            ("states are equal in the end", self.digests_equal.to_string()),
        ];
        rows.map(|(name, figure)| (name.to_owned(), figure)).into()
    }

    fn broken(&self) -> Option<String> {
        match (self.votes_seconds, self.consistent_seconds, self.digests_equal) {
            (Some(_), Some(_), true) => None,
            (None, ..) => Some("the node did not vote again in time".to_owned()),
            (_, None, _) => Some("the node was not consistent again in time".to_owned()),
            (.., false) => Some(format!("the states differ {SETTLE_PATIENCE:?} after the load")),
        }
    }
}
