//! What the journal promises, shown on a disk in memory and on a real one.

mod commit;
mod crash;
mod damage;
mod format;
mod full;
#[path = "../../examples/crash_images/images.rs"]
mod images;
mod lives;
mod model;
mod refusal;
#[path = "../../examples/crash_images/trace.rs"]
mod trace;
#[path = "../../examples/crash_images/traced.rs"]
mod traced;

use althing_journal::memory::MemoryDisk;
use althing_journal::{Identity, Journal, OpenError, Options, Recovered};

const ME: Identity = Identity { cluster: *b"a cluster of us.", node: 3 };

/// Segments of 16 sectors, so that a few records fill one.
fn small() -> Options {
    Options {
        segment_bytes: 16 * 512,
        record_bytes_max: 2048,
        group_bytes_max: 8 * 512,
        ..Options::default()
    }
}

/// A record of the length, that no other number or length gives.
fn body(number: u64, len: usize) -> Vec<u8> {
    (0..len as u64).map(|at| (number.wrapping_mul(31) + at * 7 + 1) as u8).collect()
}

type Bodies = Vec<(u64, u8, Vec<u8>)>;

fn open(disk: &MemoryDisk) -> Result<(Journal<MemoryDisk>, Recovered, Bodies), OpenError> {
    let mut seen = Bodies::new();
    let (journal, recovered) = Journal::open(disk.clone(), ME, small(), |record| {
        seen.push((record.lsn.0, record.kind, record.body.to_vec()));
        Ok(())
    })?;
    Ok((journal, recovered, seen))
}

/// Commits each group of record lengths, in a fresh journal.
fn written(groups: &[&[usize]]) -> (MemoryDisk, Journal<MemoryDisk>, Bodies) {
    let disk = MemoryDisk::new();
    let (mut journal, _, mut bodies) = open(&disk).unwrap();
    for group in groups {
        for len in *group {
            append(&mut journal, &mut bodies, *len);
        }
        journal.commit().unwrap();
    }
    (disk, journal, bodies)
}

fn append(journal: &mut Journal<MemoryDisk>, bodies: &mut Bodies, len: usize) {
    let number = bodies.len() as u64 + 1;
    let body = body(number, len);
    let lsn = journal.append(number as u8, &body).unwrap();
    assert_eq!(lsn.0, number);
    bodies.push((number, number as u8, body));
}

/// The segment's file name.
fn segment(number: u64) -> String {
    format!("journal-{number:016x}.segment")
}

/// Where the last written sector of the segment ends.
fn used(disk: &MemoryDisk, name: &str) -> usize {
    let bytes = disk.bytes(name);
    let last = bytes.iter().rposition(|byte| *byte != 0).expect("it has a header");
    (last + 1).next_multiple_of(512)
}
