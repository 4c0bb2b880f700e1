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
    /// Values as they will be; `None` where the key goes.
    changed: BTreeMap<Bytes, Option<Vec<u8>>>,
    /// Bytes of these values.
    changed_len: usize,
    /// Bytes of the results so far, and of what stands around them.
    reply_len: usize,
}

/// Changes that can be made, and the end of the transaction.
pub(crate) type Drafted = (BTreeMap<Bytes, Option<Vec<u8>>>, TransactionEnd);

/// What the transaction would do to this store; nothing, if it fails.
pub(crate) fn draft(store: &Store, transaction: &Transaction) -> Drafted {
    let holds = transaction.compare.iter().all(|(key, condition)| condition.holds(store.get(key)));
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
                self.count_reply(self.get(key).map_or(0, <[u8]>::len))?;
                return Ok(OperationResult::Value(self.shared(key)));
            }
            KvOperation::Put { key, value } => {
                self.set(key, Some(value.to_vec()))?;
                OperationResult::Done
            }
            KvOperation::Delete { key } => {
                let existed = self.get(key).is_some();
                self.set(key, None)?;
                OperationResult::Deleted(existed)
            }
            KvOperation::Append { key, value } => {
                let len = self.get(key).map_or(0, <[u8]>::len) + value.len();
                if len > VALUE_LEN_MAX {
                    return Err(OperationFailure::ValueTooLong { len: len as u64 });
                }
                self.append(key, value)?;
                OperationResult::Length(len as u64)
            }
            KvOperation::Increment { key, by } => {
                let before = match self.get(key) {
                    None => 0,
                    Some(value) => number::read(value).ok_or(OperationFailure::NotANumber)?,
                };
                let sum = before.checked_add(*by).ok_or(OperationFailure::Overflow)?;
                self.set(key, Some(number::write(sum).to_vec()))?;
                OperationResult::Number(sum)
            }
        };
        self.count_reply(0)?;
        Ok(result)
    }

    fn get(&self, key: &Bytes) -> Option<&[u8]> {
        match self.changed.get(key) {
            Some(changed) => changed.as_deref(),
            None => self.store.get(key),
        }
    }

    /// A copy only of what this transaction changed.
    fn shared(&self, key: &Bytes) -> Option<Bytes> {
        match self.changed.get(key) {
            Some(changed) => changed.as_deref().map(Bytes::copy_from_slice),
            None => self.store.value_shared(key),
        }
    }

    fn set(&mut self, key: &Bytes, value: Option<Vec<u8>>) -> Result<(), OperationFailure> {
        let len = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        let before = self.changed.get(key).map_or(0, len);
        self.count_changed(len(&value), before)?;
        self.changed.insert(key.clone(), value);
        Ok(())
    }

    /// In place where the value is this transaction's already: many appends to one key copy it once.
    fn append(&mut self, key: &Bytes, bytes: &Bytes) -> Result<(), OperationFailure> {
        if !matches!(self.changed.get(key), Some(Some(_))) {
            let value = self.get(key).unwrap_or_default().to_vec();
            self.count_changed(value.len(), 0)?;
            self.changed.insert(key.clone(), Some(value));
        }
        self.count_changed(bytes.len(), 0)?;
        let value = self.changed.get_mut(key).and_then(Option::as_mut);
        value.expect("it was put there just now").extend_from_slice(bytes);
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
