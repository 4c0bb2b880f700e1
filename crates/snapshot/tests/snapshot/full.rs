//! A disk that fills: the journal's space is left alone, and what is finished.

use std::io::ErrorKind;

use althing_journal::Disk;
use althing_journal::memory::MemoryDisk;
use althing_snapshot::limits::{FREE_BYTES_MIN, SYNC_BYTES};
use althing_snapshot::{Piece, SnapshotError};

use crate::world::{A, Faults, World, fetch};
use crate::{HUGE, SMALL, numbers, open, pieces, read, write};

/// Broken: a large snapshot would take the space that the journal needs, and the
/// node stop.
#[test]
fn a_snapshot_leaves_space_for_the_journal() {
    let disk = MemoryDisk::new();
    let (store, _) = open(&disk, 2);
    write(&store, 1, &pieces(1, SMALL)).unwrap();
    let used = disk.bytes("snapshot-0000000000000001").len() as u64;
    disk.set_capacity(Some(FREE_BYTES_MIN + used + 2 * SYNC_BYTES));
    let mut draft = store.begin(2).unwrap();
    let piece = Piece { kind: 1, bytes: vec![7; 1 << 20].into() };
    let full = (0..).find_map(|_| draft.push(&piece).err()).unwrap();
    assert!(matches!(full, SnapshotError::Full { .. }), "{full}");
    assert!(draft.body_len() <= 3 * SYNC_BYTES);
    drop(draft);
    // What it had taken is free again.
    disk.sync_directory().unwrap();
    assert_eq!(disk.free().unwrap(), Some(FREE_BYTES_MIN + 2 * SYNC_BYTES));

    disk.set_capacity(Some(FREE_BYTES_MIN));
    let full = store.begin(2).unwrap_err();
    assert!(full.to_string().contains("and a snapshot leaves 268435456 to the journal"), "{full}");
    let mut world = World::new(1, Faults::default());
    world.peer(A, 7, &pieces(7, HUGE));
    let full = world.run(&mut fetch(&store)).unwrap_err();
    assert!(matches!(full, SnapshotError::Full { .. }), "{full}");
    assert_eq!(read(&store, 1).unwrap(), pieces(1, SMALL));
    assert_eq!(disk.names().len(), 1);
}

/// Broken: a draft that met a full disk, or is given up, would keep the disk full.
#[test]
fn a_draft_that_is_not_finished_takes_no_space() {
    let disk = MemoryDisk::new();
    let (store, _) = open(&disk, 2);
    for (step, after) in [("write", 0), ("write", 1), ("sync", 0), ("abandon", 0)] {
        let mut draft = store.begin(3).unwrap();
        pieces(3, &[300_000]).iter().for_each(|piece| draft.push(piece).unwrap());
        let operation = match step {
            "write" => althing_journal::memory::Operation::Write,
            _ => althing_journal::memory::Operation::Sync,
        };
        if step == "abandon" {
            draft.abandon().unwrap();
        } else {
            disk.fail(operation, after, ErrorKind::StorageFull);
            draft.finish().unwrap_err();
        }
        assert!(disk.names().is_empty(), "{step} {after}");
    }
    write(&store, 3, &pieces(3, SMALL)).unwrap();
    assert_eq!(numbers(&store.list()), [3]);
}
