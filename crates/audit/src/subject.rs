//! What is audited: a state machine and its conflict function.

use althing_model::{Conflicts, Footprint, StateMachine};
use bytes::Bytes;
use std::sync::Arc;

/// A state machine and its conflict function.
pub(crate) struct Subject {
    pub(crate) machine: Box<dyn Fn() -> Box<dyn StateMachine>>,
    pub(crate) conflicts: Arc<dyn Conflicts>,
}

impl Subject {
    /// Whether two commands with these footprints conflict.
    pub(crate) fn conflict(&self, a: &Footprint, b: &Footprint) -> bool {
        a.conflicts_with(b, self.conflicts.modes())
    }

    /// A machine that executed these payloads.
    pub(crate) fn prepared(&self, setup: &[Bytes]) -> Box<dyn StateMachine> {
        let mut machine = (self.machine)();
        for payload in setup {
            machine.apply(payload);
        }
        machine
    }
}
