//! The virtual network: each message by itself is delayed, lost or repeated.
//!
//! What happens to a message is drawn from the seed and the message itself, not from a stream of
//! numbers: so a run in which one thing is left out stays the same in all that did not depend on it,
//! and a failing run can be cut down.

use crate::fault::{FaultCounts, Trouble, Way};
use crate::{NetworkPlan, Plan};
use althing_model::{Micros, NodeId};
use althing_wire::{Kind, Message};
use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::SplitMix64;
use rustc_hash::{FxHashMap, FxHasher};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

/// The network of a run.
#[derive(Debug)]
pub(crate) struct Network {
    seed: u64,
    plan: NetworkPlan,
    /// Per pair, how much of the longest delay separates it: regions differ.
    distance: FxHashMap<(NodeId, NodeId), Micros>,
    /// Nodes cut off.
    cut: BTreeMap<NodeId, Way>,
    /// Links on which everything is lost.
    blocked: Vec<(NodeId, NodeId)>,
    /// Nodes whose messages of one kind are lost.
    mute: Vec<(NodeId, Kind, Option<NodeId>)>,
    /// Until when so many of 1,000 are lost beyond the usual.
    burst: (Micros, u32),
    /// When the last message of a link arrives.
    last: FxHashMap<(NodeId, NodeId), Micros>,
}

impl Network {
    pub(crate) fn new(plan: &Plan, rng: &mut impl Rng) -> Self {
        let nodes: Vec<NodeId> = plan.membership.nodes().collect();
        let mut distance = FxHashMap::default();
        for a in &nodes {
            for b in nodes.iter().filter(|b| a < b) {
                let between = rng.random_range(plan.network.delay.0..=plan.network.delay.1);
                distance.insert((*a, *b), between);
                distance.insert((*b, *a), between);
            }
        }
        Self {
            seed: plan.seed,
            plan: plan.network.clone(),
            distance,
            cut: BTreeMap::new(),
            blocked: Vec::new(),
            mute: Vec::new(),
            burst: (0, 0),
            last: FxHashMap::default(),
        }
    }

    /// The one-way delay between two nodes without jitter.
    pub(crate) fn distance(&self, from: NodeId, to: NodeId) -> Micros {
        self.distance.get(&(from, to)).copied().unwrap_or(0)
    }

    /// When a message between roles of one node arrives: in order.
    pub(crate) fn local(&mut self, now: Micros, node: NodeId) -> Micros {
        if self.plan.local == 0 {
            return now;
        }
        let earlier = self.last.get(&(node, node)).copied().unwrap_or(0);
        let took = self.draw((node, now, earlier)).random_range(0..=self.plan.local);
        let at = earlier.max(now + took);
        self.last.insert((node, node), at);
        at
    }

    /// When the copies of a message arrive: none if it is lost.
    pub(crate) fn carry(
        &mut self,
        now: Micros,
        from: NodeId,
        to: NodeId,
        message: &Message,
        counts: &mut FaultCounts,
    ) -> Arrivals {
        let mut arrivals = Arrivals::default();
        let kind = message.kind();
        let is_mute = || {
            self.mute.iter().any(|(node, of, only)| {
                *node == from && *of == kind && only.is_none_or(|only| only == to)
            })
        };
        if is_mute() || self.is_cut(from, to) {
            counts.count(Trouble::Lost);
            return arrivals;
        }
        let rng = &mut self.draw((now, from, to, kind as u8, message.vertex()));
        let burst = if now < self.burst.0 { self.burst.1 } else { 0 };
        if rng.random_range(0..1000) < self.plan.loss_permille.max(burst) {
            counts.count(Trouble::Lost);
            return arrivals;
        }
        arrivals.push(self.arrival(now, from, to, rng, counts));
        if rng.random_range(0..1000) < self.plan.duplicate_permille {
            counts.count(Trouble::Duplicated);
            // The copy may be late.
            let late = self.distance(from, to) * rng.random_range(0..10);
            arrivals.push(self.arrival(now + late, from, to, rng, counts));
        }
        if rng.random_range(0..10_000) < self.plan.replay_per_10k {
            counts.count(Trouble::Replayed);
            arrivals.push(now + rng.random_range(1_000_000..60_000_000));
        }
        arrivals
    }

    pub(crate) fn cut(&mut self, node: NodeId, way: Way) {
        self.cut.insert(node, way);
    }

    pub(crate) fn block(&mut self, from: NodeId, to: NodeId) {
        self.blocked.push((from, to));
    }

    pub(crate) fn mute(&mut self, node: NodeId, kind: Kind, to: Option<NodeId>) {
        self.mute.push((node, kind, to));
    }

    pub(crate) fn burst(&mut self, until: Micros, permille: u32) {
        self.burst = (until, permille);
    }

    pub(crate) fn heal(&mut self, node: NodeId) {
        self.mute.retain(|(mute, ..)| *mute != node);
        self.blocked.retain(|(from, _)| *from != node);
        self.cut.remove(&node);
    }

    /// All faults end.
    pub(crate) fn heal_all(&mut self) {
        self.cut.clear();
        self.blocked.clear();
        self.mute.clear();
        self.burst = (0, 0);
        self.plan.loss_permille = 0;
        self.plan.duplicate_permille = 0;
        self.plan.replay_per_10k = 0;
        self.plan.tail_permille = 0;
    }

    /// Whether messages from one to the other are lost for sure.
    pub(crate) fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        let cuts =
            |node, way| matches!(self.cut.get(&node), Some(it) if *it == way || *it == Way::Both);
        cuts(to, Way::In) || cuts(from, Way::Out) || self.blocked.contains(&(from, to))
    }

    fn arrival(
        &mut self,
        now: Micros,
        from: NodeId,
        to: NodeId,
        rng: &mut impl Rng,
        counts: &mut FaultCounts,
    ) -> Micros {
        let mut delay = self.distance(from, to) + rng.random_range(0..self.plan.jitter);
        if rng.random_range(0..1000) < self.plan.tail_permille {
            delay *= rng.random_range(2..50);
        }
        let last = self.last.entry((from, to)).or_default();
        let mut at = now + delay;
        if at < *last {
            if self.plan.is_ordered {
                at = *last;
            } else {
                counts.count(Trouble::Overtaken);
            }
        }
        *last = at.max(*last);
        at
    }

    /// Random numbers for one message.
    fn draw(&self, of: impl Hash) -> SplitMix64 {
        let mut hasher = FxHasher::default();
        (self.seed, of).hash(&mut hasher);
        SplitMix64::seed_from_u64(hasher.finish())
    }
}

/// When the copies of a message arrive: at most three.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    at: [Micros; 3],
    len: usize,
}

impl Arrivals {
    fn push(&mut self, at: Micros) {
        self.at[self.len] = at;
        self.len += 1;
    }

    pub(crate) fn as_slice(&self) -> &[Micros] {
        &self.at[..self.len]
    }
}
