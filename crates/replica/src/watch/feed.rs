//! What was executed lately, in the order of execution.

use crate::barrier::value_len;
use althing_model::{
    Column, Commands, DepSet, Footprint, Operation, Reply, RequestId, SeqSet, Value, VertexId,
};
use althing_wire::Change;
use althing_wire::limits::TOLD_EXTRAS_MAX;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// Ranges of noops that are remembered in each column: 128 KiB. Without them more is asked of tokens.
const NOOPS_MAX: usize = 4096;

/// What was executed, by column.
pub(crate) type Executed = BTreeMap<Column, SeqSet>;

/// The end of the order in which this replica executed, and a set of what came before.
///
/// Positions count executed vertices and are never used again, so that one below the first is known to
/// be forgotten. Payloads and replies are shared with whoever else keeps them.
#[derive(Debug)]
pub(crate) struct Feed {
    len_max: usize,
    bytes_max: usize,
    /// Executed, and not kept.
    before: Executed,
    /// Of these the noops, as far as they are known: a token need not hold them.
    noops: Executed,
    kept: VecDeque<Kept>,
    /// The position of the first that is kept.
    first: u64,
    bytes: usize,
    /// Requests that had taken effect when they were executed again, and the kept vertices in which
    /// that was.
    repeats: BTreeMap<RequestId, Vec<VertexId>>,
}

/// An executed vertex.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) vertex: VertexId,
    commands: Commands,
    /// For each command the reply, if it took effect.
    replies: Box<[Option<Bytes>]>,
    bytes: usize,
}

impl Feed {
    pub(crate) fn new(len_max: usize, bytes_max: usize) -> Self {
        Self {
            len_max,
            bytes_max,
            before: Executed::new(),
            noops: Executed::new(),
            kept: VecDeque::new(),
            first: 0,
            bytes: 0,
            repeats: BTreeMap::new(),
        }
    }

    /// Adds what was executed just now, and returns its position.
    pub(crate) fn push(
        &mut self,
        vertex: VertexId,
        value: &Value,
        replies: &[Reply],
        took_effect: &[bool],
    ) -> u64 {
        let commands = value.commands.as_slice().iter();
        let outcomes = replies.iter().zip(took_effect);
        for (command, (reply, took)) in commands.zip(outcomes.clone()) {
            if let Some(request) = command.operation.request()
                && !took
                && *reply != Reply::SessionUnknown
            {
                self.repeats.entry(request).or_default().push(vertex);
            }
        }
        let replies: Box<[_]> = outcomes
            .map(|(reply, took)| match reply {
                Reply::Applied(bytes) if *took => Some(bytes.clone()),
                // It was too long to be told; what it changed is told all the same.
                Reply::Forgotten if *took => Some(Bytes::new()),
                _ => None,
            })
            .collect();
        let replies_len: usize = replies.iter().flatten().map(Bytes::len).sum();
        let bytes = value_len(value) + replies_len;
        let commands = value.commands.clone();
        self.kept.push_back(Kept { vertex, commands, replies, bytes });
        self.bytes += bytes;
        while self.kept.len() > self.len_max || self.bytes > self.bytes_max && self.kept.len() > 1 {
            self.forget_first();
        }
        self.end() - 1
    }

    /// What was executed is this, in an order that is not known here: nothing is kept.
    pub(crate) fn reset(&mut self, executed: &Executed) {
        self.first = self.end() + 1;
        self.kept.clear();
        self.repeats.clear();
        self.bytes = 0;
        self.before = executed.clone();
        self.noops.clear();
    }

    /// The first position that is kept.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The position that the next vertex will have.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    pub(crate) fn get(&self, position: u64) -> Option<&Kept> {
        self.kept.get(usize::try_from(position.checked_sub(self.first)?).ok()?)
    }

    /// How many vertices are kept, and the bytes that they take, about.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.kept.len(), self.bytes)
    }

    /// Whether a token holds all that is not kept, noops apart. The work is that of what the token has
    /// above its prefixes, and of the noops.
    pub(crate) fn is_continued_from(&self, token: &DepSet) -> bool {
        self.before.iter().all(|(column, set)| {
            let prefix = token.prefix(*column);
            let noops = self.noops.get(column);
            let is_noop = |seq| noops.is_some_and(|noops| noops.contains(seq));
            let ranges = std::iter::once((0, set.below())).chain(set.ranges());
            let mut beyond = ranges.flat_map(|(start, end)| start.max(prefix)..end);
            beyond.all(|seq| is_noop(seq) || token.contains(column.vertex(seq)))
        })
    }

    /// Whether a vertex of the token held that request when it had taken effect already.
    pub(crate) fn is_repeated_in(&self, request: RequestId, token: &DepSet) -> bool {
        let repeats = self.repeats.get(&request);
        repeats.is_some_and(|vertices| vertices.iter().any(|vertex| token.contains(*vertex)))
    }

    /// Everything executed before a position, as far as that can be told.
    pub(crate) fn token_before(&self, position: u64) -> Option<DepSet> {
        let mut executed = self.before.clone();
        let count = usize::try_from(position.saturating_sub(self.first)).unwrap_or(usize::MAX);
        for kept in self.kept.iter().take(count) {
            executed.entry(kept.vertex.column()).or_default().insert(kept.vertex.seq);
        }
        token(&executed)
    }

    fn forget_first(&mut self) {
        let Some(kept) = self.kept.pop_front() else { return };
        self.first += 1;
        self.bytes -= kept.bytes;
        let column = kept.vertex.column();
        self.before.entry(column).or_default().insert(kept.vertex.seq);
        if kept.commands.is_noop() {
            let noops = self.noops.entry(column).or_default();
            noops.insert(kept.vertex.seq);
            if noops.fragments() > NOOPS_MAX {
                self.noops.remove(&column);
            }
        }
        for command in kept.commands.as_slice() {
            let Some(request) = command.operation.request() else { continue };
            if let Some(vertices) = self.repeats.get_mut(&request) {
                vertices.retain(|vertex| *vertex != kept.vertex);
                if vertices.is_empty() {
                    self.repeats.remove(&request);
                }
            }
        }
    }
}

impl Kept {
    /// The commands that took effect, from a slot on: their footprints, and what is told of them.
    pub(crate) fn changes(
        &self,
        from: usize,
    ) -> impl Iterator<Item = (usize, &Footprint, Change)> + '_ {
        let commands = self.commands.as_slice().iter().zip(&self.replies).enumerate().skip(from);
        commands.filter_map(|(slot, (command, reply))| {
            let Operation::Apply { request, payload, .. } = &command.operation else {
                return None;
            };
            let change = Change {
                vertex: self.vertex,
                slot: slot as u32,
                request: *request,
                payload: payload.clone(),
                reply: reply.clone()?,
            };
            Some((slot, &command.footprint, change))
        })
    }

    /// What the commands that took effect touch.
    pub(crate) fn footprints(&self) -> impl Iterator<Item = &Footprint> {
        let commands = self.commands.as_slice().iter().zip(&self.replies);
        commands.filter(|(_, reply)| reply.is_some()).map(|(command, _)| &command.footprint)
    }
}

/// What was executed as a token, unless it is too long to be told: holes are filled in time.
pub(crate) fn token(executed: &Executed) -> Option<DepSet> {
    let above = |set: &SeqSet| set.ranges().map(|(start, end)| end - start).sum::<u64>();
    if executed.values().map(above).sum::<u64>() > TOLD_EXTRAS_MAX as u64 {
        return None;
    }
    Some(DepSet::from_columns(executed.iter().map(|(column, set)| {
        (*column, set.below(), set.ranges().flat_map(|(start, end)| start..end).collect())
    })))
}
