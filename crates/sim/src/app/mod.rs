//! What is replicated in a run: a state machine, its conflict function, and what its clients ask.
//!
//! Yours runs under the same swarm when it implements [`Application`]: give it to
//! [`crate::run_with`].

mod modes;
mod store;
mod transactions;

pub use modes::Modes;
pub use store::Store;
pub use transactions::Transactions;

use crate::Workload;
use althing_checker::{Commutes, History, OperationId, Outcome};
use althing_model::{Conflicts, Mode, StateMachine};
use bytes::Bytes;
use rand::Rng;
use std::sync::Arc;

/// A state machine under test.
///
/// The oracles hold it to its word: what it says conflicts is executed in one order everywhere;
/// replicas that executed the same commands must have the same digest and have given the same
/// replies, so two commands said to commute which do not are found as replicas that differ.
pub trait Application: Sync {
    /// Its conflict function.
    fn conflicts(&self) -> Arc<dyn Conflicts>;

    /// The state machine in its first state.
    fn machine(&self) -> Box<dyn StateMachine>;

    /// What a client asks next. `number` counts the operations of all clients, so that what is
    /// written can be told apart.
    fn operation(
        &self,
        workload: &Workload,
        client: usize,
        number: u64,
        rng: &mut dyn Rng,
    ) -> Bytes;

    /// Which of its modes commute, as the oracles shall see it: by default, by its own table. One
    /// that says it again by itself is not taken at its word.
    fn commutes(&self) -> Commutes {
        let conflicts = self.conflicts();
        Commutes::new(|a, b| conflicts.modes().commute(Mode(a), Mode(b)))
    }

    /// Whether a sequential order explains what the clients saw, payloads and replies. `order` is one
    /// that explains the execution, and respects real time; it is missing where no replica survived.
    ///
    /// By default the replies must be those of the state machine itself, along that order. An
    /// application that has a specification of its own should ask that as well.
    ///
    /// # Errors
    /// An account of what cannot be explained.
    fn judge(
        &self,
        history: &History<Bytes, Bytes>,
        order: Option<&[OperationId]>,
    ) -> Result<Judgement, String> {
        let order = order.unwrap_or_default();
        replay(self, history, order)?;
        Ok(Judgement { decided: order.len() as u64, undecided: 0 })
    }
}

/// Whether the replies are those of the application's own state machine, along this order.
fn replay<A: Application + ?Sized>(
    app: &A,
    history: &History<Bytes, Bytes>,
    order: &[OperationId],
) -> Result<(), String> {
    let mut machine = app.machine();
    for id in order {
        let operation = &history.operations()[id.number()];
        let reply = machine.apply(&operation.input);
        if let Outcome::Returned { output, .. } = &operation.outcome
            && *output != reply
        {
            return Err(format!("{operation:?}: alone and in order the reply is {reply:?}"));
        }
    }
    Ok(())
}

/// What was found of a history of clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Operations that an order explains.
    pub decided: u64,
    /// Operations for which a search for an order was given up.
    pub undecided: u64,
}
