//! Many seeds: progress while they run, and what they came to.

use super::{Args, ledger, one};
use crate::exit::{Exit, Failure};
use althing_sim::{Plan, Totals, swarm};
use anyhow::anyhow;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::time::Instant;

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let begun = Instant::now();
    let (totals, first_failed) = run_all(args);
    let seconds = begun.elapsed().as_secs_f64();
    if args.json {
        println!("{}", to_json(&totals, seconds));
    } else if args.ledger {
        println!("{}", ledger::row(args, &totals, seconds));
    } else {
        println!("{}", to_table(&totals, seconds));
    }
    let Some(plan) = first_failed else { return Ok(()) };
    if args.minimise {
        // Where a program reads stdout, it reads nothing but the result.
        eprint!("{}", one::minimised(args, &plan));
    }
    let (violations, seeds) = (totals.violations, totals.seeds);
    Err(Failure::new(Exit::Failed, anyhow!("{violations} of {seeds} runs violate a property")))
}

/// All seeds, and the plan of the first that was found to fail.
fn run_all(args: &Args) -> (Totals, Option<Plan>) {
    let style = "{bar:40.cyan/dim} {pos}/{len} seeds  {msg}  {elapsed}, {eta} to go";
    let style = ProgressStyle::with_template(style).expect("a constant").progress_chars("━╸─");
    // Only where stderr is a terminal.
    let bar = ProgressBar::new(args.seeds.end() - args.seeds.start() + 1).with_style(style);
    let begun = Instant::now();
    let (mut done, mut violations, mut invalid) = (0_u64, 0_u64, 0_u64);
    let mut first_failed = None;
    let totals = swarm(
        args.seeds.clone(),
        |seed| args.plan(seed),
        |plan, result| {
            done += 1;
            match result {
                Ok(report) => invalid += u64::from(report.invalid.is_some()),
                Err(failure) => {
                    violations += 1;
                    bar.suspend(|| eprintln!("{failure}\n"));
                    first_failed.get_or_insert_with(|| plan.clone());
                }
            }
            let rate = done as f64 / begun.elapsed().as_secs_f64();
            bar.set_message(format!("{rate:.1}/s  {violations} violations  {invalid} invalid"));
            bar.inc(1);
            result.is_ok() || !args.until_failure
        },
    );
    bar.finish_and_clear();
    (totals, first_failed)
}

fn to_json(totals: &Totals, seconds: f64) -> serde_json::Value {
    let faults: serde_json::Map<_, _> =
        totals.faults.iter().map(|(of, count)| (of.name().to_owned(), count.into())).collect();
    json!({
        "seeds": totals.seeds,
        "ops": totals.operations,
        "seconds": seconds,
        "violations": totals.violations,
        "invalid": totals.invalid,
        "faults": faults,
    })
}

fn to_table(totals: &Totals, seconds: f64) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let rows = [
        ("seeds", totals.seeds.to_string()),
        ("operations", totals.operations.to_string()),
        ("seconds", format!("{seconds:.1}")),
        ("seeds a second", format!("{:.1}", totals.seeds as f64 / seconds)),
        ("violations", totals.violations.to_string()),
        ("invalid runs", totals.invalid.to_string()),
        (
            "slowest to converge, virtual s",
            format!("{:.1}", totals.converged_after_max as f64 / 1e6),
        ),
    ];
    for (name, value) in rows {
        table.add_row([name, &value]);
    }
    table.add_row(["", ""]);
    for (of, count) in totals.faults.iter() {
        table.add_row([of.name(), &count.to_string()]);
    }
    table.column_mut(1).expect("there are two").set_cell_alignment(CellAlignment::Right);
    table
}
