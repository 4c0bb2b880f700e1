//! Sets of vertices in one canonical, compact form: dependencies.

use crate::mutant::{Mutant, is_planted};
use crate::{Column, VertexId};
use std::fmt;
use std::sync::Arc;

/// A set of vertices: per column (epoch and proposer) a prefix of sequence numbers and the extra
/// ones above it.
///
/// The form is canonical (columns ascending, none empty, the prefix grown over adjacent extras), so
/// two sets are equal exactly when they hold the same vertices. [`DepSet::union`] is a join:
/// idempotent, commutative, associative.
///
/// A vertex may stand in its own dependencies, when a prefix covers it: that means nothing, and
/// execution passes it over.
///
/// Cloning shares the members until one of the two changes: a set is computed once, and then stands
/// in messages to all nodes, in records and in tables.
///
/// ```
/// use althing_model::{Column, DepSet, Epoch, NodeId};
/// let column = Column { epoch: Epoch(0), proposer: NodeId(1) };
/// let mut deps = DepSet::default();
/// deps.insert(column.vertex(3));
/// deps.insert_below(column, 3);
/// assert_eq!(deps.prefix(column), 4);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct DepSet {
    columns: Arc<Vec<(Column, Row)>>,
}

/// The members of a [`DepSet`] in one column: all below `below`, and `extras`, ascending and above.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Row {
    below: u64,
    extras: Vec<u64>,
}

impl DepSet {
    /// Whether it holds no vertex.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The columns that have members, ascending.
    pub fn columns(&self) -> impl Iterator<Item = (Column, &Row)> {
        self.columns.iter().map(|(column, row)| (*column, row))
    }

    /// How many numbers the set takes to write down: its cost on the wire and in memory.
    pub fn width(&self) -> usize {
        self.columns.iter().map(|(_, row)| 1 + row.extras.len()).sum()
    }

    /// All sequence numbers of `column` below this are members.
    pub fn prefix(&self, column: Column) -> u64 {
        self.row(column).map_or(0, |row| row.below)
    }

    /// Whether `vertex` is a member.
    pub fn contains(&self, vertex: VertexId) -> bool {
        self.row(vertex.column()).is_some_and(|row| row.contains(vertex.seq))
    }

    /// Adds one vertex.
    pub fn insert(&mut self, vertex: VertexId) {
        self.row_mut(vertex.column()).insert(vertex.seq);
    }

    /// Adds every vertex of `column` with a sequence number below `below`.
    pub fn insert_below(&mut self, column: Column, below: u64) {
        if below > 0 {
            self.row_mut(column).raise(below);
        }
    }

    /// Adds every member of `other`.
    pub fn union(&mut self, other: &Self) {
        if self.is_empty() {
            *self = other.clone();
            return;
        }
        for (column, theirs) in other.columns.iter() {
            self.row_mut(*column).union(theirs);
        }
    }

    /// Whether every member of `self` is one of `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        let mut union = other.clone();
        union.union(self);
        union == *other
    }

    /// Whether every member of the union of `answers` is held by at least `threshold` of them: the
    /// fast path's condition (`protocol` section 4, step 3). It counts vertices, not prefixes.
    pub fn is_each_held_by(answers: &[&Self], threshold: usize) -> bool {
        if threshold <= 1 {
            return true;
        }
        let mut columns: Vec<Column> =
            answers.iter().flat_map(|answer| answer.columns().map(|(column, _)| column)).collect();
        columns.sort_unstable();
        columns.dedup();
        columns.into_iter().all(|column| {
            let rows: Vec<&Row> = answers.iter().filter_map(|answer| answer.row(column)).collect();
            Row::is_each_held_by(&rows, threshold)
        })
    }

    /// Makes the set narrow, by making it larger: in each column all but the highest `extras_max`
    /// extras go into the prefix, with everything below them. For a set of which too much does no
    /// harm, such as what has to be waited for.
    pub fn compact(&mut self, extras_max: usize) {
        if self.columns().all(|(_, row)| row.extras.len() <= extras_max) {
            return;
        }
        for (_, row) in Arc::make_mut(&mut self.columns) {
            if let Some(covered) = row.extras.len().checked_sub(extras_max + 1) {
                let below = row.extras[covered] + 1;
                row.raise(below);
            }
        }
    }

    /// A set from columns in any order; rows of one column are joined.
    pub fn from_columns(columns: impl IntoIterator<Item = (Column, u64, Vec<u64>)>) -> Self {
        let mut set = Self::default();
        for (column, below, extras) in columns {
            set.insert_below(column, below);
            for seq in extras {
                set.insert(column.vertex(seq));
            }
        }
        set
    }

    /// The prefixes alone: what all its members below the first gap of each column are.
    pub fn prefixes(&self) -> Self {
        let mut prefixes = Self::default();
        for (column, row) in self.columns() {
            prefixes.insert_below(column, row.below());
        }
        prefixes
    }

    /// The prefixes that both have: in each column the shorter one.
    pub fn common_prefixes(&self, other: &Self) -> Self {
        let mut common = Self::default();
        for (column, row) in self.columns() {
            common.insert_below(column, row.below().min(other.prefix(column)));
        }
        common
    }

    fn row(&self, column: Column) -> Option<&Row> {
        let index = self.columns.binary_search_by_key(&column, |(column, _)| *column).ok()?;
        Some(&self.columns[index].1)
    }

    fn row_mut(&mut self, column: Column) -> &mut Row {
        let columns = Arc::make_mut(&mut self.columns);
        let index = match columns.binary_search_by_key(&column, |(column, _)| *column) {
            Ok(index) => index,
            Err(index) => {
                columns.insert(index, (column, Row::default()));
                index
            }
        };
        &mut columns[index].1
    }
}

impl FromIterator<VertexId> for DepSet {
    fn from_iter<T: IntoIterator<Item = VertexId>>(vertices: T) -> Self {
        let mut set = Self::default();
        for vertex in vertices {
            set.insert(vertex);
        }
        set
    }
}

impl fmt::Debug for DepSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DepSet {
    /// Written as `{0.1.<4 0.1.6}`: all of proposer 1 below 4, and its 6.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        let mut space = "";
        for (column, row) in self.columns() {
            let (epoch, proposer) = (column.epoch.0, column.proposer.0);
            if row.below > 0 {
                write!(f, "{space}{epoch}.{proposer}.<{}", row.below)?;
                space = " ";
            }
            for seq in &row.extras {
                write!(f, "{space}{epoch}.{proposer}.{seq}")?;
                space = " ";
            }
        }
        f.write_str("}")
    }
}

impl Row {
    /// Every sequence number below this is a member.
    pub fn below(&self) -> u64 {
        self.below
    }

    /// The members above the prefix, ascending.
    pub fn extras(&self) -> &[u64] {
        &self.extras
    }

    fn contains(&self, seq: u64) -> bool {
        seq < self.below || self.extras.binary_search(&seq).is_ok()
    }

    fn insert(&mut self, seq: u64) {
        if seq < self.below {
            return;
        }
        if seq == self.below {
            self.raise(seq + 1);
        } else if let Err(index) = self.extras.binary_search(&seq) {
            self.extras.insert(index, seq);
        }
    }

    fn raise(&mut self, below: u64) {
        self.below = self.below.max(below);
        let mut covered = 0;
        for seq in &self.extras {
            if *seq > self.below {
                break;
            }
            if !is_planted(Mutant::PrefixNotGrown) {
                self.below = self.below.max(seq + 1);
            }
            covered += 1;
        }
        self.extras.drain(..covered);
    }

    fn union(&mut self, other: &Self) {
        self.raise(other.below);
        if is_planted(Mutant::UnionLosesExtras) && !self.extras.is_empty() {
            return;
        }
        // Mostly one or two extras a side: inserting beats a merge into a new list.
        for seq in &other.extras {
            self.insert(*seq);
        }
    }

    fn is_each_held_by(rows: &[&Self], threshold: usize) -> bool {
        let mut prefixes: Vec<u64> = rows.iter().map(|row| row.below).collect();
        prefixes.sort_unstable_by(|a, b| b.cmp(a));
        let held = |seq: u64| rows.iter().filter(|row| row.contains(seq)).count() >= threshold;
        // Below the threshold-th largest prefix everything is held often enough.
        let settled = prefixes.get(threshold - 1).copied().unwrap_or(0);
        let highest = prefixes.first().copied().unwrap_or(0);
        (settled..highest).all(held)
            && rows.iter().flat_map(|row| &row.extras).all(|seq| *seq < settled || held(*seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, NodeId};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    type Plain = BTreeSet<(u32, u64)>;

    /// Broken: what a client has seen would grow for ever, or lose what it has seen.
    #[test]
    fn compact_sets_hold_more_and_are_narrow() {
        let mut set: DepSet = [3, 5, 7, 9].map(|seq| column(1).vertex(seq)).into_iter().collect();
        set.insert_below(column(2), 4);
        let whole = set.clone();
        set.compact(4);
        assert_eq!(set, whole);
        set.compact(2);
        assert_eq!((set.prefix(column(1)), set.prefix(column(2)), set.width()), (6, 4, 4));
        assert!(whole.is_subset(&set));
        set.compact(0);
        assert_eq!((set.prefix(column(1)), set.width()), (10, 2));
    }

    fn column(proposer: u32) -> Column {
        Column { epoch: Epoch(0), proposer: NodeId(proposer) }
    }

    fn compact(plain: &Plain) -> DepSet {
        plain.iter().map(|(proposer, seq)| column(*proposer).vertex(*seq)).collect()
    }

    fn plain_set() -> impl Strategy<Value = Plain> {
        prop::collection::btree_set((0u32..3, 0u64..8), 0..12)
    }

    proptest! {
        /// Broken: two voters' equal sets would differ, or a union would lose a dependency.
        #[test]
        fn union_is_that_of_plain_sets_and_canonical(a in plain_set(), b in plain_set()) {
            let mut left = compact(&a);
            left.union(&compact(&b));
            let mut right = compact(&b);
            right.union(&compact(&a));
            prop_assert_eq!(&left, &right);
            prop_assert_eq!(&left, &compact(&a.union(&b).copied().collect()));
            prop_assert_eq!(compact(&a).is_subset(&compact(&b)), a.is_subset(&b));
            for proposer in 0..3 {
                for seq in 0..9 {
                    let vertex = column(proposer).vertex(seq);
                    prop_assert_eq!(compact(&a).contains(vertex), a.contains(&(proposer, seq)));
                }
            }
        }

        /// Broken: a dependency that only one voter reported would be committed fast.
        #[test]
        fn threshold_counts_elements(
            answers in prop::collection::vec(plain_set(), 1..5), threshold in 1usize..4,
        ) {
            let union: Plain = answers.iter().flatten().copied().collect();
            let expected = union.iter().all(|dep| {
                answers.iter().filter(|answer| answer.contains(dep)).count() >= threshold
            });
            let sets: Vec<DepSet> = answers.iter().map(compact).collect();
            let sets: Vec<&DepSet> = sets.iter().collect();
            prop_assert_eq!(DepSet::is_each_held_by(&sets, threshold), expected);
        }

        /// Broken: a set received from a peer would not equal the one that it sent.
        #[test]
        fn columns_rebuild_the_set(a in plain_set()) {
            let set = compact(&a);
            let columns: Vec<_> = set
                .columns()
                .map(|(column, row)| (column, row.below(), row.extras().to_vec()))
                .collect();
            prop_assert_eq!(DepSet::from_columns(columns.into_iter().rev()), set);
        }
    }

    #[test]
    fn prefix_of_another_width_is_not_held_by_the_narrower() {
        let mut wide = DepSet::default();
        wide.insert_below(column(1), 5);
        let mut narrow = DepSet::default();
        narrow.insert_below(column(1), 4);
        assert!(!DepSet::is_each_held_by(&[&wide, &narrow], 2));
        narrow.insert(column(1).vertex(4));
        assert!(DepSet::is_each_held_by(&[&wide, &narrow], 2));
        assert_eq!(wide.to_string(), "{0.1.<5}");
    }
}
