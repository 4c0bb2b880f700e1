//! `althing bench`: what a deployment's latency will be, simulated, emulated or measured; and how
//! processes on this machine bear load and failures.

mod planet;

use crate::exit::Failure;
use althing_bench::{BenchError, stress};
use althing_local::LocalClusterError;
use clap::Subcommand;

/// Benchmark a placement of nodes before paying for it, or processes on this machine.
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
    /// Pass many commands through a cluster of processes, and see whether anything grows.
    Soak(stress::soak::SoakArgs),
    /// Let a node miss many commands, and see how it comes back under load.
    Absence(stress::absence::AbsenceArgs),
    /// Fill the journals of a cluster, and see how long a node takes to come back.
    Restart(stress::restart::RestartArgs),
    /// Ask a cluster for several times what it can do, and see what it still does.
    Overload(stress::overload::OverloadArgs),
    /// Kill processes at random moments, and check everything that clients saw.
    Kills(stress::kills::KillsArgs),
}

/// Does what was asked.
///
/// # Errors
/// What was wrong with it, or that a run showed an error.
pub fn run(args: Args) -> Result<(), Failure> {
    let done = match args.command {
        Command::Geo(args) => args.run(&command_line()),
        Command::Planet(args) => return planet::run(args),
        Command::Soak(args) => args.run(&command_line()),
        Command::Absence(args) => args.run(),
        Command::Restart(args) => args.run(),
        Command::Overload(args) => args.run(),
        Command::Kills(args) => args.run(),
    };
    done.map_err(failure)
}

/// The failure that goes with an error.
fn failure(error: BenchError) -> Failure {
    match error {
        BenchError::Local(error) if matches!(*error, LocalClusterError::Ended { .. }) => {
            Failure::from(BenchError::Local(error))
        }
        error @ (BenchError::NotLinearizable { .. }
        | BenchError::Broken(_)
        | BenchError::Connect { .. }
        | BenchError::Io(_)
        | BenchError::Output { .. }) => Failure::from(error),
        error @ BenchError::Local(_) => Failure::cannot_start(error),
        error => Failure::usage(error),
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
