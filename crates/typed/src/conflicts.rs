//! The conflict function of a typed state machine.

use crate::TypedMachine;
use crate::codec::decode_command;
use althing_model::{CommandInvalid, Conflicts, Footprint, ModeTable};
use std::fmt;
use std::marker::PhantomData;

/// The conflict function of a [`TypedMachine`]: payloads that are none of its commands are refused.
pub struct TypedConflicts<M> {
    modes: ModeTable,
    /// Of no value of `M`: the function may be shared between threads whatever `M` is.
    machine: PhantomData<fn() -> M>,
}

impl<M: TypedMachine> Default for TypedConflicts<M> {
    fn default() -> Self {
        Self { modes: M::modes(), machine: PhantomData }
    }
}

impl<M: TypedMachine> Conflicts for TypedConflicts<M> {
    fn modes(&self) -> &ModeTable {
        &self.modes
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        let command = decode_command::<M>(payload);
        let command = command.map_err(|problem| CommandInvalid(problem.to_string()))?;
        Ok(M::footprint(&command))
    }
}

impl<M> fmt::Debug for TypedConflicts<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedConflicts").field("modes", &self.modes).finish()
    }
}
