//! One seed: its verdict, its chart, its events, or a small run that fails in the same way.

use super::Args;
use crate::exit::{Exit, Failure};
use althing_model::{Epoch, NodeId, VertexId};
use althing_sim::chart::{Chart, Window};
use althing_sim::{Plan, Report, minimise, run_traced_caught};
use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::io::{BufWriter, Write as _, stdout};
use std::time::Duration;

pub(super) fn run(args: &Args, seed: u64) -> Result<(), Failure> {
    let plan = args.plan(seed);
    if args.minimise {
        print!("{}", minimised(args, &plan));
    }
    let app = plan.builtin.application();
    let result = if args.events {
        let mut out = BufWriter::new(stdout().lock());
        // A reader that goes away, such as `head`, has seen enough.
        let mut written = Ok(());
        let result = run_traced_caught(&plan, &*app, |event| {
            if written.is_ok() {
                written = writeln!(out, "{event}");
            }
        });
        let _ = out.flush();
        result
    } else if args.trace {
        let last = (args.last > 0).then_some(args.last);
        let mut chart = Chart::new(&plan, Window { last, vertex: args.vertex });
        let result = run_traced_caught(&plan, &*app, |event| chart.draw(&event));
        let _ = stdout().write_all(format!("{}\n{}", described(&plan), chart.text()).as_bytes());
        result
    } else {
        run_traced_caught(&plan, &*app, |_| {})
    };
    match result {
        Ok(report) => {
            eprintln!("{}", passed(&report));
            Ok(())
        }
        Err(failure) => {
            eprintln!("\n{failure}");
            Err(Failure::new(Exit::Failed, anyhow!("a property is violated")))
        }
    }
}

/// A vertex as it is written in charts.
pub(super) fn vertex(text: &str) -> Result<VertexId, String> {
    let wrong = || "it is written epoch.proposer.number, as in 0.1.5".to_owned();
    let mut parts = text.splitn(3, '.');
    let mut part = || parts.next().ok_or_else(wrong);
    Ok(VertexId {
        epoch: Epoch(part()?.parse().map_err(|_| wrong())?),
        proposer: NodeId(part()?.trim_start_matches('n').parse().map_err(|_| wrong())?),
        seq: part()?.parse().map_err(|_| wrong())?,
    })
}

/// The cluster and its troubles in a few lines.
fn described(plan: &Plan) -> String {
    let quorums = plan.membership.acceptor_quorums();
    let families: Vec<&str> = plan.families.iter().map(|family| family.name()).collect();
    let families = if families.is_empty() { "none".to_owned() } else { families.join(", ") };
    format!(
        "seed {}: {:?} path, n = {}, f = {}, {} nodes, {} clients, {:?}\nfaults: {families}\n",
        plan.seed,
        plan.membership.path(),
        quorums.n(),
        quorums.f(),
        plan.membership.nodes().count(),
        plan.workload.clients,
        plan.builtin,
    )
}

fn passed(report: &Report) -> String {
    let Report { seed, operations, done, events, took, faults, invalid, .. } = report;
    let mut text = format!(
        "seed {seed}: no property is violated; {done} of {operations} operations done, {events} \
         events, {:.1} virtual s\n{faults:?}",
        *took as f64 / 1e6
    );
    if let Some(invalid) = invalid {
        let _ = write!(text, "\ninvalid: {invalid}");
    }
    text
}

/// Looks for a small run that fails as this one does; an account of it, with its chart.
pub(super) fn minimised(args: &Args, plan: &Plan) -> String {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}").expect("a constant"));
    // Hundreds of failed assertions are what is looked for here, not news.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let app = plan.builtin.application();
    let found = minimise(plan, &*app, Duration::from_secs(args.patience), |progress| {
        bar.set_message(progress.to_string());
        bar.tick();
    });
    bar.finish_and_clear();
    let text = match found {
        None => format!("seed {} violates nothing: there is nothing to make small\n", plan.seed),
        Some(found) => format!("{found}\n{}\n{}", described(&found.plan), found.chart(&*app)),
    };
    std::panic::set_hook(hook);
    text
}
