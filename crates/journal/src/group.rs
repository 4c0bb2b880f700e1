//! The records that one commit makes durable, laid out in sectors as they come.

use crate::record::Record;
use crate::sector::{PAYLOAD_AT, PAYLOAD_BYTES, Place, Role, SECTOR_BYTES, SectorHead};

/// Bytes of each sector that carry no payload.
pub(crate) const GROUP_OVERHEAD: usize = SECTOR_BYTES - PAYLOAD_BYTES;

/// Records waiting for their commit. The payload is copied once, to where it
/// will be in its sector; heads and checksums follow when the place is known.
#[derive(Debug, Default)]
pub(crate) struct GroupBuffer {
    bytes: Vec<u8>,
    payload_len: usize,
}

impl GroupBuffer {
    pub(crate) fn is_empty(&self) -> bool {
        self.payload_len == 0
    }

    /// The group's length on disk.
    pub(crate) fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// The group's length on disk if this much payload were added.
    pub(crate) fn bytes_len_with(&self, payload: usize) -> usize {
        (self.payload_len.saturating_add(payload)).div_ceil(PAYLOAD_BYTES) * SECTOR_BYTES
    }

    pub(crate) fn push(&mut self, record: Record<'_>) {
        self.push_payload(&record.header());
        self.push_payload(record.body);
    }

    fn push_payload(&mut self, mut payload: &[u8]) {
        while !payload.is_empty() {
            let used = self.payload_len % PAYLOAD_BYTES;
            if used == 0 {
                self.bytes.resize(self.bytes.len() + SECTOR_BYTES, 0);
            }
            let (now, later) = payload.split_at(payload.len().min(PAYLOAD_BYTES - used));
            let at = self.bytes.len() - SECTOR_BYTES + PAYLOAD_AT + used;
            self.bytes[at..at + now.len()].copy_from_slice(now);
            self.payload_len += now.len();
            payload = later;
        }
    }

    /// Completes the sectors for this place, and says the last one's checksum.
    pub(crate) fn seal(&mut self, place: Place, index: u64, group: u64, previous: u32) -> u32 {
        let count = self.bytes.len() / SECTOR_BYTES;
        let (sectors, rest) = self.bytes.as_chunks_mut::<SECTOR_BYTES>();
        assert!(rest.is_empty() && count > 0, "a group is whole sectors, at least one");
        let last_length = self.payload_len - (count - 1) * PAYLOAD_BYTES;
        let mut chain = previous;
        for (i, sector) in sectors.iter_mut().enumerate() {
            let last = i + 1 == count;
            let length = if last { last_length } else { PAYLOAD_BYTES };
            let head = SectorHead {
                previous: chain,
                group,
                length: u16::try_from(length).expect("at most one sector's payload"),
                role: Role::Group { first: i == 0, last },
            };
            chain = head.seal(sector, place, index + i as u64);
        }
        chain
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.payload_len = 0;
    }
}
