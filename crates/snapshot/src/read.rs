//! Reading a snapshot: nothing is handed out before it is proven.

use althing_journal::disk::{Disk, DiskFile};
use bytes::{Bytes, BytesMut};

use crate::digest::{DIGEST_BYTES, Digest, Hasher};
use crate::draft::Piece;
use crate::error::{Damage, SnapshotError};
use crate::format::{Footer, HEADER_BYTES, Header, Layout, PIECE_HEAD_BYTES, PieceHead};
use crate::limits::{CHUNK_BYTES, PIECE_BYTES_MAX};
use crate::store::{Listed, Pin, read_footer};

/// The pieces of a snapshot, in order. Holds one chunk and one piece.
///
/// Each piece is proven before it is handed out, but only the end proves that
/// none is missing: what was made of the pieces counts when the iterator ended
/// without an error. After an error it ends.
#[derive(Debug)]
pub struct Reader<D: Disk> {
    source: Source<D::File>,
    pieces: u64,
    ended: bool,
    _pin: Option<Pin<D>>,
}

/// The bytes of a file's body, proven chunk by chunk.
#[derive(Debug)]
struct Source<F> {
    file: F,
    name: String,
    header: Header,
    layout: Layout,
    footer: Footer,
    /// The next byte of the body to hand out.
    at: u64,
    /// The chunk that it is in.
    chunk: Vec<u8>,
    /// Of the hashes of all chunks so far.
    hasher: Hasher,
}

impl<D: Disk> Reader<D> {
    /// Reads the file, which must be this snapshot.
    pub(crate) fn open(
        disk: &D,
        name: String,
        header: Header,
        listed: Listed,
        pin: Option<Pin<D>>,
    ) -> Result<Self, SnapshotError> {
        let failed = |operation| {
            let name = &name;
            move |source| SnapshotError::io(operation, name, source)
        };
        let file = disk.open_read(&name).map_err(failed("open"))?;
        let len = file.len().map_err(failed("measure"))?;
        let (layout, footer) = read_footer(&file, &name, len)?;
        if (len, footer.digest) != (listed.len, listed.digest) {
            return Err(SnapshotError::damaged(&name, layout.footer_at(), Damage::Digest));
        }
        let hasher = Hasher::new();
        let mut source =
            Source { file, name, header, layout, footer, at: 0, chunk: Vec::new(), hasher };
        let mut bytes = [0; HEADER_BYTES];
        source.take(&mut bytes)?;
        header.check(&bytes, &source.name)?;
        Ok(Self { source, pieces: 0, ended: false, _pin: pin })
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, SnapshotError> {
        let Self { source, pieces, .. } = self;
        if source.at == source.layout.body_len {
            return source.check_end(*pieces).map(|()| None);
        }
        let start = source.at;
        let damaged =
            |source: &Source<D::File>| SnapshotError::damaged(&source.name, start, Damage::Piece);
        if source.rest() < PIECE_HEAD_BYTES as u64 {
            return Err(damaged(source));
        }
        let mut head = PieceHead([0; PIECE_HEAD_BYTES]);
        source.take(&mut head.0)?;
        // Before anything is allocated for it.
        if head.len() > PIECE_BYTES_MAX || head.len() as u64 > source.rest() {
            return Err(damaged(source));
        }
        let mut bytes = BytesMut::zeroed(head.len());
        source.take(&mut bytes)?;
        if !head.is_of(&source.header, *pieces, &bytes) {
            return Err(damaged(source));
        }
        *pieces += 1;
        Ok(Some(Piece { kind: head.kind(), bytes: Bytes::from(bytes) }))
    }
}

impl<D: Disk> Iterator for Reader<D> {
    type Item = Result<Piece, SnapshotError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let piece = self.next_piece().transpose();
        self.ended = !matches!(piece, Some(Ok(_)));
        piece
    }
}

impl<F: DiskFile> Source<F> {
    /// Bytes of the body that were not handed out.
    fn rest(&self) -> u64 {
        self.layout.body_len - self.at
    }

    /// Fills the buffer with the next bytes of the body, which has as many.
    fn take(&mut self, mut buffer: &mut [u8]) -> Result<(), SnapshotError> {
        while !buffer.is_empty() {
            let offset = (self.at % CHUNK_BYTES as u64) as usize;
            if offset == 0 {
                self.load_chunk()?;
            }
            let here = &self.chunk[offset..];
            let len = here.len().min(buffer.len());
            let (now, later) = buffer.split_at_mut(len);
            now.copy_from_slice(&here[..len]);
            buffer = later;
            self.at += len as u64;
        }
        Ok(())
    }

    /// Reads the chunk that begins here, and proves it by its hash.
    fn load_chunk(&mut self) -> Result<(), SnapshotError> {
        let index = self.at / CHUNK_BYTES as u64;
        self.chunk.resize(self.layout.chunk_len(index), 0);
        read_exact(&self.file, &self.name, &mut self.chunk, self.at)?;
        let mut hash = [0; DIGEST_BYTES];
        read_exact(&self.file, &self.name, &mut hash, self.layout.hash_at(index))?;
        if Digest::of(&self.chunk) != Digest(hash) {
            return Err(SnapshotError::damaged(&self.name, self.at, Damage::Chunk));
        }
        self.hasher.update(&hash);
        Ok(())
    }

    /// Proves that this is all, and what was offered.
    fn check_end(&self, pieces: u64) -> Result<(), SnapshotError> {
        let damaged =
            |damage| Err(SnapshotError::damaged(&self.name, self.layout.body_len, damage));
        if pieces != self.footer.pieces {
            return damaged(Damage::Count);
        }
        let mut hasher = self.hasher.clone();
        hasher.update(&Footer::hashed(self.layout.body_len, pieces));
        if hasher.finish() != self.footer.digest {
            return damaged(Damage::Digest);
        }
        Ok(())
    }
}

/// Fills the buffer from the file, which is damaged if it is too short.
pub(crate) fn read_exact<F: DiskFile>(
    file: &F,
    name: &str,
    buffer: &mut [u8],
    offset: u64,
) -> Result<(), SnapshotError> {
    let read =
        file.read_at(buffer, offset).map_err(|source| SnapshotError::io("read", name, source))?;
    if read < buffer.len() {
        return Err(SnapshotError::damaged(name, offset + read as u64, Damage::End));
    }
    Ok(())
}
