//! What goes wrong in a run: single faults, the families that a run switches on and off, and how
//! often each kind of trouble happened.

use althing_model::{Micros, NodeId};
use althing_wire::Kind;
use std::fmt;

/// One thing that goes wrong, or that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The node stops at once; what was not synced is lost, but for some of it.
    Crash(NodeId),
    /// The node stops when it next writes a record.
    CrashAt {
        /// The node.
        node: NodeId,
        /// Only of this kind, as in `NodeRecord::KINDS`.
        record: Option<u8>,
        /// When exactly.
        edge: Edge,
        /// How much later it starts again.
        back: Micros,
    },
    /// It starts again from what its disk holds.
    Restart(NodeId),
    /// The node's messages to and from others are lost.
    Cut {
        /// The node.
        node: NodeId,
        /// Which of them.
        way: Way,
    },
    /// Messages from one node to another are lost.
    Block {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
    },
    /// The node's messages of one kind to others are lost, and no others.
    Mute {
        /// The node.
        node: NodeId,
        /// The kind.
        kind: Kind,
        /// To this node only; else to all.
        to: Option<NodeId>,
    },
    /// What was cut, blocked or muted of this node arrives again.
    Heal(NodeId),
    /// The node does nothing for so long, and then goes on with what arrived.
    Pause(NodeId, Micros),
    /// Each message takes the node so long from now on; 0 ends it.
    Slow(NodeId, Micros),
    /// Each sync takes the node so much longer from now on; 0 ends it.
    SlowDisk(NodeId, Micros),
    /// The node's next sync fails: it ends at once, and what reached the disk is unknown.
    SyncFails(NodeId),
    /// A bit of what the node has on disk changes; it is restarted and must not take it for good.
    Rot(NodeId),
    /// The node stops and its disk is emptied: it has forgotten promises, and stays down.
    Wipe(NodeId),
    /// The node stops, and its snapshots are lost; its journal is not.
    LoseSnapshots(NodeId),
    /// The node's clock jumps.
    Jump(NodeId, i64),
    /// The node's clock runs so many millionths too fast.
    Drift(NodeId, i32),
    /// A node believes another to be down, or up again, whatever it is.
    Suspect {
        /// Who believes it.
        by: NodeId,
        /// Of whom.
        of: NodeId,
        /// What.
        is_up: bool,
    },
    /// So many of 1,000 messages are lost for so long.
    Burst(u32, Micros),
    /// A client goes away, with what it began; another takes its place.
    ClientGone(usize),
}

/// Where in a write a node stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// Appended, and no sync begun for it.
    BeforeSync,
    /// While its sync runs: any part of it may have reached the disk.
    InSync,
    /// Synced, and nothing that it makes visible has left.
    AfterSync,
    /// The first of the messages that it makes visible has left, the others have not.
    AfterFirstSend,
}

impl Edge {
    /// Every edge.
    pub const ALL: [Self; 4] =
        [Self::BeforeSync, Self::InSync, Self::AfterSync, Self::AfterFirstSend];
}

/// Which messages of a node that is cut off are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Those to it and from it.
    Both,
    /// Those to it.
    In,
    /// Those from it.
    Out,
}

macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $type { $($(#[$variant_doc])* $variant,)* }

        impl $type {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

named! {
    /// A family of faults, which a run has or has not.
    Family {
        /// Single messages are lost.
        Loss = "loss",
        /// Many messages are lost for a short time.
        Bursts = "bursts",
        /// Messages arrive twice.
        Duplication = "duplication",
        /// Copies of messages arrive seconds later, also after a restart.
        Replay = "replay",
        /// Messages overtake each other on one link; some take very long.
        Reordering = "reordering",
        /// The nodes fall into groups that cannot reach each other.
        Partition = "partition",
        /// Some nodes can be heard and not reached, or the other way round.
        OneWay = "one_way",
        /// Nodes are cut off one by one, and let in again in another order.
        Swizzle = "swizzle",
        /// One kind of message of a node is lost.
        Mute = "mute",
        /// A proposer is cut off step by step, and then stops.
        Strand = "strand",
        /// Nodes stop and start again.
        Crash = "crash",
        /// All nodes stop at once.
        CrashAll = "crash_all",
        /// A node stops at an edge of a write.
        CrashAtEdge = "crash_at_edge",
        /// The journal's own code runs over a disk that tears unsynced writes.
        TornWrites = "torn_writes",
        /// A sync fails.
        SyncError = "sync_error",
        /// A bit changes on the disk of at most f nodes.
        BitRot = "bit_rot",
        /// At most f nodes lose their disk.
        Wipe = "wipe",
        /// Nodes do nothing for a while.
        Pause = "pause",
        /// Nodes are slow.
        SlowNode = "slow_node",
        /// Disks are slow.
        SlowDisk = "slow_disk",
        /// Clocks jump.
        ClockJump = "clock_jump",
        /// Clocks run too fast or too slow.
        ClockDrift = "clock_drift",
        /// Nodes take others for down that are up.
        FalseSuspicion = "false_suspicion",
        /// Clients go away in the midst of what they do.
        ClientGone = "client_gone",
        /// A node is down or cut off for long, while the others prune.
        Lag = "lag",
        /// A node loses its snapshots, and keeps its journal.
        SnapshotLoss = "snapshot_loss",
    }
}

named! {
    /// A kind of trouble, as it is counted.
    Trouble {
        /// Nodes that stopped, for whatever reason.
        Crashes = "crashes",
        /// Of these, at an edge of a write.
        EdgeCrashes = "edge_crashes",
        /// Of these, all nodes at once.
        CrashesOfAll = "crashes_of_all",
        /// Nodes that started again.
        Restarts = "restarts",
        /// Links cut in both directions.
        Cuts = "cuts",
        /// Links cut in one direction.
        OneWayCuts = "one_way_cuts",
        /// Rounds of cutting nodes off one by one.
        Swizzles = "swizzles",
        /// Kinds of messages muted.
        Mutes = "mutes",
        /// Proposers stranded.
        Strandings = "strandings",
        /// Nodes paused.
        Pauses = "pauses",
        /// Nodes slowed down.
        SlowNodes = "slow_nodes",
        /// Disks slowed down.
        SlowDisks = "slow_disks",
        /// Clocks that jumped.
        ClockJumps = "clock_jumps",
        /// Clocks that drifted.
        ClockDrifts = "clock_drifts",
        /// False suspicions.
        Suspicions = "suspicions",
        /// Syncs that failed.
        SyncErrors = "sync_errors",
        /// Bits that changed on a disk.
        BitRot = "bit_rot",
        /// Damaged disks that were refused.
        Refusals = "damage_refused",
        /// Disks that were emptied.
        Wipes = "wipes",
        /// Bursts of loss.
        Bursts = "bursts",
        /// Clients that went away.
        ClientsGone = "clients_gone",
        /// Messages lost.
        Lost = "lost",
        /// Messages that arrived twice.
        Duplicated = "duplicated",
        /// Messages that arrived again much later.
        Replayed = "replayed",
        /// Messages that overtook an earlier one of their link.
        Overtaken = "overtaken",
        /// Records that were lost because they were not synced.
        Unsynced = "unsynced",
        /// Records that survived although they were not synced.
        Survived = "survived_unsynced",
        /// Journals whose torn end was cut at a restart.
        Torn = "torn",
        /// Nodes down or cut off for long.
        Lags = "lags",
        /// Snapshots that were written.
        SnapshotsSaved = "snapshots_saved",
        /// Snapshots that could not be written.
        SnapshotsFailed = "snapshots_failed",
        /// Snapshots that came from another node.
        SnapshotsFetched = "snapshots_fetched",
        /// Of these, those that were installed.
        SnapshotsInstalled = "snapshots_installed",
        /// Nodes that lost their snapshots.
        SnapshotsLost = "snapshots_lost",
        /// Records that were trimmed.
        Trimmed = "records_trimmed",
    }
}

impl Family {
    /// Whether only runs with barriers have it; these draw it apart.
    pub(crate) fn is_of_pruning(self) -> bool {
        matches!(self, Self::Lag | Self::SnapshotLoss)
    }

    /// What must have happened at least once in a run that has this family, or the run did not do
    /// what it claims.
    pub fn evidence(self) -> Trouble {
        match self {
            Self::Loss => Trouble::Lost,
            Self::Bursts => Trouble::Bursts,
            Self::Duplication => Trouble::Duplicated,
            Self::Replay => Trouble::Replayed,
            Self::Reordering => Trouble::Overtaken,
            Self::Partition => Trouble::Cuts,
            Self::OneWay => Trouble::OneWayCuts,
            Self::Swizzle => Trouble::Swizzles,
            Self::Mute => Trouble::Mutes,
            Self::Strand => Trouble::Strandings,
            Self::Crash | Self::TornWrites => Trouble::Crashes,
            Self::CrashAll => Trouble::CrashesOfAll,
            Self::CrashAtEdge => Trouble::EdgeCrashes,
            Self::SyncError => Trouble::SyncErrors,
            Self::BitRot => Trouble::BitRot,
            Self::Wipe => Trouble::Wipes,
            Self::Pause => Trouble::Pauses,
            Self::SlowNode => Trouble::SlowNodes,
            Self::SlowDisk => Trouble::SlowDisks,
            Self::ClockJump => Trouble::ClockJumps,
            Self::ClockDrift => Trouble::ClockDrifts,
            Self::FalseSuspicion => Trouble::Suspicions,
            Self::ClientGone => Trouble::ClientsGone,
            Self::Lag => Trouble::Lags,
            Self::SnapshotLoss => Trouble::SnapshotsLost,
        }
    }
}

/// How often what went wrong in a run, or in several.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FaultCounts([u64; Trouble::ALL.len()]);

impl FaultCounts {
    /// How often.
    pub fn of(&self, trouble: Trouble) -> u64 {
        self.0[trouble as usize]
    }

    /// Each kind of trouble, and how often it happened.
    pub fn iter(&self) -> impl Iterator<Item = (Trouble, u64)> {
        Trouble::ALL.iter().map(|trouble| (*trouble, self.of(*trouble)))
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }

    pub(crate) fn count(&mut self, trouble: Trouble) {
        self.count_many(trouble, 1);
    }

    pub(crate) fn count_many(&mut self, trouble: Trouble, count: u64) {
        self.0[trouble as usize] += count;
    }
}

impl Default for FaultCounts {
    fn default() -> Self {
        Self([0; Trouble::ALL.len()])
    }
}

impl fmt::Debug for FaultCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().filter(|(_, count)| *count > 0).map(|(of, n)| (of.name(), n)))
            .finish()
    }
}
