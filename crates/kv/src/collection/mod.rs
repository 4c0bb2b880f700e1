//! Redis' types other than strings, on persistent structures: a clone takes no time, and shares all
//! that neither of the two changes.

pub(crate) mod hash;
pub(crate) mod list;
pub(crate) mod set;
pub(crate) mod sorted;

use crate::entry::Meta;
pub(crate) use hash::Hash;
pub(crate) use list::List;
pub(crate) use set::Set;
pub(crate) use sorted::{Score, SortedSet};
use std::ops::Bound;
use std::sync::Arc;

/// Bytes of their own, so that what is stored for long keeps no payload alive.
pub(crate) type Blob = Arc<[u8]>;

/// What a key holds that is no string.
#[derive(Debug, Clone)]
pub(crate) struct Collection {
    pub(crate) meta: Meta,
    pub(crate) body: Body,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    Hash(Hash),
    Set(Set),
    List(List),
    Sorted(SortedSet),
}

/// The types, by their numbers in snapshots and digests; 0 is the string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Hash = 1,
    Set = 2,
    List = 3,
    Sorted = 4,
}

impl Body {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Hash(_) => Kind::Hash,
            Self::Set(_) => Kind::Set,
            Self::List(_) => Kind::List,
            Self::Sorted(_) => Kind::Sorted,
        }
    }

    /// How many items it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Hash(hash) => hash.len(),
            Self::Set(set) => set.len(),
            Self::List(list) => list.len(),
            Self::Sorted(sorted) => sorted.len(),
        }
    }

    /// Equal bodies of a kind have equal digests, however they came to be.
    pub(crate) fn digest(&self) -> u64 {
        match self {
            Self::Hash(hash) => hash.digest(),
            Self::Set(set) => set.digest(),
            Self::List(list) => list.digest(),
            Self::Sorted(sorted) => sorted.digest(),
        }
    }
}

/// One of the types, found in a key.
pub(crate) trait Typed: Default {
    fn of(body: &Body) -> Option<&Self>;
    fn of_mut(body: &mut Body) -> Option<&mut Self>;
    fn into_body(self) -> Body;
}

macro_rules! typed {
    ($type:ident, $variant:ident) => {
        impl Typed for $type {
            fn of(body: &Body) -> Option<&Self> {
                if let Body::$variant(it) = body { Some(it) } else { None }
            }

            fn of_mut(body: &mut Body) -> Option<&mut Self> {
                if let Body::$variant(it) = body { Some(it) } else { None }
            }

            fn into_body(self) -> Body {
                Body::$variant(self)
            }
        }
    };
}

typed!(Hash, Hash);
typed!(Set, Set);
typed!(List, List);
typed!(SortedSet, Sorted);

/// The range of what comes after this, or all.
pub(crate) fn after(last: Option<&[u8]>) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (last.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}
