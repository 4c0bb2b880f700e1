//! What a journal needs of a disk, and what a disk promises in return.
//!
//! One directory, flat names. Bytes are durable once [`DiskFile::sync`]
//! returned, names once [`Disk::sync_directory`] did. Between, a crash keeps
//! any part of them. A sector of [`SECTOR_BYTES`] is written entirely or not at
//! all; bytes of a file that were never written read as zeros.

use std::io;

pub use crate::sector::SECTOR_BYTES;

/// Who else may have the directory at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Nobody: the holder writes.
    Exclusive,
    /// Other readers.
    Shared,
}

/// A directory with files, real or simulated.
pub trait Disk {
    /// An open file.
    type File: DiskFile;
    /// Keeps the directory locked until dropped.
    type Lock;

    /// Where this is, for error messages.
    fn location(&self) -> String;

    /// Locks the directory, or says `None` when another holder prevents it.
    fn lock(&self, mode: LockMode) -> io::Result<Option<Self::Lock>>;

    /// The names of all files, in any order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens a file that exists, for reading.
    fn open_read(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file that exists, for reading and writing.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Makes a file, empty also if one of that name existed.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Renames a file, replacing `to` atomically.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Bytes that can still be written before the disk is full, as far as is known
    /// now; `None` if nothing limits it, or it cannot be told. Others may take them
    /// first. What was reserved by [`DiskFile::allocate`] is not counted.
    fn free(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }

    /// Makes all names durable: after it, what was created, renamed or removed
    /// stays so.
    fn sync_directory(&self) -> io::Result<()>;
}

/// An open file of a [`Disk`].
pub trait DiskFile {
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads as many bytes as there are, up to the buffer's length, and says how
    /// many; fewer only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all bytes, or fails; a part may have been written then. On a full
    /// disk it fails with [`io::ErrorKind::StorageFull`].
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the file `len` bytes long, reserving space where the file system
    /// can; added bytes read as zeros. On a full disk it fails with
    /// [`io::ErrorKind::StorageFull`] and changes nothing.
    fn allocate(&mut self, len: u64) -> io::Result<()>;

    /// Makes all written bytes, and the length, durable.
    fn sync(&mut self) -> io::Result<()>;
}
