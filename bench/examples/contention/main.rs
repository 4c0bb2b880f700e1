//! What a conflict function does to latency: each example between five regions, beside the same with
//! a conflict function by which everything conflicts, as in a replicated log without a leader.
//!
//! ```text
//! cargo run --release -p althing-bench --example contention
//! ```
//! One closed-loop client in each of five AWS regions, f = 1, in virtual time (`althing_bench::sim`: real
//! roles, distances and waiting, nothing else). Of a hundred commands so many are about what all
//! clients share, and the others about what is the client's own; `applications.rs` says what they do.
//! The figures are the mean and the 99th percentile of all commands, in milliseconds.

mod applications;

use althing_bench::sim::{Settings, run_application};
use althing_bench::{BenchError, Keys, Load, Protocol, Workload};
use applications::{ALL, Example, Simulated};
use std::rc::Rc;

/// Of each client.
const COMMANDS: u64 = 200;

/// Of a hundred commands, those about what is shared.
const SHARED: [f64; 3] = [2.0, 50.0, 100.0];

fn main() -> Result<(), BenchError> {
    println!(
        "| | 2 % shared | 50 % | 100 % | everything conflicts |\n| --- | ---: | ---: | ---: | ---: |"
    );
    for example in ALL {
        let mut cells = Vec::new();
        for shared in SHARED {
            cells.push(run(example, shared, false, COMMANDS)?.to_string());
        }
        cells.push(run(example, 50.0, true, COMMANDS)?.to_string());
        println!("| {} | {} |", example.name, cells.join(" | "));
    }
    let bounds = run(&ALL[0], 0.0, false, 20)?;
    println!("\nWithout conflicts (the round trips to the nearest fast quorums): {bounds}.");
    Ok(())
}

/// Latency of all commands, in milliseconds.
struct Latency {
    mean: f64,
    p99: f64,
}

impl std::fmt::Display for Latency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} / {:.0}", self.mean, self.p99)
    }
}

fn run(
    example: &'static Example,
    shared: f64,
    everything: bool,
    commands: u64,
) -> Result<Latency, BenchError> {
    let keys = Keys::Pool { conflict_percent: shared, len: 1 };
    let workload = Workload { keys, load: Load::Closed { commands }, ..Workload::default() };
    let settings = Settings { checks: false, ..Settings::default() };
    let application = Rc::new(Simulated { example, everything });
    let run = run_application(&workload, &Protocol::Fast, 1, &settings, application, &|_| {})?;
    let latency = run.latency();
    Ok(Latency { mean: latency.mean() / 1e3, p99: latency.value_at_quantile(0.99) as f64 / 1e3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> &'static Example {
        ALL.iter().find(|example| example.name.starts_with(name)).expect("an example")
    }

    /// Broken: updates that commute wait for each other; or a conflict function makes no difference,
    /// so that nothing is shown by the table.
    #[test]
    fn types_that_commute_are_conflict_free_at_any_contention() {
        let example = named("crdt");
        let free = run(example, 0.0, false, 30).unwrap();
        let contended = run(example, 100.0, false, 30).unwrap();
        assert!((contended.p99 - free.p99).abs() < 0.5, "{contended} for {free}");
        assert!((contended.mean - free.mean).abs() < 0.5, "{contended} for {free}");
        let ordered = run(example, 100.0, true, 30).unwrap();
        assert!(ordered.p99 > 1.2 * contended.p99, "{ordered} for {contended}");
    }

    /// Broken: some example cannot be simulated, or its own conflict function is no better than none
    /// where little is shared.
    #[test]
    fn each_example_waits_less_than_everything() {
        for example in ALL {
            let own = run(example, 2.0, false, 20).unwrap();
            let everything = run(example, 2.0, true, 20).unwrap();
            assert!(own.mean < 0.9 * everything.mean, "{}: {own} for {everything}", example.name);
        }
    }
}
