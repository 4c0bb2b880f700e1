//! What is measured of the clients of one region.

use crate::{Bucket, RegionRun};
use althing_model::Micros;
use hdrhistogram::Histogram;

/// Buckets of a timeline at most; beyond it each two become one.
const BUCKETS_MAX: usize = 2048;

/// The step of a short run's timeline, in microseconds.
const STEP_MIN: Micros = 50_000;

/// The figures of one region so far.
pub(crate) struct Figures {
    pub(crate) latency: Histogram<u64>,
    pub(crate) unanswered: u64,
    step: Micros,
    buckets: Vec<Bucket>,
}

impl Figures {
    pub(crate) fn new() -> Self {
        let latency = RegionRun::histogram();
        Self { latency, unanswered: 0, step: STEP_MIN, buckets: Vec::new() }
    }

    /// A command was answered.
    pub(crate) fn answered(&mut self, now: Micros, took: Micros, is_measured: bool) {
        if is_measured {
            self.latency.saturating_record(took.max(1));
        }
        while now / self.step >= BUCKETS_MAX as u64 {
            self.halve();
        }
        let at = (now / self.step) as usize;
        while self.buckets.len() <= at {
            let at_ms = self.buckets.len() as u64 * self.step / 1000;
            self.buckets.push(Bucket { at_ms, ops: 0, max_us: 0 });
        }
        let bucket = &mut self.buckets[at];
        bucket.ops += 1;
        bucket.max_us = bucket.max_us.max(took);
    }

    /// The timeline up to `end`, empty steps included.
    pub(crate) fn timeline(mut self, end: Micros) -> Vec<Bucket> {
        let until = (end / self.step) as usize;
        while self.buckets.len() <= until.min(BUCKETS_MAX) {
            let at_ms = self.buckets.len() as u64 * self.step / 1000;
            self.buckets.push(Bucket { at_ms, ops: 0, max_us: 0 });
        }
        self.buckets
    }

    fn halve(&mut self) {
        self.step *= 2;
        let merged = self.buckets.chunks(2).map(|pair| Bucket {
            at_ms: pair[0].at_ms,
            ops: pair.iter().map(|it| it.ops).sum(),
            max_us: pair.iter().map(|it| it.max_us).max().unwrap_or(0),
        });
        self.buckets = merged.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a long run's timeline would lose answers, or outgrow any plot.
    #[test]
    fn a_long_timeline_is_coarser_and_complete() {
        let mut figures = Figures::new();
        let second = 1_000_000;
        for at in 0..10_000 {
            figures.answered(at * second, at + 1, at >= 5_000);
        }
        assert_eq!(figures.latency.len(), 5_000);
        let timeline = figures.timeline(10_000 * second);
        assert!(timeline.len() <= BUCKETS_MAX + 1);
        assert_eq!(timeline.iter().map(|it| it.ops).sum::<u64>(), 10_000);
        assert_eq!(timeline.iter().map(|it| it.max_us).max(), Some(10_000));
        let step = timeline[1].at_ms;
        assert!(timeline.iter().enumerate().all(|(at, it)| it.at_ms == at as u64 * step));
    }
}
