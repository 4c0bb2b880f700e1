//! The real disk.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use crate::disk::{Disk, DiskFile, LockMode};

const LOCK: &str = "lock";

/// A directory of the file system. It is made when it is first locked for
/// writing.
#[derive(Debug, Clone)]
pub struct FileDisk {
    directory: PathBuf,
}

impl FileDisk {
    /// The disk of this directory. Touches nothing yet.
    pub fn new(directory: impl AsRef<Path>) -> Self {
        Self { directory: directory.as_ref().into() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Makes the directory, durably: the names of the directories that were
    /// made are synced in their parents.
    fn create_directory(&self) -> io::Result<()> {
        let missing: Vec<_> =
            self.directory.ancestors().take_while(|path| !path.exists()).collect();
        fs::create_dir_all(&self.directory)?;
        for path in missing {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
    }
}

impl Disk for FileDisk {
    type File = File;
    type Lock = File;

    fn location(&self) -> String {
        self.directory.display().to_string()
    }

    fn lock(&self, mode: LockMode) -> io::Result<Option<File>> {
        let (file, locked) = match mode {
            LockMode::Exclusive => {
                self.create_directory()?;
                let file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(self.path(LOCK))?;
                let locked = file.try_lock();
                (file, locked)
            }
            LockMode::Shared => {
                let file = File::open(self.path(LOCK))?;
                let locked = file.try_lock_shared();
                (file, locked)
            }
        };
        match locked {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        // A name that isn't UTF-8 is none of ours.
        fs::read_dir(&self.directory)?
            .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
            .collect()
    }

    fn open_read(&self, name: &str) -> io::Result<File> {
        File::open(self.path(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).open(self.path(name))
    }

    fn create(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(self.path(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn free(&self) -> io::Result<Option<u64>> {
        let status = rustix::fs::statvfs(&self.directory)?;
        // What is set aside for the superuser is not ours.
        Ok(Some(status.f_bavail.saturating_mul(status.f_frsize)))
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

impl DiskFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match FileExt::read_at(self, &mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(len) => filled += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn allocate(&mut self, len: u64) -> io::Result<()> {
        let reserved = rustix::fs::fallocate(&*self, FallocateFlags::empty(), 0, len);
        lengthen(self, len, reserved)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Gives the file its length where the file system could not reserve it. A full
/// disk then shows only at a commit, as a fatal write.
fn lengthen(file: &File, len: u64, reserved: Result<(), Errno>) -> io::Result<()> {
    match reserved {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => file.set_len(len),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_that_cannot_reserve_still_gives_the_length() {
        // If this failed, no journal could be made on some overlay file systems.
        let file = tempfile::tempfile().unwrap();
        lengthen(&file, 4096, Err(Errno::OPNOTSUPP)).unwrap();
        assert_eq!(DiskFile::len(&file).unwrap(), 4096);
        assert!(lengthen(&file, 8192, Err(Errno::NOSPC)).is_err());
    }
}
