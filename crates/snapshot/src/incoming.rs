//! The file of a snapshot that is being fetched.

use std::io;

use althing_journal::disk::{Disk, DiskFile};

use crate::digest::{DIGEST_BYTES, Digest, Hasher};
use crate::error::SnapshotError;
use crate::format::{FOOTER_BYTES, Footer, Header, Layout};
use crate::limits::{CHUNK_BYTES, SYNC_BYTES};
use crate::message::Offer;
use crate::name::Name;
use crate::read::Reader;
use crate::store::{Claim, Store};

/// A file with the layout of the finished one, of which some is there. What is
/// not there yet reads as zeros, which no hash allows.
pub(crate) struct Incoming<D: Disk> {
    claim: Claim<D>,
    offer: Offer,
    layout: Layout,
    file: D::File,
    /// The file's end, once it is proven.
    tail: Option<Vec<u8>>,
    unsynced: u64,
    /// An earlier life may have written any of the chunks.
    resumed: bool,
}

impl<D: Disk> Incoming<D> {
    /// Goes on with the file of this offer, or makes it. The layout is the offer's.
    pub(crate) fn open(
        store: &Store<D>,
        offer: Offer,
        layout: Layout,
    ) -> Result<Self, SnapshotError> {
        let claim = store.claim(Name::Fetch(offer.number, offer.digest))?;
        store.remove_abandoned(Some(claim.name))?;
        store.check_room()?;
        let name = claim.name.text();
        let failed = |operation| {
            let name = &name;
            move |source| SnapshotError::io(operation, name, source)
        };
        let existing = match store.disk().open(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("open")(error)),
            // No file of this offer is longer; nothing can shorten it but a new one.
            Ok(file) => (file.len().map_err(failed("measure"))? <= offer.len).then_some(file),
        };
        let resumed = existing.is_some();
        let file = match existing {
            Some(file) => file,
            None => store.disk().create(&name).map_err(failed("create"))?,
        };
        let mut incoming = Self { claim, offer, layout, file, tail: None, unsynced: 0, resumed };
        if resumed {
            let tail = incoming.read(layout.body_len, incoming.tail_len())?;
            incoming.tail = tail.filter(|tail| incoming.is_tail(tail));
        }
        Ok(incoming)
    }

    pub(crate) fn tail_len(&self) -> usize {
        (self.layout.len() - self.layout.body_len) as usize
    }

    /// Whether the hashes are known.
    pub(crate) fn has_tail(&self) -> bool {
        self.tail.is_some()
    }

    /// Takes the end of the file, if it is that of the offer.
    pub(crate) fn put_tail(&mut self, tail: Vec<u8>) -> Result<bool, SnapshotError> {
        if !self.is_tail(&tail) {
            return Ok(false);
        }
        self.write(self.layout.body_len, &tail)?;
        self.sync()?;
        self.tail = Some(tail);
        Ok(true)
    }

    /// Takes a chunk of the body, if it is that of the offer.
    pub(crate) fn put(&mut self, chunk: u64, bytes: &[u8]) -> Result<bool, SnapshotError> {
        if !self.is_chunk(chunk, bytes) {
            return Ok(false);
        }
        self.write(chunk * CHUNK_BYTES as u64, bytes)?;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_BYTES {
            self.sync()?;
            self.claim.store.check_room()?;
        }
        Ok(true)
    }

    /// Whether chunks may be here already.
    pub(crate) fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Whether an earlier life wrote this chunk.
    pub(crate) fn holds(&self, chunk: u64) -> Result<bool, SnapshotError> {
        if !self.resumed {
            return Ok(false);
        }
        let bytes = self.read(chunk * CHUNK_BYTES as u64, self.layout.chunk_len(chunk))?;
        Ok(bytes.is_some_and(|bytes| self.is_chunk(chunk, &bytes)))
    }

    /// Reads all of it, as a snapshot of this cluster, and makes it a finished
    /// one.
    pub(crate) fn finish(mut self) -> Result<(), SnapshotError> {
        self.sync()?;
        let store = self.claim.store.clone();
        let header = Header { cluster: store.cluster(), number: self.offer.number };
        let name = self.claim.name.text();
        Reader::open(store.disk(), name, header, self.offer, None)?
            .try_for_each(|piece| piece.map(drop))?;
        store.install(self.claim, self.offer)
    }

    fn is_tail(&self, tail: &[u8]) -> bool {
        let (hashes, end) = tail.split_at(tail.len() - FOOTER_BYTES);
        let Some(footer) = Footer::decode(end) else { return false };
        let mut hasher = Hasher::new();
        hasher.update(hashes);
        hasher.update(&Footer::hashed(footer.body_len, footer.pieces));
        footer.body_len == self.layout.body_len
            && footer.digest == self.offer.digest
            && hasher.finish() == self.offer.digest
    }

    fn is_chunk(&self, chunk: u64, bytes: &[u8]) -> bool {
        let tail = self.tail.as_ref().expect("chunks are asked for once the tail is here");
        let at = chunk as usize * DIGEST_BYTES;
        Digest::of(bytes).0 == tail[at..at + DIGEST_BYTES]
    }

    /// Bytes of the file, if it is as long.
    fn read(&self, offset: u64, len: usize) -> Result<Option<Vec<u8>>, SnapshotError> {
        let mut bytes = vec![0; len];
        let read = self.file.read_at(&mut bytes, offset);
        let read = read.map_err(|source| self.failed("read", source))?;
        Ok((read == len).then_some(bytes))
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.file.write_at(bytes, offset).map_err(|source| self.failed("write", source))
    }

    fn sync(&mut self) -> Result<(), SnapshotError> {
        self.unsynced = 0;
        self.file.sync().map_err(|source| self.failed("sync", source))
    }

    fn failed(&self, operation: &'static str, source: io::Error) -> SnapshotError {
        SnapshotError::io(operation, &self.claim.name.text(), source)
    }
}
