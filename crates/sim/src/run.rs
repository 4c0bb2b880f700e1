//! One run, from the first event to the verdict.

use crate::limits::{CONVERGE_WITHIN, EVENTS_MAX};
use crate::world::World;
use crate::{FaultCounts, Plan};
use althing_checker::Violation;
use althing_model::{Micros, NodeId, Role};
use althing_proposer::Counters;
use std::fmt;

/// A run without a violation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Operations that clients ended.
    pub operations: usize,
    /// Events.
    pub events: u64,
    /// Virtual time that it took, in microseconds.
    pub took: Micros,
    /// What went wrong on the way.
    pub faults: FaultCounts,
    /// What the proposers of the last lives did, added up.
    pub proposers: Counters,
    /// Operations of which the search for an order ran out of steps; the order in which a replica
    /// executed explains them.
    pub undecided: usize,
    /// The largest component that was executed.
    pub component_len_max: usize,
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
    /// When, in virtual microseconds.
    pub at: Micros,
    /// What.
    pub violation: Violation,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, operations, at, violation } = self;
        write!(
            f,
            "seed {seed}, {operations} operations, at {:.3} ms: {violation}\n\
             reproduce: cargo run --profile swarm -p althing-sim --example swarm -- \
             --seeds {seed}..{seed} --ops {operations} --trace",
            *at as f64 / 1000.0
        )
    }
}

impl std::error::Error for Failure {}

/// Runs a plan.
///
/// # Errors
/// The first property that is violated.
pub fn run(plan: &Plan) -> Result<Report, Box<Failure>> {
    run_world(plan, None)
}

/// Runs a plan, and tells every event.
///
/// # Errors
/// The first property that is violated.
pub fn run_traced(plan: &Plan, mut trace: impl FnMut(String)) -> Result<Report, Box<Failure>> {
    run_world(plan, Some(&mut trace))
}

fn run_world<'a>(
    plan: &'a Plan,
    trace: Option<&'a mut dyn FnMut(String)>,
) -> Result<Report, Box<Failure>> {
    let mut world = World::new(plan, trace);
    match drive(plan, &mut world) {
        Ok(()) => Ok(report(plan, &world)),
        Err(violation) => Err(Box::new(Failure {
            seed: plan.seed,
            operations: plan.operations,
            at: world.now,
            violation,
        })),
    }
}

/// First with faults, then without, until everything has converged.
fn drive(plan: &Plan, world: &mut World<'_>) -> Result<(), Violation> {
    world.start()?;
    let faults_end = plan.faults.last().map_or(0, |(at, _)| *at);
    let is_done = |world: &World<'_>| world.operations_ended >= plan.operations;
    while !is_done(world) && world.now <= faults_end && world.step(faults_end + 1)? {
        check_events(world)?;
    }
    world.heal()?;
    let healed_at = world.now;
    let until = healed_at + CONVERGE_WITHIN + plan.client_patience.1;
    while !(is_done(world) && world.is_converged()) {
        check_events(world)?;
        if !world.step(until)? {
            return Err(Violation::new(
                "Converges",
                format!(
                    "{} of {} operations ended, {:.0} s after the last fault\n{}",
                    world.operations_ended,
                    plan.operations,
                    (world.now - healed_at) as f64 / 1e6,
                    world.describe_state()
                ),
            ));
        }
    }
    let replicas: Vec<NodeId> = plan.membership.with(Role::Replica).collect();
    world.observer.finish(&replicas)
}

fn check_events(world: &World<'_>) -> Result<(), Violation> {
    if world.events < EVENTS_MAX {
        return Ok(());
    }
    let account = format!("{} events: a storm\n{}", world.events, world.describe_state());
    Err(Violation::new("Converges", account))
}

fn report(plan: &Plan, world: &World<'_>) -> Report {
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
        events: world.events,
        took: world.now,
        faults: world.counts,
        proposers,
        undecided: world.observer.undecided(),
        component_len_max,
        trace_digest: world.trace_digest,
    }
}
