//! What commands and replies may hold, and the memory that follows.

/// Bytes of a key, at least one: 1 KiB. It is a resource's name in every footprint.
pub const KEY_LEN_MAX: usize = 1 << 10;

/// Keys or pairs of one command, conditions and operations of a transaction: with the longest keys
/// 1 MiB of footprint.
pub const KEYS_MAX: usize = 1024;

/// Commands of one batch of Redis commands.
pub const REDIS_COMMANDS_MAX: usize = 1024;

/// Arguments of one batch of Redis commands, the commands' names included: 2 MiB of them besides their
/// bytes.
pub const REDIS_ARGS_MAX: usize = 1 << 16;

/// Keys, fields or members that one `SCAN` or its like looks at, whatever its `COUNT`.
pub const REDIS_SCANNED_MAX: usize = 1 << 16;

/// Bytes of an encoded command: 1 MiB, what a command's payload may have. Decoding one that is made
/// of nothing but empty pairs takes up to 48 MiB for a moment, before they are counted and refused.
pub const COMMAND_LEN_MAX: usize = 1 << 20;

/// Bytes of a value: 1 MiB but for what the key and the encoding of its command take.
pub const VALUE_LEN_MAX: usize = COMMAND_LEN_MAX - 4096;

/// Bytes of the values that a transaction changes, all together as they are after it: 4 MiB, which it
/// holds beside the store until it is sure that all of it can be done. Only appends to long values
/// come near it.
pub const TRANSACTION_VALUES_LEN_MAX: usize = 4 << 20;

/// Bytes of an encoded reply: 1 MiB. Values that are more together are not given.
pub const REPLY_LEN_MAX: usize = 1 << 20;

/// Bytes after which a piece of a snapshot is cut: 1 MiB. With its last entry it has at most twice as
/// many, and that is what each reader and each writer of a snapshot holds at a time.
pub const SNAPSHOT_PIECE_LEN: usize = 1 << 20;
