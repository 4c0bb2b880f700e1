//! The entries as pieces of a snapshot, and back.
//!
//! A piece begins with a byte for the version and one for its kind. Pieces of entries hold
//! them one after the other, ascending by key over all pieces: the key's length, the key, the
//! value's length, the value; lengths are `u32`s, little-endian. The last piece has the number of
//! entries and their digest, both `u64`s, so that pieces which are missing, there twice or changed
//! are found.

use crate::digest::Digest;
use crate::limits::{KEY_LEN_MAX, SNAPSHOT_PIECE_LEN, VALUE_LEN_MAX};
use althing_model::{PIECE_LEN_MAX, Unrestorable};
use bytes::{Buf, BufMut, Bytes};

/// Raised by every change of the format.
const VERSION: u8 = 1;

const ENTRIES: u8 = 1;
const END: u8 = 2;

/// With its last entry a piece may become longer than where it is cut.
const _: () = assert!(SNAPSHOT_PIECE_LEN + 8 + KEY_LEN_MAX + VALUE_LEN_MAX <= PIECE_LEN_MAX);

/// The pieces of entries that come ascending by key, `count` of them, with this digest.
pub(crate) fn pieces<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    mut entries: impl Iterator<Item = (K, V)>,
    count: usize,
    digest: Digest,
) -> impl Iterator<Item = Bytes> {
    let mut is_ended = false;
    std::iter::from_fn(move || {
        if is_ended {
            return None;
        }
        let mut piece = vec![VERSION, ENTRIES];
        while piece.len() < SNAPSHOT_PIECE_LEN
            && let Some((key, value)) = entries.next()
        {
            for part in [key.as_ref(), value.as_ref()] {
                piece.put_u32_le(part.len() as u32);
                piece.put_slice(part);
            }
        }
        if piece.len() == 2 {
            is_ended = true;
            piece[1] = END;
            piece.put_u64_le(count as u64);
            piece.put_u64_le(digest.value());
        }
        Some(piece.into())
    })
}

/// Gives each entry to `entry`, ascending by key, and returns the digest of them all. Keys and
/// values are slices of the pieces.
pub(crate) fn restore(
    pieces: &mut dyn Iterator<Item = Bytes>,
    mut entry: impl FnMut(Bytes, Bytes),
) -> Result<Digest, Unrestorable> {
    let (mut count, mut digest) = (0u64, Digest::default());
    let mut last = Bytes::new();
    for (at, mut piece) in (&mut *pieces).enumerate() {
        let wrong = |what: &str| Unrestorable(format!("piece {at} of the store {what}"));
        if piece.len() > PIECE_LEN_MAX {
            return Err(wrong("is longer than a piece may be"));
        }
        let cut = |_| wrong("is cut short");
        match piece.try_get_u8().map_err(cut)? {
            VERSION => {}
            version => {
                let what = format!("has version {version}, this program knows {VERSION} alone");
                return Err(wrong(&what));
            }
        }
        match piece.try_get_u8().map_err(cut)? {
            ENTRIES => {}
            END => {
                let expected = (piece.try_get_u64_le().map_err(cut)?, piece.try_get_u64_le());
                return match (piece.is_empty(), pieces.next()) {
                    (true, None) if expected == (count, Ok(digest.value())) => Ok(digest),
                    (true, None) => Err(wrong("says that there were other entries before it")),
                    _ => Err(wrong("is the end, and something follows it")),
                };
            }
            kind => return Err(wrong(&format!("is of an unknown kind, {kind}"))),
        }
        while !piece.is_empty() {
            let mut part = |len_max| {
                let len = piece.try_get_u32_le().map_err(cut)? as usize;
                match len {
                    _ if len > len_max => Err(wrong("has a key or a value that is too long")),
                    _ if len > piece.len() => Err(wrong("is cut short")),
                    _ => Ok(piece.split_to(len)),
                }
            };
            let (key, value) = (part(KEY_LEN_MAX)?, part(VALUE_LEN_MAX)?);
            // No key is empty, so the first one passes, too.
            if key <= last {
                return Err(wrong("has keys that do not ascend"));
            }
            digest.add(&key, &value);
            count += 1;
            last = key.clone();
            entry(key, value);
        }
    }
    Err(Unrestorable("the store's last piece is missing".into()))
}
