//! A snapshot carried to another node: what is asked for, of whom, and what an
//! earlier life leaves for the next.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use althing_journal::FileDisk;
use althing_journal::memory::{MemoryDisk, Operation};
use althing_snapshot::limits::{ASKS_MAX, CHUNK_BYTES, LOSSES_MAX, TIMEOUT_US};
use althing_snapshot::{Ask, Fetch, Store, Taken, serve};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::world::{A, B, Faults, World, fetch};
use crate::{CLUSTER, HUGE, SMALL, numbers, open, pieces, read, write};

/// Chunks of a [`HUGE`] file, and its tail.
const PARTS: usize = 12 + 1;

/// Broken: the file would not be what the peer has, something be asked for twice,
/// or more be on its way than a link and a peer are meant to bear.
#[test]
fn a_snapshot_is_carried_whole_and_each_part_asked_for_once() {
    let mut world = World::new(1, Faults { delay_us: 5000, ..Faults::default() });
    let offer = world.peer(A, 7, &pieces(7, HUGE));
    let disk = MemoryDisk::new();
    let (store, _) = open(&disk, 2);
    let mut fetch = fetch(&store);
    assert!(fetch.is_starved() && fetch.wake_at().is_none());
    world.offer(&mut fetch);
    let mut received = 0;
    while fetch.finished().is_none() {
        world.step(&mut fetch).unwrap();
        assert!(world.asked.len() - world.taken.len() <= ASKS_MAX);
        if let Some(progress) = fetch.progress() {
            assert_eq!((progress.number, progress.source), (7, A));
            assert!((received..=progress.total).contains(&progress.received));
            received = progress.received;
        }
    }
    assert_eq!(fetch.finished(), Some(offer));
    assert_eq!(world.taken, [Taken::Kept; PARTS]);
    let asked: BTreeSet<u64> = world.asked.iter().map(|(_, ask)| ask.offset).collect();
    assert_eq!((asked.len(), world.asked.len()), (PARTS, PARTS));
    assert_eq!(store.list(), [offer]);
    assert_eq!(read(&store, 7).unwrap(), pieces(7, HUGE));
    assert_eq!(disk.names(), ["snapshot-0000000000000007"]);
    assert_eq!((fetch.poll(u64::MAX).unwrap(), fetch.wake_at()), (vec![], None));
}

/// Broken: what is fetched would be older than what is here, or than what the
/// others have pruned; or not the newest.
#[test]
fn the_newest_of_use_is_fetched() {
    let mut world = World::new(1, Faults::default());
    world.peer(A, 5, &pieces(5, SMALL));
    write(&world.peers[&A], 6, &pieces(6, SMALL)).unwrap();
    world.peer(B, 4, &pieces(4, SMALL));
    let (store, _) = open(&MemoryDisk::new(), 2);
    assert_eq!(world.run(&mut fetch(&store)).unwrap().number, 6);
    let mut again = fetch(&store);
    world.offer(&mut again);
    assert!(again.is_starved());

    let (store, _) = open(&MemoryDisk::new(), 2);
    let mut later = Fetch::new(store, 7, TIMEOUT_US);
    world.offer(&mut later);
    assert!(later.is_starved());
    assert_eq!(later.poll(0).unwrap(), []);
}

/// Broken: a lost message would hold a transfer up for ever, or be asked for
/// again at such a rate that a slow link never gets free.
#[test]
fn what_is_lost_is_asked_for_again_later_each_time() {
    let mut world = World::new(1, Faults::default());
    let offer = world.peer(A, 1, &pieces(1, SMALL));
    let (store, _) = open(&MemoryDisk::new(), 2);
    let mut fetch = fetch(&store);
    fetch.on_offer(A, offer);
    let mut now = 0;
    for round in 0..LOSSES_MAX {
        let asks = fetch.poll(now).unwrap();
        assert_eq!(asks.len(), 1, "the tail");
        let wait = TIMEOUT_US << round;
        assert_eq!(fetch.wake_at(), Some(now + wait));
        assert_eq!(fetch.poll(now + wait - 1).unwrap(), []);
        now += wait;
    }
    // The peer has failed too often, and nobody else is there.
    assert_eq!(fetch.poll(now).unwrap(), []);
    assert!(fetch.is_starved());
    assert_eq!(world.run(&mut fetch).unwrap(), offer);
}

/// Broken: when a peer dies, a transfer would begin anew though another has the
/// same file, or never end.
#[test]
fn another_peer_with_the_same_file_goes_on_where_the_first_was() {
    for ends in ["silent", "down", "gone"] {
        let mut world = World::new(1, Faults::default());
        world.peer(A, 7, &pieces(7, HUGE));
        world.peer(B, 7, &pieces(7, HUGE));
        let (store, _) = open(&MemoryDisk::new(), 2);
        let mut fetch = fetch(&store);
        world.offer(&mut fetch);
        while world.taken.len() < 3 {
            world.step(&mut fetch).unwrap();
        }
        assert!(world.asked.iter().all(|(peer, _)| *peer == A));
        match ends {
            "silent" => world.silence(A),
            "down" => {
                world.silence(A);
                fetch.on_peer_down(A);
            }
            _ => world.peers[&A].remove(7).unwrap(),
        }
        world.run(&mut fetch).unwrap();
        assert_eq!(read(&store, 7).unwrap(), pieces(7, HUGE));
        let of_b = world.asked.iter().filter(|(peer, _)| *peer == B).count();
        assert!((1..=PARTS - 3).contains(&of_b), "{ends}: {of_b} of the second");
    }
}

/// Broken: a transfer would stop when nobody has its file any more, or mix two.
#[test]
fn when_nobody_has_it_another_is_begun() {
    for (number, lens) in [(7, SMALL), (9, HUGE), (6, HUGE)] {
        let mut world = World::new(1, Faults::default());
        world.peer(A, 7, &pieces(7, HUGE));
        let disk = MemoryDisk::new();
        let (store, _) = open(&disk, 2);
        let mut fetch = fetch(&store);
        world.offer(&mut fetch);
        while world.taken.len() < 6 {
            world.step(&mut fetch).unwrap();
        }
        let other = world.peer(B, number, &pieces(number, lens));
        world.offer(&mut fetch);
        world.step(&mut fetch).unwrap();
        assert_eq!(fetch.progress().unwrap().source, A, "a newer one is no reason to change");
        world.silence(A);
        assert_eq!(world.run(&mut fetch).unwrap(), other);
        assert_eq!(read(&store, number).unwrap(), pieces(number, lens));
        assert_eq!(disk.names().len(), 1, "{:?}", disk.names());
    }
}

/// Broken: after a restart the node would fetch all of a large state again, or
/// believe what its disk lost or changed.
#[test]
fn a_later_life_fetches_only_what_is_not_here() {
    for taken in 1..PARTS {
        for seed in 0..6 {
            let mut world = World::new(seed, Faults { delay_us: 3000, ..Faults::default() });
            let offer = world.peer(A, 7, &pieces(7, HUGE));
            let disk = MemoryDisk::new();
            let (store, _) = open(&disk, 2);
            write(&store, 3, &pieces(3, SMALL)).unwrap();
            let mut first = fetch(&store);
            world.offer(&mut first);
            while world.taken.len() < taken {
                world.step(&mut first).unwrap();
            }
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            match seed {
                0 => disk.kill(),
                1 => disk.crash(&mut |_| 0),
                _ => disk.crash(&mut |of| rng.random_range(0..of)),
            }
            let fetched = disk.names().into_iter().find(|name| name.ends_with(".fetch"));
            if let Some(name) = fetched.filter(|_| seed == 2) {
                disk.edit(&name, |bytes| {
                    if let Some(byte) = bytes.get_mut(CHUNK_BYTES + 9) {
                        *byte ^= 1;
                    }
                });
            }

            let (store, listed) = open(&disk, 2);
            assert_eq!(numbers(&listed), [3]);
            assert_eq!(read(&store, 3).unwrap(), pieces(3, SMALL));
            let mut second = fetch(&store);
            let peer = world.peers.remove(&A).unwrap();
            let mut world = World::new(seed, world.faults).with_peer(A, peer);
            assert_eq!(world.run(&mut second).unwrap(), offer);
            assert_eq!(read(&store, 7).unwrap(), pieces(7, HUGE));
            assert_eq!(disk.names().len(), 2);
            if seed == 0 {
                assert_eq!(world.asked.len(), PARTS - taken, "after {taken}");
            }
            disk.crash(&mut |_| 0);
            assert_eq!(read(&open(&disk, 2).0, 7).unwrap(), pieces(7, HUGE));
        }
    }
}

/// Broken: a power cut at some step of fetching and installing would lose the
/// older snapshot, leave half of the new one, or keep the next life from fetching.
#[test]
fn a_crash_at_each_step_of_a_transfer_leaves_the_last_finished() {
    let begin = || {
        let mut world = World::new(1, Faults { delay_us: 3000, ..Faults::default() });
        world.peer(A, 7, &pieces(7, HUGE));
        let disk = MemoryDisk::new();
        let (store, _) = open(&disk, 1);
        write(&store, 3, &pieces(3, SMALL)).unwrap();
        (world, disk, store)
    };
    let steps = [
        Operation::Create,
        Operation::Write,
        Operation::Sync,
        Operation::Rename,
        Operation::SyncDirectory,
        Operation::Remove,
    ];
    let (mut world, disk, store) = begin();
    let before = steps.map(|step| disk.count(step));
    world.run(&mut fetch(&store)).unwrap();
    for (step, before) in steps.into_iter().zip(before) {
        let count = disk.count(step) - before;
        assert!(count > 0, "{step:?}");
        for after in 0..count {
            let (mut world, disk, store) = begin();
            disk.fail(step, after, ErrorKind::Other);
            let mut first = fetch(&store);
            world.run(&mut first).unwrap_err();
            drop((first, store));
            for seed in 0..12 {
                let disk = disk.fork();
                disk.clear_failures();
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                match seed {
                    0 => disk.crash(&mut |_| 0),
                    1 => disk.crash(&mut |of| of - 1),
                    2 => disk.kill(),
                    _ => disk.crash(&mut |of| rng.random_range(0..of)),
                }
                let (store, listed) = open(&disk, 1);
                let newest = listed[0].number;
                assert!(newest == 3 || newest == 7, "{step:?} {after}");
                let lens = if newest == 3 { SMALL } else { HUGE };
                assert_eq!(read(&store, newest).unwrap(), pieces(newest, lens));
                if newest == 3 {
                    world.run(&mut fetch(&store)).unwrap();
                }
                assert_eq!(read(&store, 7).unwrap(), pieces(7, HUGE), "{step:?} {after}");
                assert_eq!(disk.names().len(), 1);
            }
        }
    }
}

/// Broken: after a failed write the transfer would go on as if nothing were
/// missing, or never again.
#[test]
fn a_failing_disk_is_told_and_the_next_poll_begins_again() {
    for step in [Operation::Write, Operation::Sync, Operation::Create, Operation::Rename] {
        let mut world = World::new(1, Faults::default());
        world.peer(A, 7, &pieces(7, HUGE));
        let disk = MemoryDisk::new();
        let (store, _) = open(&disk, 2);
        let mut fetch = fetch(&store);
        disk.fail(step, 0, ErrorKind::StorageFull);
        let failed = world.run(&mut fetch).unwrap_err();
        assert!(failed.to_string().contains(".fetch"), "{failed}");
        assert!(fetch.progress().is_none() && disk.names().is_empty(), "{step:?}");
        world.run(&mut fetch).unwrap();
        assert_eq!(read(&store, 7).unwrap(), pieces(7, HUGE));
    }
}

/// Broken: this node's own, newer snapshot would be removed for one that was still
/// on its way, or the transfer go on for nothing.
#[test]
fn a_transfer_ends_when_as_new_a_snapshot_is_here() {
    let mut world = World::new(1, Faults::default());
    world.peer(A, 7, &pieces(7, HUGE));
    let disk = MemoryDisk::new();
    let (store, _) = open(&disk, 2);
    let mut fetch = fetch(&store);
    world.offer(&mut fetch);
    while world.taken.len() < 5 {
        world.step(&mut fetch).unwrap();
    }
    write(&store, 8, &pieces(8, SMALL)).unwrap();
    world.step(&mut fetch).unwrap();
    assert!(fetch.progress().is_none() && fetch.is_starved());
    // Its file goes with the next that is begun.
    write(&store, 9, &pieces(9, SMALL)).unwrap();
    assert_eq!(disk.names(), ["snapshot-0000000000000008", "snapshot-0000000000000009"]);
    let late = serve(&world.peers[&A], Ask { number: 7, offset: 0, len: 9 }).unwrap();
    assert_eq!(fetch.on_chunk(A, &late).unwrap(), Taken::Unasked);
}

/// Broken: a transfer would not work on a file system: a file with holes, renamed
/// while it is open.
#[test]
fn a_real_directory_takes_what_is_fetched() {
    let mut world = World::new(1, Faults::default());
    let offer = world.peer(A, 7, &pieces(7, HUGE));
    let directory = tempfile::tempdir().unwrap();
    let disk = FileDisk::new(directory.path());
    for asks_answered in [5, usize::MAX] {
        let (store, _) = Store::open(disk.clone(), CLUSTER, 2).unwrap();
        let mut fetch = Fetch::new(store.clone(), 0, TIMEOUT_US);
        fetch.on_offer(A, offer);
        let mut answered = 0;
        while fetch.finished().is_none() && answered < asks_answered {
            for (_, ask) in fetch.poll(0).unwrap().into_iter().rev() {
                let chunk = serve(&world.peers[&A], ask).unwrap();
                assert_eq!(fetch.on_chunk(A, &chunk).unwrap(), Taken::Kept);
                answered += 1;
            }
        }
        if fetch.finished().is_some() {
            assert_eq!(read(&store, 7).unwrap(), pieces(7, HUGE));
            assert!(answered < PARTS);
        }
    }
    assert_eq!(numbers(&Store::open(disk, CLUSTER, 2).unwrap().1), [7]);
}
