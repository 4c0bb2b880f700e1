//! Geo-latency benchmarks: one workload, run in a simulated world, on one machine with the distances
//! emulated, or on a real cluster, and what came of it as tables, plots and files.
//!
//! ```text
//! Workload -> a way to run it -> Results -> table, JSON, CSV, histograms, plots, HTML report
//! ```

// The sample of the example serves the tests in here too.
#[cfg(test)]
extern crate self as althing_bench;

pub mod cli;
mod error;
mod figures;
pub mod ground;
mod keys;
pub mod measure;
pub mod output;
mod protocol;
pub mod real;
pub mod results;
pub mod sim;
pub mod stress;
pub mod sweep;
pub mod workload;

pub use error::BenchError;
pub use protocol::Protocol;
pub use results::{Bucket, Mode, RegionRun, Results, Run};
pub use sweep::Sweep;
pub use workload::{Crash, Keys, Load, Workload};
