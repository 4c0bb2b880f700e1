//! Tries whether commands that a conflict function says commute do.
//!
//! A conflict function that says "commutes" wrongly corrupts replicas silently: they execute the two
//! commands in different orders, and differ for ever after. One that says "conflicts" needlessly makes
//! commands wait for each other. An audit draws commands, executes them in every order that the
//! conflict function allows, and either comes back with a [`Counterexample`], as small as it could be
//! made, or with a [`Report`] that also names the kinds of commands that conflict for nothing.
//!
//! ```
//! use althing_audit::Audit;
//! use althing_kv::{KvCommand, KvConflicts, Store};
//! use proptest::prelude::*;
//!
//! // Few keys and small numbers, so that commands meet.
//! let key = || prop::sample::select(vec!["a", "b"]);
//! let command = prop_oneof![
//!     key().prop_map(|key| KvCommand::Get { key: key.into() }),
//!     (key(), 0i64..3).prop_map(|(key, by)| KvCommand::Add { key: key.into(), by }),
//!     (key(), 0i64..3).prop_map(|(key, by)| KvCommand::Increment { key: key.into(), by }),
//! ];
//! let report = Audit::new(Store::default, KvConflicts::default())
//!     .commands(command, KvCommand::encode)
//!     .cases(500)
//!     .assert();
//! assert_eq!(report.lost().count(), 0);
//! ```
//! In a test, [`CommandAudit::assert`] panics with the counterexample; [`CommandAudit::run`] returns
//! it.
//!
//! # What a case is
//! Up to eight commands, some of them equal, most of them of a few kinds only, after those of the setup,
//! if there is one ([`CommandAudit::setup`]). They are executed by a fresh machine in the order drawn; then again with
//! each two neighbours exchanged; then all of them in the order that is farthest from the one drawn, of
//! those in which commands that conflict keep theirs. [`Law`] lists what must hold, and in which order
//! that is checked. A case takes about as many executions as it has commands, squared.
//!
//! # What it cannot find
//! - What the strategy does not draw: keys that never meet, kinds that are left out.
//! - Differences that no digest and no later reply of the same case shows.
//! - A payload that the strategy does not encode. Give the conflict function hostile payloads in a
//!   test of its own: it must refuse what the state machine cannot execute.
//!
//! An audit is a search, not a proof: it passes what it did not find wrong.

mod audit;
mod counterexample;
mod laws;
pub mod limits;
mod report;
mod script;
mod show;
mod subject;

pub use audit::{Audit, CommandAudit, Progress};
pub use counterexample::{Counterexample, Shown};
pub use laws::{Law, Outcome};
pub use report::{Gain, Pairs, Report};
