//! What inputs led to: the stable toolchain's stand-in for coverage.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The distinct outcomes seen. A target notes what it observes (a kind and its error, a message and
/// the reason for which it was ignored, pairs of steps); an input that adds an outcome is worth
/// keeping.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    seen: BTreeSet<u64>,
    fresh: bool,
}

impl Outcomes {
    /// Notes an outcome.
    pub fn note(&mut self, outcome: impl Hash) {
        let mut hasher = DefaultHasher::new();
        outcome.hash(&mut hasher);
        self.fresh |= self.seen.insert(hasher.finish());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Whether there was a new one since the last call.
    pub(crate) fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.fresh)
    }
}
