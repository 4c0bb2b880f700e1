//! Althing: state machine replication without a leader.
//!
//! The crate is the `althing` command; what an application embeds or connects with is in
//! [`althing_node`] and [`althing_sdk`].

pub mod cli;
pub mod cluster;
pub mod demo;
pub mod exit;
pub mod local_cluster;
