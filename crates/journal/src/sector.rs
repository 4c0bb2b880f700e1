//! A sector: 512 bytes that prove themselves.
//!
//! ```text
//!   0  checksum   u32  CRC-32C of place (identity, segment, index) and bytes 4..508
//!   4  previous   u32  checksum of the sector before, in order of writing
//!   8  group      u64  number of the group that it belongs to
//!  16  length     u16  bytes of payload used
//!  18  flags      u8   1 first of its group, 2 last of its group, 4 segment header
//!  19  zero       u8
//!  20  payload    488 bytes, zeros after `length`
//! 508  end mark   "ALTH"
//! ```

use crate::superblock::Identity;

/// Bytes of a sector, the unit that a disk writes entirely or not at all.
pub const SECTOR_BYTES: usize = 512;

/// Bytes of payload in a sector.
pub(crate) const PAYLOAD_BYTES: usize = MARK_AT - PAYLOAD_AT;
/// Where the payload begins in a sector.
pub(crate) const PAYLOAD_AT: usize = 20;
/// Where the end mark begins in a sector.
pub(crate) const MARK_AT: usize = 508;
/// Ends each written sector. No byte is zero, and one changed byte leaves three.
pub(crate) const MARK: [u8; 4] = *b"ALTH";

const FLAG_FIRST: u8 = 1;
const FLAG_LAST: u8 = 2;
const FLAG_SEGMENT: u8 = 4;

/// The bytes of one sector.
pub(crate) type SectorBytes = [u8; SECTOR_BYTES];

/// Ties a checksum to the place where the sector lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    seed: u32,
}

impl Place {
    /// The place of a segment's groups.
    pub(crate) fn of_segment(identity: Identity, segment: u64) -> Self {
        let seed = crc32c::crc32c(&identity.cluster);
        let seed = crc32c::crc32c_append(seed, &identity.node.to_le_bytes());
        Self { seed: crc32c::crc32c_append(seed, &segment.to_le_bytes()) }
    }

    /// The place of a segment's header. It is the same for all journals, so
    /// that a header of another node can be read, and the node be named.
    pub(crate) const HEADER: Self = Self { seed: 0 };

    fn checksum(self, index: u64, sector: &SectorBytes) -> u32 {
        // Two seeds that differ never give one checksum for the same bytes.
        let seed = crc32c::crc32c_append(self.seed, &index.to_le_bytes());
        crc32c::crc32c_append(seed, &sector[4..MARK_AT])
    }
}

/// What a sector says about itself besides its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SectorHead {
    pub(crate) previous: u32,
    pub(crate) group: u64,
    pub(crate) length: u16,
    pub(crate) role: Role,
}

/// Where in its group a sector stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The header of a segment.
    Segment,
    /// In a group.
    Group { first: bool, last: bool },
}

/// What a sector turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sector {
    /// All zeros: never written.
    Blank,
    /// Its end mark is all zeros: the write was cut short.
    Unfinished,
    /// Everything but the last bytes of the end mark is there.
    Frayed(SectorHead, u32),
    /// As it was written, with its checksum.
    Valid(SectorHead, u32),
    /// Written to its end, and changed since; or not of this place.
    Damaged,
}

impl Sector {
    /// Tells what the bytes at this index of this place are.
    pub(crate) fn read(bytes: &SectorBytes, place: Place, index: u64) -> Self {
        const BLANK: SectorBytes = [0; SECTOR_BYTES];
        if *bytes == BLANK {
            return Self::Blank;
        }
        let mark = &bytes[MARK_AT..];
        let whole = mark.iter().zip(MARK).take_while(|(found, want)| *found == want).count();
        if mark[whole..].iter().any(|byte| *byte != 0) {
            return Self::Damaged;
        }
        if whole == 0 {
            return Self::Unfinished;
        }
        let checksum = u32::from_le_bytes(bytes[0..4].try_into().expect("4 bytes"));
        match SectorHead::decode(bytes) {
            Some(head) if place.checksum(index, bytes) == checksum => {
                if whole == MARK.len() {
                    Self::Valid(head, checksum)
                } else {
                    Self::Frayed(head, checksum)
                }
            }
            _ => Self::Damaged,
        }
    }
}

impl SectorHead {
    /// Writes everything but the payload around it, and says the checksum.
    pub(crate) fn seal(&self, bytes: &mut SectorBytes, place: Place, index: u64) -> u32 {
        bytes[4..8].copy_from_slice(&self.previous.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.group.to_le_bytes());
        bytes[16..18].copy_from_slice(&self.length.to_le_bytes());
        bytes[18] = match self.role {
            Role::Segment => FLAG_SEGMENT,
            Role::Group { first, last } => {
                (if first { FLAG_FIRST } else { 0 }) | (if last { FLAG_LAST } else { 0 })
            }
        };
        bytes[19] = 0;
        bytes[MARK_AT..].copy_from_slice(&MARK);
        let checksum = place.checksum(index, bytes);
        bytes[0..4].copy_from_slice(&checksum.to_le_bytes());
        checksum
    }

    fn decode(bytes: &SectorBytes) -> Option<Self> {
        let length = u16::from_le_bytes(bytes[16..18].try_into().expect("2 bytes"));
        let role = match bytes[18] {
            FLAG_SEGMENT => Role::Segment,
            flags if flags & !(FLAG_FIRST | FLAG_LAST) == 0 => {
                Role::Group { first: flags & FLAG_FIRST != 0, last: flags & FLAG_LAST != 0 }
            }
            _ => return None,
        };
        if usize::from(length) > PAYLOAD_BYTES || bytes[19] != 0 {
            return None;
        }
        Some(Self {
            previous: u32::from_le_bytes(bytes[4..8].try_into().expect("4 bytes")),
            group: u64::from_le_bytes(bytes[8..16].try_into().expect("8 bytes")),
            length,
            role,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { seed: 77 };
    const HEAD: SectorHead = SectorHead {
        previous: 5,
        group: 6,
        length: 3,
        role: Role::Group { first: true, last: true },
    };

    fn sealed() -> SectorBytes {
        let mut bytes = [0; SECTOR_BYTES];
        bytes[PAYLOAD_AT..PAYLOAD_AT + 3].copy_from_slice(b"abc");
        HEAD.seal(&mut bytes, PLACE, 4);
        bytes
    }

    #[test]
    fn one_changed_byte_is_damage_never_a_tear() {
        // If this failed, rot in the last synced group would be cut as a torn tail.
        for at in 0..SECTOR_BYTES {
            for mask in 1..=255 {
                let mut bytes = sealed();
                bytes[at] ^= mask;
                let read = Sector::read(&bytes, PLACE, 4);
                let last_to_zero = at == SECTOR_BYTES - 1 && bytes[at] == 0;
                assert!(
                    read == Sector::Damaged || last_to_zero && matches!(read, Sector::Frayed(..)),
                    "byte {at} ^ {mask}: {read:?}"
                );
            }
        }
    }

    #[test]
    fn each_prefix_over_zeros_is_a_tear_never_damage() {
        // If this failed, a power cut would keep the node from starting.
        let whole = sealed();
        for kept in 0..SECTOR_BYTES {
            let mut bytes = [0; SECTOR_BYTES];
            bytes[..kept].copy_from_slice(&whole[..kept]);
            match Sector::read(&bytes, PLACE, 4) {
                Sector::Blank => assert_eq!(kept, 0),
                Sector::Unfinished => assert!((1..=MARK_AT).contains(&kept)),
                Sector::Frayed(..) => assert!(kept > MARK_AT),
                other => panic!("{kept} bytes: {other:?}"),
            }
        }
    }

    #[test]
    fn a_sector_is_valid_only_in_its_place() {
        // If this failed, a misdirected write or a swapped block would be believed.
        let bytes = sealed();
        assert!(matches!(Sector::read(&bytes, PLACE, 4), Sector::Valid(head, _) if head == HEAD));
        assert_eq!(Sector::read(&bytes, PLACE, 5), Sector::Damaged);
        assert_eq!(Sector::read(&bytes, Place { seed: 78 }, 4), Sector::Damaged);
    }
}
