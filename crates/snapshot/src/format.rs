//! The bytes of a file, and the arithmetic of its parts.

use crate::digest::{DIGEST_BYTES, Digest};
use crate::error::{Damage, SnapshotError};
use crate::limits::CHUNK_BYTES;

/// The version of the format that this crate reads and writes.
pub const FORMAT_VERSION: u32 = 1;

/// Bytes of the header.
pub(crate) const HEADER_BYTES: usize = 64;
/// Bytes of the footer.
pub(crate) const FOOTER_BYTES: usize = 64;
/// Bytes before a piece's own.
pub(crate) const PIECE_HEAD_BYTES: usize = 9;
/// Bytes of the footer that the digest covers.
const FOOTER_HASHED_BYTES: usize = 24;

const MAGIC: &[u8; 8] = b"ALTHSNAP";
const END_MARK: &[u8; 8] = b"ALTHSEND";

/// What a snapshot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) cluster: [u8; 16],
    pub(crate) number: u64,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.cluster);
        bytes[32..40].copy_from_slice(&self.number.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..HEADER_BYTES - 4]);
        bytes[HEADER_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads whose and which it is.
    pub(crate) fn read(bytes: &[u8; HEADER_BYTES], file: &str) -> Result<Self, SnapshotError> {
        let cluster = bytes[16..32].try_into().expect("16 bytes");
        let header = Self { cluster, number: u64_at(bytes, 32) };
        header.check(bytes, file).map(|()| header)
    }

    /// Checks that these bytes begin this snapshot in the file.
    pub(crate) fn check(&self, bytes: &[u8], file: &str) -> Result<(), SnapshotError> {
        let damaged = |damage| SnapshotError::damaged(file, 0, damage);
        let bytes: &[u8; HEADER_BYTES] = bytes.try_into().map_err(|_| damaged(Damage::Header))?;
        let checksum = crc32c::crc32c(&bytes[..HEADER_BYTES - 4]);
        if &bytes[0..8] != MAGIC || u32_at(bytes, HEADER_BYTES - 4) != checksum {
            return Err(damaged(Damage::Header));
        }
        let found = u32_at(bytes, 8);
        if found != FORMAT_VERSION {
            return Err(SnapshotError::Version {
                file: file.into(),
                found,
                supported: FORMAT_VERSION,
            });
        }
        let cluster: [u8; 16] = bytes[16..32].try_into().expect("16 bytes");
        if cluster != self.cluster {
            return Err(SnapshotError::OtherCluster {
                file: file.into(),
                found: hex(cluster),
                expected: hex(self.cluster),
            });
        }
        if u64_at(bytes, 32) != self.number {
            return Err(damaged(Damage::Misnamed));
        }
        Ok(())
    }

    /// The checksum of a piece at this index, from its head and bytes.
    pub(crate) fn piece_checksum(&self, index: u64, length_kind: &[u8], bytes: &[u8]) -> u32 {
        let seed = crc32c::crc32c(&self.cluster);
        let seed = crc32c::crc32c_append(seed, &self.number.to_le_bytes());
        let seed = crc32c::crc32c_append(seed, &index.to_le_bytes());
        crc32c::crc32c_append(crc32c::crc32c_append(seed, length_kind), bytes)
    }
}

/// The head of a piece: checksum, length, kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PieceHead(pub(crate) [u8; PIECE_HEAD_BYTES]);

impl PieceHead {
    pub(crate) fn seal(header: &Header, index: u64, kind: u8, bytes: &[u8]) -> Self {
        let mut head = [0; PIECE_HEAD_BYTES];
        let len = u32::try_from(bytes.len()).expect("a piece is at most PIECE_BYTES_MAX long");
        head[4..8].copy_from_slice(&len.to_le_bytes());
        head[8] = kind;
        let checksum = header.piece_checksum(index, &head[4..], bytes);
        head[0..4].copy_from_slice(&checksum.to_le_bytes());
        Self(head)
    }

    pub(crate) fn len(&self) -> usize {
        u32_at(&self.0, 4) as usize
    }

    pub(crate) fn kind(&self) -> u8 {
        self.0[8]
    }

    pub(crate) fn is_of(&self, header: &Header, index: u64, bytes: &[u8]) -> bool {
        u32_at(&self.0, 0) == header.piece_checksum(index, &self.0[4..], bytes)
    }
}

/// Where the parts of a file lie: the body (header and pieces), cut into
/// chunks, and the tail (a hash for each chunk, and the footer).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) body_len: u64,
}

impl Layout {
    /// That of a file of this length, if any file has it.
    pub(crate) fn of_len(len: u64) -> Option<Self> {
        let rest = len.checked_sub(FOOTER_BYTES as u64)?;
        let chunks = rest.div_ceil((CHUNK_BYTES + DIGEST_BYTES) as u64);
        let layout = Self { body_len: rest.checked_sub(chunks * DIGEST_BYTES as u64)? };
        (layout.chunks() == chunks && layout.body_len >= HEADER_BYTES as u64).then_some(layout)
    }

    pub(crate) fn chunks(self) -> u64 {
        self.body_len.div_ceil(CHUNK_BYTES as u64)
    }

    /// Bytes of all hashes.
    pub(crate) fn hashes_len(self) -> u64 {
        self.chunks() * DIGEST_BYTES as u64
    }

    pub(crate) fn len(self) -> u64 {
        self.footer_at() + FOOTER_BYTES as u64
    }

    pub(crate) fn footer_at(self) -> u64 {
        self.body_len + self.hashes_len()
    }

    /// Where the hash of a chunk stands.
    pub(crate) fn hash_at(self, chunk: u64) -> u64 {
        self.body_len + chunk * DIGEST_BYTES as u64
    }

    /// Bytes of a chunk: the last one may be short.
    pub(crate) fn chunk_len(self, chunk: u64) -> usize {
        let start = chunk * CHUNK_BYTES as u64;
        self.body_len.saturating_sub(start).min(CHUNK_BYTES as u64) as usize
    }
}

/// What ends a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) body_len: u64,
    pub(crate) pieces: u64,
    pub(crate) digest: Digest,
}

impl Footer {
    /// The part of a footer that the digest covers, after all hashes.
    pub(crate) fn hashed(body_len: u64, pieces: u64) -> [u8; FOOTER_HASHED_BYTES] {
        let mut bytes = [0; FOOTER_HASHED_BYTES];
        bytes[0..8].copy_from_slice(END_MARK);
        bytes[8..16].copy_from_slice(&body_len.to_le_bytes());
        bytes[16..24].copy_from_slice(&pieces.to_le_bytes());
        bytes
    }

    pub(crate) fn encode(&self) -> [u8; FOOTER_BYTES] {
        let mut bytes = [0; FOOTER_BYTES];
        let hashed = Self::hashed(self.body_len, self.pieces);
        bytes[..FOOTER_HASHED_BYTES].copy_from_slice(&hashed);
        bytes[24..56].copy_from_slice(&self.digest.0);
        let checksum = crc32c::crc32c(&bytes[..FOOTER_BYTES - 4]);
        bytes[FOOTER_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; FOOTER_BYTES] = bytes.try_into().ok()?;
        let footer = Self {
            body_len: u64_at(bytes, 8),
            pieces: u64_at(bytes, 16),
            digest: Digest(bytes[24..56].try_into().expect("32 bytes")),
        };
        // Nothing else encodes to it: the mark, the zeros and the checksum too.
        (footer.encode() == *bytes).then_some(footer)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

fn hex(cluster: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(cluster))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_tells_the_layout_or_is_none() {
        // If this failed, a receiver would ask for the hashes at the wrong place.
        let chunk = CHUNK_BYTES as u64;
        for body_len in [64, 65, chunk - 1, chunk, chunk + 1, 5 * chunk, 5 * chunk + 77] {
            let layout = Layout { body_len };
            assert_eq!(Layout::of_len(layout.len()), Some(layout));
        }
        let full = Layout { body_len: chunk }.len();
        assert!((full + 1..=full + 32).all(|len| Layout::of_len(len).is_none()));
        assert!((0..64 + 32 + 64).all(|len| Layout::of_len(len).is_none()));
    }
}
