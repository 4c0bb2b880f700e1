//! `althing bench planet`: the round trips of a running cluster as a planet of one's own.

use crate::exit::Failure;
use althing_bench::measure::{self, Measured};
use althing_sdk::ClientFile;
use anyhow::Context;
use std::path::PathBuf;

/// What to do about planets.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write the round trips that a running cluster's nodes measure, as a planet.
    Measure(Measure),
}

const AFTER_HELP: &str = "\
Example:
  althing bench planet measure --config client.toml --out rtt-mine.csv
  althing demo --planet rtt-mine.csv

The nodes are asked at their `admin` addresses in that file; each tells the round trips of its
heartbeats since its connections began, with the queues at both ends. A region that has one node only
is 0.2 ms from itself.

Exit codes: 0 done, 1 the nodes do not tell enough for a complete table, 2 wrong usage or
configuration.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
struct Measure {
    /// The client's configuration, as `althing cluster` writes it.
    #[arg(long, value_name = "FILE", env = "ALTHING_CLIENT")]
    config: PathBuf,
    /// Where to write the table (CSV); a planet is named as its file, without `rtt-` and `.csv`.
    /// [default: stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Does what was asked.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let Command::Measure(Measure { config, out }) = args.command;
    let file = ClientFile::load(&config).map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = runtime.block_on(measure::round_trips(&file, "measured"))?;
    let Measured { planet, samples_least, silent } = measured;
    silent.iter().for_each(|node| eprintln!("not asked: {node}"));
    let table = planet.to_csv();
    match out {
        None => print!("{table}"),
        Some(out) => {
            std::fs::write(&out, table).with_context(|| out.display().to_string())?;
            eprintln!(
                "{}: {} regions, {samples_least} round trips or more behind each pair; use it with \
                 --planet {0}",
                out.display(),
                planet.regions().len()
            );
        }
    }
    Ok(())
}
