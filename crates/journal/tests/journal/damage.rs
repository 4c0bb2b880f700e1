//! Rot, misdirected writes and truncation: never believed, always named.

use althing_journal::memory::MemoryDisk;
use althing_journal::{Damage, Journal, OpenError, verify_disk};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Bodies, ME, append, open, segment, small, used, written};

/// Three segments, whose last group is several sectors long.
fn journal() -> (MemoryDisk, Journal<MemoryDisk>, Bodies) {
    written(&[
        &[2000],
        &[300, 1500],
        &[10],
        &[2048],
        &[0, 0, 9],
        &[2000],
        &[600],
        &[50],
        &[2000],
        &[700, 1400],
        &[50],
        &[300, 900],
    ])
}

/// The same as it lies on disk: closed, or after a power cut.
fn images() -> [(&'static str, MemoryDisk); 2] {
    let (closed, journal, _) = journal();
    journal.close().unwrap();
    let (crashed, journal, _) = self::journal();
    drop(journal);
    crashed.crash(&mut |_| 0);
    [("closed", closed), ("crashed", crashed)]
}

/// Every byte that was synced, as (file, offset).
fn synced(disk: &MemoryDisk) -> Vec<(String, usize)> {
    let files = disk.names().into_iter().filter(|name| name != "lock");
    files
        .flat_map(|name| {
            let len = if name == "superblock" { 128 } else { used(disk, &name) };
            (0..len).map(move |at| (name.clone(), at))
        })
        .collect()
}

/// A flip that nothing on disk can tell from a write cut one byte short: the
/// very last byte, to zero. Nothing is lost by it.
fn is_last_to_zero(disk: &MemoryDisk, name: &str, at: usize, mask: u8) -> bool {
    let bytes = disk.bytes(name);
    name == segment(3) && at + 1 == used(disk, name) && bytes[at] == mask
}

/// Broken: an acceptor would forget a promise, or remember another one, because
/// one byte of its disk rotted.
#[test]
fn a_flipped_byte_is_detected_in_60_of_60_trials() {
    for (state, image) in images() {
        let mut rng = ChaCha8Rng::seed_from_u64(60);
        let places = synced(&image);
        let mut detected = 0;
        for _ in 0..60 {
            let (name, at) = &places[rng.random_range(0..places.len())];
            let mask = rng.random_range(1..=255);
            let disk = image.fork();
            disk.edit(name, |bytes| bytes[*at] ^= mask);
            match open(&disk) {
                Ok(_) => panic!("{state}: {name} {at} ^ {mask} was not noticed"),
                Err(error) => assert!(error.to_string().contains(name.as_str()), "{error}"),
            }
            detected += 1;
        }
        assert_eq!(detected, 60);
    }
}

/// Broken: some byte of the format would be outside every checksum.
#[test]
fn each_synced_byte_is_covered() {
    for (state, image) in images() {
        let mut rng = ChaCha8Rng::seed_from_u64(61);
        for (name, at) in synced(&image) {
            let mask = rng.random_range(1..=255);
            if state == "crashed" && is_last_to_zero(&image, &name, at, mask) {
                continue;
            }
            let disk = image.fork();
            disk.edit(&name, |bytes| bytes[at] ^= mask);
            assert!(verify_disk(&disk).is_err(), "{state}: {name} {at} ^ {mask} was not noticed");
        }
    }
}

/// Broken: rot in the last group after a power cut would be cut as a torn tail.
#[test]
fn each_flip_in_the_last_unconfirmed_group_is_refused_or_harmless() {
    let (disk, mut journal, _) = written(&[&[30]]);
    journal.append(1, &[0; 1400]).unwrap();
    journal.append(1, b"promised").unwrap();
    journal.commit().unwrap();
    drop(journal);
    disk.crash(&mut |_| 0);
    let name = segment(1);
    let intact = verify_disk(&disk.fork()).unwrap();
    for at in 2 * 512..used(&disk, &name) {
        for mask in [1, 0x80, 0xff, disk.bytes(&name)[at]].into_iter().filter(|mask| *mask != 0) {
            let image = disk.fork();
            image.edit(&name, |bytes| bytes[at] ^= mask);
            match verify_disk(&image) {
                Err(OpenError::Damaged { file, offset, .. }) => {
                    assert_eq!((file, offset), (name.clone(), (at / 512 * 512) as u64));
                }
                Err(other) => panic!("{at} ^ {mask}: {other}"),
                Ok(report) => {
                    assert_eq!(report, intact);
                    assert_eq!((at + 1, disk.bytes(&name)[at]), (used(&disk, &name), mask));
                    // Opening writes the byte again.
                    open(&image).unwrap();
                    assert_eq!(image.bytes(&name), disk.bytes(&name));
                }
            }
        }
    }
}

/// Broken: the one flip that looks like a torn write would be believed where
/// the journal knows better.
#[test]
fn a_lost_last_byte_is_refused_once_it_was_confirmed() {
    let (closed, journal, _) = written(&[&[30]]);
    journal.close().unwrap();
    let (followed, journal, _) = written(&[&[30], &[40]]);
    drop(journal);
    for disk in [closed, followed] {
        disk.edit(&segment(1), |bytes| bytes[1023] = 0);
        let refused = open(&disk).map(drop);
        assert!(matches!(refused, Err(OpenError::Damaged { offset: 512, .. })), "{refused:?}");
    }
}

/// Broken: files of one node, but of two backups, would be pieced together.
#[test]
fn files_of_two_lives_do_not_mix() {
    let life = |content: u8, lens: &[usize]| {
        let (disk, mut journal, _) = written(&[]);
        for len in lens {
            journal.append(1, &vec![content; *len]).unwrap();
            journal.commit().unwrap();
        }
        drop(journal);
        disk
    };
    let lens = [2000, 2000, 2048, 2000, 2000, 300, 40, 2000, 2000, 2000, 10];
    let ours = life(1, &lens);
    let others =
        [life(2, &lens), life(1, &[1000, 1500, 2048, 2048, 2048, 1800, 900, 2000, 2000, 2000])];
    for other in others {
        for name in ["superblock".into(), segment(1), segment(2), segment(3), segment(4)] {
            let mixed = ours.fork();
            let theirs = other.bytes(&name);
            assert_ne!(theirs, mixed.bytes(&name));
            mixed.edit(&name, |bytes| *bytes = theirs);
            let refused = open(&mixed).map(drop);
            assert!(refused.is_err(), "{name} was accepted");
        }
    }

    // A watermark in the midst of one of our groups.
    let (other, journal, _) = written(&[&[100]]);
    journal.close().unwrap();
    ours.edit("superblock", |bytes| *bytes = other.bytes("superblock"));
    let refused = open(&ours).map(drop);
    assert!(matches!(refused, Err(OpenError::Damaged { damage: Damage::Watermark, .. })));
}

/// Broken: the operator would not learn which file of a sealed segment to
/// restore.
#[test]
fn damage_in_a_sealed_segment_is_named() {
    let (disk, journal, _) = journal();
    drop(journal);
    disk.edit(&segment(1), |bytes| bytes[3 * 512 + 100] ^= 4);
    let error = open(&disk).map(drop).unwrap_err();
    assert!(matches!(&error, OpenError::Damaged { file, offset: 1536, damage: Damage::Checksum }
        if *file == segment(1)));
    assert!(error.to_string().contains("offset 1536"), "{error}");
}

/// Broken: the rest of the log would be dropped silently behind a bad record.
#[test]
fn a_bad_group_before_a_good_one_refuses() {
    let (disk, journal, _) = written(&[&[30], &[600], &[40], &[50]]);
    drop(journal);
    let refused = |rot: &dyn Fn(&mut [u8])| {
        let disk = disk.fork();
        disk.edit(&segment(1), |bytes| rot(&mut bytes[1024..1536]));
        match open(&disk).map(drop) {
            Err(OpenError::Damaged { file, offset, damage }) => {
                assert_eq!((file, offset), (segment(1), 1024));
                damage
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&|sector| sector[30] ^= 1), Damage::Checksum);
    // Never written, says the disk; or only in part.
    assert_eq!(refused(&|sector| sector.fill(0)), Damage::Hole { later: 2048 });
    assert_eq!(refused(&|sector| sector[100..].fill(0)), Damage::Hole { later: 2048 });
}

/// Broken: a synced group whose sectors the disk lost would be cut as torn,
/// though the journal was closed after it.
#[test]
fn a_lost_last_group_is_refused_once_it_was_confirmed() {
    let (disk, journal, _) = written(&[&[30], &[40]]);
    journal.close().unwrap();
    disk.edit(&segment(1), |bytes| bytes[1024..1536].fill(0));
    let refused = open(&disk).map(drop);
    assert!(matches!(refused, Err(OpenError::Damaged { offset: 1024, damage: Damage::Lost, .. })));
}

/// Broken: a write that the disk put elsewhere, or a block of an earlier life,
/// would be believed.
#[test]
fn swapped_copied_and_stale_sectors_are_refused() {
    let (disk, journal, _) = journal();
    drop(journal);
    let sectors = used(&disk, &segment(3)) / 512;
    for one in 0..sectors {
        for other in 0..sectors {
            if one != other {
                let image = disk.fork();
                let from = image.bytes(&segment(3))[other * 512..][..512].to_vec();
                image.edit(&segment(3), |bytes| bytes[one * 512..][..512].copy_from_slice(&from));
                assert!(verify_disk(&image).is_err(), "{other} over {one}");
            }
        }
    }
    // The same place of another segment.
    let image = disk.fork();
    let from = image.bytes(&segment(1))[1024..1536].to_vec();
    image.edit(&segment(3), |bytes| bytes[1024..1536].copy_from_slice(&from));
    assert!(verify_disk(&image).is_err());

    // The same place, group and records in another life of the journal: only
    // what precedes it differs.
    let lives = [b"left", b"life"].map(|body| {
        let (disk, mut journal, _) = written(&[]);
        journal.append(1, body).unwrap();
        journal.commit().unwrap();
        journal.append(1, b"same").unwrap();
        journal.commit().unwrap();
        disk
    });
    lives[0].kill();
    let stale = lives[1].bytes(&segment(1))[1024..1536].to_vec();
    lives[0].edit(&segment(1), |bytes| bytes[1024..1536].copy_from_slice(&stale));
    let refused = open(&lives[0]).map(drop);
    assert!(matches!(refused, Err(OpenError::Damaged { damage: Damage::Chain, .. })));
}

/// Broken: a journal that lost its end or its middle would open as an older one.
#[test]
fn a_truncated_segment_is_refused_if_anything_synced_could_be_missing() {
    for (state, image) in images() {
        for number in 1..=3 {
            let name = segment(number);
            let end = used(&image, &name);
            for len in (0..image.bytes(&name).len()).step_by(128) {
                let disk = image.fork();
                disk.edit(&name, |bytes| bytes.truncate(len));
                let refused = verify_disk(&disk);
                // Nothing is known to follow if the journal was closed here, or
                // if the place of the next group is still there, and empty.
                let harmless = len >= end && (number < 3 || state == "closed" || len >= end + 512);
                match refused {
                    Ok(_) => assert!(harmless, "{state}: {name} cut to {len} of {end}"),
                    Err(OpenError::Truncated { file, len: found }) => {
                        assert!(!harmless && file == name && found <= len as u64);
                    }
                    Err(other) => panic!("{state}: {name} cut to {len} of {end}: {other}"),
                }
            }
        }
    }
}

/// Broken: a file whose zeros a copy left out could be opened, but its next
/// segment would be shorter than a crash may find it.
#[test]
fn missing_zeros_are_put_back() {
    let (disk, journal, mut bodies) = written(&[&[30]]);
    journal.close().unwrap();
    let name = segment(1);
    disk.edit(&name, |bytes| bytes.truncate(1024));
    let (mut journal, _, seen) = open(&disk).unwrap();
    assert_eq!(seen, bodies);
    assert_eq!(disk.bytes(&name).len() as u64, small().segment_bytes);
    append(&mut journal, &mut bodies, 2000);
    journal.commit().unwrap();
    drop(journal);
    disk.crash(&mut |_| 0);
    assert_eq!(open(&disk).unwrap().2, bodies);
}

/// Broken: segments of the directory could disappear without notice.
#[test]
fn each_missing_segment_is_named() {
    for (state, image) in images() {
        for number in 1..=3 {
            let disk = image.fork();
            disk.lose(&segment(number));
            let refused = Journal::open(disk, ME, small(), |_| Ok(()));
            assert!(
                matches!(&refused, Err(OpenError::MissingSegment { file }) if *file == segment(number)),
                "{state}: {:?}",
                refused.map(drop)
            );
        }
    }
}
