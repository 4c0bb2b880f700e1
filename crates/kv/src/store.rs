//! The state machine.

use crate::digest::Digest;
use crate::entry::Entry;
use crate::limits::REPLY_LEN_MAX;
use crate::{KvCommand, KvReply, number, snapshot};
use althing_model::{Pieces, StateMachine, Unrestorable};
use bytes::Bytes;
use imbl::OrdSet;

/// The store. Its memory is that of its entries: nothing here bounds their number. Cloning shares
/// them, in no time, and each of the two copies what it changes.
#[derive(Debug, Clone, Default)]
pub struct Store {
    entries: OrdSet<Entry>,
    digest: Digest,
}

impl Store {
    /// The key's value, if it has one.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.entries.get(key).map(Entry::value)
    }

    /// The entries, ascending by key.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|entry| (entry.key(), entry.value()))
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
            KvCommand::Get { .. } | KvCommand::MultiGet { .. } => {
                self.read(&command).expect("these two change nothing")
            }
            KvCommand::Put { key, value } => {
                self.set(&key, Some(&value));
                KvReply::Done
            }
            KvCommand::Delete { key } => KvReply::Deleted(self.set(&key, None).is_some()),
            KvCommand::CompareAndSwap { key, expected, new } => {
                let actual = self.shared(&key);
                let swapped = actual == expected;
                if swapped {
                    self.set(&key, new.as_deref());
                }
                KvReply::Swapped { swapped, actual }
            }
            KvCommand::Increment { key, by } => match self.number(&key) {
                None => KvReply::NotANumber,
                Some(before) => match before.checked_add(by) {
                    None => KvReply::Overflow,
                    Some(sum) => {
                        self.set(&key, Some(&number::write(sum)));
                        KvReply::Number(sum)
                    }
                },
            },
            KvCommand::Add { key, by } => match self.number(&key) {
                None => KvReply::NotANumber,
                Some(before) => {
                    self.set(&key, Some(&number::write(before.wrapping_add(by))));
                    KvReply::Done
                }
            },
            KvCommand::MultiPut { pairs } => {
                for (key, value) in pairs {
                    self.set(&key, Some(&value));
                }
                KvReply::Done
            }
        }
    }

    /// The reply to a command that changes nothing; `None` for all others.
    pub fn read(&self, command: &KvCommand) -> Option<KvReply> {
        match command {
            KvCommand::Get { key } => Some(KvReply::Value(self.shared(key))),
            KvCommand::MultiGet { keys } => Some(self.values(keys)),
            KvCommand::Put { .. }
            | KvCommand::Delete { .. }
            | KvCommand::CompareAndSwap { .. }
            | KvCommand::Increment { .. }
            | KvCommand::Add { .. }
            | KvCommand::MultiPut { .. } => None,
        }
    }

    fn values(&self, keys: &[Bytes]) -> KvReply {
        // Judged by the state alone, so that every replica answers the same.
        let entries: Vec<_> = keys.iter().map(|key| self.entries.get(&key[..])).collect();
        let len: usize = entries.iter().flatten().map(|entry| entry.value().len()).sum();
        // Each value takes up to ten bytes around it.
        if len + 10 * entries.len() + 10 > REPLY_LEN_MAX {
            return KvReply::TooLong { len: len as u64 };
        }
        KvReply::Values(entries.into_iter().map(|entry| entry.map(Entry::value_shared)).collect())
    }

    fn shared(&self, key: &[u8]) -> Option<Bytes> {
        self.entries.get(key).map(Entry::value_shared)
    }

    /// The number of a key, 0 where there is no value; `None` where the value is no number.
    fn number(&self, key: &[u8]) -> Option<i64> {
        match self.get(key) {
            None => Some(0),
            Some(value) => number::read(value),
        }
    }

    /// Sets or removes a key's value and returns its entry before. Every change goes through here.
    fn set(&mut self, key: &[u8], value: Option<&[u8]>) -> Option<Entry> {
        let before = match value {
            Some(value) => {
                self.digest.add(key, value);
                self.entries.insert(Entry::new(key, value))
            }
            None => self.entries.remove(key),
        };
        if let Some(before) = &before {
            self.digest.remove(key, before.value());
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

    fn query(&self, payload: &[u8]) -> Option<Bytes> {
        let command = KvCommand::decode(Bytes::copy_from_slice(payload)).ok()?;
        self.read(&command).map(|reply| reply.encode())
    }

    fn digest(&self) -> u64 {
        self.digest.value()
    }

    fn snapshot(&self) -> Pieces {
        Box::new(snapshot::pieces(self.entries.clone(), self.digest))
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        // What goes makes room for what comes.
        *self = Self::default();
        (self.entries, self.digest) = snapshot::restore(pieces)?;
        Ok(())
    }
}

impl<K: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(K, V)> for Store {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(entries: T) -> Self {
        let mut store = Self::default();
        for (key, value) in entries {
            store.set(key.as_ref(), Some(value.as_ref()));
        }
        store
    }
}
