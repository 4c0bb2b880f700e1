//! The next segment before it has its name: made a step at a time while the
//! present one is in use, so that no commit waits for all of it.

use std::io;
use std::ops::Range;

use crate::disk::{Disk, DiskFile};
use crate::error::FatalError;
use crate::limits::{Options, READ_BYTES};
use crate::sector::SECTOR_BYTES;
use crate::segment::{self, SegmentHeader};

/// What a segment is called until its header and length are durable.
pub(crate) const SEGMENT_DRAFT: &str = "segment.draft";

/// A file that becomes a segment.
#[derive(Debug)]
pub(crate) struct Draft<F> {
    file: F,
    /// Bytes whose zeros are written and synced.
    filled: u64,
    bytes_len: u64,
}

impl<F: DiskFile> Draft<F> {
    /// Makes the file, with its length.
    pub(crate) fn begin<D: Disk<File = F>>(
        disk: &D,
        options: &Options,
    ) -> Result<Self, FatalError> {
        let failed = |operation| move |source| FatalError::new(operation, SEGMENT_DRAFT, source);
        let bytes_len = options.segment_sectors() * SECTOR_BYTES as u64;
        let mut file = disk.create(SEGMENT_DRAFT).map_err(failed("create"))?;
        file.allocate(bytes_len).map_err(failed("preallocate"))?;
        let filled = if options.prefill { 0 } else { bytes_len };
        Ok(Self { file, filled, bytes_len })
    }

    /// Fills one step of at most [`READ_BYTES`], unless this share of the file is
    /// filled already.
    pub(crate) fn step(&mut self, used: u64, of: u64) -> Result<bool, FatalError> {
        let behind = u128::from(self.filled) * u128::from(of)
            < u128::from(self.bytes_len) * u128::from(used);
        let to = self.bytes_len.min(self.filled + READ_BYTES as u64);
        if !behind || to == self.filled {
            return Ok(false);
        }
        self.fill(to)?;
        self.file.sync().map_err(|source| FatalError::new("sync", SEGMENT_DRAFT, source))?;
        Ok(true)
    }

    /// Makes it this segment. The name appears only when length and header are
    /// durable, so a crash never leaves half of one. Returns the file and the
    /// header's checksum.
    pub(crate) fn publish<D: Disk<File = F>>(
        mut self,
        disk: &D,
        header: &SegmentHeader,
    ) -> Result<(F, u32), FatalError> {
        let name = segment::name(header.segment);
        let failed = |operation| {
            let name = &name;
            move |source| FatalError::new(operation, name, source)
        };
        self.fill(self.bytes_len)?;
        let (bytes, chain) = header.encode();
        self.file.write_at(&bytes, 0).map_err(failed("write"))?;
        self.file.sync().map_err(failed("sync"))?;
        disk.rename(SEGMENT_DRAFT, &name).map_err(failed("name"))?;
        disk.sync_directory().map_err(failed("sync the directory of"))?;
        Ok((self.file, chain))
    }

    fn fill(&mut self, to: u64) -> Result<(), FatalError> {
        write_zeros(&mut self.file, self.filled..to)
            .map_err(|source| FatalError::new("prefill", SEGMENT_DRAFT, source))?;
        self.filled = to;
        Ok(())
    }
}

/// Writes zeros, a bounded buffer at a time.
pub(crate) fn write_zeros<F: DiskFile>(file: &mut F, range: Range<u64>) -> io::Result<()> {
    let zeros = vec![0; ((range.end - range.start) as usize).min(READ_BYTES)];
    let mut offset = range.start;
    while offset < range.end {
        let len = (range.end - offset).min(READ_BYTES as u64);
        file.write_at(&zeros[..len as usize], offset)?;
        offset += len;
    }
    Ok(())
}
