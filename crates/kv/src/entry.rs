//! One key and its value, as they are stored.

use bytes::Bytes;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A key and its value, in one allocation that snapshots share; ordered by the key alone. Around them
/// it takes 20 bytes, and 16 in the map; 16 more where a stamp or an end is known.
#[derive(Clone)]
pub(crate) struct Entry(Arc<[u8]>);

/// What is known of a key's time, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The stamp of the last write; 0 where no write had one.
    pub(crate) stamp_ms: u64,
    /// The last time at which the key is there.
    pub(crate) end_ms: Option<u64>,
}

/// The key's length, a `u32`, stands before the key.
const LEN_BYTES: usize = 4;

/// In the key's length: the stamp and the end, `u64`s, stand between it and the key.
const HAS_META: u32 = 1 << 31;
const META_BYTES: usize = 16;

/// In the place of an end: none.
const NO_END: u64 = u64::MAX;

impl Entry {
    /// Copies, so that what is stored for long keeps no payload alive.
    pub(crate) fn new(key: &[u8], value: &[u8], meta: Meta) -> Self {
        let len = u32::try_from(key.len()).expect("a command is shorter than 2 GiB");
        if meta == Meta::default() {
            return Self([&len.to_le_bytes(), key, value].concat().into());
        }
        let (len, stamp) = ((len | HAS_META).to_le_bytes(), meta.stamp_ms.to_le_bytes());
        let end = meta.end_ms.unwrap_or(NO_END).to_le_bytes();
        Self([&len, &stamp[..], &end, key, value].concat().into())
    }

    /// Where the key begins, and where the value does.
    fn starts(&self) -> (usize, usize) {
        let len = self.0.first_chunk::<LEN_BYTES>().expect("an entry has a length");
        let len = u32::from_le_bytes(*len);
        let start = LEN_BYTES + if len & HAS_META == 0 { 0 } else { META_BYTES };
        (start, start + (len & !HAS_META) as usize)
    }

    pub(crate) fn key(&self) -> &[u8] {
        let (key, value) = self.starts();
        &self.0[key..value]
    }

    pub(crate) fn value(&self) -> &[u8] {
        &self.0[self.starts().1..]
    }

    pub(crate) fn meta(&self) -> Meta {
        if self.starts().0 == LEN_BYTES {
            return Meta::default();
        }
        let number = |at: usize| {
            let bytes = self.0[at..].first_chunk().expect("an entry has what its length says");
            u64::from_le_bytes(*bytes)
        };
        let end = Some(number(LEN_BYTES + 8)).filter(|end| *end != NO_END);
        Meta { stamp_ms: number(LEN_BYTES), end_ms: end }
    }

    /// The value without a copy; it keeps the entry.
    pub(crate) fn value_shared(&self) -> Bytes {
        Bytes::from_owner(self.0.clone()).slice(self.starts().1..)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\": \"{}\"", self.key().escape_ascii(), self.value().escape_ascii())
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(other.key())
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl Borrow<[u8]> for Entry {
    fn borrow(&self) -> &[u8] {
        self.key()
    }
}
