//! From a run that violates a property, a small one that violates the same.
//!
//! Chance in a run depends on what it is for and when, not on how much was drawn before; so what is
//! left out changes little of the rest, as long as nothing moves in time. Leaving out an operation
//! does move what comes after it. Therefore the search has two halves. First a shorter *similar* run
//! is looked for: the same cluster, limits and kinds of fault with fewer operations, clients and
//! faults, under other seeds as well. Then the messages between nodes are gone through, and all that
//! are not needed are lost. A run that does not converge ([`LIVENESS`]) keeps its messages: losing
//! them all would be one more.

mod reduce;
mod simplify;

use crate::app::Application;
use crate::chart::{Chart, Counted, Window};
use crate::swarm::caught;
use crate::trace::{MessageName, TraceEvent, Traced};
use crate::{Failure, Plan, run_traced};
use althing_model::Micros;
use reduce::reduce;
use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

/// The property that is about an end, and not about safety.
const LIVENESS: &str = "Converges";

/// Messages and faults that a person can follow: a search that got there is over.
const EVENTS_AIM: usize = 50;

/// Seeds under which a search looks for similar runs of one length.
const SEEDS_EACH: u64 = 2_000;

/// A run with fewer messages may fail this much later than the one before it did.
const SLACK: Micros = 2_000_000;

/// A small run that fails.
#[derive(Debug, Clone)]
pub struct Minimal {
    /// Where the search began.
    pub seed: u64,
    /// The run.
    pub plan: Plan,
    /// How it fails.
    pub failure: Failure,
    /// How much happens in it.
    pub counted: Counted,
    /// The same of the run with which the search began.
    pub counted_before: Counted,
    /// Runs that were tried.
    pub tried: u64,
    /// How long it took.
    pub took: Duration,
}

/// How far a search is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What is being left out.
    pub stage: &'static str,
    /// Runs that were tried.
    pub tried: u64,
    /// The size of the smallest that failed.
    pub counted: Counted,
}

/// Looks for a small run that violates the same property, for so long; `None` if this one violates
/// nothing.
pub fn minimise(
    plan: &Plan,
    app: &dyn Application,
    patience: Duration,
    mut on_progress: impl FnMut(Progress),
) -> Option<Minimal> {
    let begun = Instant::now();
    let first = attempt(plan, app, None)?;
    let counted_before = first.counted;
    let mut tried = 1;
    let mut smallest: Option<Attempt> = None;
    // Where one similar run leads to nothing small, another may.
    for round in 0.. {
        let mut search = Search {
            app,
            oracle: first.failure.violation.property,
            first_seed: plan.seed.wrapping_add(round * SEEDS_EACH),
            begun: Instant::now(),
            patience: patience.saturating_sub(begun.elapsed()),
            tried,
            stage: "",
            best: first.clone(),
            on_progress: &mut on_progress,
        };
        search.run();
        tried = search.tried;
        let found = search.best;
        let size = |it: &Attempt| it.counted.events();
        let smaller = match smallest {
            Some(before) if size(&before) <= size(&found) => before,
            _ => found,
        };
        let is_enough = size(&smaller) <= EVENTS_AIM;
        smallest = Some(smaller);
        if is_enough || begun.elapsed() > patience.mul_f64(0.6) {
            break;
        }
    }
    let Attempt { plan: small, failure, counted, .. } = smallest.expect("there was a round");
    let took = begun.elapsed();
    Some(Minimal { seed: plan.seed, plan: small, failure, counted, counted_before, tried, took })
}

/// A run that failed.
#[derive(Clone)]
struct Attempt {
    plan: Plan,
    failure: Failure,
    counted: Counted,
    /// The messages between nodes that were handled.
    delivered: BTreeSet<MessageName>,
    /// The operations that clients began: which client, and its how many-th.
    begun: BTreeSet<(usize, usize)>,
}

/// Runs a plan; what there was, if it fails (by this oracle, if one is named).
fn attempt(plan: &Plan, app: &dyn Application, oracle: Option<&str>) -> Option<Attempt> {
    let mut counted = Counted::default();
    let mut delivered = BTreeSet::new();
    let mut begun = BTreeSet::new();
    let tell = |event: TraceEvent| {
        counted.count(&event);
        match event.what {
            Traced::Delivered { name, .. } if name != MessageName::LOCAL => {
                delivered.insert(name);
            }
            Traced::Invoked { client, nth, .. } => {
                begun.insert((client, nth));
            }
            _ => {}
        }
    };
    let failure = caught(plan, || run_traced(plan, app, tell)).err()?;
    if oracle.is_some_and(|oracle| oracle != failure.violation.property) {
        return None;
    }
    Some(Attempt { plan: plan.clone(), failure: *failure, counted, delivered, begun })
}

/// A search, and the smallest run that failed so far.
struct Search<'a> {
    app: &'a dyn Application,
    oracle: &'static str,
    /// Similar runs have this seed and those after it.
    first_seed: u64,
    begun: Instant,
    patience: Duration,
    tried: u64,
    stage: &'static str,
    best: Attempt,
    on_progress: &'a mut dyn FnMut(Progress),
}

impl Search<'_> {
    fn run(&mut self) {
        self.shorten();
        loop {
            let before = self.best.counted.events();
            self.simplify();
            self.leave_out_faults();
            self.leave_out_operations();
            if self.best.counted.events() >= before || self.is_late(0.7) {
                break;
            }
        }
        if self.oracle != LIVENESS {
            self.leave_out_messages();
            // With fewer messages, fewer faults may do.
            self.leave_out_faults();
        }
    }

    /// Whether this share of the time is over.
    fn is_late(&self, share: f64) -> bool {
        self.begun.elapsed() > self.patience.mul_f64(share)
    }

    /// Tries a plan, and keeps it if it fails.
    fn fails(&mut self, plan: &Plan) -> bool {
        self.tried += 1;
        let Search { stage, tried, .. } = *self;
        (self.on_progress)(Progress { stage, tried, counted: self.best.counted });
        match attempt(plan, self.app, Some(self.oracle)) {
            Some(attempt) => {
                self.best = attempt;
                true
            }
            None => false,
        }
    }

    /// Tries a plan that is no larger, under its seed and under a few others.
    fn fails_somehow(&mut self, plan: &Plan, seeds: u64, until: f64) -> bool {
        let first = plan.seed;
        (0..seeds).any(|other| {
            let seed = first.wrapping_add(other.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            !self.is_late(until) && self.fails(&Plan { seed, ..plan.clone() })
        })
    }

    fn leave_out_faults(&mut self) {
        self.stage = "faults";
        let seeds = if self.best.plan.cut.delivered.is_some() { 1 } else { 4 };
        let whole = self.best.plan.episodes.clone();
        let keep: Vec<usize> = (0..whole.len()).collect();
        reduce(keep, |keep| {
            let episodes = keep.iter().map(|at| whole[*at].clone()).collect();
            let plan = Plan { episodes, ..self.best.plan.clone() };
            (!self.is_late(0.9)).then(|| self.fails_somehow(&plan, seeds, 0.9))
        });
        let whole = self.best.plan.episodes.clone();
        let single = |(at, episode): (usize, &crate::Episode)| {
            (0..episode.faults.len()).map(move |fault| (at, fault)).collect::<Vec<_>>()
        };
        let keep: Vec<(usize, usize)> = whole.iter().enumerate().flat_map(single).collect();
        reduce(keep, |keep| {
            let mut episodes = whole.clone();
            for (at, episode) in episodes.iter_mut().enumerate() {
                let mut fault = 0..;
                episode.faults.retain(|_| keep.contains(&(at, fault.next().expect("endless"))));
            }
            let plan = Plan { episodes, ..self.best.plan.clone() };
            (!self.is_late(0.9)).then(|| self.fails_somehow(&plan, seeds, 0.9))
        });
    }

    fn leave_out_operations(&mut self) {
        self.stage = "operations";
        let plan = &self.best.plan;
        let all = (0..plan.workload.clients)
            .flat_map(|client| (1..=plan.workload.operations).map(move |nth| (client, nth)));
        let all: BTreeSet<(usize, usize)> = all.collect();
        let keep = self.best.begun.iter().copied().collect();
        reduce(keep, |keep| {
            let mut plan = self.best.plan.clone();
            plan.cut.omitted = all.iter().filter(|it| !keep.contains(it)).copied().collect();
            (!self.is_late(0.7)).then(|| self.fails_somehow(&plan, 4, 0.7))
        });
    }

    fn leave_out_messages(&mut self) {
        self.stage = "messages";
        let only = |search: &Self, names: BTreeSet<MessageName>| {
            let mut plan = search.best.plan.clone();
            plan.cut.ends_at = Some(search.best.failure.at + SLACK);
            plan.cut.delivered = Some(names);
            plan
        };
        let plan = only(self, self.best.delivered.clone());
        if !self.fails(&plan) {
            return;
        }
        loop {
            let before = self.best.delivered.len();
            let keep: Vec<MessageName> = self.best.delivered.iter().copied().collect();
            reduce(keep, |keep| {
                let plan = only(self, keep.iter().copied().collect());
                (!self.is_late(1.0)).then(|| self.fails(&plan))
            });
            if self.best.delivered.len() >= before || self.is_late(1.0) {
                break;
            }
        }
    }
}

impl Minimal {
    /// The run as a sequence chart.
    pub fn chart(&self, app: &dyn Application) -> String {
        let mut chart = Chart::new(&self.plan, Window::default());
        // It fails, as it did before.
        let _ = caught(&self.plan, || run_traced(&self.plan, app, |event| chart.draw(&event)));
        chart.text()
    }
}

impl fmt::Display for Minimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, failure, counted, counted_before, tried, took, plan } = self;
        writeln!(
            f,
            "from seed {seed}: {} messages between nodes and {} faults instead of {} and {}, \
             found in {:.1} s and {tried} runs",
            counted.messages,
            counted.faults,
            counted_before.messages,
            counted_before.faults,
            took.as_secs_f64()
        )?;
        if plan.seed != *seed {
            writeln!(f, "(a similar run, under another seed of chance)")?;
        }
        write!(f, "at {:.3} ms: {}", failure.at as f64 / 1000.0, failure.violation)
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, tried, counted } = self;
        let Counted { messages, faults } = counted;
        write!(f, "fewer {stage}: {messages} messages, {faults} faults; {tried} runs tried")
    }
}
