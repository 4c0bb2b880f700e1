//! Barriers, snapshots and who lags behind them: drawn apart from the rest, whose runs stay as they
//! are.

use super::episodes::is_of_pruning;
use super::{Episode, Profile, SnapshotPlan, pick};
use crate::{Edge, Family, Fault, Way};
use althing_model::{Membership, Micros, NodeId, Role};
use althing_wire::NodeRecord;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// What a plan has so far.
pub(super) struct Context<'a> {
    pub(super) seed: u64,
    pub(super) operations: usize,
    pub(super) profile: &'a Profile,
    pub(super) membership: &'a Membership,
    pub(super) lost: &'a BTreeMap<NodeId, Family>,
    pub(super) slowest: Micros,
}

/// What is drawn of barriers and snapshots.
pub(super) struct Pruning {
    pub(super) snapshots: SnapshotPlan,
    pub(super) limits: althing_replica::Limits,
    /// The least and the most time between two barriers.
    pub(super) barriers: (Micros, Micros),
}

pub(super) fn draw(
    context: &Context<'_>,
    families: &mut BTreeSet<Family>,
    episodes: &mut Vec<Episode>,
) -> Pruning {
    let rng = &mut ChaCha8Rng::seed_from_u64(context.seed ^ 0x5a47_e000);
    let defaults = althing_replica::Limits::default();
    let prunes = rng.random_bool(0.6);
    let barrier_len = match (prunes, rng.random_bool(0.5)) {
        (false, _) => 0,
        (true, true) => rng.random_range(5..=50),
        (true, false) => *pick(rng, &[50, 100, 200]),
    };
    let limits = althing_replica::Limits {
        barrier_len,
        barrier_bytes: *pick(rng, &[3_000, defaults.barrier_bytes, defaults.barrier_bytes]),
        log_len_max: *pick(rng, &[1, 1, 10, 50, defaults.log_len_max]),
        rewrite_len_max: *pick(rng, &[1, 4, defaults.rewrite_len_max]),
        rewrite_bytes_max: *pick(rng, &[1, defaults.rewrite_bytes_max]),
        ..defaults
    };
    let barriers = (*pick(rng, &[0, 10_000, 500_000]), *pick(rng, &[1_000_000, 300_000_000]));
    let slowest_write = *pick(rng, &[100, 10_000, 300_000, 3_000_000]);
    let mut asked_after: Vec<usize> = match prunes && rng.random_bool(0.3) {
        true => (0..3).map(|_| rng.random_range(0..context.operations.max(1))).collect(),
        false => Vec::new(),
    };
    asked_after.sort_unstable();
    let snapshots = SnapshotPlan {
        write: (slowest_write / 10, slowest_write),
        fails_permille: *pick(rng, &[0, 0, 100, 500]),
        keep: rng.random_range(1..=3),
        asked_after,
    };
    if prunes {
        context.troubles(rng, families, episodes);
    }
    Pruning { snapshots, limits, barriers }
}

impl Context<'_> {
    /// A node that is away for long, or loses its snapshots, in runs that can bear it.
    fn troubles(
        &self,
        rng: &mut impl Rng,
        families: &mut BTreeSet<Family>,
        episodes: &mut Vec<Episode>,
    ) {
        let f = self.membership.acceptor_quorums().f();
        if families.contains(&Family::CrashAtEdge) {
            self.crashes_at_edges(rng, families, episodes);
        }
        let may = |family| self.profile.families.as_ref().is_none_or(|it| it.contains(&family));
        let whole: Vec<NodeId> = self
            .membership
            .with(Role::Replica)
            .filter(|node| !self.lost.contains_key(node))
            .collect();
        let (lags, loses) = (rng.random_bool(0.35), rng.random_bool(0.2));
        if self.lost.len() >= f || whole.is_empty() {
            return;
        }
        if lags && may(Family::Lag) {
            let node = *pick(rng, &whole);
            let (begin, end) = match rng.random_bool(0.5) {
                true => (Fault::Crash(node), Fault::Restart(node)),
                false => (Fault::Cut { node, way: Way::Both }, Fault::Heal(node)),
            };
            let outage = self.slowest * rng.random_range(30..1000);
            self.add(rng, Family::Lag, vec![(0, begin), (outage, end)], families, episodes);
        }
        if loses && may(Family::SnapshotLoss) {
            let node = *pick(rng, &whole);
            let back = rng.random_range(1..10 * self.slowest);
            let faults = vec![(0, Fault::LoseSnapshots(node)), (back, Fault::Restart(node))];
            self.add(rng, Family::SnapshotLoss, faults, families, episodes);
        }
        episodes.sort_by_key(|episode| episode.after);
    }

    /// Nodes that stop when they write what only pruning has them write.
    fn crashes_at_edges(
        &self,
        rng: &mut impl Rng,
        families: &mut BTreeSet<Family>,
        episodes: &mut Vec<Episode>,
    ) {
        let kinds: Vec<u8> = NodeRecord::KINDS
            .iter()
            .filter(|(_, name)| is_of_pruning(name) && !name.contains("Registry"))
            .map(|(kind, _)| *kind)
            .collect();
        let nodes: Vec<NodeId> =
            self.membership.nodes().filter(|node| !self.lost.contains_key(node)).collect();
        if nodes.is_empty() {
            return;
        }
        for _ in 0..rng.random_range(1..=4) {
            let (node, edge) = (*pick(rng, &nodes), *pick(rng, &Edge::ALL));
            let record = Some(*pick(rng, &kinds));
            let back = rng.random_range(self.slowest..20 * self.slowest);
            let fault = Fault::CrashAt { node, record, edge, back };
            self.add(rng, Family::CrashAtEdge, vec![(0, fault)], families, episodes);
        }
        episodes.sort_by_key(|episode| episode.after);
    }

    fn add(
        &self,
        rng: &mut impl Rng,
        family: Family,
        faults: super::Timed,
        families: &mut BTreeSet<Family>,
        episodes: &mut Vec<Episode>,
    ) {
        let last = (self.operations * 4 / 5).max(1);
        families.insert(family);
        episodes.push(Episode { family, after: rng.random_range(0..last), faults });
    }
}
