//! `althing demo`: not built yet.

use crate::exit::Failure;

/// What can be asked of the demonstration.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it. Makes its own runtime, if it needs one.
pub fn run(_args: Args) -> Result<(), Failure> {
    Err(anyhow::anyhow!("not built yet").into())
}
