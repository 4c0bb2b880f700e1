//! The proposer: gives each command a vertex and drives it to commit, and recovers vertices that
//! others left behind (`protocol` sections 3 and 4).
//!
//! What is done for one vertex is a [`work::Work`], a sum type; this is its way, round by round:
//! ```text
//!  fast path   Anchoring -> Voting -> Concluding -> committed
//!                             |                      ^
//!                             +-> Fencing -> Proposing (round 1)
//!  classic     Depending -> Proposing (round 1) -> committed
//!  recovery    Preparing -> [Consulting ->] Proposing (round 2 and up) -> committed
//!  refused     any of these -> Waiting -> Preparing, in a higher round
//! ```
//! Files: `submission` takes commands from clients and answers them, `chain` keeps rule C1, `links`
//! chooses fast quorums, `placement`
//! says where contended commands are best proposed and `forward` brings them there, `fast`, `classic` and `recovery` are the three ways, `ballot` is phase 2
//! and commit, `prune` forgets what is in snapshots and proposes their barriers, `relay` stands
//! in for a proposer that lost its disk, `timer` resends,
//! `behaviour` tells states apart for model checkers.

mod ballot;
mod behaviour;
mod chain;
mod classic;
mod config;
mod fast;
mod forward;
mod links;
mod placement;
mod proposer;
mod prune;
mod recovery;
mod relay;
mod submission;
mod timer;
mod work;

pub use config::{Config, Limits, Timing};
pub use links::Link;
pub use proposer::{CommitPath, Counters, Proposer};
pub use relay::Relay;
