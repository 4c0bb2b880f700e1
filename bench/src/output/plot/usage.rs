//! What processes took over time, and what the cluster did meanwhile.

use super::super::OutputError;
use super::super::series::Series;
use super::Plot;
use super::axis::{Axis, round_step};
use super::sweep::{Curve, Sweep, span, values};
use crate::stress::{STEP, Sample, Usage};

/// At most about so many points of a curve can be told apart.
const POINTS_MAX: usize = 400;

/// Likewise steps of throughput.
const STEPS_MAX: f64 = 120.0;

/// The number of a bound's colour, as among protocols.
const BOUND_COLOUR: usize = 6;

/// What there is to draw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Course<'a> {
    /// In the order in which they were taken.
    pub(crate) samples: &'a [Sample],
    /// Answers in each step of [`STEP`].
    pub(crate) steps: &'a [u32],
    /// What a data directory may take.
    pub(crate) budget_bytes: Option<u64>,
}

/// Memory, disk and throughput over time.
pub(in super::super) fn plots(course: &Course<'_>) -> Result<Vec<Plot>, OutputError> {
    let memory = of_processes(course, |usage| usage.rss_bytes);
    let mut disk = of_processes(course, |usage| usage.disk_bytes);
    let end = course.samples.last().map_or(0.0, |sample| sample.at.as_secs_f64());
    if let Some(bytes) = course.budget_bytes {
        let points = [0.0, end].map(|at| (at, mib(bytes)));
        disk.push(("budget".to_owned(), points.into()));
    }
    let throughput = vec![("all nodes".to_owned(), throughput(course.steps))];
    [
        ("memory", "Resident memory", "MiB of each process", memory),
        ("disk", "Disk", "MiB in use of each data directory", disk),
        ("throughput", "Throughput", "answers a second, all nodes together", throughput),
    ]
    .into_iter()
    .filter(|(.., lines)| lines.iter().any(|(_, points)| !points.is_empty()))
    .map(|(name, title, subtitle, lines)| {
        let curves: Vec<_> = lines.iter().enumerate().map(curve).collect();
        let (along, up) = values(&curves);
        let sweep = Sweep {
            title,
            subtitle,
            x_title: "seconds since the beginning",
            x: Axis::up_to(span(&along).1),
            y: Axis::from_zero(span(&up).1),
        };
        Plot::new(name.to_owned(), format!("{title}, {subtitle}"), sweep.draw(&curves))
    })
    .collect()
}

type Line = (String, Vec<(f64, f64)>);

fn curve((index, (name, points)): (usize, &Line)) -> Curve<'_> {
    let (colour, protocol) = match name.as_str() {
        "budget" => (BOUND_COLOUR, "bound"),
        _ => (index, ""),
    };
    let series = Series { colour, protocol, f: 0, title: name };
    Curve { series, points: points.clone() }
}

/// A line for each process, of every so many samples the highest.
fn of_processes(course: &Course<'_>, of: impl Fn(&Usage) -> u64) -> Vec<Line> {
    let count = course.samples.first().map_or(0, |sample| sample.nodes.len());
    let together = course.samples.len().div_ceil(POINTS_MAX).max(1);
    let line = |node: usize| {
        let points = course.samples.chunks(together).map(|samples| {
            let highest = samples.iter().map(|sample| of(&sample.nodes[node])).max();
            let at = samples[samples.len() - 1].at.as_secs_f64();
            (at, mib(highest.unwrap_or_default()))
        });
        (format!("node {node}"), points.collect())
    };
    (0..count).map(line).collect()
}

/// Answers a second in steps that can be read, each at its middle. The end of the last ones, which is
/// not known to be a whole step, is left out.
fn throughput(steps: &[u32]) -> Vec<(f64, f64)> {
    let steps = &steps[..steps.len().saturating_sub(1)];
    let step = STEP.as_secs_f64();
    let wanted = round_step(steps.len() as f64 * step / STEPS_MAX).max(step);
    let together = (wanted / step).round() as usize;
    let joined = steps.chunks_exact(together).enumerate().map(|(index, steps)| {
        let answers: u64 = steps.iter().map(|count| u64::from(*count)).sum();
        let from = (index * together) as f64 * step;
        let took = steps.len() as f64 * step;
        (from + took / 2.0, answers as f64 / took)
    });
    joined.collect()
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn samples(count: u64) -> Vec<Sample> {
        let usage = |bytes| Usage { rss_bytes: bytes << 20, disk_bytes: bytes << 21 };
        let sample = |at: u64| Sample {
            at: Duration::from_secs(at),
            answered: at,
            nodes: [usage(at), usage(7)].into(),
        };
        (0..count).map(sample).collect()
    }

    /// Broken: a process has no curve, or the budget none that can be told from a process's.
    #[test]
    fn every_process_has_a_curve_and_the_budget_a_line() {
        let samples = samples(9);
        let course = Course { samples: &samples, steps: &[5; 90], budget_bytes: Some(32 << 20) };
        let plots = plots(&course).unwrap();
        let names: Vec<_> = plots.iter().map(|plot| plot.name.as_str()).collect();
        assert_eq!(names, ["memory", "disk", "throughput"]);
        let has = |plot: usize, text: &str| plots[plot].svg.contains(text);
        assert!(has(0, "node 0") && has(0, "node 1") && !has(0, "budget"));
        assert!(has(1, "node 1") && has(1, "budget") && has(2, "all nodes"));
    }

    /// Broken: a peak of a long soak is not on its plot, or answers are lost where steps are joined.
    #[test]
    fn a_long_run_keeps_its_peaks_and_its_answers() {
        let mut long = samples(5_000);
        long[1_234].nodes[1].rss_bytes = 9_999 << 20;
        let course = Course { samples: &long, steps: &[], budget_bytes: None };
        let lines = of_processes(&course, |usage| usage.rss_bytes);
        assert!(lines[1].1.len() <= POINTS_MAX);
        assert!(lines[1].1.iter().any(|(_, mib)| *mib == 9_999.0));
        let points = throughput(&[3; 1_000]);
        assert!(points.len() <= 2 * STEPS_MAX as usize, "{}", points.len());
        assert!(points.iter().all(|(_, rate)| (rate - 30.0).abs() < 1e-6), "{points:?}");
    }
}
