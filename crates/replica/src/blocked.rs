//! Uncommitted vertices that block others: after a time-out their recovery is asked for, of the
//! vertex's own proposer first, then of this site's.

use crate::Replica;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Micros, NodeId, Role, VertexId};
use althing_wire::{Effects, Recover, ReplicaRecord};

/// An uncommitted vertex that blocks others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blocked {
    pub(crate) since: Micros,
    /// When to ask for its recovery, the next time.
    ask_at: Micros,
    asked: u32,
}

impl Replica {
    /// Learns whether another node answers: one that does not is not asked to recover.
    pub fn on_link(&mut self, node: NodeId, is_up: bool) {
        if is_up {
            self.down.remove(&node);
        } else {
            self.down.insert(node);
        }
    }

    /// Begins to watch what blocks others since the last commit.
    pub(crate) fn watch(&mut self, now: Micros) {
        for blocker in self.graph.new_blockers() {
            self.watch_blocker(now, blocker);
        }
    }

    /// Begins to watch everything that blocks others, from now.
    pub(crate) fn watch_anew(&mut self, now: Micros) {
        self.blocked.clear();
        for blocker in self.graph.blockers() {
            self.watch_blocker(now, blocker);
        }
    }

    fn watch_blocker(&mut self, now: Micros, blocker: VertexId) {
        if !self.blocked.contains_key(&blocker) && !is_planted(Mutant::BlockedNeverAsked) {
            let ask_at = now + self.patience();
            self.blocked.insert(blocker, Blocked { since: now, ask_at, asked: 0 });
        }
    }

    /// When the next vertex has blocked for too long.
    pub(crate) fn blocked_deadline(&self) -> Option<Micros> {
        self.blocked.values().map(|blocked| blocked.ask_at).min()
    }

    /// Asks for the recovery of what has blocked for too long.
    pub(crate) fn ask_for_recovery(&mut self, now: Micros, effects: &mut Effects<ReplicaRecord>) {
        let due: Vec<VertexId> = self
            .blocked
            .iter()
            .filter(|(_, blocked)| blocked.ask_at <= now)
            .map(|(vertex, _)| *vertex)
            .collect();
        for vertex in due {
            let patience = self.patience();
            let blocked = self.blocked.get_mut(&vertex).expect("found above");
            // Whoever was asked may have much to do: thousands of vertices that are asked for again
            // and again would leave it no time.
            blocked.ask_at = now + (patience << blocked.asked.saturating_sub(1).min(4));
            blocked.asked += 1;
            let asked = blocked.asked;
            if let Some(proposer) = self.whom_to_ask(vertex, asked) {
                self.count_recovery_asked();
                effects.send(proposer, Recover { vertex });
            }
        }
    }

    /// The vertex's own proposer first, while it lives (trap T10); then the one on this node, and
    /// where there is none the others in turn.
    fn whom_to_ask(&self, vertex: VertexId, asked: u32) -> Option<NodeId> {
        if asked == 1 && !self.down.contains(&vertex.proposer) {
            mark::hit(Mark::RecoveryAskedOfOwner);
            return Some(vertex.proposer);
        }
        if self.config.membership.has(self.config.me, Role::Proposer) {
            mark::hit(Mark::RecoveryAskedHere);
            return Some(self.config.me);
        }
        let proposers: Vec<NodeId> = self
            .config
            .membership
            .with(Role::Proposer)
            .filter(|proposer| !self.down.contains(proposer))
            .collect();
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
    use althing_model::{Commands, DepSet, Epoch, Membership, Path, StateMachine, Value};
    use althing_wire::{Commit, Effect};
    use bytes::Bytes;

    struct Nothing;

    impl StateMachine for Nothing {
        fn apply(&mut self, _: &[u8]) -> Bytes {
            Bytes::new()
        }

        fn digest(&self) -> u64 {
            0
        }
    }

    /// Broken: a replica whose node has the last number there is ends when it asks a second
    /// proposer to recover what blocks it.
    #[test]
    fn proposers_are_asked_in_turn_whatever_the_node_s_number() {
        let me = NodeId(u32::MAX);
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
            has_voter: false,
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
        let mut asked = Vec::new();
        for second in 2..6 {
            let mut effects = Effects::default();
            replica.ask_for_recovery(second * 1_000_000, &mut effects);
            asked.extend(effects.into_iter().filter_map(|effect| match effect {
                Effect::Send { to, .. } => Some(to),
                Effect::Append { .. } => None,
            }));
        }
        // The vertex's own proposer first, then each in turn.
        assert_eq!(asked, [4, 5, 4, 5].map(|id| NodeId(id).into()));
    }
}
