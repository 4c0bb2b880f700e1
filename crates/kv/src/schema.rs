//! The protobuf form of commands and replies. Field numbers are never used for anything else.

use bytes::Bytes;
use prost::{Message, Oneof};

mod transaction;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Command {
    #[prost(oneof = "CommandKind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9")]
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
    #[prost(oneof = "ReplyKind", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11")]
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
