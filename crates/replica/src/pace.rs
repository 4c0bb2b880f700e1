//! How soon a replica that is far behind asks again: when what it asked for is here. Asked sooner, the
//! others would send the same again, and the more of it the less time it has to take it in; later, it
//! would wait for nothing.

use crate::Replica;
use althing_model::mark::{self, Mark};
use althing_model::{DepSet, Micros, NodeId, Value, VertexId};

/// After this part of the time between two asks without anything more of an answer, that was all.
const PAUSE_SHARE: u64 = 4;

/// An answer is on its way that will be full: the one that was asked has more.
#[derive(Debug)]
pub(crate) struct Asking {
    since: Micros,
    /// What the one that was asked is known to have, as prefixes: what lies above comes from others.
    known: DepSet,
    /// How many vertices may come, and what is here of them.
    len_max: usize,
    len: usize,
    bytes: usize,
}

impl Replica {
    /// Whom to ask next: each in turn; where that matters, the next that has what is missing here.
    pub(crate) fn whom_to_ask_next(&mut self, now: Micros, others: &[NodeId]) -> NodeId {
        let timing = &self.config.timing;
        let first = self.catch_up_turn % others.len();
        let mut in_turn = others.iter().cycle().skip(first).take(others.len());
        let much = self.config.limits.catch_up_len_max as u64 / 2;
        let has_much = |other: &&NodeId| self.lacked_of(**other) > much;
        let Some(ahead) = in_turn.find(has_much).copied() else {
            self.asking = None;
            self.catch_up_at = now + self.jitter.around(timing.catch_up).max(1);
            return others[first];
        };
        let len_max = self.config.limits.catch_up_len_max;
        let len_max = usize::try_from(self.lacked_of(ahead)).map_or(len_max, |it| it.min(len_max));
        let known = self.others[&ahead].committed.clone();
        self.asking = Some(Asking { since: now, known, len_max, len: 0, bytes: 0 });
        // Where that is far away, an answer takes longer than the usual time between two asks.
        let patience = timing.catch_up.max((2 * self.answer_took).min(timing.recover));
        self.catch_up_at = now + self.jitter.around(patience).max(1);
        ahead
    }

    /// Counts a vertex that was learnt, and asks for the next ones at once where it fills the answer.
    pub(crate) fn pace(&mut self, now: Micros, vertex: VertexId, value: &Value) {
        let known = |asking: &&mut Asking| vertex.seq < asking.known.prefix(vertex.column());
        let Some(asking) = self.asking.as_mut().filter(known) else {
            return;
        };
        let commands = value.commands.as_slice().iter();
        let bytes = commands.map(|command| command.operation.payload_len()).sum::<usize>();
        if asking.len == 0 {
            self.answer_took = now.saturating_sub(asking.since);
        }
        asking.len += 1;
        asking.bytes += bytes;
        let limits = &self.config.limits;
        // Another one like this would have been too much.
        let is_full =
            asking.len >= asking.len_max || asking.bytes + bytes > limits.catch_up_bytes_max;
        if is_full {
            mark::hit(Mark::AskedAgainAtOnce);
            self.asking = None;
            self.catch_up_at = now;
        } else {
            self.catch_up_at = now + (self.config.timing.catch_up / PAUSE_SHARE).max(1);
        }
    }

    /// How many vertices another replica is known to have committed that are not known here.
    fn lacked_of(&self, other: NodeId) -> u64 {
        let known = self.others.get(&other).map(|other| &other.committed);
        let columns = known.into_iter().flat_map(DepSet::columns);
        let lacked = columns.map(|(column, row)| match self.committed.get(&column) {
            Some(own) => own.missing_len(row.below()),
            None => row.below(),
        });
        lacked.sum()
    }
}
