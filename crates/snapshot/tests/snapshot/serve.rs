//! What a peer may ask for.

use althing_journal::memory::MemoryDisk;
use althing_snapshot::limits::CHUNK_BYTES;
use althing_snapshot::{Ask, Refusal, SnapshotError, serve};

use crate::{LARGE, file, open, pieces, write};

/// Broken: a peer could make the node allocate what it likes, or read outside of
/// the file.
#[test]
fn an_ask_out_of_bounds_is_refused_before_anything_is_read() {
    let disk = MemoryDisk::new();
    let (store, _) = open(&disk, 2);
    let len = write(&store, 1, &pieces(1, LARGE)).unwrap().len;
    let reads = disk.count(althing_journal::memory::Operation::Read);
    for (offset, len) in [
        (0, 0),
        (0, CHUNK_BYTES as u32 + 1),
        (0, u32::MAX),
        (len, 1),
        (len - 1, 2),
        (u64::MAX, 1),
        (u64::MAX - 5, 6),
    ] {
        let refused = serve(&store, Ask { number: 1, offset, len }).unwrap_err();
        assert!(matches!(refused, Refusal::Range { .. }), "{offset} {len}: {refused}");
    }
    for number in [0, 2, u64::MAX] {
        let refused = serve(&store, Ask { number, offset: 0, len: 1 }).unwrap_err();
        assert!(matches!(refused, Refusal::Gone { .. }), "{refused}");
    }
    assert_eq!(disk.count(althing_journal::memory::Operation::Read), reads);
}

/// Broken: a peer would get other bytes than it asked for.
#[test]
fn what_is_served_are_the_bytes_of_the_file() {
    let disk = MemoryDisk::new();
    let (store, _) = open(&disk, 2);
    let len = write(&store, 1, &pieces(1, LARGE)).unwrap().len;
    let bytes = disk.bytes(&file(1));
    for (offset, len) in [(0, 1), (0, CHUNK_BYTES as u32), (70_001, 333), (len - 64, 64)] {
        let mut chunk = serve(&store, Ask { number: 1, offset, len }).unwrap();
        assert_eq!(chunk.bytes, bytes[offset as usize..offset as usize + len as usize]);
        assert!(chunk.is_whole());
        chunk.offset += 1;
        assert!(!chunk.is_whole());
    }
    disk.edit(&file(1), |bytes| bytes.truncate(100));
    let failed = serve(&store, Ask { number: 1, offset: 90, len: 20 }).unwrap_err();
    assert!(matches!(failed, Refusal::Failed(SnapshotError::Damaged { .. })), "{failed}");
}
