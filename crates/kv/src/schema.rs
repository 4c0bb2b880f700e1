//! The protobuf form of commands and replies. Field numbers are never used for anything else.

use bytes::Bytes;
use prost::{Message, Oneof};

mod transaction;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Command {
    #[prost(oneof = "CommandKind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 15")]
    pub(crate) kind: Option<CommandKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum CommandKind {
    #[prost(message, tag = "1")]
    Get(Key),
    #[prost(message, tag = "2")]
    Put(Pair),
    #[prost(message, tag = "3")]
    Delete(Key),
    #[prost(message, tag = "4")]
    CompareAndSwap(CompareAndSwap),
    #[prost(message, tag = "5")]
    Increment(By),
    #[prost(message, tag = "6")]
    Add(By),
    #[prost(message, tag = "7")]
    MultiPut(Pairs),
    #[prost(message, tag = "8")]
    MultiGet(Keys),
    #[prost(message, tag = "9")]
    Transaction(transaction::Transaction),
    #[prost(message, tag = "15")]
    Redis(RedisBatch),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Key {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pair {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) value: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CompareAndSwap {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    /// Absent: the key is expected to be.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) expected: Option<Bytes>,
    /// Absent: the key is deleted.
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub(crate) new: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct By {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(sint64, tag = "2")]
    pub(crate) by: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pairs {
    #[prost(message, repeated, tag = "1")]
    pub(crate) pairs: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Keys {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(crate) keys: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Reply {
    #[prost(oneof = "ReplyKind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15")]
    pub(crate) kind: Option<ReplyKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum ReplyKind {
    #[prost(message, tag = "1")]
    Value(Maybe),
    #[prost(message, tag = "2")]
    Done(Nothing),
    #[prost(bool, tag = "3")]
    Deleted(bool),
    #[prost(message, tag = "4")]
    Swapped(Swapped),
    #[prost(sint64, tag = "5")]
    Number(i64),
    #[prost(message, tag = "6")]
    Values(Values),
    #[prost(message, tag = "7")]
    NotANumber(Nothing),
    #[prost(message, tag = "8")]
    Overflow(Nothing),
    #[prost(uint64, tag = "9")]
    TooLong(u64),
    #[prost(message, tag = "10")]
    NotACommand(Nothing),
    #[prost(message, tag = "11")]
    Transaction(transaction::End),
    #[prost(message, tag = "14")]
    WrongType(Nothing),
    #[prost(message, tag = "15")]
    Redis(RedisOutcome),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Nothing {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Maybe {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(crate) value: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Swapped {
    #[prost(bool, tag = "1")]
    pub(crate) swapped: bool,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(crate) actual: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Values {
    #[prost(message, repeated, tag = "1")]
    pub(crate) values: Vec<Maybe>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RedisBatch {
    #[prost(uint64, tag = "1")]
    pub(crate) stamp_ms: u64,
    #[prost(bool, tag = "2")]
    pub(crate) may_write: bool,
    #[prost(bool, tag = "3")]
    pub(crate) is_transaction: bool,
    #[prost(message, repeated, tag = "4")]
    pub(crate) watched: Vec<RedisWatched>,
    /// Each command's arguments.
    #[prost(message, repeated, tag = "5")]
    pub(crate) commands: Vec<Keys>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RedisWatched {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) key: Bytes,
    #[prost(uint64, tag = "2")]
    pub(crate) version: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RedisOutcome {
    #[prost(oneof = "RedisOutcomeKind", tags = "1, 2, 3")]
    pub(crate) kind: Option<RedisOutcomeKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum RedisOutcomeKind {
    #[prost(message, tag = "1")]
    Replies(RedisReplies),
    #[prost(message, tag = "2")]
    Due(Nothing),
    #[prost(message, tag = "3")]
    WatchedChanged(Nothing),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RedisReplies {
    #[prost(message, repeated, tag = "1")]
    pub(crate) replies: Vec<RedisReply>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RedisReply {
    #[prost(oneof = "RedisReplyKind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13")]
    pub(crate) kind: Option<RedisReplyKind>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum RedisReplyKind {
    #[prost(message, tag = "1")]
    Ok(Nothing),
    #[prost(bytes = "bytes", tag = "2")]
    Simple(Bytes),
    #[prost(bytes = "bytes", tag = "3")]
    Error(Bytes),
    #[prost(sint64, tag = "4")]
    Integer(i64),
    #[prost(double, tag = "5")]
    Double(f64),
    #[prost(bytes = "bytes", tag = "6")]
    Bulk(Bytes),
    #[prost(message, tag = "7")]
    Null(Nothing),
    #[prost(message, tag = "8")]
    NullArray(Nothing),
    #[prost(message, tag = "9")]
    Array(RedisReplies),
    /// Keys and values in turn.
    #[prost(message, tag = "10")]
    Map(RedisReplies),
    #[prost(message, tag = "11")]
    Set(RedisReplies),
    /// The two of each pair in turn.
    #[prost(message, tag = "12")]
    Pairs(RedisReplies),
    #[prost(bool, tag = "13")]
    Boolean(bool),
}
