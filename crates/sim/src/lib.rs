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
//! Implement [`Application`], and run it under the same swarm with [`swarm_with`], or one plan with
//! [`run_with`]. `examples/own_application.rs` is a small bank, to be read from its top.
//!
//! # When a seed fails
//!
//! [`run_traced`] tells every event, [`chart::Chart`] draws them, and [`minimise`] looks for a small
//! run that fails in the same way. `althing sim` does all of this from the command line.

pub mod app;
pub mod chart;
mod clients;
mod clock;
mod codec;
mod disk;
mod event;
mod fault;
mod limits;
mod minimise;
mod network;
mod node;
mod observe;
mod plan;
mod rights;
mod run;
mod shelf;
mod swarm;
pub mod trace;
mod watchers;
mod world;

pub use app::{Application, Judgement, Level, Seen};
pub use fault::{Edge, Family, Fault, FaultCounts, Trouble, Way};
pub use minimise::{Minimal, Progress, minimise};
pub use plan::{
    Builtin, Cut, DiskPlan, Episode, NamedProfile, NetworkPlan, Plan, Profile, SnapshotPlan,
    Workload,
};
pub use run::{Failure, Report, run, run_traced, run_traced_caught, run_with};
pub use swarm::{Totals, run_caught, swarm, swarm_with};
