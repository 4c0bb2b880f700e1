//! Every limit of the runtime, with the memory that it implies. Those that an operator may want to
//! change are defaults of the configuration's `[limits]`.
//!
//! What a node holds for others, at worst: each role's inbox ([`INBOX_BYTES`] of bodies, of which a
//! decoded message takes a few times its length), the queue to the journal ([`JOURNAL_QUEUE_LEN`]
//! times [`DRAIN_BYTES`], 64 MiB), the journal's group buffer (16 MiB), and what the transport and
//! the roles say of themselves.

use althing_wire::{Kind, frame, limits as wire};
use std::time::Duration;

/// Nodes of a cluster.
pub const NODES_MAX: usize = 64;

/// Inputs that a role handles before its effects are carried out and its journal records leave
/// together.
pub const DRAIN_LEN: usize = 256;

/// Bytes of messages from the network after which a role carries its effects out, even if more
/// inputs wait: what one entry of the journal's queue is bounded by.
pub const DRAIN_BYTES: usize = 1 << 20;

/// Messages from the network that wait for a role; beyond it their lanes are held up. Messages from
/// roles of the same node always enter: what is in flight bounds them.
pub const INBOX_LEN: usize = 16_384;

/// Bytes of the bodies of those messages: 32 MiB for each role.
pub const INBOX_BYTES: usize = 32 << 20;

/// Entries that wait for the journal, each what one role appended in one turn. A role that finds it
/// full waits, its inbox fills, and the network is held up: a slow disk slows the node down instead
/// of filling its memory. The journal never waits for a role, so nothing locks up.
pub const JOURNAL_QUEUE_LEN: usize = 64;

/// Entries that one commit of the journal takes at most.
pub const JOURNAL_DRAIN_LEN: usize = 1024;

/// The smallest journal segment: it has room for the largest record.
pub const SEGMENT_MIB_MIN: u64 = 8;

/// The largest journal segment.
pub const SEGMENT_MIB_MAX: u64 = 1024;

/// The longest time-out that a configuration may ask for: one hour.
pub const TIMEOUT_MS_MAX: u64 = 3_600_000;

/// How often a node with a new journal asks the others whether they know it from an earlier one. One
/// that lost its disk tells them eight times less often.
pub const ASK_EVERY: Duration = Duration::from_millis(100);

/// The longest that the registry's thread sleeps.
pub const REGISTRY_WAIT_MAX: Duration = Duration::from_secs(60);

/// How often links are looked at.
pub const LINKS_EVERY: Duration = Duration::from_millis(50);

/// How long the status page waits for a role that is busy.
pub const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a role publishes its status and its metrics.
pub const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// How often the metrics exporter folds its histograms, so that they do not grow while nobody
/// scrapes them.
pub const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Threads of the asynchronous runtime, for the network and the admin pages.
pub const IO_THREADS: usize = 2;

/// Contended keys that are counted and placed unless the configuration says otherwise: 200 KiB. With
/// five nodes a placement takes 60 to 310 microseconds: each key at most four times in twenty seconds, and
/// whenever the commands on it have doubled.
pub const PLACEMENTS: usize = 256;

/// Parts of snapshots, and asks for them, that wait for the snapshots' thread. Nobody has more on the way
/// than [`althing_snapshot::limits::ASKS_MAX`], 2 MiB; what comes when it is full is dropped, and asked
/// for again, so that no lane is held up.
pub const SNAPSHOT_INBOX_LEN: usize = 1024;

/// Bytes of them.
pub const SNAPSHOT_INBOX_BYTES: usize = 8 << 20;

/// Bytes of a snapshot that are written before other nodes are answered.
pub const SAVE_TURN_BYTES: u64 = 256 << 10;

/// Messages that wait for the registry, of a few bytes each: nodes ask one at a time.
pub const REGISTRY_INBOX_LEN: usize = 1024;

/// How long a snapshot is kept for a node that fetches it and has stopped asking.
pub const PIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long nothing is fetched after the disk failed.
pub const FETCH_AGAIN: Duration = Duration::from_secs(1);

/// Snapshots kept unless the configuration says otherwise.
pub const SNAPSHOTS_KEPT: usize = 2;

/// Vertices executed between two barriers unless the configuration says otherwise: each role holds about
/// 1 KiB a vertex for two such spans, 100 MiB.
pub const BARRIER_VERTICES: u64 = 50_000;

/// How often a replica finds out how old its state is, so that the first stale read is told.
pub const PROBE_EVERY: Duration = Duration::from_secs(1);

/// How often the journal is trimmed, and the disk looked at, at most.
pub const TRIM_EVERY: Duration = Duration::from_secs(1);

/// How far a replica may be behind before that is worth a word.
pub const LAG_TOLD: u64 = 1000;

/// The longest body of a message of that kind: known before a byte of it is read.
pub fn body_len_max(kind: Kind) -> u32 {
    // Numbers, ids and lengths around the data of a message.
    const FRAMING: u32 = 64 << 10;
    // 4096 columns and 65,536 members, with at most 20 bytes each.
    const DEPS: u32 = ((wire::COLUMNS_MAX + wire::EXTRAS_MAX) * 20) as u32;
    match kind {
        Kind::Read => wire::PAYLOAD_LEN_MAX as u32 + DEPS + FRAMING,
        Kind::ReadDepended => DEPS + FRAMING,
        // One resource.
        Kind::ReadDepend => 4 << 10,
        Kind::Submit | Kind::Forward | Kind::Relay => wire::PAYLOAD_LEN_MAX as u32 + 4 * FRAMING,
        Kind::PreAccepted | Kind::Conclude | Kind::Depended => DEPS + FRAMING,
        Kind::Frontier | Kind::PruneAcceptor | Kind::PruneDependency | Kind::PruneProposer => {
            2 * DEPS + FRAMING
        }
        // Two names, or one, beside the token.
        Kind::Watch => DEPS + FRAMING,
        Kind::SnapshotChunk => wire::CHUNK_LEN_MAX as u32 + FRAMING,
        Kind::Concluded
        | Kind::Inspect
        | Kind::Prepare
        | Kind::Accepted
        | Kind::Refused
        | Kind::Recover
        | Kind::Pruned
        | Kind::BarrierDue
        | Kind::SnapshotOffer
        | Kind::SnapshotAsk
        | Kind::Register
        | Kind::Registered
        | Kind::WatchTaken
        | Kind::Unwatch
        | Kind::WatchEnded
        | Kind::Reserved => 1 << 10,
        // 64 nodes with a number each, and one resource.
        Kind::Demand | Kind::Distances => 4 << 10,
        Kind::PreAccept
        | Kind::Depend
        | Kind::Inspected
        | Kind::Promised
        | Kind::Accept
        | Kind::Chosen
        | Kind::Commit
        | Kind::Learned
        | Kind::Executed
        | Kind::Served
        | Kind::Relayed
        | Kind::Answer
        | Kind::ReadAnswer
        | Kind::Watched => frame::BODY_LEN_MAX,
    }
}

/// Fuel for a call of a conflict function in WebAssembly: a few milliseconds of a proposer's thread.
pub const MODULE_FUEL: u64 = 1_000_000;

/// Memory for such a call, in MiB.
pub const MODULE_MEMORY_MIB: usize = 16;
/// Connections of Redis clients at a time, unless the configuration says otherwise.
pub const RESP_CLIENTS: usize = 1000;
