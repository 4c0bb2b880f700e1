//! The file `registry` in a node's data directory: whether the node may vote and propose, and the
//! first number that it heard of each other node. It outlives the journal, and says then that there
//! was one.
//!
//! ```text
//!  0 magic     "ALTHREGI"
//!  8 version   u32
//! 12 cluster   16 bytes
//! 28 node      u32
//! 32 length    u32  of the state
//! 36 state     as althing-wire encodes it
//!    checksum  u32  CRC-32C of all before
//! ```
//! Integers are little-endian. It is replaced whole: `registry.draft` is written and synced, then
//! renamed. Whoever writes it has the journal's lock.

use althing_journal::disk::LockMode;
use althing_journal::{Disk, DiskFile};
use althing_model::{ClusterId, NodeId};
use althing_wire::RegistryState;
use bytes::Bytes;
use std::io::{self, ErrorKind};

/// What the file is called.
pub(crate) const FILE: &str = "registry";

const DRAFT: &str = "registry.draft";
const MAGIC: &[u8; 8] = b"ALTHREGI";
const VERSION: u32 = 1;
const HEADER_LEN: usize = 36;

/// The longest file: 64 nodes take less than 2 KiB.
const LEN_MAX: u64 = 64 << 10;

/// The registry of a node cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The disk failed.
    #[error("{location}/{FILE}: cannot {operation} it: {source}")]
    Io {
        /// The directory.
        location: String,
        /// What was tried.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what was written.
    #[error(
        "{location}/{FILE} is damaged ({what}): whether this node may vote stands there; restore the \
         file, or take this node's part in the cluster for lost: `althing journal set-aside`"
    )]
    Damaged {
        /// The directory.
        location: String,
        /// What is wrong with it.
        what: String,
    },
    /// A later program wrote it.
    #[error(
        "{location}/{FILE} is of version {found}, and this program knows {VERSION}: start a newer one"
    )]
    Version {
        /// The directory.
        location: String,
        /// Its version.
        found: u32,
    },
    /// Another node's, or another cluster's.
    #[error(
        "{location}/{FILE} is of node {node} of cluster {cluster}, which this is not: give each node a \
         directory of its own"
    )]
    Foreign {
        /// The directory.
        location: String,
        /// Whose it is.
        node: u32,
        /// Of which cluster.
        cluster: ClusterId,
    },
    /// A process has the directory open.
    #[error("{location} is in use by another process: stop that one first")]
    Locked {
        /// The directory.
        location: String,
    },
}

/// The registry file of a node.
#[derive(Debug, Clone)]
pub(crate) struct RegistryFile<D: Disk> {
    disk: D,
    cluster: ClusterId,
    node: NodeId,
}

impl<D: Disk> RegistryFile<D> {
    /// In that directory. Touches nothing yet.
    pub(crate) fn new(disk: D, cluster: ClusterId, node: NodeId) -> Self {
        Self { disk, cluster, node }
    }

    /// What it holds; none when there is no file.
    ///
    /// # Errors
    /// It cannot be read, is damaged, of a later version, or another node's.
    pub(crate) fn load(&self) -> Result<Option<RegistryState>, RegistryError> {
        let location = self.disk.location();
        let failed = self.failed("read");
        let file = match self.disk.open_read(FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let len = file.len().map_err(&failed)?;
        let damaged = |what: String| RegistryError::Damaged { location: location.clone(), what };
        if len > LEN_MAX {
            return Err(damaged(format!("{len} bytes, where {LEN_MAX} are the most")));
        }
        let mut bytes = vec![0; len as usize];
        let read = file.read_at(&mut bytes, 0).map_err(&failed)?;
        bytes.truncate(read);
        let word = |at: usize| {
            u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes are four bytes"))
        };
        if bytes.len() < HEADER_LEN + 4 || &bytes[..8] != MAGIC {
            return Err(damaged("it does not begin as one".to_owned()));
        }
        if word(8) != VERSION {
            return Err(RegistryError::Version { location, found: word(8) });
        }
        let end = bytes.len() - 4;
        if crc32c::crc32c(&bytes[..end]) != word(end) || word(32) as usize != end - HEADER_LEN {
            return Err(damaged("its checksum does not fit".to_owned()));
        }
        let cluster = ClusterId(bytes[12..28].try_into().expect("sixteen bytes"));
        if (cluster, NodeId(word(28))) != (self.cluster, self.node) {
            return Err(RegistryError::Foreign { location, node: word(28), cluster });
        }
        let state = RegistryState::decode(Bytes::copy_from_slice(&bytes[HEADER_LEN..end]));
        state.map(Some).map_err(|error| damaged(error.to_string()))
    }

    /// Replaces it. When this returns it is durable; after an error the old one is there.
    ///
    /// # Errors
    /// The disk failed.
    pub(crate) fn save(&self, state: &RegistryState) -> Result<(), RegistryError> {
        let state = state.encode();
        let mut bytes = Vec::with_capacity(HEADER_LEN + state.len() + 4);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.cluster.0);
        bytes.extend(self.node.0.to_le_bytes());
        bytes.extend((state.len() as u32).to_le_bytes());
        bytes.extend(&state);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        let mut draft = self.disk.create(DRAFT).map_err(self.failed("make"))?;
        draft.write_at(&bytes, 0).map_err(self.failed("write"))?;
        draft.sync().map_err(self.failed("sync"))?;
        self.disk.rename(DRAFT, FILE).map_err(self.failed("name"))?;
        self.disk.sync_directory().map_err(self.failed("sync the directory of"))
    }

    /// The directory's lock, for as long as nothing else may write there.
    pub(crate) fn lock(&self) -> Result<D::Lock, RegistryError> {
        let locked = self.disk.lock(LockMode::Exclusive).map_err(self.failed("lock"))?;
        locked.ok_or_else(|| RegistryError::Locked { location: self.disk.location() })
    }

    /// Writes it where no journal is open, with the directory's lock, and the directory if there is
    /// none. Without effect while another process has the lock.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub(crate) fn save_under_lock(&self, state: &RegistryState) -> Result<(), RegistryError> {
        let lock = self.disk.lock(LockMode::Exclusive).map_err(self.failed("lock the place of"))?;
        match lock {
            Some(_lock) => self.save(state),
            None => Ok(()),
        }
    }

    fn failed(&self, operation: &'static str) -> impl Fn(io::Error) -> RegistryError + use<D> {
        let location = self.disk.location();
        move |source| RegistryError::Io { location: location.clone(), operation, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_journal::FileDisk;
    use althing_wire::Standing;

    const CLUSTER: ClusterId = ClusterId([3; 16]);

    fn file(directory: &std::path::Path, node: u32) -> RegistryFile<FileDisk> {
        RegistryFile::new(FileDisk::new(directory), CLUSTER, NodeId(node))
    }

    fn state(standing: Standing) -> RegistryState {
        RegistryState { incarnation: 99, standing, known: [(NodeId(1), 7)].into() }
    }

    /// Broken: a node forgets that it lost its journal, and votes again.
    #[test]
    fn what_was_saved_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(directory.path(), 2);
        assert_eq!(file.load().unwrap(), None);
        for standing in [Standing::Asking, Standing::Admitted, Standing::Lost] {
            file.save(&state(standing)).unwrap();
            assert_eq!(file.load().unwrap(), Some(state(standing)));
        }
        assert!(!directory.path().join(DRAFT).exists());
    }

    /// Broken: a changed byte, a short file or another node's lets a node vote that must not.
    #[test]
    fn what_is_not_its_own_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let own = file(directory.path(), 2);
        own.save(&state(Standing::Lost)).unwrap();
        let error = file(directory.path(), 1).load().unwrap_err().to_string();
        assert!(error.contains("of node 2"), "{error}");
        let path = directory.path().join(FILE);
        let sound = std::fs::read(&path).unwrap();
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            own.load().expect_err(&format!("byte {at} is another"));
            std::fs::write(&path, &sound[..at]).unwrap();
            own.load().expect_err(&format!("cut to {at} bytes"));
        }
        std::fs::write(&path, sound).unwrap();
        assert_eq!(own.load().unwrap(), Some(state(Standing::Lost)));
    }
}
