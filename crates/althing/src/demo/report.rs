//! What the demonstration showed: a table for people, one line of JSON for programs.

use super::audit::Settled;
use super::figures::{Patience, RegionFigures};
use super::plan::Plan;
use althing_bench::output::ruled;
use althing_checker::Verdict;
use althing_model::Path;
use althing_relay::DelayError;
use comfy_table::{Cell, CellAlignment, Table};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// A region's median may be this much over its bound, in milliseconds: what processing, disks and
/// the emulated network's own lateness take.
const OVER_BOUND_GOAL_MS: f64 = 10.0;

/// Up to this share of commands on the shared key the goals are meant.
const FEW_CONFLICTS_PERCENT: f64 = 5.0;

/// Everything there is to say.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) regions: Vec<RegionFigures>,
    pub(super) verdict: Verdict,
    pub(super) checked_in: Duration,
    pub(super) operations: usize,
    pub(super) unknown: u64,
    pub(super) failed: u64,
    pub(super) lost_acked: u64,
    pub(super) settled: Settled,
    /// Whether the region that was killed serves again.
    pub(super) victim_serves: bool,
    pub(super) relay: DelayError,
    pub(super) is_relay_real_time: bool,
    pub(super) patience: Patience,
}

impl Report {
    /// Whether everything that was promised was kept.
    pub(super) fn is_kept(&self) -> bool {
        self.is_linearizable() && self.lost_acked == 0 && self.is_equal() && self.victim_serves
    }

    fn is_linearizable(&self) -> bool {
        matches!(self.verdict, Verdict::Linearizable { .. })
    }

    fn is_equal(&self) -> bool {
        matches!(self.settled, Settled::Equal { .. })
    }

    fn ops(&self) -> usize {
        self.regions.iter().map(|region| region.ops).sum()
    }

    /// For programs.
    pub(super) fn to_json(&self, plan: &Plan) -> Value {
        let region = |region: &RegionFigures| {
            let outage = region.outage.as_ref();
            json!({
                "name": region.name,
                "ops": region.ops,
                "p50_ms": rounded(region.p50_ms),
                "p99_ms": rounded(region.p99_ms),
                "bound_ms": rounded(region.bound_ms),
                "fast_share": rounded(region.fast_share),
                "outage_p50_ms": outage.map(|outage| rounded(outage.p50_ms)),
                "longest_pause_ms": outage.map(|outage| rounded(outage.longest_pause_ms)),
            })
        };
        json!({
            "regions": self.regions.iter().map(region).collect::<Vec<_>>(),
            "killed": plan.victim_name(),
            "ops": self.ops(),
            "linearizable": self.is_linearizable(),
            "lost_acked": self.lost_acked,
            "digests_equal": self.is_equal(),
        })
    }

    /// For people.
    pub(super) fn to_text(&self, plan: &Plan, is_coloured: bool) -> String {
        let mut text = format!("\n{}\n", self.table());
        let _ = writeln!(text, "  bound: {}, nothing else", plan.bound_meaning());
        let during = match plan.victim_name() {
            Some(name) => format!("while {name} was dead"),
            None => "in the second half".to_owned(),
        };
        let _ = writeln!(
            text,
            "  outage, pause: {during}; a pause is the longest time without an answer to any of\n  \
             the region's clients, beyond the usual\n"
        );
        self.promises(plan, Marks { is_coloured }, &mut text);
        text.push('\n');
        self.goals(plan, Marks { is_coloured }, &mut text);
        let _ = writeln!(text, "\n{}", self.final_line(plan));
        text
    }

    fn table(&self) -> Table {
        let mut table = ruled();
        let header = ["\nregion", "\nops", "p50\nms", "p99\nms", "bound\nms", "p50 over\nbound"];
        let outage = ["fast\npath", "outage\np50 ms", "longest\npause ms"];
        table.set_header(header.into_iter().chain(outage));
        for region in &self.regions {
            let outage = region.outage.as_ref();
            let dead = || if region.is_dead { "dead".to_owned() } else { String::new() };
            table.add_row(
                [
                    region.name.clone(),
                    region.ops.to_string(),
                    format!("{:.1}", region.p50_ms),
                    format!("{:.1}", region.p99_ms),
                    format!("{:.1}", region.bound_ms),
                    format!("{:.2}", region.p50_ms / region.bound_ms),
                    format!("{:.1} %", 100.0 * region.fast_share),
                    outage.map_or_else(dead, |outage| format!("{:.1}", outage.p50_ms)),
                    outage.map_or_else(dead, |outage| format!("{:.0}", outage.longest_pause_ms)),
                ]
                .map(Cell::new),
            );
        }
        let columns = table.column_iter_mut().skip(1);
        columns.for_each(|column| column.set_cell_alignment(CellAlignment::Right));
        table
    }

    fn promises(&self, plan: &Plan, marks: Marks, text: &mut String) {
        let Self { operations, unknown, failed, .. } = self;
        let mut line = |is_kept: bool, what: &str| {
            let _ = writeln!(text, "  {} {what}", marks.of(is_kept));
        };
        let took = format!("{:.1} s", self.checked_in.as_secs_f64());
        let history = match &self.verdict {
            Verdict::Linearizable { checker, partitions, longest } => format!(
                "linearizable: one order explains all {operations} operations ({unknown} of unknown \
                 outcome, {failed} failed),\n    found by {checker} in {took}; {partitions} keys, the \
                 busiest with {longest} operations"
            ),
            Verdict::NotLinearizable(account) => format!("NOT LINEARIZABLE: {account}"),
            Verdict::Undecided { keys, operations, decided, steps } => format!(
                "undecided: {operations} operations on {} are too many for {steps} steps; the first \
                 {decided} are right",
                keys.join(", ")
            ),
        };
        line(self.is_linearizable(), &history);
        let lost = match self.lost_acked {
            0 => {
                "no acknowledged write is lost: every client's keys were read back elsewhere".into()
            }
            lost => format!("{lost} ACKNOWLEDGED WRITES ARE LOST"),
        };
        line(self.lost_acked == 0, &lost);
        let equal = match &self.settled {
            Settled::Equal { digest, applied } => format!(
                "all {} replicas applied {applied} commands and are equal, digest {digest}",
                plan.regions.len()
            ),
            Settled::Apart(views) => format!("REPLICAS DIFFER:\n    {}", views.join("\n    ")),
        };
        line(self.is_equal(), &equal);
        if let Some(name) = plan.victim_name() {
            let serves = match self.victim_serves {
                true => format!("{name} has caught up, and serves again"),
                false => format!("{name} DOES NOT SERVE AGAIN"),
            };
            line(self.victim_serves, &serves);
        }
    }

    fn goals(&self, plan: &Plan, marks: Marks, text: &mut String) {
        let mut line = |is_met: bool, what: String| {
            let _ = writeln!(text, "  {} {what}", marks.of(is_met));
        };
        let over = self.regions.iter().map(|region| region.p50_ms - region.bound_ms);
        let over = over.fold(f64::MIN, f64::max);
        line(
            over <= OVER_BOUND_GOAL_MS,
            format!(
                "medians are at most {over:.1} ms over their bounds (goal: {OVER_BOUND_GOAL_MS} ms)"
            ),
        );
        if plan.victim.is_some() {
            let outages = self.regions.iter().filter_map(|region| {
                region.outage.as_ref().map(|outage| (region.name.as_str(), outage))
            });
            // The classic path asks everyone, and waits for nobody in particular.
            let outages = outages.filter(|_| plan.path == Path::Fast);
            for (name, outage) in outages {
                let why = match outage.needed_victim {
                    true => "fast-path time-out and two round trips",
                    false => "one round trip, its fast quorum was whole",
                };
                let (pause, goal) = (outage.longest_pause_ms, outage.pause_goal_ms);
                line(
                    pause <= goal,
                    format!("{name} paused {pause:.0} ms (goal: {goal:.0} ms, {why})"),
                );
            }
            let longest = self.regions.iter().filter_map(|region| region.outage.as_ref());
            let longest = longest.map(|outage| outage.longest_pause_ms).fold(0.0, f64::max);
            let goal = self.patience.recover_ms + 4.0 * plan.longest_round_trip_us() as f64 / 1e3;
            line(
                longest <= goal,
                format!(
                    "nobody paused longer than {longest:.0} ms (goal: {goal:.0} ms, recovery \
                     time-out and four round trips)"
                ),
            );
        }
        if plan.conflict_percent > FEW_CONFLICTS_PERCENT {
            text.push_str(
                "    (the goals are for few conflicts: here many commands wait for each other, and for\n    \
                 what the dead region left behind)\n",
            );
        }
        let relay = &self.relay;
        let (p50, p99) = (relay.p50_us as f64 / 1e3, relay.p99_us as f64 / 1e3);
        let priority = if self.is_relay_real_time { "" } else { ", without real-time priority" };
        let _ = writeln!(
            text,
            "    the emulated network was late by {p50:.2} ms at the median, {p99:.2} ms at the 99th \
             percentile{priority}"
        );
    }

    fn final_line(&self, plan: &Plan) -> String {
        let ops = self.ops();
        match (self.is_kept(), plan.victim_name()) {
            (true, Some(name)) => format!(
                "{ops} operations from {} regions, {name} killed and back: nothing lost, nothing out \
                 of order, nobody elected.",
                self.regions.len()
            ),
            (true, None) => format!(
                "{ops} operations from {} regions: nothing lost, nothing out of order, nobody \
                 elected.",
                self.regions.len()
            ),
            (false, _) => format!("{ops} operations, and a PROMISE WAS BROKEN: see above."),
        }
    }
}

/// What stands before a line that says whether something holds.
#[derive(Debug, Clone, Copy)]
struct Marks {
    is_coloured: bool,
}

impl Marks {
    fn of(self, holds: bool) -> &'static str {
        match (holds, self.is_coloured) {
            (true, false) => "✓",
            (false, false) => "✗",
            (true, true) => "\u{1b}[32m✓\u{1b}[0m",
            (false, true) => "\u{1b}[31m✗\u{1b}[0m",
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
