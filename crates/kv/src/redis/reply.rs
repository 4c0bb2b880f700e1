//! What a batch is answered.

use crate::KvInvalid;
use crate::schema::{self, Nothing, RedisOutcomeKind, RedisReplyKind};
use bytes::Bytes;

/// The end of a [`RedisBatch`](crate::redis::RedisBatch).
#[derive(Debug, Clone, PartialEq)]
pub enum RedisOutcome {
    /// One reply for each command, in order; fewer where the rest would be too long for one reply of
    /// the store (see [`RedisBatch::is_transaction`](crate::redis::RedisBatch::is_transaction)).
    Replies(Vec<RedisReply>),
    /// Nothing was done: a batch of reads met a key whose time is over by the stamp. Sent again as
    /// [`RedisAccess::Write`](crate::redis::RedisAccess::Write), it deletes that key and is answered.
    Due,
    /// Nothing was done: a watched key has another version.
    WatchedChanged,
}

/// One command's reply, for either version of the protocol.
#[derive(Debug, Clone, PartialEq)]
pub enum RedisReply {
    /// `OK`.
    Ok,
    /// A simple string.
    Simple(Bytes),
    /// An error: its code, a space, a text.
    Error(Bytes),
    /// A whole number.
    Integer(i64),
    /// A floating-point number, never NaN; RESP2 has a bulk string of [`RedisReply::double_text`].
    Double(f64),
    /// A bulk string.
    Bulk(Bytes),
    /// Nothing: RESP2's null bulk string.
    Null,
    /// Nothing in the place of an array: RESP2's null array. In RESP3 it is as [`RedisReply::Null`].
    NullArray,
    /// An array.
    Array(Vec<RedisReply>),
    /// RESP3's map; in RESP2 a flat array.
    Map(Vec<(RedisReply, RedisReply)>),
    /// RESP3's set; in RESP2 an array.
    Set(Vec<RedisReply>),
    /// RESP3: an array of arrays of two; in RESP2 a flat array.
    Pairs(Vec<(RedisReply, RedisReply)>),
    /// RESP3's boolean; in RESP2 1 or 0.
    Boolean(bool),
}

impl RedisOutcome {
    pub(crate) fn into_schema(self) -> schema::RedisOutcome {
        let kind = match self {
            Self::Replies(replies) => RedisOutcomeKind::Replies(list(replies)),
            Self::Due => RedisOutcomeKind::Due(Nothing {}),
            Self::WatchedChanged => RedisOutcomeKind::WatchedChanged(Nothing {}),
        };
        schema::RedisOutcome { kind: Some(kind) }
    }

    pub(crate) fn from_schema(outcome: schema::RedisOutcome) -> Result<Self, KvInvalid> {
        Ok(match outcome.kind.ok_or(KvInvalid::Unknown)? {
            RedisOutcomeKind::Replies(replies) => Self::Replies(unlist(replies)?),
            RedisOutcomeKind::Due(Nothing {}) => Self::Due,
            RedisOutcomeKind::WatchedChanged(Nothing {}) => Self::WatchedChanged,
        })
    }
}

impl RedisReply {
    /// An error reply with this text.
    pub fn error(text: impl Into<String>) -> Self {
        Self::Error(text.into().into())
    }

    /// A number as Redis 7.0 writes it in RESP2: C's `%.17g`.
    pub fn double_text(number: f64) -> String {
        super::number::double_text(number)
    }

    pub(crate) fn into_schema(self) -> schema::RedisReply {
        let flat = |pairs: Vec<(Self, Self)>| {
            list(pairs.into_iter().flat_map(|(one, other)| [one, other]).collect())
        };
        let kind = match self {
            Self::Ok => RedisReplyKind::Ok(Nothing {}),
            Self::Simple(text) => RedisReplyKind::Simple(text),
            Self::Error(text) => RedisReplyKind::Error(text),
            Self::Integer(number) => RedisReplyKind::Integer(number),
            Self::Double(number) => RedisReplyKind::Double(number),
            Self::Bulk(bytes) => RedisReplyKind::Bulk(bytes),
            Self::Null => RedisReplyKind::Null(Nothing {}),
            Self::NullArray => RedisReplyKind::NullArray(Nothing {}),
            Self::Array(replies) => RedisReplyKind::Array(list(replies)),
            Self::Map(pairs) => RedisReplyKind::Map(flat(pairs)),
            Self::Set(replies) => RedisReplyKind::Set(list(replies)),
            Self::Pairs(pairs) => RedisReplyKind::Pairs(flat(pairs)),
            Self::Boolean(is) => RedisReplyKind::Boolean(is),
        };
        schema::RedisReply { kind: Some(kind) }
    }

    fn from_schema(reply: schema::RedisReply) -> Result<Self, KvInvalid> {
        let pairs = |replies: schema::RedisReplies| {
            let mut replies = unlist(replies)?.into_iter();
            let mut pairs = Vec::with_capacity(replies.len() / 2);
            while let Some(one) = replies.next() {
                pairs.push((one, replies.next().ok_or(KvInvalid::Unknown)?));
            }
            Ok::<_, KvInvalid>(pairs)
        };
        Ok(match reply.kind.ok_or(KvInvalid::Unknown)? {
            RedisReplyKind::Ok(Nothing {}) => Self::Ok,
            RedisReplyKind::Simple(text) => Self::Simple(text),
            RedisReplyKind::Error(text) => Self::Error(text),
            RedisReplyKind::Integer(number) => Self::Integer(number),
            RedisReplyKind::Double(number) if number.is_nan() => return Err(KvInvalid::Unknown),
            RedisReplyKind::Double(number) => Self::Double(number),
            RedisReplyKind::Bulk(bytes) => Self::Bulk(bytes),
            RedisReplyKind::Null(Nothing {}) => Self::Null,
            RedisReplyKind::NullArray(Nothing {}) => Self::NullArray,
            RedisReplyKind::Array(replies) => Self::Array(unlist(replies)?),
            RedisReplyKind::Map(replies) => Self::Map(pairs(replies)?),
            RedisReplyKind::Set(replies) => Self::Set(unlist(replies)?),
            RedisReplyKind::Pairs(replies) => Self::Pairs(pairs(replies)?),
            RedisReplyKind::Boolean(is) => Self::Boolean(is),
        })
    }
}

fn list(replies: Vec<RedisReply>) -> schema::RedisReplies {
    schema::RedisReplies { replies: replies.into_iter().map(RedisReply::into_schema).collect() }
}

fn unlist(replies: schema::RedisReplies) -> Result<Vec<RedisReply>, KvInvalid> {
    replies.replies.into_iter().map(RedisReply::from_schema).collect()
}
