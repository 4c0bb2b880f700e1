//! A journal that was written in order, then damaged.

use crate::allocation::bounded;
use crate::target::any_bytes;
use crate::{Outcomes, Target};
use althing_journal::memory::MemoryDisk;
use althing_journal::{Identity, Journal, OpenError, Options, verify_disk};
use arbitrary::{Result, Unstructured};

pub(crate) const TARGET: Target =
    Target { name: "journal", run, len_max: 4096, generate: any_bytes, words: &["ALTHJRNL"] };

const ME: Identity = Identity { cluster: *b"a cluster of us.", node: 3 };
const SECTOR: usize = 512;

/// Segments of 16 sectors, so that a few records fill one.
fn options() -> Options {
    Options {
        segment_bytes: 16 * SECTOR as u64,
        record_bytes_max: 2048,
        group_bytes_max: 8 * SECTOR,
        ..Options::default()
    }
}

/// A record as it was read: its number, kind and body.
type Records = Vec<(u64, u8, Vec<u8>)>;

fn run(data: &[u8], outcomes: &mut Outcomes) {
    // Bytes that end early leave the rest as it is.
    let _ = damage_and_open(&mut Unstructured::new(data), outcomes);
}

fn damage_and_open(bytes: &mut Unstructured<'_>, outcomes: &mut Outcomes) -> Result<()> {
    let disk = MemoryDisk::new();
    let written = write(bytes, &disk)?;
    let edits = bytes.int_in_range(0..=4)?;
    let mut is_one_byte = edits == 1;
    for _ in 0..edits {
        is_one_byte &= edit(bytes, &disk, outcomes)?;
    }
    let report = verify_disk(&disk.fork());
    let on_disk: usize = disk.names().iter().map(|name| disk.bytes(name).len()).sum();
    // A read buffer, a group and the first part of a segment that is made ready.
    let max = 4 * on_disk + (4 << 20);
    let (opened, seen) = bounded(max, || open(&disk));
    match opened {
        Ok(()) => {
            outcomes.note(("opened", seen.len(), edits));
            assert!(report.is_ok(), "verify refuses what open takes: {report:?}");
            assert!(seen.len() <= written.len(), "records that nobody wrote");
            assert_eq!(seen, written[..seen.len()], "records that nobody wrote");
            if edits == 0 || is_one_byte {
                assert_eq!(seen.len(), written.len(), "committed records are forgotten");
            }
        }
        Err(error) => {
            assert!(edits > 0, "a sound journal is refused: {error}");
            let text = error.to_string();
            outcomes.note(text.replace(|c: char| c.is_ascii_hexdigit(), ""));
            assert!(report.is_err(), "verify takes what open refuses: {error}");
        }
    }
    Ok(())
}

/// Commits a few groups of records; closed in order, or not.
fn write(bytes: &mut Unstructured<'_>, disk: &MemoryDisk) -> Result<Records> {
    let mut written = Records::new();
    let begin = || Journal::open(disk.clone(), ME, options(), |_| Ok(()));
    let (mut journal, _) = begin().expect("nothing is there");
    for _ in 0..bytes.int_in_range(0..=7)? {
        for _ in 0..bytes.int_in_range(1..=3)? {
            let number = written.len() as u64 + 1;
            let len = match bytes.int_in_range(0..=3)? {
                0 => bytes.int_in_range(470..=500)?,
                1 => bytes.int_in_range(0..=1200)?,
                _ => bytes.int_in_range(0..=40)?,
            };
            let body: Vec<u8> = (0..len).map(|at| (number * 31 + at * 7 + 1) as u8).collect();
            let lsn = journal.append(number as u8, &body).expect("it is within the limits");
            assert_eq!(lsn.0, number);
            written.push((number, number as u8, body));
        }
        journal.commit().expect("memory does not fail");
        if bytes.ratio(1, 8)? {
            // An earlier life ends, which moves the watermark up.
            drop(journal);
            disk.kill();
            journal = begin().expect("it is sound").0;
        }
    }
    if bytes.arbitrary()? {
        journal.close().expect("memory does not fail");
    }
    disk.kill();
    Ok(written)
}

/// Changes something behind the journal's back; whether it was one byte of one file.
fn edit(bytes: &mut Unstructured<'_>, disk: &MemoryDisk, outcomes: &mut Outcomes) -> Result<bool> {
    let names = disk.names();
    if names.is_empty() {
        return Ok(false);
    }
    let name = bytes.choose(&names)?.clone();
    let len = disk.bytes(&name).len();
    if len == 0 {
        return Ok(false);
    }
    let place = bytes.int_in_range(0..=len - 1)?;
    let kind = bytes.int_in_range(0..=9)?;
    outcomes.note(("edit", kind));
    let to_sector = place / SECTOR * SECTOR;
    match kind {
        0..=3 => {
            let mask = bytes.int_in_range(1..=255u8)?;
            disk.edit(&name, |file| file[place] ^= mask);
        }
        4 => disk.edit(&name, |file| file.truncate(place)),
        5 => {
            let more = bytes.int_in_range(1..=600)?;
            disk.edit(&name, |file| file.resize(len + more, 0));
        }
        6 => disk.edit(&name, |file| {
            let end = (to_sector + SECTOR).min(len);
            file[to_sector..end].fill(0);
        }),
        // A sector lands where another belongs, perhaps of another segment.
        7 => {
            let other = disk.bytes(bytes.choose(&names)?);
            let from = bytes.int_in_range(0..=other.len())? / SECTOR * SECTOR;
            let taken = &other[from..(from + SECTOR).min(other.len())];
            disk.edit(&name, |file| {
                for (old, new) in file[to_sector..].iter_mut().zip(taken) {
                    *old = *new;
                }
            });
        }
        8 => {
            let content = bytes.bytes(bytes.len().min(64))?.to_vec();
            disk.edit(&name, |file| {
                for (old, new) in file[place..].iter_mut().zip(&content) {
                    *old = *new;
                }
            });
        }
        _ => disk.lose(&name),
    }
    Ok(kind <= 3)
}

fn open(disk: &MemoryDisk) -> (std::result::Result<(), OpenError>, Records) {
    let mut seen = Records::new();
    // A journal of which everything is lost is not made anew.
    let options = Options { create: false, ..options() };
    let opened = Journal::open(disk.clone(), ME, options, |record| {
        seen.push((record.lsn.0, record.kind, record.body.to_vec()));
        Ok(())
    });
    (opened.map(drop), seen)
}
