//! What connections may hold, and the memory that follows.

use std::time::Duration;

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

/// Commands that are executed together, as one command of the store.
pub const BATCH_COMMANDS_MAX: usize = althing_kv::limits::REDIS_COMMANDS_MAX;

/// Arguments of all of them.
pub const BATCH_ARGS_MAX: usize = althing_kv::limits::REDIS_ARGS_MAX;

/// Keys of all of them, the watched ones included.
pub const BATCH_KEYS_MAX: usize = althing_kv::limits::KEYS_MAX;

/// Bytes of all of them as [`crate::round`] counts them: what the store takes but for its own framing
/// and for what is watched.
pub const BATCH_LEN_MAX: usize = althing_kv::limits::COMMAND_LEN_MAX - (64 << 10);

/// Of the gateway's own commands those in one transaction that may be answered at length.
pub const LONG_QUEUED_MAX: usize = 16;

/// Keys that a connection watches: with the longest 48 KiB.
pub const WATCHED_MAX: usize = 48;

/// Connections at a time, unless the settings say otherwise. An idle one takes about 8 KiB.
pub const CLIENTS_MAX: usize = 1000;

/// Bytes of a connection's name, and of what it says of its library.
pub const CLIENT_NAME_LEN_MAX: usize = 256;

/// Requests that are answered together, those of the store and the gateway's own.
pub const ROUND_LEN_MAX: usize = 4096;

/// What is read at once, and kept for an idle connection.
pub(crate) const READ_LEN: usize = 16 << 10;

/// What is read ahead of the requests that are being answered.
pub(crate) const READ_AHEAD_LEN: usize = 2 << 20;

const _: () = assert!(
    BULK_LEN_MAX + LINE_LEN_MAX < READ_AHEAD_LEN,
    "what the parser waits for is always read"
);

/// An empty buffer that has grown beyond this is given back.
pub(crate) const BUFFER_KEPT_LEN: usize = 256 << 10;

/// Answers that a client has not taken; beyond it no more of its requests are answered until it has.
/// More than one round's: a client may send all that it has to say before it reads.
pub const OUTPUT_LEN_MAX: usize = 32 << 20;

/// What all connections together may keep waiting, requests and answers: 512 MiB. Beyond it those are
/// closed that have more than [`BUFFERED_FAIR_LEN`].
pub const BUFFERED_LEN_MAX: usize = 512 << 20;

/// See [`BUFFERED_LEN_MAX`].
pub const BUFFERED_FAIR_LEN: usize = 256 << 10;

/// Bytes of batches that the store works on, of all connections: 256 MiB. Beyond it they wait.
pub const IN_FLIGHT_LEN_MAX: usize = 256 << 20;

/// How long a client may leave its answers lying before its connection is closed.
pub const STALLED_TIMEOUT: Duration = Duration::from_secs(60);

/// How long somebody may be connected without giving the password.
pub const STRANGER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long connections have, when the gateway ends, to be answered what they asked.
pub const END_PATIENCE: Duration = Duration::from_secs(5);

/// After this long without a word the system asks whether a client is still there.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// After a connection could not be accepted, for want of descriptors for instance.
pub(crate) const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
