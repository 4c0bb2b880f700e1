//! What a transaction is about to do: put down beside the store, and into it only when all of it can
//! be done.

use crate::limits::{REPLY_LEN_MAX, TRANSACTION_VALUES_LEN_MAX, VALUE_LEN_MAX};
use crate::{
    Branch, KvOperation, OperationFailure, OperationResult, Store, Transaction, TransactionEnd,
    number,
};
use althing_model::mutant::{Mutant, is_planted};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Each result takes up to 24 bytes around its value in an encoded reply, and the reply a few more.
const RESULT_OVERHEAD: usize = 24;

/// Changes to a store, not made yet. All limits are judged by the state and the command alone, so
/// that every replica answers the same.
pub(crate) struct Draft<'s> {
    store: &'s Store,
    /// What becomes of keys.
    changed: BTreeMap<Bytes, Change>,
    /// Bytes of these values.
    changed_len: usize,
    /// Bytes of the results so far, and of what stands around them.
    reply_len: usize,
}

/// What becomes of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It has this value, and no end any more.
    Put(Vec<u8>),
    /// It has this value, and ends when it would have ended.
    Edit(Vec<u8>),
    /// It goes.
    Delete,
}

impl Change {
    fn value(&self) -> Option<&[u8]> {
        match self {
            Self::Put(value) | Self::Edit(value) => Some(value),
            Self::Delete => None,
        }
    }
}

/// Changes that can be made, and the end of the transaction.
pub(crate) type Drafted = (BTreeMap<Bytes, Change>, TransactionEnd);

/// What the transaction would do to this store; nothing, if it fails.
pub(crate) fn draft(store: &Store, transaction: &Transaction) -> Drafted {
    let holds = transaction.compare.iter().all(|(key, condition)| {
        if store.has_collection(key) {
            condition.holds_of_collection()
        } else {
            condition.holds(store.get(key))
        }
    });
    let branch = if holds { Branch::Then } else { Branch::Otherwise };
    let mut draft =
        Draft { store, changed: BTreeMap::new(), changed_len: 0, reply_len: RESULT_OVERHEAD };
    let mut results = Vec::new();
    for (operation, place) in transaction.branch(branch).iter().zip(0..) {
        match draft.execute(operation) {
            Ok(result) => results.push(result),
            Err(why) => {
                let end = TransactionEnd::Failed { branch, operation: place, why };
                if is_planted(Mutant::TransactionHalfDone) {
                    return (draft.changed, end);
                }
                return (BTreeMap::new(), end);
            }
        }
    }
    (draft.changed, TransactionEnd::Done { branch, results })
}

impl Draft<'_> {
    fn execute(&mut self, operation: &KvOperation) -> Result<OperationResult, OperationFailure> {
        let result = match operation {
            KvOperation::Get { key } => {
                // Counted before it is copied.
                self.count_reply(self.get(key)?.map_or(0, <[u8]>::len))?;
                return Ok(OperationResult::Value(self.shared(key)?));
            }
            KvOperation::Put { key, value } => {
                self.change(key, Change::Put(value.to_vec()))?;
                OperationResult::Done
            }
            KvOperation::Delete { key } => {
                let existed = match self.changed.get(key) {
                    Some(changed) => changed.value().is_some(),
                    None => self.store.get(key).is_some() || self.store.has_collection(key),
                };
                self.change(key, Change::Delete)?;
                OperationResult::Deleted(existed)
            }
            KvOperation::Append { key, value } => {
                let len = self.get(key)?.map_or(0, <[u8]>::len) + value.len();
                if len > VALUE_LEN_MAX {
                    return Err(OperationFailure::ValueTooLong { len: len as u64 });
                }
                self.append(key, value)?;
                OperationResult::Length(len as u64)
            }
            KvOperation::Increment { key, by } => {
                let before = match self.get(key)? {
                    None => 0,
                    Some(value) => number::read(value).ok_or(OperationFailure::NotANumber)?,
                };
                let sum = before.checked_add(*by).ok_or(OperationFailure::Overflow)?;
                self.edit(key, number::write(sum).to_vec())?;
                OperationResult::Number(sum)
            }
        };
        self.count_reply(0)?;
        Ok(result)
    }

    fn get(&self, key: &Bytes) -> Result<Option<&[u8]>, OperationFailure> {
        match self.changed.get(key) {
            Some(changed) => Ok(changed.value()),
            None if self.store.has_collection(key) => Err(OperationFailure::WrongType),
            None => Ok(self.store.get(key)),
        }
    }

    /// A copy only of what this transaction changed.
    fn shared(&self, key: &Bytes) -> Result<Option<Bytes>, OperationFailure> {
        match self.changed.get(key) {
            Some(changed) => Ok(changed.value().map(Bytes::copy_from_slice)),
            None => self.store.shared(key).map_err(|_| OperationFailure::WrongType),
        }
    }

    fn change(&mut self, key: &Bytes, change: Change) -> Result<(), OperationFailure> {
        let len = |change: &Change| change.value().map_or(0, <[u8]>::len);
        let before = self.changed.get(key).map_or(0, len);
        self.count_changed(len(&change), before)?;
        self.changed.insert(key.clone(), change);
        Ok(())
    }

    /// Another value in the place of the one there is. What this transaction made anew has no end.
    fn edit(&mut self, key: &Bytes, value: Vec<u8>) -> Result<(), OperationFailure> {
        let change = match self.changed.get(key) {
            Some(Change::Put(_) | Change::Delete) => Change::Put(value),
            Some(Change::Edit(_)) | None => Change::Edit(value),
        };
        self.change(key, change)
    }

    /// In place where the value is this transaction's already: many appends to one key copy it once.
    fn append(&mut self, key: &Bytes, bytes: &Bytes) -> Result<(), OperationFailure> {
        if self.changed.get(key).is_none_or(|changed| changed.value().is_none()) {
            let value = self.get(key)?.unwrap_or_default().to_vec();
            self.edit(key, value)?;
        }
        self.count_changed(bytes.len(), 0)?;
        let (Change::Put(value) | Change::Edit(value)) =
            self.changed.get_mut(key).expect("it was put there just now")
        else {
            unreachable!("it has a value since just now");
        };
        value.extend_from_slice(bytes);
        Ok(())
    }

    fn count_changed(&mut self, more: usize, less: usize) -> Result<(), OperationFailure> {
        self.changed_len = self.changed_len + more - less;
        match self.changed_len {
            0..=TRANSACTION_VALUES_LEN_MAX => Ok(()),
            len => Err(OperationFailure::TransactionTooLong { len: len as u64 }),
        }
    }

    fn count_reply(&mut self, value_len: usize) -> Result<(), OperationFailure> {
        self.reply_len += value_len + RESULT_OVERHEAD;
        match self.reply_len {
            0..=REPLY_LEN_MAX => Ok(()),
            len => Err(OperationFailure::ReplyTooLong { len: len as u64 }),
        }
    }
}
