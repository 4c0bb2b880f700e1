//! The store: which snapshots are here, which are being read, which go.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use althing_journal::disk::{Disk, DiskFile, LockMode};

use crate::digest::{Digest, Hasher};
use crate::draft::Draft;
use crate::error::{Damage, SnapshotError};
use crate::format::{FOOTER_BYTES, Footer, HEADER_BYTES, Header, Layout};
use crate::limits::{CHUNK_BYTES, FREE_BYTES_MIN};
use crate::name::Name;
use crate::read::{Reader, read_exact};

/// The subdirectory of a node's data directory that is a store's.
pub const DIRECTORY: &str = "snapshots";

/// A directory of snapshots. Clones are the same store; they may be used by
/// several threads, which wait for each other where names change.
pub struct Store<D: Disk> {
    shared: Arc<Shared<D>>,
}

struct Shared<D: Disk> {
    disk: D,
    _lock: D::Lock,
    cluster: [u8; 16],
    keep: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    finished: BTreeMap<u64, Listed>,
    unusable: BTreeMap<u64, SnapshotError>,
    /// Files that are being written.
    claimed: BTreeSet<Name>,
    /// How many read a snapshot.
    pins: BTreeMap<u64, usize>,
}

/// A finished snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The barrier that it was taken at.
    pub number: u64,
    /// Bytes of its file.
    pub len: u64,
    /// Names its contents.
    pub digest: Digest,
}

impl<D: Disk> Store<D> {
    /// Opens the store in this directory, which it locks, and lists what is
    /// finished, newest first. What an earlier life left half written is removed,
    /// except the newest that was being fetched, which [`crate::Fetch`] goes on with.
    ///
    /// A file that does not end as a finished one is not listed, and stays:
    /// [`Store::unusable`]. Only [`Store::verify`] reads all of a file.
    ///
    /// `keep` finished snapshots are kept, at least one; two let a peer finish
    /// fetching one while the next is made.
    ///
    /// # Errors
    /// Another cluster's file, or a version that this program does not read; a
    /// directory in use; a failing disk.
    pub fn open(
        disk: D,
        cluster: [u8; 16],
        keep: usize,
    ) -> Result<(Self, Vec<Listed>), SnapshotError> {
        let location = disk.location();
        let failed = |operation| {
            let location = &location;
            move |source| SnapshotError::io(operation, location, source)
        };
        let lock = disk
            .lock(LockMode::Exclusive)
            .map_err(failed("lock"))?
            .ok_or_else(|| SnapshotError::Locked { location: location.clone() })?;
        let names: BTreeSet<Name> = disk
            .list()
            .map_err(failed("list"))?
            .iter()
            .filter_map(|name| Name::parse(name))
            .collect();
        let mut state = State::default();
        for name in &names {
            let Name::Snapshot(number) = *name else { continue };
            match inspect(&disk, *name, Header { cluster, number }) {
                Ok(listed) => {
                    state.finished.insert(number, listed);
                }
                Err(damaged @ SnapshotError::Damaged { .. }) => {
                    state.unusable.insert(number, damaged);
                }
                Err(refused) => return Err(refused),
            }
        }
        // A process killed between rename and sync left a name that a power cut can
        // still take back: before anything older goes, it must be durable.
        disk.sync_directory().map_err(failed("sync"))?;
        let shared = Shared { disk, _lock: lock, cluster, keep: keep.max(1), state: state.into() };
        let store = Self { shared: Arc::new(shared) };
        store.remove_leftovers(&names)?;
        let listed = {
            let mut state = store.state();
            store.retire(&mut state)?;
            state.finished.values().rev().copied().collect()
        };
        Ok((store, listed))
    }

    /// Begins to write the snapshot of this barrier.
    ///
    /// # Errors
    /// One as new is finished; this one is being written; a disk nearly full, or
    /// failing.
    pub fn begin(&self, number: u64) -> Result<Draft<D>, SnapshotError> {
        let claim = self.claim(Name::Draft(number))?;
        self.remove_abandoned(None)?;
        Draft::begin(claim, Header { cluster: self.shared.cluster, number })
    }

    /// Reads a finished snapshot, piece by piece. It stays while it is read.
    ///
    /// # Errors
    /// There is none; its header or end is damaged; a failing disk.
    pub fn read(&self, number: u64) -> Result<Reader<D>, SnapshotError> {
        let pin = self.pin(number)?;
        let header = Header { cluster: self.shared.cluster, number };
        let file = Name::Snapshot(number).text();
        Reader::open(&self.shared.disk, file, header, pin.listed, Some(pin))
    }

    /// Reads all of a finished snapshot, and says how many pieces it has.
    ///
    /// # Errors
    /// As [`Store::read`], or anything in it is not what was written.
    pub fn verify(&self, number: u64) -> Result<u64, SnapshotError> {
        self.read(number)?.try_fold(0, |pieces, piece| piece.map(|_| pieces + 1))
    }

    /// Keeps a snapshot from being removed, until it is dropped: while a peer
    /// fetches it, for instance.
    ///
    /// # Errors
    /// There is none.
    pub fn pin(&self, number: u64) -> Result<Pin<D>, SnapshotError> {
        let mut state = self.state();
        let listed = *state.finished.get(&number).ok_or(SnapshotError::Missing { number })?;
        *state.pins.entry(number).or_default() += 1;
        Ok(Pin { store: self.clone(), listed })
    }

    /// All finished snapshots, newest first.
    pub fn list(&self) -> Vec<Listed> {
        self.state().finished.values().rev().copied().collect()
    }

    /// Files that are named like a finished snapshot and are none, found when
    /// the store was opened: what is wrong with each. They go once there are
    /// enough sound ones.
    pub fn unusable(&self) -> Vec<SnapshotError> {
        self.state().unusable.values().cloned().collect()
    }

    /// Removes a finished snapshot, durably: one that [`Store::verify`] refused,
    /// so that it is not read again and another of its number can come.
    ///
    /// # Errors
    /// There is none; it is being read; a failing disk.
    pub fn remove(&self, number: u64) -> Result<(), SnapshotError> {
        let mut state = self.state();
        if !state.finished.contains_key(&number) {
            return Err(SnapshotError::Missing { number });
        }
        if state.pins.contains_key(&number) {
            return Err(SnapshotError::InUse { number });
        }
        self.remove_file(Name::Snapshot(number))?;
        state.finished.remove(&number);
        self.sync_directory()
    }

    /// Whose snapshots these are.
    pub fn cluster(&self) -> [u8; 16] {
        self.shared.cluster
    }

    /// Refuses to write on when the disk is nearly full.
    pub(crate) fn check_room(&self) -> Result<(), SnapshotError> {
        let location = self.shared.disk.location();
        let free = self.shared.disk.free();
        let free = free.map_err(|source| SnapshotError::io("measure", &location, source))?;
        match free {
            Some(free) if free < FREE_BYTES_MIN => {
                Err(SnapshotError::Full { location, free, min: FREE_BYTES_MIN })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn disk(&self) -> &D {
        &self.shared.disk
    }

    /// Makes this name the caller's alone, if its number is of use.
    pub(crate) fn claim(&self, name: Name) -> Result<Claim<D>, SnapshotError> {
        let number = name.number();
        let mut state = self.state();
        state.check_newer(number)?;
        if !state.claimed.insert(name) {
            return Err(SnapshotError::InUse { number });
        }
        Ok(Claim { store: self.clone(), name })
    }

    /// Gives a written and synced file its final name. From the return on it is
    /// finished; an error of what follows, the removal of older ones, is the only
    /// one after which it is.
    pub(crate) fn install(&self, claim: Claim<D>, listed: Listed) -> Result<(), SnapshotError> {
        let mut state = self.state();
        // Another may have been finished while this one was written.
        if let Err(useless) = state.check_newer(listed.number) {
            claim.discard();
            return Err(useless);
        }
        let (from, to) = (claim.name.text(), Name::Snapshot(listed.number).text());
        self.shared
            .disk
            .rename(&from, &to)
            .map_err(|source| SnapshotError::io("rename", &from, source))?;
        self.sync_directory()?;
        state.unusable.remove(&listed.number);
        state.finished.insert(listed.number, listed);
        let retired = self.retire(&mut state);
        drop(state);
        drop(claim);
        retired
    }

    /// Removes the oldest beyond `keep` that nobody reads, and what was found
    /// damaged once there are enough others.
    fn retire(&self, state: &mut State) -> Result<(), SnapshotError> {
        let excess = state.finished.len().saturating_sub(self.shared.keep);
        let mut old: Vec<u64> = state.finished.keys().copied().take(excess).collect();
        old.retain(|number| !state.pins.contains_key(number));
        if let Some((newest, _)) = state.finished.last_key_value()
            && state.finished.len() >= self.shared.keep
        {
            old.extend(state.unusable.range(..newest).map(|(number, _)| *number));
        }
        if old.is_empty() {
            return Ok(());
        }
        for number in old {
            self.remove_file(Name::Snapshot(number))?;
            state.finished.remove(&number);
            state.unusable.remove(&number);
        }
        self.sync_directory()
    }

    /// Removes drafts of an earlier life, but for the newest fetch that is still
    /// of use.
    fn remove_leftovers(&self, names: &BTreeSet<Name>) -> Result<(), SnapshotError> {
        let newest = self.state().finished.last_key_value().map(|(number, _)| *number);
        let resumable = names
            .iter()
            .rfind(|name| matches!(name, Name::Fetch(..)))
            .filter(|name| Some(name.number()) > newest);
        names
            .iter()
            .filter(|name| !matches!(name, Name::Snapshot(_)) && Some(*name) != resumable)
            .try_for_each(|name| self.remove_file(*name))
    }

    /// Removes drafts that were dropped before they were finished, and fetched ones
    /// that are of no use any more: those that are not newer than what is finished,
    /// or that are not the one that is fetched now, if one is.
    pub(crate) fn remove_abandoned(&self, fetched: Option<Name>) -> Result<(), SnapshotError> {
        let names = self.names()?;
        let state = self.state();
        let newest = state.finished.last_key_value().map(|(number, _)| *number);
        let is_abandoned = |name: &&Name| match **name {
            Name::Snapshot(_) => false,
            Name::Draft(_) => true,
            fetch => Some(fetch.number()) <= newest || fetched.is_some_and(|name| name != fetch),
        };
        names
            .iter()
            .filter(is_abandoned)
            .filter(|name| !state.claimed.contains(name))
            .try_for_each(|name| self.remove_file(*name))
    }

    /// What was fetched in part, and is not being fetched now.
    pub(crate) fn fetched(&self) -> Result<BTreeSet<Name>, SnapshotError> {
        let mut names = self.names()?;
        let state = self.state();
        names.retain(|name| matches!(name, Name::Fetch(..)) && !state.claimed.contains(name));
        Ok(names)
    }

    /// The open file of a finished snapshot, and its name.
    pub(crate) fn file(&self, number: u64) -> Result<(D::File, String), SnapshotError> {
        let name = Name::Snapshot(number).text();
        let opened = self.shared.disk.open_read(&name);
        Ok((opened.map_err(|source| SnapshotError::io("open", &name, source))?, name))
    }

    fn names(&self) -> Result<BTreeSet<Name>, SnapshotError> {
        let disk = &self.shared.disk;
        let names = disk.list();
        let names = names.map_err(|source| SnapshotError::io("list", &disk.location(), source))?;
        Ok(names.iter().filter_map(|name| Name::parse(name)).collect())
    }

    pub(crate) fn remove_file(&self, name: Name) -> Result<(), SnapshotError> {
        let text = name.text();
        let removed = self.shared.disk.remove(&text);
        removed.map_err(|source| SnapshotError::io("remove", &text, source))
    }

    fn sync_directory(&self) -> Result<(), SnapshotError> {
        let disk = &self.shared.disk;
        disk.sync_directory().map_err(|source| SnapshotError::io("sync", &disk.location(), source))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("nothing panics while it holds this")
    }
}

impl State {
    fn check_newer(&self, number: u64) -> Result<(), SnapshotError> {
        match self.finished.last_key_value() {
            Some((newest, _)) if *newest >= number => {
                Err(SnapshotError::NotNewer { number, newest: *newest })
            }
            _ => Ok(()),
        }
    }
}

impl<D: Disk> Clone for Store<D> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<D: Disk> fmt::Debug for Store<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("location", &self.shared.disk.location()).finish()
    }
}

/// Keeps a finished snapshot from being removed.
#[derive(Debug)]
pub struct Pin<D: Disk> {
    store: Store<D>,
    listed: Listed,
}

impl<D: Disk> Pin<D> {
    /// Which one.
    pub fn listed(&self) -> Listed {
        self.listed
    }
}

impl<D: Disk> Drop for Pin<D> {
    fn drop(&mut self) {
        let mut state = self.store.state();
        let number = self.listed.number;
        let pins = state.pins.get_mut(&number).expect("counted when it was made");
        *pins -= 1;
        if *pins == 0 {
            state.pins.remove(&number);
        }
    }
}

/// The sole right to write a file.
#[derive(Debug)]
pub(crate) struct Claim<D: Disk> {
    pub(crate) store: Store<D>,
    pub(crate) name: Name,
}

impl<D: Disk> Claim<D> {
    /// Removes the file after a failure, if it can be: the failure says more than
    /// one of the removal.
    pub(crate) fn discard(&self) {
        let _ = self.store.remove_file(self.name);
    }
}

impl<D: Disk> Drop for Claim<D> {
    fn drop(&mut self) {
        self.store.state().claimed.remove(&self.name);
    }
}

/// Checks the two ends of a file, not what is between.
fn inspect<D: Disk>(disk: &D, name: Name, header: Header) -> Result<Listed, SnapshotError> {
    let name = name.text();
    let failed = |operation| {
        let name = &name;
        move |source| SnapshotError::io(operation, name, source)
    };
    let file = disk.open_read(&name).map_err(failed("open"))?;
    let len = file.len().map_err(failed("measure"))?;
    let mut bytes = [0; HEADER_BYTES];
    read_exact(&file, &name, &mut bytes, 0)?;
    header.check(&bytes, &name)?;
    let (layout, footer) = read_footer(&file, &name, len)?;

    let mut hasher = Hasher::new();
    let mut buffer = vec![0; layout.hashes_len().min(CHUNK_BYTES as u64) as usize];
    let mut at = layout.body_len;
    while at < layout.footer_at() {
        let part = &mut buffer[..(layout.footer_at() - at).min(CHUNK_BYTES as u64) as usize];
        read_exact(&file, &name, part, at)?;
        hasher.update(part);
        at += part.len() as u64;
    }
    hasher.update(&Footer::hashed(footer.body_len, footer.pieces));
    if hasher.finish() != footer.digest {
        return Err(SnapshotError::damaged(&name, layout.body_len, Damage::Digest));
    }
    Ok(Listed { number: header.number, len, digest: footer.digest })
}

/// Reads the end of a file of this length.
pub(crate) fn read_footer<F: DiskFile>(
    file: &F,
    name: &str,
    len: u64,
) -> Result<(Layout, Footer), SnapshotError> {
    let damaged = || SnapshotError::damaged(name, len, Damage::End);
    let layout = Layout::of_len(len).ok_or_else(damaged)?;
    let mut bytes = [0; FOOTER_BYTES];
    read_exact(file, name, &mut bytes, layout.footer_at())?;
    let footer = Footer::decode(&bytes).ok_or_else(damaged)?;
    if footer.body_len != layout.body_len {
        return Err(damaged());
    }
    Ok((layout, footer))
}
