//! What messages and records may hold, and the memory that follows.
//!
//! A decoder refuses whatever is over a limit. Whoever builds a message keeps within them: encoding
//! does not look. The largest vertex within them fits a frame of [`crate::frame::BODY_LEN_MAX`];
//! a decoded message takes at most about 20 MiB, whatever its sender put into the body.

use althing_model::{Command, Commands, DepSet, Footprint};

/// Commands in one vertex. A decoded command takes about 100 bytes beside its data: 400 KiB.
pub const COMMANDS_PER_VERTEX_MAX: usize = 4096;

/// Bytes of one command's payload: 1 MiB.
pub const PAYLOAD_LEN_MAX: usize = 1 << 20;

/// Bytes that the commands of one vertex bring, as [`command_len`] counts them: 2 MiB. One command
/// with the longest payload and the most and longest resources just fits.
pub const COMMANDS_LEN_MAX: usize = 2 << 20;

/// Resources in one footprint: 40 KiB beside their names.
pub const RESOURCES_PER_COMMAND_MAX: usize = 1024;

/// Resources in all footprints of one vertex: 2.5 MiB beside their names.
pub const RESOURCES_PER_VERTEX_MAX: usize = 1 << 16;

/// Bytes of one resource's name: 1 KiB.
pub const RESOURCE_LEN_MAX: usize = 1 << 10;

/// Ranges in one footprint: 20 KiB beside their names.
pub const RANGES_PER_COMMAND_MAX: usize = 256;

/// Ranges in all footprints of one vertex: 320 KiB beside their names.
pub const RANGES_PER_VERTEX_MAX: usize = 4096;

/// Bytes of all names in one footprint, of resources and of where ranges begin and end: 1 MiB, which
/// resources alone cannot exceed.
pub const NAMES_LEN_MAX: usize = 1 << 20;

/// Bytes that one footprint shows the predicate: 4 KiB.
pub const SHOWN_LEN_MAX: usize = 4 << 10;

/// Sessions that the commands of one vertex close: 96 KiB.
pub const CLOSED_SESSIONS_MAX: usize = 4096;

/// Columns of a dependency set, that is, proposers times epochs in use: 160 KiB.
pub const COLUMNS_MAX: usize = 4096;

/// Members of a dependency set above the prefixes: 512 KiB.
pub const EXTRAS_MAX: usize = 1 << 16;

/// Members of a fast quorum: 256 bytes.
pub const QUORUM_MAX: usize = 64;

/// Nodes in one message of distances or of demand: 1 KiB.
pub const NODES_MAX: usize = 64;

/// Bytes of one reply of the state machine: 1 MiB.
pub const REPLY_LEN_MAX: usize = 1 << 20;

/// Bytes of the text that tells a client why its command was refused: 1 KiB. A longer one is cut
/// when it is encoded.
pub const REASON_LEN_MAX: usize = 1 << 10;

/// Bytes of one piece of a snapshot on its way to another node: 256 KiB.
pub const CHUNK_LEN_MAX: usize = 256 << 10;

/// Bytes of a snapshot: 16 TiB.
pub const SNAPSHOT_LEN_MAX: u64 = 1 << 44;

/// Bytes of a snapshot's digest.
pub const DIGEST_LEN: usize = 32;

/// Changes in one message to a watcher: 1 MiB beside their payloads and replies.
pub const CHANGES_MAX: usize = 4096;

/// Bytes of payloads and replies after which no further change is put into a message to a watcher:
/// 256 KiB, and at most one change more.
pub const WATCHED_LEN_MAX: usize = 256 << 10;

/// Members above the prefixes of a token that a replica tells; one with more it keeps to itself until
/// there are fewer: 640 KiB, which fit beside the longest change.
pub const TOLD_EXTRAS_MAX: usize = EXTRAS_MAX / 2;
/// Digests of states in one message: 128 bytes. So many barriers back two replicas are still compared.
pub const STATE_DIGESTS_MAX: usize = 8;

/// Vertices that a role that was pruned takes out of memory in one call.
pub const FORGOTTEN_MAX: usize = 256;

/// Vertices that a role writes down again in one call, after it was pruned.
pub const REWRITTEN_VERTICES_MAX: usize = 64;

/// Bytes, counted roughly, after which a call writes no further vertex down again: 256 KiB, and at
/// most one vertex more.
pub const REWRITTEN_LEN_MAX: usize = 256 << 10;

/// Requests of one session from the first that its client has not acknowledged: clients submit none
/// beyond it, and proposers turn such away. Replicas keep the replies to all of them: 4096 times the
/// length of a reply for each session.
pub const SESSION_WINDOW: u64 = 4096;

/// Sequence numbers, of vertices and of requests, are below this, and prefixes of them not above:
/// adding to one cannot overflow.
pub const SEQ_END: u64 = 1 << 62;

/// Lengths of time in messages are at most this, eleven days: sums of a few cannot overflow.
pub const MICROS_MAX: u64 = 1_000_000_000_000;

/// The highest round of a ballot: the next one is still a number.
pub const ROUND_MAX: u32 = (1 << 31) - 1;

const _: () = assert!(
    PAYLOAD_LEN_MAX + NAMES_LEN_MAX <= COMMANDS_LEN_MAX
        && RESOURCES_PER_COMMAND_MAX * RESOURCE_LEN_MAX <= NAMES_LEN_MAX
        && SHOWN_LEN_MAX <= NAMES_LEN_MAX,
    "the largest command fits a vertex"
);

/// What a command counts for [`COMMANDS_LEN_MAX`]: its payload, the names of its resources and
/// ranges, and what it shows a predicate.
pub fn command_len(command: &Command) -> usize {
    let shown = if let Footprint::Predicate(shown) = &command.footprint { shown.len() } else { 0 };
    command.operation.payload_len() + names_len(&command.footprint) + shown
}

/// What a footprint counts for [`NAMES_LEN_MAX`].
pub fn names_len(footprint: &Footprint) -> usize {
    let resources = footprint.resources().iter().map(|(name, _)| name.len());
    let ranges = footprint.ranges().iter().map(|(range, _)| range.names_len());
    resources.chain(ranges).sum()
}

/// About how many bytes commands and dependencies take in a record.
pub fn record_len(commands: &Commands, deps: &DepSet) -> usize {
    const FIXED: usize = 32;
    let of_commands: usize =
        commands.as_slice().iter().map(|command| FIXED + command_len(command)).sum();
    FIXED + of_commands + size_of::<u64>() * deps.width()
}
