//! A node's snapshots: kept in memory as pieces, or by the store's own code over a disk in memory,
//! which loses and tears what was not synced. Nothing else of a node is on that disk.

use althing_journal::memory::MemoryDisk;
use althing_replica::SnapshotPieces;
use althing_snapshot::{Ask, Digest, Fetch, Listed, Piece, Store, serve};
use althing_wire::{SnapshotAsk, SnapshotChunk, SnapshotOffer};
use bytes::Bytes;
use rand::{Rng, RngExt};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::BTreeMap;
use std::hash::Hash;

const CLUSTER: [u8; 16] = [7; 16];

/// The pieces of a snapshot.
pub(crate) type Pieces = Vec<(u8, Bytes)>;

/// What a node keeps of snapshots.
pub(crate) struct Shelf {
    keep: usize,
    form: Form,
}

enum Form {
    Plain(BTreeMap<u64, (SnapshotOffer, Pieces)>),
    /// Between a crash and a restart there is no store.
    Stored(MemoryDisk, Option<Store<MemoryDisk>>),
}

impl Shelf {
    pub(crate) fn new(keep: usize, is_stored: bool) -> Self {
        let form = match is_stored {
            true => Form::Stored(MemoryDisk::new(), None),
            false => Form::Plain(BTreeMap::new()),
        };
        Self { keep, form }
    }

    /// The node starts: what a crash left is looked through.
    pub(crate) fn open(&mut self) -> Result<(), String> {
        if let Form::Stored(disk, store) = &mut self.form {
            *store = None;
            let (opened, _) = Store::open(disk.clone(), CLUSTER, self.keep)
                .map_err(|error| format!("the store refuses its disk: {error}"))?;
            if let Some(unusable) = opened.unusable().first() {
                return Err(format!("a finished snapshot is none: {unusable}"));
            }
            *store = Some(opened);
        }
        Ok(())
    }

    /// The newest that is on disk.
    pub(crate) fn newest(&self) -> Option<SnapshotOffer> {
        match &self.form {
            Form::Plain(all) => all.last_key_value().map(|(_, (offer, _))| *offer),
            Form::Stored(_, store) => store.as_ref()?.list().first().map(offer),
        }
    }

    /// Writes a snapshot; `None` where a newer one is there.
    pub(crate) fn save(&mut self, number: u64, pieces: SnapshotPieces) -> Option<SnapshotOffer> {
        match &mut self.form {
            Form::Plain(_) => {
                let pieces: Pieces = pieces.collect();
                let saved = named(number, &pieces);
                self.put(saved, pieces).then_some(saved)
            }
            Form::Stored(_, store) => {
                let mut draft = store.as_ref()?.begin(number).ok()?;
                for (kind, bytes) in pieces {
                    draft.push(&Piece { kind, bytes }).expect("a piece fits, and the disk works");
                }
                draft.finish().ok().map(|listed| offer(&listed))
            }
        }
    }

    /// Takes over another node's snapshot as it is, unless there is one as new; whether it did.
    pub(crate) fn put(&mut self, saved: SnapshotOffer, pieces: Pieces) -> bool {
        let Form::Plain(all) = &mut self.form else { panic!("a store fetches by itself") };
        if all.last_key_value().is_some_and(|(newest, _)| *newest >= saved.number) {
            return false;
        }
        all.insert(saved.number, (saved, pieces));
        while all.len() > self.keep {
            all.pop_first();
        }
        true
    }

    /// The pieces of a snapshot that is on disk.
    pub(crate) fn read(&self, number: u64) -> Option<Pieces> {
        match &self.form {
            Form::Plain(all) => all.get(&number).map(|(_, pieces)| pieces.clone()),
            Form::Stored(_, store) => {
                let pieces = store.as_ref()?.read(number).ok()?.map(|piece| {
                    let Piece { kind, bytes } = piece.expect("nothing changes on this disk");
                    (kind, bytes)
                });
                Some(pieces.collect())
            }
        }
    }

    /// The pieces of exactly that snapshot.
    pub(crate) fn read_if(&self, offer: SnapshotOffer) -> Option<Pieces> {
        let is_it = match &self.form {
            Form::Plain(all) => all.get(&offer.number).is_some_and(|(kept, _)| *kept == offer),
            Form::Stored(_, store) => store.as_ref()?.list().contains(&listed(offer)),
        };
        is_it.then(|| self.read(offer.number)).flatten()
    }

    /// A part of a snapshot, for who fetches it; nothing of it where it is gone.
    pub(crate) fn serve(&self, ask: SnapshotAsk) -> SnapshotChunk {
        let SnapshotAsk { number, offset, len } = ask;
        let gone = SnapshotChunk { number, offset, checksum: 0, bytes: Bytes::new() };
        let Form::Stored(_, Some(store)) = &self.form else { return gone };
        serve(store, Ask { number, offset, len }).map_or(gone, |chunk| SnapshotChunk {
            number,
            offset,
            checksum: chunk.checksum,
            bytes: chunk.bytes,
        })
    }

    /// A fetch into this store; `None` where pieces are simply copied.
    pub(crate) fn fetch(&self, at_least: u64, timeout: u64) -> Option<Fetch<MemoryDisk>> {
        match &self.form {
            Form::Plain(_) => None,
            Form::Stored(_, store) => Some(Fetch::new(store.clone()?, at_least, timeout)),
        }
    }

    /// The node stops, perhaps while it writes a snapshot. What reads or writes the store is gone
    /// already.
    pub(crate) fn crash(&mut self, writing: Option<(u64, SnapshotPieces)>, rng: &mut impl Rng) {
        let Form::Stored(disk, store) = &mut self.form else { return };
        let Some(store) = store.take() else { return };
        if let Some((number, pieces)) = writing
            && rng.random_bool(0.5)
            && let Ok(mut draft) = store.begin(number)
        {
            for (kind, bytes) in pieces {
                draft.push(&Piece { kind, bytes }).expect("a piece fits, and the disk works");
            }
        }
        drop(store);
        disk.crash(&mut |n| rng.random_range(0..n));
    }

    /// All snapshots are lost.
    pub(crate) fn lose(&mut self) {
        *self = Self::new(self.keep, matches!(self.form, Form::Stored(..)));
    }
}

pub(crate) fn offer(listed: &Listed) -> SnapshotOffer {
    SnapshotOffer { number: listed.number, len: listed.len, digest: listed.digest.0 }
}

pub(crate) fn listed(offer: SnapshotOffer) -> Listed {
    Listed { number: offer.number, len: offer.len, digest: Digest(offer.digest) }
}

/// A name for pieces without a file.
fn named(number: u64, pieces: &Pieces) -> SnapshotOffer {
    let mut hasher = SipHasher13::new();
    (number, pieces).hash(&mut hasher);
    let mut digest = [0; 32];
    digest[..16].copy_from_slice(&hasher.finish128().as_bytes());
    let len = pieces.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    SnapshotOffer { number, len, digest }
}
