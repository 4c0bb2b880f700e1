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

/// Four plots for each conflict rate at which a protocol was run under several loads: mean, p99 and
/// throughput against load, and p99 against throughput.
pub(super) fn figures(results: &Results) -> Result<Vec<Figure>, OutputError> {
    let conflicts = distinct(Setting::all(results).into_iter().map(Setting::without_load));
    let mut figures = Vec::new();
    for conflict in conflicts {
        let heading = conflict.title(results);
        let mut plots = Vec::new();
        for load in [Load::Clients, Load::Rate] {
            for what in &ALL {
                let curves = curves(conflict, load, what.point, results);
                if curves.is_empty() {
                    continue;
                }
                let (x, y) = (what.axes)(&curves);
                let x_title = if what.is_against_load { load.title() } else { "answers a second" };
                let sweep = Sweep { title: what.title, subtitle: what.subtitle, x_title, x, y };
                let name = file_name(&format!("load {} {} {heading}", load.name(), what.name));
                let title = format!("{}, {}", what.title, x_title);
                plots.push(Plot::new(name, title, sweep.draw(&curves))?);
            }
        }
        if !plots.is_empty() {
            figures.push(Figure { kind: Kind::Load, heading, plots });
        }
    }
    Ok(figures)
}

/// From a load and what came of it to a point.
type Point = fn(f64, &Totals) -> Option<(f64, f64)>;

/// One of the plots.
struct What {
    name: &'static str,
    title: &'static str,
    subtitle: &'static str,
    is_against_load: bool,
    point: Point,
    axes: fn(&[Curve<'_>]) -> (Axis, Axis),
}

const ALL: [What; 4] = [
    What {
        name: "mean",
        title: "Mean latency",
        subtitle: "ms, all regions",
        is_against_load: true,
        point: |load, totals| Some((load, totals.latency?.mean_ms)),
        axes: latency_axes,
    },
    What {
        name: "p99",
        title: "p99 latency",
        subtitle: "ms, all regions",
        is_against_load: true,
        point: |load, totals| Some((load, totals.latency?.p99_ms)),
        axes: latency_axes,
    },
    What {
        name: "throughput",
        title: "Throughput",
        subtitle: "answers a second, all regions together",
        is_against_load: true,
        point: |load, totals| Some((load, answers(totals)?)),
        axes: throughput_axes,
    },
    What {
        name: "p99-throughput",
        title: "p99 latency against throughput",
        subtitle: "ms, all regions; a point for each load",
        is_against_load: false,
        point: |_, totals| Some((answers(totals)?, totals.latency?.p99_ms)),
        axes: |curves| {
            let (along, up) = values(curves);
            let ((least, most), (min, max)) = (span(&along), span(&up));
            (Axis::fitting(least, most), Axis::fitting(min, max))
        },
    },
];

fn answers(totals: &Totals) -> Option<f64> {
    Some(totals.throughput).filter(|throughput| *throughput > 0.0)
}

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

/// A curve for each protocol with several loads, from the least to the greatest.
fn curves(conflict: Setting, load: Load, point: Point, results: &Results) -> Vec<Curve<'_>> {
    let all = Series::all(results).into_iter().filter_map(|series| {
        let runs = results
            .runs
            .iter()
            .filter(|run| series.has(run) && Setting::of(run).without_load() == conflict);
        let mut loads: Vec<_> = runs.filter_map(|run| Some((load.of(run)?, run))).collect();
        loads.sort_by(|a, b| a.0.total_cmp(&b.0));
        loads.dedup_by_key(|(load, _)| *load);
        let points = loads
            .into_iter()
            .filter_map(|(load, run)| point(load, &Totals::of(run, results.workload.warm_up_ms)));
        let points: Vec<_> = points.collect();
        (points.len() > 1).then_some(Curve { series, points })
    });
    all.collect()
}

fn latency_axes(curves: &[Curve<'_>]) -> (Axis, Axis) {
    let (loads, up) = values(curves);
    let (min, max) = span(&up);
    let scale = if is_wide(&loads) { Scale::Logarithmic } else { Scale::Linear };
    (Axis::of_values(scale, &loads), Axis::fitting(min, max))
}

/// What is proportional to load is straight.
fn throughput_axes(curves: &[Curve<'_>]) -> (Axis, Axis) {
    let (loads, up) = values(curves);
    let (min, max) = span(&up);
    match is_wide(&loads) {
        true => (Axis::of_values(Scale::Logarithmic, &loads), Axis::logarithmic(min, max)),
        false => (Axis::of_values(Scale::Linear, &loads), Axis::from_zero(max)),
    }
}

fn is_wide(loads: &[f64]) -> bool {
    let (least, greatest) = span(loads);
    least > 0.0 && greatest / least >= RATIO_MAX
}
