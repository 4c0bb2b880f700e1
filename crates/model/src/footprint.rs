//! What a command touches.
//!
//! There are three levels, and a command may be at any of them. What each costs is what the conflict
//! index (`althing_dependency::ConflictIndex`) does for it at every voter:
//!
//! | level | made by | cost of a command, at each voter |
//! | --- | --- | --- |
//! | (a) resources, each with a [`Mode`] | [`Footprint::of`] | constant for each resource, whatever the history |
//! | (b) ranges and prefixes of resources | [`Footprint::with_ranges`] | logarithmic for each other range that overlaps, and one step for each resource inside it |
//! | (c) whatever a symmetric [`Predicate`] says | [`Footprint::predicate`] | one call of the predicate for each such vertex that is not pruned |
//! | all of the state | [`Footprint::Everything`] | one step for each proposer; every other command waits for it |
//!
//! [`Predicate`]: crate::Predicate
//!
//! Level (b), with a table of which modes commute:
//! ```
//! use althing_model::{Footprint, Mode, ModeTable, Range};
//! let table = ModeTable::read_write();
//! let put = Footprint::of([("orders/7".into(), Mode::WRITE)]);
//! let scan = Footprint::with_ranges([], [(Range::prefix("orders/"), Mode::READ)]);
//! let elsewhere = Footprint::with_ranges([], [(Range::prefix("stock/"), Mode::READ)]);
//! assert!(scan.conflicts_with(&put, &table));
//! assert!(!elsewhere.conflicts_with(&put, &table));
//! assert!(!scan.conflicts_with(&scan, &table), "reads commute with reads");
//! ```

use crate::{ModeTable, Range};
use bytes::Bytes;

/// How a command touches a resource: an index into the cluster's [`ModeTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mode(pub u8);

/// What a command touches. Two commands conflict as [`Footprint::conflicts_with`] says.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum Footprint {
    /// The resources, each with a mode, ascending and without repetition. Level (a).
    Resources(Vec<(Bytes, Mode)>),
    /// Ranges of resources, and single ones beside them. Level (b).
    Ranges {
        /// Single resources, each with a mode, ascending and without repetition.
        resources: Vec<(Bytes, Mode)>,
        /// Ranges, each with a mode, ascending and without repetition, and at least one.
        ranges: Vec<(Range, Mode)>,
    },
    /// What the table's [`Predicate`](crate::Predicate) sees of the command. Level (c).
    Predicate(Bytes),
    /// The whole state: conflicts with every command, even one that touches nothing.
    Everything,
}

impl Footprint {
    /// A command that touches nothing: it conflicts with [`Footprint::Everything`] alone.
    pub const NOTHING: Self = Self::Resources(Vec::new());

    /// A footprint of these resources, in any order, repetitions allowed.
    pub fn of(resources: impl IntoIterator<Item = (Bytes, Mode)>) -> Self {
        Self::Resources(ascending(resources))
    }

    /// A footprint of these resources and ranges, in any order, repetitions allowed; without a range
    /// it is one of the resources alone.
    pub fn with_ranges(
        resources: impl IntoIterator<Item = (Bytes, Mode)>,
        ranges: impl IntoIterator<Item = (Range, Mode)>,
    ) -> Self {
        let (resources, ranges) = (ascending(resources), ascending(ranges));
        if ranges.is_empty() {
            Self::Resources(resources)
        } else {
            Self::Ranges { resources, ranges }
        }
    }

    /// A footprint of which the table's [`Predicate`](crate::Predicate) is shown these bytes.
    pub fn predicate(shown: impl Into<Bytes>) -> Self {
        Self::Predicate(shown.into())
    }

    /// The single resources that it names.
    pub fn resources(&self) -> &[(Bytes, Mode)] {
        match self {
            Self::Resources(resources) | Self::Ranges { resources, .. } => resources,
            Self::Predicate(_) | Self::Everything => &[],
        }
    }

    /// The ranges that it names.
    pub fn ranges(&self) -> &[(Range, Mode)] {
        match self {
            Self::Ranges { ranges, .. } => ranges,
            Self::Resources(_) | Self::Predicate(_) | Self::Everything => &[],
        }
    }

    /// How many resources and ranges it names.
    pub fn len(&self) -> usize {
        self.resources().len() + self.ranges().len()
    }

    /// Whether it names no resource and no range.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether two commands with these footprints conflict: the definition, in time quadratic in
    /// the footprints. The dependency service keeps an index instead.
    ///
    /// - Two resources, or ranges, or one of each conflict when they share a name and their modes do
    ///   not commute.
    /// - [`Footprint::Everything`] conflicts with all, also with what touches nothing.
    /// - Of two [`Footprint::Predicate`] the table's predicate decides; without one they conflict.
    /// - [`Footprint::Predicate`] conflicts with whatever names a resource or a range: nobody can
    ///   say that it does not.
    pub fn conflicts_with(&self, other: &Self, modes: &ModeTable) -> bool {
        match (self, other) {
            (Self::Everything, _) | (_, Self::Everything) => true,
            (Self::Predicate(ours), Self::Predicate(theirs)) => {
                modes.predicate().is_none_or(|predicate| predicate.conflict(ours, theirs))
            }
            (Self::Predicate(_), named) | (named, Self::Predicate(_)) => !named.is_empty(),
            _ => self.shares_with(other, modes),
        }
    }

    /// Whether both name something in modes that do not commute.
    fn shares_with(&self, other: &Self, modes: &ModeTable) -> bool {
        let clash = |a: &Mode, b: &Mode| !modes.commute(*a, *b);
        let holds = |ranges: &[(Range, Mode)], resources: &[(Bytes, Mode)]| {
            ranges.iter().any(|(range, a)| {
                resources.iter().any(|(name, b)| range.contains(name) && clash(a, b))
            })
        };
        let is_same = self.resources().iter().any(|(ours, a)| {
            other.resources().iter().any(|(theirs, b)| ours == theirs && clash(a, b))
        });
        let is_overlap = self.ranges().iter().any(|(ours, a)| {
            other.ranges().iter().any(|(theirs, b)| ours.overlaps(theirs) && clash(a, b))
        });
        is_same
            || is_overlap
            || holds(self.ranges(), other.resources())
            || holds(other.ranges(), self.resources())
    }
}

fn ascending<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items.dedup();
    items
}
