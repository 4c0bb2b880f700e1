//! Many seeds on all cores, added up.

use crate::fault::FaultCounts;
use crate::{Application, Failure, Plan, Report, run, run_with};
use althing_checker::Violation;
use althing_model::Micros;
use althing_model::mark::Marks;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What many runs came to.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Runs.
    pub seeds: u64,
    /// Operations that clients ended.
    pub operations: u64,
    /// Of these, those that were done.
    pub done: u64,
    /// Events.
    pub events: u64,
    /// Runs in which a property was violated.
    pub violations: u64,
    /// Runs that did not do what their plans claim.
    pub invalid: u64,
    /// What went wrong on the way.
    pub faults: FaultCounts,
    /// The named places in the code that some run reached.
    pub marks: Marks,
    /// The longest virtual time from the last fault until everything had converged.
    pub converged_after_max: Micros,
}

impl Totals {
    /// Adds a run.
    pub fn add(&mut self, result: &Result<Report, Box<Failure>>) {
        self.seeds += 1;
        match result {
            Err(_) => self.violations += 1,
            Ok(report) => {
                self.operations += report.operations as u64;
                self.done += report.done as u64;
                self.events += report.events;
                self.invalid += u64::from(report.invalid.is_some());
                self.faults.add(&report.faults);
                self.marks = self.marks.union(report.marks);
                self.converged_after_max = self.converged_after_max.max(report.converged_after);
            }
        }
    }
}

/// Runs a plan; an assertion that fails on the way is a failure like any other.
///
/// # Errors
/// The first property, or assertion, that is violated.
pub fn run_caught(plan: &Plan) -> Result<Report, Box<Failure>> {
    caught(plan, || run(plan))
}

/// Does a run of a plan; an assertion that fails on the way is a failure like any other.
///
/// # Errors
/// The first property, or assertion, that is violated.
pub(crate) fn caught(
    plan: &Plan,
    run: impl FnOnce() -> Result<Report, Box<Failure>>,
) -> Result<Report, Box<Failure>> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no words");
        Err(Box::new(Failure::of(plan, 0, Violation::new("Assertion", text))))
    })
}

/// Runs the plans of these seeds on all cores, tells each result as it comes, and stops when it is
/// told to.
pub fn swarm(
    seeds: RangeInclusive<u64>,
    plan: impl Fn(u64) -> Plan + Sync,
    on_result: impl FnMut(&Plan, &Result<Report, Box<Failure>>) -> bool + Send,
) -> Totals {
    run_all(seeds, plan, run_caught, on_result)
}

/// The same with your application.
pub fn swarm_with(
    seeds: RangeInclusive<u64>,
    plan: impl Fn(u64) -> Plan + Sync,
    app: &dyn Application,
    on_result: impl FnMut(&Plan, &Result<Report, Box<Failure>>) -> bool + Send,
) -> Totals {
    run_all(seeds, plan, |plan| caught(plan, || run_with(plan, app)), on_result)
}

fn run_all(
    seeds: RangeInclusive<u64>,
    plan: impl Fn(u64) -> Plan + Sync,
    run: impl Fn(&Plan) -> Result<Report, Box<Failure>> + Sync,
    on_result: impl FnMut(&Plan, &Result<Report, Box<Failure>>) -> bool + Send,
) -> Totals {
    let next = AtomicU64::new(*seeds.start());
    let stop = AtomicBool::new(false);
    let shared = Mutex::new((Totals::default(), on_result));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > *seeds.end() || stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let plan = plan(seed);
                    let result = run(&plan);
                    let mut shared = shared.lock().expect("nobody panics while holding it");
                    shared.0.add(&result);
                    if !(shared.1)(&plan, &result) {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    shared.into_inner().expect("nobody panics while holding it").0
}
