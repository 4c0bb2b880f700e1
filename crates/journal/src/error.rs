//! What can go wrong, and what the operator does then.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::record::{Lsn, RecordFault};

/// What a replay's visitor may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A write or sync failed. Nothing that was not yet durable can be made so any
/// more: the process must end. All later calls of the journal return it again.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "cannot {operation} {file}: {source}; the journal takes nothing more: stop this process, \
     check the disk, then start again"
)]
pub struct FatalError {
    /// What was tried.
    pub operation: &'static str,
    /// On which file.
    pub file: String,
    /// What the system said.
    pub source: Arc<io::Error>,
}

impl FatalError {
    pub(crate) fn new(operation: &'static str, file: &str, source: io::Error) -> Self {
        Self { operation, file: file.into(), source: Arc::new(source) }
    }

    /// Whether the disk was full: the journal opens again once there is space.
    pub fn is_full(&self) -> bool {
        self.source.kind() == io::ErrorKind::StorageFull
    }
}

/// A record was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The body is too long; nothing was appended.
    #[error(
        "a record of {len} bytes is longer than record_bytes_max {max}: split it or raise the limit"
    )]
    Oversized {
        /// The body's length.
        len: usize,
        /// [`crate::Options::record_bytes_max`].
        max: usize,
    },
    /// Too much waits already; nothing was appended. Commit, then append again.
    #[error("{waiting} bytes wait for a commit, of at most {max}: commit before appending more")]
    Full {
        /// Bytes waiting.
        waiting: usize,
        /// [`crate::Options::group_bytes_max`].
        max: usize,
    },
    /// The journal failed before.
    #[error(transparent)]
    Fatal(#[from] FatalError),
}

/// Why bytes are known to have changed after they were synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A sector does not have its checksum.
    Checksum,
    /// A sector is valid, but does not follow the one before it.
    Chain,
    /// A sector is missing or unfinished though later ones were written.
    Hole {
        /// Where, in the same file, something later was found.
        later: u64,
    },
    /// A sector is missing or unfinished in a part that was synced.
    Lost,
    /// A record's length, position or checksum is wrong in a valid sector.
    Record,
    /// A group is longer than any may be.
    Length,
    /// A segment's header is not one, or of another segment.
    Header,
    /// Records end before the position up to which they were synced.
    Watermark,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum => f.write_str("its checksum is wrong"),
            Self::Chain => f.write_str("it does not follow what precedes it"),
            Self::Hole { later } => {
                write!(f, "it is missing or cut short, but offset {later} was written after it")
            }
            Self::Lost => f.write_str("it is missing or cut short, but was synced"),
            Self::Record => f.write_str("a record in it has a wrong length, position or checksum"),
            Self::Length => f.write_str("its group is longer than any may be"),
            Self::Header => f.write_str("it is not the header of this segment"),
            Self::Watermark => f.write_str("it does not agree with the superblock's watermark"),
        }
    }
}

impl From<RecordFault> for Damage {
    fn from(_: RecordFault) -> Self {
        Self::Record
    }
}

/// Why a journal was not opened, or is not sound. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The options contradict each other.
    #[error("the journal's options cannot work: {0}")]
    Options(String),
    /// Another process has it open.
    #[error(
        "{location} is in use by another process: stop that one first, or use another directory"
    )]
    Locked {
        /// The directory.
        location: String,
    },
    /// There is none, and none may be made.
    #[error(
        "{location} holds no journal: if this node ever had one, it must come back under a new \
         identity; otherwise initialise it"
    )]
    Missing {
        /// The directory.
        location: String,
    },
    /// Segments without a superblock.
    #[error(
        "{location} has journal segments but no superblock: restore the missing file, or replace \
         this node under a new identity"
    )]
    MissingSuperblock {
        /// The directory.
        location: String,
    },
    /// The superblock changed.
    #[error("{file} is damaged: {why}; replace this node under a new identity")]
    DamagedSuperblock {
        /// Which file.
        file: String,
        /// What is wrong.
        why: &'static str,
    },
    /// Written by another version of this program.
    #[error(
        "{file} has journal format version {found}, this program reads version {supported}: start \
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
    /// Another cluster's journal.
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
    /// Another node's journal.
    #[error("{file} belongs to node {found}, not {expected}: point this node to its own directory")]
    OtherNode {
        /// Which file.
        file: String,
        /// The node in it.
        found: u32,
        /// The node asked for.
        expected: u32,
    },
    /// A segment is not there, but was.
    #[error(
        "{file} is missing, though the journal has or had it: restore the file, or replace this \
         node under a new identity"
    )]
    MissingSegment {
        /// Which file.
        file: String,
    },
    /// A segment is shorter than what was synced, or may have been.
    #[error(
        "{file} was truncated to {len} bytes, and records may have been in the rest: restore the \
         file, or replace this node under a new identity"
    )]
    Truncated {
        /// Which file.
        file: String,
        /// Its length.
        len: u64,
    },
    /// Synced bytes changed.
    #[error(
        "{file} is damaged at offset {offset}: {damage}; what this node promised cannot be known, \
         so replace it under a new identity"
    )]
    Damaged {
        /// Which file.
        file: String,
        /// Where in it, in bytes.
        offset: u64,
        /// In what way.
        damage: Damage,
    },
    /// The visitor did not accept a record.
    #[error("record {lsn} at {file} offset {offset} is not understood: {source}")]
    Visitor {
        /// Which file.
        file: String,
        /// Where in it, in bytes.
        offset: u64,
        /// Which record.
        lsn: Lsn,
        /// What the visitor said.
        source: BoxError,
    },
    /// The system failed.
    #[error("cannot {operation} {file}: {source}; check the disk and the permissions")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        file: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
}

impl OpenError {
    pub(crate) fn io(operation: &'static str, file: &str, source: io::Error) -> Self {
        Self::Io { operation, file: file.into(), source: Arc::new(source) }
    }
}

impl From<FatalError> for OpenError {
    fn from(error: FatalError) -> Self {
        Self::Io { operation: error.operation, file: error.file, source: error.source }
    }
}
