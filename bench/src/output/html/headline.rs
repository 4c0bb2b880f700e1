//! What one is to remember: whether all is well, and a card for each protocol.

use super::super::figures::Totals;
use super::super::series::{Series, Setting};
use super::colours;
use crate::{Results, Run};
use maud::{Markup, html};

/// So many cards are read; the table has all.
const CARDS_MAX: usize = 8;

pub(super) fn section(results: &Results) -> Markup {
    let all: Vec<_> =
        Series::all(results).into_iter().filter(|series| !series.is_bound()).collect();
    html! {
        section id="headline" {
            h2 { "At a glance" }
            (verdict(results))
            div.cards {
                @for series in all.iter().take(CARDS_MAX) { (card(series, results)) }
            }
            @if all.len() > CARDS_MAX {
                p.explanation { "and " (all.len() - CARDS_MAX) " more, in the table below" }
            }
        }
    }
}

fn verdict(results: &Results) -> Markup {
    let judged = results.runs.iter().filter(|run| run.linearizable.is_some());
    let runs = judged.count();
    let count = |verdict| results.runs.iter().filter(|run| run.linearizable == verdict).count();
    let (wrong, right, unknown) = (count(Some(false)), count(Some(true)), count(None));
    let unanswered: u64 =
        results.runs.iter().flat_map(|run| &run.regions).map(|region| region.unanswered).sum();
    html! {
        p.verdicts {
            @if wrong > 0 { span.bad { "✗ NOT LINEARIZABLE: " (wrong) " of " (runs) " runs" } }
            @if right > 0 { span.good { "✓ linearizable: " (right) " of " (runs) " runs" } }
            @if unknown > 0 { span { "without a verdict: " (unknown) } }
            @if unanswered > 0 { span { (unanswered) " commands ended without an answer" } }
        }
    }
}

/// A protocol's figures under the first setting, and under the last where there are several.
fn card(series: &Series<'_>, results: &Results) -> Markup {
    let settings = Setting::all(results).into_iter();
    let runs = settings.filter_map(|setting| Some((setting, series.under(setting, results)?)));
    let runs: Vec<_> = runs.collect();
    let shown = match &runs[..] {
        [first, .., last] => vec![*first, *last],
        few => few.to_vec(),
    };
    html! {
        div.card style=(colours(series)) {
            h3 { (series.title) }
            @for (setting, run) in shown { (figures(&setting.title(results), run, results)) }
        }
    }
}

fn figures(setting: &str, run: &Run, results: &Results) -> Markup {
    let totals = Totals::of(run, results.workload.warm_up_ms);
    html! {
        @if !setting.is_empty() { p.setting { (setting) } }
        @if let Some(latency) = totals.latency {
            p.figures {
                span.figure { b { (format!("{:.0}", latency.mean_ms)) } " ms mean" }
                span.figure { b { (format!("{:.0}", latency.p99_ms)) } " ms p99" }
            }
            p.also {
                @if let Some(over) = totals.mean_over_bound() {
                    (format!("mean {over:.2} × its bound"))
                }
                @if let Some(share) = totals.fast_share {
                    (format!(" · {:.1} % in one round trip", 100.0 * share))
                }
            }
        } @else {
            p.also { "nobody was answered" }
        }
    }
}
