//! What watches may take.

use althing_model::Micros;

/// Bytes of messages to a watcher that its client has not taken in, and one message more: 1 MiB.
pub(crate) const UNTAKEN_BYTES_MAX: usize = 1 << 20;

/// Numbers in the tokens of all watches that wait or are behind: 16 MiB.
pub(crate) const TOKENS_WIDTH_MAX: usize = 1 << 20;

/// Positions of the feed that one watcher goes through in one call.
pub(crate) const TURN_LEN: usize = 1024;

/// Positions that all watchers together go through in one call, about: 2 ms.
pub(crate) const TURNS_LEN: usize = 16 * TURN_LEN;

/// After so many positions a watcher that is up to date is told a token with the next change.
pub(crate) const TOKEN_EVERY: u64 = 256;

/// After so many changes a watcher that is not up to date is told a token all the same, so that its
/// own cannot grow without end.
pub(crate) const TOKEN_CHANGES_MAX: usize = 4096;

/// What a change takes beside its payload and reply, about.
pub(crate) const CHANGE_LEN: usize = 64;

/// How often waiting and idle watchers are looked at.
pub(crate) const LOOK_EVERY: Micros = 250_000;
