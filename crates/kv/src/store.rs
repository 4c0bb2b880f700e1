//! The state machine.

use crate::digest::Digest;
use crate::limits::REPLY_LEN_MAX;
use crate::{KvCommand, KvReply, number, snapshot};
use althing_model::{Pieces, StateMachine, Unrestorable};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The store. Its memory is that of its entries: nothing here bounds their number.
#[derive(Debug, Clone, Default)]
pub struct Store {
    entries: BTreeMap<Bytes, Bytes>,
    digest: Digest,
}

impl Store {
    /// The key's value, if it has one.
    pub fn get(&self, key: &[u8]) -> Option<&Bytes> {
        self.entries.get(key)
    }

    /// The entries, ascending by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        self.entries.iter()
    }

    /// How many keys have a value.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key has a value.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Executes one command.
    pub fn execute(&mut self, command: KvCommand) -> KvReply {
        match command {
            KvCommand::Get { key } => KvReply::Value(self.entries.get(&key).cloned()),
            KvCommand::Put { key, value } => {
                self.set(&key, Some(value));
                KvReply::Done
            }
            KvCommand::Delete { key } => KvReply::Deleted(self.set(&key, None).is_some()),
            KvCommand::CompareAndSwap { key, expected, new } => {
                let actual = self.entries.get(&key).cloned();
                let swapped = actual == expected;
                if swapped {
                    self.set(&key, new);
                }
                KvReply::Swapped { swapped, actual }
            }
            KvCommand::Increment { key, by } => match self.number(&key) {
                None => KvReply::NotANumber,
                Some(before) => match before.checked_add(by) {
                    None => KvReply::Overflow,
                    Some(sum) => {
                        self.set(&key, Some(number::write(sum)));
                        KvReply::Number(sum)
                    }
                },
            },
            KvCommand::Add { key, by } => match self.number(&key) {
                None => KvReply::NotANumber,
                Some(before) => {
                    self.set(&key, Some(number::write(before.wrapping_add(by))));
                    KvReply::Done
                }
            },
            KvCommand::MultiPut { pairs } => {
                for (key, value) in pairs {
                    self.set(&key, Some(value));
                }
                KvReply::Done
            }
            KvCommand::MultiGet { keys } => self.values(&keys),
        }
    }

    fn values(&self, keys: &[Bytes]) -> KvReply {
        // Judged by the state alone, so that every replica answers the same.
        let values: Vec<_> = keys.iter().map(|key| self.entries.get(key)).collect();
        let len: usize = values.iter().map(|value| value.map_or(0, |v| v.len())).sum();
        // Each value takes up to ten bytes around it.
        if len + 10 * values.len() + 10 > REPLY_LEN_MAX {
            return KvReply::TooLong { len: len as u64 };
        }
        KvReply::Values(values.into_iter().map(|value| value.cloned()).collect())
    }

    /// The number of a key, 0 where there is no value; `None` where the value is no number.
    fn number(&self, key: &Bytes) -> Option<i64> {
        match self.entries.get(key) {
            None => Some(0),
            Some(value) => number::read(value),
        }
    }

    /// Sets or removes a key's value and returns the one before. Every change goes through here.
    fn set(&mut self, key: &Bytes, value: Option<Bytes>) -> Option<Bytes> {
        let before = match value {
            Some(value) => {
                self.digest.add(key, &value);
                // Copies: what is stored for long keeps no payload alive.
                let value = Bytes::copy_from_slice(&value);
                match self.entries.get_mut(key) {
                    Some(stored) => Some(std::mem::replace(stored, value)),
                    None => self.entries.insert(Bytes::copy_from_slice(key), value),
                }
            }
            None => self.entries.remove(key),
        };
        if let Some(before) = &before {
            self.digest.remove(key, before);
        }
        before
    }
}

impl StateMachine for Store {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let reply = match KvCommand::decode(Bytes::copy_from_slice(payload)) {
            Ok(command) => self.execute(command),
            Err(_) => KvReply::NotACommand,
        };
        reply.encode()
    }

    fn digest(&self) -> u64 {
        self.digest.value()
    }

    fn snapshot(&self) -> Pieces {
        let entries = self.entries.clone().into_iter();
        Box::new(snapshot::pieces(entries, self.entries.len(), self.digest))
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        self.entries = BTreeMap::new();
        self.digest = snapshot::restore(pieces, |key, value| {
            // Copies: an entry keeps no piece alive.
            let copy = |part: Bytes| Bytes::copy_from_slice(&part);
            self.entries.insert(copy(key), copy(value));
        })?;
        Ok(())
    }
}

impl FromIterator<(Bytes, Bytes)> for Store {
    fn from_iter<T: IntoIterator<Item = (Bytes, Bytes)>>(entries: T) -> Self {
        let mut store = Self::default();
        for (key, value) in entries {
            store.set(&key, Some(value));
        }
        store
    }
}
