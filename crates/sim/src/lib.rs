//! The deterministic world: the same roles that run in a node, over a virtual network, virtual
//! disks and a virtual clock. One seed is one run, the same in every repetition.
//!
//! [`Plan::draw`] draws from a seed what the run is: the cluster, the clients, the limits, the
//! faults. [`run`] runs it: first with faults, then without, until every client has its answers and
//! all replicas are equal. At every step the oracles of `althing-checker` look on; at the end the
//! clients' history is checked for linearizability.
//!
//! ```
//! use althing_sim::{Plan, run};
//! let report = run(&Plan::draw(7, 100)).expect("no property is violated");
//! assert_eq!(report, run(&Plan::draw(7, 100)).unwrap());
//! ```

mod clients;
mod disk;
mod faults;
mod limits;
mod network;
mod node;
mod observe;
mod plan;
mod run;
mod workload;
mod world;

pub use faults::{Fault, FaultCounts};
pub use plan::Plan;
pub use run::{Failure, Report, run, run_traced};
