//! The client's side of exactly once, as a state machine: sessions, retries, failover
//! (`protocol` section 7).
//!
//! A request keeps its id over all its attempts, so that it takes effect at most once however often
//! and wherever it is submitted. It ends in one of three ways ([`Outcome`]): done, failed for sure,
//! unknown.

mod client;
mod watch;

pub use client::{Client, Config, Ended, OperationId, Output};
pub use outcome::{Failure, Outcome};
pub use watch::{Changes, Told, WatchConfig, WatchOutput, Watcher};

mod outcome;
