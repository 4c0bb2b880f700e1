//! The superblock: whose journal this is, and how far it is known to reach.
//!
//! ```text
//!   0  magic          "ALTHJRNL"
//!   8  version        u32
//!  12  node           u32
//!  16  cluster        16 bytes
//!  32  first segment  u64  older ones were trimmed
//!  40  watermark      segment u64, sectors u64, group u64, lsn u64, checksum u32
//!  76  flags          u32  1 closed in order
//!  80  zeros
//! 124  checksum       u32  CRC-32C of all before
//! ```
//! Later versions keep the first 32 bytes, and the checksum as the last four of
//! a file of at most 4 KiB: so an old program can name a version that it
//! doesn't know. The file is replaced by rename, so it is never torn.

use std::io;

use crate::disk::{Disk, DiskFile};
use crate::error::{FatalError, OpenError};
use crate::segment;

/// The version of the format that this crate reads and writes.
pub const FORMAT_VERSION: u32 = 1;

/// The file's name.
pub(crate) const SUPERBLOCK: &str = "superblock";
/// What it is called until it is complete.
pub(crate) const SUPERBLOCK_DRAFT: &str = "superblock.draft";

const MAGIC: &[u8; 8] = b"ALTHJRNL";
const BYTES: usize = 128;
const BYTES_ANY_VERSION_MAX: usize = 4096;
const BYTES_ANY_VERSION_MIN: usize = 36;
const CLOSED: u32 = 1;

/// Whose journal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The cluster's id.
    pub cluster: [u8; 16],
    /// The node's number in it.
    pub node: u32,
}

/// A place between two groups, and what precedes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The segment; 0 while the journal has none.
    pub(crate) segment: u64,
    /// Sectors used in it, its header included.
    pub(crate) sectors: u64,
    /// The last group.
    pub(crate) group: u64,
    /// The last record.
    pub(crate) lsn: u64,
    /// Checksum of the last sector.
    pub(crate) chain: u32,
}

/// The superblock's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Superblock {
    pub(crate) identity: Identity,
    pub(crate) first_segment: u64,
    /// All before was synced.
    pub(crate) watermark: Position,
    /// Nothing was written after the watermark.
    pub(crate) closed: bool,
}

impl Superblock {
    /// That of a journal without a segment yet.
    pub(crate) fn new(identity: Identity) -> Self {
        let watermark = Position { segment: 0, sectors: 0, group: 0, lsn: 0, chain: 0 };
        Self { identity, first_segment: 1, watermark, closed: false }
    }

    /// Reads it; `None` if the directory holds no journal.
    pub(crate) fn existing<D: Disk>(disk: &D) -> Result<Option<Self>, OpenError> {
        let found = Self::read(disk)?;
        if found.is_none() {
            let location = disk.location();
            let names = match disk.list() {
                Err(source) => return Err(OpenError::io("list", &location, source)),
                Ok(names) => names,
            };
            // The superblock is durable before the first segment has a name.
            if names.iter().any(|name| segment::number(name).is_some()) {
                return Err(OpenError::MissingSuperblock { location });
            }
        }
        Ok(found)
    }

    pub(crate) fn read<D: Disk>(disk: &D) -> Result<Option<Self>, OpenError> {
        let failed = |source| OpenError::io("read", SUPERBLOCK, source);
        let file = match disk.open_read(SUPERBLOCK) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        let mut bytes = [0; BYTES_ANY_VERSION_MAX + 1];
        let len = file.read_at(&mut bytes, 0).map_err(failed)?;
        Self::decode(&bytes[..len]).map(Some)
    }

    /// Replaces it, durably.
    pub(crate) fn write<D: Disk>(&self, disk: &D) -> Result<(), FatalError> {
        let failed = |operation| move |source| FatalError::new(operation, SUPERBLOCK, source);
        let mut file = disk.create(SUPERBLOCK_DRAFT).map_err(failed("create"))?;
        file.write_at(&self.encode(), 0).map_err(failed("write"))?;
        file.sync().map_err(failed("sync"))?;
        disk.rename(SUPERBLOCK_DRAFT, SUPERBLOCK).map_err(failed("replace"))?;
        disk.sync_directory().map_err(failed("sync the directory of"))
    }

    fn encode(&self) -> [u8; BYTES] {
        let mark = &self.watermark;
        let mut bytes = [0; BYTES];
        bytes[0..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.identity.node.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.identity.cluster);
        bytes[32..40].copy_from_slice(&self.first_segment.to_le_bytes());
        bytes[40..48].copy_from_slice(&mark.segment.to_le_bytes());
        bytes[48..56].copy_from_slice(&mark.sectors.to_le_bytes());
        bytes[56..64].copy_from_slice(&mark.group.to_le_bytes());
        bytes[64..72].copy_from_slice(&mark.lsn.to_le_bytes());
        bytes[72..76].copy_from_slice(&mark.chain.to_le_bytes());
        bytes[76..80].copy_from_slice(&(if self.closed { CLOSED } else { 0 }).to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..BYTES - 4]);
        bytes[BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, OpenError> {
        let damaged = |why| OpenError::DamagedSuperblock { file: SUPERBLOCK.into(), why };
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        if !(BYTES_ANY_VERSION_MIN..=BYTES_ANY_VERSION_MAX).contains(&bytes.len()) {
            return Err(damaged("its length is not that of a superblock"));
        }
        if &bytes[0..8] != MAGIC {
            return Err(damaged("it does not begin as a superblock does"));
        }
        let (content, _) = bytes.split_at(bytes.len() - 4);
        if crc32c::crc32c(content) != u32_at(content.len()) {
            return Err(damaged("its checksum is wrong"));
        }
        let found = u32_at(8);
        if found != FORMAT_VERSION {
            return Err(OpenError::Version {
                file: SUPERBLOCK.into(),
                found,
                supported: FORMAT_VERSION,
            });
        }
        if bytes.len() != BYTES {
            return Err(damaged("its length is not that of its version"));
        }
        Ok(Self {
            identity: Identity {
                cluster: bytes[16..32].try_into().expect("16 bytes"),
                node: u32_at(12),
            },
            first_segment: u64_at(32),
            watermark: Position {
                segment: u64_at(40),
                sectors: u64_at(48),
                group: u64_at(56),
                lsn: u64_at(64),
                chain: u32_at(72),
            },
            closed: u32_at(76) & CLOSED != 0,
        })
    }
}

impl Identity {
    /// Refuses what belongs to someone else, naming both.
    pub(crate) fn check(self, file: &str, found: Self) -> Result<(), OpenError> {
        if found.cluster != self.cluster {
            return Err(OpenError::OtherCluster {
                file: file.into(),
                found: hex(found.cluster),
                expected: hex(self.cluster),
            });
        }
        if found.node != self.node {
            return Err(OpenError::OtherNode {
                file: file.into(),
                found: found.node,
                expected: self.node,
            });
        }
        Ok(())
    }
}

fn hex(cluster: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(cluster))
}
