//! What must hold of a run, one file per property, and whether a client's history is linearizable.
//!
//! The crate knows no protocol and shares no code with one: a checker built from the parts that it
//! checks repeats their mistakes. Nodes and replicas are `u32`, values are digests, resources are
//! bytes; the caller translates.
//!
//! **While a run goes on**, the oracles are told what happened and answer at once. Each is
//! incremental (amortised near-constant time an event), so they run at every step of every
//! simulated run; a broken property is a [`Violation`] with an account that a person can read.
//!
//! | oracle | says |
//! | --- | --- |
//! | [`ConsensusConsistency`] | a vertex has at most one committed value, for ever |
//! | [`DependencyConflicts`] | of two conflicting commands answered by quorums, one names the other |
//! | [`CommittedConflicts`] | of two conflicting committed vertices, one reaches the other |
//! | [`Prepared`] | who proposes in a ballot of phase 1 has a quorum of promises on disk |
//! | [`CommittedHasQuorum`] | what is held as committed is on disk at a quorum |
//! | [`SameOrder`] | all replicas execute conflicting commands in one order |
//! | [`ExactlyOnce`] | a request executes at most once in a replica's life; its replies are equal |
//! | [`Nontriviality`] | only what was submitted is committed |
//! | [`AcceptorMonotone`] | ballots never fall, also across a crash |
//! | [`DurableFirst`] | what a node tells others is on its disk first |
//! | [`DurableAck`] | what was acknowledged is executed by every healed replica |
//! | [`SameBarrier`] | the n-th barrier is the same point of the order at every replica |
//! | [`FloorHeld`] | what is forgotten is held by enough snapshots, and stays forgotten |
//! | [`Bounded`] | every queue, map and buffer is at most its limit |
//! | [`Accounted`] | every operation ends as done, failed for sure, or unknown |
//!
//! **When it is over**, there are two ways to ask whether the clients' [`History`] is linearizable.
//! [`RealTimeOrder`] takes the order in which a replica executed and decides at once whether it
//! respects real time; [`linearizable::explains`] then compares every output along that order with
//! a [`Specification`] (such as [`RegisterMap`]). [`linearizable::check`] knows the history alone
//! and searches for an order; it may have to give up.
//!
//! Of transactions that append to lists and read them, [`list_append::check`] decides whether they are
//! strictly serializable, from the history alone and without a search, and shows the smallest cycle
//! where they are not.
//!
//! Of the run itself, [`Converges`] says whether everything came to rest after the last fault, and
//! [`Exercised`] whether the run did what it claims: if not, it is invalid rather than right.
//!
//! ```
//! use althing_checker::{History, RegisterMap, Verdict, linearizable, register_map::{Input, Output}};
//!
//! let mut history = History::new();
//! let put = history.invoked(1, 0, Input::put("colour", "red"));
//! history.returned(put, 10, Output::Done);
//! let get = history.invoked(2, 20, Input::get("colour"));
//! history.returned(get, 30, Output::Value(None));
//! let verdict = linearizable::check(&RegisterMap, &history, linearizable::BUDGET_STEPS);
//! assert!(matches!(verdict, Verdict::NotLinearizable(_)));
//! ```

pub mod accounted;
pub mod barriers;
pub mod bounded;
pub mod conflicts;
pub mod consensus;
pub mod converges;
pub mod dependency;
pub mod durable;
pub mod durable_first;
pub mod exactly_once;
pub mod exercised;
mod fast_register;
pub mod floor;
pub mod footprint;
pub mod history;
pub mod linearizable;
pub mod list_append;
pub mod lives;
pub mod monotone;
pub mod nontrivial;
pub mod order;
mod partition;
pub mod prepared;
pub mod quorum;
pub mod real_time;
pub mod register_map;
mod search;
pub mod specification;
pub mod violation;

pub use accounted::{Accounted, Ending};
pub use barriers::SameBarrier;
pub use bounded::Bounded;
pub use conflicts::{ColumnDependencies, CommittedConflicts, Vertex};
pub use consensus::ConsensusConsistency;
pub use converges::Converges;
pub use dependency::DependencyConflicts;
pub use durable::DurableAck;
pub use durable_first::DurableFirst;
pub use exactly_once::ExactlyOnce;
pub use exercised::Exercised;
pub use floor::FloorHeld;
pub use footprint::{Commutes, Footprint};
pub use history::{History, HistoryError, Operation, OperationId, Outcome};
pub use linearizable::{Account, Verdict};
pub use lives::Checkpoint;
pub use monotone::AcceptorMonotone;
pub use nontrivial::Nontriviality;
pub use order::SameOrder;
pub use prepared::Prepared;
pub use quorum::CommittedHasQuorum;
pub use real_time::RealTimeOrder;
pub use register_map::RegisterMap;
pub use specification::{Outline, Specification};
pub use violation::Violation;
