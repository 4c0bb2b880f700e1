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

/// What a snapshot being written leaves free on the disk: 256 MiB, four of the
/// journal's segments of 64 MiB. A node can do without one more snapshot, but not
/// without its journal.
pub const FREE_BYTES_MIN: u64 = 256 << 20;

/// Chunks that a receiver has asked for and not got: 2 MiB on their way.
pub const ASKS_MAX: usize = 8;

/// The shortest time after which an ask counts as lost, in microseconds. It
/// doubles with each failure of the peer, [`TIMEOUT_DOUBLINGS_MAX`] times.
pub const TIMEOUT_US: u64 = 2_000_000;

/// How often a time-out is doubled: it ends at sixteen times its first length.
pub const TIMEOUT_DOUBLINGS_MAX: u32 = 4;

/// Failures in a row (time-outs, chunks changed on the way), with no good chunk
/// between, after which a peer's offer is forgotten.
pub const LOSSES_MAX: u32 = 4;

/// Chunks of a peer that came as it sent them and were not what it offered, after
/// which its offer is forgotten.
pub const FAULTS_MAX: u32 = 3;

/// Offers remembered of one peer, 48 bytes each.
pub const OFFERS_MAX: usize = 4;

/// Digests remembered whose whole file was not a snapshot, 32 bytes each.
pub const REJECTED_MAX: usize = 64;

/// Chunks of an earlier life that one poll reads and proves: 8 MiB.
pub const CHECKS_MAX: usize = 32;
