//! The deterministic world: the same roles that run in a node, over a virtual network, virtual
//! disks and virtual clocks. One seed is one run, the same in every repetition.
//!
//! [`Plan::draw`] draws from a seed what the run is: the cluster, the clients, the limits, the
//! families of faults. [`run`] runs it: first with faults, then without, until every client has its
//! answers and all replicas are equal. At every step the oracles of `althing-checker` look on; at
//! the end the clients' history is checked for linearizability.
//!
//! ```
//! use althing_sim::{Plan, run};
//! let report = run(&Plan::draw(7, 100)).expect("no property is violated");
//! assert_eq!(report, run(&Plan::draw(7, 100)).unwrap());
//! ```
//!
//! # Your own state machine
//!
//! Implement [`Application`], and run it under the same swarm with [`run_with`]. See
//! `examples/own_application.rs`.

pub mod app;
mod clients;
mod clock;
mod disk;
mod event;
mod fault;
mod limits;
mod network;
mod node;
mod observe;
mod plan;
mod run;
mod swarm;
pub mod trace;
mod world;

pub use app::{Application, Judgement};
pub use fault::{Edge, Family, Fault, FaultCounts, Trouble, Way};
pub use plan::{Builtin, DiskPlan, Episode, NamedProfile, NetworkPlan, Plan, Profile, Workload};
pub use run::{Failure, Report, run, run_traced, run_with};
pub use swarm::{Totals, run_caught, swarm};
