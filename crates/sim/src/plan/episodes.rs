//! What goes wrong in a run, as episodes: each begins when the clients are so far, and is a script of
//! single faults. At most f nodes are victims of an episode, so that most of the time the cluster can
//! go on; episodes may overlap, and then it may have to wait.

use super::{Timed, Workload, pick};
use crate::fault::{Edge, Family, Fault, Way};
use althing_model::{Membership, Micros, NodeId, Path, Role};
use althing_wire::{Kind, NodeRecord};
use rand::{Rng, RngExt};
use std::collections::{BTreeMap, BTreeSet};

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// Its family.
    pub family: Family,
    /// It begins when so many operations have ended.
    pub after: usize,
    /// What happens, and how long after its beginning; ascending.
    pub faults: Timed,
}

/// What episodes are drawn from.
pub(super) struct Context<'a> {
    pub(super) membership: &'a Membership,
    pub(super) families: &'a BTreeSet<Family>,
    /// Nodes whose disk is lost on the way.
    pub(super) lost: &'a BTreeMap<NodeId, Family>,
    pub(super) victims_max: usize,
    /// The longest one-way delay.
    pub(super) slowest: Micros,
    pub(super) workload: &'a Workload,
}

/// The kinds that a mute node's messages may be of.
const MUTED: [Kind; 14] = [
    Kind::PreAccept,
    Kind::PreAccept,
    Kind::Depend,
    Kind::Depend,
    Kind::PreAccepted,
    Kind::Depended,
    Kind::Accept,
    Kind::Accepted,
    Kind::Prepare,
    Kind::Promised,
    Kind::Inspected,
    Kind::Commit,
    Kind::Commit,
    Kind::Refused,
];

/// The families that are no background: they have episodes.
const EPISODIC: [Family; 17] = [
    Family::Bursts,
    Family::Partition,
    Family::OneWay,
    Family::Swizzle,
    Family::Mute,
    Family::Strand,
    Family::Crash,
    Family::CrashAll,
    Family::CrashAtEdge,
    Family::SyncError,
    Family::Pause,
    Family::SlowNode,
    Family::SlowDisk,
    Family::ClockJump,
    Family::ClockDrift,
    Family::FalseSuspicion,
    Family::ClientGone,
];

/// At least one episode of each family, and up to sixteen more.
pub(super) fn draw(rng: &mut impl Rng, context: &Context<'_>) -> Vec<Episode> {
    let families: Vec<Family> =
        EPISODIC.into_iter().filter(|family| context.families.contains(family)).collect();
    let mut episodes = Vec::new();
    let operations = context.workload.operations;
    let last = (operations * 4 / 5).max(1);
    if !families.is_empty() {
        let more = rng.random_range(0..=operations / 50 + 4).min(16);
        let drawn: Vec<Family> =
            families.iter().copied().chain((0..more).map(|_| *pick(rng, &families))).collect();
        for family in drawn {
            let after = rng.random_range(0..last);
            episodes.push(Episode { family, after, faults: context.script(rng, family) });
        }
    }
    for (node, family) in context.lost {
        let fault = match family {
            Family::Wipe => Fault::Wipe(*node),
            _ => Fault::Rot(*node),
        };
        let after = rng.random_range(0..last);
        episodes.push(Episode { family: *family, after, faults: vec![(0, fault)] });
    }
    episodes.sort_by_key(|episode| episode.after);
    episodes
}

/// Whether a record of that name is written where there are barriers only, or, not by the roles.
pub(super) fn is_of_pruning(name: &str) -> bool {
    ["Pruned", "Kept", "Rewritten", "Registry"].iter().any(|of| name.contains(of))
}

impl Context<'_> {
    fn script(&self, rng: &mut impl Rng, family: Family) -> Timed {
        let outage = rng.random_range(self.slowest..20 * self.slowest);
        let victims = self.victims(rng);
        let mut faults = Timed::new();
        match family {
            Family::Crash => {
                for victim in victims {
                    faults.push((0, Fault::Crash(victim)));
                    faults.push((outage, Fault::Restart(victim)));
                }
            }
            Family::CrashAll => {
                for victim in self.membership.nodes() {
                    faults.push((0, Fault::Crash(victim)));
                    faults.push((rng.random_range(1..self.slowest), Fault::Restart(victim)));
                }
            }
            Family::CrashAtEdge => {
                for node in victims {
                    // Some kinds are rare: with any record it happens for sure.
                    let is_any = rng.random_bool(0.5);
                    let record = (!is_any).then(|| *pick(rng, &self.records_of(node)));
                    let edge = *pick(rng, &Edge::ALL);
                    faults.push((0, Fault::CrashAt { node, record, edge, back: outage }));
                }
            }
            Family::SyncError => {
                for victim in victims {
                    faults.push((0, Fault::SyncFails(victim)));
                    faults.push((outage + self.slowest, Fault::Restart(victim)));
                }
            }
            Family::Partition => self.partition(rng, outage, victims, &mut faults),
            Family::OneWay => {
                for node in victims {
                    let way = *pick(rng, &[Way::In, Way::Out]);
                    faults.push((0, Fault::Cut { node, way }));
                    faults.push((outage, Fault::Heal(node)));
                }
            }
            Family::Swizzle => self.swizzle(rng, outage, &mut faults),
            Family::Mute => self.mute(rng, outage, victims, &mut faults),
            Family::Strand => self.strand(rng, &mut faults),
            Family::Pause => {
                faults.extend(victims.into_iter().map(|victim| (0, Fault::Pause(victim, outage))));
            }
            Family::SlowNode => {
                let each = rng.random_range(100..self.slowest / 2);
                for victim in victims {
                    faults.push((0, Fault::Slow(victim, each)));
                    faults.push((outage, Fault::Slow(victim, 0)));
                }
            }
            Family::SlowDisk => {
                for victim in victims {
                    faults.push((0, Fault::SlowDisk(victim, 3 * self.slowest)));
                    faults.push((outage, Fault::SlowDisk(victim, 0)));
                }
            }
            Family::ClockJump => {
                let node = self.any(rng);
                let by = *pick(rng, &[3_600_000_000, 1_000_000, 50_000, -50_000, -5_000_000]);
                faults.push((0, Fault::Jump(node, by)));
            }
            Family::ClockDrift => {
                let ppm = *pick(rng, &[-100_000, -1_000, 1_000, 100_000]);
                faults.push((0, Fault::Drift(self.any(rng), ppm)));
            }
            Family::FalseSuspicion => {
                let of = self.any(rng);
                let others: Vec<NodeId> = self.membership.nodes().filter(|by| *by != of).collect();
                let always = *pick(rng, &others);
                for by in others {
                    if by == always || rng.random_bool(0.6) {
                        faults.push((0, Fault::Suspect { by, of, is_up: false }));
                        faults.push((outage, Fault::Suspect { by, of, is_up: true }));
                    }
                }
            }
            Family::Bursts => {
                faults.push((0, Fault::Burst(*pick(rng, &[300, 700, 1000]), outage / 2 + 1)));
            }
            Family::ClientGone => {
                faults.push((0, Fault::ClientGone(rng.random_range(0..self.workload.clients))));
            }
            Family::Loss
            | Family::Duplication
            | Family::Replay
            | Family::Reordering
            | Family::TornWrites
            | Family::BitRot
            | Family::Wipe
            | Family::Lag
            | Family::SnapshotLoss => unreachable!("{family:?} has no episodes of its own"),
        }
        faults.sort_by_key(|(at, _)| *at);
        faults
    }

    fn victims(&self, rng: &mut impl Rng) -> Vec<NodeId> {
        let count = rng.random_range(1..=self.victims_max);
        if self.lost.len() == self.membership.nodes().count() {
            return self.lost.keys().copied().take(count).collect();
        }
        let mut victims: Vec<NodeId> =
            self.membership.nodes().filter(|node| !self.lost.contains_key(node)).collect();
        while victims.len() > count {
            victims.remove(rng.random_range(0..victims.len()));
        }
        victims
    }

    /// The kinds of the records that a node writes.
    fn records_of(&self, node: NodeId) -> Vec<u8> {
        let has = |role| self.membership.has(node, role);
        let is_fast = self.membership.path() == Path::Fast;
        let writes = |name: &str| match name {
            name if name.starts_with("Proposer") => has(Role::Proposer),
            name if name.starts_with("Voter") => is_fast && has(Role::Acceptor),
            name if name.starts_with("Acceptor") => !is_fast && has(Role::Acceptor),
            name if name.starts_with("Dependency") => !is_fast && has(Role::Dependency),
            name if name.starts_with("Replica") => !is_fast && has(Role::Replica),
            name => unreachable!("a kind of record without a role: {name}"),
        };
        let kinds = NodeRecord::KINDS.iter().filter(|(_, name)| !is_of_pruning(name));
        kinds.filter(|(_, name)| writes(name)).map(|(kind, _)| *kind).collect()
    }

    fn any(&self, rng: &mut impl Rng) -> NodeId {
        let victims = self.victims(rng);
        *pick(rng, &victims)
    }

    /// Some nodes apart from the others, the cluster in two halves, a ring, or a bridge.
    fn partition(
        &self,
        rng: &mut impl Rng,
        outage: Micros,
        victims: Vec<NodeId>,
        faults: &mut Timed,
    ) {
        let nodes: Vec<NodeId> = self.membership.nodes().collect();
        let n = nodes.len();
        let shape = rng.random_range(0..6);
        if shape < 3 {
            for node in victims {
                faults.push((0, Fault::Cut { node, way: Way::Both }));
                faults.push((outage, Fault::Heal(node)));
            }
            return;
        }
        let middle = rng.random_range(0..n);
        for a in 0..n {
            for b in (0..n).filter(|b| *b != a) {
                let is_apart = match shape {
                    // Two halves.
                    3 => (a < n / 2) != (b < n / 2),
                    // Two halves and a bridge that reaches both.
                    4 => a != middle && b != middle && (a < n / 2) != (b < n / 2),
                    // A ring: each reaches its neighbours.
                    _ => (a + 1) % n != b && (b + 1) % n != a,
                };
                if is_apart {
                    faults.push((0, Fault::Block { from: nodes[a], to: nodes[b] }));
                }
            }
        }
        faults.extend(nodes.into_iter().map(|node| (outage, Fault::Heal(node))));
    }

    /// Nodes are cut off one by one, and let in again in another order.
    fn swizzle(&self, rng: &mut impl Rng, outage: Micros, faults: &mut Timed) {
        for node in self.membership.nodes() {
            if rng.random_bool(0.7) {
                let cut = rng.random_range(0..outage);
                faults.push((cut, Fault::Cut { node, way: Way::Both }));
                faults.push((outage + rng.random_range(0..outage), Fault::Heal(node)));
            }
        }
    }

    /// What the victims began is known to themselves alone, or to a few, when they stop.
    fn mute(&self, rng: &mut impl Rng, outage: Micros, victims: Vec<NodeId>, faults: &mut Timed) {
        let nodes: Vec<NodeId> = self.membership.nodes().collect();
        for node in victims {
            let kind = *pick(rng, &MUTED);
            let to = rng.random_bool(0.4).then(|| *pick(rng, &nodes));
            faults.push((0, Fault::Mute { node, kind, to }));
            if self.families.contains(&Family::Crash) {
                faults.push((rng.random_range(0..outage), Fault::Crash(node)));
                faults.push((outage, Fault::Restart(node)));
            }
            faults.push((outage, Fault::Heal(node)));
        }
    }

    /// A proposer whose requests first miss one node, then all others, and which then stops: a
    /// chain of its vertices has a middle that one node never saw, and an end that nobody else did.
    fn strand(&self, rng: &mut impl Rng, faults: &mut Timed) {
        let kind = match self.membership.path() {
            Path::Fast => Kind::PreAccept,
            Path::Classic => Kind::Depend,
        };
        let proposers: Vec<NodeId> = self.membership.with(Role::Proposer).collect();
        let node = *pick(rng, &proposers);
        let others: Vec<NodeId> =
            self.membership.with(Role::Dependency).filter(|other| *other != node).collect();
        let alone = rng.random_range(2..10) * self.slowest;
        let crash = alone + rng.random_range(1..6) * self.slowest;
        let back = crash + rng.random_range(10..20) * self.slowest + 1_000_000;
        faults.push((0, Fault::Mute { node, kind, to: Some(*pick(rng, &others)) }));
        faults.push((alone, Fault::Mute { node, kind, to: None }));
        faults.push((crash, Fault::Crash(node)));
        faults.push((crash, Fault::Heal(node)));
        faults.push((back, Fault::Restart(node)));
    }
}
