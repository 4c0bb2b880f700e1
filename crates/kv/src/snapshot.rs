//! The keys as pieces of a snapshot, and back.
//!
//! A piece begins with a byte for the version and one for its kind. Of version 2:
//! - Pieces of entries hold the keys that have values, one after the other, ascending by key over all
//!   of these pieces: the key's length, the key, the value's length, the value. Where the highest bit of
//!   the key's length is set, the stamp and the end stand before the key, `u64`s; an end of all ones
//!   is none.
//! - Pieces of collections hold parts of them, ascending by key over all of these pieces: the key's
//!   length, the key, a byte for the type, the stamp, the end, how many items follow, these items. A
//!   part with the key of the one before goes on with the same collection. Items are a field and its
//!   value, a member, an element, or a score's bits and a member, each with its length before it,
//!   ascending but for elements.
//! - The last piece has the number of keys and their digest, both `u64`s, so that pieces which are
//!   missing, there twice or changed are found.
//!
//! Lengths and counts are `u32`s; all numbers are little-endian. Version 1 had no collections, no
//! stamps and no ends; it is read as well.

mod collections;

use crate::entry::{Entry, Meta};
use crate::keyspace::Keyspace;
use crate::limits::{COMMAND_LEN_MAX, KEY_LEN_MAX, SNAPSHOT_PIECE_LEN, VALUE_LEN_MAX};
use althing_model::{PIECE_LEN_MAX, Unrestorable};
use bytes::{Buf, BufMut, Bytes};
use collections::Writer;
use std::ops::Bound;

/// Raised by every change of the format.
const VERSION: u8 = 2;

/// Without collections, stamps and ends.
const VERSION_PLAIN: u8 = 1;

const ENTRIES: u8 = 1;
const END: u8 = 2;
const COLLECTIONS: u8 = 3;

/// The version and the kind.
const HEAD_LEN: usize = 2;

/// In a key's length.
const HAS_META: u32 = 1 << 31;

const NO_END: u64 = u64::MAX;

/// With its last entry or item a piece may become longer than where it is cut. A field and its value
/// came in one command.
const _: () = assert!(
    SNAPSHOT_PIECE_LEN + 64 + KEY_LEN_MAX + COMMAND_LEN_MAX <= PIECE_LEN_MAX
        && VALUE_LEN_MAX < COMMAND_LEN_MAX
);

/// The pieces of these keys.
pub(crate) fn pieces(keys: Keyspace) -> impl Iterator<Item = Bytes> {
    let mut step = Step::Entries(None);
    std::iter::from_fn(move || {
        loop {
            match &mut step {
                Step::Entries(last) => match entries(&keys, last) {
                    Some(piece) => return Some(piece),
                    None => step = Step::Collections(Writer::default()),
                },
                Step::Collections(writer) => match writer.piece(&keys) {
                    Some(piece) => return Some(piece),
                    None => step = Step::End,
                },
                Step::End => {
                    step = Step::Over;
                    let mut piece = vec![VERSION, END];
                    piece.put_u64_le(keys.len() as u64);
                    piece.put_u64_le(keys.digest().value());
                    return Some(piece.into());
                }
                Step::Over => return None,
            }
        }
    })
}

enum Step {
    /// After this one: an iterator cannot be kept beside what it iterates over.
    Entries(Option<Entry>),
    Collections(Writer),
    End,
    Over,
}

fn entries(keys: &Keyspace, last: &mut Option<Entry>) -> Option<Bytes> {
    // The piece before was a full one, so this is, too, unless it is the last.
    let expected = if last.is_some() { SNAPSHOT_PIECE_LEN + (4 << 10) } else { HEAD_LEN };
    let from = last.as_ref().map_or(Bound::Unbounded, |last| Bound::Excluded(last.key()));
    let mut range = keys.texts().range::<_, [u8]>((from, Bound::Unbounded)).peekable();
    range.peek()?;
    let mut piece = Vec::with_capacity(expected);
    piece.extend([VERSION, ENTRIES]);
    let mut reached = None;
    while piece.len() < SNAPSHOT_PIECE_LEN
        && let Some(entry) = range.next()
    {
        let (key, meta) = (entry.key(), entry.meta());
        let has_meta = meta != Meta::default();
        piece.put_u32_le(key.len() as u32 | if has_meta { HAS_META } else { 0 });
        if has_meta {
            put_meta(&mut piece, meta);
        }
        piece.put_slice(key);
        put_part(&mut piece, entry.value());
        reached = Some(entry.clone());
    }
    *last = reached;
    // Not with the room that it was given while it grew.
    Some(piece.into_boxed_slice().into())
}

fn put_part(piece: &mut Vec<u8>, part: &[u8]) {
    piece.put_u32_le(part.len() as u32);
    piece.put_slice(part);
}

fn put_meta(piece: &mut Vec<u8>, meta: Meta) {
    piece.put_u64_le(meta.stamp_ms);
    piece.put_u64_le(meta.end_ms.unwrap_or(NO_END));
}

/// The keys in these pieces.
pub(crate) fn restore(pieces: &mut dyn Iterator<Item = Bytes>) -> Result<Keyspace, Unrestorable> {
    let mut keys = Keyspace::default();
    // No key is empty, so every first key is above it.
    let mut last = Bytes::new();
    let mut reader = collections::Reader::default();
    for (at, mut piece) in (&mut *pieces).enumerate() {
        let wrong = |what: &str| Unrestorable(format!("piece {at} of the store {what}"));
        if piece.len() > PIECE_LEN_MAX {
            return Err(wrong("is longer than a piece may be"));
        }
        if piece.len() < HEAD_LEN {
            return Err(wrong("is cut short"));
        }
        match (piece.get_u8(), piece.get_u8()) {
            (version @ (VERSION_PLAIN | VERSION), ENTRIES) => {
                restore_entries(&mut keys, &mut last, version, piece)
                    .map_err(|what| wrong(&what))?;
            }
            (VERSION, COLLECTIONS) => {
                reader.read(&mut keys, piece).map_err(|what| wrong(&what))?;
            }
            (VERSION_PLAIN | VERSION, END) => {
                let mut end = [0; 16];
                end[..8].copy_from_slice(&(keys.len() as u64).to_le_bytes());
                end[8..].copy_from_slice(&keys.digest().value().to_le_bytes());
                return match piece[..] == end {
                    _ if pieces.next().is_some() => Err(wrong("is the end, and more follows it")),
                    false => Err(wrong("is the end of other entries than those before it")),
                    true => Ok(keys),
                };
            }
            (VERSION_PLAIN | VERSION, kind) => {
                return Err(wrong(&format!("is of an unknown kind, {kind}")));
            }
            (version, _) => {
                let what = format!(
                    "has version {version}; this program knows {VERSION_PLAIN} and {VERSION} alone"
                );
                return Err(wrong(&what));
            }
        }
    }
    Err(Unrestorable("the store's last piece is missing".into()))
}

fn restore_entries(
    keys: &mut Keyspace,
    last: &mut Bytes,
    version: u8,
    mut piece: Bytes,
) -> Result<(), String> {
    while !piece.is_empty() {
        let len = piece.try_get_u32_le().map_err(|_| CUT_SHORT)?;
        let has_meta = version != VERSION_PLAIN && len & HAS_META != 0;
        let len = if has_meta { len & !HAS_META } else { len };
        let meta = if has_meta { get_meta(&mut piece)? } else { Meta::default() };
        let key = take(&mut piece, len as usize, KEY_LEN_MAX)?;
        let value = get_part(&mut piece, VALUE_LEN_MAX)?;
        if key <= *last {
            return Err("has keys that do not ascend".into());
        }
        if has_meta && meta == Meta::default() {
            return Err("has an entry in another than its one form".into());
        }
        keys.put_text(&key, &value, meta);
        *last = key;
    }
    Ok(())
}

const CUT_SHORT: &str = "is cut short";

fn get_meta(piece: &mut Bytes) -> Result<Meta, String> {
    let mut number = || piece.try_get_u64_le().map_err(|_| CUT_SHORT.to_owned());
    let (stamp_ms, end_ms) = (number()?, number()?);
    Ok(Meta { stamp_ms, end_ms: Some(end_ms).filter(|end| *end != NO_END) })
}

fn get_part(piece: &mut Bytes, len_max: usize) -> Result<Bytes, String> {
    let len = piece.try_get_u32_le().map_err(|_| CUT_SHORT)?;
    take(piece, len as usize, len_max)
}

fn take(piece: &mut Bytes, len: usize, len_max: usize) -> Result<Bytes, String> {
    match len {
        _ if len > piece.len() => Err(CUT_SHORT.into()),
        _ if len > len_max => Err("has a key or a value that is too long".into()),
        _ => Ok(piece.split_to(len)),
    }
}
