//! What the store promises, shown on a disk in memory and on a real one.

mod crash;
mod damage;
mod forged;
mod full;
mod serve;
mod store;
mod transfer;
mod transfer_faults;
mod world;

use althing_journal::Disk;
use althing_journal::memory::MemoryDisk;
use althing_snapshot::{Listed, Piece, SnapshotError, Store};

const CLUSTER: [u8; 16] = *b"a cluster of us.";

/// Pieces that no other snapshot has.
fn pieces(number: u64, lens: &[usize]) -> Vec<Piece> {
    // No chunk is another's: their length is no multiple of the pattern's.
    let piece = |(index, len): (usize, &usize)| {
        let byte = |at: u64| (number * 31 + index as u64 * 7 + at * 13) as u8;
        let mut bytes = (0..251).map(byte).collect::<Vec<u8>>().repeat(len / 251 + 1);
        bytes.truncate(*len);
        Piece { kind: index as u8, bytes: bytes.into() }
    };
    lens.iter().enumerate().map(piece).collect()
}

/// A few small ones, which fit a chunk, and one that does not.
const SMALL: &[usize] = &[0, 1, 300, 40];
const LARGE: &[usize] = &[10, 300_000, 0, 262_144, 77];
/// Twelve chunks, more than are asked for at once.
const HUGE: &[usize] = &[1_000_000, 5, 1_000_000, 1_000_000];

fn open(disk: &MemoryDisk, keep: usize) -> (Store<MemoryDisk>, Vec<Listed>) {
    Store::open(disk.clone(), CLUSTER, keep).unwrap()
}

fn write<D: Disk>(
    store: &Store<D>,
    number: u64,
    pieces: &[Piece],
) -> Result<Listed, SnapshotError> {
    let mut draft = store.begin(number)?;
    pieces.iter().try_for_each(|piece| draft.push(piece))?;
    draft.finish()
}

fn read<D: Disk>(store: &Store<D>, number: u64) -> Result<Vec<Piece>, SnapshotError> {
    store.read(number)?.collect()
}

fn numbers(listed: &[Listed]) -> Vec<u64> {
    listed.iter().map(|listed| listed.number).collect()
}

/// The file of a finished snapshot.
fn file(number: u64) -> String {
    format!("snapshot-{number:016x}")
}
