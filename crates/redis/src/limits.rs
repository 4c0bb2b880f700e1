//! What connections may hold, and the memory that follows.

/// Bytes of one bulk string of a request: 1 MiB, as much as a command of the store may have.
pub const BULK_LEN_MAX: usize = 1 << 20;

/// Arguments of one request, as Redis: 32 MiB of handles while the last of them arrives. They are
/// allocated as they arrive, not as they are announced.
pub const ARGS_MAX: usize = 1 << 20;

/// Bytes of one request with its framing: 8 MiB. Longer than what the store takes, so that a command
/// that is too long for it gets an answer and keeps its connection.
pub const REQUEST_LEN_MAX: usize = 8 << 20;

/// Bytes of a line: an inline command, or the announcement of a length. As Redis.
pub const LINE_LEN_MAX: usize = 64 << 10;

/// Arguments of a request from who has not given the password, as Redis.
pub const STRANGER_ARGS_MAX: usize = 10;

/// Bytes of their bulk strings, as Redis.
pub const STRANGER_BULK_LEN_MAX: usize = 16 << 10;
