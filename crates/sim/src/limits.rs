//! When a run is taken to be stuck.

use althing_model::Micros;

/// Virtual time after the last fault within which everything must converge.
pub(crate) const CONVERGE_WITHIN: Micros = 600_000_000;

/// Events of a run; a storm of messages among idle roles ends here.
pub(crate) const EVENTS_MAX: u64 = 20_000_000;

/// Steps of the linearizability search for each part of a history.
pub(crate) const SEARCH_STEPS_MAX: u64 = 2_000_000;
