//! The durable log of a node: what a role promised before it answered.
//!
//! A record is a `kind` and a body, both opaque here. [`Journal::append`] puts
//! it in memory, [`Journal::commit`] makes everything appended since durable
//! with one write and one `fdatasync`, [`Journal::open`] hands every durable
//! record back in order. Nothing in this crate is asynchronous, starts a
//! thread, reads a clock or draws entropy, and it reaches files only through
//! [`Disk`]: the node gives it a [`FileDisk`], the simulator a
//! [`memory::MemoryDisk`] whose crashes it chooses.
//!
//! ```
//! use althing_journal::{Identity, Journal, Options, memory::MemoryDisk};
//!
//! let disk = MemoryDisk::new();
//! let identity = Identity { cluster: [7; 16], node: 3 };
//! let (mut journal, recovered) =
//!     Journal::open(disk.clone(), identity, Options::default(), |_| Ok(()))?;
//! assert!(recovered.created);
//! journal.append(1, b"promised ballot 4")?;
//! journal.append(1, b"promised ballot 5")?;
//! let durable = journal.commit()?; // only now may the answers leave
//! assert_eq!(durable.0, 2);
//! journal.close()?;
//!
//! let mut seen = Vec::new();
//! Journal::open(disk, identity, Options::default(), |record| {
//!     seen.push((record.lsn.0, record.body.to_vec()));
//!     Ok(())
//! })?;
//! assert_eq!(seen.len(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is on disk
//!
//! ```text
//! lock                               held while a process has the journal open
//! superblock                         identity, first segment, watermark; replaced by rename
//! journal-0000000000000001.segment   preallocated; sector 0 is its header
//! journal-0000000000000002.segment
//! segment.draft, superblock.draft    not yet renamed; worthless after a crash
//!
//! segment  = header sector | group | group | ... | zeros
//! group    = 1..n sectors of 512 bytes, written and synced together, never again
//! sector   = checksum | checksum of the sector before | group number | length, flags
//!            | 488 bytes of payload | end mark
//! payload  = record | record | ...           record = length | checksum | lsn | kind | body
//! ```
//!
//! The payload is cut into sectors, each of which proves itself, because that
//! is the unit in which a disk tears a write:
//!
//! * The checksum (CRC-32C) is seeded with cluster, node, segment and the
//!   sector's own index, so that a sector that was misdirected, swapped, or
//!   comes from another node's journal is not valid where it lies.
//! * Each sector carries the checksum of its predecessor, across groups and
//!   segments, so that a stale sector of an earlier life does not fit.
//! * A group starts on a new sector, so a synced sector is never written
//!   again, and what a crash leaves of a new one is either it or zeros.
//! * The end mark is never zero, so that a written sector with a changed byte
//!   and a sector whose write was cut short are told apart.
//!
//! # Torn or damaged
//!
//! A log that cuts every bad tail silently forgets an acknowledged promise
//! when a byte of its last group rots; a log that refuses every bad tail does
//! not start after a power cut. The commit of group *n* + 1 begins only after
//! group *n* was synced, so at most the last group can be torn, and:
//!
//! | found | meaning | verdict |
//! | --- | --- | --- |
//! | not valid, and a later group or segment is there | it was synced before | refuse |
//! | not valid, and before the watermark | it was synced before | refuse |
//! | last group, a sector that was written to its end but is not valid | changed after it was written | refuse |
//! | last group, a sector cut in its midst, and something behind it | changed after it was written | refuse |
//! | last group, a sector without its end | its write was cut short | cut the group |
//! | the last segment's file is short, and not only of zeros for certain | someone cut it: its length was synced before its first group | refuse |
//!
//! The watermark stands in the superblock and is made durable whenever the
//! journal is opened, closed, trimmed, or starts a segment. A changed byte can
//! take at most one byte of the end mark, never all four, so one flipped byte
//! anywhere in what was synced is refused, also in the last group after a
//! crash. (One exception that loses nothing: if the very last byte of the
//! last group turns into exactly zero, that is also what a write cut one byte
//! short leaves; all records are there and valid, so they are kept and the byte
//! is written again.)
//!
//! What stays ambiguous, and is cut: a last group that was synced, never
//! followed by another group, a close or an open, of which afterwards a whole
//! sector, or the end of one, reads as **zeros**. A group torn by a power cut
//! looks the same. Only a second device, or a peer, can tell. The design
//! assumes that a disk writes a sector of 512 bytes entirely or not at all; a
//! disk that leaves garbage in a torn sector makes the journal refuse, which
//! costs a repair but no promise.
//!
//! # Failures
//!
//! A write or sync that failed poisons the journal: every later call returns
//! the same [`FatalError`], and the process must end. The kernel may have
//! dropped the dirty page and marked it clean, so trying again would succeed
//! without having written anything.
//!
//! A full disk is such a failure too ([`FatalError::is_full`]). Where the file
//! system reserves, it does not meet the commits of a segment, whose space was
//! taken when it was made, but what makes files: the next segment
//! ([`Journal::prepare`], or the commit that starts it) and the superblock (a
//! commit that starts a segment, a trim, a close, an open). No committed record
//! is lost, but the node stops, and does not start before there is space. So
//! whoever owns the journal asks [`Disk::free`] while there is more than the next
//! segments need, and takes less in.

pub mod disk;
mod draft;
mod error;
mod file;
mod group;
mod journal;
pub mod limits;
pub mod memory;
mod record;
mod sector;
mod segment;
mod superblock;
mod tail;
mod verify;
mod walk;

pub use disk::{Disk, DiskFile};
pub use error::{AppendError, BoxError, Damage, FatalError, OpenError};
pub use file::FileDisk;
pub use journal::{Journal, Recovered};
pub use limits::Options;
pub use record::{Lsn, Record};
pub use superblock::{FORMAT_VERSION, Identity};
pub use verify::{Report, check_owner, verify, verify_disk};
