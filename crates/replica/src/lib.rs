//! The replica: collects committed vertices into the conflict graph, executes it, answers clients
//! (`protocol` sections 6 and 7).
//!
//! [`ConflictGraph`] says what may be executed and in which order, [`Sessions`] makes each request
//! take effect once, [`Replica`] is the role: it learns commits, catches up with other replicas and
//! asks for the recovery of what blocks it. It also answers the reads that no vertex carries (section
//! 8), and clients watch what it executes (`watch`).

mod barrier;
mod blocked;
mod catch_up;
mod config;
mod demand;
mod divergence;
mod graph;
mod log;
mod pace;
mod prune;
mod read;
mod reads;
mod replica;
mod sessions;
mod snapshot;
mod watch;

pub use config::{Config, Limits, Timing, WatchLimits};
pub use divergence::Diverged;
pub use graph::{Component, ConflictGraph};
pub use read::ReadCounters;
pub use replica::{Counters, Replica, Step};
pub use sessions::Sessions;
pub use snapshot::{Snapshot, SnapshotPieces, piece};
pub use watch::WatchCounters;
