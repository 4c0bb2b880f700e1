//! Replicas tell each other what they hold, and send what the other lacks: so a commit that was
//! lost on the way, or sent while a node was down, arrives all the same.

use crate::Replica;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Column, DepSet, Micros, NodeId, Role, Row, SeqSet, VertexId};
use althing_wire::{Commit, Effects, Frontier, ReplicaRecord};
use std::ops::Range;

/// After so many turns, all who hear of it here are told again what they may forget.
const PRUNE_AGAIN: usize = 8;

impl Replica {
    /// The earliest time at which [`Self::on_deadline`] has something to do.
    pub fn deadline(&self) -> Option<Micros> {
        if self.diverged().is_some() {
            return None;
        }
        let blocked = self.blocked_deadline().unwrap_or(Micros::MAX);
        let barrier = self.barrier_deadline().unwrap_or(Micros::MAX);
        let read = self.read_deadline().unwrap_or(Micros::MAX);
        let watchers = self.watchers.deadline();
        Some(blocked.min(barrier).min(read).min(watchers).min(self.catch_up_at))
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, now: Micros, effects: &mut Effects<ReplicaRecord>) {
        if self.diverged().is_some() {
            return;
        }
        self.read_on_deadline(now, effects);
        self.ask_for_recovery(now, effects);
        self.ask_for_barrier(now, effects);
        if now >= self.catch_up_at {
            self.ask_for_missing(now, effects);
        }
        self.watchers.on_deadline(now);
        self.tell_watchers(now, effects);
    }

    /// Tells another replica, each in turn, what is committed here.
    fn ask_for_missing(&mut self, now: Micros, effects: &mut Effects<ReplicaRecord>) {
        let others: Vec<NodeId> = self.others_up().collect();
        self.catch_up_turn += 1;
        self.compare();
        if self.catch_up_turn.is_multiple_of(PRUNE_AGAIN) {
            self.prune_again(effects);
        }
        if others.is_empty() {
            self.catch_up_at = now + self.jitter.around(self.config.timing.catch_up).max(1);
            return;
        }
        let other = self.whom_to_ask_next(now, &others);
        effects.send(other, self.frontier());
    }

    /// The other replicas that are not believed down.
    pub(crate) fn others_up(&self) -> impl Iterator<Item = NodeId> {
        let others = self.config.membership.with(Role::Replica);
        others.filter(|node| *node != self.config.me && !self.down.contains(node))
    }

    /// What is known and held here: the committed vertices with at most so many above the prefix of
    /// each column.
    pub(crate) fn frontier(&self) -> Frontier {
        let extras_max = self.config.limits.frontier_extras_max;
        let committed = DepSet::from_columns(self.committed.iter().map(|(column, set)| {
            let extras = set.ranges().flat_map(|(start, end)| start..end).take(extras_max);
            if is_planted(Mutant::FrontierHidesHoles) {
                return (*column, set.end(), Vec::new());
            }
            (*column, set.below(), extras.collect())
        }));
        Frontier { committed, held: self.held.clone(), digests: self.digests.own() }
    }

    /// Sends what the other lacks, as far as one answer goes: first what it lacks for certain, lowest
    /// sequence numbers first, a column at a time, beginning with any column. A frontier names only
    /// so many numbers above its prefix; what lies beyond them the other may have, so that comes
    /// last, and begins anywhere: otherwise an answer could be full of what the other has already,
    /// and so every time.
    pub(crate) fn on_frontier(
        &mut self,
        from: NodeId,
        frontier: &Frontier,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        self.note_digests(from, frontier);
        if self.diverged().is_some() {
            return;
        }
        self.note_frontier(from, frontier, effects);
        let limits = self.config.limits;
        let lacks_forgotten =
            |(column, row): (Column, &Row)| frontier.committed.prefix(column) < row.below();
        let mut is_behind = self.log.floor().columns().any(lacks_forgotten);
        let (mut certain, mut uncertain) = (Vec::new(), Vec::new());
        let columns = self.committed.len();
        let first = self.jitter.around(columns as u64) as usize % columns.max(1);
        let all = self.committed.iter();
        for (column, set) in all.cycle().skip(first).take(columns) {
            let known = &frontier.committed;
            let all = u64::MAX;
            let end = match named(*column, known) {
                (named, last) if named >= limits.frontier_extras_max => last + 1,
                _ => all,
            };
            // Below the log's floor there are no values. What it installed with a snapshot, a replica has
            // no value of either: then only a snapshot is sure to help.
            let floor = self.log.floor().prefix(*column);
            let end = end.max(floor);
            let mut lacked = beyond(*column, set, known, floor..end);
            let with_value = std::iter::from_fn(|| {
                lacked.by_ref().find(|vertex| {
                    let has_value = self.log.get(*vertex).is_some();
                    is_behind |= !has_value;
                    has_value
                })
            });
            certain.extend(with_value.take(limits.catch_up_len_max));
            if end < set.end() {
                let span = set.end() - end;
                let begin = end + self.jitter.around(span) % span;
                let all = beyond(*column, set, known, begin..all);
                let all = all.chain(beyond(*column, set, known, end..begin));
                let with_value = all.filter(|vertex| self.log.get(*vertex).is_some());
                uncertain.extend(with_value.take(limits.catch_up_len_max));
            }
        }
        if is_behind {
            // What the snapshots here hold may be what it has already.
            if self.held.is_subset(&frontier.committed) {
                self.since_barrier.want();
            }
            self.saved.into_iter().for_each(|saved| effects.send(from, saved));
        }
        let (mut sent, mut bytes) = (0, 0);
        for vertex in certain.into_iter().chain(uncertain) {
            let value = self.log.get(vertex).expect("filtered above").clone();
            let commands = value.commands.as_slice().iter();
            bytes += commands.map(|command| command.operation.payload_len()).sum::<usize>();
            if sent >= limits.catch_up_len_max || sent > 0 && bytes > limits.catch_up_bytes_max {
                break;
            }
            sent += 1;
            if !is_planted(Mutant::CatchUpNotSent) {
                effects.send(from, Commit { vertex, value });
            }
        }
        if sent > 0 {
            mark::hit(Mark::CaughtUp);
        }
        self.count_caught_up(sent);
    }
}

/// How many numbers above its prefix a frontier names in a column, and the highest number of which
/// it tells anything.
fn named(column: Column, frontier: &DepSet) -> (usize, u64) {
    let row = frontier.columns().find(|(of, _)| *of == column);
    let extras = row.map_or(&[][..], |(_, row)| row.extras());
    (extras.len(), extras.last().copied().unwrap_or_else(|| frontier.prefix(column)))
}

/// The members of `set` within `span` that `known` lacks, ascending.
fn beyond(
    column: Column,
    set: &SeqSet,
    known: &DepSet,
    span: Range<u64>,
) -> impl Iterator<Item = VertexId> {
    let from = known.prefix(column).max(span.start);
    let ranges = std::iter::once((0, set.below())).chain(set.ranges());
    ranges
        .flat_map(move |(start, end)| start.max(from)..end.min(span.end))
        .map(move |seq| column.vertex(seq))
        .filter(move |vertex| !known.contains(*vertex))
}
