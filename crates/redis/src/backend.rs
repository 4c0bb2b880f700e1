//! Who executes batches: a cluster, or a store in this process.

use crate::connection::Consistency;
use althing_kv::redis::{RedisAccess, RedisBatch, RedisOutcome};
use althing_kv::{KvCommand, KvReply, Store};
use althing_model::StateMachine;
use althing_sdk::{Client, Error};
use std::future::Future;
use std::sync::Mutex;

/// What batches are given to.
pub trait Backend: Send + Sync + 'static {
    /// Executes a batch, at most once. `consistency` is for batches that only read.
    fn execute(
        &self,
        batch: RedisBatch,
        consistency: Consistency,
    ) -> impl Future<Output = Result<RedisOutcome, Failed>> + Send;

    /// The cluster's id, for `INFO`.
    fn cluster(&self) -> String;
}

/// A batch was not answered by the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// The store does not take it, for what is said; it had no effect.
    Refused(String),
    /// There is too much to do; it had no effect.
    Overloaded,
    /// No node can be asked; it had no effect.
    Unreachable,
    /// It had no effect, for what is said; the same again may have.
    Nothing(String),
    /// It may have taken effect, may yet, or never.
    Unknown,
    /// It took effect, and the answer is none that is understood.
    NotUnderstood,
}

impl Failed {
    /// What [`Self::reason`] may give.
    pub(crate) const REASONS: [&str; 6] =
        ["refused", "overloaded", "unreachable", "nothing", "unknown", "not_understood"];

    /// Its name among the metrics.
    pub(crate) fn reason(&self) -> &'static str {
        let index = match self {
            Self::Refused(_) => 0,
            Self::Overloaded => 1,
            Self::Unreachable => 2,
            Self::Nothing(_) => 3,
            Self::Unknown => 4,
            Self::NotUnderstood => 5,
        };
        Self::REASONS[index]
    }

    /// The error that a client is told, for a batch that only reads or one that may write.
    pub fn to_reply(&self, is_read: bool) -> String {
        match self {
            Self::Refused(why) => format!("ERR {why}; it had no effect"),
            Self::Overloaded => {
                "BUSY the cluster is overloaded; the command had no effect: slow down, and try again"
                    .to_owned()
            }
            Self::Unreachable => {
                "CLUSTERDOWN no node can be reached; the command had no effect".to_owned()
            }
            Self::Nothing(why) => {
                format!("TRYAGAIN {why}; the command had no effect: try again")
            }
            Self::Unknown if is_read => {
                "TRYAGAIN there was no answer in time; the command changes nothing: try again"
                    .to_owned()
            }
            Self::Unknown => {
                "UNKNOWN there was no answer in time: the command may have taken effect, may yet do \
                 so once, or never; read before you send it again"
                    .to_owned()
            }
            Self::NotUnderstood => {
                "ERR the store's answer is not understood: is another state machine running? The \
                 command may have taken effect"
                    .to_owned()
            }
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        use althing_sdk::Failure;
        match error {
            Error::Failed(Failure::Overloaded) => Self::Overloaded,
            Error::Failed(Failure::Unreachable) => Self::Unreachable,
            Error::Failed(Failure::Invalid(why)) => Self::Refused(why),
            Error::Failed(
                failure @ (Failure::SessionClosed
                | Failure::Behind
                | Failure::NoQuorum
                | Failure::TokenUnknown),
            ) => Self::Nothing(failure.to_string()),
            Error::Unknown => Self::Unknown,
        }
    }
}

/// A cluster, by way of the client library.
#[derive(Debug, Clone)]
pub struct ClusterBackend {
    client: Client,
}

impl ClusterBackend {
    /// Of a client's cluster, in its session.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Backend for ClusterBackend {
    async fn execute(
        &self,
        batch: RedisBatch,
        consistency: Consistency,
    ) -> Result<RedisOutcome, Failed> {
        let access = batch.access;
        let command = KvCommand::Redis(batch);
        command.check().map_err(|invalid| Failed::Refused(invalid.to_string()))?;
        let reply = match access {
            RedisAccess::Read => self.client.read(command.encode(), consistency.into()).await?,
            RedisAccess::Write => self.client.execute(command.encode()).await?,
        };
        outcome(KvReply::decode(reply).ok())
    }

    fn cluster(&self) -> String {
        self.client.cluster().to_string()
    }
}

/// A store in this process, for tests and for looking at the gateway alone: nothing is kept.
#[derive(Debug, Default)]
pub struct StoreBackend {
    store: Mutex<Store>,
}

impl Backend for StoreBackend {
    async fn execute(
        &self,
        batch: RedisBatch,
        _consistency: Consistency,
    ) -> Result<RedisOutcome, Failed> {
        let command = KvCommand::Redis(batch);
        command.check().map_err(|invalid| Failed::Refused(invalid.to_string()))?;
        // As a cluster does it, so that what cannot be encoded is found.
        let payload = command.encode();
        let reply = self.store.lock().expect("nobody panics with it").apply(&payload);
        outcome(KvReply::decode(reply).ok())
    }

    fn cluster(&self) -> String {
        "none".to_owned()
    }
}

fn outcome(reply: Option<KvReply>) -> Result<RedisOutcome, Failed> {
    match reply {
        Some(KvReply::Redis(outcome)) => Ok(outcome),
        _ => Err(Failed::NotUnderstood),
    }
}
