//! What runs in a simulation of Althing: a state machine, its conflict function, and its commands.

use super::node::Request;
use althing_kv::{KvConflicts, Store};
use althing_model::{Conflicts, StateMachine};
use bytes::Bytes;
use std::sync::Arc;

/// A state machine of one's own under a workload's clients.
///
/// The workload decides when a client submits, and which key it touches and whether it reads; the
/// application makes a command of that. What only the store has is left to the store: histories are
/// not checked. `althing_sim` runs applications under faults, with oracles.
pub trait Application {
    /// Its conflict function.
    fn conflicts(&self) -> Arc<dyn Conflicts>;

    /// The state machine in its first state.
    fn machine(&self) -> Box<dyn StateMachine>;

    /// What a client submits for a request of the workload: one whose key is below the number of
    /// shared keys ([`crate::Keys`]) is about what all clients share, any other about what is the
    /// client's own. It must follow from the request alone, so that runs can be repeated.
    fn command(&self, request: &Request) -> Bytes;
}

/// The key-value store.
pub(super) struct KeyValue;

impl Application for KeyValue {
    fn conflicts(&self) -> Arc<dyn Conflicts> {
        Arc::new(KvConflicts::default())
    }

    fn machine(&self) -> Box<dyn StateMachine> {
        Box::new(Store::default())
    }

    fn command(&self, request: &Request) -> Bytes {
        request.payload.clone()
    }
}
