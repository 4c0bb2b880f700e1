//! The time that roles are given: microseconds since the node was started.

use althing_model::Micros;
use std::time::{Duration, Instant};

/// A clock that only goes forward.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Now, for a role.
    pub(crate) fn now(self) -> Micros {
        self.elapsed().as_micros() as u64
    }

    /// How long the node has been running.
    pub(crate) fn elapsed(self) -> Duration {
        self.start.elapsed()
    }

    /// How long until that time; nothing when it is over.
    pub(crate) fn until(self, at: Micros) -> Duration {
        Duration::from_micros(at).saturating_sub(self.elapsed())
    }
}
