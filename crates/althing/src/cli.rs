//! The command line: what can be asked of `althing`, and which part answers.

use crate::exit::Failure;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A replicated service without a leader.
#[derive(Debug, Parser)]
#[command(name = "althing", version, about, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  failed for sure (nothing took effect), or another error
  2  wrong usage or configuration
  3  outcome unknown: it may have taken effect, or may yet
  4  a node cannot start: address in use, journal or certificate not in order";

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch a cluster of this machine live through failures.
    Demo(crate::demo::Args),
    /// Run a cluster on this machine.
    Cluster(crate::cluster::Args),
}

impl Cli {
    /// Does what was asked.
    fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Demo(args) => crate::demo::run(args),
            Command::Cluster(args) => crate::cluster::run(args),
        }
    }
}

/// Parses the process's arguments, does what they ask, and says on stderr what went wrong.
pub fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { exit, error }) => {
            eprintln!("error: {error:#}");
            exit.into()
        }
    }
}
