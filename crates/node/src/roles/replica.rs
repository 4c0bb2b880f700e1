//! The replica: its steps are counted and let go; its snapshots are written, and others' installed.

use crate::inbox::{Inbox, Input};
use crate::journal_loop::die;
use crate::metrics::ReplicaMetrics;
use crate::role_loop::Driven;
use crate::snapshots::{Done, Task, offer};
use crate::status::{Published, ReplicaStatus};
use althing_journal::Disk;
use althing_model::{Micros, NodeId};
use althing_proposer::Link;
use althing_replica::Replica;
use althing_snapshot::{Listed, SnapshotError, Store};
use althing_wire::{Address, ClientId, Effects, Ignored, Message, ReplicaRecord};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

pub(crate) struct DrivenReplica<D: Disk> {
    replica: Replica,
    store: Store<D>,
    /// Of the snapshots' thread.
    snapshots: Arc<Inbox>,
    /// The longest that a cut, and what came with it, kept this thread.
    pause_us_max: u64,
    /// Of which others it is told that they differ.
    outvoted: BTreeSet<NodeId>,
    metrics: ReplicaMetrics,
    published: Arc<Published>,
}

impl<D: Disk> DrivenReplica<D> {
    pub(crate) fn new(
        replica: Replica,
        store: Store<D>,
        snapshots: Arc<Inbox>,
        published: Arc<Published>,
    ) -> Self {
        let metrics = ReplicaMetrics::new();
        let outvoted = BTreeSet::new();
        Self { replica, store, snapshots, pause_us_max: 0, outvoted, metrics, published }
    }

    /// Says of which others the state is not the majority's, once.
    fn tell_outvoted(&mut self) {
        let outvoted = self.replica.outvoted();
        for node in outvoted.difference(&self.outvoted) {
            tracing::error!(
                "the state of node {} is not that of the majority, which has the one that is here: it \
                 has stopped, or is about to",
                node.0
            );
        }
        if *outvoted != self.outvoted {
            self.outvoted = outvoted.clone();
        }
    }

    /// Installs a snapshot that was fetched, piece by piece. After an error the replica's state is
    /// neither the old nor the new one, so that the process ends.
    fn install(&mut self, now: Micros, listed: Listed, effects: &mut Effects<ReplicaRecord>) {
        let number = listed.number;
        let mut reader = match self.store.read(number) {
            Ok(reader) => reader,
            // Nothing is changed yet: another is offered if it is still needed.
            Err(error) => {
                tracing::error!("snapshot {number} cannot be installed: {error}");
                return;
            }
        };
        let begun = Instant::now();
        let mut failed: Option<SnapshotError> = None;
        let mut pieces = std::iter::from_fn(|| match reader.next()? {
            Ok(piece) => Some((piece.kind, piece.bytes)),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
        let installed = self.replica.install(now, offer(listed), &mut pieces, effects);
        if let Some(error) = failed {
            die(&error);
        }
        match installed {
            Ok(true) => {
                let took = begun.elapsed();
                tracing::info!("snapshot {number} is installed: {} bytes in {took:?}", listed.len);
            }
            Ok(false) => tracing::info!("snapshot {number} is not needed any more"),
            Err(error) => die(&error),
        }
    }
}

impl<D: Disk + Send + 'static> Driven for DrivenReplica<D>
where
    Store<D>: Send,
{
    type Record = ReplicaRecord;
    const NAME: &'static str = "replica";

    fn start(&mut self, now: Micros, _effects: &mut Effects<ReplicaRecord>) {
        self.replica.start(now);
    }

    fn handle(
        &mut self,
        now: Micros,
        from: Address,
        message: Message,
        effects: &mut Effects<ReplicaRecord>,
    ) -> Result<(), Ignored> {
        let (cut, begun) = (self.replica.counters().snapshots, Instant::now());
        let result = self.replica.handle(now, from, message, effects);
        if self.replica.counters().snapshots > cut {
            self.pause_us_max = self.pause_us_max.max(begun.elapsed().as_micros() as u64);
        }
        result
    }

    fn on_link(&mut self, now: Micros, node: NodeId, link: Link) {
        self.replica.on_link(now, node, link.is_up);
    }

    fn on_client_gone(&mut self, client: ClientId) {
        self.replica.on_client_gone(client);
    }

    fn on_digest(&self, answer: oneshot::Sender<u64>) {
        // Whoever asked may have lost patience.
        let _ = answer.send(self.replica.digest());
    }

    fn on_done(&mut self, now: Micros, done: Done, effects: &mut Effects<ReplicaRecord>) {
        match done {
            Done::Saved(saved) => self.replica.on_saved(now, saved, effects),
            Done::NotSaved(number) => self.replica.on_not_saved(number),
            Done::Fetched(listed) => self.install(now, listed, effects),
        }
    }

    fn deadline(&self) -> Option<Micros> {
        self.replica.deadline()
    }

    fn on_deadline(&mut self, now: Micros, effects: &mut Effects<ReplicaRecord>) {
        self.replica.on_deadline(now, effects);
    }

    /// Nothing of this turn has left the thread yet, and nothing does where the state is wrong.
    ///
    /// # Panics
    /// When the replica's state is not the others': that ends the node, with the reason.
    fn finish(&mut self, now: Micros, _effects: &mut Effects<ReplicaRecord>) {
        if let Some(diverged) = self.replica.diverged() {
            self.publish(now);
            panic!("{diverged}");
        }
        self.tell_outvoted();
        for step in self.replica.take_steps() {
            self.metrics.step(step.component_len);
        }
        if let Some(snapshot) = self.replica.take_snapshot() {
            self.snapshots.put(Input::Task(Task::Save(snapshot)));
        }
        if let Some((from, offered)) = self.replica.take_offer() {
            self.snapshots.put(Input::Task(Task::Fetch(from, offered)));
        }
    }

    fn publish(&mut self, now: Micros) {
        let counters = self.replica.counters();
        let blocked_us = self.replica.blocked_since().map_or(0, |since| now.saturating_sub(since));
        let (log_vertices, log_bytes) = self.replica.log_size();
        let watch = self.replica.watch_counters();
        let status = ReplicaStatus {
            committed: counters.committed,
            executed: counters.executed,
            applied: counters.applied,
            pending: self.replica.pending_len(),
            blocked: self.replica.blocked_len(),
            blocked_age_ms: blocked_us / 1000,
            sessions: self.replica.sessions_len(),
            recoveries_asked: counters.recoveries_asked,
            caught_up: counters.caught_up,
            barriers: self.replica.barriers(),
            snapshots_cut: counters.snapshots,
            snapshots_installed: counters.installed,
            snapshot_pause_us_max: self.pause_us_max,
            floor: self.replica.floor().columns().map(|(_, row)| row.below()).sum(),
            lag: self.replica.lag(),
            log_vertices: log_vertices as u64,
            log_bytes: log_bytes as u64,
            watches: watch.watches as u64,
            watch_feed_vertices: watch.feed_vertices as u64,
            watch_changes: watch.changes,
            watches_resumed: watch.resumed,
            watches_compacted: watch.compacted,
            watches_too_slow: watch.too_slow,
            watches_refused: watch.too_many,
            agreed_at: self.replica.agreed_at(),
            outvoted: self.replica.outvoted().len(),
            reads_waiting: self.replica.reads_len(),
            reads_done: counters.reads.done,
            reads_held: counters.reads.held,
            reads_as_commands: counters.reads.commands,
            reads_refused: counters.reads.refused,
            reads_sent_elsewhere: counters.reads.later,
            age_ms: self.replica.age(now).map(|age| age / 1000),
        };
        self.metrics.publish(&status);
        self.published.set_replica(status);
    }
}
