//! One file per target: its property, and how a well-formed input is made.

pub(crate) mod acceptor;
pub(crate) mod client;
pub(crate) mod client_file;
pub(crate) mod dependency;
pub(crate) mod frame;
pub(crate) mod identity;
pub(crate) mod journal;
pub(crate) mod kv;
pub(crate) mod message;
pub(crate) mod node_config;
pub(crate) mod planet;
pub(crate) mod proposer;
pub(crate) mod record;
pub(crate) mod registry;
pub(crate) mod replica;
pub(crate) mod resp;
pub(crate) mod snapshot;
pub(crate) mod snapshot_file;
pub(crate) mod voter;
