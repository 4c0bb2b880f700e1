//! Segments: their names, their header, how one is read.
//!
//! Payload of the header sector, little-endian:
//!
//! ```text
//!  0  magic             "ALTHSEGM"
//!  8  version           u32
//! 12  node              u32
//! 16  cluster           16 bytes
//! 32  segment           u64  its number, from 1
//! 40  sectors           u64  its length, this header included
//! 48  first group       u64
//! 56  first lsn         u64
//! 64  previous sectors  u64  sectors used in the segment before
//! ```
//! The checksum of that segment's last sector stands where each sector has its
//! predecessor's. So a header seals the segment before it.

use std::ops::Range;

use crate::disk::DiskFile;
use crate::error::{Damage, OpenError};
use crate::limits::READ_BYTES;
use crate::sector::{PAYLOAD_AT, Place, Role, SECTOR_BYTES, Sector, SectorBytes, SectorHead};
use crate::superblock::{FORMAT_VERSION, Identity};

const MAGIC: &[u8; 8] = b"ALTHSEGM";
const HEADER_BYTES: u16 = 72;

/// A segment's file name.
pub(crate) fn name(segment: u64) -> String {
    format!("journal-{segment:016x}.segment")
}

/// The segment of a file name, if it is one.
pub(crate) fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("journal-")?.strip_suffix(".segment")?;
    let segment = u64::from_str_radix(digits, 16).ok()?;
    (self::name(segment) == name).then_some(segment)
}

/// What a segment says about itself and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) identity: Identity,
    pub(crate) segment: u64,
    pub(crate) sectors: u64,
    pub(crate) first_group: u64,
    pub(crate) first_lsn: u64,
    pub(crate) previous_sectors: u64,
    pub(crate) previous_chain: u32,
}

impl SegmentHeader {
    /// Reads the header of a file, and checks that it is this segment of this
    /// journal. Returns it with its checksum.
    pub(crate) fn read<F: DiskFile>(
        file: &F,
        identity: Identity,
        segment: u64,
    ) -> Result<(Self, u32), OpenError> {
        let name = name(segment);
        let damaged =
            || OpenError::Damaged { file: name.clone(), offset: 0, damage: Damage::Header };
        let mut bytes = [0; SECTOR_BYTES];
        let len =
            file.read_at(&mut bytes, 0).map_err(|source| OpenError::io("read", &name, source))?;
        if len < SECTOR_BYTES {
            return Err(OpenError::Truncated { file: name, len: len as u64 });
        }
        let Sector::Valid(head, chain) = Sector::read(&bytes, Place::HEADER, 0) else {
            return Err(damaged());
        };
        let payload = &bytes[PAYLOAD_AT..];
        if head.role != Role::Segment || &payload[0..8] != MAGIC {
            return Err(damaged());
        }
        let u32_at = |at: usize| u32::from_le_bytes(payload[at..at + 4].try_into().expect("4"));
        let u64_at = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().expect("8"));
        if u32_at(8) != FORMAT_VERSION {
            return Err(OpenError::Version {
                file: name,
                found: u32_at(8),
                supported: FORMAT_VERSION,
            });
        }
        let header = Self {
            identity: Identity {
                cluster: payload[16..32].try_into().expect("16 bytes"),
                node: u32_at(12),
            },
            segment: u64_at(32),
            sectors: u64_at(40),
            first_group: u64_at(48),
            first_lsn: u64_at(56),
            previous_sectors: u64_at(64),
            previous_chain: head.previous,
        };
        identity.check(&name, header.identity)?;
        if header.segment != segment {
            return Err(damaged());
        }
        Ok((header, chain))
    }

    /// The header sector, and its checksum.
    pub(crate) fn encode(&self) -> (SectorBytes, u32) {
        let mut bytes = [0; SECTOR_BYTES];
        let payload = &mut bytes[PAYLOAD_AT..];
        payload[0..8].copy_from_slice(MAGIC);
        payload[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        payload[12..16].copy_from_slice(&self.identity.node.to_le_bytes());
        payload[16..32].copy_from_slice(&self.identity.cluster);
        payload[32..40].copy_from_slice(&self.segment.to_le_bytes());
        payload[40..48].copy_from_slice(&self.sectors.to_le_bytes());
        payload[48..56].copy_from_slice(&self.first_group.to_le_bytes());
        payload[56..64].copy_from_slice(&self.first_lsn.to_le_bytes());
        payload[64..72].copy_from_slice(&self.previous_sectors.to_le_bytes());
        let head = SectorHead {
            previous: self.previous_chain,
            group: self.first_group,
            length: HEADER_BYTES,
            role: Role::Segment,
        };
        let chain = head.seal(&mut bytes, Place::HEADER, 0);
        (bytes, chain)
    }
}

/// Reads the sectors of a segment in order, with one buffer.
pub(crate) struct SectorReader<'a, F> {
    file: &'a F,
    name: &'a str,
    place: Place,
    buffer: &'a mut Vec<u8>,
    /// The sectors that the buffer holds.
    held: Range<u64>,
    /// Bytes to read at once.
    read_len: usize,
}

impl<'a, F: DiskFile> SectorReader<'a, F> {
    /// Reads this segment, with a buffer that other segments use too.
    pub(crate) fn new(
        file: &'a F,
        name: &'a str,
        header: &SegmentHeader,
        buffer: &'a mut Vec<u8>,
    ) -> Self {
        let bytes_len = header.sectors.saturating_mul(SECTOR_BYTES as u64);
        let read_len = bytes_len.min(READ_BYTES as u64) as usize;
        let place = Place::of_segment(header.identity, header.segment);
        Self { file, name, place, buffer, held: 0..0, read_len }
    }

    /// What the sector is, and its bytes; `None` beyond the file's end.
    pub(crate) fn read(&mut self, index: u64) -> Result<Option<(Sector, &SectorBytes)>, OpenError> {
        if !self.held.contains(&index) {
            self.buffer.resize(self.read_len, 0);
            let len = self
                .file
                .read_at(self.buffer, index * SECTOR_BYTES as u64)
                .map_err(|source| OpenError::io("read", self.name, source))?;
            self.held = index..index + (len / SECTOR_BYTES) as u64;
            if self.held.is_empty() {
                return Ok(None);
            }
        }
        let at = (index - self.held.start) as usize * SECTOR_BYTES;
        let bytes = self.buffer[at..].first_chunk().expect("held sectors are whole");
        Ok(Some((Sector::read(bytes, self.place, index), bytes)))
    }
}
