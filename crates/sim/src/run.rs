//! One run, from the first event to the verdict.

use crate::Plan;
use crate::app::{Application, Judgement};
use crate::fault::{Family, FaultCounts};
use crate::limits::{
    CONVERGE_WITHIN, EVENTS_MAX, FAULTS_WITHIN, HOPELESS_EVENTS_MAX, RESTING, RESTING_BARRIERS_MAX,
};
use crate::swarm::caught;
use crate::trace::TraceEvent;
use crate::world::World;
use althing_checker::converges::{Allowed, Converges};
use althing_checker::{Exercised, Violation};
use althing_model::mark::{self, Marks};
use althing_model::{Micros, NodeId, Operation, Role};
use althing_proposer::Counters;
use std::fmt;

/// A run without a violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Operations that clients ended.
    pub operations: usize,
    /// Of these, those that were done.
    pub done: usize,
    /// Events.
    pub events: u64,
    /// Virtual time that it took, in microseconds.
    pub took: Micros,
    /// Virtual time from the last fault until everything had converged.
    pub converged_after: Micros,
    /// What went wrong on the way.
    pub faults: FaultCounts,
    /// What the application found of the clients' history.
    pub judgement: Judgement,
    /// What the proposers of the last lives did, added up.
    pub proposers: Counters,
    /// The largest component that was executed.
    pub component_len_max: usize,
    /// Which of the named places in the code were reached.
    pub marks: Marks,
    /// Why the run says nothing, if so: it did not do what its plan claims.
    pub invalid: Option<String>,
    /// A digest of all events in their order: two runs of one plan have the same.
    pub trace_digest: u64,
}

/// A run in which a property was violated.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// How many operations the plan was drawn for.
    pub operations: usize,
    /// The profile that it was drawn within, unless that is everything.
    pub profile: Option<&'static str>,
    /// When, in virtual microseconds.
    pub at: Micros,
    /// What.
    pub violation: Violation,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, operations, at, violation, .. } = self;
        let again = self.command();
        write!(
            f,
            "seed {seed}, {operations} operations, at {:.3} ms: {violation}\n\
             reproduce: {again} --trace\n\
             make small: {again} --minimise",
            *at as f64 / 1000.0
        )
    }
}

impl Failure {
    pub(crate) fn of(plan: &Plan, at: Micros, violation: Violation) -> Self {
        let operations = plan.workload.operations;
        Self { seed: plan.seed, operations, profile: plan.profile, at, violation }
    }

    /// What to type to have this run again.
    fn command(&self) -> String {
        let Self { seed, operations, profile, .. } = self;
        let profile = profile.map_or(String::new(), |name| format!(" --profile {name}"));
        format!("cargo run --release -- sim --seed {seed} --ops {operations}{profile}")
    }
}

impl std::error::Error for Failure {}

/// Runs a plan with the application that it names.
///
/// # Errors
/// The first property that is violated.
pub fn run(plan: &Plan) -> Result<Report, Box<Failure>> {
    run_world(plan, &*plan.builtin.application(), None)
}

/// Runs a plan with your application.
///
/// # Errors
/// The first property that is violated.
pub fn run_with(plan: &Plan, app: &dyn Application) -> Result<Report, Box<Failure>> {
    run_world(plan, app, None)
}

/// Runs a plan with an application, and tells every event.
///
/// # Errors
/// The first property that is violated.
pub fn run_traced(
    plan: &Plan,
    app: &dyn Application,
    mut trace: impl FnMut(TraceEvent),
) -> Result<Report, Box<Failure>> {
    run_world(plan, app, Some(&mut trace))
}

/// The same; an assertion that fails on the way is a failure like any other.
///
/// # Errors
/// The first property, or assertion, that is violated.
pub fn run_traced_caught(
    plan: &Plan,
    app: &dyn Application,
    trace: impl FnMut(TraceEvent),
) -> Result<Report, Box<Failure>> {
    caught(plan, || run_traced(plan, app, trace))
}

fn run_world<'a>(
    plan: &'a Plan,
    app: &'a dyn Application,
    trace: Option<&'a mut dyn FnMut(TraceEvent)>,
) -> Result<Report, Box<Failure>> {
    // What this thread reached before is not this run's.
    let _ = mark::take();
    let mut world = World::new(plan, app, trace);
    match drive(plan, app, &mut world) {
        Ok(end) => Ok(report(plan, &world, end)),
        Err(violation) => Err(Box::new(Failure::of(plan, world.now, violation))),
    }
}

/// How a run ended.
struct Ended {
    converged_after: Micros,
    judgement: Judgement,
}

/// First with faults, then without, until everything has converged.
fn drive(plan: &Plan, app: &dyn Application, world: &mut World<'_>) -> Result<Ended, Violation> {
    world.start()?;
    let until = plan.cut.ends_at.unwrap_or(FAULTS_WITHIN);
    while !world.is_done() && world.step(until)? {
        if !plan.is_survivable && world.events >= HOPELESS_EVENTS_MAX {
            break;
        }
        check_events(world)?;
    }
    let mut converged_after = 0;
    if plan.is_survivable {
        world.heal()?;
        converged_after = converge(plan, world)?;
        world.settle()?;
        converge(plan, world)?;
        if world.can_prune() {
            rest(world)?;
        }
    } else {
        world.give_up()?;
    }
    let replicas: Vec<NodeId> = plan
        .membership
        .with(Role::Replica)
        .filter(|node| plan.is_survivable && !world.nodes[node].stays_down)
        .collect();
    let order = world.observer.finish(&replicas)?;
    if plan.is_survivable {
        world.finish_watchers()?;
    }
    let judgement = app
        .judge(world.observer.history(), order.as_deref())
        .map_err(|account| Violation::new("Linearizable", account))?;
    Ok(Ended { converged_after, judgement })
}

/// Every client has its answers, and all replicas are equal, in bounded time; the time that it took.
fn converge(plan: &Plan, world: &mut World<'_>) -> Result<Micros, Violation> {
    let healed_at = world.now;
    // As long as clients may still be patient, and then the time to converge.
    let left = plan.workload.operations.saturating_sub(world.operations_ended) as u64;
    let allowed = Allowed {
        time: CONVERGE_WITHIN + left * plan.client_patience.1,
        events: EVENTS_MAX.saturating_sub(world.events),
    };
    let oracle = Converges::healed(healed_at, world.events, allowed);
    loop {
        // Looking costs more than an event.
        for _ in 0..32 {
            if !world.step(Micros::MAX)? {
                oracle.finish(world.standings(), world.unfinished())?;
                return Ok(world.now - healed_at);
            }
        }
        let (now, events) = (world.now, world.events);
        if oracle
            .is_at_rest(now, events, world.standings(), world.unfinished())
            .map_err(|violation| with_state(violation, world))?
        {
            return Ok(world.now - healed_at);
        }
    }
}

/// Nothing is wrong, and nobody asks for anything but barriers: what is kept shrinks to what has come
/// since the last of them.
fn rest(world: &mut World<'_>) -> Result<(), Violation> {
    let mut kept = None;
    for _ in 0..RESTING_BARRIERS_MAX {
        world.submit_over_everything(Operation::Barrier);
        let until = world.now + RESTING;
        while world.step(until)? {
            check_events(world)?;
        }
        kept = world.kept_too_much();
        if kept.is_none() {
            return Ok(());
        }
    }
    let account = format!(
        "{}, although nothing was wrong for {} barriers\n{}",
        kept.expect("asked just now"),
        RESTING_BARRIERS_MAX,
        world.describe_state()
    );
    Err(Violation::new("Bounded", account))
}

fn with_state(violation: Violation, world: &World<'_>) -> Violation {
    Violation::new("Converges", format!("{}\n{}", violation.account, world.describe_state()))
}

fn check_events(world: &World<'_>) -> Result<(), Violation> {
    if world.events < EVENTS_MAX {
        return Ok(());
    }
    let account = format!("{} events: a storm\n{}", world.events, world.describe_state());
    Err(Violation::new("Converges", account))
}

/// What the plan claims and the run did not do.
fn not_exercised(plan: &Plan, world: &World<'_>) -> Option<String> {
    let mut run = Exercised::new();
    for family in Family::ALL {
        let is_drawn = plan.families.contains(family);
        run.fired(family.name(), is_drawn, world.counts.of(family.evidence()));
    }
    run.fired("pruning", world.can_prune(), world.observer.floors.count());
    if plan.is_survivable {
        let all = plan.workload.operations as u64;
        run.at_least("operations done", world.operations_done as u64, all, 500);
    }
    (!run.missing().is_empty()).then(|| run.missing().join("; "))
}

fn report(plan: &Plan, world: &World<'_>, ended: Ended) -> Report {
    let mut proposers = Counters::default();
    let mut component_len_max = 0;
    for roles in world.nodes.values().filter_map(|node| node.roles.as_ref()) {
        if let Some(proposer) = &roles.proposer {
            proposers.add(&proposer.counters());
        }
        if let Some(replica) = &roles.replica {
            component_len_max = component_len_max.max(replica.counters().component_len_max);
        }
    }
    Report {
        seed: plan.seed,
        operations: world.operations_ended,
        done: world.operations_done,
        events: world.events,
        took: world.now,
        converged_after: ended.converged_after,
        faults: world.counts,
        judgement: ended.judgement,
        proposers,
        component_len_max,
        marks: mark::take(),
        invalid: not_exercised(plan, world),
        trace_digest: world.trace_digest,
    }
}
