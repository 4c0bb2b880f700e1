//! What is wrong with a stream of requests, in the words of Redis.

use crate::limits;

/// The bytes are no requests. The connection ends after the answer: where the next request would
/// begin is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// An inline command of more than [`limits::LINE_LEN_MAX`] bytes.
    #[error("Protocol error: too big inline request")]
    InlineTooLong,
    /// An inline command with a quote that does not end, or not before a space.
    #[error("Protocol error: unbalanced quotes in request")]
    Quotes,
    /// The count of an array is in a line that does not end.
    #[error("Protocol error: too big mbulk count string")]
    CountTooLong,
    /// The count of an array is none, or above [`limits::ARGS_MAX`].
    #[error("Protocol error: invalid multibulk length")]
    Count,
    /// More than [`limits::STRANGER_ARGS_MAX`] arguments without the password.
    #[error("Protocol error: unauthenticated multibulk length")]
    StrangerCount,
    /// The length of a bulk string is in a line that does not end.
    #[error("Protocol error: too big bulk count string")]
    LengthTooLong,
    /// Something else stands where a bulk string should.
    #[error("Protocol error: expected '$', got '{}'", char::from(*.found))]
    NoBulk {
        /// Its first byte.
        found: u8,
    },
    /// The length of a bulk string is none, or above [`limits::BULK_LEN_MAX`].
    #[error("Protocol error: invalid bulk length")]
    Length,
    /// A bulk string of more than [`limits::STRANGER_BULK_LEN_MAX`] bytes without the password.
    #[error("Protocol error: unauthenticated bulk length")]
    StrangerLength,
    /// All of it is too long, which Redis does not say.
    #[error("Protocol error: request of more than {} bytes", limits::REQUEST_LEN_MAX)]
    RequestTooLong,
}
