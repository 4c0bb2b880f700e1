//! Exploring a model to its end, and what came of it.

use crate::{Bounds, Exhaustive, Search};
use serde::Serialize;
use stateright::report::{ReportData, ReportDiscovery, Reporter};
use stateright::{Checker, Expectation, HasDiscoveries, Model, Path};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How an exploration is done.
#[derive(Debug, Clone, Copy)]
pub struct Exploration {
    /// Which states.
    pub search: Search,
    /// Breadth first finds the shortest way to a violation, and takes about three times the memory.
    pub is_breadth_first: bool,
    /// Threads.
    pub threads: usize,
    /// When to give up.
    pub time_max: Duration,
    /// How much memory to use at most, in bytes, asked once a second.
    pub memory_max: u64,
    /// Whether to say on stderr how far it is.
    pub is_telling: bool,
}

impl Default for Exploration {
    fn default() -> Self {
        Self {
            search: Search::Reduced,
            is_breadth_first: false,
            threads: 2,
            time_max: Duration::from_secs(1800),
            memory_max: 20 << 30,
            is_telling: false,
        }
    }
}

/// What came of an exploration.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    /// The bounds, in words.
    pub bounds: String,
    /// Whether every state within the bounds was seen.
    pub is_complete: bool,
    /// States, counted as often as they were reached.
    pub states: usize,
    /// Different states.
    pub unique_states: usize,
    /// The longest way.
    pub depth: usize,
    /// Different states of single roles.
    pub role_states: usize,
    /// Different messages.
    pub messages: usize,
    /// Seconds that it took.
    pub seconds: f64,
    /// The properties, in order.
    pub properties: Vec<Finding>,
    /// The largest sets of values that were found committed together, in words.
    #[serde(skip)]
    pub largest_commits: BTreeSet<BTreeSet<String>>,
}

/// What came of one property.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The property.
    pub property: &'static str,
    /// Whether it is one of safety, which must hold in every state; else one that must be reached,
    /// so that the bounds leave something to be seen.
    pub is_safety: bool,
    /// Whether it is as it must be.
    pub is_met: bool,
    /// The way to the violation, or to where it was reached.
    pub way: Vec<String>,
}

impl Findings {
    /// Whether no property of safety is violated.
    pub fn is_safe(&self) -> bool {
        self.properties.iter().all(|it| it.is_met || !it.is_safety)
    }

    /// Whether everything was seen, and all of it is as it must be.
    pub fn is_proved(&self) -> bool {
        self.is_complete && self.properties.iter().all(|it| it.is_met)
    }
}

impl Exploration {
    /// Explores the model within the bounds; it ends early at a violation.
    pub fn run(self, bounds: Bounds) -> Findings {
        let model = Exhaustive::new(bounds, self.search);
        let watch =
            Watch { limits: self, cut_off: model.cut_off(), is_cut_off: false, seconds: 0.0 };
        let builder =
            model.checker().threads(self.threads).finish_when(HasDiscoveries::AnyFailures);
        if self.is_breadth_first {
            follow(builder.spawn_bfs(), watch)
        } else {
            follow(builder.spawn_dfs(), watch)
        }
    }
}

fn follow(checker: impl Checker<Exhaustive> + Send + Sync, mut watch: Watch) -> Findings {
    let checker = checker.join_and_report(&mut watch);
    let model = checker.model();
    let mut ways = checker.discoveries();
    let properties: Vec<Finding> = model
        .properties()
        .into_iter()
        .map(|property| {
            let is_safety = matches!(property.expectation, Expectation::Always);
            let way = ways.remove(property.name);
            let is_met = way.is_some() != is_safety;
            let steps = way.into_iter().flat_map(Path::into_vec);
            let way = steps
                .filter_map(|(state, action)| Some(model.describe(&state, &action?)))
                .flatten()
                .collect();
            Finding { property: property.name, is_safety, is_met, way }
        })
        .collect();
    let is_violated = properties.iter().any(|it| it.is_safety && !it.is_met);
    let (role_states, messages) = model.parts();
    Findings {
        bounds: model.bounds().to_string(),
        is_complete: !watch.is_cut_off && !is_violated,
        states: checker.state_count(),
        unique_states: checker.unique_state_count(),
        depth: checker.max_depth(),
        role_states,
        messages,
        seconds: watch.seconds,
        properties,
        largest_commits: model.largest_commits(),
    }
}

/// Looks on: says how far it is, and cuts the exploration off at its limits.
struct Watch {
    limits: Exploration,
    cut_off: Arc<AtomicBool>,
    is_cut_off: bool,
    /// How long it took, once it is done.
    seconds: f64,
}

impl Reporter<Exhaustive> for Watch {
    fn report_checking(&mut self, data: ReportData) {
        if data.done {
            self.seconds = data.duration.as_secs_f64();
            // The ways to what was found are gone again.
            self.cut_off.store(false, Ordering::Relaxed);
        } else if data.duration >= self.limits.time_max || memory_used() > self.limits.memory_max {
            self.is_cut_off = true;
            self.cut_off.store(true, Ordering::Relaxed);
        }
        if self.limits.is_telling {
            let seconds = data.duration.as_secs_f64();
            eprintln!(
                "{seconds:7.0} s  {:12} states  {:12} unique  depth {:3}  {:9.0} unique/s  {:6} MiB",
                data.total_states,
                data.unique_states,
                data.max_depth,
                data.unique_states as f64 / seconds.max(0.001),
                memory_used() >> 20,
            );
        }
    }

    fn report_discoveries(
        &mut self,
        _: &Exhaustive,
        _: BTreeMap<&'static str, ReportDiscovery<Exhaustive>>,
    ) {
    }

    fn delay(&self) -> Duration {
        if self.limits.is_telling { Duration::from_secs(5) } else { Duration::from_millis(100) }
    }
}

/// Bytes of memory that this process has; 0 where the system does not say.
fn memory_used() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
