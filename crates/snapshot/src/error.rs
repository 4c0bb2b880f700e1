//! What can go wrong, and what the operator does then.

use std::fmt;
use std::io;
use std::sync::Arc;

/// In what way a file is not the snapshot that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Its first bytes are not the header of a snapshot.
    Header,
    /// It holds a snapshot of another number than its name says.
    Misnamed,
    /// It ends too early, or its last bytes are not those of a finished file.
    End,
    /// A chunk does not have its hash.
    Chunk,
    /// A piece's length or checksum is wrong, or it is of another place.
    Piece,
    /// There are more or fewer pieces than were written.
    Count,
    /// The whole is not what its digest names.
    Digest,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "it does not begin as a snapshot does",
            Self::Misnamed => "it is the snapshot of another barrier than its name says",
            Self::End => "it does not end as a finished snapshot does",
            Self::Chunk => "a chunk does not have its hash",
            Self::Piece => "a piece has a wrong length or checksum",
            Self::Count => "pieces are missing, or too many",
            Self::Digest => "it is not what its digest names",
        })
    }
}

/// Why the store did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SnapshotError {
    /// Another process has the directory.
    #[error(
        "{location} is in use by another process: stop that one first, or use another directory"
    )]
    Locked {
        /// The directory.
        location: String,
    },
    /// Written by another version of this program.
    #[error(
        "{file} has snapshot format version {found}, this program reads version {supported}: start \
         the program that wrote it, or the next one that reads both"
    )]
    Version {
        /// Which file.
        file: String,
        /// Its version.
        found: u32,
        /// What this program reads.
        supported: u32,
    },
    /// Another cluster's snapshot.
    #[error(
        "{file} belongs to cluster {found}, not {expected}: point this node to its own directory"
    )]
    OtherCluster {
        /// Which file.
        file: String,
        /// The cluster in it.
        found: String,
        /// The cluster asked for.
        expected: String,
    },
    /// The bytes are not what was written.
    #[error(
        "{file} is damaged at offset {offset}: {damage}; remove it, and the node goes on from an \
         older snapshot or fetches one from a peer"
    )]
    Damaged {
        /// Which file.
        file: String,
        /// Where in it, in bytes.
        offset: u64,
        /// In what way.
        damage: Damage,
    },
    /// There is no finished snapshot of this number.
    #[error("there is no snapshot of barrier {number} here")]
    Missing {
        /// The barrier.
        number: u64,
    },
    /// A snapshot as new or newer is finished already.
    #[error("a snapshot of barrier {newest} is here already, so that of {number} is of no use")]
    NotNewer {
        /// The barrier asked for.
        number: u64,
        /// The newest finished one.
        newest: u64,
    },
    /// It is being written, or read.
    #[error("the snapshot of barrier {number} is in use: finish or drop what holds it first")]
    InUse {
        /// The barrier.
        number: u64,
    },
    /// A piece is too long; nothing was written.
    #[error("a piece of {len} bytes is longer than {max}: split it")]
    Oversized {
        /// Its length.
        len: usize,
        /// [`crate::limits::PIECE_BYTES_MAX`].
        max: usize,
    },
    /// The file would be too long; the piece was not written.
    #[error("the snapshot would be {len} bytes long, more than {max}: the state is too large")]
    TooLong {
        /// Its length with this piece.
        len: u64,
        /// [`crate::limits::SNAPSHOT_BYTES_MAX`].
        max: u64,
    },
    /// There is too little space. What was written of the draft is removed.
    #[error(
        "{location} has {free} bytes free, and a snapshot leaves {min} to the journal: make space, \
         or keep fewer snapshots"
    )]
    Full {
        /// The directory.
        location: String,
        /// Bytes free.
        free: u64,
        /// [`crate::limits::FREE_BYTES_MIN`].
        min: u64,
    },
    /// The system failed. A draft takes nothing more after that, and its file is
    /// removed: drop it, and begin again.
    #[error("cannot {operation} {file}: {source}; check the disk, its space and the permissions")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        file: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl SnapshotError {
    pub(crate) fn io(operation: &'static str, file: &str, source: io::Error) -> Self {
        Self::Io { operation, file: file.into(), source: Arc::new(source) }
    }

    pub(crate) fn damaged(file: &str, offset: u64, damage: Damage) -> Self {
        Self::Damaged { file: file.into(), offset, damage }
    }
}
