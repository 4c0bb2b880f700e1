//! Althing: state machine replication without a leader.
//!
//! The crate is the `althing` command; what an application embeds is [`althing_node`], what it
//! connects with [`althing_sdk`].

#[cfg(mutants)]
compile_error!(
    "the althing command is not built with planted faults: `--cfg mutants` is for the tests of \
     the other packages (see crates/model/src/mutant.rs)"
);

pub mod bench;
pub mod certs;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod demo;
pub mod exit;
pub mod journal;
pub mod kv;
mod kv_watch;
pub mod plan;
pub mod serve;
pub mod sim;
pub mod snapshot;
pub mod status;

pub use {althing_kv, althing_model, althing_node, althing_sdk, althing_transport};
