//! The journal's thread: takes everything that waits, appends it, makes it durable with one write
//! and one sync, and only then sends what it makes visible.

use crate::limits;
use crate::metrics::JournalMetrics;
use crate::route::Outbox;
use crate::status::{JournalStatus, Published};
use althing_journal::{AppendError, Disk, Journal, Lsn, Recovered};
use althing_roles::Trim;
use althing_wire::{Address, Effect, Effects, Message, NodeRecord};
use bytes::Bytes;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Kept free beside two segments and a snapshot, unless the configuration says how much.
const DISK_RESERVE_LEAST: u64 = 64 << 20;

/// What a role appended in one turn, and what is to be sent once that, and all that it appended
/// before, is on disk.
#[derive(Debug)]
pub(crate) struct Append {
    records: Vec<(u8, Bytes)>,
    then: Vec<(Address, Message)>,
    /// The role's entries that are not done with.
    outstanding: Arc<AtomicU64>,
}

/// A role's way to the journal.
#[derive(Debug)]
pub(crate) struct JournalSender {
    sender: Sender<Append>,
    outstanding: Arc<AtomicU64>,
}

impl JournalSender {
    pub(crate) fn new(sender: Sender<Append>) -> Self {
        Self { sender, outstanding: Arc::new(AtomicU64::new(0)) }
    }

    /// Carries a turn's effects out: sends what promises nothing now, and hands the rest to the
    /// journal as one entry. Waits while the journal is behind.
    pub(crate) fn carry_out<R: Into<NodeRecord>>(
        &self,
        effects: &mut Effects<R>,
        outbox: &mut Outbox,
    ) {
        let mut records = Vec::new();
        let mut then = Vec::new();
        for effect in effects.drain() {
            match effect {
                Effect::Send { to, message } => outbox.send(to, message),
                Effect::Append { records: own, then: own_then } => {
                    records.extend(own.into_iter().map(|record| {
                        let record: NodeRecord = record.into();
                        (record.kind(), record.encode())
                    }));
                    then.extend(own_then);
                }
            }
        }
        if records.is_empty() && self.outstanding.load(SeqCst) == 0 {
            // All that this role ever appended is on disk, and what that made visible is sent:
            // there is nothing to wait for.
            for (to, message) in then {
                outbox.send(to, message);
            }
        } else if !records.is_empty() || !then.is_empty() {
            self.outstanding.fetch_add(1, SeqCst);
            let outstanding = self.outstanding.clone();
            self.sender
                .send(Append { records, then, outstanding })
                .expect("the journal's thread ends after all roles have");
        }
        outbox.rest();
    }
}

/// The journal's thread.
pub(crate) struct JournalLoop<D: Disk> {
    journal: Journal<D>,
    trim: Trim,
    /// When the journal was trimmed and the disk looked at last.
    tended: Instant,
    disk_reserve: Option<u64>,
    queue: Receiver<Append>,
    outbox: Outbox,
    sync_delay: Duration,
    metrics: JournalMetrics,
    status: JournalStatus,
    published: Arc<Published>,
}

impl<D: Disk> JournalLoop<D> {
    pub(crate) fn new(
        (journal, recovered, trim): (Journal<D>, Recovered, Trim),
        queue: Receiver<Append>,
        outbox: Outbox,
        sync_delay: Duration,
        disk_reserve: Option<u64>,
        published: Arc<Published>,
    ) -> Self {
        let status = JournalStatus {
            recovered_records: recovered.records,
            recovered_bytes: recovered.bytes,
            segments_at_start: recovered.segments,
            ..JournalStatus::default()
        };
        let mut new = Self {
            journal,
            trim,
            tended: Instant::now(),
            disk_reserve,
            queue,
            outbox,
            sync_delay,
            metrics: JournalMetrics::new(),
            status,
            published,
        };
        // Whoever asks before the thread has run is told what was found.
        new.look_at_disk();
        new.publish();
        new
    }

    /// Runs until every role has ended, then closes the journal.
    pub(crate) fn run(mut self) {
        loop {
            let first = match self.queue.recv_timeout(limits::TRIM_EVERY) {
                Ok(first) => first,
                Err(RecvTimeoutError::Timeout) => {
                    self.tend();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let rest = self.queue.try_iter().take(limits::JOURNAL_DRAIN_LEN - 1);
            let entries: Vec<Append> = std::iter::once(first).chain(rest).collect();
            let records = entries.iter().flat_map(|entry| &entry.records);
            let mut count = 0;
            for (kind, body) in records {
                count += 1;
                let lsn = append(&mut self.journal, &mut self.status, *kind, body);
                if Trim::is_of_interest(*kind) {
                    let record = NodeRecord::decode(*kind, body.clone());
                    self.trim.on_record(lsn.0, &record.expect("it was encoded here"));
                }
            }
            if count > 0 {
                let begun = Instant::now();
                commit(&mut self.journal, &mut self.status);
                if !self.sync_delay.is_zero() {
                    std::thread::sleep(self.sync_delay);
                }
                self.metrics.sync.record(begun.elapsed());
                self.metrics.batch_records.record(count as f64);
                self.status.records += count;
                self.publish();
            }
            for entry in entries {
                for (to, message) in entry.then {
                    self.outbox.send(to, message);
                }
                entry.outstanding.fetch_sub(1, SeqCst);
            }
            self.outbox.rest();
            // Now that the answers are on their way there is time for the next segment.
            if let Err(fatal) = self.journal.prepare() {
                die(&fatal);
            }
            if self.tended.elapsed() >= limits::TRIM_EVERY {
                self.tend();
            }
        }
        if let Err(fatal) = self.journal.close() {
            die(&fatal);
        }
    }

    /// Removes segments that no role needs any more, and sees how much room there is.
    fn tend(&mut self) {
        self.tended = Instant::now();
        if let Some(keep) = self.trim.keep() {
            match self.journal.trim(Lsn(keep)) {
                Ok(0) => {}
                Ok(removed) => {
                    self.status.segments_trimmed += removed;
                    tracing::info!("{removed} segments of the journal are not needed any more");
                }
                Err(fatal) => die(&fatal),
            }
        }
        self.look_at_disk();
        self.publish();
    }

    /// Below the reserve no client's command is taken; a little above it they are again.
    fn look_at_disk(&mut self) {
        let free = self.journal.disk().free().unwrap_or_else(|error| {
            tracing::warn!("how much room the disk has cannot be told: {error}");
            None
        });
        let (segments, bytes) = self.journal.size();
        let two_segments = 2 * bytes / segments.max(1);
        let reserve = self
            .disk_reserve
            .unwrap_or_else(|| two_segments + self.published.snapshot_bytes() + DISK_RESERVE_LEAST);
        let was_low = self.status.disk_low;
        let needed = if was_low { reserve.saturating_add(reserve / 8) } else { reserve };
        self.status.disk_low = free.is_some_and(|free| free < needed);
        self.status.disk_free_bytes = free;
        self.status.disk_reserve_bytes = reserve;
        if self.status.disk_low != was_low {
            let free = free.unwrap_or_default();
            match self.status.disk_low {
                true => tracing::error!(
                    "the disk has {free} bytes left, under the reserve of {reserve}: clients' \
                     commands are refused until there is more; votes and snapshots go on"
                ),
                false => tracing::info!("the disk has {free} bytes left: commands are taken again"),
            }
        }
    }

    fn publish(&mut self) {
        self.status.lsn = self.journal.durable().0;
        self.status.first_lsn = self.journal.first().0;
        (self.status.segments, self.status.disk_bytes) = self.journal.size();
        self.metrics.publish(&self.status);
        self.metrics.queue.set(self.queue.len() as f64);
        self.published.set_journal(self.status);
    }
}

fn append<D: Disk>(
    journal: &mut Journal<D>,
    status: &mut JournalStatus,
    kind: u8,
    body: &[u8],
) -> Lsn {
    let appended = match journal.append(kind, body) {
        Err(AppendError::Full { .. }) => {
            commit(journal, status);
            journal.append(kind, body)
        }
        appended => appended,
    };
    match appended {
        Ok(lsn) => lsn,
        Err(error) => die(&error),
    }
}

fn commit<D: Disk>(journal: &mut Journal<D>, status: &mut JournalStatus) {
    status.bytes += journal.waiting_bytes() as u64;
    status.syncs += 1;
    if let Err(fatal) = journal.commit() {
        die(&fatal);
    }
}

/// What was not written cannot be promised, and what was promised before cannot be taken back: the
/// process ends here and now, before anything more is sent (see the journal's documentation).
pub(crate) fn die(error: &dyn std::error::Error) -> ! {
    tracing::error!("{error}");
    eprintln!("althing: {error}");
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inbox::{Inbox, Input};
    use crate::route::Router;
    use althing_journal::memory::{MemoryDisk, Operation};
    use althing_journal::{Identity, Options};
    use althing_model::{Membership, NodeId, Path, Role};
    use althing_wire::{Party, ProposerRecord, Reserved};
    use crossbeam::channel::bounded;
    use std::collections::BTreeMap;
    use std::os::unix::process::ExitStatusExt;

    const ME: NodeId = NodeId(0);

    /// A proposer's inbox, the way out to it, and its way to the journal.
    fn proposer() -> (Arc<Inbox>, Arc<Router>, JournalSender, Receiver<Append>) {
        let membership = Membership::colocated(3, 1, Path::Fast).unwrap();
        let every = Role::ALL.map(Party::Node).into_iter().chain([Party::Voter]);
        let inboxes: BTreeMap<_, _> =
            every.map(|party| (party, Arc::new(Inbox::new(10, 10)))).collect();
        let inbox = inboxes[&Party::Node(Role::Proposer)].clone();
        let router = Arc::new(Router::new(ME, &membership, inboxes, None));
        let (sender, queue) = bounded(10);
        (inbox, router, JournalSender::new(sender), queue)
    }

    fn reserved_until(inbox: &Inbox) -> Vec<u64> {
        let message = |input| match input {
            Input::Message { message: Message::Reserved(reserved), .. } => reserved.until,
            other => panic!("not sent by this test: {other:?}"),
        };
        inbox.receiver().try_iter().map(message).collect()
    }

    /// Broken: something promised is heard of before it is on disk, or overtakes what was promised
    /// before; or a wait for nothing takes as long as a sync.
    #[test]
    fn what_is_promised_waits_for_the_disk_and_stays_in_order() {
        let (inbox, router, sender, queue) = proposer();
        let mut outbox = Outbox::new(router.clone());
        let mut effects: Effects<ProposerRecord> = Effects::default();

        effects.after_earlier().send(ME, Reserved { until: 1 });
        sender.carry_out(&mut effects, &mut outbox);
        assert_eq!(reserved_until(&inbox), [1], "nothing was appended before");

        let record = ProposerRecord::Reserved { until: 2, resolved: 0 };
        effects.append([record]).send(ME, Reserved { until: 2 });
        effects.after_earlier().send(ME, Reserved { until: 3 });
        sender.carry_out(&mut effects, &mut outbox);
        effects.after_earlier().send(ME, Reserved { until: 4 });
        sender.carry_out(&mut effects, &mut outbox);
        assert!(reserved_until(&inbox).is_empty(), "the journal has not run yet");

        let disk = MemoryDisk::new();
        let identity = Identity { cluster: [1; 16], node: ME.0 };
        let open = |visit: &mut dyn FnMut(u8)| {
            Journal::open(disk.clone(), identity, Options::default(), |record| {
                visit(record.kind);
                Ok(())
            })
            .unwrap()
        };
        let (journal, recovered) = open(&mut |_| panic!("a new journal holds nothing"));
        let membership = Membership::colocated(3, 1, Path::Fast).unwrap();
        let new_journal = (journal, recovered, Trim::new(&membership, ME, false));
        let journal_loop = JournalLoop::new(
            new_journal,
            queue,
            Outbox::new(router),
            Duration::ZERO,
            None,
            Arc::default(),
        );
        let outstanding = sender.outstanding.clone();
        drop(sender);
        journal_loop.run();
        assert_eq!(reserved_until(&inbox), [2, 3, 4]);
        assert_eq!(outstanding.load(SeqCst), 0);
        let mut kinds = Vec::new();
        open(&mut |kind| kinds.push(kind));
        assert_eq!(kinds, [1], "one record, a reservation");
    }

    /// Broken: with a full disk ahead clients' commands are taken until the process dies, or never
    /// again once there is room.
    #[test]
    fn little_room_is_told_and_so_is_its_end() {
        let (_, router, _, queue) = proposer();
        let disk = MemoryDisk::new();
        let identity = Identity { cluster: [1; 16], node: ME.0 };
        let (journal, recovered) =
            Journal::open(disk.clone(), identity, Options::default(), |_| Ok(())).unwrap();
        let membership = Membership::colocated(3, 1, Path::Fast).unwrap();
        let published: Arc<Published> = Arc::default();
        let mut journal_loop = JournalLoop::new(
            (journal, recovered, Trim::new(&membership, ME, false)),
            queue,
            Outbox::new(router),
            Duration::ZERO,
            Some(8 << 20),
            published.clone(),
        );
        let mut low_at = |capacity: Option<u64>| {
            disk.set_capacity(capacity);
            journal_loop.tend();
            published.is_disk_low()
        };
        assert!(!low_at(None), "nothing limits it");
        let used = (0..).map(|mib| mib << 20).find(|at| !low_at(Some(*at))).unwrap() - (9 << 20);
        assert!(low_at(Some(used + (7 << 20))));
        assert!(low_at(Some(used + (8 << 20))), "back and forth with every segment");
        assert!(!low_at(Some(used + (10 << 20))));
    }

    const CHILD: &str = "ALTHING_TEST_SYNC_FAILS";

    /// Broken: after a sync that failed something is sent on what may not be on disk, or the process
    /// lives on and tries again.
    #[test]
    fn a_sync_that_fails_ends_the_process_before_anything_is_sent() {
        if std::env::var_os(CHILD).is_some() {
            let (inbox, router, sender, queue) = proposer();
            let disk = MemoryDisk::new();
            let identity = Identity { cluster: [1; 16], node: ME.0 };
            let (journal, recovered) =
                Journal::open(disk.clone(), identity, Options::default(), |_| Ok(())).unwrap();
            let mut effects: Effects<ProposerRecord> = Effects::default();
            let record = ProposerRecord::Reserved { until: 2, resolved: 0 };
            effects.append([record]).send(ME, Reserved { until: 2 });
            sender.carry_out(&mut effects, &mut Outbox::new(router.clone()));
            disk.fail(Operation::Sync, 0, std::io::ErrorKind::Other);
            let membership = Membership::colocated(3, 1, Path::Fast).unwrap();
            let trim = Trim::new(&membership, ME, false);
            let (outbox, none) = (Outbox::new(router), Arc::default());
            let opened = (journal, recovered, trim);
            std::thread::spawn(move || {
                let sent = inbox.receiver().recv();
                eprintln!("SENT {sent:?}");
            });
            JournalLoop::new(opened, queue, outbox, Duration::ZERO, None, none).run();
            unreachable!("the process has ended");
        }
        let test = "a_sync_that_fails_ends_the_process_before_anything_is_sent";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &format!("journal_loop::tests::{test}"), "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        const SIGABRT: i32 = 6;
        assert_eq!(output.status.signal(), Some(SIGABRT), "{output:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("cannot sync") && !text.contains("SENT"), "{text}");
    }
}
