//! Althing: state machine replication without a leader.
//!
//! Write a state machine, say what each of its commands touches, and run it on several nodes, in as
//! many regions as you like: commands that commute never wait for each other, and every region commits
//! in one round trip to its nearest quorum.
#![doc = "```no_run"]
#![doc = include_str!("../examples/votes.rs")]
#![doc = "```"]
//!
//! The [`guide`] goes on from there: conflict functions, exactly-once, unknown
//! outcomes, limits.
//!
//! | to | use |
//! | --- | --- |
//! | write a state machine of typed commands | [`TypedMachine`], [`Typed`], [`TypedConflicts`] |
//! | write one over bytes, for large states | [`StateMachine`], [`Conflicts`] |
//! | run a node in a program | [`Node::builder`] |
//! | try a cluster in this process | [`LocalNodes`] |
//! | ask a cluster | [`Client`], [`TypedClient`], [`KvClient`] |
//! | put your state machine under every fault | the crate `althing-sim` |
//!
//! # Features
//! `command`, on by default, is the `althing` program and what it is made of. Embedders leave it out
//! (`default-features = false`): a node then builds without the simulator, the benchmarks and the
//! command line.

#[cfg(mutants)]
compile_error!(
    "the althing command is not built with planted faults: `--cfg mutants` is for the tests of \
     the other packages (see crates/model/src/mutant.rs)"
);

#[cfg(feature = "command")]
pub mod bench;
#[cfg(feature = "command")]
pub mod certs;
#[cfg(feature = "command")]
pub mod cli;
#[cfg(feature = "command")]
pub mod cluster;
#[cfg(feature = "command")]
pub mod config;
#[cfg(feature = "command")]
pub mod conflict;
#[cfg(feature = "command")]
pub mod demo;
#[cfg(feature = "command")]
pub mod exit;
pub mod guide;
#[cfg(feature = "command")]
pub mod journal;
#[cfg(feature = "command")]
pub mod kv;
#[cfg(feature = "command")]
mod kv_watch;
#[cfg(feature = "command")]
pub mod plan;
#[cfg(feature = "command")]
pub mod resp;
#[cfg(feature = "command")]
pub mod serve;
#[cfg(feature = "command")]
pub mod sim;
#[cfg(feature = "command")]
pub mod snapshot;
#[cfg(feature = "command")]
pub mod status;

pub use althing_local::{LocalClusterError, LocalNodes};
pub use althing_model::{
    CommandInvalid, Conflicts, Footprint, Mode, ModeTable, PIECE_LEN_MAX, Pieces, Predicate, Range,
    StateMachine, Unrestorable,
};
pub use althing_node::{
    Config, ConfigFile, Node, NodeBuilder, NodeFailed, NodeHandle, StartError, abort_on_panic,
};
pub use althing_sdk::{
    Client, ClientFile, ConnectError, Consistency, Error, KvClient, KvError, KvOperation,
    Transaction, TypedClient, TypedError, WatchError, token,
};
pub use althing_typed::{Typed, TypedConflicts, TypedMachine};
pub use {althing_kv, althing_model, althing_node, althing_sdk, althing_transport, althing_typed};
