//! Files whose hashes and ends are right, and whose pieces are not: what a faulty
//! writer, or a peer that made one up, would leave.

use althing_journal::memory::MemoryDisk;
use althing_snapshot::limits::PIECE_BYTES_MAX;
use althing_snapshot::{Damage, SnapshotError};
use ring::digest::{SHA256, digest};

use crate::{file, open, pieces, write};

const CHUNK: usize = 256 << 10;

/// The body of a snapshot of pieces of these lengths.
fn body(number: u64, lens: &[usize]) -> Vec<u8> {
    let disk = MemoryDisk::new();
    write(&open(&disk, 2).0, number, &pieces(number, lens)).unwrap();
    let mut bytes = disk.bytes(&file(number));
    bytes.truncate(64 + lens.iter().map(|len| 9 + len).sum::<usize>());
    bytes
}

/// The file that has this body, and says that it has so many pieces.
fn seal(body: &[u8], pieces: u64) -> Vec<u8> {
    let mut tail = Vec::new();
    for chunk in body.chunks(CHUNK) {
        tail.extend_from_slice(digest(&SHA256, chunk).as_ref());
    }
    let hashes_len = tail.len();
    tail.extend_from_slice(b"ALTHSEND");
    tail.extend_from_slice(&(body.len() as u64).to_le_bytes());
    tail.extend_from_slice(&pieces.to_le_bytes());
    let whole = digest(&SHA256, &tail);
    tail.extend_from_slice(whole.as_ref());
    tail.extend_from_slice(&[0; 4]);
    let checksum = crc32c::crc32c(&tail[hashes_len..]);
    tail.extend_from_slice(&checksum.to_le_bytes());
    [body, &tail].concat()
}

/// What reading the file says.
fn verdict(bytes: Vec<u8>) -> Result<u64, Damage> {
    let disk = MemoryDisk::new();
    disk.edit(&file(1), |file| *file = bytes);
    let (store, listed) = open(&disk, 2);
    assert_eq!(listed.len(), 1, "{:?}", store.unusable());
    store.verify(1).map_err(|error| match error {
        SnapshotError::Damaged { damage, .. } => damage,
        other => panic!("{other}"),
    })
}

/// Broken: pieces that were swapped, repeated, left out or taken from another
/// snapshot would pass, since each is as it was written.
#[test]
fn a_piece_that_is_not_of_its_place_is_found() {
    let whole = body(1, &[40, 40, 40]);
    assert_eq!(verdict(seal(&whole, 3)), Ok(3));
    let piece = |body: &[u8], index: usize| body[64 + index * 49..64 + (index + 1) * 49].to_vec();
    let with = |indices: &[usize]| {
        let pieces = indices.iter().flat_map(|index| piece(&whole, *index));
        whole[..64].iter().copied().chain(pieces).collect::<Vec<u8>>()
    };
    for indices in [&[1, 0, 2][..], &[0, 2], &[0, 0, 1, 2], &[0, 1, 1]] {
        let body = with(indices);
        assert_eq!(verdict(seal(&body, indices.len() as u64)), Err(Damage::Piece), "{indices:?}");
    }
    let mut other = whole.clone();
    other[64..113].copy_from_slice(&piece(&body(2, &[40, 40, 40]), 0));
    assert_eq!(verdict(seal(&other, 3)), Err(Damage::Piece));
}

/// Broken: a snapshot without its last pieces would pass for the whole state.
#[test]
fn another_count_than_the_end_says_is_found() {
    let whole = body(1, &[40, 40, 40]);
    for pieces in [0, 2, 4, u64::MAX] {
        assert_eq!(verdict(seal(&whole, pieces)), Err(Damage::Count));
    }
    assert_eq!(verdict(seal(&whole[..64 + 98], 2)), Ok(2));
    assert_eq!(verdict(seal(&whole[..64 + 98], 3)), Err(Damage::Count));
    for cut in [1, 9, 30] {
        assert_eq!(verdict(seal(&whole[..64 + 98 - cut], 2)), Err(Damage::Piece));
    }
}

/// Broken: a piece's length would be believed, and that much allocated.
#[test]
fn a_length_beyond_the_file_or_the_limit_is_refused() {
    let mut long = body(1, &[40]);
    for len in [41, 1 << 20, u32::MAX] {
        long[68..72].copy_from_slice(&len.to_le_bytes());
        assert_eq!(verdict(seal(&long, 1)), Err(Damage::Piece), "{len}");
    }
    long[68..72].copy_from_slice(&(PIECE_BYTES_MAX as u32 + 1).to_le_bytes());
    long.resize(64 + 9 + PIECE_BYTES_MAX + 1, 0);
    assert_eq!(verdict(seal(&long, 1)), Err(Damage::Piece));
}
