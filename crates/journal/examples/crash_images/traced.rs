//! A disk in memory that has the power go after each of its changes.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use althing_journal::disk::LockMode;
use althing_journal::memory::{MemoryDisk, MemoryFile, MemoryLock};
use althing_journal::{Disk, DiskFile};

use crate::images::Known;

#[derive(Clone)]
pub(crate) struct TracedDisk {
    pub(crate) disk: MemoryDisk,
    pub(crate) watch: Rc<Watch>,
}

/// Who looks.
pub(crate) struct Watch {
    pub(crate) known: RefCell<Known>,
    /// The last commit is under way.
    pub(crate) is_last: RefCell<bool>,
}

pub(crate) struct TracedFile {
    file: MemoryFile,
    disk: TracedDisk,
}

impl TracedDisk {
    fn file(&self, file: MemoryFile) -> TracedFile {
        TracedFile { file, disk: self.clone() }
    }

    /// The power goes, and comes again.
    fn cut(&self) {
        self.watch.known.borrow_mut().cut(&self.disk, false);
    }

    /// Before a sync, where most is unsynced.
    fn cut_before_sync(&self) {
        if *self.watch.is_last.borrow() {
            self.watch.known.borrow_mut().cut(&self.disk, true);
        }
    }

    fn after<T>(&self, done: io::Result<T>) -> io::Result<T> {
        self.cut();
        done
    }
}

impl Disk for TracedDisk {
    type File = TracedFile;
    type Lock = MemoryLock;

    fn location(&self) -> String {
        self.disk.location()
    }

    fn lock(&self, mode: LockMode) -> io::Result<Option<MemoryLock>> {
        self.disk.lock(mode)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open_read(&self, name: &str) -> io::Result<TracedFile> {
        self.disk.open_read(name).map(|file| self.file(file))
    }

    fn open(&self, name: &str) -> io::Result<TracedFile> {
        self.disk.open(name).map(|file| self.file(file))
    }

    fn create(&self, name: &str) -> io::Result<TracedFile> {
        self.after(self.disk.create(name)).map(|file| self.file(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.after(self.disk.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.after(self.disk.remove(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.cut_before_sync();
        self.after(self.disk.sync_directory())
    }
}

impl DiskFile for TracedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let written = self.file.write_at(bytes, offset);
        self.disk.after(written)
    }

    fn allocate(&mut self, len: u64) -> io::Result<()> {
        let allocated = self.file.allocate(len);
        self.disk.after(allocated)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.cut_before_sync();
        let synced = self.file.sync();
        self.disk.after(synced)
    }
}
