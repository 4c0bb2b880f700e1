//! What two nodes say to each other.

use bytes::Bytes;

use crate::store::Listed;

/// A finished snapshot that a peer has, as [`crate::Store::list`] says it.
pub type Offer = Listed;

/// Asks a peer for a part of the file that it offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Of which barrier.
    pub number: u64,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// How many bytes, at most [`crate::limits::CHUNK_BYTES`].
    pub len: u32,
}

/// A part of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Of which barrier.
    pub number: u64,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// CRC-32C of number, offset and bytes: what was changed on the way shows.
    pub checksum: u32,
    /// As many as were asked for.
    pub bytes: Bytes,
}

impl Chunk {
    /// With its checksum.
    pub fn new(number: u64, offset: u64, bytes: Bytes) -> Self {
        Self { number, offset, checksum: checksum(number, offset, &bytes), bytes }
    }

    /// Whether it has its checksum.
    pub fn is_whole(&self) -> bool {
        self.checksum == checksum(self.number, self.offset, &self.bytes)
    }
}

fn checksum(number: u64, offset: u64, bytes: &[u8]) -> u32 {
    let seed = crc32c::crc32c(&number.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(seed, &offset.to_le_bytes()), bytes)
}
