//! What clients do: the same description for every way to run it.

use serde::{Deserialize, Serialize};

/// A workload, over one cluster of one node a region. What a profile does not name is as in
/// [`Workload::default`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workload {
    /// A built-in planet's name, or the path of a CSV table.
    pub planet: String,
    /// The regions, each with a node and clients; in this order they are reported.
    pub regions: Vec<String>,
    /// Clients in each region.
    pub clients: usize,
    /// When a client sends its next command.
    pub load: Load,
    /// Which keys commands touch.
    pub keys: Keys,
    /// Of a hundred commands, those that read.
    pub read_percent: f64,
    /// Writes are additions to a number, which commute with each other.
    pub additions: bool,
    /// Bytes that a write stores.
    pub payload_len: usize,
    /// Commands that may share a vertex; 1 for none.
    pub batch_len_max: usize,
    /// How long a command may wait for others, in microseconds.
    pub batch_delay_us: u64,
    /// What is submitted before this is done but not measured, in milliseconds.
    pub warm_up_ms: u64,
    /// A region that crashes.
    pub crash: Option<Crash>,
    /// Every random choice follows from it.
    pub seed: u64,
}

impl Default for Workload {
    /// The setting that published figures are compared in: five regions, one closed-loop client in
    /// each, writes, and two in a hundred of them on one shared key.
    fn default() -> Self {
        let regions = ["eu-west-1", "us-west-1", "ap-southeast-1", "ca-central-1", "sa-east-1"]
            .map(String::from);
        Self {
            planet: "aws-2020-06-05".into(),
            regions: regions.into(),
            clients: 1,
            load: Load::Closed { commands: 500 },
            keys: Keys::Pool { conflict_percent: 2.0, len: 1 },
            read_percent: 0.0,
            additions: false,
            payload_len: 100,
            batch_len_max: 1,
            batch_delay_us: 0,
            warm_up_ms: 0,
            crash: None,
            seed: 1,
        }
    }
}

/// When a client sends its next command.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Load {
    /// When the last one is answered, until so many are.
    Closed {
        /// Commands of each client.
        commands: u64,
    },
    /// When the last one is answered, for so long.
    ClosedFor {
        /// Milliseconds.
        duration_ms: u64,
    },
    /// At random times, independent of answers (a Poisson process), for so long.
    Open {
        /// Commands a second, of each region.
        rate: f64,
        /// Milliseconds.
        duration_ms: u64,
    },
}

/// Which keys commands touch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Keys {
    /// Some commands touch a key of a pool that all clients share, chosen uniformly; all others
    /// touch a key of the client's own.
    Pool {
        /// Of a hundred commands, those on a shared key.
        conflict_percent: f64,
        /// Keys in the pool.
        len: usize,
    },
    /// All clients choose among the same keys, the k-th with probability proportional to
    /// `1 / k^exponent`.
    Zipf {
        /// 0 is uniform.
        exponent: f64,
        /// How many keys there are.
        len: usize,
    },
}

/// A region that crashes and, perhaps, comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// Which.
    pub region: String,
    /// Milliseconds after the beginning.
    pub at_ms: u64,
    /// Milliseconds after the beginning at which it is started again.
    pub until_ms: Option<u64>,
}
