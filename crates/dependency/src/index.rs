//! The conflict index: per resource, proposer and mode, the latest vertex only.
//!
//! Two chain rules make that sound (`protocol` section 5). C1: a vertex depends on its own
//! proposer's previous vertex on each resource that it touches, whatever the modes. C2: a noop
//! depends on all earlier vertices of its proposer. So the latest vertex of a proposer on a resource
//! leads to all its earlier ones there. Without them the index loses dependencies: voters that
//! processed a vertex without being counted leave two vertices unordered (trap T6).

use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Column, Commands, DepSet, Footprint, Mode, ModeTable, VertexId};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Resources that one call of [`ConflictIndex::sweep`] looks at.
const SWEPT_MAX: usize = 256;

/// The conflicting vertices seen so far, one sequence number for each resource, column and mode.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConflictIndex {
    modes: ModeTable,
    resources: BTreeMap<Bytes, Vec<Latest>>,
    /// Per column, one above the highest sequence number entered.
    entered: BTreeMap<Column, u64>,
    /// Per column, the highest vertex over everything: it conflicts with whatever comes later.
    everything: BTreeMap<Column, u64>,
    /// What is forgotten: a prefix in each column, and part of every answer in its stead (I6).
    floor: DepSet,
    /// While entries below the floor are still in memory.
    sweep: Option<Sweep>,
}

/// How far entries below the floor are out of memory. That is no part of any answer, since the floor
/// covers them, so it is done bit by bit: a voter with a million resources does not stall.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Sweep {
    /// The last resource that was looked at.
    after: Option<Bytes>,
}

/// The latest vertex of a column in a mode on a resource: the one with the highest sequence number,
/// whatever came last (trap T17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Latest {
    column: Column,
    mode: Mode,
    seq: u64,
}

impl ConflictIndex {
    /// An index that has seen nothing.
    pub fn new(modes: ModeTable) -> Self {
        Self {
            modes,
            resources: BTreeMap::new(),
            entered: BTreeMap::new(),
            everything: BTreeMap::new(),
            floor: DepSet::default(),
            sweep: None,
        }
    }

    /// The vertices entered before that `commands` conflict with, as compact as the chain rules
    /// allow, and all vertices below the floor.
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
        for command in commands.as_slice() {
            match &command.footprint {
                // Not told apart from everything yet.
                Footprint::Ranges { .. } | Footprint::Predicate(_) | Footprint::Everything => {
                    for (column, end) in &self.entered {
                        let missed = u64::from(is_planted(Mutant::EverythingMissesTheLatest));
                        deps.insert_below(*column, *end - missed);
                    }
                }
                Footprint::Resources(resources) => {
                    for (resource, mode) in resources {
                        self.dependencies_on(resource, *mode, &mut deps);
                    }
                }
            }
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
        let end = self.entered.entry(column).or_default();
        *end = (*end).max(vertex.seq + 1);
        for command in commands.as_slice() {
            match &command.footprint {
                Footprint::Everything if is_planted(Mutant::EverythingNotEntered) => {}
                Footprint::Ranges { .. } | Footprint::Predicate(_) | Footprint::Everything => {
                    mark::hit(Mark::EverythingEntered);
                    let seq = self.everything.entry(column).or_default();
                    *seq = (*seq).max(vertex.seq);
                }
                Footprint::Resources(resources) => {
                    for (resource, mode) in resources {
                        self.enter_on(resource, *mode, vertex);
                    }
                }
            }
        }
    }

    /// Forgets what is below `floor`, of which the prefixes count, and names it in every answer from
    /// now on. A floor only rises: this one is joined to the earlier. Returns whether it rose.
    ///
    /// Takes time proportional to the columns; memory comes back as [`Self::sweep`] is called.
    pub fn prune(&mut self, floor: &DepSet) -> bool {
        let mut risen = self.floor.clone();
        risen.union(&floor.prefixes());
        if risen == self.floor {
            return false;
        }
        self.floor = risen;
        // An end is one above an entry, so it is forgotten when the highest entry is.
        self.entered.retain(|column, end| *end > self.floor.prefix(*column));
        self.everything.retain(|column, seq| *seq >= self.floor.prefix(*column));
        self.sweep = Some(Sweep::default());
        self.sweep();
        true
    }

    /// Takes entries of a few more resources out of memory, if any are below the floor. To be called
    /// again and again, say with every message, while [`Self::is_swept`] is not so.
    pub fn sweep(&mut self) {
        let Some(sweep) = self.sweep.take() else { return };
        let begin = sweep.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let (mut emptied, mut looked_at, mut last) = (Vec::new(), 0, None);
        for (resource, entries) in
            self.resources.range_mut::<Bytes, _>((begin, Bound::Unbounded)).take(SWEPT_MAX)
        {
            entries.retain(|latest| latest.seq >= self.floor.prefix(latest.column));
            entries.shrink_to_fit();
            if entries.is_empty() {
                emptied.push(resource.clone());
            }
            looked_at += 1;
            last = Some(resource.clone());
        }
        for resource in emptied {
            self.resources.remove(&resource);
        }
        if looked_at == SWEPT_MAX {
            self.sweep = Some(Sweep { after: last });
        }
    }

    /// Whether everything below the floor is out of memory.
    pub fn is_swept(&self) -> bool {
        self.sweep.is_none()
    }

    /// What is forgotten: a prefix in each column.
    pub fn floor(&self) -> &DepSet {
        &self.floor
    }

    /// How many resources have an entry, those counted that are still to be swept.
    pub fn resources(&self) -> usize {
        self.resources.len()
    }

    fn dependencies_on(&self, resource: &Bytes, mode: Mode, deps: &mut DepSet) {
        for latest in self.resources.get(resource).into_iter().flatten() {
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

    fn enter_on(&mut self, resource: &Bytes, mode: Mode, vertex: VertexId) {
        if !self.resources.contains_key(resource) {
            // A slice of a received message would keep the whole message in memory for ever.
            self.resources.insert(Bytes::copy_from_slice(resource), Vec::new());
        }
        let entries = self.resources.get_mut(resource).expect("inserted above if it was missing");
        let column = vertex.column();
        let is_of_mode =
            |entry: &Latest| entry.mode == mode || is_planted(Mutant::ModesShareAnEntry);
        match entries.iter_mut().find(|entry| entry.column == column && is_of_mode(entry)) {
            Some(entry) if is_planted(Mutant::LatestByArrival) => entry.seq = vertex.seq,
            Some(entry) if entry.seq > vertex.seq => mark::hit(Mark::EnteredLate),
            Some(entry) => entry.seq = vertex.seq,
            None => entries.push(Latest { column, mode, seq: vertex.seq }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Command, Epoch, NodeId, Operation};

    const READ: Mode = Mode(0);
    const WRITE: Mode = Mode(1);

    fn commands(footprint: Footprint) -> Commands {
        Commands::Batch([Command { operation: Operation::OpenSession, footprint }].into())
    }

    fn on(resource: &'static str, mode: Mode) -> Commands {
        commands(Footprint::of([(Bytes::from_static(resource.as_bytes()), mode)]))
    }

    fn vertex(proposer: u32, seq: u64) -> VertexId {
        VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq }
    }

    fn deps(vertices: &[VertexId]) -> DepSet {
        vertices.iter().copied().collect()
    }

    fn index() -> ConflictIndex {
        // Tests may share a thread.
        mark::take();
        ConflictIndex::new(ModeTable::read_write())
    }

    /// Broken: conflicting commands would stay unordered, or commuting ones would wait.
    #[test]
    fn only_conflicting_modes_are_reported() {
        let mut index = index();
        index.enter(vertex(1, 0), &on("a", READ));
        index.enter(vertex(2, 0), &on("a", WRITE));
        index.enter(vertex(3, 0), &on("b", WRITE));
        assert_eq!(index.dependencies(&on("a", READ)), deps(&[vertex(2, 0)]));
        assert_eq!(index.dependencies(&on("a", WRITE)), deps(&[vertex(1, 0), vertex(2, 0)]));
        assert_eq!(index.dependencies(&on("c", WRITE)), DepSet::default());
        assert!(mark::take().contains(Mark::PassedByCommuting));
    }

    /// Broken: a vertex that arrives late would hide a later one of its proposer (trap T17).
    #[test]
    fn t17_latest_is_by_sequence_and_not_by_arrival() {
        let mut index = index();
        index.enter(vertex(1, 7), &on("a", WRITE));
        index.enter(vertex(1, 3), &on("a", WRITE));
        assert_eq!(index.dependencies(&on("a", WRITE)), deps(&[vertex(1, 7)]));
        assert!(mark::take().contains(Mark::EnteredLate));
    }

    /// Broken: a scan would miss writes, or a later command would pass the scan.
    #[test]
    fn everything_depends_on_all_and_all_depend_on_it() {
        let mut index = index();
        index.enter(vertex(1, 4), &on("a", WRITE));
        let mut whole = DepSet::default();
        whole.insert_below(vertex(1, 0).column(), 5);
        assert_eq!(index.dependencies(&commands(Footprint::Everything)), whole);
        index.enter(vertex(2, 0), &commands(Footprint::Everything));
        assert_eq!(index.dependencies(&commands(Footprint::NOTHING)), deps(&[vertex(2, 0)]));
        assert_eq!(index.dependencies(&Commands::Noop), DepSet::default());
        let marks = mark::take();
        assert!(marks.contains(Mark::EverythingEntered));
        assert!(marks.contains(Mark::DependsOnEverything));
    }

    fn floor(below: u64) -> DepSet {
        DepSet::from_columns([(vertex(1, 0).column(), below, vec![])])
    }

    /// Broken: what is forgotten would be missing from answers (I6), or come back, or stay in memory.
    #[test]
    fn what_is_below_the_floor_is_named_and_no_more_kept() {
        let mut index = index();
        index.enter(vertex(1, 2), &on("a", WRITE));
        index.enter(vertex(1, 3), &on("b", WRITE));
        index.enter(vertex(1, 4), &on("c", WRITE));
        index.enter(vertex(1, 1), &commands(Footprint::Everything));
        index.enter(vertex(2, 0), &on("a", READ));
        assert!(index.prune(&floor(4)));
        assert_eq!((index.resources(), index.is_swept()), (2, true));
        index.enter(vertex(1, 3), &on("b", WRITE));
        assert!(mark::take().contains(Mark::EnteredBelowFloor));
        assert_eq!(index.resources(), 2);

        assert_eq!(index.dependencies(&on("b", WRITE)), floor(4));
        assert_eq!(index.dependencies(&Commands::Noop), floor(4));
        let mut of_a = floor(4);
        of_a.insert(vertex(2, 0));
        assert_eq!(index.dependencies(&on("a", WRITE)), of_a);
        let mut whole = floor(5);
        whole.insert(vertex(2, 0));
        assert_eq!(index.dependencies(&commands(Footprint::Everything)), whole);
    }

    /// Broken: a floor that comes late or twice would bring back what is forgotten.
    #[test]
    fn a_floor_only_rises_and_is_a_prefix() {
        let mut index = index();
        let mut with_extra = floor(4);
        with_extra.insert(vertex(1, 9));
        assert!(index.prune(&with_extra));
        assert_eq!(*index.floor(), floor(4));
        assert!(!index.prune(&floor(3)) && !index.prune(&floor(4)));
        assert_eq!(*index.floor(), floor(4));
    }

    /// Broken: a prune of a large index would stall its voter, or leave entries in memory for ever.
    #[test]
    fn a_large_index_is_swept_bit_by_bit() {
        let mut index = index();
        for seq in 0..3 * SWEPT_MAX as u64 {
            let resource = Bytes::from(format!("{seq:06}"));
            index.enter(vertex(1, seq), &commands(Footprint::of([(resource, WRITE)])));
        }
        let end = 3 * SWEPT_MAX as u64;
        assert!(index.prune(&floor(end - 1)));
        assert!(!index.is_swept());
        assert_eq!(index.resources(), 2 * SWEPT_MAX);
        // What is still in memory is not told apart from what is not.
        assert_eq!(index.dependencies(&on("000300", WRITE)), floor(end - 1));
        while !index.is_swept() {
            index.sweep();
        }
        assert_eq!(index.resources(), 1);
    }
}
