//! Commands of which only a predicate can say what they conflict with: they are kept one by one, and
//! scanned.

use crate::limits::{SHOWN_KEPT_MAX, SHOWN_NAMED_MAX};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Column, DepSet, ModeTable, VertexId};
use bytes::Bytes;
use std::collections::BTreeMap;

/// What the commands of vertices show the predicate, by column.
///
/// No chain rule is needed here, since no vertex stands for another: an answer names each, or a whole
/// prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Shown {
    columns: BTreeMap<Column, Kept>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Kept {
    /// Vertices below this may conflict with any command: there was no room to keep them.
    below: u64,
    /// By sequence number, what each command of the vertex shows.
    vertices: BTreeMap<u64, Vec<Bytes>>,
    /// Commands in `vertices`.
    len: usize,
}

impl Shown {
    /// Commands kept.
    pub(super) fn len(&self) -> usize {
        self.columns.values().map(|kept| kept.len).sum()
    }

    /// Keeps what the commands of a vertex show, all of them at once.
    pub(super) fn enter(&mut self, vertex: VertexId, shown: Vec<Bytes>) {
        let kept = self.columns.entry(vertex.column()).or_default();
        if vertex.seq < kept.below || kept.vertices.contains_key(&vertex.seq) {
            return;
        }
        kept.len += shown.len();
        // A slice of a received message would keep the whole message in memory.
        let own = shown.iter().map(|shown| Bytes::copy_from_slice(shown)).collect();
        kept.vertices.insert(vertex.seq, own);
        while kept.len > SHOWN_KEPT_MAX {
            let (seq, oldest) = kept.vertices.pop_first().expect("it has commands");
            kept.len -= oldest.len();
            kept.below = seq + 1;
        }
    }

    /// The vertices that a command conflicts with that shows this.
    pub(super) fn name_conflicting(&self, shown: &Bytes, modes: &ModeTable, deps: &mut DepSet) {
        self.name(deps, |theirs| {
            let is_conflict =
                modes.predicate().is_none_or(|predicate| predicate.conflict(shown, theirs));
            mark::hit(if is_conflict { Mark::DependsOnShown } else { Mark::PassedByPredicate });
            is_conflict
        });
    }

    /// All vertices: a command that names a resource conflicts with each.
    pub(super) fn name_all(&self, deps: &mut DepSet) {
        self.name(deps, |_| true);
    }

    /// Forgets what is below the floor.
    pub(super) fn prune(&mut self, floor: &DepSet) {
        self.columns.retain(|column, kept| {
            let floor = floor.prefix(*column);
            kept.vertices = kept.vertices.split_off(&floor);
            kept.len = kept.vertices.values().map(Vec::len).sum();
            if kept.below <= floor {
                kept.below = 0;
            }
            !kept.vertices.is_empty() || kept.below > 0
        });
    }

    fn name(&self, deps: &mut DepSet, is_conflict: impl Fn(&Bytes) -> bool) {
        for (column, kept) in &self.columns {
            let looked_at =
                if is_planted(Mutant::PredicateScanStopsEarly) { 1 } else { usize::MAX };
            let conflicting: Vec<u64> = kept
                .vertices
                .iter()
                .take(looked_at)
                .filter(|(_, shown)| shown.iter().any(&is_conflict))
                .map(|(seq, _)| *seq)
                .collect();
            let (old, late) =
                conflicting.split_at(conflicting.len().saturating_sub(SHOWN_NAMED_MAX));
            deps.insert_below(*column, old.last().map_or(kept.below, |seq| seq + 1));
            late.iter().for_each(|seq| deps.insert(column.vertex(*seq)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Epoch, NodeId, Predicate};
    use std::sync::Arc;

    struct Same;

    impl Predicate for Same {
        fn name(&self) -> &str {
            "same"
        }

        fn conflict(&self, a: &[u8], b: &[u8]) -> bool {
            a == b
        }
    }

    fn vertex(seq: u64) -> VertexId {
        VertexId { epoch: Epoch(0), proposer: NodeId(1), seq }
    }

    fn conflicting(kept: &Shown, shown: &'static [u8]) -> DepSet {
        let modes = ModeTable::read_write().with_predicate(Arc::new(Same));
        let mut deps = DepSet::default();
        kept.name_conflicting(&Bytes::from_static(shown), &modes, &mut deps);
        deps
    }

    fn below(seq: u64) -> DepSet {
        DepSet::from_columns([(vertex(0).column(), seq, vec![])])
    }

    /// Broken: what there is no room for would conflict with nothing, or memory would grow with the
    /// history; and which of two came first would show.
    #[test]
    fn what_there_is_no_room_for_conflicts_with_all() {
        let (mut ascending, mut descending) = (Shown::default(), Shown::default());
        let end = SHOWN_KEPT_MAX as u64 + 10;
        for seq in 0..end {
            ascending.enter(vertex(seq), vec![Bytes::from_static(b"a")]);
            descending.enter(vertex(end - 1 - seq), vec![Bytes::from_static(b"a")]);
        }
        assert_eq!(ascending, descending);
        assert_eq!(ascending.len(), SHOWN_KEPT_MAX);
        assert_eq!(conflicting(&ascending, b"b"), below(10));
        assert_eq!(conflicting(&ascending, b"a"), below(end));
        ascending.prune(&below(11));
        assert_eq!(
            (ascending.len(), conflicting(&ascending, b"b")),
            (SHOWN_KEPT_MAX - 1, below(0))
        );
        ascending.prune(&below(end));
        assert_eq!(ascending, Shown::default());
    }

    /// Broken: an answer would grow with the history until no message can carry it.
    #[test]
    fn old_ones_are_named_as_a_prefix() {
        let mut kept = Shown::default();
        let count = SHOWN_NAMED_MAX as u64 + 3;
        for seq in 0..count {
            kept.enter(vertex(2 * seq), vec![Bytes::from_static(b"a")]);
        }
        let deps = conflicting(&kept, b"a");
        assert_eq!(deps.prefix(vertex(0).column()), 5);
        assert_eq!(deps.width(), 1 + SHOWN_NAMED_MAX);
        assert!((0..count).all(|seq| deps.contains(vertex(2 * seq))));
        assert!(!deps.contains(vertex(7)));
    }
}
