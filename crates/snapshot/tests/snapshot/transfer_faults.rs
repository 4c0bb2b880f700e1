//! Networks and peers that cannot be trusted.

use std::collections::BTreeSet;

use althing_journal::memory::MemoryDisk;
use althing_model::NodeId;
use althing_snapshot::limits::{FAULTS_MAX, SNAPSHOT_BYTES_MAX};
use althing_snapshot::{Ask, Chunk, Digest, Offer, SnapshotError, Store, Taken, serve};
use proptest::prelude::*;

use crate::world::{A, B, Faults, World, fetch};
use crate::{CLUSTER, HUGE, LARGE, open, pieces, read, write};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Broken: some order of lost, doubled, late and changed messages would end a
    /// transfer, or put a wrong byte into the file.
    #[test]
    fn a_bad_network_delays_and_no_more(
        seed in any::<u64>(),
        lost in 0_u32..400,
        doubled in 0_u32..400,
        changed in 0_u32..200,
        delay_us in 0_u64..3_000_000,
        peers in 1_u32..4,
    ) {
        let mut world = World::new(seed, Faults { lost, doubled, changed, delay_us });
        for peer in 0..peers {
            world.peer(NodeId(peer), 7, &pieces(7, HUGE));
        }
        let (store, _) = open(&MemoryDisk::new(), 2);
        world.run(&mut fetch(&store)).unwrap();
        prop_assert_eq!(read(&store, 7).unwrap(), pieces(7, HUGE));
    }

    /// Broken: bytes that a peer made up would pass, if their checksum is right.
    #[test]
    fn what_a_peer_makes_up_is_never_taken(
        number in 6_u64..9,
        offset in prop_oneof![0_u64..14, Just(20), any::<u64>()].prop_map(|at| at.wrapping_mul(262_144)),
        shift in 0_u64..3,
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        is_long in any::<bool>(),
    ) {
        let mut world = World::new(1, Faults::default());
        world.peer(A, 7, &pieces(7, HUGE));
        let (store, _) = open(&MemoryDisk::new(), 2);
        let mut fetch = fetch(&store);
        world.offer(&mut fetch);
        let mut bytes = bytes;
        if is_long {
            bytes.resize(262_144, 7);
        }
        let made_up = Chunk::new(number, offset.wrapping_add(shift), bytes.into());
        for _ in 0..2 {
            world.step(&mut fetch).unwrap();
            prop_assert_ne!(fetch.on_chunk(A, &made_up).unwrap(), Taken::Kept);
            prop_assert_eq!(fetch.on_chunk(B, &made_up).unwrap(), Taken::Unasked);
        }
    }
}

/// Broken: a bad link would make the only peer that has the snapshot pass for a
/// liar, and its offer be forgotten.
#[test]
fn what_is_changed_on_the_way_is_no_fault_of_the_peers() {
    let mut world = World::new(1, Faults::default());
    let offer = world.peer(A, 7, &pieces(7, HUGE));
    let (store, _) = open(&MemoryDisk::new(), 2);
    let mut fetch = fetch(&store);
    fetch.on_offer(A, offer);
    let mut changed_once = BTreeSet::new();
    while fetch.finished().is_none() {
        let asks = fetch.poll(0).unwrap();
        assert!(!asks.is_empty());
        for (_, ask) in asks {
            let chunk = serve(&world.peers[&A], ask).unwrap();
            let mut changed = chunk.clone();
            changed.checksum ^= 1;
            if changed_once.insert(ask.offset) {
                assert_eq!(fetch.on_chunk(A, &changed).unwrap(), Taken::Damaged);
            }
            assert_eq!(fetch.on_chunk(A, &chunk).unwrap(), Taken::Kept);
        }
    }
    assert!(changed_once.len() > FAULTS_MAX as usize);
}

/// Flips a byte of every chunk, not of the tail.
fn lie_in_the_body(ask: &Ask, bytes: &mut [u8]) {
    if ask.len == 262_144 {
        bytes[77] ^= 1;
    }
}

/// Flips a byte of the hashes.
fn lie_in_the_tail(ask: &Ask, bytes: &mut [u8]) {
    if ask.offset > 3_000_000 {
        bytes[5] ^= 1;
    }
}

/// Broken: a peer with a rotten or a forged file would keep a node from ever
/// getting a snapshot, though another has it.
#[test]
fn a_lying_peer_is_found_and_another_asked() {
    for lie in [lie_in_the_body, lie_in_the_tail] {
        let mut world = World::new(1, Faults::default());
        world.peer(A, 7, &pieces(7, HUGE));
        world.peer(B, 7, &pieces(7, HUGE));
        world.lies.insert(A, lie);
        let (store, _) = open(&MemoryDisk::new(), 2);
        let mut fetch = fetch(&store);
        world.offer(&mut fetch);
        while !world.taken.contains(&Taken::Damaged) {
            world.step(&mut fetch).unwrap();
        }
        let of_a = |world: &World| world.asked.iter().filter(|(peer, _)| *peer == A).count();
        let asked = of_a(&world);
        world.run(&mut fetch).unwrap();
        assert_eq!(read(&store, 7).unwrap(), pieces(7, HUGE));
        assert_eq!(of_a(&world), asked, "after the first lie it is asked no more");
    }
}

/// Broken: a lone lying peer would be asked without end.
#[test]
fn a_lone_liars_offer_is_forgotten() {
    for lie in [lie_in_the_body, lie_in_the_tail] {
        let mut world = World::new(1, Faults::default());
        world.peer(A, 7, &pieces(7, HUGE));
        world.lies.insert(A, lie);
        let (store, _) = open(&MemoryDisk::new(), 2);
        let mut fetch = fetch(&store);
        world.offer(&mut fetch);
        while world.step(&mut fetch).unwrap() {}
        assert!(fetch.is_starved() && store.list().is_empty());
        let found = world.taken.iter().filter(|taken| **taken == Taken::Damaged).count();
        assert_eq!(found as u32, FAULTS_MAX);
    }
}

/// Broken: a consistent file that is no snapshot of ours would be installed, or
/// fetched again and again.
#[test]
fn another_clusters_snapshot_is_refused_once_and_for_all() {
    let mut world = World::new(1, Faults::default());
    let (other, _) = Store::open(MemoryDisk::new(), *b"another cluster.", 2).unwrap();
    let offer = write(&other, 9, &pieces(9, LARGE)).unwrap();
    world.peers.insert(A, other);
    let disk = MemoryDisk::new();
    let (store, _) = open(&disk, 2);
    let mut fetch = fetch(&store);
    let refused = world.run(&mut fetch).unwrap_err();
    assert!(matches!(refused, SnapshotError::OtherCluster { .. }), "{refused}");
    assert!(!fetch.on_offer(A, offer) && fetch.is_starved());
    assert!(disk.names().is_empty());

    let ours = world.peer(B, 7, &pieces(7, LARGE));
    assert_eq!(world.run(&mut fetch).unwrap(), ours);
    assert_eq!(store.cluster(), CLUSTER);
}

/// Broken: an offer would make the node allocate or write without bound.
#[test]
fn an_offer_that_no_file_can_keep_is_refused() {
    let (store, _) = open(&MemoryDisk::new(), 2);
    let mut fetch = fetch(&store);
    let digest = Digest([1; 32]);
    for len in [0, 64, 159, 262_144 + 32 + 64 + 1, SNAPSHOT_BYTES_MAX + 1, u64::MAX] {
        assert!(!fetch.on_offer(A, Offer { number: 7, len, digest }), "{len}");
    }
    assert!(fetch.is_starved());
    for number in 0..100 {
        assert!(fetch.on_offer(A, Offer { number, len: 160, digest }));
    }
    // The newest few are remembered.
    let asks = fetch.poll(0).unwrap();
    assert_eq!(asks[0].1.number, 99);
    (96..100).for_each(|number| fetch.on_refused(A, number));
    assert_eq!(fetch.poll(0).unwrap(), []);
    assert!(fetch.is_starved());
}
