//! A snapshot being written from this node's own state.

use althing_journal::disk::{Disk, DiskFile};
use bytes::Bytes;

use crate::digest::{Digest, Hasher};
use crate::error::SnapshotError;
use crate::format::{Footer, Header, Layout, PIECE_HEAD_BYTES, PieceHead};
use crate::limits::{CHUNK_BYTES, PIECE_BYTES_MAX, SNAPSHOT_BYTES_MAX, SYNC_BYTES};
use crate::store::{Claim, Listed};

/// A part of a snapshot, opaque here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What it is a part of.
    pub kind: u8,
    /// At most [`PIECE_BYTES_MAX`].
    pub bytes: Bytes,
}

/// A snapshot that is being written. Nothing of it counts until
/// [`Draft::finish`] returned. Dropped before, its file stays until the next one
/// is begun or the store opened; [`Draft::abandon`] removes it at once.
#[derive(Debug)]
pub struct Draft<D: Disk> {
    claim: Claim<D>,
    header: Header,
    file: D::File,
    /// The present chunk, as far as it goes.
    chunk: Vec<u8>,
    /// Hashes of all chunks before it.
    hashes: Vec<u8>,
    written: u64,
    synced: u64,
    pieces: u64,
    failed: Option<SnapshotError>,
}

impl<D: Disk> Draft<D> {
    pub(crate) fn begin(claim: Claim<D>, header: Header) -> Result<Self, SnapshotError> {
        claim.store.check_room()?;
        let name = claim.name.text();
        let file = claim
            .store
            .disk()
            .create(&name)
            .map_err(|source| SnapshotError::io("create", &name, source))?;
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        chunk.extend_from_slice(&header.encode());
        Ok(Self {
            claim,
            header,
            file,
            chunk,
            hashes: Vec::new(),
            written: 0,
            synced: 0,
            pieces: 0,
            failed: None,
        })
    }

    /// The barrier that it is taken at.
    pub fn number(&self) -> u64 {
        self.header.number
    }

    /// Bytes of header and pieces so far.
    pub fn body_len(&self) -> u64 {
        self.written + self.chunk.len() as u64
    }

    /// Adds a piece. Writes when a chunk is full, and syncs now and then.
    ///
    /// # Errors
    /// A piece too long, or one too many: nothing is written, and the draft is as
    /// before. A disk nearly full, or failing: the draft takes nothing more, and
    /// its file is removed.
    pub fn push(&mut self, piece: &Piece) -> Result<(), SnapshotError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let len = piece.bytes.len();
        if len > PIECE_BYTES_MAX {
            return Err(SnapshotError::Oversized { len, max: PIECE_BYTES_MAX });
        }
        let body_len = self.body_len() + (PIECE_HEAD_BYTES + len) as u64;
        let len = Layout { body_len }.len();
        if len > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotError::TooLong { len, max: SNAPSHOT_BYTES_MAX });
        }
        let head = PieceHead::seal(&self.header, self.pieces, piece.kind, &piece.bytes);
        self.pieces += 1;
        self.put(&head.0).and_then(|()| self.put(&piece.bytes)).inspect_err(|failed| {
            self.failed = Some(failed.clone());
            self.claim.discard();
        })
    }

    /// Removes what was written, if the draft is not to be finished.
    ///
    /// # Errors
    /// A failing disk.
    pub fn abandon(self) -> Result<(), SnapshotError> {
        match self.failed {
            Some(_) => Ok(()),
            None => self.claim.store.remove_file(self.claim.name),
        }
    }

    /// Makes it a finished snapshot, durably, and then removes the oldest beyond
    /// what the store keeps.
    ///
    /// # Errors
    /// A snapshot as new was finished meanwhile; a failing disk. It is not finished
    /// then, unless what failed is the removal of an older one.
    pub fn finish(mut self) -> Result<Listed, SnapshotError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        match self.seal() {
            Ok(listed) => {
                let store = self.claim.store.clone();
                store.install(self.claim, listed)?;
                Ok(listed)
            }
            Err(failed) => {
                self.claim.discard();
                Err(failed)
            }
        }
    }

    /// Writes what is left and the tail, and syncs.
    fn seal(&mut self) -> Result<Listed, SnapshotError> {
        if !self.chunk.is_empty() {
            self.write_chunk()?;
        }
        let layout = Layout { body_len: self.written };
        let mut hasher = Hasher::new();
        hasher.update(&self.hashes);
        hasher.update(&Footer::hashed(layout.body_len, self.pieces));
        let digest = hasher.finish();
        let footer = Footer { body_len: layout.body_len, pieces: self.pieces, digest };
        self.hashes.extend_from_slice(&footer.encode());

        let name = self.claim.name.text();
        let failed = |operation| {
            let name = &name;
            move |source| SnapshotError::io(operation, name, source)
        };
        self.file.write_at(&self.hashes, layout.body_len).map_err(failed("write"))?;
        self.file.sync().map_err(failed("sync"))?;
        Ok(Listed { number: self.header.number, len: layout.len(), digest })
    }

    /// Puts bytes into chunks, and writes those that are full.
    fn put(&mut self, mut bytes: &[u8]) -> Result<(), SnapshotError> {
        while !bytes.is_empty() {
            let room = CHUNK_BYTES - self.chunk.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.chunk.extend_from_slice(now);
            bytes = later;
            if self.chunk.len() == CHUNK_BYTES {
                self.write_chunk()?;
            }
        }
        Ok(())
    }

    fn write_chunk(&mut self) -> Result<(), SnapshotError> {
        let name = self.claim.name.text();
        let failed = |operation| {
            let name = &name;
            move |source| SnapshotError::io(operation, name, source)
        };
        self.hashes.extend_from_slice(&Digest::of(&self.chunk).0);
        self.file.write_at(&self.chunk, self.written).map_err(failed("write"))?;
        self.written += self.chunk.len() as u64;
        self.chunk.clear();
        if self.written - self.synced >= SYNC_BYTES {
            self.file.sync().map_err(failed("sync"))?;
            self.synced = self.written;
            self.claim.store.check_room()?;
        }
        Ok(())
    }
}
