//! `althing bench`: what a deployment's latency will be, simulated, emulated or measured.

use crate::exit::Failure;
use clap::Subcommand;

/// Benchmark a placement of nodes before paying for it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a workload under one or several protocols over the regions of a planet.
    Geo(Box<althing_bench::cli::GeoArgs>),
}

/// Does what was asked.
///
/// # Errors
/// What was wrong with it, or that a run showed an error.
pub fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Geo(args) => args.run().map_err(|error| match error {
            error @ (althing_bench::BenchError::NotLinearizable { .. }
            | althing_bench::BenchError::Output { .. }) => Failure::from(error),
            error => Failure::usage(error),
        }),
    }
}
