//! Snapshots: the state of a replica at a barrier, as a file, and how one is
//! carried to another node.
//!
//! A snapshot is a row of [`Piece`]s, opaque here, and is numbered by its
//! barrier: the n-th executed barrier is the same at every replica.
//! [`Store::begin`] gives a [`Draft`], which takes pieces as they are produced;
//! [`Draft::finish`] makes it count, durably, and removes the oldest.
//! [`Store::read`] hands the pieces out again, each proven. Nothing in this
//! crate is asynchronous, starts a thread, reads a clock or draws entropy, and
//! it reaches files only through the journal's [`Disk`](althing_journal::Disk).
//!
//! ```
//! use althing_journal::memory::MemoryDisk;
//! use althing_snapshot::{Piece, Store};
//!
//! let disk = MemoryDisk::new();
//! let (store, listed) = Store::open(disk.clone(), [7; 16], 2)?;
//! assert!(listed.is_empty());
//! let mut draft = store.begin(1)?;
//! draft.push(&Piece { kind: 4, bytes: b"sessions"[..].into() })?;
//! draft.push(&Piece { kind: 5, bytes: b"keys a to k"[..].into() })?;
//! let finished = draft.finish()?; // only now may anything be pruned
//! drop(store);
//!
//! let (store, listed) = Store::open(disk, [7; 16], 2)?;
//! assert_eq!(listed, [finished]);
//! let pieces: Vec<Piece> = store.read(1)?.collect::<Result<_, _>>()?;
//! assert_eq!(pieces[1].bytes, "keys a to k");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Another node fetches it: [`Fetch`] says what to ask, [`serve`] answers.
//!
//! ```
//! use althing_journal::memory::MemoryDisk;
//! use althing_model::NodeId;
//! use althing_snapshot::{Fetch, Piece, Store, limits::TIMEOUT_US, serve};
//!
//! let (theirs, _) = Store::open(MemoryDisk::new(), [7; 16], 2)?;
//! let mut draft = theirs.begin(1)?;
//! draft.push(&Piece { kind: 4, bytes: b"sessions"[..].into() })?;
//! let offer = draft.finish()?;
//!
//! let (ours, _) = Store::open(MemoryDisk::new(), [7; 16], 2)?;
//! let mut fetch = Fetch::new(ours.clone(), 1, TIMEOUT_US);
//! fetch.on_offer(NodeId(2), offer);
//! while fetch.finished().is_none() {
//!     for (peer, ask) in fetch.poll(0)? {
//!         fetch.on_chunk(peer, &serve(&theirs, ask)?)?;
//!     }
//! }
//! assert_eq!(ours.list(), theirs.list());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is on disk
//!
//! A directory of the store's own, [`DIRECTORY`] in the node's: it has its own
//! lock, and nothing of the journal's.
//!
//! ```text
//! lock                                      held while a process has the store open
//! snapshot-0000000000000007                 finished
//! snapshot-0000000000000008.draft           being written; worthless after a crash
//! snapshot-0000000000000009-<digest>.fetch  being fetched; gone on with after a crash
//!
//! snapshot = header | piece | piece | ... | hash | hash | ... | footer
//!            '-------- body ------------'  '-------- tail ---------'
//!
//! header     0 magic     "ALTHSNAP"
//!            8 version   u32
//!           12 zeros
//!           16 cluster   16 bytes
//!           32 number    u64  the barrier
//!           40 zeros
//!           60 checksum  u32  CRC-32C of all before
//!
//! piece      0 checksum  u32  CRC-32C of cluster, number, the piece's index, and what follows
//!            4 length    u32
//!            8 kind      u8
//!            9 bytes
//!
//! hash       SHA-256 of a chunk: the body, in parts of 256 KiB, the last one shorter
//!
//! footer     0 mark      "ALTHSEND"
//!            8 body      u64  bytes of header and pieces
//!           16 pieces    u64
//!           24 digest    SHA-256 of all hashes and the 24 bytes before
//!           56 zeros
//!           60 checksum  u32  CRC-32C of all before
//! ```
//! Integers are little-endian. Later versions keep the header.
//!
//! * A file has its final name only when all of it is synced: a crash leaves a
//!   finished snapshot, or a draft.
//! * The digest names the whole: number and cluster are in the first chunk, and
//!   the length follows from the rest. Replicas that produce the same pieces have
//!   the same file.
//! * A file's length tells where its hashes are, and they with the digest prove
//!   each chunk by itself. So a receiver knows of every chunk whether it is
//!   what was offered, whoever sent it, and a file half fetched needs no record
//!   of what it has.
//! * A piece's checksum is seeded with where it belongs, so that a writer's
//!   mistake (a piece swapped, or of another snapshot) shows too.
//!
//! # Failures
//!
//! A write or sync that failed ends the draft, not the node: nothing was
//! promised on it. The next begins with a new file, since the kernel may have
//! dropped the dirty page and marked it clean.

mod digest;
mod draft;
mod error;
mod fetch;
mod format;
mod incoming;
pub mod limits;
mod message;
mod name;
mod peers;
mod read;
mod serve;
mod store;
mod survey;
mod transfer;
mod window;

pub use digest::{DIGEST_BYTES, Digest};
pub use draft::{Draft, Piece};
pub use error::{Damage, SnapshotError};
pub use fetch::{Fetch, Progress, Taken};
pub use format::FORMAT_VERSION;
pub use message::{Ask, Chunk, Offer};
pub use read::Reader;
pub use serve::{Refusal, serve};
pub use store::{DIRECTORY, Listed, Pin, Store};
pub use survey::{Survey, finished, open};
