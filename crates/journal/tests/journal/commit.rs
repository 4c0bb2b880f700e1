//! Append, commit, segments, failures.

use std::io::ErrorKind;

use althing_journal::memory::{MemoryDisk, Operation};
use althing_journal::{
    AppendError, FileDisk, Journal, Lsn, OpenError, Options, verify, verify_disk,
};

use crate::{ME, append, body, open, segment, small, written};

/// Broken: replay would lose, reorder or change records, also across segments
/// and for records longer than a sector or empty.
#[test]
fn what_was_committed_comes_back_in_order() {
    let (disk, journal, bodies) =
        written(&[&[0], &[1, 487, 488, 489], &[2048], &[2000], &[5, 0, 0, 700], &[1500]]);
    journal.close().unwrap();
    let report = verify_disk(&disk).unwrap();
    let (journal, recovered, seen) = open(&disk).unwrap();
    assert_eq!(seen, bodies);
    assert_eq!(recovered.records, bodies.len() as u64);
    assert!(recovered.segments > 1 && recovered.closed && !recovered.created);
    assert_eq!((recovered.truncated_bytes, recovered.last), (0, journal.durable()));
    assert_eq!((report.records, report.segments), (recovered.records, recovered.segments));
    assert_eq!((report.bytes, report.last), (recovered.bytes, recovered.last));
}

/// Broken: the real disk would behave differently from the one in memory.
#[test]
fn a_real_directory_holds_a_journal() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made/on/demand");
    let (mut journal, recovered) =
        Journal::open(FileDisk::new(&path), ME, small(), |_| Ok(())).unwrap();
    assert!(recovered.created);
    for number in 1..=40 {
        journal.append(7, &body(number, 300)).unwrap();
        journal.commit().unwrap();
        journal.prepare().unwrap();
    }
    let in_use = Journal::open(FileDisk::new(&path), ME, small(), |_| Ok(()));
    assert!(matches!(in_use, Err(OpenError::Locked { .. })));
    assert!(matches!(verify(&path), Err(OpenError::Locked { .. })));
    drop(journal);

    assert_eq!(verify(&path).unwrap().records, 40);
    let mut next = 1;
    let (journal, recovered) = Journal::open(FileDisk::new(&path), ME, small(), |record| {
        assert_eq!((record.lsn, record.kind), (Lsn(next), 7));
        assert_eq!(record.body, body(next, 300));
        next += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!((next, recovered.closed), (41, false));
    journal.close().unwrap();
    assert!(verify(&path).unwrap().closed);
}

/// Broken: a batch would cost more than one write and one fsync, or a commit
/// without records would cost any.
#[test]
fn a_group_costs_one_write_and_one_sync() {
    let (disk, mut journal, mut bodies) = written(&[]);
    let counts = || (disk.count(Operation::Write), disk.count(Operation::Sync));
    let before = counts();
    for _ in 0..10 {
        append(&mut journal, &mut bodies, 100);
    }
    assert_eq!(counts(), before);
    assert_eq!(journal.durable(), Lsn::ZERO);
    assert_eq!(journal.commit().unwrap(), Lsn(10));
    assert_eq!(counts(), (before.0 + 1, before.1 + 1));
    assert_eq!(journal.commit().unwrap(), Lsn(10));
    assert_eq!(counts(), (before.0 + 1, before.1 + 1));
}

/// Broken: a process could go on after the kernel dropped a dirty page, and
/// acknowledge what is nowhere.
#[test]
fn a_failed_sync_or_write_poisons_for_ever() {
    for operation in [Operation::Sync, Operation::Write] {
        let (disk, mut journal, mut bodies) = written(&[&[10]]);
        append(&mut journal, &mut bodies, 10);
        disk.fail(operation, 0, ErrorKind::Other);
        let first = journal.commit().unwrap_err().to_string();
        assert!(first.contains(&segment(1)) && first.contains("injected"), "{first}");
        // The disk works again, the journal must not.
        assert_eq!(journal.commit().unwrap_err().to_string(), first);
        assert_eq!(journal.trim(Lsn(9)).unwrap_err().to_string(), first);
        assert_eq!(journal.prepare().unwrap_err().to_string(), first);
        assert!(matches!(journal.append(0, b""), Err(AppendError::Fatal(_))));
        assert_eq!(journal.durable(), Lsn(1));
        assert_eq!(journal.close().unwrap_err().to_string(), first);
    }
}

/// Broken: a full disk at the start of a segment would go unnoticed.
#[test]
fn a_segment_that_cannot_be_made_is_fatal_and_loses_nothing() {
    for operation in [Operation::Create, Operation::Allocate, Operation::Rename] {
        let (disk, mut journal, mut bodies) = written(&[&[2048], &[2048]]);
        append(&mut journal, &mut bodies, 2048);
        append(&mut journal, &mut bodies, 1000);
        disk.fail(operation, 0, ErrorKind::StorageFull);
        assert!(journal.commit().is_err());
        assert!(journal.commit().is_err());
        drop(journal);
        let (_, _, seen) = open(&disk).unwrap();
        assert_eq!(seen, bodies[..2]);
    }
}

/// Broken: a record could be accepted that no segment has room for, or memory
/// could grow without bound between commits.
#[test]
fn oversized_and_too_much_are_refused_and_leave_no_trace() {
    let (disk, mut journal, mut bodies) = written(&[]);
    let oversized = journal.append(1, &[1; 2049]).unwrap_err();
    assert!(matches!(oversized, AppendError::Oversized { len: 2049, max: 2048 }));
    append(&mut journal, &mut bodies, 2048);
    let full = journal.append(1, &[1; 2048]).unwrap_err();
    assert!(matches!(full, AppendError::Full { max: 4096, .. }));
    assert_eq!(journal.commit().unwrap(), Lsn(1));
    append(&mut journal, &mut bodies, 2048);
    journal.close().unwrap();
    assert_eq!(open(&disk).unwrap().2, bodies);
}

/// Broken: options that cannot work would show at the first large commit.
#[test]
fn contradicting_options_are_refused_before_anything_is_touched() {
    let disk = MemoryDisk::new();
    let options = Options { segment_bytes: 4096, ..Options::default() };
    let refused = Journal::open(disk.clone(), ME, options, |_| Ok(()));
    assert!(matches!(refused, Err(OpenError::Options(_))));
    assert!(disk.names().is_empty());
}

/// Broken: the log would grow for ever, or trimming would take records that
/// are still needed.
#[test]
fn trimming_removes_whole_segments_and_nothing_that_is_kept() {
    let (disk, mut journal, bodies) = written(&[&[2000][..]; 12]);
    let keep = Lsn(8);
    let removed = journal.trim(keep).unwrap();
    assert!(removed > 0 && journal.first() <= keep);
    assert_eq!(journal.trim(keep).unwrap(), 0);
    let first = journal.first();
    drop(journal);
    let (journal, recovered, seen) = open(&disk).unwrap();
    assert_eq!(seen, bodies[first.0 as usize - 1..]);
    assert_eq!((journal.first(), recovered.last), (first, Lsn(12)));
    assert_eq!(verify_disk(&disk.fork()).unwrap().first, first);
    assert!(!disk.names().contains(&segment(1)));
}

/// Broken: the commit that starts a segment would write all of its zeros.
#[test]
fn a_prepared_segment_costs_its_commit_no_zeros() {
    let (disk, mut journal, mut bodies) = written(&[&[2000], &[2000]]);
    while journal.prepare().unwrap() {}
    let before = disk.count(Operation::Write);
    append(&mut journal, &mut bodies, 2000);
    append(&mut journal, &mut bodies, 1400);
    journal.commit().unwrap();
    // Header, superblock, group.
    assert_eq!(disk.count(Operation::Write) - before, 3);
    assert_eq!(journal.durable(), Lsn(4));
    drop(journal);
    assert_eq!(open(&disk).unwrap().2, bodies);
}

/// Broken: a record that the caller cannot read would pass as replayed, or be
/// reported without a place to look at.
#[test]
fn a_visitor_that_fails_stops_the_open_with_the_place() {
    let (disk, journal, _) = written(&[&[600, 10]]);
    drop(journal);
    let refused = Journal::open(disk, ME, small(), |record| {
        if record.lsn == Lsn(2) { Err("unknown kind".into()) } else { Ok(()) }
    });
    let Err(OpenError::Visitor { file, offset, lsn, .. }) = refused else { panic!() };
    assert_eq!((file, lsn), (segment(1), Lsn(2)));
    // The first record fills its sector and 129 bytes of the next.
    assert_eq!(offset, 512 + 512 + 20 + (17 + 600 - 488));
}

/// Broken: a small segment of earlier options would refuse or split a group.
#[test]
fn options_may_change_between_opens() {
    let (disk, journal, bodies) = written(&[&[100]]);
    drop(journal);
    let options = Options { segment_bytes: 64 << 10, group_bytes_max: 32 << 10, ..small() };
    let (mut journal, _) = Journal::open(disk.clone(), ME, options, |_| Ok(())).unwrap();
    for number in 2..=12 {
        journal.append(number as u8, &body(number, 2048)).unwrap();
    }
    journal.commit().unwrap();
    drop(journal);
    let (_, recovered, seen) = open(&disk).unwrap();
    assert_eq!((recovered.segments, seen.len()), (2, 12));
    assert_eq!(seen[0], bodies[0]);
}
