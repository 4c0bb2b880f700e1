//! The pieces of collections.

use super::{COLLECTIONS, CUT_SHORT, HEAD_LEN, VERSION, get_meta, get_part, put_meta, put_part};
use crate::collection::{Blob, Body, Collection, Hash, Kind, List, Score, Set, SortedSet};
use crate::keyspace::Keyspace;
use crate::limits::{COMMAND_LEN_MAX, KEY_LEN_MAX, SNAPSHOT_PIECE_LEN};
use bytes::{Buf, BufMut, Bytes};
use std::ops::Bound;

/// How far the pieces have come.
#[derive(Default)]
pub(super) struct Writer {
    /// Collections up to this key are written, its own but for its rest.
    last: Option<Blob>,
    rest: Option<Rest>,
}

/// Where the rest of a collection begins.
enum Rest {
    /// After this field or member.
    After(Blob),
    /// At this index.
    At(usize),
    /// After this score and member.
    AfterScore(Score, Blob),
}

impl Writer {
    /// The next piece, if there is more.
    pub(super) fn piece(&mut self, keys: &Keyspace) -> Option<Bytes> {
        let mut piece = vec![VERSION, COLLECTIONS];
        if let Some(rest) = self.rest.take() {
            let key = self.last.clone().expect("a rest is that of a collection");
            let collection = keys.collection(&key).expect("a snapshot does not change");
            self.rest = put_collection(&mut piece, &key, collection, Some(rest));
        }
        while self.rest.is_none() && piece.len() < SNAPSHOT_PIECE_LEN {
            let from = self.last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut range = keys.collections().range::<_, [u8]>((from, Bound::Unbounded));
            let Some((key, collection)) = range.next() else { break };
            self.rest = put_collection(&mut piece, key, collection, None);
            self.last = Some(key.clone());
        }
        (piece.len() > HEAD_LEN).then(|| piece.into_boxed_slice().into())
    }
}

/// Writes what the piece has room for, and says where the rest begins.
fn put_collection(
    piece: &mut Vec<u8>,
    key: &Blob,
    collection: &Collection,
    from: Option<Rest>,
) -> Option<Rest> {
    put_part(piece, key);
    piece.put_u8(collection.body.kind() as u8);
    put_meta(piece, collection.meta);
    let count_at = piece.len();
    piece.put_u32_le(0);
    let (count, rest) = put_items(piece, &collection.body, from);
    piece[count_at..][..4].copy_from_slice(&count.to_le_bytes());
    rest
}

fn put_items(piece: &mut Vec<u8>, body: &Body, from: Option<Rest>) -> (u32, Option<Rest>) {
    let after = match &from {
        Some(Rest::After(item)) => Some(&item[..]),
        _ => None,
    };
    let mut count = 0;
    let mut is_full = |piece: &Vec<u8>| {
        count += 1;
        piece.len() >= SNAPSHOT_PIECE_LEN
    };
    let mut rest = None;
    match body {
        Body::Hash(hash) => {
            let mut fields = hash.after(after).peekable();
            while let Some((field, value)) = fields.next() {
                put_part(piece, field);
                put_part(piece, value);
                if is_full(piece) {
                    rest = fields.peek().map(|_| Rest::After(field.clone()));
                    break;
                }
            }
        }
        Body::Set(set) => {
            let mut members = set.after(after).peekable();
            while let Some(member) = members.next() {
                put_part(piece, member);
                if is_full(piece) {
                    rest = members.peek().map(|_| Rest::After(member.clone()));
                    break;
                }
            }
        }
        Body::List(list) => {
            let start = if let Some(Rest::At(index)) = from { index } else { 0 };
            for (element, index) in list.from(start).zip(start + 1..) {
                put_part(piece, element);
                if is_full(piece) {
                    rest = (index < list.len()).then_some(Rest::At(index));
                    break;
                }
            }
        }
        Body::Sorted(sorted) => {
            let from = match from {
                Some(Rest::AfterScore(score, member)) => Some((score, member)),
                _ => None,
            };
            let mut members = sorted.after_score(from).peekable();
            while let Some((member, score)) = members.next() {
                piece.put_u64_le(score.value().to_bits());
                put_part(piece, member);
                if is_full(piece) {
                    rest = members.peek().map(|_| Rest::AfterScore(score, member.clone()));
                    break;
                }
            }
        }
    }
    (count, rest)
}

/// How far the pieces have been read.
#[derive(Default)]
pub(super) struct Reader {
    last: Bytes,
}

impl Reader {
    /// Puts a piece's collections among the keys.
    pub(super) fn read(&mut self, keys: &mut Keyspace, mut piece: Bytes) -> Result<(), String> {
        while !piece.is_empty() {
            let key = get_part(&mut piece, KEY_LEN_MAX)?;
            let kind = piece.try_get_u8().map_err(|_| CUT_SHORT)?;
            let meta = get_meta(&mut piece)?;
            let count = piece.try_get_u32_le().map_err(|_| CUT_SHORT)?;
            let body = match kind {
                kind if kind == Kind::Hash as u8 => Body::Hash(Hash::default()),
                kind if kind == Kind::Set as u8 => Body::Set(Set::default()),
                kind if kind == Kind::List as u8 => Body::List(List::default()),
                kind if kind == Kind::Sorted as u8 => Body::Sorted(SortedSet::default()),
                kind => return Err(format!("has a key of an unknown type, {kind}")),
            };
            if key < self.last || keys.text(&key).is_some() {
                return Err("has keys that do not ascend".into());
            }
            if count == 0 {
                return Err("has a part of a collection without an item".into());
            }
            let mut collection = match keys.remove_collection(&key) {
                None => Collection { meta, body },
                Some(before) if before.meta == meta && before.body.kind() == body.kind() => before,
                Some(_) => return Err("has a key twice".into()),
            };
            for _ in 0..count {
                get_item(&mut piece, &mut collection.body)?;
            }
            keys.put_collection(&key, collection);
            self.last = key;
        }
        Ok(())
    }
}

/// Reads one item, which no other is like.
fn get_item(piece: &mut Bytes, body: &mut Body) -> Result<(), String> {
    let mut part = || get_part(piece, COMMAND_LEN_MAX);
    let is_new = match body {
        Body::Hash(hash) => {
            let (field, value) = (part()?, part()?);
            hash.set(&field, &value)
        }
        Body::Set(set) => set.insert(&part()?),
        Body::List(list) => {
            list.push_back(&part()?);
            true
        }
        Body::Sorted(sorted) => {
            let bits = piece.try_get_u64_le().map_err(|_| CUT_SHORT)?;
            let score = Score::new(f64::from_bits(bits)).ok_or("has a score that is no number")?;
            sorted.set(&get_part(piece, COMMAND_LEN_MAX)?, score)
        }
    };
    if is_new { Ok(()) } else { Err("has an item twice".into()) }
}
