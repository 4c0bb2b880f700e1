//! The figures that tables, files and plots share, so that all of them say the same.

use crate::{RegionRun, Run};
use hdrhistogram::Histogram;
use serde::Serialize;

/// What a histogram comes down to, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) mean_ms: f64,
    pub(super) min_ms: f64,
    pub(super) p50_ms: f64,
    pub(super) p90_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    #[serde(rename = "p99.9_ms")]
    pub(super) p999_ms: f64,
    pub(super) max_ms: f64,
}

impl Latency {
    /// None of nothing.
    pub(super) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        if histogram.is_empty() {
            return None;
        }
        let quantile = |quantile| ms(histogram.value_at_quantile(quantile));
        Some(Self {
            mean_ms: rounded(histogram.mean() / 1e3),
            min_ms: ms(histogram.min()),
            p50_ms: quantile(0.5),
            p90_ms: quantile(0.9),
            p95_ms: quantile(0.95),
            p99_ms: quantile(0.99),
            p999_ms: quantile(0.999),
            max_ms: ms(histogram.max()),
        })
    }
}

/// What the clients of all regions saw together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Totals {
    pub(super) ops: u64,
    pub(super) unanswered: u64,
    pub(super) latency: Option<Latency>,
    /// The mean of the regions' bounds, each as often as it had answers; none of unknown ones.
    pub(super) bound_mean_ms: Option<f64>,
    /// Their 99th percentile, likewise.
    pub(super) bound_p99_ms: Option<f64>,
    /// The mean of the regions' ratios of the p50 to the bound, likewise.
    pub(super) p50_over_bound: Option<f64>,
    pub(super) fast_share: Option<f64>,
    /// Answers a second.
    pub(super) throughput: f64,
}

impl Totals {
    pub(super) fn of(run: &Run, warm_up_ms: u64) -> Self {
        Self {
            ops: run.regions.iter().map(|region| region.latency.len()).sum(),
            unanswered: run.regions.iter().map(|region| region.unanswered).sum(),
            latency: Latency::of(&run.latency()),
            bound_mean_ms: weighted(run, bound_ms).map(rounded),
            bound_p99_ms: bound_at(run, 0.99),
            p50_over_bound: weighted(run, p50_over_bound),
            fast_share: weighted(run, |region| region.fast_share),
            throughput: throughput(run, warm_up_ms),
        }
    }

    /// How far the mean is from the mean of the bounds: 1 is perfect.
    pub(super) fn mean_over_bound(&self) -> Option<f64> {
        Some(self.latency?.mean_ms / self.bound_mean_ms?)
    }
}

/// How far a region's median is from its bound; none where it has no answers or no bound.
pub(super) fn p50_over_bound(region: &RegionRun) -> Option<f64> {
    Some(Latency::of(&region.latency)?.p50_ms / bound_ms(region)?)
}

/// None where nobody knows the distances, which is a bound of 0.
pub(super) fn bound_ms(region: &RegionRun) -> Option<f64> {
    (region.bound_us > 0).then(|| ms(region.bound_us))
}

/// The length of a timeline's steps, in milliseconds; none where there is only one.
pub(super) fn step_ms(run: &Run) -> Option<u64> {
    let longest =
        run.regions.iter().map(|region| &region.timeline).max_by_key(|line| line.len())?;
    let (first, second) = (longest.first()?, longest.get(1)?);
    Some(second.at_ms - first.at_ms).filter(|step| *step > 0)
}

/// Milliseconds, to the microsecond.
pub(super) fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

/// Three digits after the point: microseconds of milliseconds.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// The mean over the regions that have it, each as often as it had answers.
fn weighted(run: &Run, of: impl Fn(&RegionRun) -> Option<f64>) -> Option<f64> {
    let mut sum = 0.0;
    let mut weight = 0.0;
    for region in &run.regions {
        if let Some(value) = of(region) {
            sum += value * region.latency.len() as f64;
            weight += region.latency.len() as f64;
        }
    }
    (weight > 0.0).then(|| sum / weight)
}

/// The bound that this share of the answers have, or a lower one.
fn bound_at(run: &Run, quantile: f64) -> Option<f64> {
    let mut bounds: Vec<_> = run
        .regions
        .iter()
        .filter_map(|region| Some((bound_ms(region)?, region.latency.len())))
        .filter(|(_, ops)| *ops > 0)
        .collect();
    bounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all: u64 = bounds.iter().map(|(_, ops)| ops).sum();
    let rank = (quantile * all as f64).ceil() as u64;
    let mut seen = 0;
    let at = bounds.iter().find(|(_, ops)| {
        seen += ops;
        seen >= rank
    });
    at.map(|(bound_ms, _)| *bound_ms)
}

/// By the timeline, which has the answers of the warm-up too; else by what was measured.
fn throughput(run: &Run, warm_up_ms: u64) -> f64 {
    let answers: u64 =
        run.regions.iter().flat_map(|region| &region.timeline).map(|bucket| bucket.ops).sum();
    let measured: u64 = run.regions.iter().map(|region| region.latency.len()).sum();
    let (ops, seconds) = match answers {
        0 => (measured, run.seconds - warm_up_ms as f64 / 1e3),
        _ => (answers, run.seconds),
    };
    if seconds > 0.0 { ops as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bucket;

    fn region(latencies_us: &[u64], bound_us: u64) -> RegionRun {
        let mut latency = RegionRun::histogram();
        latencies_us.iter().for_each(|us| latency.record(*us).unwrap());
        RegionRun {
            name: "x".to_owned(),
            latency,
            unanswered: 1,
            bound_us,
            fast_share: Some(0.5),
            timeline: Vec::new(),
        }
    }

    fn run(regions: Vec<RegionRun>) -> Run {
        Run {
            protocol: "fast".to_owned(),
            title: "Fast".to_owned(),
            f: 1,
            conflict_percent: None,
            clients: 1,
            rate: None,
            regions,
            seconds: 2.0,
            linearizable: Some(true),
        }
    }

    /// Broken: a region counts for more or less than its answers, or one without any for something.
    #[test]
    fn totals_weigh_by_answers() {
        let mut without = region(&[], 9_000);
        without.fast_share = Some(1.0);
        let run = run(vec![region(&[1000, 1000, 1000], 500), region(&[2000], 2000), without]);
        let totals = Totals::of(&run, 0);
        assert_eq!((totals.ops, totals.unanswered), (4, 3));
        assert_eq!(totals.bound_mean_ms, Some(0.875));
        assert_eq!(totals.bound_p99_ms, Some(2.0));
        let ratio = totals.p50_over_bound.unwrap();
        assert!((ratio - (3.0 * 2.0 + 1.0) / 4.0).abs() < 0.01, "{ratio}");
        assert_eq!(totals.fast_share, Some(0.5));
        assert!((totals.mean_over_bound().unwrap() - 1.25 / 0.875).abs() < 0.01);
    }

    /// Broken: a run in which nobody was answered shows latencies, or divides by zero.
    #[test]
    fn nothing_has_no_latency() {
        let totals = Totals::of(&run(vec![region(&[], 3000), region(&[], 5000)]), 0);
        assert_eq!(totals.latency, None);
        assert_eq!(totals.mean_over_bound(), None);
        assert_eq!((totals.bound_mean_ms, totals.bound_p99_ms), (None, None));
        assert_eq!(totals.throughput, 0.0);
    }

    /// Broken: where nobody knows the distances, the report says that latencies are infinitely far
    /// from their bound, or at it.
    #[test]
    fn unknown_bounds_are_none() {
        let region = region(&[1000], 0);
        assert_eq!(p50_over_bound(&region), None);
        let totals = Totals::of(&run(vec![region]), 0);
        assert_eq!((totals.bound_mean_ms, totals.bound_p99_ms), (None, None));
        assert_eq!((totals.p50_over_bound, totals.mean_over_bound()), (None, None));
    }

    /// Broken: the throughput forgets what was answered during the warm-up, or takes time for
    /// measured that was not.
    #[test]
    fn throughput_is_of_all_answers() {
        let mut busy = region(&[1000], 500);
        assert_eq!(Totals::of(&run(vec![busy.clone()]), 1000).throughput, 1.0);
        busy.timeline = vec![Bucket { at_ms: 0, ops: 6, max_us: 1000 }];
        assert_eq!(Totals::of(&run(vec![busy]), 1000).throughput, 3.0);
    }
}
