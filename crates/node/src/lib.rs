//! A node: the roles of the protocol on real threads, a real disk and a real network.
//!
//! [`Node::start`] takes a checked [`Config`], reads the journal back and runs one thread for each
//! role of the node and one for the journal:
//!
//! ```text
//!  network --> Admission --> Delivery --> inbox --> role loop --> Outbox --> network, inboxes
//!              (who, how    (decodes,              (handles what    ^
//!               long)        or holds               waits, then     |  sends, after the sync
//!                            the lane up)           flushes)        |
//!                                                      |            |
//!                                                      +-> journal loop (appends all that waits,
//!                                                          one write, one sync)
//! ```
//!
//! The roles are the same state machines that the simulator and the model checker run; what is here
//! only carries their effects out, and in the order that they ask for: a message that promises
//! something leaves after the sync of what its role appended before.
//!
//! A node whose journal is new asks the others first whether they know it from an earlier one, and has
//! no role before it knows. If they do, its promises are lost: it runs a replica and a relay for its
//! clients, and has no vote any more. The file `registry` in its data directory says so, and each
//! node's keeps the first number that it heard of the others (`registry_file.rs`).
//!
//! Tokio does the network and the admin pages, nothing else. A role never waits for the network, and
//! the journal waits for nobody; a role waits for the journal when that is behind, its inbox fills,
//! and the peers are held up. So nothing locks up, and memory is bounded ([`limits`]).
//!
//! A write or sync that fails ends the process at once: what was promised could not be kept.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use althing_model::{Conflicts, StateMachine};
//! # async fn run(machine: Box<dyn StateMachine>, conflicts: Arc<dyn Conflicts>)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use althing_node::{Config, Node};
//!
//! let config = Config::load("node-0.toml".as_ref())?;
//! let node = Node::start(config, machine, conflicts)?;
//! println!("{:?}", node.status().await);
//! node.shutdown().await?;
//! # Ok(())
//! # }
//! ```

mod admin;
mod bounded_conflicts;
mod builder;
mod clock;
pub mod config;
mod gate;
mod handle;
mod inbox;
mod journal_loop;
pub mod limits;
mod links;
mod metrics;
mod panic;
mod recovery;
mod registry_file;
mod registry_loop;
mod role_loop;
mod roles;
mod route;
mod set_aside;
mod snapshots;
mod start;
mod status;

pub use builder::NodeBuilder;
pub use config::{Config, ConfigError, ConfigFile};
pub use handle::{Addresses, NodeFailed, NodeHandle};
pub use metrics::install as install_metrics;
pub use panic::abort_on_panic;
pub use registry_file::RegistryError;
pub use set_aside::set_journal_aside;
pub use start::{Node, StartError};
pub use status::{
    CommitCounts, DiskBudget, FetchStatus, JournalStatus, LinkStatus, ProposerStatus,
    RegistryStatus, ReplicaStatus, RoundTripStatus, SnapshotStatus, Status,
};
