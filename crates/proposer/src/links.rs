//! Which nodes are near, and which are believed down: what the fast quorum is chosen by.

use crate::Proposer;
use crate::work::Work;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Micros, NodeId};

/// What the transport measured of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link {
    /// The round trip, once measured, in microseconds.
    pub round_trip: Option<Micros>,
    /// Whether it answers. A node that is believed down is never chosen for a fast quorum; that
    /// costs latency when the belief is wrong, never safety.
    pub is_up: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self { round_trip: None, is_up: true }
    }
}

impl Proposer {
    /// Learns what the transport measured of a node. A vertex whose fast quorum has a member that
    /// is now believed down gives the fast path up at once.
    pub fn on_link(&mut self, now: Micros, node: NodeId, link: Link) {
        let earlier = self.links.insert(node, link).unwrap_or_default();
        if link != earlier {
            self.on_measured(now, node, link.round_trip);
        }
        if !earlier.is_up || link.is_up {
            return;
        }
        self.forward_no_more(now, node);
        let hopeless: Vec<_> = self
            .in_flight
            .iter()
            .filter(|(_, in_flight)| match &in_flight.work {
                Work::Voting { quorum, answers, .. } => {
                    quorum.contains(&node) && !answers.contains_key(&node)
                }
                _ => false,
            })
            .map(|(vertex, _)| *vertex)
            .collect();
        for vertex in hopeless {
            mark::hit(Mark::FastPathCut);
            self.set_timer(vertex, now);
        }
    }

    /// The nearest fast quorum by measured round trip, its own voter first, ascending by id, and
    /// whether all its members are believed up.
    pub(crate) fn choose_fast_quorum(&self) -> (Vec<NodeId>, bool) {
        let me = self.config.me;
        let mut voters: Vec<_> = self
            .config
            .membership
            .voters()
            .map(|voter| {
                let link = self.link(voter);
                let distance = link.round_trip.unwrap_or(Micros::MAX);
                (voter != me, !link.is_up, distance, voter)
            })
            .collect();
        voters.sort_unstable();
        let missing = usize::from(is_planted(Mutant::FastQuorumTooSmall));
        voters.truncate(self.config.membership.acceptor_quorums().fast() - missing);
        let all_up = voters.iter().all(|(_, is_down, _, _)| !is_down);
        let mut quorum: Vec<_> = voters.into_iter().map(|(.., voter)| voter).collect();
        quorum.sort_unstable();
        (quorum, all_up)
    }

    /// The longest measured round trip to one of `nodes`; 0 when none is measured.
    pub(crate) fn farthest(&self, nodes: impl IntoIterator<Item = NodeId>) -> Micros {
        nodes.into_iter().filter_map(|node| self.link(node).round_trip).max().unwrap_or(0)
    }

    pub(crate) fn is_up(&self, node: NodeId) -> bool {
        self.link(node).is_up
    }

    fn link(&self, node: NodeId) -> Link {
        if node == self.config.me {
            return Link { round_trip: Some(0), is_up: true };
        }
        self.links.get(&node).copied().unwrap_or_default()
    }
}
