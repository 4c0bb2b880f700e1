//! Transactions: conditions on some keys, and what to do if they hold or if they do not, as one
//! command.
//!
//! A transaction is one command, so it is one vertex: everything that any of its branches may touch
//! is in its footprint, all replicas execute it at one place of the order, and nothing comes in
//! between. Transactions are strictly serializable, among themselves and with all other commands:
//! they take effect one after the other, each between its invocation and its answer.

use crate::number;
use althing_model::mutant::{Mutant, is_planted};
use bytes::Bytes;
use std::cmp::Ordering;

/// Compare, then apply: if all conditions hold, the operations of one branch are done, else those of
/// the other; all or nothing. An operation sees what those before it did. Where a key that either branch
/// may touch holds one of Redis' collections, nothing is done, and the answer is
/// [`KvReply::WrongType`](crate::KvReply::WrongType).
///
/// ```
/// use althing_kv::{Branch, KvCommand, KvOperation, KvReply, OperationResult};
/// use althing_kv::{Store, Transaction, TransactionEnd};
/// use althing_model::StateMachine;
///
/// let mut bank: Store = [("ann", "100"), ("bob", "20")].into_iter().collect();
/// let transfer = Transaction::new()
///     .when_at_least("ann", 70)
///     .then(KvOperation::increment("ann", -70))
///     .then(KvOperation::increment("bob", 70))
///     .otherwise(KvOperation::get("ann"));
/// let transfer = KvCommand::Transaction(transfer).encode();
///
/// let KvReply::Transaction(end) = KvReply::decode(bank.apply(&transfer)).unwrap() else { panic!() };
/// let results = vec![OperationResult::Number(30), OperationResult::Number(90)];
/// assert_eq!(end, TransactionEnd::Done { branch: Branch::Then, results });
///
/// let KvReply::Transaction(end) = KvReply::decode(bank.apply(&transfer)).unwrap() else { panic!() };
/// let results = vec![OperationResult::Value(Some("30".into()))];
/// assert_eq!(end, TransactionEnd::Done { branch: Branch::Otherwise, results });
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Keys and what must hold of them, all of it. Without any, everything holds.
    pub compare: Vec<(Bytes, Condition)>,
    /// What to do if all conditions hold, in this order.
    pub then: Vec<KvOperation>,
    /// What to do if one does not.
    pub otherwise: Vec<KvOperation>,
}

impl Transaction {
    /// Nothing is asked and nothing done yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// This must hold of the key, too.
    #[must_use]
    pub fn when(mut self, key: impl Into<Bytes>, condition: Condition) -> Self {
        self.compare.push((key.into(), condition));
        self
    }

    /// The key must have this value.
    #[must_use]
    pub fn when_equal(self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.when(key, Condition::Equal(value.into()))
    }

    /// The key must have a value.
    #[must_use]
    pub fn when_exists(self, key: impl Into<Bytes>) -> Self {
        self.when(key, Condition::Exists)
    }

    /// The key must have none.
    #[must_use]
    pub fn when_absent(self, key: impl Into<Bytes>) -> Self {
        self.when(key, Condition::Absent)
    }

    /// The key's number must not be less.
    #[must_use]
    pub fn when_at_least(self, key: impl Into<Bytes>, number: i64) -> Self {
        self.when(key, Condition::AtLeast(number))
    }

    /// Does this next if all conditions hold.
    #[must_use]
    pub fn then(mut self, operation: KvOperation) -> Self {
        self.then.push(operation);
        self
    }

    /// Does this next if a condition does not hold.
    #[must_use]
    pub fn otherwise(mut self, operation: KvOperation) -> Self {
        self.otherwise.push(operation);
        self
    }

    /// Its conditions and operations together: what [`KEYS_MAX`](crate::limits::KEYS_MAX) bounds.
    pub fn len(&self) -> usize {
        self.compare.len() + self.then.len() + self.otherwise.len()
    }

    /// Whether it asks and does nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The operations of a branch.
    pub fn branch(&self, branch: Branch) -> &[KvOperation] {
        match branch {
            Branch::Then => &self.then,
            Branch::Otherwise => &self.otherwise,
        }
    }

    /// The keys that it may touch, and of each whether it may be changed. A key may come repeatedly.
    pub(crate) fn touched(&self) -> impl Iterator<Item = (&Bytes, bool)> {
        let otherwise = match is_planted(Mutant::TransactionBranchUntold) {
            true => &[][..],
            false => &self.otherwise,
        };
        let compared = self.compare.iter().map(|(key, _)| (key, false));
        let operations = self.then.iter().chain(otherwise);
        compared
            .chain(operations.map(|operation| (operation.key(), operation.is_write())))
            .filter(|(_, is_write)| *is_write || !is_planted(Mutant::TransactionReadsUntold))
    }
}

/// Which of a transaction's lists of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Branch {
    /// All conditions held.
    Then,
    /// One did not.
    Otherwise,
}

/// What may be asked of a key. Values are compared byte by byte, so that `"9"` is greater than
/// `"10"`: for numbers there are [`Self::AtLeast`] and [`Self::AtMost`].
///
/// A key without a value is not equal to any, and neither less nor greater.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It has a value.
    Exists,
    /// It has none.
    Absent,
    /// It has this value.
    Equal(Bytes),
    /// It has another value, or none.
    NotEqual(Bytes),
    /// It has a value that comes before this one.
    Less(Bytes),
    /// It has a value that comes after this one.
    Greater(Bytes),
    /// Its value is a number, and not less than this one; a key without a value counts as 0.
    AtLeast(i64),
    /// Its value is a number, and not more than this one; a key without a value counts as 0.
    AtMost(i64),
}

impl Condition {
    /// Whether it holds of a key with this value.
    pub fn holds(&self, value: Option<&[u8]>) -> bool {
        let is = |of: &Bytes, ordering| value.is_some_and(|value| value.cmp(of) == ordering);
        let number = || value.map_or(Some(0), number::read);
        match self {
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::Equal(other) => is(other, Ordering::Equal),
            Self::NotEqual(other) => !is(other, Ordering::Equal),
            Self::Less(other) => is(other, Ordering::Less),
            Self::Greater(other) => is(other, Ordering::Greater),
            Self::AtLeast(least) => number().is_some_and(|number| number >= *least),
            Self::AtMost(most) => number().is_some_and(|number| number <= *most),
        }
    }

    /// The value that it compares with, if it is one.
    pub(crate) fn value(&self) -> Option<&Bytes> {
        match self {
            Self::Equal(value) | Self::NotEqual(value) => Some(value),
            Self::Less(value) | Self::Greater(value) => Some(value),
            Self::Exists | Self::Absent | Self::AtLeast(_) | Self::AtMost(_) => None,
        }
    }
}

/// What a transaction does to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvOperation {
    /// Answers the value: [`OperationResult::Value`].
    Get {
        /// The key.
        key: Bytes,
    },
    /// Sets the value: [`OperationResult::Done`].
    Put {
        /// The key.
        key: Bytes,
        /// Its new value.
        value: Bytes,
    },
    /// Removes the key: [`OperationResult::Deleted`].
    Delete {
        /// The key.
        key: Bytes,
    },
    /// Adds bytes to the end of the value, and answers how many it has then:
    /// [`OperationResult::Length`]. A key without a value counts as empty.
    Append {
        /// The key.
        key: Bytes,
        /// What to add.
        value: Bytes,
    },
    /// Adds to the number and answers the sum: [`OperationResult::Number`]. A key without a value
    /// counts as 0.
    Increment {
        /// The key.
        key: Bytes,
        /// What to add.
        by: i64,
    },
}

impl KvOperation {
    /// A [`Self::Get`].
    pub fn get(key: impl Into<Bytes>) -> Self {
        Self::Get { key: key.into() }
    }

    /// A [`Self::Put`].
    pub fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self::Put { key: key.into(), value: value.into() }
    }

    /// A [`Self::Delete`].
    pub fn delete(key: impl Into<Bytes>) -> Self {
        Self::Delete { key: key.into() }
    }

    /// A [`Self::Append`].
    pub fn append(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self::Append { key: key.into(), value: value.into() }
    }

    /// A [`Self::Increment`].
    pub fn increment(key: impl Into<Bytes>, by: i64) -> Self {
        Self::Increment { key: key.into(), by }
    }

    /// The key that it is about.
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Get { key } | Self::Delete { key } => key,
            Self::Put { key, .. } | Self::Append { key, .. } | Self::Increment { key, .. } => key,
        }
    }

    /// Whether it may change the value.
    pub fn is_write(&self) -> bool {
        !matches!(self, Self::Get { .. })
    }

    /// The bytes that it brings along.
    pub(crate) fn value(&self) -> Option<&Bytes> {
        match self {
            Self::Put { value, .. } | Self::Append { value, .. } => Some(value),
            Self::Get { .. } | Self::Delete { .. } | Self::Increment { .. } => None,
        }
    }
}

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionEnd {
    /// All operations of one branch are done.
    Done {
        /// Which.
        branch: Branch,
        /// What each of them answers, in their order.
        results: Vec<OperationResult>,
    },
    /// One of the branch's operations cannot be done, so none is: nothing has changed.
    Failed {
        /// Which branch.
        branch: Branch,
        /// Which of its operations, counted from 0.
        operation: u32,
        /// Why.
        why: OperationFailure,
    },
}

/// What an operation of a transaction answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationResult {
    /// The key's value, if it has one.
    Value(Option<Bytes>),
    /// It is done.
    Done,
    /// Whether there was a key to delete.
    Deleted(bool),
    /// How many bytes the value has now.
    Length(u64),
    /// The sum.
    Number(i64),
}

/// Why an operation of a transaction cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationFailure {
    /// The key's value is no number.
    #[error("the key's value is no number")]
    NotANumber,
    /// The sum is no `i64`.
    #[error("the sum is beyond 64 bits")]
    Overflow,
    /// The value would be over [`VALUE_LEN_MAX`](crate::limits::VALUE_LEN_MAX).
    #[error("the value would have {len} bytes, over the {} allowed", crate::limits::VALUE_LEN_MAX)]
    ValueTooLong {
        /// Its bytes.
        len: u64,
    },
    /// The values that the transaction changes would be over
    /// [`TRANSACTION_VALUES_LEN_MAX`](crate::limits::TRANSACTION_VALUES_LEN_MAX) together.
    #[error(
        "the values that it changes have {len} bytes so far, over the {} allowed: send several",
        crate::limits::TRANSACTION_VALUES_LEN_MAX
    )]
    TransactionTooLong {
        /// Their bytes up to this operation.
        len: u64,
    },
    /// The results would be over [`REPLY_LEN_MAX`](crate::limits::REPLY_LEN_MAX) together.
    #[error(
        "the results have {len} bytes so far, over the {} allowed: ask for fewer keys",
        crate::limits::REPLY_LEN_MAX
    )]
    ReplyTooLong {
        /// Their bytes up to this operation.
        len: u64,
    },
}
