//! The side that wants a snapshot.

use std::collections::BTreeSet;
use std::fmt;

use althing_journal::disk::Disk;
use althing_model::NodeId;

use crate::digest::Digest;
use crate::error::{Damage, SnapshotError};
use crate::format::Layout;
use crate::incoming::Incoming;
use crate::limits::{REJECTED_MAX, SNAPSHOT_BYTES_MAX};
use crate::message::{Ask, Chunk, Offer};
use crate::name::Name;
use crate::peers::Peers;
use crate::store::{Listed, Store};
use crate::transfer::{Transfer, Verdict};

/// Fetches one snapshot from peers into the store.
///
/// It is told what peers offer and send, and [`Fetch::poll`] says what to ask
/// of whom; the caller carries the messages. First come the hashes at the
/// file's end, proven by the offer's digest, then the chunks, each proven by its
/// hash: so no peer is believed but for its offer. Asks go to one peer at a
/// time; another that offers the same file takes over, and goes on where the
/// first was. If none does, another offer is begun with. What an earlier life
/// fetched is not asked for again.
///
/// Its calls read and write files: `poll` and `on_chunk` wait for the disk, the
/// last of them for a read of the whole file. After an error the transfer is
/// dropped, and the next `poll` begins again; what to make of a failing disk is
/// the caller's.
pub struct Fetch<D: Disk> {
    store: Store<D>,
    at_least: u64,
    timeout_us: u64,
    peers: Peers,
    /// What turned out to be no snapshot of ours, though it was what was offered.
    rejected: BTreeSet<Digest>,
    transfer: Option<Transfer<D>>,
    finished: Option<Listed>,
}

/// What a chunk was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Proven, and written.
    Kept,
    /// Not asked for, not any more, or not of this peer: ignored.
    Unasked,
    /// Not what the peer offered: asked for again, of another peer if there is
    /// one.
    Damaged,
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which snapshot.
    pub number: u64,
    /// Who is asked.
    pub source: NodeId,
    /// Bytes proven and written, those of an earlier life included.
    pub received: u64,
    /// Bytes of the file.
    pub total: u64,
}

impl<D: Disk> Fetch<D> {
    /// Fetches a snapshot of this barrier or a later one, if it is newer than
    /// what the store has. An ask counts as lost after `timeout_us` microseconds
    /// ([`crate::limits::TIMEOUT_US`] if nothing else is known), later after
    /// failures.
    pub fn new(store: Store<D>, at_least: u64, timeout_us: u64) -> Self {
        Self {
            store,
            at_least,
            timeout_us: timeout_us.max(1),
            peers: Peers::default(),
            rejected: BTreeSet::new(),
            transfer: None,
            finished: None,
        }
    }

    /// What was fetched, once it is finished and in the store.
    pub fn finished(&self) -> Option<Listed> {
        self.finished
    }

    /// How far it is, if a transfer has begun.
    pub fn progress(&self) -> Option<Progress> {
        self.transfer.as_ref().map(|transfer| Progress {
            number: transfer.offer.number,
            source: transfer.source,
            received: transfer.received,
            total: transfer.offer.len,
        })
    }

    /// Whether no peer offers anything of use: ask them what they have.
    pub fn is_starved(&self) -> bool {
        self.finished.is_none() && self.transfer.is_none() && self.best(&BTreeSet::new()).is_none()
    }

    /// When to poll next, in the time of [`Fetch::poll`]: 0 for at once, `None`
    /// for after the next message.
    pub fn wake_at(&self) -> Option<u64> {
        match &self.transfer {
            Some(transfer) if transfer.window.has_room() => Some(0),
            Some(transfer) => {
                transfer.window.expires_at(|peer| self.peers.timeout(peer, self.timeout_us))
            }
            None => (self.finished.is_none() && !self.is_starved()).then_some(0),
        }
    }

    /// A peer has this snapshot. Says whether it can be of use.
    pub fn on_offer(&mut self, from: NodeId, offer: Offer) -> bool {
        let is_of_use = offer.number >= self.at_least
            && offer.len <= SNAPSHOT_BYTES_MAX
            && Layout::of_len(offer.len).is_some()
            && !self.rejected.contains(&offer.digest);
        if is_of_use {
            let fetched = self.transfer.as_ref().map(|transfer| transfer.offer);
            self.peers.offer(from, offer, fetched);
        }
        is_of_use
    }

    /// A peer does not have this snapshot any more.
    pub fn on_refused(&mut self, from: NodeId, number: u64) {
        self.peers.forget(from, number);
    }

    /// A peer cannot be reached.
    pub fn on_peer_down(&mut self, from: NodeId) {
        self.peers.remove(from);
    }

    /// A part of the file came.
    ///
    /// # Errors
    /// A failing disk; or, after the last chunk, the whole is not a snapshot of
    /// this cluster and barrier, or one as new is here already.
    pub fn on_chunk(&mut self, from: NodeId, chunk: &Chunk) -> Result<Taken, SnapshotError> {
        let Some(transfer) = &mut self.transfer else { return Ok(Taken::Unasked) };
        let offer = transfer.offer;
        let awaited = transfer.part(chunk).filter(|_| self.peers.offers(from, offer));
        let Some(part) = awaited else { return Ok(Taken::Unasked) };
        let verdict = transfer.take(from, part, chunk);
        let verdict = self.drop_after_error(verdict)?;
        let taken = self.judge(from, offer.number, verdict);
        self.finish_if_complete()?;
        Ok(taken)
    }

    /// What to ask now, and of whom. Call it after every message, and when
    /// [`Fetch::wake_at`] says; `now` never goes back.
    ///
    /// # Errors
    /// As [`Fetch::on_chunk`].
    pub fn poll(&mut self, now: u64) -> Result<Vec<(NodeId, Ask)>, SnapshotError> {
        if self.finished.is_some() {
            return Ok(Vec::new());
        }
        self.expire(now);
        self.keep_or_drop();
        if self.transfer.is_none() && !self.is_starved() {
            self.begin()?;
        }
        let Some(transfer) = &mut self.transfer else { return Ok(Vec::new()) };
        let asks = transfer.asks(now);
        let asks = self.drop_after_error(asks)?;
        self.finish_if_complete()?;
        Ok(asks)
    }

    /// Counts who was silent for too long.
    fn expire(&mut self, now: u64) {
        let Self { peers, transfer: Some(transfer), timeout_us, .. } = self else { return };
        let silent = transfer.window.expire(now, |peer| peers.timeout(peer, *timeout_us));
        silent.into_iter().for_each(|from| peers.lost(from, transfer.offer.number));
    }

    /// Changes to a better source of what is being fetched; without any, or if it
    /// is of no use any more, the transfer ends.
    fn keep_or_drop(&mut self) {
        let Some(transfer) = &mut self.transfer else { return };
        let is_newer = Some(transfer.offer.number) > newest(&self.store);
        match self.peers.source(transfer.offer, Some(transfer.source)) {
            Some(source) if is_newer => {
                if source != transfer.source {
                    transfer.source = source;
                    transfer.window.give_up(|peer| peer != source);
                }
            }
            _ => self.transfer = None,
        }
    }

    /// Begins with the best offer, of those there are.
    fn begin(&mut self) -> Result<(), SnapshotError> {
        let here = self.store.fetched()?;
        let offer = self.best(&here).expect("not starved");
        let source = self.peers.source(offer, None).expect("a peer offers it");
        let layout = Layout::of_len(offer.len).expect("checked when it was offered");
        let incoming = Incoming::open(&self.store, offer, layout)?;
        self.transfer = Some(Transfer::new(offer, layout, source, incoming));
        Ok(())
    }

    /// The best offer, given what is here in part.
    fn best(&self, here: &BTreeSet<Name>) -> Option<Offer> {
        self.peers.best(newest(&self.store), here)
    }

    /// Notes what a chunk tells of the peers.
    fn judge(&mut self, from: NodeId, number: u64, verdict: Verdict) -> Taken {
        match verdict {
            Verdict::Kept { proven } => {
                if proven {
                    self.peers.proven(from);
                }
                return Taken::Kept;
            }
            Verdict::Changed => self.peers.lost(from, number),
            Verdict::Wrong { of } => {
                of.into_iter().for_each(|from| self.peers.at_fault(from, number));
            }
        }
        Taken::Damaged
    }

    fn finish_if_complete(&mut self) -> Result<(), SnapshotError> {
        let Some(transfer) = self.transfer.take_if(|transfer| transfer.is_complete()) else {
            return Ok(());
        };
        let offer = transfer.offer;
        let finished = transfer.incoming.finish();
        // Also if the removal of an older one failed.
        if self.store.list().contains(&offer) {
            self.finished = Some(offer);
            return finished;
        }
        let Err(error) = finished else { unreachable!("what is finished is listed") };
        // What the disk changed may be right the next time; what is not a
        // snapshot of ours never will.
        let changed = matches!(
            error,
            SnapshotError::Io { .. }
                | SnapshotError::NotNewer { .. }
                | SnapshotError::Damaged { damage: Damage::Chunk | Damage::End, .. }
        );
        if !changed {
            self.reject(offer.digest);
        }
        self.discard(offer);
        Err(error)
    }

    /// After a failed write or sync what is in memory may not be on disk, and
    /// a file that is read again from there would seem whole: it goes.
    fn drop_after_error<T>(
        &mut self,
        result: Result<T, SnapshotError>,
    ) -> Result<T, SnapshotError> {
        if result.is_err()
            && let Some(transfer) = self.transfer.take()
        {
            let offer = transfer.offer;
            drop(transfer);
            self.discard(offer);
        }
        result
    }

    /// Removes what was fetched, if it can be: the error that led to it says more
    /// than one of the removal.
    fn discard(&self, offer: Offer) {
        let name = Name::Fetch(offer.number, offer.digest);
        if self.store.fetched().is_ok_and(|names| names.contains(&name)) {
            let _ = self.store.remove_file(name);
        }
    }

    /// Never takes these contents again.
    fn reject(&mut self, digest: Digest) {
        if self.rejected.len() == REJECTED_MAX {
            self.rejected.pop_first();
        }
        self.rejected.insert(digest);
        self.peers.reject(digest);
    }
}

fn newest<D: Disk>(store: &Store<D>) -> Option<u64> {
    store.list().first().map(|listed| listed.number)
}

impl<D: Disk> fmt::Debug for Fetch<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetch")
            .field("progress", &self.progress())
            .field("peers", &self.peers)
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}
