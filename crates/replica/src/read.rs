//! Reads that no vertex carries (`protocol` section 8).
//!
//! It is the replica that answers them, and not a role of its own: who answers holds the state, and
//! knows what is executed in it.
//!
//! **Linearizable.** A majority of the dependency nodes is asked which vertices a command with the
//! read's footprint would depend on; nothing is recorded. Whatever was answered to anyone before the
//! read was asked is committed, so a majority had entered it, and one of those asked names it, a
//! later one that leads to it, or a floor above it (I6). When the union is executed here, the state
//! is read. Sound for a read of one resource on which all updates that it can observe conflict
//! pairwise: every state then holds a prefix of one order of them. Anything else is a command.
//!
//! **Session.** The client brings the set of vertices that it has seen executed, and the state is
//! read when all of it is executed here. It asks nobody. What does not come by itself is asked for:
//! other replicas for its commits, and, since a token comes from outside and may name anything, a
//! majority whether it has heard of it; only then is what is missing recovered. What nobody has heard
//! of in the time that a read may take is told as such.
//!
//! **Stale.** The state is read as it is. How far it is behind is measured by probes: the replica
//! asks a majority for the dependencies of a command over everything. When these are executed, the
//! state holds all that was answered to anyone before the probe was sent, so its age is the time
//! since then, and never less than the truth. It is measured by the node's own clock: should that
//! jump back, the state looks younger by as much.
//!
//! An answer says what was executed in the state, so that the client's next reads show nothing
//! older, at whichever node. What it shows is committed: nothing has to be on disk here first.

use crate::Replica;
use crate::graph::{beyond, latest_beyond};
use crate::reads::{Gathering, Held, Whose};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{
    Column, Conflicts, DepSet, Footprint, Micros, NodeId, Role, Row, SeqSet, VertexId,
};
use althing_wire::limits::{MICROS_MAX, REPLY_LEN_MAX};
use althing_wire::{
    ClientId, Consistency, Effects, Ignored, Read, ReadAnswer, ReadDelay, ReadDepend, ReadDepended,
    ReadOutcome, ReadScope, ReplicaRecord,
};
use bytes::Bytes;
use std::sync::Arc;

/// So often, in the time that a read may take, is something done about one that waits.
const TURNS: u64 = 8;

/// How many missing vertices of one read are looked at, to be watched: the next when these are
/// executed.
const WATCHED_MAX: usize = 256;

/// What is executed above the prefix of a column is named to clients up to so many vertices.
const SEEN_EXTRAS_MAX: usize = 64;

/// For so long after a stale read the next ones shall find a fresh probe.
const PROBED_AFTER: Micros = 10_000_000;

impl Replica {
    /// The same replica, which answers reads as the conflict function allows. Without one it has all
    /// reads submitted as commands.
    #[must_use]
    pub fn reading(mut self, conflicts: Arc<dyn Conflicts>) -> Self {
        self.conflicts = Some(conflicts);
        self
    }

    /// Reads that wait.
    pub fn reads_len(&self) -> usize {
        self.reads.len()
    }

    /// How old the state is at most, if that is known: everything that was answered to anyone longer
    /// ago is in it. In microseconds.
    pub fn age(&self, now: Micros) -> Option<Micros> {
        self.probed_at.map(|at| now.saturating_sub(at).min(MICROS_MAX))
    }

    /// A client is gone: nobody waits for its answers, and it watches nothing.
    pub fn on_client_gone(&mut self, client: ClientId) {
        let is_its = |held: &Held| held.whose.client().is_some_and(|(other, _)| other == client);
        let gone: Vec<u64> =
            self.reads.all().filter(|(_, held)| is_its(held)).map(|(read, _)| read).collect();
        gone.into_iter().for_each(|read| drop(self.reads.take(read)));
        self.watchers.on_client_gone(client);
    }

    pub(crate) fn on_read(
        &mut self,
        now: Micros,
        client: ClientId,
        read: Read,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        let Read { ticket, payload, consistency } = read;
        match self.try_read(now, (client, ticket), payload, consistency, effects) {
            Some(outcome) => self.answer_read(client, ticket, outcome, effects),
            None => self.counters.reads.held += 1,
        }
    }

    /// Answers a read, or holds it.
    fn try_read(
        &mut self,
        now: Micros,
        (client, ticket): (ClientId, u64),
        payload: Bytes,
        consistency: Consistency,
        effects: &mut Effects<ReplicaRecord>,
    ) -> Option<ReadOutcome> {
        let Some(conflicts) = &self.conflicts else {
            return Some(ReadOutcome::Command);
        };
        let footprint = match conflicts.footprint(&payload) {
            Ok(footprint) => footprint,
            Err(invalid) => return Some(ReadOutcome::Invalid(invalid.0)),
        };
        let (needs, whose, gathering) = match consistency {
            Consistency::Stale => {
                self.wanted_until = now.saturating_add(PROBED_AFTER);
                if !self.is_probed_lately(now) {
                    self.probe(now, effects);
                }
                return Some(self.query(&payload, self.age(now)));
            }
            Consistency::Session(token) => {
                if let Some(column) = self.foreign_column(&token) {
                    return Some(ReadOutcome::Invalid(format!(
                        "the token names a vertex of {} in epoch {}, of which this cluster knows \
                         nothing: tokens of other clusters are of no use here",
                        column.proposer, column.epoch.0
                    )));
                }
                let token = match is_planted(Mutant::SessionReadIgnoresExtras) {
                    true => token.prefixes(),
                    false => token,
                };
                if self.missing(&token).is_none() {
                    return Some(self.query(&payload, None));
                }
                mark::hit(Mark::SessionReadWaited);
                (token, Whose::Session { client, ticket, payload }, None)
            }
            Consistency::Linearizable => {
                let Some(scope) = self.unrecorded(&footprint) else {
                    mark::hit(Mark::ReadAsCommand);
                    return Some(ReadOutcome::Command);
                };
                let whose = Whose::Linearizable { client, ticket, payload };
                (DepSet::default(), whose, Some(Gathering::of(scope)))
            }
        };
        let limits = &self.config.limits;
        if self.reads.len() >= limits.reads_len_max || self.reads.bytes() >= limits.reads_bytes_max
        {
            return Some(ReadOutcome::Later(ReadDelay::Overloaded));
        }
        self.hold_read(now, whose, needs, gathering, effects);
        None
    }

    fn hold_read(
        &mut self,
        now: Micros,
        whose: Whose,
        needs: DepSet,
        gathering: Option<Gathering>,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        let patience = self.config.timing.read;
        let give_up_at = match whose {
            Whose::Probe => Micros::MAX,
            _ => now.saturating_add(patience),
        };
        let due = (now + (patience / TURNS).max(1)).min(give_up_at);
        let read = self.reads.hold(now, whose, needs, gathering, (due, give_up_at));
        if self.reads.get(read).is_some_and(|held| held.gathering.is_some()) {
            self.ask_for_dependencies(read, effects);
        } else {
            self.look_at(now, read, effects);
        }
    }

    /// What to ask the dependency nodes for, where a read may do without a vertex: exactly one
    /// resource, on which all updates that it can observe conflict pairwise.
    fn unrecorded(&self, footprint: &Footprint) -> Option<ReadScope> {
        let Footprint::Resources(resources) = footprint else { return None };
        let [(resource, mode)] = &resources[..] else { return None };
        let is_allowed = self.config.modes.is_readable_unrecorded(*mode)
            || is_planted(Mutant::UnrecordedReadsBesideCommutingUpdates);
        is_allowed.then(|| ReadScope::Resource(resource.clone(), *mode))
    }

    /// A column of the token that no vertex of this cluster can be in.
    fn foreign_column(&self, token: &DepSet) -> Option<Column> {
        let membership = &self.config.membership;
        let is_known = |column: &Column| {
            column.epoch == membership.epoch() && membership.has(column.proposer, Role::Proposer)
        };
        token.columns().map(|(column, _)| column).find(|column| !is_known(column))
    }

    /// Asks those that have not answered, this node's own among them.
    fn ask_for_dependencies(&mut self, read: u64, effects: &mut Effects<ReplicaRecord>) {
        let Some(gathering) = self.reads.get(read).and_then(|held| held.gathering.as_ref()) else {
            return;
        };
        for node in self.config.membership.with(Role::Dependency) {
            if !gathering.answered.contains(&node) {
                effects.send(node, ReadDepend { read, scope: gathering.scope.clone() });
            }
        }
    }

    pub(crate) fn on_read_depended(
        &mut self,
        now: Micros,
        from: NodeId,
        depended: ReadDepended,
        effects: &mut Effects<ReplicaRecord>,
    ) -> Result<(), Ignored> {
        let ReadDepended { read, deps } = depended;
        let quorums = self.config.membership.dependency_quorums();
        let quorum = match is_planted(Mutant::ReadQuorumTooSmall) {
            true => quorums.f(),
            false => quorums.dependency(),
        };
        if !self.config.membership.has(from, Role::Dependency) {
            return Err(Ignored::Misdirected);
        }
        let held = self.reads.get_mut(read).ok_or(Ignored::Late)?;
        let gathering = held.gathering.as_mut().ok_or(Ignored::Late)?;
        if !gathering.answered.insert(from) {
            return Err(Ignored::Repeated);
        }
        gathering.deps.union(&deps);
        if gathering.answered.len() < quorum {
            return Ok(());
        }
        let Gathering { deps, .. } = held.gathering.take().expect("looked up above");
        match held.whose {
            Whose::Linearizable { .. } | Whose::Probe => {
                let is_nothing = is_planted(Mutant::ReadWaitsForNothing);
                self.reads.set_needs(read, if is_nothing { DepSet::default() } else { deps });
            }
            Whose::Session { .. } => {
                // It waits for a vertex already.
                let needs = held.needs.clone();
                let is_heard = self.is_heard_of(&needs, &deps);
                let held = self.reads.get_mut(read).expect("looked up above");
                held.is_unheard = !is_heard;
                if !is_heard {
                    // It is asked again: noops are entered nowhere, and heard of by and by.
                    return Ok(());
                }
                held.is_confirmed = true;
                mark::hit(Mark::ReadWaited);
                self.watch_needs(now, read);
                return Ok(());
            }
        }
        self.look_at(now, read, effects);
        Ok(())
    }

    /// Answers a read whose needs are executed; otherwise it waits for the first that is not.
    fn look_at(&mut self, now: Micros, read: u64, effects: &mut Effects<ReplicaRecord>) {
        let Some(held) = self.reads.get(read) else { return };
        if held.gathering.is_some() && !matches!(held.whose, Whose::Session { .. }) {
            return;
        }
        let missing = self.missing(&held.needs);
        match missing {
            Some(vertex) => {
                let is_confirmed = held.is_confirmed;
                self.reads.wait_for(read, vertex);
                if is_confirmed {
                    mark::hit(Mark::ReadWaited);
                    self.watch_needs(now, read);
                }
            }
            None => {
                let held = self.reads.take(read).expect("looked up above");
                self.finish_read(held, effects);
            }
        }
    }

    fn finish_read(&mut self, held: Held, effects: &mut Effects<ReplicaRecord>) {
        match held.whose {
            Whose::Linearizable { client, ticket, payload } => {
                mark::hit(Mark::ReadUnrecorded);
                let outcome = self.query(&payload, None);
                self.answer_read(client, ticket, outcome, effects);
            }
            Whose::Session { client, ticket, payload } => {
                let outcome = self.query(&payload, None);
                self.answer_read(client, ticket, outcome, effects);
            }
            Whose::Probe => {
                self.is_probing = false;
                self.probed_at = self.probed_at.max(Some(held.since));
            }
        }
    }

    /// Looks again at the reads whose vertex was executed.
    pub(crate) fn read_on(&mut self, now: Micros, effects: &mut Effects<ReplicaRecord>) {
        for read in self.reads.take_woken() {
            self.look_at(now, read, effects);
        }
    }

    /// Does what is due for reads.
    pub(crate) fn read_on_deadline(&mut self, now: Micros, effects: &mut Effects<ReplicaRecord>) {
        while let Some(read) = self.reads.due(now) {
            let held = self.reads.get(read).expect("each that is due is there");
            if held.give_up_at <= now {
                let held = self.reads.take(read).expect("looked up above");
                let (client, ticket) = held.whose.client().expect("a probe is never given up");
                let outcome = match held.gathering {
                    // Unless it was heard of here in the meantime.
                    _ if held.is_unheard && !self.is_heard_of(&held.needs, &DepSet::default()) => {
                        mark::hit(Mark::TokenUnknown);
                        ReadOutcome::TokenUnknown
                    }
                    Some(_) => ReadOutcome::Later(ReadDelay::NoQuorum),
                    None => ReadOutcome::Later(ReadDelay::Behind),
                };
                mark::hit(Mark::ReadGivenUp);
                self.answer_read(client, ticket, outcome, effects);
                continue;
            }
            let next = (now + (self.config.timing.read / TURNS).max(1)).min(held.give_up_at);
            let is_gathering = held.gathering.is_some();
            let is_confirmed = held.is_confirmed;
            self.reads.set_due(read, next);
            if !is_gathering && !is_confirmed {
                // Nothing came by itself: is there such a thing at all?
                let held = self.reads.get_mut(read).expect("looked up above");
                held.gathering = Some(Gathering::of(ReadScope::Everything));
                held.is_unheard = false;
            }
            if !is_confirmed {
                self.ask_for_dependencies(read, effects);
            } else {
                self.watch_needs(now, read);
            }
        }
        if self.is_probe_due(now) {
            self.probe(now, effects);
        }
    }

    /// The earliest time at which [`Self::read_on_deadline`] has something to do.
    pub(crate) fn read_deadline(&self) -> Option<Micros> {
        self.reads.deadline().into_iter().chain(self.probe_at()).min()
    }

    /// When the next probe is due, while none is on its way.
    fn probe_at(&self) -> Option<Micros> {
        let timing = &self.config.timing;
        if self.is_probing || self.conflicts.is_none() {
            return None;
        }
        let last = self.probe_sent_at;
        let unasked = (timing.probe > 0).then(|| last.map_or(0, |at| at + timing.probe));
        let asked = last.map(|at| at + timing.catch_up).filter(|at| *at < self.wanted_until);
        unasked.into_iter().chain(asked).min()
    }

    fn is_probe_due(&self, now: Micros) -> bool {
        self.probe_at().is_some_and(|at| at <= now)
    }

    /// Whether a probe is on its way, or was a moment ago.
    fn is_probed_lately(&self, now: Micros) -> bool {
        let is_fresh = |at: Micros| now < at.saturating_add(self.config.timing.catch_up);
        self.is_probing || self.probe_sent_at.is_some_and(is_fresh)
    }

    /// Begins to find out how old the state is.
    fn probe(&mut self, now: Micros, effects: &mut Effects<ReplicaRecord>) {
        self.is_probing = true;
        self.probe_sent_at = Some(now);
        let gathering = Gathering::of(ReadScope::Everything);
        self.hold_read(now, Whose::Probe, DepSet::default(), Some(gathering), effects);
    }

    /// Begins to watch what reads wait for, from now: what was watched is forgotten.
    pub(crate) fn watch_reads_anew(&mut self, now: Micros) {
        let confirmed: Vec<u64> =
            self.reads.all().filter(|(_, it)| it.is_confirmed).map(|(read, _)| read).collect();
        confirmed.into_iter().for_each(|read| self.watch_needs(now, read));
    }

    /// The recovery of what a read waits for is asked for, like that of anything that blocks.
    fn watch_needs(&mut self, now: Micros, read: u64) {
        let Some(held) = self.reads.get(read) else { return };
        let missing = beyond(&held.needs, &self.executed).take(WATCHED_MAX);
        let uncommitted: Vec<VertexId> =
            missing.filter(|vertex| !self.is_committed(*vertex)).collect();
        uncommitted.into_iter().for_each(|vertex| self.watch_blocker(now, vertex));
    }

    /// Something among the needs that is not executed here: the latest, since what lies below it will
    /// hardly come later.
    fn missing(&self, needs: &DepSet) -> Option<VertexId> {
        latest_beyond(needs, &self.executed)
    }

    /// Whether no vertex of the token lies above all that is heard of: by a majority, or, since noops
    /// are entered in no index, as committed here or at another replica.
    fn is_heard_of(&self, token: &DepSet, by_majority: &DepSet) -> bool {
        let end = |row: &Row| row.extras().last().map_or(row.below(), |seq| seq + 1);
        token.columns().all(|(column, row)| {
            let own = self.committed.get(&column).map_or(0, SeqSet::end);
            let theirs = self.others.values().map(|other| other.committed.prefix(column));
            let heard = by_majority.columns().find(|(other, _)| *other == column);
            let heard = heard.map_or(0, |(_, row)| end(row));
            end(row) <= theirs.max().unwrap_or(0).max(own).max(heard)
        })
    }

    fn query(&self, payload: &Bytes, lag: Option<Micros>) -> ReadOutcome {
        match self.machine.query(payload) {
            Some(reply) if reply.len() <= REPLY_LEN_MAX => {
                ReadOutcome::Done { reply, seen: self.seen(), lag }
            }
            // A command's reply has the same limit, and is dealt with there.
            Some(_) | None => ReadOutcome::Command,
        }
    }

    /// What is executed here, as far as it shows in the state: a few numbers. Where there are many gaps
    /// the lower ones are named as executed too; whoever has to have executed that waits a moment
    /// longer than needed.
    pub(crate) fn seen(&self) -> DepSet {
        DepSet::from_columns(self.shown.iter().filter_map(|(column, end)| {
            let set = self.executed.get(column)?;
            let (below, extras) = named(set, *end);
            Some((*column, below, extras))
        }))
    }

    fn answer_read(
        &mut self,
        client: ClientId,
        ticket: u64,
        outcome: ReadOutcome,
        effects: &mut Effects<ReplicaRecord>,
    ) {
        self.counters.reads.count(&outcome);
        effects.send(client, ReadAnswer { ticket, outcome });
    }
}

/// The members of a set below `end`: a prefix, and the last few above it.
fn named(set: &SeqSet, end: u64) -> (u64, Vec<u64>) {
    if set.below() >= end {
        return (end, Vec::new());
    }
    let mut extras = Vec::new();
    for (start, to) in set.ranges().rev() {
        for seq in (start..to.min(end)).rev() {
            if extras.len() == SEEN_EXTRAS_MAX {
                extras.reverse();
                return (seq + 1, extras);
            }
            extras.push(seq);
        }
    }
    extras.reverse();
    (set.below(), extras)
}

/// What became of reads so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadCounters {
    /// Answered with a reply.
    pub done: u64,
    /// Those that had to wait for it, or asked others first.
    pub held: u64,
    /// Turned away: to be submitted as commands.
    pub commands: u64,
    /// Refused: no read of this state machine, or a token that cannot be.
    pub refused: u64,
    /// Turned away: too many in flight, no quorum, or behind.
    pub later: u64,
}

impl ReadCounters {
    fn count(&mut self, outcome: &ReadOutcome) {
        *match outcome {
            ReadOutcome::Done { .. } => &mut self.done,
            ReadOutcome::Command => &mut self.commands,
            ReadOutcome::Invalid(_) | ReadOutcome::TokenUnknown => &mut self.refused,
            ReadOutcome::Later(_) => &mut self.later,
        } += 1;
    }
}
