//! The guide: from the ideas to a cluster of your own, in the order in which one needs them.
//!
//! 1. [Concepts](concepts): what a leaderless engine does, in five minutes.
//! 2. [Your first state machine](first_state_machine): a program, three nodes, under 60 lines.
//! 3. [Conflict functions](conflict_functions): what may pass what.
//! 4. [Exactly once, time-outs and unknown outcomes](exactly_once).
//! 5. [Limits](limits): what is bounded, and what a bound costs.
//! 6. [From a program to a deployment](deployment).
//!
//! The texts lie in `crates/althing/docs/guide`; what is code in them is compiled by the tests.

#[doc = include_str!("../docs/guide/1-concepts.md")]
pub mod concepts {}

#[doc = include_str!("../docs/guide/2-first-state-machine.md")]
pub mod first_state_machine {}

#[doc = include_str!("../docs/guide/3-conflict-functions.md")]
pub mod conflict_functions {}

#[doc = include_str!("../docs/guide/4-exactly-once.md")]
pub mod exactly_once {}

#[doc = include_str!("../docs/guide/5-limits.md")]
pub mod limits {}

#[doc = include_str!("../docs/guide/6-deployment.md")]
pub mod deployment {}
