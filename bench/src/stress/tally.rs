//! What clients saw, in memory that does not grow with their commands: counts and histograms by
//! phase, answers by step of time, and when each tenth of a known total was done.

use crate::RegionRun;
use althing_sdk::{Error, Failure, KvError};
use hdrhistogram::Histogram;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The step of [`Tally::steps`]: four bytes each, 3.5 MB for a day.
pub(crate) const STEP: Duration = Duration::from_millis(100);

/// Shared by all clients of a run.
#[derive(Debug)]
pub(super) struct Tally {
    begun: Instant,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    answered: u64,
    phases: Vec<Phase>,
    steps: Vec<u32>,
    /// How late an open load sent its commands, in microseconds.
    late: Histogram<u64>,
    /// A tenth of all commands; 0 where the total is not known.
    tenth: u64,
    tenths: Vec<Duration>,
}

/// The commands that were submitted in one part of a run.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    from: Duration,
    /// From the moment at which a command was to be sent to its answer, in microseconds; of those
    /// that were answered.
    pub(super) latency: Histogram<u64>,
    /// Turned away: the cluster was overloaded, and they had no effect.
    pub(super) shed: u64,
    /// Ended for sure without effect, for another reason.
    pub(super) failed: u64,
    /// Of these nobody knows.
    pub(super) unknown: u64,
}

impl Phase {
    fn new(from: Duration) -> Self {
        Self { from, latency: RegionRun::histogram(), shed: 0, failed: 0, unknown: 0 }
    }

    /// A percentile of the latency in milliseconds; none of none.
    pub(super) fn percentile_ms(&self, percentile: f64) -> Option<f64> {
        let us = self.latency.value_at_percentile(percentile);
        (!self.latency.is_empty()).then(|| super::rounded(us as f64 / 1e3))
    }

    /// How many were submitted and ended.
    pub(super) fn ended(&self) -> u64 {
        self.latency.len() + self.shed + self.failed + self.unknown
    }
}

impl Tally {
    /// Nothing was done yet; time begins, and the first phase. `total` is how many answers there
    /// will be, if that is known: then tenths are told.
    pub(super) fn start(total: Option<u64>) -> Self {
        let counts = Counts {
            answered: 0,
            phases: vec![Phase::new(Duration::ZERO)],
            steps: Vec::new(),
            late: RegionRun::histogram(),
            tenth: total.map_or(0, |total| total / 10),
            tenths: Vec::new(),
        };
        Self { begun: Instant::now(), counts: Mutex::new(counts) }
    }

    /// The time since the beginning.
    pub(super) fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// When that time is.
    pub(super) fn at(&self, time: Duration) -> tokio::time::Instant {
        (self.begun + time).into()
    }

    /// What is submitted from now on is of another phase; says which.
    pub(super) fn begin_phase(&self) -> usize {
        let mut counts = self.counts();
        counts.phases.push(Phase::new(self.begun.elapsed()));
        counts.phases.len() - 1
    }

    /// A command of an open load is sent that was to be sent at `due`.
    pub(super) fn sent(&self, due: Duration) {
        let late = self.now().saturating_sub(due);
        self.counts().late.saturating_record(us(late).max(1));
    }

    /// A command ended now that was to be sent at `due`.
    pub(super) fn ended<T>(&self, due: Duration, outcome: &Result<T, KvError>) {
        let now = self.now();
        let mut counts = self.counts();
        let phase = counts.phases.iter_mut().rev().find(|phase| phase.from <= due);
        let phase = phase.expect("the first begins with time");
        match outcome {
            Ok(_) => phase.latency.saturating_record(us(now.saturating_sub(due)).max(1)),
            Err(KvError::Command(Error::Failed(Failure::Overloaded))) => phase.shed += 1,
            Err(KvError::Command(Error::Failed(_))) => phase.failed += 1,
            Err(_) => phase.unknown += 1,
        }
        if outcome.is_ok() {
            counts.answered(now);
        }
    }

    /// Answers so far.
    pub(super) fn answered(&self) -> u64 {
        self.counts().answered
    }

    /// A phase so far.
    pub(super) fn phase(&self, number: usize) -> Phase {
        self.counts().phases[number].clone()
    }

    /// Answers in each step of time.
    pub(super) fn steps(&self) -> Vec<u32> {
        self.counts().steps.clone()
    }

    /// When each tenth of the total was answered, as far as it is.
    pub(super) fn tenths(&self) -> Vec<Duration> {
        self.counts().tenths.clone()
    }

    /// How late an open load was at the 99th percentile, in milliseconds.
    pub(super) fn late_p99_ms(&self) -> f64 {
        super::rounded(self.counts().late.value_at_percentile(99.0) as f64 / 1e3)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counts that one client left half done are off by one command.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn answered(&mut self, now: Duration) {
        self.answered += 1;
        if self.tenth > 0 && self.answered.is_multiple_of(self.tenth) {
            self.tenths.push(now);
        }
        let step = (now.as_micros() / STEP.as_micros()) as usize;
        if self.steps.len() <= step {
            self.steps.resize(step + 1, 0);
        }
        self.steps[step] += 1;
    }
}

fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a command counts for a phase in which it was not sent, is lost, or is counted as
    /// answered although it was turned away.
    #[test]
    fn commands_count_where_they_were_sent_and_as_what_they_ended() {
        let tally = Tally::start(Some(20));
        let failed = |failure| Err::<(), _>(KvError::Command(Error::Failed(failure)));
        let early = tally.now();
        std::thread::sleep(Duration::from_millis(2));
        let second = tally.begin_phase();
        let late = tally.now();
        for due in [early, late, late] {
            tally.ended(due, &Ok(()));
        }
        tally.ended(early, &failed(Failure::Overloaded));
        tally.ended(late, &failed(Failure::Unreachable));
        tally.ended(late, &Err::<(), _>(KvError::Command(Error::Unknown)));
        let (first, second) = (tally.phase(0), tally.phase(second));
        let counts = |phase: &Phase| (phase.latency.len(), phase.shed, phase.failed, phase.unknown);
        assert_eq!(counts(&first), (1, 1, 0, 0));
        assert_eq!(counts(&second), (2, 0, 1, 1));
        assert_eq!((first.ended(), second.ended(), tally.answered()), (2, 4, 3));
        assert!(first.percentile_ms(50.0).unwrap() >= 2.0);
        assert_eq!(tally.steps().iter().sum::<u32>(), 3);
        assert_eq!(tally.tenths().len(), 1, "a tenth of 20 is 2");
    }
}
