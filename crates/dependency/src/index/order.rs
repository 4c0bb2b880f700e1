//! Which resources lie in a range, and which ranges hold a resource or overlap another.
//!
//! Nothing here is kept before the first range is entered, so that an index without ranges pays for
//! none. The ranges are in interval trees, which find those that overlap in logarithmic time and one
//! step for each.

use althing_model::{Mode, Range};
use bytes::Bytes;
use interavl::IntervalTree;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops;

/// What follows from the tables of an index, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    /// All resources; none as long as no range was entered.
    resources: Option<BTreeSet<Bytes>>,
    /// The ranges by mode, so that a scan does not look at all other scans.
    ranges: BTreeMap<Mode, IntervalTree<End, Range>>,
}

/// Where a range begins or ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// Before this name.
    Before(Bytes),
    /// Behind all names.
    Behind,
}

impl Order {
    /// A resource is new in the index.
    pub(super) fn insert_resource(&mut self, resource: &Bytes) {
        if let Some(resources) = &mut self.resources {
            resources.insert(resource.clone());
        }
    }

    /// A range is new in the index in this mode. If it is the first, `all` resources are put in
    /// order.
    pub(super) fn insert_range<'a>(
        &mut self,
        range: &Range,
        mode: Mode,
        all: impl FnOnce() -> Vec<Bytes>,
    ) {
        self.resources.get_or_insert_with(|| all().into_iter().collect());
        self.ranges.entry(mode).or_default().insert(ends(range), range.clone());
    }

    pub(super) fn remove_resource(&mut self, resource: &Bytes) {
        if let Some(resources) = &mut self.resources {
            resources.remove(resource);
        }
    }

    pub(super) fn remove_range(&mut self, range: &Range) {
        let ends = ends(range);
        self.ranges.retain(|_, ranges| {
            ranges.remove(&ends);
            ranges.iter().next().is_some()
        });
    }

    /// The resources in a range, ascending; none where they are not in order yet.
    pub(super) fn resources_in(&self, range: &Range) -> Option<impl Iterator<Item = &Bytes>> {
        let end = range.end().map_or(ops::Bound::Unbounded, ops::Bound::Excluded);
        let bounds = (ops::Bound::Included(range.begin()), end);
        self.resources.as_ref().map(|resources| resources.range::<Bytes, _>(bounds))
    }

    /// Whether there is no range.
    pub(super) fn has_no_range(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges that hold a resource, in modes for which `is_asked` says so.
    pub(super) fn ranges_around(
        &self,
        resource: &Bytes,
        is_asked: impl Fn(Mode) -> bool,
        mut then: impl FnMut(&Range) -> bool,
    ) {
        // The next name there could be.
        let mut next = Vec::with_capacity(resource.len() + 1);
        next.extend_from_slice(resource);
        next.push(0);
        let ends = End::Before(resource.clone())..End::Before(next.into());
        self.overlapping(&ends, is_asked, &mut then);
    }

    /// The ranges that overlap a range, in modes for which `is_asked` says so.
    pub(super) fn ranges_across(
        &self,
        range: &Range,
        is_asked: impl Fn(Mode) -> bool,
        mut then: impl FnMut(&Range) -> bool,
    ) {
        self.overlapping(&ends(range), is_asked, &mut then);
    }

    /// Calls `then` with each, until it says that it has seen enough.
    fn overlapping(
        &self,
        ends: &ops::Range<End>,
        is_asked: impl Fn(Mode) -> bool,
        then: &mut impl FnMut(&Range) -> bool,
    ) {
        for (_, ranges) in self.ranges.iter().filter(|(mode, _)| is_asked(**mode)) {
            for (_, range) in ranges.iter_overlaps(ends) {
                if !then(range) {
                    return;
                }
            }
        }
    }
}

fn ends(range: &Range) -> ops::Range<End> {
    let end = range.end().map_or(End::Behind, |end| End::Before(end.clone()));
    End::Before(range.begin().clone())..end
}

/// It follows from the tables: where they are equal it says nothing more.
impl PartialEq for Order {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Order {}

impl Hash for Order {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
