//! The gateway's metrics, registered once. They go to whatever recorder the process has.

use crate::backend::Failed;
use metrics::{Counter, Gauge, Histogram, Unit, counter, gauge, histogram};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// Commands in one batch.
const BATCH_COMMANDS: &str = "althing_resp_batch_commands";

/// From a batch's sending to its answer.
const BATCH_SECONDS: &str = "althing_resp_batch_seconds";

fn describe() {
    static DESCRIBED: Once = Once::new();
    DESCRIBED.call_once(|| {
        for (name, text) in [
            ("althing_resp_connections_total", "Connections accepted"),
            ("althing_resp_rejected_total", "Connections refused: there were too many"),
            ("althing_resp_closed_total", "Connections closed by the gateway, by reason"),
            ("althing_resp_commands_total", "Requests answered, the gateway's own among them"),
            ("althing_resp_batches_total", "Batches given to the store, by access"),
            ("althing_resp_due_total", "Batches of reads sent again, since a key's time was over"),
            ("althing_resp_failed_total", "Batches that the store did not answer, by reason"),
            ("althing_resp_errors_total", "Errors answered, those of commands among them"),
        ] {
            metrics::describe_counter!(name, Unit::Count, text);
        }
        for (name, text) in [
            ("althing_resp_received_bytes_total", "Bytes from clients"),
            ("althing_resp_sent_bytes_total", "Bytes to clients"),
        ] {
            metrics::describe_counter!(name, Unit::Bytes, text);
        }
        metrics::describe_gauge!("althing_resp_connections", Unit::Count, "Connections");
        let text = "Requests and answers that wait in buffers";
        metrics::describe_gauge!("althing_resp_buffered_bytes", Unit::Bytes, text);
        let text = "Commands of each batch";
        metrics::describe_histogram!(BATCH_COMMANDS, Unit::Count, text);
        let text = "From a batch's sending to its answer, by access";
        metrics::describe_histogram!(BATCH_SECONDS, Unit::Seconds, text);
    });
}

/// Why the gateway closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Nothing came for too long.
    Idle,
    /// What it is answered is not taken for too long.
    Stalled,
    /// It keeps too much waiting.
    Buffers,
    /// The gateway ends.
    Ending,
}

impl Closed {
    const ALL: [Self; 4] = [Self::Idle, Self::Stalled, Self::Buffers, Self::Ending];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Buffers => "buffers",
            Self::Ending => "ending",
        }
    }
}

/// A counter that `INFO` tells, too.
pub(crate) struct Told {
    exported: Counter,
    count: AtomicU64,
}

impl Told {
    fn new(exported: Counter) -> Self {
        Self { exported, count: AtomicU64::new(0) }
    }

    pub(crate) fn add(&self, more: u64) {
        self.exported.increment(more);
        self.count.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Of one gateway.
pub(crate) struct Metrics {
    pub(crate) connections: Gauge,
    pub(crate) buffered: Gauge,
    pub(crate) accepted: Told,
    pub(crate) rejected: Told,
    pub(crate) commands: Told,
    pub(crate) errors: Told,
    pub(crate) received: Told,
    pub(crate) sent: Told,
    pub(crate) batches: Told,
    pub(crate) due: Counter,
    closed: [(Closed, Counter); 4],
    reads: OfBatches,
    writes: OfBatches,
    failed: Vec<(&'static str, Counter)>,
    batch_commands: Histogram,
}

struct OfBatches {
    count: Counter,
    seconds: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        describe();
        let told = |name: &'static str| Told::new(counter!(name));
        let of = |access: &'static str| OfBatches {
            count: counter!("althing_resp_batches_total", "access" => access),
            seconds: histogram!(BATCH_SECONDS, "access" => access),
        };
        let closed =
            |why: Closed| (why, counter!("althing_resp_closed_total", "reason" => why.name()));
        let failed = |reason: &&'static str| {
            (*reason, counter!("althing_resp_failed_total", "reason" => *reason))
        };
        Self {
            connections: gauge!("althing_resp_connections"),
            buffered: gauge!("althing_resp_buffered_bytes"),
            accepted: told("althing_resp_connections_total"),
            rejected: told("althing_resp_rejected_total"),
            commands: told("althing_resp_commands_total"),
            errors: told("althing_resp_errors_total"),
            received: told("althing_resp_received_bytes_total"),
            sent: told("althing_resp_sent_bytes_total"),
            // Exported by access.
            batches: Told::new(Counter::noop()),
            due: counter!("althing_resp_due_total"),
            closed: Closed::ALL.map(closed),
            reads: of("read"),
            writes: of("write"),
            failed: Failed::REASONS.iter().map(failed).collect(),
            batch_commands: histogram!(BATCH_COMMANDS),
        }
    }

    pub(crate) fn batch(&self, is_read: bool, commands: usize, seconds: f64) {
        let of = if is_read { &self.reads } else { &self.writes };
        of.count.increment(1);
        of.seconds.record(seconds);
        self.batches.add(1);
        self.batch_commands.record(commands as f64);
    }

    pub(crate) fn failed(&self, failed: &Failed) {
        let known = self.failed.iter().find(|(reason, _)| *reason == failed.reason());
        known.expect("every reason is counted").1.increment(1);
    }

    pub(crate) fn closed(&self, why: Closed) {
        let known = self.closed.iter().find(|(known, _)| *known == why);
        known.expect("every reason is counted").1.increment(1);
    }
}
