//! Random Redis commands, side by side: the store in this process, and a real Redis server.
//!
//! ```sh
//! cargo run -p althing-kv --example redis_diff -- --commands 100000 --seed 1
//! ```
//! Without `--redis HOST:PORT` it starts `redis-server` from the `PATH` on a free port and ends it. The
//! server is flushed again and again: give it none that holds anything. A difference is printed as the
//! shortest sequence of commands found that shows it, and the program fails.

mod diff;
mod generate;
mod server;
mod value;

use anyhow::{Context, bail};
use clap::Parser;
use diff::Diff;
use server::Server;

/// Compares the store with a Redis server.
#[derive(Parser)]
struct Arguments {
    /// How many commands.
    #[arg(long, default_value_t = 100_000)]
    commands: usize,
    /// Which commands.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A Redis server's address; one is started without it.
    #[arg(long)]
    redis: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let Arguments { commands, seed, redis } = Arguments::parse();
    let server = match redis {
        Some(address) => Server::at(address),
        None => Server::start()?.context("there is no redis-server on the PATH; give --redis")?,
    };
    let mut diff = Diff::with(server.connect()?)?;
    let report = diff.run(seed, commands)?;
    if let Some(difference) = report.difference {
        bail!("a difference:\n{difference}");
    }
    println!(
        "{} commands, {} of them with an error, no difference",
        report.commands, report.errors
    );
    for (name, count) in report.by_name {
        println!("{name:<20} {count:>8}");
    }
    Ok(())
}
