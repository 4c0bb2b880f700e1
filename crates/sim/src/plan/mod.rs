//! What a run is: everything that is drawn from its seed before it begins.

mod cluster;
mod draw;
mod episodes;
mod pruning;

pub(crate) use draw::pick;
pub use episodes::Episode;

use crate::app::{Application, Modes, Store, Transactions};
use crate::trace::MessageName;
use crate::{Family, Fault};
use althing_model::{Membership, Micros, NodeId};
use std::collections::{BTreeMap, BTreeSet};

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where all its randomness comes from.
    pub seed: u64,
    /// The name of the profile that it was drawn within, unless that is everything.
    pub profile: Option<&'static str>,
    /// The cluster.
    pub membership: Membership,
    /// What is replicated, where it is one of ours.
    pub builtin: Builtin,
    /// What the clients do.
    pub workload: Workload,
    /// The network while faults are on.
    pub network: NetworkPlan,
    /// The disks.
    pub disk: DiskPlan,
    /// Barriers and snapshots.
    pub snapshots: SnapshotPlan,
    /// The families of faults that the run has.
    pub families: BTreeSet<Family>,
    /// What goes wrong, and when; ascending.
    pub episodes: Vec<Episode>,
    /// Nodes whose disk is emptied or damaged on the way: they stay down.
    pub lost: BTreeMap<NodeId, Family>,
    /// Whether the cluster must survive what goes wrong; else only safety is asserted.
    pub is_survivable: bool,
    /// Whether messages between nodes are encoded and decoded, as on a wire.
    pub encodes: bool,
    /// What a minimiser has left out.
    pub cut: Cut,
    /// The proposers' limits.
    pub proposer_limits: althing_proposer::Limits,
    /// The proposers' patience.
    pub proposer_timing: althing_proposer::Timing,
    /// The replicas' limits.
    pub replica_limits: althing_replica::Limits,
    /// The replicas' patience.
    pub replica_timing: althing_replica::Timing,
    /// How long a client waits for one node, and in all.
    pub client_patience: (Micros, Micros),
}

/// What is left out of a run, to see whether it still fails without it (see [`crate::minimise`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cut {
    /// Only these messages between nodes arrive; all of them, where it is missing.
    pub delivered: Option<BTreeSet<MessageName>>,
    /// Operations that their clients pass over: which client, and its how many-th, from 1.
    pub omitted: BTreeSet<(usize, usize)>,
    /// The phase with faults ends at this virtual time, whatever the clients have done.
    pub ends_at: Option<Micros>,
}

/// What the clients do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Operations of all clients together.
    pub operations: usize,
    /// Clients; each has one operation in flight, or a few.
    pub clients: usize,
    /// Operations that a client has in flight.
    pub pipeline: usize,
    /// Whether some operations touch several keys.
    pub has_multi_key: bool,
    /// Keys that the clients share.
    pub hot_keys: u64,
    /// How many of 100 operations touch a shared key; the others touch keys of their client.
    pub hot_percent: u32,
    /// How many of 1,000 operations touch everything, where the application has such.
    pub everything_permille: u32,
}

impl Workload {
    /// A hundred operations of three clients on two keys.
    pub fn small() -> Self {
        Self {
            operations: 100,
            clients: 3,
            pipeline: 1,
            has_multi_key: false,
            hot_keys: 2,
            hot_percent: 90,
            everything_permille: 0,
        }
    }
}

/// The network of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkPlan {
    /// One-way delay of a message, at least and at most, by distance.
    pub delay: (Micros, Micros),
    /// What is added at random.
    pub jitter: Micros,
    /// Whether messages of one link keep their order.
    pub is_ordered: bool,
    /// How many of 1,000 messages are lost.
    pub loss_permille: u32,
    /// How many of 1,000 messages arrive twice.
    pub duplicate_permille: u32,
    /// How many of 10,000 messages arrive again up to a minute later.
    pub replay_per_10k: u32,
    /// How many of 1,000 messages take up to fifty times as long.
    pub tail_permille: u32,
    /// How long a message between the roles of one node takes, at most: each role is a thread.
    pub local: Micros,
}

/// The disks of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskPlan {
    /// How long a sync takes, at least and at most.
    pub sync: (Micros, Micros),
    /// Whether records go through the journal's own code, to a disk that tears writes.
    pub has_journal: bool,
}

/// The snapshots of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotPlan {
    /// How long writing one takes, at least and at most; fetching one takes as long at most.
    pub write: (Micros, Micros),
    /// How many of 1,000 cannot be written.
    pub fails_permille: u32,
    /// How many a node keeps.
    pub keep: usize,
    /// A client asks for a barrier when so many operations have ended; ascending.
    pub asked_after: Vec<usize>,
}

/// Which application of ours a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// The reference key-value store.
    Store,
    /// A drawn conflict function: so many modes, these pairs commute.
    Modes(usize, u16),
    /// Transactions of the reference store, on lists.
    Transactions,
}

impl Builtin {
    /// The application.
    pub fn application(self) -> Box<dyn Application> {
        match self {
            Self::Store => Box::new(Store),
            Self::Modes(modes, commuting) => Box::new(Modes::new(modes, commuting)),
            Self::Transactions => Box::new(Transactions),
        }
    }
}

impl Plan {
    /// The plan of that seed, with that many operations.
    pub fn draw(seed: u64, operations: usize) -> Self {
        draw::draw(seed, operations, &Profile::default())
    }

    /// The plan of that seed within a profile.
    pub fn draw_within(seed: u64, operations: usize, profile: &Profile) -> Self {
        draw::draw(seed, operations, profile)
    }

    /// Whether replicas ask for barriers.
    pub fn prunes(&self) -> bool {
        self.replica_limits.barrier_len > 0
    }

    /// How many single faults it has.
    pub fn faults_len(&self) -> usize {
        self.episodes.iter().map(|episode| episode.faults.len()).sum()
    }
}

/// What a plan may be drawn from; without limits, everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Its name, if it has one that is not the default's.
    pub name: Option<&'static str>,
    /// The number of nodes for which n, and f.
    pub quorums: Option<(u32, u32)>,
    /// The path.
    pub path: Option<althing_model::Path>,
    /// Only these families of faults.
    pub families: Option<BTreeSet<Family>>,
    /// All operations conflict: every client writes one key.
    pub all_conflict: bool,
}

impl Profile {
    /// The profile of that name.
    pub fn named(name: &str) -> Option<Self> {
        let (name, _, profile) = Self::ALL.iter().find(|named| named.0 == name)?;
        Some(Self { name: (*name != Self::DEFAULT).then_some(*name), ..profile() })
    }

    /// The name of the profile that has no limits.
    pub const DEFAULT: &str = "swarm";

    /// Every profile.
    pub const ALL: &[NamedProfile] = &[
        (Self::DEFAULT, "everything is drawn", Self::default),
        ("fast", "the fast path only", || Self {
            path: Some(althing_model::Path::Fast),
            ..Self::default()
        }),
        ("classic", "the classic path only", || Self {
            path: Some(althing_model::Path::Classic),
            ..Self::default()
        }),
        ("calm", "nothing goes wrong", || Self {
            families: Some(BTreeSet::new()),
            ..Self::default()
        }),
        ("all_conflict", "every command conflicts with every other", || Self {
            all_conflict: true,
            ..Self::default()
        }),
        (
            "disk",
            "disks fail, tear, rot and are wiped, and nodes crash; the network is well",
            || {
                use Family::*;
                Self {
                    families: Some(BTreeSet::from([
                        Crash,
                        CrashAll,
                        CrashAtEdge,
                        TornWrites,
                        SyncError,
                        BitRot,
                        Wipe,
                        SlowDisk,
                        SnapshotLoss,
                    ])),
                    ..Self::default()
                }
            },
        ),
        ("network", "the network fails; nodes and disks are well", || {
            use Family::*;
            Self {
                families: Some(BTreeSet::from([
                    Loss,
                    Bursts,
                    Duplication,
                    Replay,
                    Reordering,
                    Partition,
                    OneWay,
                    Swizzle,
                    Mute,
                    FalseSuspicion,
                    Lag,
                ])),
                ..Self::default()
            }
        }),
    ];
}

/// A profile's name, what it is, and itself.
pub type NamedProfile = (&'static str, &'static str, fn() -> Profile);

/// Faults of one episode with the time of each from its beginning.
pub(crate) type Timed = Vec<(Micros, Fault)>;
