//! Steps of time that can be read: long enough that every client is answered in each.

use super::super::figures::{Latency, step_ms};
use super::axis::round_step;
use crate::{Bucket, Run};

/// At most about so many fit into a strip.
const STEPS_MAX: f64 = 75.0;

/// Clients in step with each other are answered all at once, and not again before a round trip: in
/// shorter steps than so many medians, steady throughput looks like a comb.
const MEDIANS: f64 = 1.5;

/// One step for all runs, in milliseconds, a multiple of that of each; none where there is none.
pub(super) fn common_ms(runs: &[&Run]) -> Option<u64> {
    let recorded_ms = runs.iter().filter_map(|run| step_ms(run)).max()?;
    let longest_ms = runs.iter().map(|run| run.seconds * 1e3).fold(0.0, f64::max);
    let regions = runs.iter().flat_map(|run| &run.regions);
    let medians = regions.filter_map(|region| Some(Latency::of(&region.latency)?.p50_ms));
    let median_ms = medians.fold(0.0, f64::max);
    let wanted_ms = round_step((longest_ms / STEPS_MAX).max(MEDIANS * median_ms));
    Some((wanted_ms / recorded_ms as f64).ceil().max(1.0) as u64 * recorded_ms)
}

/// The timeline in steps of that length, as many as there are until the end.
pub(super) fn merged(timeline: &[Bucket], step_ms: u64, end_ms: u64) -> Vec<Bucket> {
    let steps = 0..end_ms.div_ceil(step_ms);
    let mut merged: Vec<_> =
        steps.map(|step| Bucket { at_ms: step * step_ms, ..Bucket::default() }).collect();
    for bucket in timeline {
        if let Some(into) = merged.get_mut((bucket.at_ms / step_ms) as usize) {
            into.ops += bucket.ops;
            into.max_us = into.max_us.max(bucket.max_us);
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::sample;

    /// Broken: answers are lost or counted twice where steps are joined, or a region that was
    /// silent at the end has no steps there.
    #[test]
    fn joining_steps_keeps_answers() {
        let timeline = [(0, 3, 7), (50, 0, 0), (100, 2, 9), (150, 1, 4), (200, 5, 1)];
        let timeline = timeline.map(|(at_ms, ops, max_us)| Bucket { at_ms, ops, max_us });
        let merged = merged(&timeline, 150, 600);
        let figures: Vec<_> = merged.iter().map(|b| (b.at_ms, b.ops, b.max_us)).collect();
        assert_eq!(figures, [(0, 5, 9), (150, 6, 4), (300, 0, 0), (450, 0, 0)]);
    }

    /// Broken: steps are so short that steady clients look as if they stopped all the time.
    #[test]
    fn steps_are_longer_than_medians() {
        let results = sample::crash();
        let runs: Vec<_> = results.runs.iter().collect();
        let step_ms = common_ms(&runs).unwrap();
        assert_eq!(step_ms % 250, 0);
        for region in runs.iter().flat_map(|run| &run.regions) {
            assert!(step_ms as f64 > Latency::of(&region.latency).unwrap().p50_ms);
        }
        assert_eq!(common_ms(&[]), None);
    }
}
