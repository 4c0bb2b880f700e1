//! Runs a range of seeds: `cargo run --profile swarm -p althing-sim --example swarm --
//! --seeds 1..1000 --ops 500`. With `--trace`, tells every event; exits with 1 at a violation.

use althing_sim::{FaultCounts, Plan, run, run_traced};
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let range = option("--seeds").unwrap_or_else(|| "1..100".into());
    let (first, last) = range.split_once("..").expect("--seeds A..B");
    let first: u64 = first.parse().expect("--seeds A..B: A is a number");
    let last: u64 = last.parse().expect("--seeds A..B: B is a number");
    let operations: usize =
        option("--ops").map_or(500, |ops| ops.parse().expect("--ops is a number"));

    if arguments.iter().any(|argument| argument == "--trace") {
        let plan = Plan::draw(first, operations);
        eprintln!("{plan:#?}");
        return match run_traced(&plan, |line| println!("{line}")) {
            Ok(report) => {
                eprintln!("{report:#?}");
                ExitCode::SUCCESS
            }
            Err(failure) => {
                println!("{failure}");
                ExitCode::FAILURE
            }
        };
    }

    let begun = Instant::now();
    let next = AtomicU64::new(first);
    let failed = AtomicBool::new(false);
    let totals = Mutex::new((FaultCounts::default(), 0u64, 0u64));
    let is_first_only = arguments.iter().any(|argument| argument == "--until-failure");
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > last || is_first_only && failed.load(Ordering::Relaxed) {
                        break;
                    }
                    let plan = Plan::draw(seed, operations);
                    match catch_unwind(|| run(&plan)) {
                        Ok(Ok(report)) => {
                            let mut totals = totals.lock().expect("no holder panics");
                            totals.0.add(&report.faults);
                            totals.1 += report.operations as u64;
                            totals.2 += report.events;
                        }
                        Ok(Err(failure)) => {
                            failed.store(true, Ordering::Relaxed);
                            println!("{failure}");
                        }
                        Err(_) => {
                            failed.store(true, Ordering::Relaxed);
                            println!("seed {seed}: an assertion failed");
                        }
                    }
                }
            });
        }
    });
    let seeds = last - first + 1;
    let seconds = begun.elapsed().as_secs_f64();
    let (faults, operations, events) = *totals.lock().expect("no holder panics");
    println!(
        "{seeds} seeds, {operations} operations, {events} events in {seconds:.1} s ({:.1} seeds/s): {faults:?}",
        seeds as f64 / seconds
    );
    if failed.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
