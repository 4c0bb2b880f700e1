//! The entries as pieces of a snapshot, and back.
//!
//! A piece begins with a byte for the version and one for its kind. Pieces of entries hold
//! them one after the other, ascending by key over all pieces: the key's length, the key, the
//! value's length, the value; lengths are `u32`s, little-endian. The last piece has the number of
//! entries and their digest, both `u64`s, so that pieces which are missing, there twice or changed
//! are found.

use crate::digest::Digest;
use crate::entry::Entry;
use crate::limits::{KEY_LEN_MAX, SNAPSHOT_PIECE_LEN, VALUE_LEN_MAX};
use althing_model::{PIECE_LEN_MAX, Unrestorable};
use bytes::{Buf, BufMut, Bytes};
use imbl::OrdSet;
use std::ops::Bound;

/// Raised by every change of the format.
const VERSION: u8 = 1;

const ENTRIES: u8 = 1;
const END: u8 = 2;

/// The version and the kind.
const HEAD_LEN: usize = 2;

/// With its last entry a piece may become longer than where it is cut.
const _: () = assert!(SNAPSHOT_PIECE_LEN + 8 + KEY_LEN_MAX + VALUE_LEN_MAX <= PIECE_LEN_MAX);

/// The pieces of these entries, which have this digest.
pub(crate) fn pieces(entries: OrdSet<Entry>, digest: Digest) -> impl Iterator<Item = Bytes> {
    let mut rest = Some(entries);
    // The last entry of the piece before: an iterator cannot be kept beside what it iterates over.
    let mut last: Option<Entry> = None;
    std::iter::from_fn(move || {
        let entries = rest.as_ref()?;
        // The piece before was a full one, so this is, too, unless it is the last.
        let expected = if last.is_some() { SNAPSHOT_PIECE_LEN + (4 << 10) } else { HEAD_LEN };
        let mut piece = Vec::with_capacity(expected);
        piece.extend([VERSION, ENTRIES]);
        let from = last.as_ref().map_or(Bound::Unbounded, |last| Bound::Excluded(last.key()));
        let mut range = entries.range::<_, [u8]>((from, Bound::Unbounded));
        let mut reached = None;
        while piece.len() < SNAPSHOT_PIECE_LEN
            && let Some(entry) = range.next()
        {
            for part in [entry.key(), entry.value()] {
                piece.put_u32_le(part.len() as u32);
                piece.put_slice(part);
            }
            reached = Some(entry);
        }
        match reached {
            Some(entry) => last = Some(entry.clone()),
            None => {
                piece = vec![VERSION, END];
                piece.put_u64_le(entries.len() as u64);
                piece.put_u64_le(digest.value());
                rest = None;
            }
        }
        // Not with the room that it was given while it grew.
        Some(piece.into_boxed_slice().into())
    })
}

/// The entries in these pieces, and their digest.
pub(crate) fn restore(
    pieces: &mut dyn Iterator<Item = Bytes>,
) -> Result<(OrdSet<Entry>, Digest), Unrestorable> {
    let (mut entries, mut digest) = (OrdSet::new(), Digest::default());
    // No key is empty, so every first key is above it.
    let mut last = Bytes::new();
    for (at, mut piece) in (&mut *pieces).enumerate() {
        let wrong = |what: &str| Unrestorable(format!("piece {at} of the store {what}"));
        if piece.len() > PIECE_LEN_MAX {
            return Err(wrong("is longer than a piece may be"));
        }
        if piece.len() < HEAD_LEN {
            return Err(wrong("is cut short"));
        }
        let (version, kind) = (piece.get_u8(), piece.get_u8());
        match (version, kind) {
            (VERSION, ENTRIES) => {}
            (VERSION, END) => {
                let mut end = [0; 16];
                end[..8].copy_from_slice(&(entries.len() as u64).to_le_bytes());
                end[8..].copy_from_slice(&digest.value().to_le_bytes());
                return match piece[..] == end {
                    _ if pieces.next().is_some() => Err(wrong("is the end, and more follows it")),
                    false => Err(wrong("is the end of other entries than those before it")),
                    true => Ok((entries, digest)),
                };
            }
            (VERSION, kind) => return Err(wrong(&format!("is of an unknown kind, {kind}"))),
            (version, _) => {
                let what = format!("has version {version}; this program knows {VERSION} alone");
                return Err(wrong(&what));
            }
        }
        while !piece.is_empty() {
            let mut part = |len_max| {
                let len = piece.try_get_u32_le().map_or(usize::MAX, |len| len as usize);
                match len {
                    _ if len > piece.len() => Err(wrong("is cut short")),
                    _ if len > len_max => Err(wrong("has a key or a value that is too long")),
                    _ => Ok(piece.split_to(len)),
                }
            };
            let (key, value) = (part(KEY_LEN_MAX)?, part(VALUE_LEN_MAX)?);
            if key <= last {
                return Err(wrong("has keys that do not ascend"));
            }
            digest.add(&key, &value);
            entries.insert(Entry::new(&key, &value));
            last = key;
        }
    }
    Err(Unrestorable("the store's last piece is missing".into()))
}
