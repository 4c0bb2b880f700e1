//! The state machine.

use crate::draft::draft;
use crate::entry::{Entry, Meta};
use crate::keyspace::Keyspace;
use crate::limits::REPLY_LEN_MAX;
use crate::redis::RedisAccess;
use crate::{
    KvCommand, KvOperation, KvReply, Transaction, TransactionEnd, number, redis, snapshot,
};
use althing_model::{Pieces, StateMachine, Unrestorable};
use bytes::Bytes;
use std::collections::BTreeSet;

/// The store. Its memory is that of its entries: nothing here bounds their number. Cloning shares
/// them, in no time, and each of the two copies what it changes.
#[derive(Debug, Clone, Default)]
pub struct Store {
    keys: Keyspace,
}

impl Store {
    /// The key's value, if it has one. A key that holds one of Redis' collections has none.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.keys.text(key).map(Entry::value)
    }

    /// The keys that have values, and these, ascending by key. Those that hold Redis' collections are
    /// not among them.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.keys.texts().iter().map(|entry| (entry.key(), entry.value()))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys whose time is over at this time, at most so many, those that ended first first. They go
    /// when a write meets them, or with Redis' internal command `ALTHING.PURGE`.
    pub fn due(&self, now_ms: u64, count_max: usize) -> Vec<Bytes> {
        self.keys.due(now_ms).take(count_max).map(Bytes::copy_from_slice).collect()
    }

    /// Executes one command.
    pub fn execute(&mut self, command: KvCommand) -> KvReply {
        match command {
            KvCommand::Get { .. } | KvCommand::MultiGet { .. } => {
                self.read(&command).expect("these two change nothing")
            }
            KvCommand::Put { key, value } => {
                self.put(&key, &value);
                KvReply::Done
            }
            KvCommand::Delete { key } => KvReply::Deleted(self.keys.remove(&key)),
            KvCommand::CompareAndSwap { key, expected, new } => {
                let Ok(actual) = self.shared(&key) else { return KvReply::WrongType };
                let swapped = actual == expected;
                match new {
                    _ if !swapped => {}
                    None => drop(self.keys.remove_text(&key)),
                    Some(new) => self.replace(&key, &new),
                }
                KvReply::Swapped { swapped, actual }
            }
            KvCommand::Increment { key, by } => match self.number(&key) {
                Err(reply) => reply,
                Ok(before) => match before.checked_add(by) {
                    None => KvReply::Overflow,
                    Some(sum) => {
                        self.replace(&key, &number::write(sum));
                        KvReply::Number(sum)
                    }
                },
            },
            KvCommand::Add { key, by } => match self.number(&key) {
                Err(reply) => reply,
                Ok(before) => {
                    self.replace(&key, &number::write(before.wrapping_add(by)));
                    KvReply::Done
                }
            },
            KvCommand::MultiPut { pairs } => {
                for (key, value) in pairs {
                    self.put(&key, &value);
                }
                KvReply::Done
            }
            KvCommand::Transaction(transaction) => self.transact(&transaction),
            KvCommand::Redis(batch) => KvReply::Redis(redis::execute(&mut self.keys, &batch)),
        }
    }

    /// The reply to a command that changes nothing; `None` for all others.
    pub fn read(&self, command: &KvCommand) -> Option<KvReply> {
        match command {
            KvCommand::Get { key } => Some(match self.shared(key) {
                Err(WrongType) => KvReply::WrongType,
                Ok(value) => KvReply::Value(value),
            }),
            KvCommand::MultiGet { keys } => Some(self.values(keys)),
            KvCommand::Redis(batch) => match batch.access {
                RedisAccess::Read => Some(KvReply::Redis(redis::query(&self.keys, batch))),
                RedisAccess::Write => None,
            },
            KvCommand::Put { .. }
            | KvCommand::Delete { .. }
            | KvCommand::CompareAndSwap { .. }
            | KvCommand::Increment { .. }
            | KvCommand::Add { .. }
            | KvCommand::MultiPut { .. }
            | KvCommand::Transaction(_) => None,
        }
    }

    /// Nothing is done where a key that the transaction may touch holds one of Redis' collections.
    fn transact(&mut self, transaction: &Transaction) -> KvReply {
        if transaction.touched().any(|(key, _)| self.keys.collection(key).is_some()) {
            return KvReply::WrongType;
        }
        let (changed, end) = draft(self, transaction);
        let set_anew: BTreeSet<&Bytes> = match &end {
            TransactionEnd::Done { branch, .. } | TransactionEnd::Failed { branch, .. } => {
                let operations = transaction.branch(*branch).iter();
                let anew = operations.filter(|it| {
                    matches!(it, KvOperation::Put { .. } | KvOperation::Delete { .. })
                });
                anew.map(KvOperation::key).collect()
            }
        };
        for (key, value) in changed {
            match value {
                None => drop(self.keys.remove_text(&key)),
                Some(value) if set_anew.contains(&key) => self.put(&key, &value),
                Some(value) => self.replace(&key, &value),
            }
        }
        KvReply::Transaction(end)
    }

    fn values(&self, keys: &[Bytes]) -> KvReply {
        // Judged by the state alone, so that every replica answers the same.
        let entries: Vec<_> = keys.iter().map(|key| self.keys.text(key)).collect();
        if keys.iter().any(|key| self.keys.collection(key).is_some()) {
            return KvReply::WrongType;
        }
        let len: usize = entries.iter().flatten().map(|entry| entry.value().len()).sum();
        // Each value takes up to ten bytes around it.
        if len + 10 * entries.len() + 10 > REPLY_LEN_MAX {
            return KvReply::TooLong { len: len as u64 };
        }
        KvReply::Values(entries.into_iter().map(|entry| entry.map(Entry::value_shared)).collect())
    }

    /// The key's value without a copy, if it has one.
    pub(crate) fn value_shared(&self, key: &[u8]) -> Option<Bytes> {
        self.keys.text(key).map(Entry::value_shared)
    }

    fn shared(&self, key: &[u8]) -> Result<Option<Bytes>, WrongType> {
        match self.value_shared(key) {
            None if self.keys.collection(key).is_some() => Err(WrongType),
            value => Ok(value),
        }
    }

    /// The number of a key, 0 where there is no value; or the reply to say that there is none.
    fn number(&self, key: &[u8]) -> Result<i64, KvReply> {
        match self.keys.text(key) {
            None if self.keys.collection(key).is_some() => Err(KvReply::WrongType),
            None => Ok(0),
            Some(entry) => number::read(entry.value()).ok_or(KvReply::NotANumber),
        }
    }

    /// Sets a key's value. What was known of its end is over; its stamp remains, since a key's time
    /// never goes back.
    fn put(&mut self, key: &[u8], value: &[u8]) {
        let before = self.keys.meta(key).unwrap_or_default();
        self.keys.put_text(key, value, Meta { end_ms: None, ..before });
    }

    /// Sets a key's value, and leaves its end where it is.
    fn replace(&mut self, key: &[u8], value: &[u8]) {
        let meta = self.keys.text(key).map(Entry::meta).unwrap_or_default();
        self.keys.put_text(key, value, meta);
    }
}

/// The key holds one of Redis' collections.
struct WrongType;

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
        self.keys.digest().value()
    }

    fn snapshot(&self) -> Pieces {
        Box::new(snapshot::pieces(self.keys.clone()))
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        // What goes makes room for what comes.
        *self = Self::default();
        self.keys = snapshot::restore(pieces)?;
        Ok(())
    }
}

impl<K: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(K, V)> for Store {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(entries: T) -> Self {
        let mut store = Self::default();
        for (key, value) in entries {
            store.put(key.as_ref(), value.as_ref());
        }
        store
    }
}
