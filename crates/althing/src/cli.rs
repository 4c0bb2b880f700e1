//! The command line: what can be asked of `althing`, and which part answers.

use crate::exit::Failure;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Replicated state without a leader: run nodes, make certificates, talk to a cluster.
#[derive(Debug, Parser)]
#[command(name = "althing", version, about, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Example:
  althing demo                   watch a cluster on this machine survive failures
  althing serve --config node-0.toml
  althing plan --n 5 --f 1       choose where to put five nodes

Exit codes, of every command:
  0  done
  1  failed for sure (nothing took effect), or another error
  2  wrong usage, or a configuration that cannot be used
  3  outcome unknown: it may have taken effect, or may yet
  4  a node cannot start: an address in use, a journal or certificate that is not in order

Each command has its own --help, with an example.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch a cluster on this machine live through failures.
    Demo(crate::demo::Args),
    /// Run a cluster on this machine.
    Cluster(crate::cluster::Args),
    /// Run one node with the reference key-value store.
    Serve(crate::serve::Args),
    /// Take Redis clients to a cluster.
    Resp(crate::resp::Args),
    /// Read and write keys of a cluster.
    Kv(crate::kv::Args),
    /// Say how each node of a cluster is.
    Status(crate::status::Args),
    /// Check a node's journal, or set a damaged one aside.
    Journal(crate::journal::Args),
    /// Make, list, inspect and restore snapshots.
    Snapshot(crate::snapshot::Args),
    /// Make and show certificates.
    #[command(visible_alias = "cert")]
    Certs(crate::certs::Args),
    /// Check configurations.
    Config(crate::config::Args),
    /// Look for commands that a conflict function wrongly calls commuting.
    Conflict(crate::conflict::Args),
    /// Run the protocol in a simulated world, with faults.
    Sim(crate::sim::Args),
    /// Choose where to put nodes, by what each placement would cost.
    Plan(crate::plan::Args),
    /// Benchmark a placement of nodes, simulated, emulated or real.
    Bench(crate::bench::Args),
}

impl Cli {
    /// Does what was asked.
    fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Demo(args) => crate::demo::run(args),
            Command::Cluster(args) => crate::cluster::run(args),
            Command::Serve(args) => crate::serve::run(args),
            Command::Resp(args) => crate::resp::run(args),
            Command::Kv(args) => crate::kv::run(args),
            Command::Status(args) => crate::status::run(args),
            Command::Journal(args) => crate::journal::run(args),
            Command::Snapshot(args) => crate::snapshot::run(args),
            Command::Certs(args) => crate::certs::run(args),
            Command::Config(args) => crate::config::run(args),
            Command::Conflict(args) => crate::conflict::run(args),
            Command::Sim(args) => crate::sim::run(args),
            Command::Plan(args) => crate::plan::run(args),
            Command::Bench(args) => crate::bench::run(args),
        }
    }
}

/// Parses the process's arguments, does what they ask, and says on stderr what went wrong.
pub fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { exit, error }) => {
            eprintln!("error: {}", told(&error));
            exit.into()
        }
    }
}

/// The error and its causes, each once: some errors tell their cause themselves.
fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| {
        match told.contains(&cause) {
            true => told,
            false if told.is_empty() => cause,
            false => format!("{told}: {cause}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// Broken: two options of a command contradict each other, which clap finds only when it runs.
    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// Broken: an operator reads the same sentence twice, or not why.
    #[test]
    fn each_cause_is_told_once() {
        use anyhow::Context;
        let cause = std::io::Error::other("the disk is full");
        let error = anyhow::Error::new(cause).context("journal: the disk is full");
        assert_eq!(told(&error), "journal: the disk is full");
        let error: anyhow::Result<()> = Err(error).context("cannot start");
        assert_eq!(told(&error.unwrap_err()), "cannot start: journal: the disk is full");
    }

    /// Broken: a command without an example, or one that does not say how it ends.
    #[test]
    fn each_command_shows_an_example() {
        fn leaves(command: &clap::Command, found: &mut Vec<clap::Command>) {
            if command.has_subcommands() {
                command.get_subcommands().for_each(|sub| leaves(sub, found));
            } else {
                found.push(command.clone());
            }
        }
        let mut found = Vec::new();
        let cli = Cli::command();
        // The demonstration and the local cluster need none: they run without arguments.
        let ours = |name: &str| !["demo", "cluster"].contains(&name);
        cli.get_subcommands().filter(|sub| ours(sub.get_name())).for_each(|sub| {
            leaves(sub, &mut found);
        });
        assert!(found.len() >= 14, "{}", found.len());
        for mut command in found {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{}:\n{help}", command.get_name());
        }
    }
}
