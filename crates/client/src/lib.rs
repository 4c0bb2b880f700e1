//! The client's side of exactly once, as a state machine: sessions, retries, failover
//! (`protocol` section 7).
//!
//! A request keeps its id over all its attempts, so that it takes effect at most once however often
//! and wherever it is submitted. It ends in one of three ways ([`Outcome`]): done, failed for sure,
//! unknown.
//!
//! Reads need no id: they may be asked any number of times ([`Consistency`]). The client keeps what it
//! has seen executed, and brings it along for its session's reads.

mod client;
mod read;
mod watch;

pub use client::{Client, Config, Ended, OperationId, Output, Way};
pub use outcome::{Failure, Outcome};
pub use read::Consistency;
pub use watch::{Changes, Told, WatchConfig, WatchOutput, Watcher};

mod outcome;
