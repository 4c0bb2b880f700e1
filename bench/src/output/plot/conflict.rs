//! Latency against the share of commands on shared keys.

use super::super::OutputError;
use super::super::figures::{Latency, Totals};
use super::super::series::{Series, Setting, distinct, file_name};
use super::axis::{Axis, Scale};
use super::sweep::{Curve, Sweep, span, values};
use super::{Figure, Kind, Plot};
use crate::Results;

/// Two plots, mean and p99, for each load under which a protocol was run at several conflict rates.
pub(super) fn figures(results: &Results) -> Result<Vec<Figure>, OutputError> {
    let loads = distinct(Setting::all(results).into_iter().map(Setting::without_conflict));
    let mut figures = Vec::new();
    for load in loads {
        let curves = |of: fn(&Latency) -> f64| curves(load, of, results);
        let mean = curves(|latency| latency.mean_ms);
        if mean.is_empty() {
            continue;
        }
        let heading = load.title(results);
        let plots = [
            ("mean", "Mean latency", mean),
            ("p99", "p99 latency", curves(|latency| latency.p99_ms)),
        ];
        let plots = plots.into_iter().map(|(word, title, curves)| {
            let (rates, latencies) = values(&curves);
            let sweep = Sweep {
                title,
                subtitle: "ms, all regions",
                x_title: "commands on a shared key, % (square-root scale)",
                x: Axis::of_values(Scale::SquareRoot, &rates),
                y: Axis::from_zero(span(&latencies).1),
            };
            let name = file_name(&format!("conflict {word} {heading}"));
            Plot::new(name, format!("{title} against conflict rate"), sweep.draw(&curves))
        });
        let plots = plots.collect::<Result<_, _>>()?;
        figures.push(Figure { kind: Kind::Conflict, heading, plots });
    }
    Ok(figures)
}

/// A curve for each protocol with several conflict rates.
fn curves(load: Setting, of: fn(&Latency) -> f64, results: &Results) -> Vec<Curve<'_>> {
    let all = Series::all(results).into_iter().filter_map(|series| {
        let runs = results
            .runs
            .iter()
            .filter(|run| series.has(run) && Setting::of(run).without_conflict() == load);
        let mut points: Vec<_> = runs
            .filter_map(|run| {
                let latency = Totals::of(run, results.workload.warm_up_ms).latency?;
                Some((run.conflict_percent?, of(&latency)))
            })
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.dedup_by_key(|point| point.0);
        (points.len() > 1).then_some(Curve { series, points })
    });
    all.collect()
}
