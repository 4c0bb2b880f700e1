//! How fast the simulator is: five regions, 2 % conflicts, and how long it took.
//!
//! Example: `cargo run --release -p althing-bench --example speed -- 1000000 50`

use althing_bench::{BenchError, Load, Protocol, Workload, sim};
use std::time::Instant;

/// As in the `althing` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), BenchError> {
    let mut args = std::env::args().skip(1).map(|it| it.parse::<u64>().expect("a number"));
    let (total, clients) = (args.next().unwrap_or(200_000), args.next().unwrap_or(1));
    let commands = (total / clients / 5).max(1);
    let load = Load::Closed { commands };
    let workload = Workload { clients: clients as usize, load, ..Workload::default() };
    let begun = Instant::now();
    let run = sim::run(&workload, &Protocol::Fast, 1)?;
    let took = begun.elapsed().as_secs_f64();
    let latency = run.latency();
    println!(
        "{} commands of {clients} clients a region in {took:.1} s: {:.0} a minute; mean {:.1} ms, linearizable {:?}",
        latency.len(),
        latency.len() as f64 / took * 60.0,
        latency.mean() / 1000.0,
        run.linearizable
    );
    Ok(())
}
