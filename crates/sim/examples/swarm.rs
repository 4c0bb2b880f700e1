//! Runs a range of seeds: `cargo run --profile swarm -p althing-sim --example swarm --
//! --seeds 1..1000 --ops 500`. With `--trace`, tells every event; with `--minimise`, looks for a small
//! run that fails as the first that does; exits with 1 at a violation. `althing sim` does more; this
//! one can be built with planted faults.

use althing_sim::{Plan, minimise, run_traced, swarm};
use std::process::ExitCode;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        let app = plan.builtin.application();
        return match run_traced(&plan, &*app, |event| println!("{event}")) {
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
    let minimises = arguments.iter().any(|argument| argument == "--minimise");
    let is_first_only = minimises || arguments.iter().any(|argument| argument == "--until-failure");
    let mut first_failed = None;
    let totals = swarm(
        first..=last,
        |seed| Plan::draw(seed, operations),
        |plan, result| {
            match result {
                Err(failure) => {
                    println!("{failure}");
                    first_failed.get_or_insert_with(|| plan.clone());
                }
                Ok(report) => {
                    if arguments.iter().any(|argument| argument == "--each") {
                        println!(
                            "seed {}: {} events, {} done, {:.0} s, converged after {:.1} s",
                            plan.seed,
                            report.events,
                            report.done,
                            report.took as f64 / 1e6,
                            report.converged_after as f64 / 1e6,
                        );
                    }
                    if let Some(invalid) = &report.invalid {
                        println!("seed {} is invalid: {invalid}", plan.seed);
                    }
                }
            }
            result.is_ok() || !is_first_only
        },
    );
    println!("never reached: {:?}", totals.marks.missing());
    let seconds = begun.elapsed().as_secs_f64();
    println!("{totals:#?}\n{seconds:.1} s, {:.1} seeds/s", totals.seeds as f64 / seconds);
    if let Some(plan) = first_failed.filter(|_| minimises) {
        std::panic::set_hook(Box::new(|_| {}));
        let app = plan.builtin.application();
        let found = minimise(&plan, &*app, Duration::from_secs(120), |_| {}).expect("it failed");
        println!("{found}\n{}", found.chart(&*app));
    }
    if totals.violations > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
