//! What the store answers.

use crate::redis::RedisOutcome;
use crate::schema::{self, Maybe, Nothing, ReplyKind};
use crate::{KvInvalid, TransactionEnd};
use bytes::Bytes;
use prost::Message as _;

/// The reply to a [`KvCommand`](crate::KvCommand), which says for each command what it answers.
#[derive(Debug, Clone, PartialEq)]
pub enum KvReply {
    /// The key's value, if it has one.
    Value(Option<Bytes>),
    /// It is done.
    Done,
    /// Whether there was a key to delete.
    Deleted(bool),
    /// The end of a compare-and-swap.
    Swapped {
        /// Whether the value was the one expected, and is the new one now.
        swapped: bool,
        /// The value found, before any change.
        actual: Option<Bytes>,
    },
    /// The sum.
    Number(i64),
    /// The keys' values, in the order of the keys.
    Values(Vec<Option<Bytes>>),
    /// The value is no number, and was left as it is.
    NotANumber,
    /// The sum is no `i64`, and the number was left as it is.
    Overflow,
    /// The values asked for are more than a reply may hold: ask for fewer.
    TooLong {
        /// Their bytes together.
        len: u64,
    },
    /// How a transaction ended.
    Transaction(TransactionEnd),
    /// The key holds none of the store's own values, but one of Redis' collections, which was left as
    /// it is.
    WrongType,
    /// What the batch of Redis commands is answered.
    Redis(RedisOutcome),
    /// The payload was no command, and changed nothing. A proposer refuses it before.
    NotACommand,
}

impl KvReply {
    /// The reply's bytes.
    pub fn encode(&self) -> Bytes {
        let kind = match self.clone() {
            Self::Value(value) => ReplyKind::Value(Maybe { value }),
            Self::Done => ReplyKind::Done(Nothing {}),
            Self::Deleted(deleted) => ReplyKind::Deleted(deleted),
            Self::Swapped { swapped, actual } => {
                ReplyKind::Swapped(schema::Swapped { swapped, actual })
            }
            Self::Number(number) => ReplyKind::Number(number),
            Self::Values(values) => ReplyKind::Values(schema::Values {
                values: values.into_iter().map(|value| Maybe { value }).collect(),
            }),
            Self::NotANumber => ReplyKind::NotANumber(Nothing {}),
            Self::Overflow => ReplyKind::Overflow(Nothing {}),
            Self::TooLong { len } => ReplyKind::TooLong(len),
            Self::Transaction(end) => ReplyKind::Transaction(end.into()),
            Self::NotACommand => ReplyKind::NotACommand(Nothing {}),
            Self::WrongType => ReplyKind::WrongType(Nothing {}),
            Self::Redis(outcome) => ReplyKind::Redis(outcome.into_schema()),
        };
        schema::Reply { kind: Some(kind) }.encode_to_vec().into()
    }

    /// The reply in these bytes. Its values are slices of them.
    ///
    /// # Errors
    /// When they are no reply.
    pub fn decode(bytes: Bytes) -> Result<Self, KvInvalid> {
        let reply = schema::Reply::decode(bytes)?;
        Ok(match reply.kind.ok_or(KvInvalid::Unknown)? {
            ReplyKind::Value(Maybe { value }) => Self::Value(value),
            ReplyKind::Done(Nothing {}) => Self::Done,
            ReplyKind::Deleted(deleted) => Self::Deleted(deleted),
            ReplyKind::Swapped(schema::Swapped { swapped, actual }) => {
                Self::Swapped { swapped, actual }
            }
            ReplyKind::Number(number) => Self::Number(number),
            ReplyKind::Values(schema::Values { values }) => {
                Self::Values(values.into_iter().map(|maybe| maybe.value).collect())
            }
            ReplyKind::NotANumber(Nothing {}) => Self::NotANumber,
            ReplyKind::Overflow(Nothing {}) => Self::Overflow,
            ReplyKind::TooLong(len) => Self::TooLong { len },
            ReplyKind::Transaction(end) => Self::Transaction(end.try_into()?),
            ReplyKind::NotACommand(Nothing {}) => Self::NotACommand,
            ReplyKind::WrongType(Nothing {}) => Self::WrongType,
            ReplyKind::Redis(outcome) => Self::Redis(RedisOutcome::from_schema(outcome)?),
        })
    }
}
