//! The snapshots' thread: writes what the replica cuts, sends parts of what is kept to other nodes,
//! and fetches what they offer.
//!
//! One is written at a time, a few pieces a turn, so that other nodes are answered meanwhile. A
//! failing disk ends what was being written or fetched, not the node: nothing was promised on it.

use crate::clock::Clock;
use crate::inbox::{Inbox, Input};
use crate::limits;
use crate::metrics::SnapshotMetrics;
use crate::route::Outbox;
use crate::status::{FetchStatus, Published, SnapshotStatus};
use althing_journal::Disk;
use althing_model::{Micros, NodeId};
use althing_replica::{Snapshot, SnapshotPieces};
use althing_snapshot::{
    Ask, Chunk, Digest, Draft, Fetch, Listed, Piece, Pin, Refusal, SnapshotError, Store, serve,
};
use althing_wire::{Address, Message, SnapshotAsk, SnapshotChunk, SnapshotOffer};
use crossbeam::channel::RecvTimeoutError;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the replica wants done.
#[derive(Debug)]
pub(crate) enum Task {
    /// Write this snapshot.
    Save(Snapshot),
    /// Fetch this one from that node, or a later one from any.
    Fetch(NodeId, SnapshotOffer),
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Done {
    /// The snapshot is on disk.
    Saved(SnapshotOffer),
    /// The snapshot of that barrier could not be written.
    NotSaved(u64),
    /// Another node's snapshot is on disk.
    Fetched(Listed),
}

/// As the protocol names it.
pub(crate) fn offer(listed: Listed) -> SnapshotOffer {
    SnapshotOffer { number: listed.number, len: listed.len, digest: listed.digest.0 }
}

/// The thread.
pub(crate) struct SnapshotLoop<D: Disk> {
    store: Store<D>,
    inbox: Arc<Inbox>,
    replica: Arc<Inbox>,
    outbox: Outbox,
    clock: Clock,
    saving: Option<Saving<D>>,
    fetch: Option<Fetch<D>>,
    /// After a failing disk nothing is fetched before.
    fetch_at: Micros,
    /// What other nodes fetch, and when they asked last.
    pins: BTreeMap<NodeId, (Pin<D>, Micros)>,
    status: SnapshotStatus,
    metrics: SnapshotMetrics,
    published: Arc<Published>,
}

/// A snapshot that is being written.
struct Saving<D: Disk> {
    draft: Draft<D>,
    pieces: SnapshotPieces,
    begun: Micros,
}

impl<D: Disk> SnapshotLoop<D> {
    pub(crate) fn new(
        (store, restored_at): (Store<D>, Option<SystemTime>),
        inbox: Arc<Inbox>,
        replica: Arc<Inbox>,
        outbox: Outbox,
        clock: Clock,
        published: Arc<Published>,
    ) -> Self {
        let mut new = Self {
            store,
            inbox,
            replica,
            outbox,
            clock,
            saving: None,
            fetch: None,
            fetch_at: 0,
            pins: BTreeMap::new(),
            status: SnapshotStatus::default(),
            metrics: SnapshotMetrics::new(),
            published,
        };
        new.status.newest_at_unix_ms = restored_at.map(unix_ms);
        // Whoever asks before the thread has run is told what was found.
        new.publish();
        new
    }

    /// Runs until the inbox holds [`Input::Stop`]. What is half written then is not kept.
    pub(crate) fn run(mut self) {
        let mut publish_at = 0;
        loop {
            match self.wait(publish_at) {
                Some(Input::Stop) => return,
                Some(input) => self.take(input),
                None => {}
            }
            self.save_more();
            self.fetch_more();
            let now = self.clock.now();
            if publish_at <= now {
                self.pins
                    .retain(|_, (_, asked)| now < *asked + limits::PIN_TIMEOUT.as_micros() as u64);
                self.publish();
                publish_at = now + limits::PUBLISH_EVERY.as_micros() as Micros;
            }
        }
    }

    fn wait(&self, publish_at: Micros) -> Option<Input> {
        let receiver = self.inbox.receiver();
        let fetch_at = self.fetch.as_ref().and_then(Fetch::wake_at).map(|at| at.max(self.fetch_at));
        let at = fetch_at.map_or(publish_at, |at| at.min(publish_at));
        let wait = self.clock.until(at);
        if self.saving.is_some() || wait == Duration::ZERO {
            return receiver.try_recv().ok();
        }
        match receiver.recv_timeout(wait) {
            Ok(input) => Some(input),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                unreachable!("the inbox holds the sender as well")
            }
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Task(Task::Save(snapshot)) => self.save(snapshot),
            Input::Task(Task::Fetch(from, offered)) => self.fetch(from, offered),
            Input::Message { from, message, bytes } => {
                self.inbox.took(bytes);
                let Address::Node(from) = from else { return };
                match message {
                    Message::SnapshotAsk(ask) => self.answer(from, ask),
                    Message::SnapshotChunk(chunk) => self.take_chunk(from, chunk),
                    other => unreachable!("{:?} goes to another inbox", other.kind()),
                }
            }
            Input::Link(node, link) if !link.is_up => {
                self.pins.remove(&node);
                if let Some(fetch) = &mut self.fetch {
                    fetch.on_peer_down(node);
                }
            }
            Input::Link(..) => {}
            other => unreachable!("{other:?} is for a role"),
        }
    }

    /// Begins to write a snapshot.
    fn save(&mut self, snapshot: Snapshot) {
        assert!(self.saving.is_none(), "a replica cuts none while one is being written");
        let Snapshot { number, pieces } = snapshot;
        match self.store.begin(number) {
            Ok(draft) => {
                self.saving = Some(Saving { draft, pieces, begun: self.clock.now() });
            }
            Err(error) => self.not_saved(number, &error),
        }
    }

    /// Writes some more of it.
    fn save_more(&mut self) {
        let Some(mut saving) = self.saving.take() else {
            return;
        };
        let number = saving.draft.number();
        let until = saving.draft.body_len() + limits::SAVE_TURN_BYTES;
        while saving.draft.body_len() < until {
            let Some((kind, bytes)) = saving.pieces.next() else {
                return self.save_end(saving);
            };
            if let Err(error) = saving.draft.push(&Piece { kind, bytes }) {
                return self.not_saved(number, &error);
            }
        }
        self.saving = Some(saving);
    }

    fn save_end(&mut self, saving: Saving<D>) {
        let Saving { draft, pieces, begun } = saving;
        let number = draft.number();
        // What the pieces hold of the state is of no use any more.
        drop(pieces);
        let finished = draft.finish();
        let took = self.clock.now().saturating_sub(begun);
        // Also if only the removal of an older one failed.
        match (self.store.list().iter().find(|listed| listed.number == number), finished) {
            (Some(listed), finished) => {
                if let Err(error) = finished {
                    tracing::warn!("an older snapshot stays: {error}");
                }
                self.status.saved += 1;
                self.status.saving_took_ms = took / 1000;
                self.status.newest_at_unix_ms = Some(unix_ms(SystemTime::now()));
                tracing::info!(
                    "snapshot {number} is on disk: {} bytes in {} ms",
                    listed.len,
                    took / 1000
                );
                self.replica.put(Input::Done(Done::Saved(offer(*listed))));
            }
            (None, Err(error)) => return self.not_saved(number, &error),
            (None, Ok(_)) => unreachable!("what is finished is listed"),
        }
        self.publish();
    }

    fn not_saved(&mut self, number: u64, error: &SnapshotError) {
        if matches!(error, SnapshotError::NotNewer { .. }) {
            tracing::info!("snapshot {number} is not needed: {error}");
        } else {
            self.status.failed += 1;
            tracing::error!(
                "snapshot {number} was not written, the next barrier tries again, and until then \
                 the journal grows: {error}"
            );
        }
        self.replica.put(Input::Done(Done::NotSaved(number)));
        self.publish();
    }

    /// Another node offers a snapshot that the replica needs.
    fn fetch(&mut self, from: NodeId, offered: SnapshotOffer) {
        let SnapshotOffer { number, len, digest } = offered;
        let offered = Listed { number, len, digest: Digest(digest) };
        let newest = self.store.list().first().copied();
        if let Some(newest) = newest.filter(|newest| newest.number >= number) {
            // Fetched or written before; the replica judges whether it lacks it.
            self.replica.put(Input::Done(Done::Fetched(newest)));
            return;
        }
        let store = &self.store;
        let fetch = self.fetch.get_or_insert_with(|| {
            let timeout_us = althing_snapshot::limits::TIMEOUT_US;
            tracing::info!("node {} offers snapshot {number} of {len} bytes: fetching it", from.0);
            Fetch::new(store.clone(), number, timeout_us)
        });
        fetch.on_offer(from, offered);
    }

    fn take_chunk(&mut self, from: NodeId, chunk: SnapshotChunk) {
        let Some(fetch) = &mut self.fetch else {
            return;
        };
        let SnapshotChunk { number, offset, checksum, bytes } = chunk;
        if bytes.is_empty() {
            return fetch.on_refused(from, number);
        }
        let chunk = Chunk { number, offset, checksum, bytes };
        if let Err(error) = fetch.on_chunk(from, &chunk) {
            self.not_fetched(&error);
        }
    }

    /// Asks for what is next, and tells the replica when it is here.
    fn fetch_more(&mut self) {
        let now = self.clock.now();
        let Some(fetch) = &mut self.fetch else {
            return;
        };
        if let Some(listed) = fetch.finished() {
            tracing::info!("snapshot {} is fetched: {} bytes", listed.number, listed.len);
            self.fetch = None;
            self.status.fetched += 1;
            self.status.newest_at_unix_ms = Some(unix_ms(SystemTime::now()));
            self.replica.put(Input::Done(Done::Fetched(listed)));
            return self.publish();
        }
        if now < self.fetch_at || fetch.wake_at().is_none_or(|at| at > now) {
            return;
        }
        match fetch.poll(now) {
            Ok(asks) => {
                for (node, Ask { number, offset, len }) in asks {
                    let ask = SnapshotAsk { number, offset, len };
                    self.outbox.send(node.into(), ask.into());
                }
            }
            Err(error) => self.not_fetched(&error),
        }
        // Nobody offers it any more: the replica is offered another when it asks what it lacks.
        self.fetch.take_if(|fetch| fetch.is_starved());
    }

    fn not_fetched(&mut self, error: &SnapshotError) {
        self.status.failed += 1;
        tracing::error!("a snapshot was not fetched, which is tried again: {error}");
        self.fetch_at = self.clock.now() + limits::FETCH_AGAIN.as_micros() as Micros;
        if matches!(error, SnapshotError::NotNewer { .. }) {
            self.fetch = None;
        }
    }

    /// Sends a part of a snapshot.
    fn answer(&mut self, to: NodeId, ask: SnapshotAsk) {
        let SnapshotAsk { number, offset, len } = ask;
        let is_pinned =
            self.pins.get(&to).is_some_and(|(pinned, _)| pinned.listed().number == number);
        let now = self.clock.now();
        if is_pinned {
            self.pins.entry(to).and_modify(|(_, asked)| *asked = now);
        } else if let Ok(pin) = self.store.pin(number) {
            tracing::info!("node {} fetches snapshot {number}", to.0);
            self.pins.insert(to, (pin, now));
        }
        let chunk = match serve(&self.store, Ask { number, offset, len }) {
            Ok(Chunk { number, offset, checksum, bytes }) => {
                self.status.served_bytes += bytes.len() as u64;
                SnapshotChunk { number, offset, checksum, bytes }
            }
            Err(Refusal::Range { .. }) => {
                tracing::warn!("node {} asked for what snapshot {number} has not", to.0);
                return;
            }
            Err(refusal) => {
                if let Refusal::Failed(error) = &refusal {
                    tracing::error!("snapshot {number} cannot be sent to node {}: {error}", to.0);
                }
                let Chunk { number, offset, checksum, bytes } =
                    Chunk::new(number, offset, bytes::Bytes::new());
                SnapshotChunk { number, offset, checksum, bytes }
            }
        };
        self.outbox.send(to.into(), chunk.into());
        self.outbox.rest();
    }

    fn publish(&mut self) {
        let listed = self.store.list();
        let newest = listed.first();
        self.status.kept = listed.len();
        self.status.bytes = listed.iter().map(|listed| listed.len).sum();
        self.status.newest = newest.map(|newest| newest.number);
        self.status.newest_bytes = newest.map_or(0, |newest| newest.len);
        self.status.writing = self.saving.as_ref().map(|saving| saving.draft.number());
        self.status.written_bytes =
            self.saving.as_ref().map_or(0, |saving| saving.draft.body_len());
        let progress = self.fetch.as_ref().and_then(Fetch::progress);
        self.status.fetching = progress.map(|progress| FetchStatus {
            number: progress.number,
            source: progress.source.0,
            received: progress.received,
            total: progress.total,
        });
        self.metrics.publish(&self.status);
        self.published.set_snapshots(self.status);
    }
}

fn unix_ms(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
