//! The conflict index: per resource or range, proposer and mode, the latest vertex only.
//!
//! Two chain rules make that sound (`protocol` section 5). C1: a vertex depends on its own
//! proposer's previous vertex on each resource and each range that it names, whatever the modes. C2:
//! a noop depends on all earlier vertices of its proposer. So the latest vertex of a proposer on a
//! resource leads to all its earlier ones there, and the latest on a range to all earlier ones on the
//! same range. Without them the index loses dependencies: voters that processed a vertex without
//! being counted leave two vertices unordered (trap T6). Of two ranges that overlap neither stands
//! for the other: each is looked up.
//!
//! What a command costs:
//!
//! | it names | looked up and entered in |
//! | --- | --- |
//! | a resource | constant time, whatever the history; where there are ranges, logarithmic time in their number for each that holds it |
//! | a range | logarithmic time for each range that overlaps, and one step for each resource inside, up to [`RANGE_STEPS_MAX`] |
//! | what a predicate sees | one call of it for each such command that is not pruned, up to [`SHOWN_KEPT_MAX`] for each column |
//! | everything | one step for each column |
//!
//! The first range that an index sees puts its resources in order, once.

mod intervals;
mod latest;
mod order;
mod shown;
#[cfg(test)]
mod tests;

use self::intervals::Query;
use self::latest::{Latest, Latests};
use self::order::Order;
use self::shown::Shown;
#[cfg(doc)]
use crate::limits::SHOWN_KEPT_MAX;
use crate::limits::{RANGE_STEPS_MAX, SWEPT_MAX};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Column, Commands, DepSet, Footprint, Mode, ModeTable, Range, VertexId};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The conflicting vertices seen so far, one sequence number for each resource or range, column and
/// mode.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConflictIndex {
    modes: ModeTable,
    resources: Latests<Bytes>,
    ranges: Latests<Range>,
    /// The keys of both, where ranges need them in order.
    order: Order,
    /// What only the predicate can judge.
    shown: Shown,
    /// Per column, one above the highest sequence number entered.
    entered: BTreeMap<Column, u64>,
    /// Per column, one above the highest sequence number entered that names a resource or a range.
    named: BTreeMap<Column, u64>,
    /// Per column, the highest vertex over everything: it conflicts with whatever comes later.
    everything: BTreeMap<Column, u64>,
    /// What is forgotten: a prefix in each column, and part of every answer in its stead (I6).
    /// Entries below it are no part of any answer, since it covers them, so that they are taken out
    /// of memory bit by bit: a voter with a million resources does not stall.
    floor: DepSet,
}

impl ConflictIndex {
    /// An index that has seen nothing.
    pub fn new(modes: ModeTable) -> Self {
        Self {
            modes,
            resources: Latests::default(),
            ranges: Latests::default(),
            order: Order::default(),
            shown: Shown::default(),
            entered: BTreeMap::new(),
            named: BTreeMap::new(),
            everything: BTreeMap::new(),
            floor: DepSet::default(),
        }
    }

    /// The vertices entered before that `commands` conflict with, as compact as the chain rules
    /// allow, and all vertices below the floor. Beyond the limits of [`crate::limits`] it names more
    /// than conflict.
    pub fn dependencies(&self, commands: &Commands) -> DepSet {
        let is_left_out = is_planted(Mutant::FloorLeftOut);
        let mut deps = if is_left_out { DepSet::default() } else { self.floor.clone() };
        if commands.is_noop() {
            return deps;
        }
        for (column, seq) in &self.everything {
            mark::hit(Mark::DependsOnEverything);
            deps.insert(column.vertex(*seq));
        }
        let mut steps = Steps(RANGE_STEPS_MAX);
        let mut names_something = false;
        for command in commands.as_slice() {
            let footprint = &command.footprint;
            match footprint {
                Footprint::Everything => {
                    for (column, end) in &self.entered {
                        let missed = u64::from(is_planted(Mutant::EverythingMissesTheLatest));
                        deps.insert_below(*column, *end - missed);
                    }
                }
                Footprint::Predicate(shown) => {
                    self.depend_on_named(&mut deps);
                    self.shown.name_conflicting(shown, &self.modes, &mut deps);
                }
                Footprint::Resources(_) | Footprint::Ranges { .. } => {
                    for (resource, mode) in footprint.resources() {
                        self.depend_on_latest(self.resources.get(resource), *mode, &mut deps);
                        self.depend_on_ranges_around(resource, *mode, &mut steps, &mut deps);
                    }
                    for (range, mode) in footprint.ranges() {
                        self.depend_on_range(range, *mode, &mut steps, &mut deps);
                    }
                    names_something |= !footprint.is_empty();
                }
            }
        }
        if names_something && !is_planted(Mutant::ShownIgnored) {
            self.shown.name_all(&mut deps);
        }
        if steps.are_used_up() {
            self.depend_on_named(&mut deps);
        }
        deps
    }

    /// Enters `vertex`: later conflicting commands depend on it. Entering it again changes nothing,
    /// nor does one below the floor, on which all depend anyway.
    pub fn enter(&mut self, vertex: VertexId, commands: &Commands) {
        if commands.is_noop() {
            return;
        }
        if self.floor.contains(vertex) {
            mark::hit(Mark::EnteredBelowFloor);
            return;
        }
        let column = vertex.column();
        let raise = |ends: &mut BTreeMap<Column, u64>| {
            let end = ends.entry(column).or_default();
            *end = (*end).max(vertex.seq + 1);
        };
        raise(&mut self.entered);
        let mut shown = Vec::new();
        for command in commands.as_slice() {
            let footprint = &command.footprint;
            match footprint {
                Footprint::Everything if is_planted(Mutant::EverythingNotEntered) => {}
                Footprint::Everything => {
                    mark::hit(Mark::EverythingEntered);
                    let seq = self.everything.entry(column).or_default();
                    *seq = (*seq).max(vertex.seq);
                }
                Footprint::Predicate(it) => shown.push(it.clone()),
                Footprint::Resources(_) | Footprint::Ranges { .. } if footprint.is_empty() => {}
                Footprint::Resources(_) | Footprint::Ranges { .. } => {
                    raise(&mut self.named);
                    for (resource, mode) in footprint.resources() {
                        self.enter_on(resource, *mode, vertex);
                    }
                    for (range, mode) in footprint.ranges() {
                        self.enter_over(range, *mode, vertex);
                    }
                }
            }
        }
        if !shown.is_empty() {
            self.shown.enter(vertex, shown);
        }
    }

    /// Forgets what is below `floor`, of which the prefixes count, and names it in every answer from
    /// now on. A floor only rises: this one is joined to the earlier. Returns whether it rose.
    ///
    /// Takes time proportional to the columns and to what is kept for the predicate; the rest of the
    /// memory comes back as [`Self::sweep`] is called.
    pub fn prune(&mut self, floor: &DepSet) -> bool {
        let mut risen = self.floor.clone();
        risen.union(&floor.prefixes());
        if risen == self.floor {
            return false;
        }
        self.floor = risen;
        // An end is one above an entry, so it is forgotten when the highest entry is.
        for ends in [&mut self.entered, &mut self.named] {
            ends.retain(|column, end| *end > self.floor.prefix(*column));
        }
        self.everything.retain(|column, seq| *seq >= self.floor.prefix(*column));
        self.shown.prune(&self.floor);
        self.resources.begin_sweep();
        self.ranges.begin_sweep();
        self.sweep();
        true
    }

    /// Takes entries of a few more resources and ranges out of memory, if any are below the floor. To
    /// be called again and again, say with every message, while [`Self::is_swept`] is not so.
    pub fn sweep(&mut self) {
        let mut budget = SWEPT_MAX;
        let order = &mut self.order;
        self.resources.sweep(&self.floor, &mut budget, |resource| order.remove_resource(&resource));
        self.ranges.sweep(&self.floor, &mut budget, |range| order.remove_range(&range));
    }

    /// Whether everything below the floor is out of memory.
    pub fn is_swept(&self) -> bool {
        self.resources.is_swept() && self.ranges.is_swept()
    }

    /// What is forgotten: a prefix in each column.
    pub fn floor(&self) -> &DepSet {
        &self.floor
    }

    /// How many resources have an entry, those counted that are still to be swept.
    pub fn resources(&self) -> usize {
        self.resources.len()
    }

    /// How many ranges have an entry, those counted that are still to be swept.
    pub fn ranges(&self) -> usize {
        self.ranges.len()
    }

    /// How many commands are kept for the predicate.
    pub fn shown(&self) -> usize {
        self.shown.len()
    }

    /// Depends on all vertices that name a resource or a range.
    fn depend_on_named(&self, deps: &mut DepSet) {
        for (column, end) in &self.named {
            deps.insert_below(*column, *end);
        }
    }

    fn depend_on_latest(&self, latest: &[Latest], mode: Mode, deps: &mut DepSet) {
        for latest in latest {
            if is_planted(Mutant::FloorLeftOut)
                && self.floor.contains(latest.column.vertex(latest.seq))
            {
                continue;
            }
            let is_missed = is_planted(Mutant::WriteIgnoresReads) && latest.mode < mode
                || is_planted(Mutant::ReadIgnoresWrites) && latest.mode > mode;
            if !self.modes.commute(mode, latest.mode) && !is_missed {
                deps.insert(latest.column.vertex(latest.seq));
            } else {
                mark::hit(Mark::PassedByCommuting);
            }
        }
    }

    fn depend_on_ranges_around(
        &self,
        resource: &Bytes,
        mode: Mode,
        steps: &mut Steps,
        deps: &mut DepSet,
    ) {
        if self.order.has_no_range() || is_planted(Mutant::ResourceIgnoresRanges) {
            return;
        }
        let clashes = |other| !self.modes.commute(mode, other);
        self.order.visit_ranges(Query::Resource(resource), clashes, |range| {
            mark::hit(Mark::DependsOnRangeAround);
            let latest = self.ranges.get(range);
            steps.take(latest) && {
                self.depend_on_latest(latest, mode, deps);
                true
            }
        });
    }

    fn depend_on_range(&self, range: &Range, mode: Mode, steps: &mut Steps, deps: &mut DepSet) {
        let mut is_taken = |latest: &[Latest], deps: &mut DepSet| {
            steps.take(latest) && {
                self.depend_on_latest(latest, mode, deps);
                true
            }
        };
        match self.order.resources_in(range) {
            Some(resources) => {
                let last = is_planted(Mutant::RangeMissesItsLast)
                    .then(|| self.order.resources_in(range)?.last())
                    .flatten();
                let mut resources = resources.filter(|resource| Some(*resource) != last);
                if !resources.all(|resource| is_taken(self.resources.get(resource), deps)) {
                    return;
                }
            }
            // No range was entered yet, this one neither.
            None => {
                let mut inside = self.resources.iter().filter(|(name, _)| range.contains(name));
                if !inside.all(|(_, latest)| is_taken(latest, deps)) {
                    return;
                }
            }
        }
        let clashes = |other| !self.modes.commute(mode, other);
        self.order.visit_ranges(Query::Range(range), clashes, |other| {
            mark::hit(Mark::DependsOnRangeAcross);
            if is_planted(Mutant::RangesMeetTheirLikeOnly) && other != range {
                return true;
            }
            is_taken(self.ranges.get(other), deps)
        });
    }

    fn enter_on(&mut self, resource: &Bytes, mode: Mode, vertex: VertexId) {
        if let Some(resource) = self.resources.enter(resource, mode, vertex) {
            self.order.insert_resource(resource);
        }
    }

    fn enter_over(&mut self, range: &Range, mode: Mode, vertex: VertexId) {
        if is_planted(Mutant::RangeNotEntered) {
            return;
        }
        mark::hit(Mark::RangeEntered);
        if let Some(range) = self.ranges.enter(range, mode, vertex) {
            let all = || self.resources.iter().map(|(resource, _)| resource.clone()).collect();
            self.order.insert_range(range, mode, all);
        }
    }
}

/// How much ranges may still look at in an answer.
struct Steps(usize);

impl Steps {
    /// Looks at a resource or range, if that is not too much.
    fn take(&mut self, latest: &[Latest]) -> bool {
        self.0 = self.0.saturating_sub(1 + latest.len());
        !self.are_used_up()
    }

    fn are_used_up(&self) -> bool {
        self.0 == 0
    }
}
