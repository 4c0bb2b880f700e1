//! Power cuts and kills: a synced point comes back, and can be gone on from.

use std::io::ErrorKind;

use althing_journal::memory::{MemoryDisk, Operation};

use crate::{Bodies, append, open, segment, written};

/// A disk whose last group was written but not synced, what was synced, and
/// the group with it.
fn unsynced(groups: &[&[usize]], last: &[usize]) -> (MemoryDisk, Bodies, Bodies) {
    let (disk, mut journal, synced) = written(groups);
    let mut all = synced.clone();
    for len in last {
        append(&mut journal, &mut all, *len);
    }
    disk.fail(Operation::Sync, 0, ErrorKind::Other);
    journal.commit().unwrap_err();
    drop(journal);
    (disk, synced, all)
}

/// Opens after a crash, and shows that the journal can be written on.
fn reopen(disk: &MemoryDisk) -> (Bodies, u64) {
    let (mut journal, recovered, mut seen) = open(disk).unwrap();
    let found = seen.clone();
    append(&mut journal, &mut seen, 900);
    journal.commit().unwrap();
    drop(journal);
    let (_, again, reread) = open(disk).unwrap();
    assert_eq!((reread, again.truncated_bytes), (seen, 0));
    (found, recovered.truncated_bytes)
}

/// Broken: a power cut in the middle of a write would keep the node from
/// starting, or give it records that are half there.
#[test]
fn a_tail_torn_at_any_byte_recovers_to_a_synced_point() {
    let (disk, synced, all) = unsynced(&[&[30], &[700, 5]], &[40, 900, 3]);
    let len = 3 * 512;
    for kept in 0..=len {
        let disk = disk.fork();
        disk.crash_after_bytes(kept);
        let (found, truncated) = reopen(&disk);
        // Without the last bytes of the end mark, all records are there.
        if kept > len - 4 {
            assert_eq!((found, truncated), (all.clone(), 0), "{kept} bytes kept");
        } else {
            assert_eq!(found, synced, "{kept} bytes kept");
            assert_eq!(truncated, kept.next_multiple_of(512), "{kept} bytes kept");
        }
    }
}

/// Broken: a disk that writes sectors in its own order would leave a state that
/// is refused, or half believed.
#[test]
fn a_tail_torn_into_any_set_of_sectors_recovers_to_a_synced_point() {
    let (disk, synced, all) = unsynced(&[&[30], &[700, 5]], &[1000, 2048]);
    let sectors = 7;
    for kept in 0_u32..1 << sectors {
        let disk = disk.fork();
        let mut asked = 0;
        disk.crash(&mut |of| {
            asked += 1;
            match asked {
                1 => 3, // Sector by sector.
                at if at <= 1 + sectors => u64::from(kept >> (at - 2) & 1),
                _ => of - 1,
            }
        });
        let (found, _) = reopen(&disk);
        let want = if kept == (1 << sectors) - 1 { &all } else { &synced };
        assert_eq!(&found, want, "sectors {kept:#b}");
    }
}

/// Broken: what a killed process had written, and the next one acted upon,
/// could still be lost by a power cut.
#[test]
fn what_an_open_replayed_is_durable() {
    let (disk, _, all) = unsynced(&[&[30]], &[40, 900]);
    disk.kill();
    let (journal, _, seen) = open(&disk).unwrap();
    assert_eq!(seen, all);
    drop(journal);
    disk.crash(&mut |_| 0);
    assert_eq!(open(&disk).unwrap().2, all);
}

/// Broken: a second cut during the repair of the first would be taken for
/// damage.
#[test]
fn a_crash_during_the_repair_is_repaired() {
    let (disk, synced, _) = unsynced(&[&[30]], &[40, 2000]);
    disk.crash_after_bytes(1700);
    for failing in [Operation::Write, Operation::Sync, Operation::Create, Operation::Rename] {
        for choice in 0..64_u64 {
            let disk = disk.fork();
            disk.fail(failing, 0, ErrorKind::Other);
            assert!(open(&disk).is_err());
            let mut asked = 0;
            disk.crash(&mut |of| {
                asked += 1;
                (choice >> asked) % of
            });
            assert_eq!(reopen(&disk).0, synced, "{failing:?} {choice}");
        }
    }
}

/// Broken: a crash at some step of making a journal, or of starting a segment,
/// would leave a directory that no later open accepts.
#[test]
fn a_crash_at_each_step_of_a_new_segment_recovers() {
    const STEPS: [Operation; 7] = [
        Operation::Create,
        Operation::Allocate,
        Operation::Write,
        Operation::Sync,
        Operation::Rename,
        Operation::SyncDirectory,
        Operation::Remove,
    ];
    for (operation, after) in STEPS.into_iter().flat_map(|step| (0..4).map(move |at| (step, at))) {
        for choice in 0..16_u64 {
            let mut choose = |of: u64| choice % of;
            let disk = MemoryDisk::new();
            disk.fail(operation, after, ErrorKind::Other);
            drop(open(&disk));
            disk.clear_failures();
            disk.crash(&mut choose);
            assert_eq!(open(&disk).unwrap().2, []);

            let (disk, mut journal, mut bodies) = written(&[&[2048], &[2048], &[1000]]);
            let synced = bodies.clone();
            append(&mut journal, &mut bodies, 2048);
            disk.fail(operation, after, ErrorKind::Other);
            let committed = journal.commit().is_ok();
            drop(journal);
            disk.clear_failures();
            disk.crash(&mut choose);
            let (found, _) = reopen(&disk);
            let whole = found == bodies;
            assert!(whole || !committed && found == synced, "{operation:?} {after} {choice}");
        }
    }
}

/// Broken: segments whose trimming a crash interrupted would come back, or
/// would be missed.
#[test]
fn a_crash_while_trimming_leaves_a_journal_that_opens() {
    for (operation, after) in [
        (Operation::Create, 0),
        (Operation::Rename, 0),
        (Operation::Remove, 0),
        (Operation::Remove, 1),
    ] {
        for choice in 0..4 {
            let (disk, mut journal, bodies) = written(&[&[2000][..]; 12]);
            disk.fail(operation, after, ErrorKind::Other);
            journal.trim(journal.durable()).unwrap_err();
            drop(journal);
            disk.crash(&mut |of| choice % of);
            let (journal, _, seen) = open(&disk).unwrap();
            assert_eq!(seen, bodies[journal.first().0 as usize - 1..]);
            let kept = disk.names().into_iter().filter(|name| name.starts_with("journal")).min();
            assert!(journal.first().0 == 1 || kept > Some(segment(1)));
        }
    }
}
