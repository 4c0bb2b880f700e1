//! A record: what one `append` made durable.
//!
//! On disk: length of the body (u32), checksum (u32), lsn (u64), kind (u8),
//! body; all little-endian. The checksum covers lsn, kind, length and body, and
//! is computed when the record is appended: it also sees what happens to the
//! bytes while they wait in memory.

use std::fmt;

/// Bytes of a record before its body.
pub(crate) const RECORD_HEADER_BYTES: usize = 17;

/// Log sequence number: the position of a record. The first is 1 and each next
/// is one more; 0 stands for "none yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The position before the first record.
    pub const ZERO: Self = Self(0);

    /// The position after this one.
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("2^64 records are never reached"))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A record as it is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its position.
    pub lsn: Lsn,
    /// What the caller said it is.
    pub kind: u8,
    /// What the caller appended.
    pub body: &'a [u8],
}

/// What is wrong with the bytes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordFault {
    /// Fewer bytes than a header, or than the header says.
    Length,
    /// Not the position that comes next.
    Lsn,
    /// Lsn, kind, length or body changed.
    Checksum,
}

impl<'a> Record<'a> {
    /// The bytes that precede the body on disk. The caller has checked the
    /// body's length against its limit, which is far below 4 GiB.
    pub(crate) fn header(&self) -> [u8; RECORD_HEADER_BYTES] {
        let length = u32::try_from(self.body.len()).expect("checked against record_bytes_max");
        let mut header = [0; RECORD_HEADER_BYTES];
        header[0..4].copy_from_slice(&length.to_le_bytes());
        header[4..8].copy_from_slice(&self.checksum(length).to_le_bytes());
        header[8..16].copy_from_slice(&self.lsn.0.to_le_bytes());
        header[16] = self.kind;
        header
    }

    /// Takes the record with this lsn off the front of `payload`. Borrows the
    /// body: a length, however large, makes nothing be allocated.
    pub(crate) fn take(payload: &'a [u8], expected: Lsn) -> Result<(Self, &'a [u8]), RecordFault> {
        let Some((header, rest)) = payload.split_first_chunk::<RECORD_HEADER_BYTES>() else {
            return Err(RecordFault::Length);
        };
        let length = u32::from_le_bytes(header[0..4].try_into().expect("4 bytes"));
        let checksum = u32::from_le_bytes(header[4..8].try_into().expect("4 bytes"));
        let lsn = Lsn(u64::from_le_bytes(header[8..16].try_into().expect("8 bytes")));
        let Some((body, rest)) = rest.split_at_checked(length as usize) else {
            return Err(RecordFault::Length);
        };
        let record = Self { lsn, kind: header[16], body };
        if record.checksum(length) != checksum {
            return Err(RecordFault::Checksum);
        }
        if lsn != expected {
            return Err(RecordFault::Lsn);
        }
        Ok((record, rest))
    }

    fn checksum(&self, length: u32) -> u32 {
        let checksum = crc32c::crc32c(&self.lsn.0.to_le_bytes());
        let checksum = crc32c::crc32c_append(checksum, &[self.kind]);
        let checksum = crc32c::crc32c_append(checksum, &length.to_le_bytes());
        crc32c::crc32c_append(checksum, self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(record: Record<'_>) -> Vec<u8> {
        [&record.header()[..], record.body].concat()
    }

    #[test]
    fn each_flipped_byte_of_a_record_is_seen() {
        // If this failed, a record that changed in memory would be replayed as it is.
        let bytes = encoded(Record { lsn: Lsn(9), kind: 4, body: b"vote" });
        assert_eq!(Record::take(&bytes, Lsn(9)).unwrap().0.body, b"vote");
        for at in 0..bytes.len() {
            for mask in 1..=255 {
                let mut changed = bytes.clone();
                changed[at] ^= mask;
                assert!(Record::take(&changed, Lsn(9)).is_err(), "byte {at} ^ {mask}");
            }
        }
    }

    #[test]
    fn a_length_beyond_the_payload_is_refused() {
        // If this failed, a length bomb would be allocated or read past the group.
        let mut bytes = encoded(Record { lsn: Lsn(1), kind: 0, body: b"x" });
        bytes[0..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Record::take(&bytes, Lsn(1)).unwrap_err(), RecordFault::Length);
        assert_eq!(Record::take(&bytes[..5], Lsn(1)).unwrap_err(), RecordFault::Length);
    }

    #[test]
    fn a_record_of_another_position_is_refused() {
        // If this failed, a record could be left out or doubled without notice.
        let bytes = encoded(Record { lsn: Lsn(2), kind: 0, body: b"x" });
        assert_eq!(Record::take(&bytes, Lsn(3)).unwrap_err(), RecordFault::Lsn);
    }
}
