//! What follows the last whole group of the last segment: nothing, a torn
//! group, or damage. The table in the crate's documentation gives the reasons.

use std::ops::Range;

use crate::disk::DiskFile;
use crate::error::{Damage, OpenError};
use crate::sector::{SECTOR_BYTES, Sector};
use crate::segment::SectorReader;
use crate::superblock::{Position, Superblock};

/// What is to be done before the segment can be written on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Repair {
    /// Sectors of a torn group, to be zeros again.
    pub(crate) cut: Option<Range<u64>>,
    /// A sector whose end mark is to be written again.
    pub(crate) mend: Option<u64>,
    /// The file is to have its full length again.
    pub(crate) extend: bool,
}

/// The last segment, and where its whole groups end.
pub(crate) struct Tail<'a> {
    pub(crate) name: &'a str,
    pub(crate) superblock: &'a Superblock,
    pub(crate) end: Position,
    /// The first sector that the group after `end` cannot go on with.
    pub(crate) stop: u64,
    /// The file's length, and what it was made with.
    pub(crate) bytes_len: u64,
    pub(crate) bytes_full: u64,
}

impl Tail<'_> {
    /// Says how to repair the tail, or refuses it.
    pub(crate) fn judge<F: DiskFile>(
        &self,
        reader: &mut SectorReader<'_, F>,
    ) -> Result<Repair, OpenError> {
        let sectors = self.bytes_len.min(self.bytes_full) / SECTOR_BYTES as u64;
        let watermark = &self.superblock.watermark;
        if self.end.segment == watermark.segment && self.end.sectors < watermark.sectors {
            return Err(if self.stop >= sectors {
                self.truncated()
            } else {
                self.damaged(self.stop, Damage::Lost)
            });
        }
        let cut = self.torn(reader, sectors)?;
        let extend = self.bytes_len < self.bytes_full;
        if extend {
            // The length was durable before the first group, so no crash made
            // the file shorter: someone did, and took what was in the rest.
            // That was zeros if the journal was closed here, or if the place
            // of the next group is still there and blank.
            let closed_here = self.superblock.closed && *watermark == self.end;
            let blank_follows = self.end.sectors < sectors;
            if cut.is_some() || !(closed_here || blank_follows) {
                return Err(self.truncated());
            }
        }
        Ok(Repair { cut, mend: None, extend })
    }

    /// The sectors of a torn group after `end`.
    fn torn<F: DiskFile>(
        &self,
        reader: &mut SectorReader<'_, F>,
        sectors: u64,
    ) -> Result<Option<Range<u64>>, OpenError> {
        let torn_group = self.end.group + 1;
        let mut written_last = None;
        // A write cut inside a sector has nothing behind it.
        let mut cut_inside = None;
        for index in self.end.sectors..sectors {
            let Some((sector, _)) = reader.read(index)? else {
                return Err(self.truncated());
            };
            if sector == Sector::Blank {
                continue;
            }
            match sector {
                Sector::Valid(head, _) if head.group > torn_group => {
                    let later = index * SECTOR_BYTES as u64;
                    return Err(self.damaged(self.stop, Damage::Hole { later }));
                }
                _ if cut_inside.is_some() => {}
                Sector::Valid(head, _) if head.group == torn_group => {}
                Sector::Valid(..) => return Err(self.damaged(index, Damage::Chain)),
                Sector::Unfinished | Sector::Frayed(..) => cut_inside = Some(index),
                Sector::Damaged | Sector::Blank => {
                    return Err(self.damaged(index, Damage::Checksum));
                }
            }
            written_last = Some(index);
        }
        if let Some(index) = cut_inside
            && written_last != Some(index)
        {
            return Err(self.damaged(index, Damage::Checksum));
        }
        Ok(written_last.map(|last| self.end.sectors..last + 1))
    }

    fn damaged(&self, index: u64, damage: Damage) -> OpenError {
        let offset = index * SECTOR_BYTES as u64;
        OpenError::Damaged { file: self.name.into(), offset, damage }
    }

    fn truncated(&self) -> OpenError {
        OpenError::Truncated { file: self.name.into(), len: self.bytes_len }
    }
}
