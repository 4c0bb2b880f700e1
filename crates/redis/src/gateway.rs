//! The gateway: what all of its connections share, and the port that they come to.

use crate::backend::{Backend, Failed};
use crate::connection::{ClientRecord, Consistency, Figures, World};
use crate::limits;
use crate::metrics::Metrics;
use crate::serve::{self, Ending};
use crate::settings::Settings;
use crate::stamp::{Stamps, unix_us};
use althing_kv::redis::{RedisBatch, RedisCursors, RedisOutcome};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A gateway was not started.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Everybody could read and write everything.
    #[error(
        "{listen} can be reached from other machines, and there is no password: set one, or listen on \
         127.0.0.1"
    )]
    OpenToAll {
        /// Where it was to listen.
        listen: SocketAddr,
    },
    /// An empty password is given by everybody.
    #[error("the password is empty: leave it out, or set one")]
    EmptyPassword,
    /// The address cannot be listened on.
    #[error(
        "TCP {listen} cannot be listened on: {source}; stop what has it (`ss -ltnp` shows it) or \
         choose another port"
    )]
    Listen {
        /// Where it was to listen.
        listen: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

/// A gateway that listens, and does not answer yet.
#[derive(Debug)]
pub struct Gateway {
    listener: TcpListener,
    settings: Settings,
}

impl Gateway {
    /// Listens. Within a tokio runtime.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn bind(mut settings: Settings) -> Result<Self, GatewayError> {
        let listen = settings.listen;
        if settings.is_open_to_all() {
            return Err(GatewayError::OpenToAll { listen });
        }
        if settings.password.as_ref().is_some_and(String::is_empty) {
            return Err(GatewayError::EmptyPassword);
        }
        let failed = |source| GatewayError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        // The port that was given for 0.
        settings.listen = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, settings })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.settings.listen
    }

    /// Answers whoever connects, until `end` is ready; then what has been asked is answered, for
    /// [`limits::END_PATIENCE`] at most, and all connections are closed.
    pub async fn serve<B: Backend>(self, backend: B, end: impl Future<Output = ()>) {
        let shared = Arc::new(Shared::new(self.settings, backend));
        let (ending, ended) = watch::channel(Ending::No);
        let mut connections = JoinSet::new();
        tokio::pin!(end);
        loop {
            let accepted = tokio::select! {
                () = &mut end => break,
                accepted = self.listener.accept() => accepted,
            };
            // What has ended is forgotten.
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, address)) => match shared.admit(&stream, address) {
                    Some(admitted) => {
                        connections.spawn(serve::connection(admitted, stream, ended.clone()));
                    }
                    None => refuse(&stream),
                },
                Err(error) => {
                    tracing::warn!("a connection could not be accepted: {error}");
                    tokio::time::sleep(limits::ACCEPT_AGAIN).await;
                }
            }
        }
        drop(self.listener);
        ending.send_replace(Ending::Soon);
        let all = async { while connections.join_next().await.is_some() {} };
        if timeout(limits::END_PATIENCE, all).await.is_err() {
            tracing::warn!("{} connections are cut off", connections.len());
        }
    }
}

/// Says that there are too many, to whoever happens to listen already.
fn refuse(stream: &TcpStream) {
    let _ = stream.try_write(b"-ERR max number of clients reached\r\n");
}

/// What connections share.
pub(crate) struct Shared<B> {
    pub(crate) settings: Settings,
    pub(crate) metrics: Metrics,
    backend: B,
    stamps: Stamps,
    clients: Mutex<Clients>,
    cursors: Mutex<RedisCursors>,
    /// Room for bytes of batches, in KiB.
    room: Semaphore,
    /// Bytes that wait in connections' buffers.
    buffered: AtomicUsize,
    since_us: u64,
    run_id: String,
}

#[derive(Default)]
struct Clients {
    records: BTreeMap<u64, Arc<Mutex<ClientRecord>>>,
    last_id: u64,
}

/// A connection that is let in, until this is dropped.
pub(crate) struct Admitted<B: Backend> {
    pub(crate) shared: Arc<Shared<B>>,
    pub(crate) record: Arc<Mutex<ClientRecord>>,
    id: u64,
    buffered: usize,
}

impl<B: Backend> Shared<B> {
    fn new(settings: Settings, backend: B) -> Self {
        let random: [u8; 20] = rand::random();
        Self {
            settings,
            metrics: Metrics::new(),
            backend,
            stamps: Stamps::default(),
            clients: Mutex::default(),
            cursors: Mutex::default(),
            room: Semaphore::new(limits::IN_FLIGHT_LEN_MAX >> 10),
            buffered: AtomicUsize::new(0),
            since_us: unix_us(),
            run_id: random.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// Lets a connection in, if there are not too many.
    fn admit(self: &Arc<Self>, stream: &TcpStream, address: SocketAddr) -> Option<Admitted<B>> {
        let mut clients = self.clients.lock().expect("nobody panics with it");
        if clients.records.len() >= self.settings.clients_max {
            self.metrics.rejected.add(1);
            return None;
        }
        clients.last_id += 1;
        let id = clients.last_id;
        let local = stream.local_addr().unwrap_or(self.settings.listen);
        let record = Arc::new(Mutex::new(ClientRecord::new(id, address, local, unix_us())));
        clients.records.insert(id, record.clone());
        self.metrics.accepted.add(1);
        self.metrics.connections.increment(1.0);
        Some(Admitted { shared: self.clone(), record, id, buffered: 0 })
    }

    pub(crate) fn stamp_ms(&self) -> u64 {
        self.stamps.next()
    }

    /// Has the store execute a batch, once there is room for it.
    pub(crate) async fn execute(
        &self,
        batch: RedisBatch,
        consistency: Consistency,
    ) -> Result<RedisOutcome, Failed> {
        let args = batch.commands.iter();
        let len: usize = args.map(|args| crate::round::encoded_len(args)).sum();
        let kib = u32::try_from(len.min(limits::IN_FLIGHT_LEN_MAX) >> 10).expect("it is far less");
        let _room = self.room.acquire_many(kib).await.expect("nobody closes it");
        let begun = Instant::now();
        let is_read = batch.access == althing_kv::redis::RedisAccess::Read;
        let commands = batch.commands.len();
        let outcome = self.backend.execute(batch, consistency).await;
        self.metrics.batch(is_read, commands, begun.elapsed().as_secs_f64());
        match &outcome {
            Ok(RedisOutcome::Due) => self.metrics.due.increment(1),
            Ok(_) => {}
            Err(failed) => {
                self.metrics.failed(failed);
                tracing::debug!(commands, is_read, "a batch failed: {failed:?}");
            }
        }
        outcome
    }
}

impl<B: Backend> Admitted<B> {
    /// Tells how much waits in this connection's buffers. Whether it is too much.
    pub(crate) fn set_buffered(&mut self, len: usize) -> bool {
        let all = &self.shared.buffered;
        let total = match len >= self.buffered {
            true => {
                let more = len - self.buffered;
                all.fetch_add(more, Ordering::Relaxed) + more
            }
            false => {
                let less = self.buffered - len;
                all.fetch_sub(less, Ordering::Relaxed) - less
            }
        };
        self.buffered = len;
        self.shared.metrics.buffered.set(total as f64);
        total > limits::BUFFERED_LEN_MAX && len > limits::BUFFERED_FAIR_LEN
    }
}

impl<B: Backend> Drop for Admitted<B> {
    fn drop(&mut self) {
        self.set_buffered(0);
        let mut clients = self.shared.clients.lock().expect("nobody panics with it");
        clients.records.remove(&self.id);
        self.shared.metrics.connections.decrement(1.0);
    }
}

impl<B: Backend> World for Shared<B> {
    fn unix_us(&self) -> u64 {
        unix_us()
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn figures(&self) -> Figures {
        let metrics = &self.metrics;
        Figures {
            since_us: self.since_us,
            run_id: self.run_id.clone(),
            cluster: self.backend.cluster(),
            clients: self.clients.lock().expect("nobody panics with it").records.len() as u64,
            connections: metrics.accepted.get(),
            rejected: metrics.rejected.get(),
            commands: metrics.commands.get(),
            batches: metrics.batches.get(),
            bytes_in: metrics.received.get(),
            bytes_out: metrics.sent.get(),
            errors: metrics.errors.get(),
            resident: resident(),
        }
    }

    fn cursors(&self) -> &Mutex<RedisCursors> {
        &self.cursors
    }

    fn clients(&self) -> Vec<ClientRecord> {
        let clients = self.clients.lock().expect("nobody panics with it");
        let records = clients.records.values();
        records.map(|record| record.lock().expect("nobody panics with it").clone()).collect()
    }
}

/// Bytes of memory of this process.
fn resident() -> Option<u64> {
    let stat = procfs::process::Process::myself().ok()?.statm().ok()?;
    Some(stat.resident * procfs::page_size())
}
