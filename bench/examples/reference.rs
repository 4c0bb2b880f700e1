//! The reference setting under the protocols named, at several conflict rates.
//!
//! Example: `cargo run --release -p althing-bench --example reference -- fast:1 fast:2`

use althing_bench::{BenchError, Keys, Protocol, Workload, sim};

fn main() -> Result<(), BenchError> {
    for name in std::env::args().skip(1) {
        let (name, f) = name.rsplit_once(':').expect("PROTOCOL:F");
        let f = f.parse().expect("a number");
        for conflict_percent in [0.0, 2.0, 10.0, 50.0] {
            let keys = Keys::Pool { conflict_percent, len: 1 };
            let workload = Workload { keys, ..Workload::default() };
            for protocol in Protocol::named(name, &workload.regions)? {
                let run = sim::run(&workload, &protocol, f)?;
                let latency = run.latency();
                let ms = |us: f64| us / 1000.0;
                println!(
                    "{:32} {conflict_percent:4} %  mean {:6.1}  p50 {:6.1}  p99 {:6.1}  max {:6.1}  fast {:?}  linearizable {:?}",
                    run.title,
                    ms(latency.mean()),
                    ms(latency.value_at_quantile(0.5) as f64),
                    ms(latency.value_at_quantile(0.99) as f64),
                    ms(latency.max() as f64),
                    run.regions
                        .iter()
                        .map(|it| it.fast_share.map(|s| (s * 100.0).round()))
                        .collect::<Vec<_>>(),
                    run.linearizable,
                );
            }
        }
    }
    Ok(())
}
