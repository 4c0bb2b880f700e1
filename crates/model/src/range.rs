//! Ranges of resource names.

use bytes::Bytes;

/// The resources whose names are at or above one name and below another, in the order of their
/// bytes. It holds at least one name.
///
/// ```
/// use althing_model::Range;
/// let range = Range::between("b", "d").expect("b is below d");
/// assert!(range.contains(b"b") && range.contains(b"czzz") && !range.contains(b"d"));
/// assert!(Range::prefix("user/").contains(b"user/7"));
/// assert_eq!(Range::between("d", "b"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    from: Bytes,
    to: Option<Bytes>,
}

impl Range {
    /// The names at or above `from` and below `to`; none where there are no such names, so that a
    /// command with such a range touches nothing by it.
    pub fn between(from: impl Into<Bytes>, to: impl Into<Bytes>) -> Option<Self> {
        let (from, to) = (from.into(), to.into());
        (from < to).then_some(Self { from, to: Some(to) })
    }

    /// The names at or above `from`.
    pub fn from(from: impl Into<Bytes>) -> Self {
        Self { from: from.into(), to: None }
    }

    /// The names that begin with `prefix`; all of them if it is empty.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let from: Bytes = prefix.into();
        // The first name above all that begin so: the last byte that can be raised is.
        let len = from.iter().rposition(|byte| *byte != u8::MAX).map_or(0, |last| last + 1);
        let mut to = from[..len].to_vec();
        if let Some(last) = to.last_mut() {
            *last += 1;
        }
        Self { from, to: (len > 0).then(|| to.into()) }
    }

    /// The lowest name in it.
    pub fn begin(&self) -> &Bytes {
        &self.from
    }

    /// The lowest name above it; none where there is no end.
    pub fn end(&self) -> Option<&Bytes> {
        self.to.as_ref()
    }

    /// Bytes of the two names together.
    pub fn names_len(&self) -> usize {
        self.from.len() + self.to.as_ref().map_or(0, Bytes::len)
    }

    /// Whether the name is in it.
    pub fn contains(&self, name: &[u8]) -> bool {
        name >= &self.from[..] && self.is_below_end(name)
    }

    /// Whether some name is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.is_below_end(&other.from) && other.is_below_end(&self.from)
    }

    /// The same range in memory of its own. A slice of a received message would keep the whole
    /// message in memory.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            from: Bytes::copy_from_slice(&self.from),
            to: self.to.as_deref().map(Bytes::copy_from_slice),
        }
    }

    fn is_below_end(&self, name: &[u8]) -> bool {
        self.to.as_ref().is_none_or(|to| name < &to[..])
    }
}
