//! Checks a journal without changing it.

use std::path::Path;

use crate::disk::{Disk, LockMode};
use crate::error::OpenError;
use crate::file::FileDisk;
use crate::record::Lsn;
use crate::sector::SECTOR_BYTES;
use crate::superblock::{Identity, Superblock};
use crate::walk;

/// What a sound journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Whose it is.
    pub identity: Identity,
    /// It was closed in order.
    pub closed: bool,
    /// Segment files.
    pub segments: u64,
    /// Records.
    pub records: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
    /// Bytes of a torn group at the end, which the next open will cut.
    pub torn_bytes: u64,
    /// The oldest record kept, or the next one if there is none.
    pub first: Lsn,
    /// The last record.
    pub last: Lsn,
}

/// Walks through the journal of a directory that no process has open for
/// writing.
///
/// # Errors
/// Whatever [`crate::Journal::open`] would refuse, with file and offset.
pub fn verify(directory: impl AsRef<Path>) -> Result<Report, OpenError> {
    verify_disk(&FileDisk::new(directory))
}

/// Whether the directory holds a journal, which must then be of this node. Reads the superblock only,
/// and locks nothing: to be asked before anything else in the directory is touched.
///
/// # Errors
/// It is another's, of another version, or damaged; a failing disk.
pub fn check_owner<D: Disk>(disk: &D, identity: Identity) -> Result<bool, OpenError> {
    let found = Superblock::read(disk)?;
    found.map_or(Ok(false), |found| {
        identity.check(crate::superblock::SUPERBLOCK, found.identity).map(|()| true)
    })
}

/// As [`verify`], for any disk.
///
/// # Errors
/// As [`verify`].
pub fn verify_disk<D: Disk>(disk: &D) -> Result<Report, OpenError> {
    let location = disk.location();
    let _lock = match disk.lock(LockMode::Shared) {
        Ok(Some(lock)) => lock,
        Ok(None) => return Err(OpenError::Locked { location }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(OpenError::Missing { location });
        }
        Err(source) => return Err(OpenError::io("lock", &location, source)),
    };
    let superblock = Superblock::existing(disk)?.ok_or(OpenError::Missing { location })?;
    let walk = walk::walk(disk, &superblock, D::open_read, &mut |_| Ok(()))?;
    let (last, torn_bytes) = match &walk.last {
        None => (Lsn::ZERO, 0),
        Some(last) => {
            let cut = last.repair.cut.as_ref().map_or(0, |cut| cut.end - cut.start);
            (Lsn(last.end.lsn), cut * SECTOR_BYTES as u64)
        }
    };
    Ok(Report {
        identity: superblock.identity,
        closed: superblock.closed,
        segments: walk.segments.len() as u64,
        records: walk.records,
        bytes: walk.bytes,
        torn_bytes,
        first: walk.segments.front().map_or(Lsn(1), |(_, first)| *first),
        last,
    })
}
