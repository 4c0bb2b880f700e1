//! A workload on real processes, without the command line: p50 and p99 of each region.
//!
//! ```text
//! cargo build --release
//! cargo run --release -p althing-bench --example real -- target/release/althing aws-2021-02-13 \
//!     fast 1 500 0,2,10
//! ```
//!
//! The arguments: the program that the nodes run, the planet, the path, f, commands of each region's
//! client, conflict rates. Of the planet the first five regions are taken.

use althing_bench::real::{Told, wan};
use althing_bench::{Keys, Load, Workload};
use althing_model::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [binary, planet, path, f, commands, conflicts] = &args[..] else {
        return Err("BINARY PLANET PATH F COMMANDS CONFLICT,..".into());
    };
    let path = match &path[..] {
        "classic" => Path::Classic,
        _ => Path::Fast,
    };
    let regions = althing_local::planet::load(planet)?;
    let regions = regions.regions().iter().take(5).map(|region| region.name().to_owned()).collect();
    let base = Workload {
        planet: planet.clone(),
        regions,
        load: Load::Closed { commands: commands.parse()? },
        ..Workload::default()
    };
    let mut workloads = Vec::new();
    for rate in conflicts.split(',') {
        let keys = Keys::Pool { conflict_percent: rate.parse()?, len: 1 };
        workloads.push(Workload { keys, ..base.clone() });
    }
    let target = wan::Target { binary: binary.into(), path, f: f.parse()? };
    let runs = wan::sweep(&workloads, &target, &|told| {
        if let Told::Said(text) = told {
            eprintln!("{text}");
        }
    })?;
    for run in runs {
        let rate = run.conflict_percent.unwrap_or_default();
        println!("{}, {rate} % conflicts, linearizable: {:?}", run.title, run.linearizable);
        for region in &run.regions {
            let ms = |us: u64| us as f64 / 1e3;
            let quantile = |q| ms(region.latency.value_at_quantile(q));
            println!(
                "  {:<16} {:>5} ops  p50 {:>6.1}  p99 {:>6.1}  bound {:>6.1}  fast {:?}",
                region.name,
                region.latency.len(),
                quantile(0.5),
                quantile(0.99),
                ms(region.bound_us),
                region.fast_share
            );
        }
    }
    Ok(())
}
