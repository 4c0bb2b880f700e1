//! Every limit of snapshots, with the memory or space that it implies.

/// The longest piece: a reader holds one.
pub const PIECE_BYTES_MAX: usize = 4 << 20;

/// What a file is cut into, each with its own hash: a writer and a reader hold
/// one, and it is the most that one ask may ask for.
pub const CHUNK_BYTES: usize = 256 << 10;

/// The longest file, 64 GiB. Its hashes, 32 bytes for each chunk, take 8 MiB,
/// which a writer and a receiver hold.
pub const SNAPSHOT_BYTES_MAX: u64 = 64 << 30;

/// A file being written is synced whenever this much of it was not: what waits
/// in the kernel stays small, so that no commit of the journal waits for it.
pub const SYNC_BYTES: u64 = 8 << 20;
