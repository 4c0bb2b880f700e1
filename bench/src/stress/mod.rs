//! Clusters of real processes on this machine, loaded for long or hurt on purpose: what they cost,
//! and how they come back. No distances are emulated: what is measured is the engine, not a planet.
//!
//! ```text
//!   nodes (processes) <---- load (clients) ----> tally (figures, in bounded memory)
//!        |     ^                 ^        \---> recorder (history, for kills alone)
//!        v     |                 |
//!   sampler   comeback       commands, promises
//!   (memory,  (until it votes,
//!    disk)     until it is consistent)
//! ```
//!
//! | subcommand | file | asks |
//! | --- | --- | --- |
//! | `althing bench soak` | [`soak`] | does anything grow? |
//! | `althing bench absence` | [`absence`] | how does a node come back that missed much? |
//! | `althing bench restart` | [`restart`] | how does a node come back that has a long journal? |
//! | `althing bench overload` | [`overload`] | what happens when more is asked for than can be done? |
//! | `althing bench kills` | [`kills`] | is every promise kept when processes are killed all the time? |
//!
//! Clients run in this process, on the cores that the nodes need too: figures of one machine say how
//! things develop, not how fast the engine is.

pub mod absence;
mod comeback;
mod commands;
pub mod kills;
mod load;
mod nodes;
pub mod overload;
mod process;
mod promises;
pub mod restart;
mod sampler;
pub mod soak;
mod tally;

pub(crate) use sampler::{Sample, Usage};
pub(crate) use tally::STEP;

use crate::BenchError;
use crate::real::{Progress, Told, runtime, watched};
use comfy_table::{CellAlignment, Table};
use nodes::Nodes;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;
use tally::Tally;
use tokio::time::interval;

/// How long a run goes on without an answer before it is given up, as elsewhere.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a subcommand came to.
trait Outcome: Serialize {
    /// What is measured, in words, and the figure.
    fn rows(&self) -> Vec<(String, String)>;

    /// Why nobody should go on as if nothing had happened, if there is a reason.
    fn broken(&self) -> Option<String> {
        None
    }
}

/// Runs a subcommand with its progress on stderr, and prints what came of it on stdout.
fn report<T: Outcome>(
    is_json: bool,
    run: impl AsyncFnOnce(PathBuf, Progress<'_>) -> Result<T, BenchError>,
) -> Result<(), BenchError> {
    let binary = std::env::current_exe()?;
    let outcome = watched(|progress| runtime()?.block_on(run(binary, progress)))?;
    match is_json {
        true => println!("{}", serde_json::to_string(&outcome).map_err(std::io::Error::from)?),
        false => println!("{}", table(outcome.rows())),
    }
    match outcome.broken() {
        None => Ok(()),
        Some(text) => Err(BenchError::Broken(text)),
    }
}

/// Looks after a run while something goes on in it: tells how far it is, and ends it when a node has
/// ended that nobody killed, or nobody is answered any more.
async fn attend<T>(
    work: impl Future<Output = T>,
    nodes: &mut Nodes,
    tally: &Tally,
    progress: Progress<'_>,
) -> Result<T, BenchError> {
    let mut work = std::pin::pin!(work);
    let mut ticks = interval(LOOK_EVERY);
    let mut last = (tally.answered(), tally.now());
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            _ = ticks.tick() => {}
        }
        nodes.cluster.check()?;
        let (answered, now) = (tally.answered(), tally.now());
        progress(Told::Answered(answered));
        if answered != last.0 {
            last = (answered, now);
        } else if now > last.1 + PATIENCE {
            let text = format!("no answer in {PATIENCE:?}, after {answered}: the run is given up");
            return Err(BenchError::Broken(text));
        }
    }
}

/// Waits until so many commands are answered in all.
async fn until_answered(tally: &Tally, count: u64) {
    while tally.answered() < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn table(rows: Vec<(String, String)>) -> Table {
    let mut table = crate::output::ruled();
    for (name, figure) in rows {
        table.add_row([name, figure]);
    }
    table.column_mut(1).into_iter().for_each(|it| it.set_cell_alignment(CellAlignment::Right));
    table
}

fn say(progress: Progress<'_>, text: impl AsRef<str>) {
    progress(Told::Said(text.as_ref()));
}

/// In MiB, with three digits after the point.
fn mib(bytes: u64) -> f64 {
    rounded(bytes as f64 / f64::from(1 << 20))
}

/// To three digits after the point: more are noise.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// A figure with its unit, or a dash.
fn figure(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2} {unit}").trim_end().to_owned())
}
