//! What a watcher wants to hear of.

use crate::{Footprint, Mode, Range};
use bytes::Bytes;

/// Which commands a watcher is told of: those that touch something in its scope in one of its modes.
///
/// Which modes are changes is the watcher's to say, and not read from the [`crate::ModeTable`]: there
/// reads commute with reads as increments do with increments, and which of the two changes nothing it
/// does not tell. A command whose footprint does not name resources (it touches everything, or
/// only a predicate can tell) may have changed whatever is watched: each watcher is told of it.
///
/// ```
/// use althing_model::{Filter, Footprint, Mode, ModeSet, Range, Scope};
/// let writes = ModeSet::of([Mode(1)]);
/// let filter = Filter { scope: Scope::Range(Range::prefix("user/")), modes: writes };
/// assert!(filter.matches(&Footprint::of([("user/7".into(), Mode(1))])));
/// assert!(!filter.matches(&Footprint::of([("user/7".into(), Mode(0))])), "it only reads");
/// assert!(!filter.matches(&Footprint::of([("item/7".into(), Mode(1))])));
/// assert!(filter.matches(&Footprint::Everything));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Which resources.
    pub scope: Scope,
    /// In which modes.
    pub modes: ModeSet,
}

/// Which resources are watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One, by its name.
    Resource(Bytes),
    /// All whose names lie in the range.
    Range(Range),
    /// All there are.
    Everything,
}

/// A set of access modes: bit `m` is set for mode `m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModeSet(pub u64);

impl Filter {
    /// Whether a command with that footprint is told of.
    pub fn matches(&self, footprint: &Footprint) -> bool {
        match footprint {
            Footprint::Everything | Footprint::Predicate(_) => true,
            Footprint::Resources(_) | Footprint::Ranges { .. } => {
                let changes = |mode: &Mode| self.modes.contains(*mode);
                let (mut resources, mut ranges) =
                    (footprint.resources().iter(), footprint.ranges().iter());
                resources.any(|(name, mode)| changes(mode) && self.scope.contains(name))
                    || ranges.any(|(range, mode)| changes(mode) && self.scope.overlaps(range))
            }
        }
    }
}

impl Scope {
    /// Whether some resource of that range is watched.
    pub fn overlaps(&self, range: &Range) -> bool {
        match self {
            Self::Resource(own) => range.contains(own),
            Self::Range(own) => own.overlaps(range),
            Self::Everything => true,
        }
    }

    /// Whether a resource of that name is watched.
    pub fn contains(&self, name: &[u8]) -> bool {
        match self {
            Self::Resource(own) => own == name,
            Self::Range(range) => range.contains(name),
            Self::Everything => true,
        }
    }
}

impl ModeSet {
    /// Every mode, those that only read too.
    pub const ALL: Self = Self(u64::MAX);

    /// These modes.
    pub fn of(modes: impl IntoIterator<Item = Mode>) -> Self {
        Self(modes.into_iter().filter(|mode| mode.0 < 64).fold(0, |set, mode| set | 1 << mode.0))
    }

    /// Whether a mode is a member. One that no table can have commutes with nothing, so that it is
    /// never taken for a mere read.
    pub fn contains(self, mode: Mode) -> bool {
        mode.0 >= 64 || self.0 >> mode.0 & 1 == 1
    }
}
