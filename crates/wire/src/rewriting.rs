//! How a role that was pruned writes down again what it keeps, so that the journal can be trimmed.

use crate::Effects;
use crate::limits::{FORGOTTEN_MAX, REWRITTEN_LEN_MAX, REWRITTEN_VERTICES_MAX};
use althing_model::{DepSet, VertexId};
use std::collections::BTreeMap;
use std::ops::Bound;

/// How far the records behind the last `Pruned` hold what the role keeps: all of it up to and with
/// this vertex.
///
/// Bit by bit, in ascending order, so that no call writes much. Whatever changes meanwhile is
/// recorded as always, before or behind: order of replay gives the right state either way. A vertex
/// that is new and behind the cursor was recorded after `Pruned`, so it need not be written again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Rewriting {
    after: Option<VertexId>,
}

impl Rewriting {
    /// Takes the next few vertices below `floor` out of memory; returns whether none is left. A role
    /// answers for none of them any more, in memory or not, so this need not be done at once, which
    /// would stall it.
    pub fn forget_some<T>(kept: &mut BTreeMap<VertexId, T>, floor: &DepSet) -> bool {
        let mut room = FORGOTTEN_MAX;
        for (column, row) in floor.columns() {
            let below: Vec<VertexId> = kept
                .range(column.vertex(0)..column.vertex(row.below()))
                .take(room)
                .map(|(vertex, _)| *vertex)
                .collect();
            for vertex in &below {
                kept.remove(vertex);
            }
            room -= below.len();
            if room == 0 {
                return false;
            }
        }
        true
    }

    /// Appends the next few of `kept`, and `rewritten` behind the last. `write` adds the records of
    /// one vertex, and returns about how many bytes they take. Returns whether that was the last.
    pub fn step<T, R>(
        &mut self,
        kept: &BTreeMap<VertexId, T>,
        mut write: impl FnMut(VertexId, &T, &mut Vec<R>) -> usize,
        rewritten: R,
        effects: &mut Effects<R>,
    ) -> bool {
        let begin = self.after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut next = kept.range((begin, Bound::Unbounded));
        let (mut records, mut len, mut is_last) = (Vec::new(), 0, true);
        for written in 0.. {
            let Some((vertex, state)) = next.next() else { break };
            if written == REWRITTEN_VERTICES_MAX || len >= REWRITTEN_LEN_MAX {
                is_last = false;
                break;
            }
            len += write(*vertex, state, &mut records);
            self.after = Some(*vertex);
        }
        if is_last {
            records.push(rewritten);
        }
        effects.append(records);
        is_last
    }
}
