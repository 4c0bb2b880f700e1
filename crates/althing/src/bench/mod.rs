//! `althing bench`: what a deployment's latency will be, simulated, emulated or measured.

mod planet;

use crate::exit::Failure;
use althing_bench::BenchError;
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
    /// Make tables of round trips between regions.
    Planet(planet::Args),
}

/// Does what was asked.
///
/// # Errors
/// What was wrong with it, or that a run showed an error.
pub fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Geo(args) => args.run(&command_line()).map_err(|error| match error {
            error @ (BenchError::NotLinearizable { .. }
            | BenchError::Connect { .. }
            | BenchError::Io(_)
            | BenchError::Output { .. }) => Failure::from(error),
            error @ BenchError::Local(_) => Failure::cannot_start(error),
            error => Failure::usage(error),
        }),
        Command::Planet(args) => planet::run(args),
    }
}

/// What was typed, for the report.
fn command_line() -> String {
    let words = std::env::args().skip(1).map(|word| match word.contains(char::is_whitespace) {
        true => format!("'{word}'"),
        false => word,
    });
    std::iter::once("althing".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
