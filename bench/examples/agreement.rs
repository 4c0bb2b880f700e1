//! Whether the simulator and real processes agree: the p50 of each region from both, for the same
//! workload, and the tolerance of 3 % and 3 ms.
//!
//! ```text
//! cargo build --release
//! cargo run --release -p althing-bench --example agreement -- target/release/althing \
//!     aws-2021-02-13 fast 1 500 2,10
//! ```
//!
//! The arguments: the program that the nodes run, the planet (its first five regions), the path, f,
//! commands of each region's client, conflict rates.

use althing_bench::real::{Told, wan};
use althing_bench::{Keys, Load, Protocol, RegionRun, Workload, sim};
use althing_model::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [binary, planet, path, f, commands, conflicts] = &args[..] else {
        return Err("BINARY PLANET PATH F COMMANDS CONFLICT,..".into());
    };
    let (path, protocol) = match &path[..] {
        "fast" => (Path::Fast, Protocol::Fast),
        "classic" => (Path::Classic, Protocol::Classic),
        other => return Err(format!("a path is fast or classic, not {other}").into()),
    };
    let f = f.parse()?;
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
    let target = wan::Target { binary: binary.into(), path, f };
    let real = wan::sweep(&workloads, &target, &|told| {
        if let Told::Said(text) = told {
            eprintln!("{text}");
        }
    })?;
    for (workload, real) in workloads.iter().zip(real) {
        let simulated = sim::run(workload, &protocol, f)?;
        let rate = real.conflict_percent.unwrap_or_default();
        let orders = (simulated.linearizable, real.linearizable);
        println!("{}, {rate} % conflicts, linearizable: {orders:?}", real.title);
        println!("  {:<16} bound   p50 sim   wan         p99 sim   wan    fast", "");
        for (simulated, real) in simulated.regions.iter().zip(&real.regions) {
            let ms = |region: &RegionRun, q| region.latency.value_at_quantile(q) as f64 / 1e3;
            let bound = real.bound_us as f64 / 1e3;
            let [a, b] = [simulated, real].map(|region| ms(region, 0.5));
            let agree = if (a - b).abs() <= 0.03 * a + 3.0 { "agree" } else { "DIFFER" };
            let [c, d] = [simulated, real].map(|region| ms(region, 0.99));
            let fast = 100.0 * real.fast_share.unwrap_or_default();
            println!(
                "  {:<16} {bound:>5.1}     {a:>5.1} {b:>5.1} {agree:<6}    {c:>5.1} {d:>5.1}   {fast:>5.1} %",
                real.name
            );
        }
    }
    Ok(())
}
