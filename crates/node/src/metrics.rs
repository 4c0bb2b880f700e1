//! The node's metrics: described once, registered when a role starts, never looked up per message.
//!
//! They go to whatever recorder the process has. [`install`] gives it a Prometheus exporter, which
//! the admin pages render; a program that embeds a node and has a recorder of its own keeps that one.

use crate::status::{JournalStatus, ProposerStatus, RegistryStatus, ReplicaStatus, SnapshotStatus};
use althing_model::Micros;
use althing_proposer::CommitPath;
use althing_wire::Ignored;
use metrics::{Counter, Gauge, Histogram, Unit, counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::{Once, OnceLock};

/// From 100 microseconds to 25 seconds: a local sync to a node that was lost.
const SECONDS: [f64; 23] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2,
    0.25, 0.3, 0.4, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0,
];

/// Numbers of things that come together.
const COUNTS: [f64; 12] =
    [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];

const COMMIT_LATENCY: &str = "althing_proposer_commit_latency_seconds";
const SYNC: &str = "althing_journal_sync_seconds";
const BATCH_RECORDS: &str = "althing_journal_batch_records";
const COMPONENT_SIZE: &str = "althing_replica_component_size";

// Of the gateway for Redis clients, which runs beside a node; here only for their buckets.
const RESP_BATCH_COMMANDS: &str = "althing_resp_batch_commands";
const RESP_BATCH_SECONDS: &str = "althing_resp_batch_seconds";

/// The process's Prometheus exporter, installed by the first call; none when the process has
/// another recorder. Metrics that were registered before it are lost to it.
pub fn install() -> Option<PrometheusHandle> {
    static EXPORTER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    EXPORTER
        .get_or_init(|| {
            let buckets = [
                (COMMIT_LATENCY, &SECONDS[..]),
                (SYNC, &SECONDS[..]),
                (BATCH_RECORDS, &COUNTS[..]),
                (COMPONENT_SIZE, &COUNTS[..]),
                (RESP_BATCH_COMMANDS, &COUNTS[..]),
                (RESP_BATCH_SECONDS, &SECONDS[..]),
            ];
            let builder = buckets
                .into_iter()
                .try_fold(PrometheusBuilder::new(), |builder, (name, buckets)| {
                    builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)
                })
                .expect("buckets are not empty");
            builder.install_recorder().ok()
        })
        .clone()
}

fn describe() {
    static DESCRIBED: Once = Once::new();
    DESCRIBED.call_once(|| {
        type Described = (&'static str, Unit, &'static str);
        let counters: &[Described] = &[
            ("althing_proposer_commits_total", Unit::Count, "Vertices committed here, by path"),
            ("althing_proposer_recoveries_total", Unit::Count, "Recovery attempts begun"),
            ("althing_proposer_noops_total", Unit::Count, "Vertices committed as a noop"),
            ("althing_proposer_refused_total", Unit::Count, "Attempts refused by a higher ballot"),
            (
                "althing_proposer_proposed_again_total",
                Unit::Count,
                "Commands proposed again after a noop",
            ),
            (
                "althing_proposer_overloaded_total",
                Unit::Count,
                "Submissions turned away because the queue was full",
            ),
            (
                "althing_proposer_forwarded_total",
                Unit::Count,
                "Commands forwarded to a better placed proposer",
            ),
            ("althing_proposer_taken_total", Unit::Count, "Commands that others forwarded here"),
            (
                "althing_proposer_taken_back_total",
                Unit::Count,
                "Forwarded commands that were proposed here in the end",
            ),
            ("althing_replica_committed_total", Unit::Count, "Vertices learnt to be committed"),
            ("althing_replica_executed_total", Unit::Count, "Vertices executed"),
            ("althing_replica_applied_total", Unit::Count, "Commands that took effect"),
            (
                "althing_replica_recoveries_asked_total",
                Unit::Count,
                "Recoveries asked for because a vertex blocked others",
            ),
            (
                "althing_replica_caught_up_total",
                Unit::Count,
                "Vertices sent to replicas that lacked them",
            ),
            ("althing_journal_records_total", Unit::Count, "Records made durable"),
            ("althing_journal_bytes_total", Unit::Bytes, "Bytes written, framing included"),
            ("althing_journal_segments_trimmed_total", Unit::Count, "Segments removed"),
            ("althing_replica_barriers_total", Unit::Count, "Barriers executed, ever"),
            ("althing_replica_snapshots_cut_total", Unit::Count, "Snapshots cut"),
            (
                "althing_replica_snapshots_installed_total",
                Unit::Count,
                "Snapshots of other nodes installed",
            ),
            ("althing_replica_watch_changes_total", Unit::Count, "Changes told to watchers"),
            (
                "althing_replica_watches_resumed_total",
                Unit::Count,
                "Watches that went on from a token",
            ),
            (
                "althing_replica_watches_compacted_total",
                Unit::Count,
                "Watches refused or ended, since what they lack is forgotten here",
            ),
            (
                "althing_replica_watches_too_slow_total",
                Unit::Count,
                "Watches ended, since their clients took too slowly",
            ),
            (
                "althing_replica_watches_refused_total",
                Unit::Count,
                "Watches refused, since there were too many",
            ),
            ("althing_snapshot_saved_total", Unit::Count, "Snapshots written"),
            ("althing_snapshot_failed_total", Unit::Count, "Snapshots not written or not fetched"),
            ("althing_snapshot_fetched_total", Unit::Count, "Snapshots fetched from other nodes"),
            ("althing_snapshot_served_bytes_total", Unit::Bytes, "Sent to other nodes"),
            (
                "althing_node_unroutable_total",
                Unit::Count,
                "Messages to a role that this node does not have",
            ),
        ];
        for (name, unit, text) in counters {
            metrics::describe_counter!(*name, *unit, *text);
        }
        let gauges: &[Described] = &[
            (
                "althing_proposer_in_flight",
                Unit::Count,
                "Vertices that the proposer works on, others' included",
            ),
            ("althing_proposer_queue_len", Unit::Count, "Commands that wait for a vertex"),
            (
                "althing_replica_pending_vertices",
                Unit::Count,
                "Committed vertices that wait for others",
            ),
            (
                "althing_replica_blocked_vertices",
                Unit::Count,
                "Uncommitted vertices that others wait for",
            ),
            (
                "althing_replica_blocked_age_seconds",
                Unit::Seconds,
                "How long the longest of them has been waited for",
            ),
            ("althing_replica_sessions", Unit::Count, "Open sessions"),
            ("althing_journal_queue_len", Unit::Count, "Entries that wait for the journal"),
            ("althing_journal_segments", Unit::Count, "Segment files"),
            ("althing_journal_disk_bytes", Unit::Bytes, "Bytes that they take"),
            ("althing_journal_first_lsn", Unit::Count, "The first record kept"),
            ("althing_journal_last_lsn", Unit::Count, "The last durable record"),
            ("althing_journal_disk_free_bytes", Unit::Bytes, "Free on the disk"),
            (
                "althing_journal_disk_low",
                Unit::Count,
                "1 while clients' commands are refused for want of room",
            ),
            ("althing_replica_floor_vertices", Unit::Count, "Vertices forgotten everywhere"),
            (
                "althing_replica_lag_vertices",
                Unit::Count,
                "Vertices that others have committed and this one has not executed",
            ),
            ("althing_replica_log_vertices", Unit::Count, "Values kept for other replicas"),
            ("althing_replica_log_bytes", Unit::Bytes, "Their bytes, about"),
            ("althing_replica_watches", Unit::Count, "Watches that clients have here"),
            (
                "althing_replica_watch_feed_vertices",
                Unit::Count,
                "Executed vertices kept for watchers",
            ),
            (
                "althing_replica_agreed_barrier",
                Unit::Count,
                "The last barrier behind which a majority of the replicas has the state that is here",
            ),
            (
                "althing_replica_outvoted",
                Unit::Count,
                "Other replicas whose state is not the majority's",
            ),
            ("althing_replica_reads_waiting", Unit::Count, "Reads that wait"),
            (
                "althing_replica_age_seconds",
                Unit::Seconds,
                "How old the state is at most; -1 where that is not known yet",
            ),
            (
                "althing_replica_snapshot_pause_seconds_max",
                Unit::Seconds,
                "The longest that cutting a snapshot kept the replica",
            ),
            (
                "althing_registry_standing",
                Unit::Count,
                "Whether the node may vote: 0 it asks, 1 it may, 2 it lost its journal",
            ),
            (
                "althing_registry_lost_nodes",
                Unit::Count,
                "Other nodes that lost their journals and have no vote",
            ),
            ("althing_snapshot_kept", Unit::Count, "Snapshots on disk"),
            ("althing_snapshot_bytes", Unit::Bytes, "Their bytes"),
            ("althing_snapshot_newest", Unit::Count, "Barriers executed in the newest"),
            (
                "althing_snapshot_newest_time_seconds",
                Unit::Seconds,
                "When the newest was written, since 1970",
            ),
            ("althing_snapshot_writing", Unit::Count, "1 while one is being written"),
            ("althing_snapshot_fetch_received_bytes", Unit::Bytes, "Of the one being fetched"),
            ("althing_snapshot_fetch_total_bytes", Unit::Bytes, "Length of the one being fetched"),
        ];
        for (name, unit, text) in gauges {
            metrics::describe_gauge!(*name, *unit, *text);
        }
        let histograms: &[Described] = &[
            (COMMIT_LATENCY, Unit::Seconds, "From a vertex's beginning to its commit, by path"),
            (SYNC, Unit::Seconds, "One write and sync of the journal"),
            (BATCH_RECORDS, Unit::Count, "Records that one sync made durable"),
            (COMPONENT_SIZE, Unit::Count, "Vertices of a component, for each one executed"),
        ];
        for (name, unit, text) in histograms {
            metrics::describe_histogram!(*name, *unit, *text);
        }
        for role in ["proposer", "relay", "voter", "dependency", "acceptor", "replica"] {
            metrics::describe_gauge!(
                format!("althing_{role}_inbox_len"),
                Unit::Count,
                "Inputs that wait for the role"
            );
            metrics::describe_counter!(
                format!("althing_{role}_ignored_total"),
                Unit::Count,
                "Messages that the role did nothing with, by reason"
            );
        }
        for role in ["voter", "dependency", "acceptor"] {
            metrics::describe_gauge!(
                format!("althing_{role}_vertices"),
                Unit::Count,
                "Vertices that the role holds something of"
            );
        }
    });
}

/// Of every role's loop.
pub(crate) struct LoopMetrics {
    pub(crate) inbox_len: Gauge,
    ignored: Vec<(Ignored, Counter)>,
}

impl LoopMetrics {
    pub(crate) fn new(role: &'static str) -> Self {
        describe();
        let reasons = [
            Ignored::Misdirected,
            Ignored::NotTheOwner,
            Ignored::OtherEpoch,
            Ignored::Late,
            Ignored::Repeated,
            Ignored::Contradiction,
            Ignored::Lost,
        ];
        let ignored = |reason: Ignored| {
            let name = format!("althing_{role}_ignored_total");
            (reason, counter!(name, "reason" => reason.name()))
        };
        Self {
            inbox_len: gauge!(format!("althing_{role}_inbox_len")),
            ignored: reasons.into_iter().map(ignored).collect(),
        }
    }

    pub(crate) fn ignored(&self, reason: Ignored) {
        if let Some((_, counter)) = self.ignored.iter().find(|(known, _)| *known == reason) {
            counter.increment(1);
        }
    }
}

/// Of the registry.
pub(crate) struct RegistryMetrics {
    standing: Gauge,
    lost: Gauge,
}

impl RegistryMetrics {
    pub(crate) fn new() -> Self {
        describe();
        Self {
            standing: gauge!("althing_registry_standing"),
            lost: gauge!("althing_registry_lost_nodes"),
        }
    }

    pub(crate) fn publish(&self, status: &RegistryStatus) {
        self.standing.set(match () {
            () if status.is_asking() => 0.0,
            () if status.is_lost() => 2.0,
            () => 1.0,
        });
        self.lost.set(status.lost.len() as f64);
    }
}

/// Of the voter, the dependency node and the acceptor.
pub(crate) struct HoldMetrics {
    vertices: Gauge,
}

impl HoldMetrics {
    pub(crate) fn new(role: &'static str) -> Self {
        describe();
        Self { vertices: gauge!(format!("althing_{role}_vertices")) }
    }

    pub(crate) fn publish(&self, vertices: usize) {
        self.vertices.set(vertices as f64);
    }
}

/// Of the proposer.
pub(crate) struct ProposerMetrics {
    commits: Vec<(CommitPath, Counter, Histogram)>,
    recoveries: Counter,
    noops: Counter,
    refused: Counter,
    proposed_again: Counter,
    overloaded: Counter,
    forwarded: Counter,
    taken: Counter,
    taken_back: Counter,
    in_flight: Gauge,
    queue_len: Gauge,
}

impl ProposerMetrics {
    pub(crate) fn new() -> Self {
        describe();
        let of = |path: CommitPath| {
            let commits = counter!("althing_proposer_commits_total", "path" => path.name());
            (path, commits, histogram!(COMMIT_LATENCY, "path" => path.name()))
        };
        Self {
            commits: CommitPath::ALL.into_iter().map(of).collect(),
            recoveries: counter!("althing_proposer_recoveries_total"),
            noops: counter!("althing_proposer_noops_total"),
            refused: counter!("althing_proposer_refused_total"),
            proposed_again: counter!("althing_proposer_proposed_again_total"),
            overloaded: counter!("althing_proposer_overloaded_total"),
            forwarded: counter!("althing_proposer_forwarded_total"),
            taken: counter!("althing_proposer_taken_total"),
            taken_back: counter!("althing_proposer_taken_back_total"),
            in_flight: gauge!("althing_proposer_in_flight"),
            queue_len: gauge!("althing_proposer_queue_len"),
        }
    }

    pub(crate) fn commit(&self, path: CommitPath, latency: Micros) {
        let of_path = self.commits.iter().find(|(known, ..)| *known == path);
        if let Some((_, commits, latencies)) = of_path {
            commits.increment(1);
            latencies.record(latency as f64 / 1e6);
        }
    }

    pub(crate) fn publish(&self, status: &ProposerStatus) {
        self.recoveries.absolute(status.recoveries);
        self.noops.absolute(status.noops);
        self.refused.absolute(status.refused);
        self.proposed_again.absolute(status.proposed_again);
        self.overloaded.absolute(status.overloaded);
        self.forwarded.absolute(status.forwarded);
        self.taken.absolute(status.taken);
        self.taken_back.absolute(status.taken_back);
        self.in_flight.set(status.in_flight as f64);
        self.queue_len.set(status.queue as f64);
    }
}

/// Of the replica.
pub(crate) struct ReplicaMetrics {
    committed: Counter,
    executed: Counter,
    applied: Counter,
    recoveries_asked: Counter,
    caught_up: Counter,
    pending: Gauge,
    blocked: Gauge,
    blocked_age: Gauge,
    sessions: Gauge,
    component_size: Histogram,
    barriers: Counter,
    snapshots_cut: Counter,
    snapshots_installed: Counter,
    snapshot_pause_max: Gauge,
    floor: Gauge,
    lag: Gauge,
    log_vertices: Gauge,
    log_bytes: Gauge,
    watches: Gauge,
    watch_feed: Gauge,
    watch_changes: Counter,
    watches_resumed: Counter,
    watches_compacted: Counter,
    watches_too_slow: Counter,
    watches_refused: Counter,
    agreed: Gauge,
    outvoted: Gauge,
    reads_waiting: Gauge,
    age: Gauge,
    reads: [Counter; 5],
}

impl ReplicaMetrics {
    pub(crate) fn new() -> Self {
        describe();
        Self {
            committed: counter!("althing_replica_committed_total"),
            executed: counter!("althing_replica_executed_total"),
            applied: counter!("althing_replica_applied_total"),
            recoveries_asked: counter!("althing_replica_recoveries_asked_total"),
            caught_up: counter!("althing_replica_caught_up_total"),
            pending: gauge!("althing_replica_pending_vertices"),
            blocked: gauge!("althing_replica_blocked_vertices"),
            blocked_age: gauge!("althing_replica_blocked_age_seconds"),
            sessions: gauge!("althing_replica_sessions"),
            component_size: histogram!(COMPONENT_SIZE),
            barriers: counter!("althing_replica_barriers_total"),
            snapshots_cut: counter!("althing_replica_snapshots_cut_total"),
            snapshots_installed: counter!("althing_replica_snapshots_installed_total"),
            snapshot_pause_max: gauge!("althing_replica_snapshot_pause_seconds_max"),
            floor: gauge!("althing_replica_floor_vertices"),
            lag: gauge!("althing_replica_lag_vertices"),
            log_vertices: gauge!("althing_replica_log_vertices"),
            log_bytes: gauge!("althing_replica_log_bytes"),
            watches: gauge!("althing_replica_watches"),
            watch_feed: gauge!("althing_replica_watch_feed_vertices"),
            watch_changes: counter!("althing_replica_watch_changes_total"),
            watches_resumed: counter!("althing_replica_watches_resumed_total"),
            watches_compacted: counter!("althing_replica_watches_compacted_total"),
            watches_too_slow: counter!("althing_replica_watches_too_slow_total"),
            watches_refused: counter!("althing_replica_watches_refused_total"),
            agreed: gauge!("althing_replica_agreed_barrier"),
            outvoted: gauge!("althing_replica_outvoted"),
            reads_waiting: gauge!("althing_replica_reads_waiting"),
            age: gauge!("althing_replica_age_seconds"),
            reads: ["done", "held", "command", "refused", "later"]
                .map(|outcome| counter!("althing_replica_reads_total", "outcome" => outcome)),
        }
    }

    pub(crate) fn step(&self, component_len: usize) {
        self.component_size.record(component_len as f64);
    }

    pub(crate) fn publish(&self, status: &ReplicaStatus) {
        self.committed.absolute(status.committed);
        self.executed.absolute(status.executed);
        self.applied.absolute(status.applied);
        self.recoveries_asked.absolute(status.recoveries_asked);
        self.caught_up.absolute(status.caught_up);
        self.pending.set(status.pending as f64);
        self.blocked.set(status.blocked as f64);
        self.blocked_age.set(status.blocked_age_ms as f64 / 1e3);
        self.sessions.set(status.sessions as f64);
        self.barriers.absolute(status.barriers);
        self.snapshots_cut.absolute(status.snapshots_cut);
        self.snapshots_installed.absolute(status.snapshots_installed);
        self.snapshot_pause_max.set(status.snapshot_pause_us_max as f64 / 1e6);
        self.floor.set(status.floor as f64);
        self.lag.set(status.lag as f64);
        self.log_vertices.set(status.log_vertices as f64);
        self.log_bytes.set(status.log_bytes as f64);
        self.watches.set(status.watches as f64);
        self.watch_feed.set(status.watch_feed_vertices as f64);
        self.watch_changes.absolute(status.watch_changes);
        self.watches_resumed.absolute(status.watches_resumed);
        self.watches_compacted.absolute(status.watches_compacted);
        self.watches_too_slow.absolute(status.watches_too_slow);
        self.watches_refused.absolute(status.watches_refused);
        self.agreed.set(status.agreed_at.unwrap_or(0) as f64);
        self.outvoted.set(status.outvoted as f64);
        self.reads_waiting.set(status.reads_waiting as f64);
        self.age.set(status.age_ms.map_or(-1.0, |age| age as f64 / 1e3));
        let outcomes = [
            status.reads_done,
            status.reads_held,
            status.reads_as_commands,
            status.reads_refused,
            status.reads_sent_elsewhere,
        ];
        self.reads.iter().zip(outcomes).for_each(|(counter, total)| counter.absolute(total));
    }
}

/// Of the journal's thread.
pub(crate) struct JournalMetrics {
    pub(crate) sync: Histogram,
    pub(crate) batch_records: Histogram,
    records: Counter,
    bytes: Counter,
    pub(crate) queue: Gauge,
    trimmed: Counter,
    segments: Gauge,
    disk_bytes: Gauge,
    first_lsn: Gauge,
    last_lsn: Gauge,
    disk_free: Gauge,
    disk_low: Gauge,
}

impl JournalMetrics {
    pub(crate) fn new() -> Self {
        describe();
        Self {
            sync: histogram!(SYNC),
            batch_records: histogram!(BATCH_RECORDS),
            records: counter!("althing_journal_records_total"),
            bytes: counter!("althing_journal_bytes_total"),
            queue: gauge!("althing_journal_queue_len"),
            trimmed: counter!("althing_journal_segments_trimmed_total"),
            segments: gauge!("althing_journal_segments"),
            disk_bytes: gauge!("althing_journal_disk_bytes"),
            first_lsn: gauge!("althing_journal_first_lsn"),
            last_lsn: gauge!("althing_journal_last_lsn"),
            disk_free: gauge!("althing_journal_disk_free_bytes"),
            disk_low: gauge!("althing_journal_disk_low"),
        }
    }

    pub(crate) fn publish(&self, status: &JournalStatus) {
        self.records.absolute(status.records);
        self.bytes.absolute(status.bytes);
        self.trimmed.absolute(status.segments_trimmed);
        self.segments.set(status.segments as f64);
        self.disk_bytes.set(status.disk_bytes as f64);
        self.first_lsn.set(status.first_lsn as f64);
        self.last_lsn.set(status.lsn as f64);
        self.disk_free.set(status.disk_free_bytes.map_or(f64::NAN, |free| free as f64));
        self.disk_low.set(f64::from(u8::from(status.disk_low)));
    }
}

/// Of the snapshots' thread.
pub(crate) struct SnapshotMetrics {
    saved: Counter,
    failed: Counter,
    fetched: Counter,
    served_bytes: Counter,
    kept: Gauge,
    bytes: Gauge,
    newest: Gauge,
    newest_time: Gauge,
    writing: Gauge,
    received: Gauge,
    total: Gauge,
}

impl SnapshotMetrics {
    pub(crate) fn new() -> Self {
        describe();
        Self {
            saved: counter!("althing_snapshot_saved_total"),
            failed: counter!("althing_snapshot_failed_total"),
            fetched: counter!("althing_snapshot_fetched_total"),
            served_bytes: counter!("althing_snapshot_served_bytes_total"),
            kept: gauge!("althing_snapshot_kept"),
            bytes: gauge!("althing_snapshot_bytes"),
            newest: gauge!("althing_snapshot_newest"),
            newest_time: gauge!("althing_snapshot_newest_time_seconds"),
            writing: gauge!("althing_snapshot_writing"),
            received: gauge!("althing_snapshot_fetch_received_bytes"),
            total: gauge!("althing_snapshot_fetch_total_bytes"),
        }
    }

    pub(crate) fn publish(&self, status: &SnapshotStatus) {
        self.saved.absolute(status.saved);
        self.failed.absolute(status.failed);
        self.fetched.absolute(status.fetched);
        self.served_bytes.absolute(status.served_bytes);
        self.kept.set(status.kept as f64);
        self.bytes.set(status.bytes as f64);
        self.newest.set(status.newest.unwrap_or_default() as f64);
        self.newest_time.set(status.newest_at_unix_ms.unwrap_or_default() as f64 / 1e3);
        self.writing.set(f64::from(u8::from(status.writing.is_some())));
        let fetching = status.fetching;
        self.received.set(fetching.map_or(0, |fetch| fetch.received) as f64);
        self.total.set(fetching.map_or(0, |fetch| fetch.total) as f64);
    }
}

/// Of the router.
pub(crate) struct RouteMetrics {
    pub(crate) unroutable: Counter,
}

impl RouteMetrics {
    pub(crate) fn new() -> Self {
        describe();
        Self { unroutable: counter!("althing_node_unroutable_total") }
    }
}
