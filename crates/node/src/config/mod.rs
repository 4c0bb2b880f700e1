//! The configuration: read from TOML ([`ConfigFile`]), checked once, and from then on a value that
//! is right ([`Config`]).

mod check;
mod file;
mod problem;

pub use file::{
    Adds, AdminEntry, ConfigFile, ConflictsEntry, JournalEntry, LimitsEntry, NodeEntry, RespEntry,
    SnapshotsEntry, StoreEntry, TimeoutsEntry, TlsEntry, TransportEntry,
};
pub use problem::{ConfigError, Problem};

use althing_model::{ClusterId, Membership, NodeId};
use althing_snapshot::Digest;
use althing_transport::{Settings, certs::Tls};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A checked configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The cluster.
    pub cluster: ClusterId,
    /// Who is in it, and how it agrees.
    pub membership: Membership,
    /// Every member, and where it is.
    pub nodes: BTreeMap<NodeId, Member>,
    /// Which of them this node is.
    pub me: NodeId,
    /// The directory of its journal.
    pub data_dir: PathBuf,
    /// Where it listens (UDP).
    pub listen: SocketAddr,
    /// Its certificates.
    pub tls: Tls,
    /// When the proposer loses patience.
    pub proposer_timing: althing_proposer::Timing,
    /// How much the proposer holds.
    pub proposer_limits: althing_proposer::Limits,
    /// When the replica acts unasked.
    pub replica_timing: althing_replica::Timing,
    /// The replica's limits.
    pub replica_limits: althing_replica::Limits,
    /// Silence after which a node is believed down.
    pub down_after: Duration,
    /// Messages from the network that wait for one role.
    pub inbox_len_max: usize,
    /// Their bytes.
    pub inbox_bytes_max: usize,
    /// The journal's sizes.
    pub journal: althing_journal::Options,
    /// Snapshots that are kept.
    pub snapshots_keep: usize,
    /// The snapshot that the cluster began from, if it began from one.
    pub seed: Option<Digest>,
    /// Bytes kept free on the disk; none for what two segments and a snapshot take.
    pub disk_reserve: Option<u64>,
    /// Added to each sync of the journal.
    pub sync_delay: Duration,
    /// A module that says what commands touch; none where the program's own function does.
    pub module: Option<Module>,
    /// What additions of the reference store are to each other.
    pub adds: Adds,
    /// Where the pages for operators are (TCP); none without it.
    pub admin: Option<SocketAddr>,
    /// The gateway for Redis clients, which whoever starts the node runs beside it; none without it.
    pub resp: Option<Resp>,
    /// The transport's settings.
    pub transport: Settings,
}

/// A conflict function in a WebAssembly module. The program that runs the node loads it; a node takes
/// whatever function it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its file, which is there.
    pub file: PathBuf,
    /// Fuel for a call.
    pub fuel: u64,
    /// Bytes of memory for a call.
    pub memory: usize,
}

/// A gateway for Redis clients.
#[derive(Clone, PartialEq, Eq)]
pub struct Resp {
    /// Where it listens (TCP).
    pub listen: SocketAddr,
    /// The `client.toml` with which it reaches the cluster.
    pub client: PathBuf,
    /// What `AUTH` has to say.
    pub password: Option<String>,
    /// Connections at a time.
    pub clients_max: usize,
    /// How long a connection may be idle; for ever without one.
    pub idle_timeout: Option<Duration>,
}

impl std::fmt::Debug for Resp {
    /// Without the password, which would end in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resp")
            .field("listen", &self.listen)
            .field("client", &self.client)
            .field("password", &self.password.as_ref().map(|_| ".."))
            .field("clients_max", &self.clients_max)
            .field("idle_timeout", &self.idle_timeout)
            .finish()
    }
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Where it is, for people and for placement.
    pub region: String,
    /// Where it is reached: HOST:PORT.
    pub address: String,
    /// Where this process dials it.
    pub dial: String,
}

impl Config {
    /// Reads a file. Relative paths in it are relative to it.
    ///
    /// # Errors
    /// When it cannot be read, or [`Self::parse`] refuses it.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let in_file = |problems| ConfigError { file: Some(file.to_owned()), problems };
        let text = std::fs::read_to_string(file)
            .map_err(|error| in_file(vec![Problem::new("", error.to_string())]))?;
        let base = file.parent().unwrap_or(Path::new(""));
        Self::parse(&text, base).map_err(|error| in_file(error.problems))
    }

    /// Reads a text whose relative paths are relative to `base`.
    ///
    /// # Errors
    /// When it is no TOML, has an unknown key or a value of the wrong type, or
    /// [`Self::from_file`] refuses it.
    pub fn parse(text: &str, base: &Path) -> Result<Self, ConfigError> {
        let file: ConfigFile = toml::from_str(text).map_err(|error| ConfigError {
            file: None,
            problems: vec![Problem::of_toml(text, &error)],
        })?;
        Self::from_file(&file, base)
    }

    /// Checks a configuration.
    ///
    /// # Errors
    /// Everything in it that is wrong.
    pub fn from_file(file: &ConfigFile, base: &Path) -> Result<Self, ConfigError> {
        check::check(file, base).map_err(|problems| ConfigError { file: None, problems })
    }

    /// This node.
    pub fn own(&self) -> &Member {
        self.nodes.get(&self.me).expect("checked: it is one of the nodes")
    }
}
