//! The protobuf form of transactions and how they end, and the way from and to it.

use super::{By, Key, Maybe, Nothing, Pair};
use crate::{
    Branch, Condition, KvInvalid, KvOperation, OperationFailure, OperationResult, TransactionEnd,
};
use bytes::Bytes;
use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Transaction {
    #[prost(message, repeated, tag = "1")]
    compare: Vec<Compare>,
    #[prost(message, repeated, tag = "2")]
    then: Vec<Operation>,
    #[prost(message, repeated, tag = "3")]
    otherwise: Vec<Operation>,
}

impl Transaction {
    pub(crate) fn len(&self) -> usize {
        self.compare.len() + self.then.len() + self.otherwise.len()
    }
}

#[derive(Clone, PartialEq, Message)]
struct Compare {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    #[prost(oneof = "ConditionKind", tags = "2, 3, 4, 5, 6, 7, 8, 9")]
    condition: Option<ConditionKind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum ConditionKind {
    #[prost(message, tag = "2")]
    Exists(Nothing),
    #[prost(message, tag = "3")]
    Absent(Nothing),
    #[prost(bytes = "bytes", tag = "4")]
    Equal(Bytes),
    #[prost(bytes = "bytes", tag = "5")]
    NotEqual(Bytes),
    #[prost(bytes = "bytes", tag = "6")]
    Less(Bytes),
    #[prost(bytes = "bytes", tag = "7")]
    Greater(Bytes),
    #[prost(sint64, tag = "8")]
    AtLeast(i64),
    #[prost(sint64, tag = "9")]
    AtMost(i64),
}

#[derive(Clone, PartialEq, Message)]
struct Operation {
    #[prost(oneof = "OperationKind", tags = "1, 2, 3, 4, 5")]
    kind: Option<OperationKind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum OperationKind {
    #[prost(message, tag = "1")]
    Get(Key),
    #[prost(message, tag = "2")]
    Put(Pair),
    #[prost(message, tag = "3")]
    Delete(Key),
    #[prost(message, tag = "4")]
    Append(Pair),
    #[prost(message, tag = "5")]
    Increment(By),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct End {
    /// Whether the conditions held.
    #[prost(bool, tag = "1")]
    held: bool,
    /// Absent where it failed.
    #[prost(message, repeated, tag = "2")]
    results: Vec<OperationEnd>,
    #[prost(message, optional, tag = "3")]
    failed: Option<Failed>,
}

#[derive(Clone, PartialEq, Message)]
struct OperationEnd {
    #[prost(oneof = "ResultKind", tags = "1, 2, 3, 4, 5")]
    kind: Option<ResultKind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum ResultKind {
    #[prost(message, tag = "1")]
    Value(Maybe),
    #[prost(message, tag = "2")]
    Done(Nothing),
    #[prost(bool, tag = "3")]
    Deleted(bool),
    #[prost(uint64, tag = "4")]
    Length(u64),
    #[prost(sint64, tag = "5")]
    Number(i64),
}

#[derive(Clone, PartialEq, Message)]
struct Failed {
    #[prost(uint32, tag = "1")]
    operation: u32,
    #[prost(oneof = "FailureKind", tags = "2, 3, 4, 5, 6")]
    why: Option<FailureKind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum FailureKind {
    #[prost(message, tag = "2")]
    NotANumber(Nothing),
    #[prost(message, tag = "3")]
    Overflow(Nothing),
    #[prost(uint64, tag = "4")]
    ValueTooLong(u64),
    #[prost(uint64, tag = "5")]
    TransactionTooLong(u64),
    #[prost(uint64, tag = "6")]
    ReplyTooLong(u64),
}

impl From<crate::Transaction> for Transaction {
    fn from(transaction: crate::Transaction) -> Self {
        let compare = |(key, condition)| {
            let condition = match condition {
                Condition::Exists => ConditionKind::Exists(Nothing {}),
                Condition::Absent => ConditionKind::Absent(Nothing {}),
                Condition::Equal(value) => ConditionKind::Equal(value),
                Condition::NotEqual(value) => ConditionKind::NotEqual(value),
                Condition::Less(value) => ConditionKind::Less(value),
                Condition::Greater(value) => ConditionKind::Greater(value),
                Condition::AtLeast(number) => ConditionKind::AtLeast(number),
                Condition::AtMost(number) => ConditionKind::AtMost(number),
            };
            Compare { key, condition: Some(condition) }
        };
        let operation = |operation| {
            let kind = match operation {
                KvOperation::Get { key } => OperationKind::Get(Key { key }),
                KvOperation::Put { key, value } => OperationKind::Put(Pair { key, value }),
                KvOperation::Delete { key } => OperationKind::Delete(Key { key }),
                KvOperation::Append { key, value } => OperationKind::Append(Pair { key, value }),
                KvOperation::Increment { key, by } => OperationKind::Increment(By { key, by }),
            };
            Operation { kind: Some(kind) }
        };
        Self {
            compare: transaction.compare.into_iter().map(compare).collect(),
            then: transaction.then.into_iter().map(operation).collect(),
            otherwise: transaction.otherwise.into_iter().map(operation).collect(),
        }
    }
}

impl TryFrom<Transaction> for crate::Transaction {
    type Error = KvInvalid;

    fn try_from(transaction: Transaction) -> Result<Self, KvInvalid> {
        let compare = |Compare { key, condition }| {
            let condition = match condition.ok_or(KvInvalid::Unknown)? {
                ConditionKind::Exists(Nothing {}) => Condition::Exists,
                ConditionKind::Absent(Nothing {}) => Condition::Absent,
                ConditionKind::Equal(value) => Condition::Equal(value),
                ConditionKind::NotEqual(value) => Condition::NotEqual(value),
                ConditionKind::Less(value) => Condition::Less(value),
                ConditionKind::Greater(value) => Condition::Greater(value),
                ConditionKind::AtLeast(number) => Condition::AtLeast(number),
                ConditionKind::AtMost(number) => Condition::AtMost(number),
            };
            Ok::<_, KvInvalid>((key, condition))
        };
        let operation = |operation: Operation| {
            Ok::<_, KvInvalid>(match operation.kind.ok_or(KvInvalid::Unknown)? {
                OperationKind::Get(Key { key }) => KvOperation::Get { key },
                OperationKind::Put(Pair { key, value }) => KvOperation::Put { key, value },
                OperationKind::Delete(Key { key }) => KvOperation::Delete { key },
                OperationKind::Append(Pair { key, value }) => KvOperation::Append { key, value },
                OperationKind::Increment(By { key, by }) => KvOperation::Increment { key, by },
            })
        };
        let operations =
            |all: Vec<Operation>| all.into_iter().map(operation).collect::<Result<_, KvInvalid>>();
        Ok(Self {
            compare: transaction
                .compare
                .into_iter()
                .map(compare)
                .collect::<Result<_, KvInvalid>>()?,
            then: operations(transaction.then)?,
            otherwise: operations(transaction.otherwise)?,
        })
    }
}

impl From<TransactionEnd> for End {
    fn from(end: TransactionEnd) -> Self {
        let result = |result| {
            let kind = match result {
                OperationResult::Value(value) => ResultKind::Value(Maybe { value }),
                OperationResult::Done => ResultKind::Done(Nothing {}),
                OperationResult::Deleted(deleted) => ResultKind::Deleted(deleted),
                OperationResult::Length(len) => ResultKind::Length(len),
                OperationResult::Number(number) => ResultKind::Number(number),
            };
            OperationEnd { kind: Some(kind) }
        };
        match end {
            TransactionEnd::Done { branch, results } => Self {
                held: branch == Branch::Then,
                results: results.into_iter().map(result).collect(),
                failed: None,
            },
            TransactionEnd::Failed { branch, operation, why } => {
                let why = match why {
                    OperationFailure::NotANumber => FailureKind::NotANumber(Nothing {}),
                    OperationFailure::Overflow => FailureKind::Overflow(Nothing {}),
                    OperationFailure::ValueTooLong { len } => FailureKind::ValueTooLong(len),
                    OperationFailure::TransactionTooLong { len } => {
                        FailureKind::TransactionTooLong(len)
                    }
                    OperationFailure::ReplyTooLong { len } => FailureKind::ReplyTooLong(len),
                };
                let failed = Some(Failed { operation, why: Some(why) });
                Self { held: branch == Branch::Then, results: Vec::new(), failed }
            }
        }
    }
}

impl TryFrom<End> for TransactionEnd {
    type Error = KvInvalid;

    fn try_from(End { held, results, failed }: End) -> Result<Self, KvInvalid> {
        let branch = if held { Branch::Then } else { Branch::Otherwise };
        if let Some(Failed { operation, why }) = failed {
            let why = match why.ok_or(KvInvalid::Unknown)? {
                FailureKind::NotANumber(Nothing {}) => OperationFailure::NotANumber,
                FailureKind::Overflow(Nothing {}) => OperationFailure::Overflow,
                FailureKind::ValueTooLong(len) => OperationFailure::ValueTooLong { len },
                FailureKind::TransactionTooLong(len) => {
                    OperationFailure::TransactionTooLong { len }
                }
                FailureKind::ReplyTooLong(len) => OperationFailure::ReplyTooLong { len },
            };
            return Ok(Self::Failed { branch, operation, why });
        }
        let result = |end: OperationEnd| {
            Ok(match end.kind.ok_or(KvInvalid::Unknown)? {
                ResultKind::Value(Maybe { value }) => OperationResult::Value(value),
                ResultKind::Done(Nothing {}) => OperationResult::Done,
                ResultKind::Deleted(deleted) => OperationResult::Deleted(deleted),
                ResultKind::Length(len) => OperationResult::Length(len),
                ResultKind::Number(number) => OperationResult::Number(number),
            })
        };
        let results: Result<_, KvInvalid> = results.into_iter().map(result).collect();
        Ok(Self::Done { branch, results: results? })
    }
}
