//! A plan from a seed. Each family of faults is on or off; each limit is generous or as low as one;
//! each time-out is patient or hasty: what a mean run never meets, some seed meets all the time.

use super::{
    Builtin, Cut, DiskPlan, NetworkPlan, Plan, Profile, Workload, cluster, episodes, pruning,
    watching,
};
use crate::{Family, Level};
use althing_model::{Micros, NodeId};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn pick<'a, T>(rng: &mut impl Rng, of: &'a [T]) -> &'a T {
    &of[rng.random_range(0..of.len())]
}

pub(super) fn draw(seed: u64, operations: usize, profile: &Profile) -> Plan {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let membership = cluster::draw(rng, profile);
    let f = membership.acceptor_quorums().f();
    let slowest: Micros = rng.random_range(2_000..150_000);
    let workload = draw_workload(rng, operations, profile);
    let reads = draw_reads(seed);
    let workload = Workload { reads_percent: reads.percent, ..workload };
    let mut families = draw_families(rng, profile);
    let is_survivable = !rng.random_bool(0.05);
    if f == 1 && families.contains(&Family::Wipe) {
        // One disk is lost in one way.
        families.remove(&Family::BitRot);
    }
    let lost = draw_lost(rng, &membership.nodes().collect::<Vec<_>>(), f, &families, is_survivable);
    let has = |family| families.contains(&family);
    let network = NetworkPlan {
        delay: (slowest / rng.random_range(2..10), slowest),
        jitter: match has(Family::Reordering) {
            true => slowest * rng.random_range(1..5),
            false => slowest / 10 + 2,
        },
        is_ordered: !has(Family::Reordering),
        loss_permille: if has(Family::Loss) { *pick(rng, &[10, 100, 300]) } else { 0 },
        duplicate_permille: if has(Family::Duplication) { *pick(rng, &[20, 100, 300]) } else { 0 },
        replay_per_10k: if has(Family::Replay) { *pick(rng, &[20, 200]) } else { 0 },
        local: draw_local(seed, slowest),
        tail_permille: if has(Family::Reordering) { *pick(rng, &[1, 20]) } else { 0 },
    };
    let disk = DiskPlan {
        sync: (50, *pick(rng, &[100, 1_000, 10_000])),
        has_journal: has(Family::TornWrites) || has(Family::BitRot),
    };
    let context = episodes::Context {
        membership: &membership,
        families: &families,
        lost: &lost,
        victims_max: if is_survivable { f } else { membership.nodes().count() },
        slowest,
        workload: &workload,
    };
    let mut episodes = episodes::draw(rng, &context);
    // Now and then nobody has any patience, and now and then replicas have none: everything is
    // recovered while its own proposer is at it.
    let haste = *pick(rng, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 10, 10, 100]);
    let jealousy = *pick(rng, &[1, 1, 1, 1, 1, 1, 1, 1, 4, 20]);
    let patience = 4 * slowest + 100_000;
    let longest = slowest + network.jitter;
    // Half of the runs let better placed proposers have contended commands.
    let placements_max = *pick(rng, &[0, 0, 1, 64]);
    let context = pruning::Context {
        seed,
        operations,
        profile,
        membership: &membership,
        lost: &lost,
        slowest,
    };
    let pruning = pruning::draw(&context, &mut families, &mut episodes);
    let watching = watching::draw(seed, slowest);
    Plan {
        seed,
        snapshots: pruning.snapshots,
        watching: watching.plan,
        profile: profile.name,
        builtin: draw_builtin(rng, seed),
        network,
        disk,
        episodes,
        lost,
        is_survivable,
        encodes: rng.random_bool(0.2),
        cut: Cut::default(),
        proposer_limits: draw_limits(rng, placements_max),
        proposer_timing: althing_proposer::Timing {
            // As patient as that, a fast path may still be hoped for when others have recovered it.
            fast_path: slowest * rng.random_range(1..4) / 2 * *pick(rng, &[1, 1, 1, 40]) / haste,
            retry: (2 * slowest + 20_000) / haste.min(10),
            back_off: slowest / haste.min(10),
            answer: *pick(rng, &[20 * patience, 600_000_000]),
            distances: *pick(rng, &[500_000, 5_000_000]),
        },
        replica_limits: althing_replica::Limits {
            catch_up_len_max: *pick(rng, &[4, 16, 2048]),
            catch_up_bytes_max: *pick(rng, &[100, 1 << 20]),
            frontier_extras_max: *pick(rng, &[1, 1024]),
            demand_len_max: placements_max,
            watch: watching.limits,
            ..pruning.limits
        },
        replica_timing: althing_replica::Timing {
            recover: (2 * slowest + rng.random_range(10_000..500_000))
                / (haste.min(10) * jealousy).min(20),
            catch_up: *pick(rng, &[100_000, 1_000_000]),
            demand: *pick(rng, &[200_000, 20_000_000]),
            read: reads.patience.0 * longest + reads.patience.1,
            probe: reads.probe,
            barrier_least: pruning.barriers.0,
            barrier_most: pruning.barriers.1,
            watch_wait: watching.wait,
            watch_tell: watching.tell,
        },
        // Where commands are proposed one at a time, each waits for all clients' before it.
        client_patience: (patience, 40 * (patience + workload.clients as u64 * longest)),
        membership,
        workload,
        families,
    }
}

fn draw_workload(rng: &mut impl Rng, operations: usize, profile: &Profile) -> Workload {
    let clients = rng.random_range(2..=8);
    // A crowd is more than a search for an order could decide: the order of execution decides.
    let is_crowd = rng.random_bool(0.15);
    let pipeline = match is_crowd {
        true => rng.random_range(4..20),
        false if rng.random_bool(0.3) => rng.random_range(1..=12 / clients),
        false => 1,
    };
    Workload {
        operations,
        clients,
        pipeline,
        has_multi_key: rng.random_bool(0.5),
        reads_percent: 0,
        hot_keys: if profile.all_conflict { 1 } else { *pick(rng, &[1, 2, 3, 5, 10, 20]) },
        hot_percent: if profile.all_conflict { 100 } else { *pick(rng, &[5, 40, 90, 100]) },
        everything_permille: *pick(rng, &[0, 5, 100]),
    }
}

fn draw_families(rng: &mut impl Rng, profile: &Profile) -> BTreeSet<Family> {
    let share = *pick(rng, &[0.05, 0.2, 0.2, 0.4]);
    let mut families: BTreeSet<Family> = Family::ALL
        .iter()
        .copied()
        .filter(|it| !it.is_of_pruning() && rng.random_bool(share))
        .collect();
    // What finds most is on more often.
    for family in [Family::Crash, Family::Mute, Family::Strand, Family::Reordering] {
        if rng.random_bool(0.35) {
            families.insert(family);
        }
    }
    if families.contains(&Family::TornWrites) || families.contains(&Family::BitRot) {
        families.insert(Family::Crash);
    }
    if let Some(only) = &profile.families {
        families.retain(|family| only.contains(family));
    }
    families
}

/// Nodes that lose their disk, at least one in each way that the run has: at most f, but in a run of
/// which only safety is asserted.
fn draw_lost(
    rng: &mut impl Rng,
    nodes: &[NodeId],
    f: usize,
    families: &BTreeSet<Family>,
    is_survivable: bool,
) -> BTreeMap<NodeId, Family> {
    let ways: Vec<Family> = [Family::BitRot, Family::Wipe]
        .into_iter()
        .filter(|family| families.contains(family))
        .collect();
    let mut lost = BTreeMap::new();
    if ways.is_empty() {
        return lost;
    }
    let most = if is_survivable { f } else { nodes.len() };
    let count = rng.random_range(ways.len()..=most.max(ways.len()));
    while lost.len() < count {
        let way = ways[lost.len() % ways.len()];
        lost.entry(*pick(rng, nodes)).or_insert(way);
    }
    lost
}

/// In most runs the roles of a node hear from each other at once. Where they do not, messages from
/// elsewhere come in between. Drawn apart from the rest, whose runs stay as they are.
fn draw_local(seed: u64, slowest: Micros) -> Micros {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x10ca1);
    match rng.random_bool(0.2) {
        true => slowest / *pick(&mut rng, &[1, 10, 100]),
        false => 0,
    }
}

struct ReadsDrawn {
    percent: u32,
    /// So often the longest way of a message, and so much more.
    patience: (u64, Micros),
    probe: Micros,
}

/// Drawn apart from the rest, so that runs without reads stay as they are.
///
/// No read is given up before a majority can have answered: it would never be done.
fn draw_reads(seed: u64) -> ReadsDrawn {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x4ead5);
    let patience = *pick(&mut rng, &[(20, 100_000), (4, 50_000), (2, 20_000)]);
    ReadsDrawn {
        percent: *pick(&mut rng, &[0, 20, 50, 80]),
        patience,
        probe: *pick(&mut rng, &[0, 0, 200_000]),
    }
}

/// Of the runs of the store some have transactions: drawn apart from the rest, so that all else stays
/// as it is.
fn draw_builtin(rng: &mut impl Rng, seed: u64) -> Builtin {
    match rng.random_bool(0.3) {
        true => Builtin::Modes(rng.random_range(1..=4), rng.random(), draw_level(seed)),
        false if ChaCha8Rng::seed_from_u64(seed ^ 0x7a45ac).random_bool(0.2) => {
            Builtin::Transactions
        }
        false => Builtin::Store,
    }
}

/// Drawn apart from the rest, so that the runs on single resources stay as they are.
fn draw_level(seed: u64) -> Level {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x1e7e1);
    let levels = [Level::Resources, Level::Ranges, Level::Ranges, Level::Predicate, Level::Mixed];
    *pick(&mut rng, &levels)
}

fn draw_limits(rng: &mut impl Rng, placements_max: usize) -> althing_proposer::Limits {
    althing_proposer::Limits {
        in_flight_max: *pick(rng, &[1, 4, 1000]),
        queue_len_max: *pick(rng, &[1, 2, 1000, 1000, 1000]),
        batch_len_max: *pick(rng, &[1, 1, 8]),
        batch_bytes_max: *pick(rng, &[1, 1 << 16, 1 << 16]),
        batch_delay: *pick(rng, &[0, 0, 5_000]),
        reserve_len: *pick(rng, &[1, 4, 16]),
        chain_len_max: *pick(rng, &[1, 3, 1000]),
        recoveries_max: *pick(rng, &[1, 8, 100]),
        placements_max,
        ..althing_proposer::Limits::default()
    }
}
