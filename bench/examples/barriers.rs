//! What barriers cost: the reference setting with a barrier every so often, and with none.
//!
//! Example: `cargo run --release -p althing-bench --example barriers`

use althing_bench::sim::{self, Settings};
use althing_bench::{BenchError, Keys, Protocol, Workload};

/// Between two barriers, in seconds.
const EVERY: [Option<u64>; 5] = [None, Some(30), Some(10), Some(5), Some(1)];

fn main() -> Result<(), BenchError> {
    println!("mean / p50 / p99 in ms, all regions together\n");
    let titles = EVERY.map(|every| every.map_or("no barrier".into(), |s| format!("every {s} s")));
    println!("{:24}{}", "", titles.map(|title| format!("{title:>22}")).concat());
    for f in [1, 2] {
        for conflict_percent in [0.0, 10.0, 50.0] {
            let keys = Keys::Pool { conflict_percent, len: 1 };
            let workload = Workload { keys, ..Workload::default() };
            let mut line = format!("f = {f}, {conflict_percent:>2} % conflicts   ");
            for every in EVERY {
                let mut settings = Settings::default();
                if let Some(seconds) = every {
                    // As often as that, however much was executed.
                    settings.replica_limits.barrier_len = u64::MAX;
                    settings.replica_limits.barrier_bytes = u64::MAX;
                    settings.replica_timing.barrier_least = seconds * 1_000_000;
                    settings.replica_timing.barrier_most = seconds * 1_000_000;
                }
                let run = sim::run_with(&workload, &Protocol::Fast, f, &settings, &|_| {})?;
                let latency = run.latency();
                let ms = |quantile| latency.value_at_quantile(quantile) as f64 / 1000.0;
                let (mean, p50, p99) = (latency.mean() / 1000.0, ms(0.5), ms(0.99));
                line += &format!("{:>22}", format!("{mean:.1} / {p50:.0} / {p99:.0}"));
            }
            println!("{line}");
        }
    }
    Ok(())
}
