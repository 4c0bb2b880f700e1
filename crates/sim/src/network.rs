//! The virtual network: each message by itself is delayed, lost or repeated, so that messages
//! overtake each other.

use crate::{FaultCounts, Plan};
use althing_model::{Micros, NodeId};
use althing_wire::Kind;
use rand::{Rng, RngExt};
use std::collections::BTreeMap;

/// The network of a run.
#[derive(Debug)]
pub(crate) struct Network {
    delay: (Micros, Micros),
    loss_permille: u32,
    duplicate_permille: u32,
    /// Per pair, how much of the longest delay separates it: regions differ.
    distance: BTreeMap<(NodeId, NodeId), Micros>,
    /// Nodes cut off, and whether their own messages still leave.
    cut: BTreeMap<NodeId, bool>,
    /// Nodes whose messages of one kind are lost.
    mute: Vec<(NodeId, Kind, Option<NodeId>)>,
}

impl Network {
    pub(crate) fn new(plan: &Plan, rng: &mut impl Rng) -> Self {
        let nodes: Vec<NodeId> = plan.membership.nodes().collect();
        let mut distance = BTreeMap::new();
        for a in &nodes {
            for b in nodes.iter().filter(|b| a < b) {
                let between = rng.random_range(plan.delay.0..=plan.delay.1);
                distance.insert((*a, *b), between);
                distance.insert((*b, *a), between);
            }
        }
        Self {
            delay: plan.delay,
            loss_permille: plan.loss_permille,
            duplicate_permille: plan.duplicate_permille,
            distance,
            cut: BTreeMap::new(),
            mute: Vec::new(),
        }
    }

    /// The one-way delay between two nodes without jitter.
    pub(crate) fn distance(&self, from: NodeId, to: NodeId) -> Micros {
        self.distance.get(&(from, to)).copied().unwrap_or(0)
    }

    /// When the copies of a message arrive, after now: none if it is lost.
    pub(crate) fn carry(
        &self,
        from: NodeId,
        to: NodeId,
        kind: Kind,
        rng: &mut impl Rng,
        counts: &mut FaultCounts,
    ) -> Vec<Micros> {
        let is_mute = self.mute.iter().any(|(node, of, only)| {
            *node == from && *of == kind && only.is_none_or(|only| only == to)
        });
        if is_mute || self.is_cut(from, to) || rng.random_range(0..1000) < self.loss_permille {
            counts.lost += 1;
            return Vec::new();
        }
        let mut arrivals = vec![self.draw_delay(from, to, rng)];
        if rng.random_range(0..1000) < self.duplicate_permille {
            counts.duplicated += 1;
            // The copy may be very late.
            arrivals.push(self.draw_delay(from, to, rng) * rng.random_range(1..20));
        }
        arrivals
    }

    pub(crate) fn cut(&mut self, node: NodeId, one_way: bool) {
        self.cut.insert(node, one_way);
    }

    pub(crate) fn mute(&mut self, node: NodeId, kind: Kind, to: Option<NodeId>) {
        self.mute.push((node, kind, to));
    }

    pub(crate) fn heal(&mut self, node: NodeId) {
        self.mute.retain(|(mute, ..)| *mute != node);
        self.cut.remove(&node);
    }

    /// All faults end.
    pub(crate) fn heal_all(&mut self) {
        self.cut.clear();
        self.mute.clear();
        self.loss_permille = 0;
        self.duplicate_permille = 0;
    }

    /// Whether messages between the two are lost for sure.
    pub(crate) fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cut.contains_key(&to) || self.cut.get(&from).is_some_and(|one_way| !one_way)
    }

    fn draw_delay(&self, from: NodeId, to: NodeId, rng: &mut impl Rng) -> Micros {
        let jitter = self.delay.0.max(2);
        self.distance(from, to) + rng.random_range(0..jitter)
    }
}
