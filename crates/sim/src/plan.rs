//! What a run is, drawn from a seed.

use crate::Fault;
use althing_model::{Epoch, Membership, Micros, NodeId, Path, Role};
use althing_wire::Kind;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// A run: everything that is drawn before it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where all its randomness comes from.
    pub seed: u64,
    /// The cluster.
    pub membership: Membership,
    /// Operations of all clients together.
    pub operations: usize,
    /// Clients; each has one operation in flight, or a few.
    pub clients: usize,
    /// Operations that a client has in flight.
    pub pipeline: usize,
    /// Whether some operations touch several keys: these join keys into one history, which the
    /// checker can only decide while few operations overlap.
    pub has_multi_key: bool,
    /// Keys that the clients share.
    pub hot_keys: u64,
    /// How many of 100 operations touch a shared key; the others touch keys of their client.
    pub hot_percent: u32,
    /// One-way delay of a message, at least and at most.
    pub delay: (Micros, Micros),
    /// How many of 1,000 messages are lost while faults are on.
    pub loss_permille: u32,
    /// How many of 1,000 messages arrive twice.
    pub duplicate_permille: u32,
    /// How long a sync takes, at least and at most.
    pub sync: (Micros, Micros),
    /// What goes wrong, and when; ascending.
    pub faults: Vec<(Micros, Fault)>,
    /// The proposers' limits.
    pub proposer_limits: althing_proposer::Limits,
    /// The proposers' patience.
    pub proposer_timing: althing_proposer::Timing,
    /// The replicas' patience.
    pub replica_timing: althing_replica::Timing,
    /// How long a client waits for one node, and in all.
    pub client_patience: (Micros, Micros),
}

impl Plan {
    /// The plan of that seed, with that many operations.
    pub fn draw(seed: u64, operations: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let n = if rng.random_bool(0.5) { 3 } else { 5 };
        let f = rng.random_range(1..=(n - 1) / 2);
        let path = if rng.random_bool(0.6) { Path::Fast } else { Path::Classic };
        Self::draw_for(rng, seed, operations, n, f, path)
    }

    /// The plan of that seed for a given n, f and path.
    pub fn draw_with(seed: u64, operations: usize, n: u32, f: u32, path: Path) -> Self {
        Self::draw_for(ChaCha8Rng::seed_from_u64(seed), seed, operations, n, f, path)
    }

    fn draw_for(
        mut rng: ChaCha8Rng,
        seed: u64,
        operations: usize,
        n: u32,
        f: u32,
        path: Path,
    ) -> Self {
        let membership = draw_membership(&mut rng, n, f, path);
        let slowest = rng.random_range(2_000..150_000);
        let clients = rng.random_range(2..=8);
        let patience = 4 * slowest + 100_000;
        // The checker decides a history of one key while at most a dozen operations overlap.
        let pipeline = if rng.random_bool(0.3) { rng.random_range(1..=12 / clients) } else { 1 };
        Self {
            seed,
            operations,
            clients,
            pipeline,
            has_multi_key: clients * pipeline <= 5,
            hot_keys: rng.random_range(1..=3),
            hot_percent: *pick(&mut rng, &[5, 40, 90, 100]),
            delay: (slowest / rng.random_range(2..10), slowest),
            loss_permille: *pick(&mut rng, &[0, 0, 10, 100]),
            duplicate_permille: *pick(&mut rng, &[0, 0, 20, 200]),
            sync: (50, *pick(&mut rng, &[100, 1_000, 10_000])),
            faults: draw_faults(&mut rng, &membership, f as usize, operations, clients, slowest),
            proposer_limits: draw_limits(&mut rng),
            proposer_timing: althing_proposer::Timing {
                fast_path: slowest * rng.random_range(1..4) / 2,
                retry: 2 * slowest + 20_000,
                back_off: slowest,
                answer: 600_000_000,
            },
            replica_timing: althing_replica::Timing {
                recover: 2 * slowest + rng.random_range(10_000..500_000),
                catch_up: 1_000_000,
            },
            client_patience: (patience, 40 * patience),
            membership,
        }
    }
}

pub(crate) fn pick<'a, T>(rng: &mut impl Rng, of: &'a [T]) -> &'a T {
    &of[rng.random_range(0..of.len())]
}

/// All roles on every node, or, on the classic path, now and then each on nodes of its own.
fn draw_membership(rng: &mut impl Rng, n: u32, f: u32, path: Path) -> Membership {
    let mut roles: BTreeMap<NodeId, Vec<Role>> = BTreeMap::new();
    if path == Path::Classic && rng.random_bool(0.5) {
        let counts = [
            (Role::Dependency, n),
            (Role::Acceptor, n),
            (Role::Proposer, f + rng.random_range(1..3)),
            (Role::Replica, f + rng.random_range(1..3)),
        ];
        for (role, count) in counts {
            for _ in 0..count {
                roles.insert(NodeId(roles.len() as u32), vec![role]);
            }
        }
    } else {
        roles.extend((0..n).map(|node| (NodeId(node), Role::ALL.to_vec())));
    }
    Membership::new(Epoch(0), path, f as usize, roles).expect("drawn to fit")
}

fn draw_limits(rng: &mut impl Rng) -> althing_proposer::Limits {
    althing_proposer::Limits {
        in_flight_max: *pick(rng, &[1, 4, 1000]),
        queue_len_max: *pick(rng, &[2, 1000]),
        batch_len_max: *pick(rng, &[1, 1, 8]),
        batch_bytes_max: 1 << 16,
        batch_delay: *pick(rng, &[0, 0, 5_000]),
        reserve_len: *pick(rng, &[1, 4, 16]),
        chain_len_max: *pick(rng, &[1, 3, 1000]),
        recoveries_max: *pick(rng, &[1, 8, 100]),
    }
}

/// A proposer whose requests first miss one node, then all others, and which then stops: a chain of
/// its vertices has a middle that one node never saw, and an end that nobody else did.
fn strand(
    rng: &mut impl Rng,
    membership: &Membership,
    at: Micros,
    slowest: Micros,
    faults: &mut Vec<(Micros, Fault)>,
) -> Micros {
    let kind = match membership.path() {
        Path::Fast => Kind::PreAccept,
        Path::Classic => Kind::Depend,
    };
    let proposers: Vec<NodeId> = membership.with(Role::Proposer).collect();
    let node = *pick(rng, &proposers);
    let others: Vec<NodeId> =
        membership.with(Role::Dependency).filter(|other| *other != node).collect();
    let alone = at + rng.random_range(2..10) * slowest;
    let crash = alone + rng.random_range(1..6) * slowest;
    let back = crash + rng.random_range(10..20) * slowest + 1_000_000;
    let missed = *pick(rng, &others);
    faults.push((at, Fault::Mute { node, kind, to: Some(missed) }));
    faults.push((alone, Fault::Mute { node, kind, to: None }));
    faults.push((crash, Fault::Crash(node)));
    faults.push((crash, Fault::Heal(node)));
    faults.push((back, Fault::Restart(node)));
    back
}

/// The kinds that a mute node's messages may be of.
const MUTED: [Kind; 10] = [
    Kind::PreAccept,
    Kind::PreAccept,
    Kind::Depend,
    Kind::Depend,
    Kind::PreAccepted,
    Kind::Depended,
    Kind::Accept,
    Kind::Accepted,
    Kind::Promised,
    Kind::Commit,
];

/// Faults that the cluster must survive: at most f nodes are down or cut off at a time, or all are
/// restarted at once.
fn draw_faults(
    rng: &mut impl Rng,
    membership: &Membership,
    f: usize,
    operations: usize,
    clients: usize,
    slowest: Micros,
) -> Vec<(Micros, Fault)> {
    let nodes: Vec<NodeId> = membership.nodes().collect();
    // About as long as the clients take.
    let length = operations as u64 / clients as u64 * 3 * slowest + 1_000_000;
    let has_crashes = rng.random_bool(0.7);
    let has_partitions = rng.random_bool(0.4);
    let has_pauses = rng.random_bool(0.3);
    let has_mutes = rng.random_bool(0.6);
    let mut faults = Vec::new();
    let mut at = rng.random_range(0..length / 4 + 1);
    while at < length {
        let outage = rng.random_range(slowest..20 * slowest);
        let count = rng.random_range(1..=f);
        let mut victims = nodes.clone();
        while victims.len() > count {
            victims.remove(rng.random_range(0..victims.len()));
        }
        match rng.random_range(0..7) {
            0 | 1 if has_crashes => {
                for victim in victims {
                    faults.push((at, Fault::Crash(victim)));
                    faults.push((at + outage, Fault::Restart(victim)));
                }
            }
            2 if has_crashes && rng.random_bool(0.3) => {
                for victim in &nodes {
                    faults.push((at, Fault::Crash(*victim)));
                    let back = at + rng.random_range(0..slowest);
                    faults.push((back, Fault::Restart(*victim)));
                }
            }
            6 if has_mutes && has_crashes => {
                let end = strand(rng, membership, at, slowest, &mut faults);
                at = at.max(end);
            }
            // What the victims began is known to themselves alone, or to a few, when they stop.
            4 | 5 if has_mutes => {
                for victim in victims {
                    let kind = *pick(rng, &MUTED);
                    faults.push((at, Fault::Mute { node: victim, kind, to: None }));
                    if has_crashes {
                        let crash = at + rng.random_range(0..outage);
                        faults.push((crash, Fault::Crash(victim)));
                        faults.push((at + outage, Fault::Restart(victim)));
                    }
                    faults.push((at + outage, Fault::Heal(victim)));
                }
            }
            2 if has_pauses => {
                for victim in victims {
                    faults.push((at, Fault::Pause(victim, outage)));
                }
            }
            _ if has_partitions => {
                let one_way = rng.random_bool(0.4);
                for victim in victims {
                    faults.push((at, Fault::Cut { node: victim, one_way }));
                    faults.push((at + outage, Fault::Heal(victim)));
                }
            }
            _ => {}
        }
        at += outage + rng.random_range(0..length / 12 + 1);
    }
    faults.sort_by_key(|(at, _)| *at);
    faults
}
