//! A disk in memory, for tests and the simulator: it loses and tears what was
//! not synced, is full or fails on request, and counts.
//!
//! Nothing here is random. A crash asks the caller's function, once for each
//! unsynced write and then for each sector of it that is in doubt, so the
//! same answers leave the same image. Handles and locks taken before a crash
//! are dead after it: a process that did not notice its own death can't write.

mod crash;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::disk::{Disk, DiskFile, LockMode};

pub use crash::Unsynced;

/// A call that can be made to fail, and is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// [`DiskFile::read_at`].
    Read,
    /// [`DiskFile::write_at`].
    Write,
    /// [`DiskFile::allocate`].
    Allocate,
    /// [`DiskFile::sync`].
    Sync,
    /// [`Disk::create`].
    Create,
    /// [`Disk::rename`].
    Rename,
    /// [`Disk::remove`].
    Remove,
    /// [`Disk::sync_directory`].
    SyncDirectory,
}

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
}

/// An open file of a [`MemoryDisk`].
#[derive(Debug)]
pub struct MemoryFile {
    state: Arc<Mutex<State>>,
    id: u64,
    life: u64,
}

/// Holds a [`MemoryDisk`] locked.
#[derive(Debug)]
pub struct MemoryLock {
    state: Arc<Mutex<State>>,
    mode: LockMode,
    life: u64,
}

#[derive(Debug, Clone, Default)]
struct State {
    contents: BTreeMap<u64, Content>,
    content_next: u64,
    names: BTreeMap<String, u64>,
    names_durable: BTreeMap<String, u64>,
    names_pending: Vec<NameChange>,
    /// Counts crashes and kills; what belongs to an earlier life is dead.
    life: u64,
    exclusive: bool,
    shared: u32,
    counts: BTreeMap<Operation, u64>,
    /// The most bytes of all files together.
    capacity: Option<u64>,
    /// How many calls still succeed before one fails.
    failing: BTreeMap<Operation, (u64, io::ErrorKind)>,
}

#[derive(Debug, Clone, Default)]
struct Content {
    cached: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Clone)]
enum NameChange {
    Set(String, u64),
    Rename(String, String),
    Remove(String),
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// The process dies, the machine does not: everything written can be read
    /// by the next one, and is as little durable as before.
    pub fn kill(&self) {
        self.state().end_life();
    }

    /// Another disk with the same content, synced and not, in use by nobody.
    pub fn fork(&self) -> Self {
        let mut state = self.state().clone();
        (state.exclusive, state.shared) = (false, 0);
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Lets one call of this operation fail, after `after` more that succeed.
    /// A failed write or sync did an unknown part of its work.
    pub fn fail(&self, operation: Operation, after: u64, error: io::ErrorKind) {
        self.state().failing.insert(operation, (after, error));
    }

    /// Takes back all failures that were asked for and did not happen.
    pub fn clear_failures(&self) {
        self.state().failing.clear();
    }

    /// Limits the bytes of all files together, or takes the limit back. Beyond it
    /// a write writes what there is room for and fails, and an allocation fails,
    /// both with [`io::ErrorKind::StorageFull`]. Files that are there stay.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// How often the operation was called.
    pub fn count(&self, operation: Operation) -> u64 {
        self.state().counts.get(&operation).copied().unwrap_or(0)
    }

    /// The names of all files, sorted.
    pub fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// A file's bytes as they would be read now.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.contents[&state.names[name]].cached.clone()
    }

    /// Changes a file's bytes behind everyone's back: rot, a swapped block, a
    /// misdirected write. Durable at once; makes the file if there is none.
    pub fn edit(&self, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let id = match state.names.get(name) {
            Some(id) => *id,
            None => state.insert(name),
        };
        state.names_durable.insert(name.into(), id);
        let content = state.contents.get_mut(&id).expect("named files have content");
        edit(&mut content.cached);
        content.durable = content.cached.clone();
        content.pending.clear();
    }

    /// Loses a file, durably.
    pub fn lose(&self, name: &str) {
        let mut state = self.state();
        state.names.remove(name);
        state.names_durable.remove(name);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    /// Counts the call, and fails it if that was asked for.
    fn enter(&mut self, operation: Operation) -> io::Result<()> {
        *self.counts.entry(operation).or_default() += 1;
        match self.failing.get_mut(&operation) {
            None => Ok(()),
            Some((0, error)) => {
                let error = io::Error::new(*error, "injected");
                self.failing.remove(&operation);
                Err(error)
            }
            Some((after, _)) => {
                *after -= 1;
                Ok(())
            }
        }
    }

    /// Bytes that files can still grow by.
    fn free(&self) -> Option<u64> {
        let used = || self.contents.values().map(|content| content.cached.len() as u64).sum();
        self.capacity.map(|capacity| capacity.saturating_sub(used()))
    }

    fn find(&self, name: &str) -> io::Result<u64> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, name.to_owned());
        self.names.get(name).copied().ok_or_else(missing)
    }

    fn insert(&mut self, name: &str) -> u64 {
        let id = self.content_next;
        self.content_next += 1;
        self.contents.insert(id, Content::default());
        self.names.insert(name.into(), id);
        id
    }

    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.names_pending.push(change);
    }

    /// Starts the next life from what is durable.
    fn restart(&mut self) {
        self.names = self.names_durable.clone();
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.contents.retain(|id, _| named.contains(id));
        for content in self.contents.values_mut() {
            content.cached = content.durable.clone();
        }
        self.end_life();
    }

    fn end_life(&mut self) {
        self.life += 1;
        (self.exclusive, self.shared) = (false, 0);
    }
}

impl Content {
    /// How long the file can become.
    fn room(&self, free: Option<u64>) -> usize {
        let free = free.map_or(usize::MAX, |free| usize::try_from(free).unwrap_or(usize::MAX));
        self.cached.len().saturating_add(free)
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes: written } => write(bytes, written, *offset),
            Self::Length(len) => bytes.resize(*len, 0),
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Set(name, id) => {
                names.insert(name.clone(), *id);
            }
            Self::Rename(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;
    type Lock = MemoryLock;

    fn location(&self) -> String {
        "memory".into()
    }

    fn lock(&self, mode: LockMode) -> io::Result<Option<MemoryLock>> {
        let mut state = self.state();
        if state.exclusive || mode == LockMode::Exclusive && state.shared > 0 {
            return Ok(None);
        }
        match mode {
            LockMode::Exclusive => state.exclusive = true,
            LockMode::Shared => state.shared += 1,
        }
        let life = state.life;
        Ok(Some(MemoryLock { state: Arc::clone(&self.state), mode, life }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn open_read(&self, name: &str) -> io::Result<MemoryFile> {
        let state = self.state();
        let (id, life) = (state.find(name)?, state.life);
        Ok(MemoryFile { state: Arc::clone(&self.state), id, life })
    }

    fn open(&self, name: &str) -> io::Result<MemoryFile> {
        self.open_read(name)
    }

    fn create(&self, name: &str) -> io::Result<MemoryFile> {
        let mut state = self.state();
        state.enter(Operation::Create)?;
        let id = state.insert(name);
        state.change_names(NameChange::Set(name.into(), id));
        let life = state.life;
        Ok(MemoryFile { state: Arc::clone(&self.state), id, life })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.enter(Operation::Rename)?;
        state.find(from)?;
        state.change_names(NameChange::Rename(from.into(), to.into()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.enter(Operation::Remove)?;
        state.find(name)?;
        state.change_names(NameChange::Remove(name.into()));
        Ok(())
    }

    fn free(&self) -> io::Result<Option<u64>> {
        Ok(self.state().free())
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        state.enter(Operation::SyncDirectory)?;
        state.names_pending.clear();
        state.names_durable = state.names.clone();
        // What has no name left is gone, unless it is still open; then its
        // handle finds nothing, which a journal never tries.
        let named: BTreeSet<u64> = state.names.values().copied().collect();
        state.contents.retain(|id, _| named.contains(id));
        Ok(())
    }
}

impl MemoryFile {
    fn with<T>(
        &self,
        operation: Option<Operation>,
        act: impl FnOnce(&mut Content, io::Result<()>) -> io::Result<T>,
    ) -> io::Result<T> {
        self.with_free(operation, |content, entered, _| act(content, entered))
    }

    /// Also tells how many bytes the file can still grow by.
    fn with_free<T>(
        &self,
        operation: Option<Operation>,
        act: impl FnOnce(&mut Content, io::Result<()>, Option<u64>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = lock(&self.state);
        if state.life != self.life {
            return Err(io::Error::other("this handle is from before a crash"));
        }
        let entered = operation.map_or(Ok(()), |operation| state.enter(operation));
        let free = state.free();
        match state.contents.get_mut(&self.id) {
            Some(content) => act(content, entered, free),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "the file was removed")),
        }
    }
}

impl DiskFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        self.with(None, |content, _| Ok(content.cached.len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(Some(Operation::Read), |content, entered| {
            entered?;
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let rest = content.cached.get(offset..).unwrap_or(&[]);
            let len = rest.len().min(buffer.len());
            buffer[..len].copy_from_slice(&rest[..len]);
            Ok(len)
        })
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.with_free(Some(Operation::Write), |content, entered, free| {
            let offset = usize::try_from(offset).map_err(io::Error::other)?;
            // What there is room for is written, as by a file system.
            let room = content.room(free).saturating_sub(offset).min(bytes.len());
            let change = Change::Write { offset, bytes: bytes[..room].to_vec() };
            change.apply(&mut content.cached);
            content.pending.push(change);
            entered?;
            if room < bytes.len() { Err(full()) } else { Ok(()) }
        })
    }

    fn allocate(&mut self, len: u64) -> io::Result<()> {
        self.with_free(Some(Operation::Allocate), |content, entered, free| {
            entered?;
            let len = usize::try_from(len).map_err(io::Error::other)?;
            if len > content.room(free) {
                return Err(full());
            }
            let change = Change::Length(len.max(content.cached.len()));
            change.apply(&mut content.cached);
            content.pending.push(change);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(Some(Operation::Sync), |content, entered| {
            entered?;
            for change in std::mem::take(&mut content.pending) {
                change.apply(&mut content.durable);
            }
            Ok(())
        })
    }
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        if state.life == self.life {
            match self.mode {
                LockMode::Exclusive => state.exclusive = false,
                LockMode::Shared => state.shared -= 1,
            }
        }
    }
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "the disk is full")
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("nothing panics while it holds this")
}

/// Writes like a file: beyond its end, it grows.
fn write(bytes: &mut Vec<u8>, written: &[u8], offset: usize) {
    let end = offset + written.len();
    if !written.is_empty() && bytes.len() < end {
        bytes.resize(end, 0);
    }
    if !written.is_empty() {
        bytes[offset..end].copy_from_slice(written);
    }
}
