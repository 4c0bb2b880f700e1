//! Uncommitted vertices that block others: after a time-out their recovery is asked for, of the
//! vertex's own proposer first, then of this site's. Those of a proposer that is believed down need
//! no time-out: one site asks at once, the others in turn where it does not.
//!
//! What another replica is known to have committed needs no recovery: it is asked for by catching up.
//! Only where that does not get nearer to it is its recovery asked for all the same.

use crate::Replica;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Micros, NodeId, Role, SeqSet, VertexId};
use althing_wire::{Effects, Recover, ReplicaRecord};
use std::collections::{BTreeMap, BTreeSet};

/// An uncommitted vertex that blocks others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blocked {
    pub(crate) since: Micros,
    /// When to ask for its recovery, the next time.
    ask_at: Micros,
    asked: u32,
    /// The last time that it was left to catching up: how far its column was known, and how often in a
    /// row nothing had been added.
    known_below: u64,
    stalled: u32,
}

/// So many times in a row may catching up get no nearer to a vertex that another replica has, before
/// its recovery is asked for: the other one may have forgotten its value, or be cut off.
const STALLED_MAX: u32 = 3;

/// Uncommitted vertices that block others, and when the next is due.
#[derive(Debug, Default)]
pub(crate) struct AllBlocked {
    vertices: BTreeMap<VertexId, Blocked>,
    due: BTreeSet<(Micros, VertexId)>,
}

impl AllBlocked {
    pub(crate) fn len(&self) -> usize {
        self.vertices.len()
    }

    /// Since when the longest blocks.
    pub(crate) fn since(&self) -> Option<Micros> {
        self.vertices.values().map(|blocked| blocked.since).min()
    }

    pub(crate) fn remove(&mut self, vertex: VertexId) {
        if let Some(blocked) = self.vertices.remove(&vertex) {
            self.due.remove(&(blocked.ask_at, vertex));
        }
    }

    fn insert(&mut self, vertex: VertexId, blocked: Blocked) {
        self.remove(vertex);
        self.due.insert((blocked.ask_at, vertex));
        self.vertices.insert(vertex, blocked);
    }

    fn next_due(&self) -> Option<Micros> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Those that are due, ascending.
    fn due(&self, now: Micros) -> BTreeSet<VertexId> {
        self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, vertex)| *vertex).collect()
    }
}

impl Replica {
    /// Learns whether another node answers: one that does not is not asked to recover, and what it
    /// left behind is recovered by others soon.
    pub fn on_link(&mut self, now: Micros, node: NodeId, is_up: bool) {
        if is_up {
            self.down.remove(&node);
            self.gone.insert(node, None);
            return;
        }
        // A node that was never there is one that this node has not found yet.
        if !self.down.insert(node) || !self.gone.contains_key(&node) {
            return;
        }
        self.gone.insert(node, Some(now));
        let left: Vec<VertexId> =
            self.blocked.vertices.keys().filter(|it| it.proposer == node).copied().collect();
        for vertex in left {
            let ask_at = self.first_ask(now, vertex);
            let mut blocked = self.blocked.vertices[&vertex];
            blocked.ask_at = blocked.ask_at.min(ask_at);
            self.blocked.insert(vertex, blocked);
        }
    }

    /// Begins to watch what blocks others since the last commit.
    pub(crate) fn watch(&mut self, now: Micros) {
        for blocker in self.graph.take_new_blockers() {
            self.watch_blocker(now, blocker);
        }
    }

    /// Begins to watch everything that blocks others, from now.
    pub(crate) fn watch_anew(&mut self, now: Micros) {
        self.blocked = AllBlocked::default();
        for blocker in self.graph.blockers() {
            self.watch_blocker(now, blocker);
        }
        self.watch_reads_anew(now);
    }

    pub(crate) fn watch_blocker(&mut self, now: Micros, blocker: VertexId) {
        if !self.blocked.vertices.contains_key(&blocker) && !is_planted(Mutant::BlockedNeverAsked) {
            let ask_at = self.first_ask(now, blocker);
            let blocked = Blocked { since: now, ask_at, asked: 0, known_below: 0, stalled: 0 };
            self.blocked.insert(blocker, blocked);
        }
    }

    /// When to ask for a vertex's recovery first. What a node left behind that has just gone down is
    /// asked for at once by one site, a different one for each vertex, and by each of the others a
    /// time-out later than the one before: all at once would duel (trap T10), and the first may not be
    /// blocked by the vertex at all. All else has its time-out.
    fn first_ask(&mut self, now: Micros, vertex: VertexId) -> Micros {
        let proposers = self.proposers_up();
        let place = proposers.iter().position(|proposer| *proposer == self.config.me);
        let Some(place) = place.filter(|_| self.has_just_died(now, vertex.proposer)) else {
            return now + self.patience();
        };
        let count = proposers.len() as u64;
        let turn = (place as u64 + count - vertex.seq % count) % count;
        if turn == 0 {
            mark::hit(Mark::RecoveryAskedAtOnce);
        }
        now + (0..turn).map(|_| self.patience()).sum::<Micros>()
    }

    /// Whether a node was up and is not since a moment ago: what is first heard of long after may well
    /// be the work of one that lives. And whether enough others are up for a recovery: if not, it is
    /// this node that is cut off.
    fn has_just_died(&self, now: Micros, node: NodeId) -> bool {
        let Some(Some(since)) = self.gone.get(&node) else {
            return false;
        };
        let membership = &self.config.membership;
        let acceptors = membership.with(Role::Acceptor).filter(|it| !self.down.contains(it));
        now <= since.saturating_add(self.config.timing.recover)
            && acceptors.count() >= membership.acceptor_quorums().phase1()
    }

    pub(crate) fn proposers_up(&self) -> Vec<NodeId> {
        let proposers = self.config.membership.with(Role::Proposer);
        let is_there = |it: &NodeId| {
            !self.down.contains(it) && (*it != self.config.me || self.config.has_proposer)
        };
        proposers.filter(is_there).collect()
    }

    /// When the next vertex has blocked for too long.
    pub(crate) fn blocked_deadline(&self) -> Option<Micros> {
        self.blocked.next_due()
    }

    /// Asks for the recovery of what has blocked for too long.
    pub(crate) fn ask_for_recovery(&mut self, now: Micros, effects: &mut Effects<ReplicaRecord>) {
        for vertex in self.blocked.due(now) {
            let patience = self.patience();
            let mut blocked = self.blocked.vertices[&vertex];
            if self.is_left_to_catching_up(vertex, &mut blocked) {
                blocked.ask_at = now + patience;
                self.blocked.insert(vertex, blocked);
                continue;
            }
            let asked = blocked.asked + 1;
            let proposer = self.whom_to_ask(vertex, asked);
            // The proposer on this node goes on by itself once it was asked, and may have much to do:
            // thousands of vertices that are asked for again and again would leave it no time. From
            // others nothing is heard, so they are asked again soon.
            let doublings = if proposer == Some(self.config.me) { (asked - 1).min(4) } else { 0 };
            blocked.ask_at = now + (patience << doublings);
            if let Some(proposer) = proposer {
                blocked.asked = asked;
                self.count_recovery_asked();
                effects.send(proposer, Recover { vertex });
            }
            self.blocked.insert(vertex, blocked);
        }
    }

    /// Whether a vertex needs no recovery yet, since a replica that is up has told that it has it and
    /// everything below it in its column. That is sent lowest first, so that what is known here of the
    /// column grows until the vertex is; where it does not, the other one does not send it.
    fn is_left_to_catching_up(&self, vertex: VertexId, blocked: &mut Blocked) -> bool {
        let column = vertex.column();
        let mut up = self.others.iter().filter(|(node, _)| !self.down.contains(node));
        if !up.any(|(_, other)| vertex.seq < other.committed.prefix(column)) {
            return false;
        }
        let known_below = self.committed.get(&column).map_or(0, SeqSet::below);
        if known_below > blocked.known_below {
            (blocked.known_below, blocked.stalled) = (known_below, 0);
        }
        blocked.stalled += 1;
        let is_left = blocked.stalled <= STALLED_MAX;
        if is_left {
            mark::hit(Mark::RecoveryLeftToCatchUp);
        }
        is_left
    }

    /// The vertex's own proposer first, while it lives (trap T10); then the one on this node, and
    /// where there is none the others in turn.
    fn whom_to_ask(&self, vertex: VertexId, asked: u32) -> Option<NodeId> {
        if asked == 1 && !self.down.contains(&vertex.proposer) {
            mark::hit(Mark::RecoveryAskedOfOwner);
            return Some(vertex.proposer);
        }
        if self.config.has_proposer {
            mark::hit(Mark::RecoveryAskedHere);
            return Some(self.config.me);
        }
        let proposers = self.proposers_up();
        mark::hit(Mark::RecoveryAskedInTurn);
        // Numbers of nodes are the operator's, up to the last.
        let turn = self.config.me.0.wrapping_add(asked) as usize;
        (!proposers.is_empty()).then(|| proposers[turn % proposers.len()])
    }

    /// From a third of the time-out up to all of it.
    fn patience(&mut self) -> Micros {
        self.jitter.around(self.config.timing.recover * 2 / 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Limits, Timing};
    use althing_model::{
        Commands, DepSet, Epoch, Membership, ModeTable, Path, Pieces, StateMachine, Unrestorable,
        Value,
    };
    use althing_wire::{Address, Commit, Effect};
    use bytes::Bytes;

    struct Nothing;

    impl StateMachine for Nothing {
        fn apply(&mut self, _: &[u8]) -> Bytes {
            Bytes::new()
        }

        fn digest(&self) -> u64 {
            0
        }

        fn snapshot(&self) -> Pieces {
            Box::new(std::iter::empty())
        }

        fn restore(&mut self, _: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
            Ok(())
        }
    }

    /// A replica without a proposer beside it, of a vertex of proposer 4 that blocks another.
    fn blocked_replica(me: NodeId) -> Replica {
        let voters = (1..4).map(|id| (NodeId(id), vec![Role::Dependency, Role::Acceptor]));
        let others = [
            (NodeId(4), vec![Role::Proposer]),
            (NodeId(5), vec![Role::Proposer, Role::Replica]),
            (me, vec![Role::Replica]),
        ];
        let roles = voters.chain(others).collect();
        let membership = Membership::new(Epoch(0), Path::Classic, 1, roles).unwrap();
        let config = Config {
            me,
            membership,
            modes: ModeTable::read_write(),
            has_voter: false,
            has_proposer: false,
            seed: 1,
            timing: Timing::default(),
            limits: Limits::default(),
        };
        let mut replica = Replica::new(config, Box::new(Nothing));
        let vertex = |seq| VertexId { epoch: Epoch(0), proposer: NodeId(4), seq };
        let deps: DepSet = [vertex(0)].into_iter().collect();
        let value = Value { commands: Commands::Noop, deps };
        let commit = Commit { vertex: vertex(1), value };
        replica.handle(0, NodeId(4).into(), commit.into(), &mut Effects::default()).unwrap();
        replica
    }

    fn asked(replica: &mut Replica, now: Micros) -> Vec<NodeId> {
        let mut effects = Effects::default();
        replica.ask_for_recovery(now, &mut effects);
        let to = effects.into_iter().filter_map(|effect| match effect {
            Effect::Send { to: Address::Node(to), .. } => Some(to),
            _ => None,
        });
        to.collect()
    }

    /// Broken: a replica whose node has the last number there is ends when it asks a second
    /// proposer to recover what blocks it.
    #[test]
    fn proposers_are_asked_in_turn_whatever_the_node_s_number() {
        let mut replica = blocked_replica(NodeId(u32::MAX));
        let all: Vec<NodeId> =
            (2..6).flat_map(|second| asked(&mut replica, second * 1_000_000)).collect();
        // The vertex's own proposer first, then each in turn.
        assert_eq!(all, [4, 5, 4, 5].map(NodeId));
    }

    /// Broken: after a long partition a replica would wait many times as long as it must before it
    /// asks a proposer that is back.
    #[test]
    fn a_proposer_that_is_back_is_asked_within_one_time_out() {
        let mut replica = blocked_replica(NodeId(6));
        replica.on_link(0, NodeId(4), false);
        replica.on_link(0, NodeId(5), false);
        for second in 1..30 {
            assert_eq!(asked(&mut replica, second * 1_000_000), []);
        }
        replica.on_link(0, NodeId(5), true);
        assert_eq!(asked(&mut replica, 30_000_000), [NodeId(5)]);
    }
}
