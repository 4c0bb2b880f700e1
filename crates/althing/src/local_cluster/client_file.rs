//! The files that tell `althing kv` and `althing status` where a cluster is.

use serde::Serialize;
use std::path::PathBuf;

/// A client's configuration.
#[derive(Debug, Serialize)]
pub(super) struct ClientFile {
    /// The cluster's id.
    pub(super) cluster: String,
    /// Certificates.
    pub(super) tls: TlsEntry,
    /// The nodes, the nearest first.
    pub(super) nodes: Vec<NodeEntry>,
}

#[derive(Debug, Serialize)]
pub(super) struct TlsEntry {
    pub(super) ca: PathBuf,
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

#[derive(Debug, Serialize)]
pub(super) struct NodeEntry {
    pub(super) id: u32,
    pub(super) region: String,
    pub(super) address: String,
    pub(super) admin: String,
}

impl ClientFile {
    /// The text of the file.
    pub(super) fn to_toml(&self) -> String {
        toml::to_string(self).expect("every value of it has a form in TOML")
    }
}
