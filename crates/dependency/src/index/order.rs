//! Which resources lie in a range, and which ranges hold a resource or overlap another.
//!
//! Nothing here is kept before the first range is entered, so that an index without ranges pays for
//! none. The ranges are in interval trees, which find those that overlap in logarithmic time for each.

use super::intervals::{Intervals, Query};
use althing_model::{Mode, Range};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops;

/// What follows from the tables of an index, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    /// All resources; none as long as no range was entered.
    resources: Option<BTreeSet<Bytes>>,
    /// The ranges by mode, so that a scan does not look at all other scans.
    ranges: BTreeMap<Mode, Intervals>,
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
    pub(super) fn insert_range(
        &mut self,
        range: &Range,
        mode: Mode,
        all: impl FnOnce() -> Vec<Bytes>,
    ) {
        self.resources.get_or_insert_with(|| all().into_iter().collect());
        self.ranges.entry(mode).or_default().insert(range);
    }

    pub(super) fn remove_resource(&mut self, resource: &Bytes) {
        if let Some(resources) = &mut self.resources {
            resources.remove(resource);
        }
    }

    pub(super) fn remove_range(&mut self, range: &Range) {
        self.ranges.retain(|_, ranges| {
            ranges.remove(range);
            !ranges.is_empty()
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

    /// Visits the ranges that overlap, in modes for which `is_asked` says so, until `then` says that
    /// it has seen enough.
    pub(super) fn visit_ranges(
        &self,
        query: Query<'_>,
        is_asked: impl Fn(Mode) -> bool,
        mut then: impl FnMut(&Range) -> bool,
    ) {
        let mut asked = self.ranges.iter().filter(|(mode, _)| is_asked(**mode));
        // The first that is not visited to its end is the last.
        asked.all(|(_, ranges)| ranges.visit(query, &mut then));
    }
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
