//! Directories that are not this node's, not of this version, or in use.

use althing_journal::memory::MemoryDisk;
use althing_journal::{Identity, Journal, OpenError, Options, verify_disk};

use crate::{ME, open, segment, small, written};

fn refused(disk: &MemoryDisk, identity: Identity, options: Options) -> OpenError {
    Journal::open(disk.clone(), identity, options, |_| Ok(())).map(drop).unwrap_err()
}

/// Broken: a node would vote with another's memory after a mix-up of mounts.
#[test]
fn another_nodes_journal_is_refused() {
    let (disk, journal, _) = written(&[&[10]]);
    drop(journal);
    let error = refused(&disk, Identity { node: 4, ..ME }, small());
    assert!(matches!(error, OpenError::OtherNode { found: 3, expected: 4, .. }));
    assert!(error.to_string().starts_with("superblock belongs to node 3, not 4"), "{error}");
}

/// Broken: a staging node could start on production data.
#[test]
fn another_clusters_journal_is_refused() {
    let (disk, journal, _) = written(&[&[10]]);
    drop(journal);
    let error = refused(&disk, Identity { cluster: [0xab; 16], ..ME }, small());
    assert!(matches!(&error, OpenError::OtherCluster { .. }));
    assert!(error.to_string().contains(&"ab".repeat(16)), "{error}");
}

/// Broken: one segment file of another node would be replayed among our own.
#[test]
fn another_nodes_segment_is_refused() {
    let (disk, journal, _) = written(&[&[10]]);
    drop(journal);
    let others = MemoryDisk::new();
    let them = Identity { node: 4, ..ME };
    let (mut journal, _) = Journal::open(others.clone(), them, small(), |_| Ok(())).unwrap();
    journal.append(1, b"theirs").unwrap();
    journal.commit().unwrap();
    let theirs = others.bytes(&segment(1));
    let image = disk.fork();
    image.edit(&segment(1), |bytes| bytes.clone_from(&theirs));
    let error = refused(&image, ME, small());
    assert!(matches!(error, OpenError::OtherNode { file, found: 4, .. } if file == segment(1)));
    // Also without its header.
    disk.edit(&segment(1), |bytes| bytes[512..].copy_from_slice(&theirs[512..]));
    assert!(matches!(refused(&disk, ME, small()), OpenError::Damaged { offset: 512, .. }));
}

/// Broken: an old program would misread a newer journal, or call it damaged.
#[test]
fn another_format_version_is_named() {
    let (disk, journal, _) = written(&[&[10]]);
    drop(journal);
    for (found, len) in [(0_u32, 128), (2, 128), (7, 300)] {
        let disk = disk.fork();
        disk.edit("superblock", |bytes| {
            bytes[8..12].copy_from_slice(&found.to_le_bytes());
            bytes.resize(len, 0);
            let checksum = crc32c::crc32c(&bytes[..len - 4]);
            bytes[len - 4..].copy_from_slice(&checksum.to_le_bytes());
        });
        let error = refused(&disk, ME, small());
        assert!(matches!(error, OpenError::Version { supported: 1, .. }), "{error}");
        assert!(error.to_string().contains(&format!("version {found},")), "{error}");
    }
}

/// Broken: a superblock of any content would be believed, or panic.
#[test]
fn a_damaged_superblock_is_refused() {
    let (disk, journal, _) = written(&[&[10]]);
    drop(journal);
    for len in (0..128).chain([129, 4096, 5000]) {
        let disk = disk.fork();
        disk.edit("superblock", |bytes| bytes.resize(len, 0));
        assert!(matches!(refused(&disk, ME, small()), OpenError::DamagedSuperblock { .. }));
    }
}

/// Broken: a directory that lost its superblock would get a new journal.
#[test]
fn a_missing_superblock_is_not_a_new_journal() {
    let (disk, journal, _) = written(&[&[10]]);
    drop(journal);
    disk.lose("superblock");
    assert!(matches!(refused(&disk, ME, small()), OpenError::MissingSuperblock { .. }));
}

/// Broken: a node that once promised something would start from an empty disk.
#[test]
fn an_empty_directory_is_refused_where_a_journal_must_be() {
    let disk = MemoryDisk::new();
    let options = Options { create: false, ..small() };
    assert!(matches!(refused(&disk, ME, options.clone()), OpenError::Missing { .. }));
    assert!(disk.names().is_empty());
    assert!(matches!(verify_disk(&disk), Err(OpenError::Missing { .. })));
    open(&disk).unwrap();
    Journal::open(disk, ME, options, |_| Ok(())).unwrap();
}

/// Broken: two processes would write one journal.
#[test]
fn a_directory_in_use_is_refused() {
    let (disk, journal, _) = written(&[&[10]]);
    assert!(matches!(refused(&disk, ME, small()), OpenError::Locked { .. }));
    assert!(matches!(verify_disk(&disk), Err(OpenError::Locked { .. })));
    drop(journal);
    verify_disk(&disk).unwrap();
    open(&disk).unwrap();
}

/// Broken: a check would change what it checks.
#[test]
fn verify_changes_nothing() {
    let (disk, journal, _) = written(&[&[10], &[600]]);
    drop(journal);
    // A torn group: its second sector never arrived.
    disk.edit(&segment(1), |bytes| bytes[1536..2048].fill(0));
    let before = disk.bytes(&segment(1));
    let report = verify_disk(&disk).unwrap();
    assert_eq!((report.records, report.torn_bytes, report.closed), (1, 512, false));
    assert_eq!(disk.bytes(&segment(1)), before);
}
