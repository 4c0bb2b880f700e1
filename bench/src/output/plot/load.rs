//! Latency and throughput against load: clients, or commands a second.

use super::super::OutputError;
use super::super::figures::Totals;
use super::super::series::{Series, Setting, distinct, file_name};
use super::axis::{Axis, Scale};
use super::sweep::{Curve, Sweep, span, values};
use super::{Figure, Kind, Plot};
use crate::{Results, Run};

/// From this ratio of the greatest load to the least on, equal ratios are equal lengths.
const RATIO_MAX: f64 = 8.0;

/// Three plots for each conflict rate at which a protocol was run under several loads: mean, p99,
/// and throughput.
pub(super) fn figures(results: &Results) -> Result<Vec<Figure>, OutputError> {
    let conflicts = distinct(Setting::all(results).into_iter().map(Setting::without_load));
    let mut figures = Vec::new();
    for conflict in conflicts {
        let heading = conflict.title(results);
        let mut plots = Vec::new();
        for (word, title, subtitle, of) in WHAT {
            for load in [Load::Clients, Load::Rate] {
                let curves = curves(conflict, load, of, results);
                if curves.is_empty() {
                    continue;
                }
                let (x, y) = axes(&curves, word == "throughput");
                let sweep = Sweep { title, subtitle, x_title: load.title(), x, y };
                let name = file_name(&format!("load {} {word} {heading}", load.name()));
                let title = format!("{title} against load");
                plots.push(Plot::new(name, title, sweep.draw(&curves))?);
            }
        }
        if !plots.is_empty() {
            figures.push(Figure { kind: Kind::Load, heading, plots });
        }
    }
    Ok(figures)
}

type Of = fn(&Totals) -> Option<f64>;

const WHAT: [(&str, &str, &str, Of); 3] = [
    ("mean", "Mean latency", "ms, all regions", |totals| Some(totals.latency?.mean_ms)),
    ("p99", "p99 latency", "ms, all regions", |totals| Some(totals.latency?.p99_ms)),
    ("throughput", "Throughput", "answers a second, all regions together", |totals| {
        Some(totals.throughput).filter(|throughput| *throughput > 0.0)
    }),
];

/// What was varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    Clients,
    Rate,
}

impl Load {
    fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Rate => "rate",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Clients => "clients in each region",
            Self::Rate => "commands offered a second, in each region",
        }
    }

    fn of(self, run: &Run) -> Option<f64> {
        match (self, run.rate) {
            (Self::Clients, None) => Some(run.clients as f64),
            (Self::Rate, rate) => rate,
            (Self::Clients, Some(_)) => None,
        }
    }
}

/// A curve for each protocol with several loads.
fn curves(conflict: Setting, load: Load, of: Of, results: &Results) -> Vec<Curve<'_>> {
    let all = Series::all(results).into_iter().filter_map(|series| {
        let runs = results
            .runs
            .iter()
            .filter(|run| series.has(run) && Setting::of(run).without_load() == conflict);
        let mut points: Vec<_> = runs
            .filter_map(|run| {
                Some((load.of(run)?, of(&Totals::of(run, results.workload.warm_up_ms))?))
            })
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.dedup_by_key(|point| point.0);
        (points.len() > 1).then_some(Curve { series, points })
    });
    all.collect()
}

fn axes(curves: &[Curve<'_>], is_throughput: bool) -> (Axis, Axis) {
    let (loads, up) = values(curves);
    let (least, greatest) = span(&loads);
    let (min, max) = span(&up);
    let is_wide = least > 0.0 && greatest / least >= RATIO_MAX;
    let scale = if is_wide { Scale::Logarithmic } else { Scale::Linear };
    let x = Axis::of_values(scale, &loads);
    // Proportional to load is straight in either pair.
    let y = match is_wide && is_throughput {
        true => Axis::logarithmic(min, max),
        false => Axis::fitting(min, max),
    };
    (x, y)
}
