//! The configuration as it stands in a file: TOML, nothing checked but its shape.

use althing_model::{ClusterId, Path, Role};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A configuration file. Tools build one and write it with [`Self::to_toml`]; a node reads one and
/// checks it, [`super::Config`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The cluster's id: 32 hexadecimal digits, hyphens allowed.
    pub cluster: String,
    /// The number of this configuration of the cluster.
    #[serde(default)]
    pub epoch: u32,
    /// `fast` or `classic`.
    #[serde(default = "path_default")]
    pub path: String,
    /// How many nodes may fail.
    pub f: usize,
    /// Which of the nodes this process is.
    pub node: u32,
    /// The directory of this node's journal.
    pub data_dir: PathBuf,
    /// Where to listen (IP:PORT). Without it: the node's own address, or if that is a host name, its
    /// port on all interfaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Certificates.
    pub tls: TlsEntry,
    /// Every node of the cluster.
    pub nodes: Vec<NodeEntry>,
    /// When to lose patience.
    #[serde(default)]
    pub timeouts: TimeoutsEntry,
    /// How much to hold at a time.
    #[serde(default)]
    pub limits: LimitsEntry,
    /// The journal.
    #[serde(default)]
    pub journal: JournalEntry,
    /// Snapshots, and how often they are cut.
    #[serde(default)]
    pub snapshots: SnapshotsEntry,
    /// A conflict function of your own for the reference store; the store's own without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflicts: Option<ConflictsEntry>,
    /// The reference store.
    #[serde(default)]
    pub store: StoreEntry,
    /// The pages for operators; none without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<AdminEntry>,
    /// The gateway for Redis clients; none without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resp: Option<RespEntry>,
    /// QUIC.
    #[serde(default)]
    pub transport: TransportEntry,
}

/// `[tls]`: PEM files, relative to the configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsEntry {
    /// The certificate of the cluster's authority.
    pub ca: PathBuf,
    /// This node's certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// `[store]`: how the reference store behaves. All nodes of a cluster have the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreEntry {
    /// `commute` or `conflict`.
    pub adds: Adds,
}

/// What additions to one key are to each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Adds {
    /// They commute: none waits for another, and a linearizable read of a key is a command.
    #[default]
    Commute,
    /// They conflict, as increments do: a linearizable read of a key needs no command.
    Conflict,
}

/// `[[nodes]]`: one node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeEntry {
    /// Its number, unique.
    pub id: u32,
    /// Where it is, for people and for placement.
    #[serde(default)]
    pub region: String,
    /// Where it is reached: HOST:PORT.
    pub address: String,
    /// Where this process dials it instead, for instance a relay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial: Option<String>,
    /// Its roles; all four without it.
    #[serde(default = "roles_default")]
    pub roles: Vec<String>,
}

/// `[timeouts]`, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsEntry {
    /// Beyond the round trip, until the fast path is given up for a command.
    pub fast_path_ms: u64,
    /// Beyond the round trip, until a request is sent again.
    pub retry_ms: u64,
    /// Until the recovery of a vertex that blocks others is asked for.
    pub recover_ms: u64,
    /// Between two exchanges of what replicas hold.
    pub catch_up_ms: u64,
    /// The first back-off after a refused attempt.
    pub back_off_ms: u64,
    /// How long a submission without an answer is remembered.
    pub answer_ms: u64,
    /// Between two heartbeats of a link.
    pub heartbeat_ms: u64,
    /// Silence after which a node is believed down.
    pub down_after_ms: u64,
}

impl Default for TimeoutsEntry {
    fn default() -> Self {
        let proposer = althing_proposer::Timing::default();
        let replica = althing_replica::Timing::default();
        Self {
            fast_path_ms: proposer.fast_path / 1000,
            retry_ms: proposer.retry / 1000,
            recover_ms: replica.recover / 1000,
            catch_up_ms: replica.catch_up / 1000,
            back_off_ms: proposer.back_off / 1000,
            answer_ms: proposer.answer / 1000,
            heartbeat_ms: 100,
            down_after_ms: 500,
        }
    }
}

/// `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsEntry {
    /// Own vertices that are not committed yet.
    pub in_flight: usize,
    /// Commands that wait for a vertex; beyond it clients are told of the overload.
    pub queue: usize,
    /// Commands in one vertex.
    pub batch_commands: usize,
    /// Payload bytes in one vertex.
    pub batch_bytes: usize,
    /// How long a command waits for others while earlier ones are in flight, in microseconds.
    pub batch_delay_us: u64,
    /// Recoveries at a time.
    pub recoveries: usize,
    /// Contended keys for which it is counted who touches them, so that their commands are proposed
    /// where that is best; 0 for none: every command is proposed where it was submitted.
    pub placements: usize,
    /// Messages from the network that wait for one role.
    pub inbox: usize,
    /// Their bytes, in MiB.
    pub inbox_mib: usize,
    /// Connections of clients.
    pub clients: usize,
    /// Connections of one client's certificate.
    pub connections_per_client: usize,
}

impl Default for LimitsEntry {
    fn default() -> Self {
        let proposer = althing_proposer::Limits::default();
        Self {
            in_flight: proposer.in_flight_max,
            queue: proposer.queue_len_max,
            batch_commands: proposer.batch_len_max,
            batch_bytes: proposer.batch_bytes_max,
            batch_delay_us: proposer.batch_delay,
            recoveries: proposer.recoveries_max,
            placements: crate::limits::PLACEMENTS,
            inbox: crate::limits::INBOX_LEN,
            inbox_mib: crate::limits::INBOX_BYTES >> 20,
            clients: althing_transport::limits::CLIENTS_MAX,
            connections_per_client: althing_transport::limits::CONNECTIONS_PER_CLIENT_MAX,
        }
    }
}

/// `[journal]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalEntry {
    /// The length of a segment file, in MiB.
    pub segment_mib: u64,
    /// Added to each sync, in microseconds: for experiments with slow disks.
    pub sync_delay_us: u64,
    /// Whether a directory without a journal gets a new one. Say `false` once the node has run: one
    /// that lost its journal must not come back as if it had promised nothing.
    pub create: bool,
    /// What is kept free on the disk, in MiB: with less, clients' commands are refused while the node
    /// votes, executes and writes snapshots. Without it: two segments, the newest snapshot, 64 MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserve_mib: Option<u64>,
}

impl Default for JournalEntry {
    fn default() -> Self {
        Self {
            segment_mib: althing_journal::Options::default().segment_bytes >> 20,
            sync_delay_us: 0,
            create: true,
            reserve_mib: None,
        }
    }
}

/// `[snapshots]`: all state, at a barrier, in one file; what is in those of f + 1 nodes is forgotten
/// everywhere else.
///
/// Memory: each role keeps what was executed since the last barrier but one, about 1 KiB a vertex and
/// its payloads. Disk: the snapshots kept, one being written, one being fetched, and the journal of
/// about three such spans. `/status` tells the most that it may be as `disk_budget_bytes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SnapshotsEntry {
    /// How many are kept. Two let another node finish fetching one while the next is written.
    pub keep: usize,
    /// Vertices executed since the last barrier that make the next one due; 0 for no barriers: then
    /// memory, journal and restart grow with history.
    pub barrier_vertices: u64,
    /// The same in MiB, payloads and about 300 bytes a vertex.
    pub barrier_mib: u64,
    /// The least time between two barriers, in milliseconds, unless memory presses: at four times
    /// the above one is due at once.
    pub barrier_least_ms: u64,
    /// The time after which a barrier is due however little was executed, in seconds.
    pub barrier_most_s: u64,
    /// Values kept for nodes that were away; beyond it those that a snapshot here holds go, and
    /// such nodes fetch a snapshot.
    pub log_vertices: usize,
    /// The same in MiB: this much memory.
    pub log_mib: usize,
    /// The digest of the snapshot that the cluster began from, as `althing snapshot restore` prints
    /// it: the node does not start without that one or a later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
}

impl Default for SnapshotsEntry {
    fn default() -> Self {
        let limits = althing_replica::Limits::default();
        let timing = althing_replica::Timing::default();
        Self {
            keep: crate::limits::SNAPSHOTS_KEPT,
            barrier_vertices: crate::limits::BARRIER_VERTICES,
            barrier_mib: limits.barrier_bytes >> 20,
            barrier_least_ms: timing.barrier_least / 1000,
            barrier_most_s: timing.barrier_most / 1_000_000,
            log_vertices: limits.log_len_max,
            log_mib: limits.log_bytes_max >> 20,
            seed: None,
        }
    }
}

/// `[conflicts]`: a WebAssembly module says what the commands of the reference store touch. It must be
/// the same on every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConflictsEntry {
    /// The module's file, relative to the configuration file.
    pub module: PathBuf,
    /// Fuel for a call, about one for each instruction. The same on every node.
    #[serde(default = "fuel_default")]
    pub fuel: u64,
    /// Memory for a call, in MiB. The same on every node.
    #[serde(default = "module_memory_default")]
    pub memory_mib: usize,
}

fn fuel_default() -> u64 {
    crate::limits::MODULE_FUEL
}

fn module_memory_default() -> usize {
    crate::limits::MODULE_MEMORY_MIB
}

/// `[admin]`: `/metrics`, `/status`, `/health/live` and `/health/ready`, over plain HTTP and
/// without authentication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminEntry {
    /// Where to listen (IP:PORT); port 0 takes any.
    pub listen: String,
}

/// `[resp]`: the gateway for Redis clients.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RespEntry {
    /// Where to listen (IP:PORT, TCP); port 0 takes any.
    pub listen: String,
    /// The `client.toml` with which the gateway reaches the cluster.
    pub client: PathBuf,
    /// What `AUTH` has to say. Without it only addresses of this machine are listened on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Connections at a time.
    #[serde(default = "resp_clients_default")]
    pub clients: usize,
    /// How long a connection may be idle, in seconds; 0 is for ever.
    #[serde(default)]
    pub idle_timeout_s: u64,
}

impl RespEntry {
    /// A gateway for this machine only, reached there, with the usual settings.
    pub fn new(listen: String, client: PathBuf) -> Self {
        Self { listen, client, password: None, clients: resp_clients_default(), idle_timeout_s: 0 }
    }
}

impl std::fmt::Debug for RespEntry {
    /// Without the password, which would end in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RespEntry")
            .field("listen", &self.listen)
            .field("client", &self.client)
            .field("password", &self.password.as_ref().map(|_| ".."))
            .field("clients", &self.clients)
            .field("idle_timeout_s", &self.idle_timeout_s)
            .finish()
    }
}

/// `[transport]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransportEntry {
    /// `cubic`, `newreno` or `bbr`.
    pub congestion: String,
    /// Whether to hand the kernel many packets at once (generic segmentation offload).
    pub gso: bool,
    /// What is assumed of a path's round trip before it is measured.
    pub initial_round_trip_ms: u64,
    /// A connection over which nothing is heard for this long is given up.
    pub idle_timeout_ms: u64,
    /// The longest wait before a lost node is dialled again.
    pub redial_max_ms: u64,
}

impl Default for TransportEntry {
    fn default() -> Self {
        let settings = althing_transport::Settings::default();
        Self {
            congestion: "cubic".to_owned(),
            gso: settings.segmentation_offload,
            initial_round_trip_ms: settings.initial_round_trip.as_millis() as u64,
            idle_timeout_ms: settings.idle_timeout.as_millis() as u64,
            redial_max_ms: settings.redial_max.as_millis() as u64,
        }
    }
}

fn resp_clients_default() -> usize {
    crate::limits::RESP_CLIENTS
}

fn path_default() -> String {
    Path::Fast.name().to_owned()
}

fn roles_default() -> Vec<String> {
    Role::ALL.map(|role| role.name().to_owned()).into()
}

impl ConfigFile {
    /// The configuration of node `node` in a cluster of nodes 0, 1, .. at these addresses, each with
    /// every role. Data lie in `data/NODE`, certificates in `certs/`, as `althing cert` writes them;
    /// change what is to be different.
    pub fn example(
        cluster: ClusterId,
        node: u32,
        addresses: &[String],
        f: usize,
        path: Path,
    ) -> Self {
        let entry = |(id, address): (usize, &String)| NodeEntry {
            id: id as u32,
            region: String::new(),
            address: address.clone(),
            dial: None,
            roles: roles_default(),
        };
        Self {
            cluster: cluster.to_string(),
            epoch: 0,
            path: path.name().to_owned(),
            f,
            node,
            data_dir: format!("data/{node}").into(),
            listen: None,
            tls: TlsEntry {
                ca: "certs/ca.pem".into(),
                cert: format!("certs/node-{node}.pem").into(),
                key: format!("certs/node-{node}.key").into(),
            },
            nodes: addresses.iter().enumerate().map(entry).collect(),
            timeouts: TimeoutsEntry::default(),
            limits: LimitsEntry::default(),
            journal: JournalEntry::default(),
            snapshots: SnapshotsEntry::default(),
            conflicts: None,
            store: StoreEntry::default(),
            admin: Some(AdminEntry { listen: "127.0.0.1:0".to_owned() }),
            resp: None,
            transport: TransportEntry::default(),
        }
    }

    /// The text of the file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every value of it has a form in TOML")
    }
}
