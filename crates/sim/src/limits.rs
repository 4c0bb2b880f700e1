//! When a run is taken to be stuck.

use althing_model::Micros;

/// Virtual time of the phase with faults; after it they end, whatever the clients have done.
pub(crate) const FAULTS_WITHIN: Micros = 900_000_000;

/// Virtual time after the last fault within which everything must converge, once the clients are
/// done.
pub(crate) const CONVERGE_WITHIN: Micros = 600_000_000;

/// Operations of each client that are left for the time when everything has converged after the last
/// fault: these must be answered.
pub(crate) const AFTER_FAULTS: usize = 2;

/// Events of a run; a storm of messages among idle roles ends here.
pub(crate) const EVENTS_MAX: u64 = 20_000_000;

/// Events of a run that cannot be survived: its nodes may ask for ever what nobody can answer.
pub(crate) const HOPELESS_EVENTS_MAX: u64 = 300_000;

/// Steps of the search for an order for each part of a history. That the history is linearizable is
/// known from the order of execution; the search knows nothing of that, and gives up sooner than it
/// would have to.
pub(crate) const SEARCH_STEPS_MAX: u64 = 20_000;

/// Virtual time in which a barrier is proposed, executed, cut, written, told and pruned at, when
/// nothing is wrong.
pub(crate) const RESTING: Micros = 30_000_000;

/// Barriers after which nothing may be left but what came since.
pub(crate) const RESTING_BARRIERS_MAX: usize = 8;

/// Vertices that a role keeps, beside those that make no barrier due yet, when nothing is wrong.
pub(crate) const KEPT_MAX: usize = 100;
