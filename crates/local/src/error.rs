//! Why a cluster on this machine could not be had.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

/// A cluster on this machine could not be started, asked or stopped.
#[derive(Debug, thiserror::Error)]
pub enum LocalClusterError {
    /// A file or directory.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No node, or more than regions have names.
    #[error("a cluster has at least one node")]
    NoNodes,
    /// The directory holds a cluster, and it is another one than was asked for.
    #[error(
        "{path} holds a cluster with {what} {found}, not {asked}; leave the option out, or choose \
         another directory",
        path = path.display()
    )]
    Another {
        /// The directory.
        path: PathBuf,
        /// What is different.
        what: &'static str,
        /// As it is there.
        found: String,
        /// As it was asked for.
        asked: String,
    },
    /// The description of a kept cluster cannot be read.
    #[error("{path} does not describe a cluster: {reason}", path = path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The nodes' configuration would be refused.
    #[error(transparent)]
    Config(#[from] althing_node::ConfigError),
    /// Certificates could not be made.
    #[error(transparent)]
    Certificates(#[from] althing_transport::certs::CertsError),
    /// A region or planet that does not exist.
    #[error(transparent)]
    Planet(#[from] althing_planet::PlanetError),
    /// The emulated network could not be started.
    #[error(transparent)]
    Relay(#[from] althing_relay::RelayError),
    /// A node's process could not be started.
    #[error("node {node}: {binary} cannot be started: {source}", binary = binary.display())]
    Spawn {
        /// Which node.
        node: usize,
        /// The program.
        binary: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A node ended although it should run.
    #[error("node {node} ended ({status}); its last words, from {log}:\n{last_words}", log = log.display())]
    Ended {
        /// Which node.
        node: usize,
        /// How.
        status: ExitStatus,
        /// What it wrote.
        log: PathBuf,
        /// The end of that.
        last_words: String,
    },
    /// A node is not ready to serve after all this time.
    #[error("node {node} is not ready after {patience:?}: {reason}; its log is {log}", log = log.display())]
    NotReady {
        /// Which node.
        node: usize,
        /// How long it was waited for.
        patience: Duration,
        /// What it said last.
        reason: String,
        /// What it wrote.
        log: PathBuf,
    },
    /// A node in this process could not be started.
    #[error(transparent)]
    Start(#[from] althing_node::StartError),
    /// A node in this process failed while the others were started.
    #[error(transparent)]
    Failed(#[from] althing_node::NodeFailed),
    /// A node in this process is not ready to serve after all this time.
    #[error("node {node} is not ready after {patience:?}: {reason}")]
    NotReadyHere {
        /// Which node.
        node: usize,
        /// How long it was waited for.
        patience: Duration,
        /// What it said last.
        reason: String,
    },
    /// A page of a node's admin port could not be read.
    #[error(transparent)]
    Page(#[from] crate::PageError),
}

impl LocalClusterError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
