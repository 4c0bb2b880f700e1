//! What a replica is told at its start.

use althing_model::{Membership, Micros, ModeTable, NodeId};

/// A replica's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its own node.
    pub me: NodeId,
    /// Who else there is.
    pub membership: Membership,
    /// Which modes commute.
    pub modes: ModeTable,
    /// Whether a voter on this node records the commits, and tells them.
    pub has_voter: bool,
    /// Whether a proposer runs on this node: not on one that lost its disk, whatever the membership.
    pub has_proposer: bool,
    /// For randomised time-outs.
    pub seed: u64,
    /// When to act unasked.
    pub timing: Timing,
    /// How much it sends at a time.
    pub limits: Limits,
}

/// When a replica acts unasked. All times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long an uncommitted vertex may block others before its recovery is asked for, at most;
    /// randomised from a third of it up.
    pub recover: Micros,
    /// How often another replica is told what is committed here, to learn what is missing.
    pub catch_up: Micros,
    /// How far back it counts who touches a resource.
    pub demand: Micros,
    /// The least time between two barriers, unless memory presses.
    pub barrier_least: Micros,
    /// How long a read may wait for others' answers, or for what it has to see, before its client is
    /// sent elsewhere.
    pub read: Micros,
    /// How often a replica finds out how old its state is, though nobody asks for stale reads; 0 for
    /// never. While somebody does, it does so as often as it catches up.
    pub probe: Micros,
    /// The time after which a barrier is due, however little was executed since the last one; none
    /// is where nothing was.
    pub barrier_most: Micros,
    /// How long a watch waits for its token to be executed here.
    pub watch_wait: Micros,
    /// How often an idle watcher is told a token.
    pub watch_tell: Micros,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            recover: 1_000_000,
            catch_up: 200_000,
            demand: 20_000_000,
            read: 2_000_000,
            probe: 0,
            barrier_least: 5_000_000,
            barrier_most: 300_000_000,
            watch_wait: 5_000_000,
            watch_tell: 1_000_000,
        }
    }
}

/// How much a replica sends at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Vertices sent to a replica that lacks them, in answer to one request.
    pub catch_up_len_max: usize,
    /// Payload bytes sent in answer to one request; at least one vertex is.
    pub catch_up_bytes_max: usize,
    /// Numbers above the prefix that a request names in one column; later ones may be sent twice.
    pub frontier_extras_max: usize,
    /// Resources for which it counts who touches them, in each half of the window, about 400 bytes
    /// each; 0 for none, and then no command is forwarded to a better placed proposer.
    pub demand_len_max: usize,
    /// Vertices executed since the last barrier that make the next one due; 0 for no barriers. All
    /// roles keep what is above the last barrier but one, about 1 KiB a vertex beside its payloads.
    pub barrier_len: u64,
    /// The same in bytes, payloads and about 300 bytes a vertex.
    pub barrier_bytes: u64,
    /// Values kept for replicas that lack them; beyond it only those that no snapshot on disk holds.
    pub log_len_max: usize,
    /// The same in bytes, payloads and about 300 bytes a vertex.
    pub log_bytes_max: usize,
    /// Reads that wait, about 300 bytes each beside their payloads and tokens; more are turned away.
    pub reads_len_max: usize,
    /// Payload bytes of these; at least one read may wait.
    pub reads_bytes_max: usize,
    /// Vertices that are written down again with each message, after a snapshot.
    pub rewrite_len_max: usize,
    /// The same in bytes; at least one vertex is.
    pub rewrite_bytes_max: usize,
    /// Watching.
    pub watch: WatchLimits,
}

/// What clients that watch may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchLimits {
    /// Executed vertices kept for watchers that go on from a token or take slowly, about 200 bytes each
    /// beside what the log keeps anyway; 0 for none, and then nobody can watch.
    pub feed_len_max: usize,
    /// The same in bytes, payloads and replies and about 300 bytes a vertex; the last one is kept all
    /// the same.
    pub feed_bytes_max: usize,
    /// Watches of all clients. Each command is held against all that watch a range or everything.
    pub watches_max: usize,
    /// Watches of one client.
    pub watches_per_client_max: usize,
    /// Messages to a watcher that its client has not taken in; beyond it, or beyond 1 MiB and one message
    /// more, it is told nothing more.
    pub untaken_len_max: usize,
    /// Positions noted for a watcher that cannot be told of them yet, 8 bytes each. One with more is told
    /// from what is kept, at more work.
    pub pending_len_max: usize,
}

impl Default for WatchLimits {
    fn default() -> Self {
        Self {
            feed_len_max: 32_768,
            feed_bytes_max: 32 << 20,
            watches_max: 1024,
            watches_per_client_max: 64,
            untaken_len_max: 64,
            pending_len_max: 1024,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            catch_up_len_max: 2048,
            catch_up_bytes_max: 1 << 20,
            frontier_extras_max: 1024,
            demand_len_max: 0,
            barrier_len: 0,
            barrier_bytes: 32 << 20,
            log_len_max: 100_000,
            log_bytes_max: 64 << 20,
            reads_len_max: 16_384,
            reads_bytes_max: 64 << 20,
            rewrite_len_max: 64,
            rewrite_bytes_max: 256 << 10,
            watch: WatchLimits::default(),
        }
    }
}
