//! Every limit of the journal, with the memory that it implies.

use crate::group::GROUP_OVERHEAD;
use crate::record::RECORD_HEADER_BYTES;
use crate::sector::{PAYLOAD_BYTES, SECTOR_BYTES};

/// The largest group that a reader accepts: a walk holds one group in memory.
pub const GROUP_BYTES_MAX: usize = 64 << 20;

/// The largest segment.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// The smallest segment: its header and one sector.
pub const SEGMENT_BYTES_MIN: u64 = 2 * SECTOR_BYTES as u64;

/// Bytes read at once when a segment is walked: the reader's memory besides
/// one group.
pub const READ_BYTES: usize = 1 << 20;

/// How a journal is opened. Sizes may differ from those it was written with:
/// they count for what is written from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Length of a new segment file, rounded down to whole sectors. Takes disk
    /// space at once, no memory. A commit that starts a segment waits for three
    /// file syncs more. Default 64 MiB.
    pub segment_bytes: u64,
    /// The longest body of a record. Default 8 MiB.
    pub record_bytes_max: usize,
    /// The most bytes, as they will be on disk, that may wait for a commit. A
    /// journal holds a buffer of this size at most; opening one needs as much
    /// again. Default 16 MiB.
    pub group_bytes_max: usize,
    /// Whether the zeros of a new segment are written, not only reserved. A commit
    /// then overwrites blocks instead of also changing the file's metadata, and
    /// takes about half the time; each byte of the log is written twice. Call
    /// [`crate::Journal::prepare`] after commits, or the commit that starts a
    /// segment waits for all of them. Default true.
    pub prefill: bool,
    /// Whether a directory without a journal gets a new one. A node that once
    /// promised something says `false`: a directory that lost its journal must
    /// come back under a new identity. Default true.
    pub create: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            record_bytes_max: 8 << 20,
            group_bytes_max: 16 << 20,
            prefill: true,
            create: true,
        }
    }
}

impl Options {
    /// Says why these options cannot work together, if so.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let segment_bytes = self.segment_bytes;
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&segment_bytes) {
            return Some(format!(
                "segment_bytes is {segment_bytes}, but must be {SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_MAX}"
            ));
        }
        let group_room =
            ((self.segment_sectors() - 1) * SECTOR_BYTES as u64).min(GROUP_BYTES_MAX as u64);
        if self.group_bytes_max as u64 > group_room {
            return Some(format!(
                "group_bytes_max is {}, but a segment of segment_bytes {segment_bytes} has room for {group_room}",
                self.group_bytes_max
            ));
        }
        let record_room = (self.group_bytes_max / SECTOR_BYTES * PAYLOAD_BYTES)
            .saturating_sub(RECORD_HEADER_BYTES);
        if self.record_bytes_max > record_room {
            return Some(format!(
                "record_bytes_max is {}, but a group of group_bytes_max {} has room for {record_room} (each {SECTOR_BYTES} bytes carry {PAYLOAD_BYTES}, {GROUP_OVERHEAD} are framing)",
                self.record_bytes_max, self.group_bytes_max
            ));
        }
        None
    }

    /// Sectors in a new segment.
    pub(crate) fn segment_sectors(&self) -> u64 {
        self.segment_bytes / SECTOR_BYTES as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_do_not_fit_each_other_are_refused_by_name() {
        // If this failed, an append that was accepted could find no segment to go to.
        assert_eq!(Options::default().contradiction(), None);
        let small = Options { segment_bytes: 100, ..Options::default() };
        assert!(small.contradiction().unwrap().starts_with("segment_bytes"));
        let group = Options { segment_bytes: 1 << 20, ..Options::default() };
        assert!(group.contradiction().unwrap().starts_with("group_bytes_max"));
        let record = Options { record_bytes_max: 16 << 20, ..Options::default() };
        assert!(record.contradiction().unwrap().starts_with("record_bytes_max"));
    }
}
