//! Counts of what passed, what was dropped and who was refused: one set an endpoint, mirrored to
//! the process's metrics. Labels are bounded: reasons, directions, and the nodes of the
//! configuration; nothing that a peer chose becomes one.

use crate::error::SendError;
use crate::limits;
use crate::refusal::Refusal;
use althing_model::NodeId;
use metrics::{Counter, Gauge, Unit, counter, gauge};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

/// What an endpoint has counted since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections with a proven peer, dialled and accepted.
    pub connections: u64,
    /// Frames handed to the inbox.
    pub frames_in: u64,
    /// Bytes of frames, headers included, handed to the inbox.
    pub bytes_in: u64,
    /// Frames written to connections, without heartbeats.
    pub frames_out: u64,
    /// Bytes written to connections, headers included, without heartbeats.
    pub bytes_out: u64,
    /// Writes that carried those frames; frames by writes is how well they were coalesced.
    pub writes: u64,
    /// Messages that [`crate::Endpoint::send`] did not take.
    pub dropped: u64,
    /// Times that a full inbox held up a lane.
    pub held_up: u64,
}

struct Count {
    total: AtomicU64,
    metric: Counter,
}

impl Count {
    fn new(metric: Counter) -> Self {
        Self { total: AtomicU64::new(0), metric }
    }

    fn add(&self, amount: u64) {
        self.total.fetch_add(amount, Relaxed);
        self.metric.increment(amount);
    }

    fn get(&self) -> u64 {
        self.total.load(Relaxed)
    }
}

/// The counting side.
pub(crate) struct Counters {
    refused: Vec<Count>,
    logged: Mutex<Vec<Logged>>,
    dropped: Vec<Count>,
    dialled: Count,
    accepted: Count,
    frames_in: Count,
    bytes_in: Count,
    frames_out: Count,
    bytes_out: Count,
    writes: Count,
    held_up: Count,
}

/// When a refusal of one kind was last logged, and how many were not since.
#[derive(Clone, Copy, Default)]
struct Logged {
    at: Option<Instant>,
    unlogged: u64,
}

impl Counters {
    pub(crate) fn new() -> Self {
        describe();
        let refused = |refusal: &Refusal| counter!("althing_transport_refused_total", "reason" => refusal.reason());
        let dropped = |reason| counter!("althing_transport_dropped_total", "reason" => reason);
        let connections = |side| counter!("althing_transport_connections_total", "side" => side);
        let frames = |way| counter!("althing_transport_frames_total", "direction" => way);
        let bytes = |way| counter!("althing_transport_bytes_total", "direction" => way);
        Self {
            refused: Refusal::ALL.iter().map(|refusal| Count::new(refused(refusal))).collect(),
            logged: Mutex::new(vec![Logged::default(); Refusal::ALL.len()]),
            dropped: SendError::REASONS.map(|reason| Count::new(dropped(reason))).into(),
            dialled: Count::new(connections("dialled")),
            accepted: Count::new(connections("accepted")),
            frames_in: Count::new(frames("in")),
            bytes_in: Count::new(bytes("in")),
            frames_out: Count::new(frames("out")),
            bytes_out: Count::new(bytes("out")),
            writes: Count::new(counter!("althing_transport_writes_total")),
            held_up: Count::new(counter!("althing_transport_held_up_total")),
        }
    }

    /// Counts a refusal and logs it, unless one of its kind was just logged: a flood must not
    /// become a flood of log lines.
    pub(crate) fn refused(&self, refusal: Refusal, whom: impl std::fmt::Display) {
        let index = index(refusal);
        self.refused[index].add(1);
        let unlogged = {
            let mut logged = self.logged.lock().expect("no panic while it is held");
            let logged = &mut logged[index];
            if logged.at.is_some_and(|at| at.elapsed() < limits::LOG_EVERY) {
                logged.unlogged += 1;
                return;
            }
            logged.at = Some(Instant::now());
            std::mem::take(&mut logged.unlogged)
        };
        tracing::warn!(reason = refusal.reason(), unlogged, "refused {whom}: {refusal}");
    }

    pub(crate) fn refused_total(&self, refusal: Refusal) -> u64 {
        self.refused[index(refusal)].get()
    }

    pub(crate) fn dropped(&self, error: SendError) {
        self.dropped[error.index()].add(1);
    }

    pub(crate) fn connection(&self, dialled: bool) {
        if dialled { self.dialled.add(1) } else { self.accepted.add(1) }
    }

    pub(crate) fn received(&self, frames: u64, bytes: u64) {
        self.frames_in.add(frames);
        self.bytes_in.add(bytes);
    }

    pub(crate) fn written(&self, frames: u64, bytes: u64) {
        self.frames_out.add(frames);
        self.bytes_out.add(bytes);
        self.writes.add(1);
    }

    pub(crate) fn held_up(&self) {
        self.held_up.add(1);
    }

    pub(crate) fn snapshot(&self) -> Counts {
        Counts {
            connections: self.dialled.get() + self.accepted.get(),
            frames_in: self.frames_in.get(),
            bytes_in: self.bytes_in.get(),
            frames_out: self.frames_out.get(),
            bytes_out: self.bytes_out.get(),
            writes: self.writes.get(),
            dropped: self.dropped.iter().map(Count::get).sum(),
            held_up: self.held_up.get(),
        }
    }
}

/// The gauges of the link to one node.
pub(crate) struct LinkGauges {
    queue: Gauge,
    round_trip: Gauge,
    connected: Gauge,
}

impl LinkGauges {
    pub(crate) fn new(node: NodeId) -> Self {
        let node = node.0.to_string();
        Self {
            queue: gauge!("althing_transport_queue_frames", "node" => node.clone()),
            round_trip: gauge!("althing_transport_round_trip_seconds", "node" => node.clone()),
            connected: gauge!("althing_transport_connected", "node" => node),
        }
    }

    pub(crate) fn set(&self, queue_frames: usize, round_trip: Option<Duration>) {
        self.queue.set(queue_frames as f64);
        if let Some(round_trip) = round_trip {
            self.round_trip.set(round_trip.as_secs_f64());
        }
        self.connected.set(1.0);
    }

    pub(crate) fn gone(&self) {
        self.queue.set(0.0);
        self.connected.set(0.0);
    }
}

/// How many clients are connected.
pub(crate) fn clients(count: usize) {
    gauge!("althing_transport_clients").set(count as f64);
}

/// When the own certificate ends.
pub(crate) fn certificate_ends(unix_seconds: i64) {
    gauge!("althing_transport_certificate_ends_timestamp_seconds").set(unix_seconds as f64);
}

fn index(refusal: Refusal) -> usize {
    Refusal::ALL.iter().position(|other| *other == refusal).expect("ALL has every reason")
}

fn describe() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        use metrics::{describe_counter as counter, describe_gauge as gauge};
        counter!("althing_transport_connections_total", "Connections with a proven peer");
        counter!("althing_transport_refused_total", "Connections refused or closed, by reason");
        counter!("althing_transport_dropped_total", "Messages not taken for sending, by reason");
        counter!("althing_transport_frames_total", "Messages sent and received");
        counter!("althing_transport_bytes_total", Unit::Bytes, "Bytes of those messages");
        counter!("althing_transport_writes_total", "Writes that carried the messages sent");
        counter!(
            "althing_transport_held_up_total",
            "Times that a full receiver held up a lane of a connection"
        );
        gauge!("althing_transport_queue_frames", "Messages waiting to be sent to a node");
        gauge!(
            "althing_transport_round_trip_seconds",
            Unit::Seconds,
            "Smoothed round trip of heartbeats to a node"
        );
        gauge!("althing_transport_connected", "Whether a node is connected: 1 or 0");
        gauge!("althing_transport_clients", "Client connections");
        gauge!(
            "althing_transport_certificate_ends_timestamp_seconds",
            Unit::Seconds,
            "When this node's certificate expires, in seconds since 1970"
        );
    });
}
