//! One key and its value, as they are stored.

use bytes::Bytes;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A key and its value, in one allocation that snapshots share; ordered by the key alone. Around them
/// it takes 20 bytes, and 16 in the map.
#[derive(Clone)]
pub(crate) struct Entry(Arc<[u8]>);

/// The key's length, a `u32`, stands before the key.
const LEN_BYTES: usize = 4;

impl Entry {
    /// Copies, so that what is stored for long keeps no payload alive.
    pub(crate) fn new(key: &[u8], value: &[u8]) -> Self {
        let len = u32::try_from(key.len()).expect("a command is shorter than 4 GiB");
        Self([&len.to_le_bytes(), key, value].concat().into())
    }

    fn split(&self) -> (&[u8], &[u8]) {
        let (len, rest) = self.0.split_first_chunk::<LEN_BYTES>().expect("an entry has a length");
        rest.split_at(u32::from_le_bytes(*len) as usize)
    }

    pub(crate) fn key(&self) -> &[u8] {
        self.split().0
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.split().1
    }

    /// The value without a copy; it keeps the entry.
    pub(crate) fn value_shared(&self) -> Bytes {
        let start = LEN_BYTES + self.key().len();
        Bytes::from_owner(self.0.clone()).slice(start..)
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
