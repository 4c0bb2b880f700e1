//! The conflict function: what each command touches.

use crate::KvCommand;
use althing_model::{CommandInvalid, Conflicts, Footprint, Mode, ModeTable};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The store's conflict function: every key is a resource.
#[derive(Debug, Clone)]
pub struct KvConflicts {
    modes: ModeTable,
}

impl KvConflicts {
    /// The value is read.
    pub const READ: Mode = Mode(0);
    /// The value is changed, or changed and read.
    pub const WRITE: Mode = Mode(1);
    /// A number is added, and the sum not told.
    pub const ADD: Mode = Mode(2);

    /// What a command touches.
    pub fn footprint_of(command: &KvCommand) -> Footprint {
        let one = |key: &Bytes, mode| Footprint::of([(key.clone(), mode)]);
        match command {
            KvCommand::Get { key } => one(key, Self::READ),
            KvCommand::Put { key, .. }
            | KvCommand::Delete { key }
            | KvCommand::CompareAndSwap { key, .. }
            | KvCommand::Increment { key, .. } => one(key, Self::WRITE),
            KvCommand::Add { key, .. } => one(key, Self::ADD),
            KvCommand::MultiPut { pairs } => {
                Footprint::of(pairs.iter().map(|(key, _)| (key.clone(), Self::WRITE)))
            }
            KvCommand::MultiGet { keys } => {
                Footprint::of(keys.iter().map(|key| (key.clone(), Self::READ)))
            }
            KvCommand::Transaction(transaction) => {
                // Once for each key: one that is both read and written is written.
                let mut modes = BTreeMap::new();
                for (key, is_write) in transaction.touched() {
                    *modes.entry(key.clone()).or_insert(false) |= is_write;
                }
                let mode = |is_write| if is_write { Self::WRITE } else { Self::READ };
                Footprint::of(modes.into_iter().map(|(key, is_write)| (key, mode(is_write))))
            }
            KvCommand::Redis(batch) => batch.footprint(),
        }
    }
}

impl Default for KvConflicts {
    fn default() -> Self {
        Self {
            modes: ModeTable::new(&["read", "write", "add"])
                .commuting(Self::READ, Self::READ)
                .commuting(Self::ADD, Self::ADD),
        }
    }
}

impl Conflicts for KvConflicts {
    fn modes(&self) -> &ModeTable {
        &self.modes
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        // A copy, so that what remembers a key does not keep a whole payload alive.
        let command = KvCommand::decode(Bytes::copy_from_slice(payload))
            .map_err(|invalid| CommandInvalid(invalid.to_string()))?;
        Ok(match Self::footprint_of(&command) {
            Footprint::Everything => Footprint::Everything,
            Footprint::Resources(resources) => Footprint::Resources(
                resources
                    .into_iter()
                    .map(|(key, mode)| (Bytes::copy_from_slice(&key), mode))
                    .collect(),
            ),
        })
    }
}
