//! The figures of each region, from the answers that its clients got.

use super::plan::Plan;
use althing_bench::real::Sample;
use std::time::Duration;

/// What a region's clients saw.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RegionFigures {
    pub(super) name: String,
    /// Answers, from the first to the last.
    pub(super) ops: usize,
    /// Of what was submitted while all regions were up and warm.
    pub(super) measured_ops: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) bound_ms: f64,
    /// Of the region's own commits in that time, those after one round trip.
    pub(super) fast_share: f64,
    /// None for the region that was killed.
    pub(super) outage: Option<Outage>,
    pub(super) is_dead: bool,
}

/// What they saw while a region was dead.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outage {
    pub(super) p50_ms: f64,
    /// The longest time without an answer to any of them, beyond what is usual.
    pub(super) longest_pause_ms: f64,
    /// The goal for that.
    pub(super) pause_goal_ms: f64,
    /// Whether the dead region was in this one's nearest fast quorum.
    pub(super) needed_victim: bool,
}

/// The moments that figures go by, as they really were.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    pub(super) warm: Duration,
    pub(super) measured: Duration,
    pub(super) kill: Duration,
    pub(super) restart: Duration,
}

/// What a node may take, beyond round trips, before it acts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) fast_path_ms: f64,
    pub(super) recover_ms: f64,
}

/// The figures of one region.
pub(super) fn of_region(
    plan: &Plan,
    moments: &Moments,
    patience: Patience,
    samples: &[Sample],
    (region, fast_share): (usize, f64),
) -> RegionFigures {
    let own: Vec<Sample> = samples.iter().filter(|s| s.region == region).copied().collect();
    let submitted = |from: Duration, until: Duration| {
        let within = own.iter().filter(|s| (from..until).contains(&s.submitted));
        let mut latencies: Vec<f64> = within.map(|s| ms(s.latency())).collect();
        latencies.sort_by(f64::total_cmp);
        latencies
    };
    let healthy = submitted(moments.warm, moments.measured);
    let mut answers: Vec<Duration> = own.iter().map(|sample| sample.answered).collect();
    answers.sort();
    let is_dead = plan.victim == Some(region);
    let outage = (!is_dead).then(|| {
        let usual = gaps(&answers, moments.warm, moments.measured);
        // The pause at the kill began with the last answer before it.
        let before = answers.iter().rev().find(|at| **at <= moments.kill);
        let gaps = gaps(&answers, before.copied().unwrap_or(moments.kill), moments.restart);
        let longest = gaps.last().copied().unwrap_or_default();
        let during = submitted(moments.kill, moments.restart);
        Outage {
            p50_ms: percentile(&during, 50),
            longest_pause_ms: (longest - percentile(&usual, 99)).max(0.0),
            pause_goal_ms: pause_goal_ms(plan, patience, region),
            needed_victim: plan.needs_victim(region),
        }
    });
    RegionFigures {
        name: plan.regions[region].name().to_owned(),
        ops: own.len(),
        measured_ops: healthy.len(),
        p50_ms: percentile(&healthy, 50),
        p99_ms: percentile(&healthy, 99),
        bound_ms: plan.bound_us(region) as f64 / 1e3,
        fast_share,
        outage,
        is_dead,
    }
}

/// The goal: clients whose fast quorum is whole notice nothing, one round trip at most; the others
/// wait until their proposer gives the fast quorum up and asks again, time-out and two round trips.
fn pause_goal_ms(plan: &Plan, patience: Patience, region: usize) -> f64 {
    match plan.needs_victim(region) {
        true => patience.fast_path_ms + 2.0 * plan.outage_round_trip_us(region) as f64 / 1e3,
        false => plan.bound_us(region) as f64 / 1e3,
    }
}

/// The times without an answer within a window, sorted, in milliseconds. What reaches into the
/// window from outside counts for its part inside.
fn gaps(answers: &[Duration], from: Duration, until: Duration) -> Vec<f64> {
    let within = answers.iter().copied().filter(|at| (from..until).contains(at));
    let edges: Vec<Duration> = [from].into_iter().chain(within).chain([until]).collect();
    let mut gaps: Vec<f64> = edges.windows(2).map(|pair| ms(pair[1] - pair[0])).collect();
    gaps.sort_by(f64::total_cmp);
    gaps
}

/// The value that so many of a hundred do not exceed; 0 of none.
pub(super) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a pause at the moment of the kill would be measured too short, or not at all.
    #[test]
    fn a_gap_counts_for_its_part_in_the_window() {
        let answers = [1, 2, 7, 9].map(Duration::from_secs);
        let window = (Duration::from_secs(3), Duration::from_secs(10));
        assert_eq!(gaps(&answers, window.0, window.1), [1000.0, 2000.0, 4000.0]);
        let none = (Duration::from_secs(20), Duration::from_secs(21));
        assert_eq!(gaps(&answers, none.0, none.1), [1000.0]);
        let sorted: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((percentile(&sorted, 50), percentile(&sorted, 99)), (100.0, 198.0));
        assert_eq!(percentile(&[], 50), 0.0);
    }
}
