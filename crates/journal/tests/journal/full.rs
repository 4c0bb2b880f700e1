//! A disk that fills: nothing committed is lost, and it is told before.

use std::io::ErrorKind;

use althing_journal::memory::MemoryDisk;
use althing_journal::{Disk, DiskFile, FileDisk, Journal, OpenError};

use crate::{Bodies, ME, append, open, small};

/// Commits until the disk is full; returns what was committed, and what was
/// waiting then.
fn fill(disk: &MemoryDisk, prepare: bool) -> (Bodies, Bodies) {
    let (mut journal, _, mut bodies) = open(disk).unwrap();
    loop {
        let committed = bodies.clone();
        append(&mut journal, &mut bodies, 700);
        let failed = match journal.commit() {
            Err(failed) => failed,
            Ok(_) if !prepare => continue,
            Ok(_) => match journal.prepare() {
                Err(failed) => {
                    assert!(failed.is_full());
                    return (bodies.clone(), bodies);
                }
                Ok(_) => continue,
            },
        };
        assert!(failed.is_full(), "{failed}");
        let again = journal.append(1, b"more").unwrap_err();
        assert!(again.to_string().contains("the disk is full"), "{again}");
        return (committed, bodies);
    }
}

/// Broken: a full disk would cost a promise that was answered for, or the
/// journal would not open again once there is space.
#[test]
fn a_full_disk_stops_the_journal_and_loses_nothing_committed() {
    // At every size, so that each write and allocation is the one that fails.
    for capacity in (17 * 512..70 * 512).step_by(100) {
        for prepare in [false, true] {
            let disk = MemoryDisk::new();
            disk.set_capacity(Some(capacity));
            let (committed, waiting) = fill(&disk, prepare);
            assert!(disk.free().unwrap().unwrap() < 16 * 512, "{capacity}");
            for seed in 0..4 {
                let disk = disk.fork();
                match seed {
                    0 => disk.kill(),
                    _ => disk.crash(&mut |of| seed % of),
                }
                // While it is full, opening fails or not; either way nothing is lost.
                if let Err(error) = open(&disk) {
                    let OpenError::Io { source, .. } = &error else { panic!("{error}") };
                    assert_eq!(source.kind(), ErrorKind::StorageFull);
                }
                disk.set_capacity(None);
                let (mut journal, _, seen) = open(&disk).unwrap();
                assert!(seen == committed || seen == waiting, "{capacity} {prepare} {seed}");
                let mut bodies = seen;
                append(&mut journal, &mut bodies, 2000);
                journal.close().unwrap();
                assert_eq!(open(&disk).unwrap().2, bodies);
            }
        }
    }
}

/// Broken: a journal on a disk without room for its first segment would leave
/// something that no later open accepts.
#[test]
fn a_journal_that_found_no_room_is_made_later() {
    for capacity in 0..16 * 512 + 200 {
        let disk = MemoryDisk::new();
        disk.set_capacity(Some(capacity));
        if let Err(error) = open(&disk) {
            assert!(error.to_string().contains("the disk is full"), "{error}");
            disk.set_capacity(None);
            assert_eq!(open(&disk).unwrap().2, []);
        } else {
            assert!(capacity >= 16 * 512);
        }
    }
}

/// Broken: trimming would not make room, so that a node that stopped accepting
/// could never go on.
#[test]
fn trimming_makes_room() {
    let disk = MemoryDisk::new();
    let (mut journal, _, mut bodies) = open(&disk).unwrap();
    for _ in 0..30 {
        append(&mut journal, &mut bodies, 2000);
        journal.commit().unwrap();
    }
    assert_eq!(disk.free().unwrap(), None);
    disk.set_capacity(Some(1 << 20));
    let before = disk.free().unwrap().unwrap();
    let removed = journal.trim(journal.durable()).unwrap();
    disk.sync_directory().unwrap();
    assert_eq!(disk.free().unwrap().unwrap(), before + removed * 16 * 512);
}

/// Broken: a disk in memory would let a test pass that a full disk fails.
#[test]
fn a_memory_disk_takes_what_it_has_room_for() {
    let disk = MemoryDisk::new();
    disk.set_capacity(Some(1000));
    let mut file = disk.create("a").unwrap();
    file.write_at(&[1; 600], 0).unwrap();
    assert_eq!(disk.free().unwrap(), Some(400));
    assert_eq!(file.allocate(1001).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(file.len().unwrap(), 600);
    file.allocate(800).unwrap();
    let mut other = disk.create("b").unwrap();
    assert_eq!(other.write_at(&[2; 300], 0).unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!(disk.bytes("b"), [2; 200]);
    // What is there can be written over.
    file.write_at(&[3; 800], 0).unwrap();
    assert_eq!(disk.free().unwrap(), Some(0));
    disk.remove("a").unwrap();
    disk.sync_directory().unwrap();
    assert_eq!(disk.free().unwrap(), Some(800));
}

/// Broken: a node would be told that its disk is full, or never is, on a real file
/// system.
#[test]
fn a_real_disk_says_what_is_free() {
    let directory = tempfile::tempdir().unwrap();
    let disk = FileDisk::new(directory.path().join("journal"));
    assert_eq!(disk.free().unwrap_err().kind(), ErrorKind::NotFound);
    let (journal, _) = Journal::open(disk.clone(), ME, small(), |_| Ok(())).unwrap();
    let free = disk.free().unwrap().unwrap();
    assert!(free > 1 << 20, "{free} bytes are free");
    assert_eq!(free % 512, 0);
    journal.close().unwrap();
}
