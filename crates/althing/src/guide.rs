//! The guide: from the ideas to a cluster of your own, in the order in which one needs them.
//!
//! 1. [Concepts](concepts): what a leaderless engine does, in five minutes.
//! 2. [Your first state machine](first_state_machine): a program, three nodes, under 60 lines.
//! 3. [Conflict functions](conflict_functions): what may pass what, in three levels, and without
//!    recompiling.
//! 4. [The audit](audit): commands wrongly called commuting, found before they are deployed.
//! 5. [Exactly once, time-outs and unknown outcomes](exactly_once).
//! 6. [Reads](reads): linearizable, a session's and stale ones, and when they are commands.
//! 7. [Transactions and watches](transactions_and_watches).
//! 8. [Limits](limits): what is bounded, and what a bound costs.
//! 9. [From a program to a deployment](deployment).
//!
//! The texts lie in `crates/althing/docs/guide`; what is code in them is compiled by the tests.

#[doc = include_str!("../docs/guide/1-concepts.md")]
pub mod concepts {}

#[doc = include_str!("../docs/guide/2-first-state-machine.md")]
pub mod first_state_machine {}

#[doc = include_str!("../docs/guide/3-conflict-functions.md")]
pub mod conflict_functions {}

#[doc = include_str!("../docs/guide/4-audit.md")]
pub mod audit {}

#[doc = include_str!("../docs/guide/5-exactly-once.md")]
pub mod exactly_once {}

#[doc = include_str!("../docs/guide/6-reads.md")]
pub mod reads {}

#[doc = include_str!("../docs/guide/7-transactions-and-watches.md")]
pub mod transactions_and_watches {}

#[doc = include_str!("../docs/guide/8-limits.md")]
pub mod limits {}

#[doc = include_str!("../docs/guide/9-deployment.md")]
pub mod deployment {}
