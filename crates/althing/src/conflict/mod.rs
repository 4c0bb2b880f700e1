//! `althing conflict`: conflict functions in WebAssembly modules, loaded and audited.

mod check;
mod commands;
mod module;

pub use module::of_config;

use crate::exit::Failure;

/// What to do about conflict functions.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Draw commands of the reference store, execute them in every order that a module allows, and
    /// look for one that makes a difference.
    #[command(after_help = check::AFTER_HELP)]
    Check(check::Check),
}

/// Does it.
pub fn run(args: Args) -> Result<(), Failure> {
    let Command::Check(check) = args.command;
    check::run(&check)
}
