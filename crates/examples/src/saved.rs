//! Digests and snapshots of states that are one ordered map.

use althing_model::{Pieces, Unrestorable};
use bytes::Bytes;
use imbl::OrdMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use siphasher::sip::SipHasher13;
use std::hash::{Hash, Hasher};

/// Entries in one piece of a snapshot: with entries of a few hundred bytes it is far from
/// [`althing_model::PIECE_LEN_MAX`].
const ENTRIES_PER_PIECE: usize = 256;

/// A digest of the whole state. It reads all of it, which is well enough for states this small; the
/// store (`althing_kv`) keeps a sum of its entries' digests instead.
pub(crate) fn digest(state: &impl Hash) -> u64 {
    let mut hasher = SipHasher13::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// The number of entries, then the entries, a few at a time, as they are asked for. The map is
/// shared with the machine, which copies what it changes.
pub(crate) fn pieces<K, V>(map: OrdMap<K, V>) -> Pieces
where
    K: Ord + Clone + Serialize + Send + Sync + 'static,
    V: Clone + Serialize + Send + Sync + 'static,
{
    let len = map.len();
    let mut entries = map.into_iter();
    let rest = std::iter::from_fn(move || {
        let piece: Vec<(K, V)> = entries.by_ref().take(ENTRIES_PER_PIECE).collect();
        (!piece.is_empty()).then(|| crate::encode(&piece))
    });
    Box::new(std::iter::once(crate::encode(&len)).chain(rest))
}

/// The map of which [`pieces`] made these.
pub(crate) fn restore<K, V>(
    pieces: &mut dyn Iterator<Item = Bytes>,
) -> Result<OrdMap<K, V>, Unrestorable>
where
    K: Ord + Clone + DeserializeOwned,
    V: Clone + DeserializeOwned,
{
    let invalid = |error: serde_json::Error| Unrestorable(error.to_string());
    let first = pieces.next().ok_or_else(|| Unrestorable("there is no piece".into()))?;
    let len: usize = serde_json::from_slice(&first).map_err(invalid)?;
    let mut map = OrdMap::new();
    for piece in pieces {
        let entries: Vec<(K, V)> = serde_json::from_slice(&piece).map_err(invalid)?;
        map.extend(entries);
    }
    match map.len() {
        found if found == len => Ok(map),
        found => Err(Unrestorable(format!("{found} entries, and there were {len}"))),
    }
}
