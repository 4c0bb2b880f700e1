//! Snapshots: cut at a barrier, told of when they are on disk, and installed by a replica that lacks
//! what others have forgotten (`protocol` section 5).
//!
//! A barrier conflicts with everything, so what is executed at the end of its component is what it
//! reaches, at every replica, and noops. Of a replica that has not executed it, nothing executed lies
//! outside, noops apart: installing loses nothing.

use crate::graph::Component;
use crate::{Replica, Sessions};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{DepSet, Micros, NodeId, Operation, Unrestorable, Value};
use althing_wire::{Effects, ReplicaRecord, SnapshotHeader, SnapshotOffer};
use bytes::Bytes;

/// What a piece of a snapshot is of. They come in this order.
pub mod piece {
    /// The [`SnapshotHeader`](althing_wire::SnapshotHeader), once.
    pub const HEADER: u8 = 1;
    /// Sessions.
    pub const SESSIONS: u8 = 2;
    /// The state machine.
    pub const MACHINE: u8 = 3;
}

/// The pieces of a snapshot, each with what it is of, produced lazily while the replica goes on.
pub type SnapshotPieces = Box<dyn Iterator<Item = (u8, Bytes)> + Send>;

/// A snapshot to be written.
pub struct Snapshot {
    /// How many barriers are executed in it.
    pub number: u64,
    /// What to write.
    pub pieces: SnapshotPieces,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("number", &self.number).finish_non_exhaustive()
    }
}

/// A snapshot that is being written.
#[derive(Debug)]
pub(crate) struct Saving {
    number: u64,
    cut: DepSet,
    since: Micros,
}

impl Replica {
    /// Takes the snapshot that was cut since the last call: write it, durably, and say so with
    /// [`Self::on_saved`], or that it could not be with [`Self::on_not_saved`]. Until then none is
    /// cut.
    pub fn take_snapshot(&mut self) -> Option<Snapshot> {
        self.snapshot.take()
    }

    /// The snapshot of that number is on disk: others may be told.
    pub fn on_saved(
        &mut self,
        now: Micros,
        saved: SnapshotOffer,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        let Some(saving) = self.saving.take_if(|saving| saving.number == saved.number) else {
            return;
        };
        self.since_barrier.saving_took = now.saturating_sub(saving.since);
        self.hold(saved, saving.cut, effects);
    }

    /// It could not be written; the next barrier is another occasion.
    pub fn on_not_saved(&mut self, number: u64) {
        self.saving.take_if(|saving| saving.number == number);
    }

    /// The newest snapshot on disk.
    pub fn saved(&self) -> Option<SnapshotOffer> {
        self.saved
    }

    /// How many barriers were executed.
    pub fn barriers(&self) -> u64 {
        self.number
    }

    /// Time begins now: what the records of a previous life led to did not take it.
    pub(crate) fn begin_barriers(&mut self, now: Micros) {
        self.since_barrier.begin(now);
        if let Some(saving) = &mut self.saving {
            saving.since = now;
        }
    }

    pub(crate) fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// Counts a barrier, if the vertex that is being executed is one.
    pub(crate) fn pass_barrier(&mut self, value: &Value) {
        let mut commands = value.commands.as_slice().iter();
        if commands.any(|command| command.operation == Operation::Barrier) {
            self.number += 1;
            self.cut.union(&value.deps.prefixes());
            self.has_passed_barrier = true;
        }
    }

    /// Cuts a snapshot at the end of a component with a barrier.
    pub(crate) fn cut_snapshot(&mut self, now: Micros, effects: &mut Effects<ReplicaRecord>) {
        if !std::mem::take(&mut self.has_passed_barrier) {
            return;
        }
        self.digest_state();
        if self.diverged().is_some() {
            return;
        }
        self.since_barrier.passed(now);
        if self.saving.is_some() {
            mark::hit(Mark::SnapshotSkipped);
            return;
        }
        mark::hit(Mark::SnapshotCut);
        let header = SnapshotHeader {
            number: self.number,
            cut: self.cut.clone(),
            executed: self.executed.clone(),
        };
        let header = std::iter::once_with(move || (piece::HEADER, header.encode()));
        let sessions = self.sessions.snapshot().map(|bytes| (piece::SESSIONS, bytes));
        let machine = self.machine.snapshot().map(|bytes| (piece::MACHINE, bytes));
        let pieces = Box::new(header.chain(sessions).chain(machine));
        self.snapshot = Some(Snapshot { number: self.number, pieces });
        self.saving = Some(Saving { number: self.number, cut: self.cut.clone(), since: now });
        self.counters.snapshots += 1;
        if is_planted(Mutant::HeldBeforeSaved) {
            let early = SnapshotOffer { number: self.number, len: 0, digest: [0; 32] };
            self.hold(early, self.cut.clone(), effects);
        }
    }

    /// Starts from a snapshot, before any record is taken back.
    ///
    /// # Errors
    /// When the pieces are no snapshot of this version. The replica is not to be used then.
    pub fn restore_snapshot(
        &mut self,
        saved: SnapshotOffer,
        pieces: &mut dyn Iterator<Item = (u8, Bytes)>,
    ) -> Result<(), Unrestorable> {
        let ready = self.load(pieces)?;
        assert!(ready.is_empty(), "nothing is committed before the first record");
        self.held = self.cut.clone();
        self.saved = Some(saved);
        Ok(())
    }

    /// Another replica offers a snapshot, since it has no more what this one lacks.
    pub(crate) fn on_offer(&mut self, from: NodeId, offer: SnapshotOffer) {
        if offer.number > self.number {
            mark::hit(Mark::SnapshotOffered);
            self.offered = Some((from, offer));
        }
    }

    /// Takes the snapshot to be fetched that was offered last, and by whom. When it is on disk here,
    /// [`Self::install`] follows.
    pub fn take_offer(&mut self) -> Option<(NodeId, SnapshotOffer)> {
        self.offered.take().filter(|(_, offer)| offer.number > self.number)
    }

    /// Installs a snapshot that was fetched and is on disk. Without effect where its barrier has been
    /// executed in the meantime; says whether it had one.
    ///
    /// # Errors
    /// When the pieces are no snapshot of this version. The replica is not to be used any more then.
    pub fn install(
        &mut self,
        now: Micros,
        saved: SnapshotOffer,
        pieces: &mut dyn Iterator<Item = (u8, Bytes)>,
        effects: &mut Effects<ReplicaRecord>,
    ) -> Result<bool, Unrestorable> {
        if saved.number <= self.number && !is_planted(Mutant::InstalledOverExecuted) {
            mark::hit(Mark::SnapshotOvertaken);
            return Ok(false);
        }
        let ready = self.load(pieces)?;
        mark::hit(Mark::SnapshotInstalled);
        self.counters.installed += 1;
        self.since_barrier.passed(now);
        // What is ready now may hold the next barrier, whose cut is in no snapshot yet.
        let cut = self.cut.clone();
        self.execute_all(now, ready, effects);
        self.watch_anew(now);
        // What is beyond it is asked for at once.
        self.asking = None;
        self.catch_up_at = now;
        self.hold(saved, cut, effects);
        self.tell_watchers(now, effects);
        Ok(true)
    }

    /// Takes over what the pieces hold; the components that this makes ready.
    fn load(
        &mut self,
        pieces: &mut dyn Iterator<Item = (u8, Bytes)>,
    ) -> Result<Vec<Component>, Unrestorable> {
        let first = pieces.next().filter(|(kind, _)| *kind == piece::HEADER);
        let (_, header) = first.ok_or_else(|| Unrestorable("it has no header".into()))?;
        let header = SnapshotHeader::decode(header).map_err(|e| Unrestorable(e.to_string()))?;
        let mut pieces = pieces.peekable();
        let mut sessions =
            std::iter::from_fn(|| Some(pieces.next_if(|(kind, _)| *kind == piece::SESSIONS)?.1));
        let sessions = Sessions::restore(&mut sessions)?;
        let mut machine =
            std::iter::from_fn(|| Some(pieces.next_if(|(kind, _)| *kind == piece::MACHINE)?.1));
        self.machine.restore(&mut machine)?;
        if let Some((kind, _)) = pieces.next() {
            return Err(Unrestorable(format!("piece of kind {kind} is out of place")));
        }
        if !is_planted(Mutant::SnapshotWithoutSessions) {
            self.sessions = sessions;
        }
        self.number = header.number;
        self.cut = header.cut;
        for (column, set) in &header.executed {
            self.committed.entry(*column).or_default().union(set);
            self.executed.entry(*column).or_default().union(set);
        }
        // Beyond its cut a snapshot holds noops, its barrier, which shows in no state, and what is of one
        // component with that, which whoever has executed the cut has executed too.
        for (column, row) in self.cut.columns() {
            let end = self.shown.entry(column).or_default();
            *end = (*end).max(row.below());
        }
        self.reads.wake_all();
        self.watchers.on_installed(&self.executed);
        self.digest_state();
        let ready = self.graph.install(&header.executed);
        self.log.forget_below(&self.cut);
        Ok(ready)
    }
}
