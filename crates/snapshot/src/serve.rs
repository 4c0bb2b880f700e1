//! The side that has the snapshot.

use althing_journal::disk::Disk;
use bytes::BytesMut;

use crate::error::SnapshotError;
use crate::limits::CHUNK_BYTES;
use crate::message::{Ask, Chunk};
use crate::read::read_exact;
use crate::store::Store;

/// Why a peer's ask is not answered.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// The snapshot is not here, or not any more: the peer is told, so that it
    /// asks another.
    #[error("there is no snapshot of barrier {number} here")]
    Gone {
        /// Which one.
        number: u64,
    },
    /// The peer asked for more than one may, or for what the file does not have:
    /// a fault of the peer's.
    #[error(
        "bytes {offset} to {offset} + {len} of a file of {file_len} were asked for, at most {CHUNK_BYTES}"
    )]
    Range {
        /// The ask's offset.
        offset: u64,
        /// The ask's length.
        len: u32,
        /// The file's length.
        file_len: u64,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Failed(#[from] SnapshotError),
}

/// Answers a peer's ask. Its bounds are checked before anything is allocated.
/// While a peer fetches, [`Store::pin`] keeps the file there.
///
/// # Errors
/// See [`Refusal`].
pub fn serve<D: Disk>(store: &Store<D>, ask: Ask) -> Result<Chunk, Refusal> {
    let Ask { number, offset, len } = ask;
    let pin = store.pin(number).map_err(|_| Refusal::Gone { number })?;
    let file_len = pin.listed().len;
    let end = offset.checked_add(u64::from(len));
    if len == 0 || len as usize > CHUNK_BYTES || end.is_none_or(|end| end > file_len) {
        return Err(Refusal::Range { offset, len, file_len });
    }
    let (file, name) = store.file(number)?;
    let mut bytes = BytesMut::zeroed(len as usize);
    read_exact(&file, &name, &mut bytes, offset)?;
    Ok(Chunk::new(number, offset, bytes.freeze()))
}
