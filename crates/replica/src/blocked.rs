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
        let turn = (self.config.me.0 + asked) as usize;
        (!proposers.is_empty()).then(|| proposers[turn % proposers.len()])
    }

    /// From a third of the time-out up to all of it.
    fn patience(&mut self) -> Micros {
        self.jitter.around(self.config.timing.recover * 2 / 3)
    }
}
