//! `althing bench`: geo-latency benchmarks, and the planets that they need.

mod planet;

use crate::exit::Failure;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make tables of round trips between regions.
    Planet(planet::Args),
}

/// Does what was asked. Makes its own runtime, if it needs one.
pub fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Planet(args) => planet::run(args),
    }
}
