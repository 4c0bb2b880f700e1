//! Rot, truncation, and files of others: never believed, always named.

use althing_journal::memory::MemoryDisk;
use althing_snapshot::{Damage, SnapshotError, Store};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{CLUSTER, LARGE, SMALL, file, numbers, open, pieces, read, write};

fn one(lens: &[usize]) -> MemoryDisk {
    let disk = MemoryDisk::new();
    write(&open(&disk, 2).0, 1, &pieces(1, lens)).unwrap();
    disk
}

/// The store refuses the file of this disk: at once, or when it is read.
fn check_refused(disk: &MemoryDisk, what: &str) {
    match Store::open(disk.clone(), CLUSTER, 2) {
        Err(error) => {
            assert!(error.to_string().starts_with(&file(1)), "{what}: {error}");
        }
        Ok((store, listed)) if listed.is_empty() => {
            let unusable = store.unusable();
            assert_eq!(unusable.len(), 1, "{what}");
            assert!(unusable[0].to_string().starts_with(&file(1)), "{what}: {}", unusable[0]);
        }
        Ok((store, _)) => {
            let error = store.verify(1).unwrap_err();
            assert!(matches!(error, SnapshotError::Damaged { .. }), "{what}: {error}");
        }
    }
}

/// Broken: a replica would start from a state of which a bit rotted.
#[test]
fn every_flipped_byte_is_found() {
    let disk = one(SMALL);
    let len = disk.bytes(&file(1)).len();
    for at in 0..len {
        for mask in [1, 0x80, 0xff] {
            let disk = disk.fork();
            disk.edit(&file(1), |bytes| bytes[at] ^= mask);
            check_refused(&disk, &format!("byte {at} ^ {mask}"));

            // And by a store that was open when it rotted.
            let error = opened_before(&disk, at, mask).verify(1).unwrap_err();
            assert!(matches!(error, SnapshotError::Damaged { .. }), "{error}");
        }
    }

    /// The store is opened before the byte changes.
    fn opened_before(changed: &MemoryDisk, at: usize, mask: u8) -> Store<MemoryDisk> {
        let disk = changed.fork();
        disk.edit(&file(1), |bytes| bytes[at] ^= mask);
        let (store, _) = open(&disk, 2);
        disk.edit(&file(1), |bytes| bytes[at] ^= mask);
        store
    }
}

/// Broken: the same of a file of several chunks, and of bytes that changed
/// together.
#[test]
fn changed_bytes_anywhere_in_a_long_file_are_found() {
    let disk = one(LARGE);
    let len = disk.bytes(&file(1)).len();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..300 {
        let disk = disk.fork();
        let at = rng.random_range(0..len);
        let run = rng.random_range(1..600).min(len - at);
        disk.edit(&file(1), |bytes| bytes[at..at + run].iter_mut().for_each(|byte| *byte ^= 0x55));
        check_refused(&disk, &format!("{run} bytes at {at}"));
    }
}

/// Broken: half a state would pass for a whole one.
#[test]
fn a_file_of_another_length_is_not_a_snapshot() {
    let disk = one(SMALL);
    let len = disk.bytes(&file(1)).len();
    for kept in 0..len {
        let disk = disk.fork();
        disk.edit(&file(1), |bytes| bytes.truncate(kept));
        check_refused(&disk, &format!("{kept} bytes kept"));
    }
    for added in [1, 32, 64, 4096] {
        let disk = disk.fork();
        disk.edit(&file(1), |bytes| bytes.resize(len + added, 0));
        check_refused(&disk, &format!("{added} bytes added"));
    }
}

/// Broken: a damaged file would keep the node from starting, though an older
/// sound one is there; or would stay for ever.
#[test]
fn a_damaged_file_is_named_left_out_and_replaced() {
    let disk = MemoryDisk::new();
    let (store, _) = open(&disk, 2);
    for number in 1..=2 {
        write(&store, number, &pieces(number, SMALL)).unwrap();
    }
    drop(store);
    disk.edit(&file(2), |bytes| bytes.truncate(99));
    let (store, listed) = open(&disk, 2);
    assert_eq!(numbers(&listed), [1]);
    let unusable = store.unusable();
    assert!(unusable[0].to_string().contains("does not end as a finished snapshot"));
    write(&store, 2, &pieces(2, LARGE)).unwrap();
    assert!(store.unusable().is_empty());
    assert_eq!(read(&store, 2).unwrap(), pieces(2, LARGE));
    drop(store);

    disk.edit(&file(1), |bytes| bytes.clear());
    let (store, _) = open(&disk, 2);
    assert_eq!(store.unusable().len(), 1);
    write(&store, 3, &pieces(3, SMALL)).unwrap();
    assert_eq!((numbers(&store.list()), store.unusable().len()), (vec![3, 2], 0));
    assert_eq!(disk.names(), [file(2), file(3)]);
}

/// Broken: a snapshot put under another's name would be taken for it.
#[test]
fn a_misnamed_file_is_refused() {
    let disk = one(SMALL);
    let bytes = disk.bytes(&file(1));
    disk.edit(&file(2), |file| *file = bytes);
    let (store, listed) = open(&disk, 2);
    assert_eq!(numbers(&listed), [1]);
    let [SnapshotError::Damaged { damage, .. }] = &store.unusable()[..] else { panic!() };
    assert_eq!(*damage, Damage::Misnamed);
}

/// Broken: a node pointed to another's directory would delete or believe its
/// state; an older program misread a newer one's.
#[test]
fn another_cluster_and_a_newer_version_are_refused_by_name() {
    let disk = one(SMALL);
    let error = Store::open(disk.clone(), *b"another cluster.", 2).unwrap_err();
    assert!(matches!(&error, SnapshotError::OtherCluster { .. }));
    assert!(error.to_string().contains("belongs to cluster 6120636c7573746572206f662075732e"));

    disk.edit(&file(1), |bytes| {
        bytes[8] = 2;
        let checksum = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&checksum.to_le_bytes());
    });
    let error = Store::open(disk.clone(), CLUSTER, 2).unwrap_err();
    assert!(matches!(&error, SnapshotError::Version { found: 2, supported: 1, .. }));
    assert!(error.to_string().contains("format version 2, this program reads version 1"));
    assert_eq!(disk.names(), [file(1)]);
}

/// Broken: the format could change without its version, and files of released
/// programs would be refused as damaged.
#[test]
fn the_bytes_of_version_one_are_these() {
    let disk = one(&[3]);
    let bytes = disk.bytes(&file(1));
    assert_eq!(&bytes[..8], b"ALTHSNAP");
    assert_eq!(&bytes[8..16], [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(&bytes[16..32], &CLUSTER);
    assert_eq!(&bytes[32..40], [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(&bytes[68..76], [3, 0, 0, 0, 0, 31, 44, 57]);
    assert_eq!(&bytes[76 + 32..76 + 40], b"ALTHSEND");
    assert_eq!(bytes.len(), 76 + 32 + 64);
    assert_eq!(
        open(&disk, 2).1[0].digest.to_string(),
        "5ea23092d3d029dfff4ea786df350d9b2868f477e7f26ce49ca47258d8d559cd"
    );
}
