//! The walk through a whole journal: proves it, hands out its records, and
//! finds where it ends. It changes nothing; a journal that is opened for
//! writing applies the [`Repair`] afterwards.
//!
//! Memory: one read buffer, one group, and 16 bytes a segment.

use std::collections::{BTreeSet, VecDeque};

use crate::disk::{Disk, DiskFile};
use crate::error::{BoxError, Damage, OpenError};
use crate::limits::GROUP_BYTES_MAX;
use crate::record::{Lsn, RECORD_HEADER_BYTES, Record};
use crate::sector::{PAYLOAD_AT, PAYLOAD_BYTES, Role, SECTOR_BYTES, Sector};
use crate::segment::{self, SectorReader, SegmentHeader};
use crate::superblock::{Position, Superblock};
use crate::tail::{Repair, Tail};

/// What the walk found.
pub(crate) struct Walk<F> {
    /// All segments, oldest first, with their first record.
    pub(crate) segments: VecDeque<(u64, Lsn)>,
    /// The last segment; `None` if a crash left the journal without its first.
    pub(crate) last: Option<Last<F>>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// The last segment.
pub(crate) struct Last<F> {
    pub(crate) file: F,
    pub(crate) sectors: u64,
    pub(crate) end: Position,
    pub(crate) repair: Repair,
}

/// The segments on disk, without gaps, from the superblock's first.
pub(crate) fn segments(names: &[String], superblock: &Superblock) -> Result<Vec<u64>, OpenError> {
    let present: BTreeSet<u64> = names.iter().filter_map(|name| segment::number(name)).collect();
    let first = superblock.first_segment;
    let last = present.last().copied().unwrap_or(0).max(superblock.watermark.segment);
    let missing = |segment| OpenError::MissingSegment { file: segment::name(segment) };
    if last == 0 {
        return Ok(Vec::new());
    }
    if last < first {
        return Err(missing(first));
    }
    // Stops at the first gap, so a stray file with a huge number costs nothing.
    (first..=last)
        .map(|segment| present.contains(&segment).then_some(segment).ok_or(missing(segment)))
        .collect()
}

/// Walks through the journal of this superblock. `open` opens a file.
pub(crate) fn walk<D: Disk>(
    disk: &D,
    superblock: &Superblock,
    open: impl Fn(&D, &str) -> std::io::Result<D::File>,
    visit: &mut dyn FnMut(Record<'_>) -> Result<(), BoxError>,
) -> Result<Walk<D::File>, OpenError> {
    let names = disk.list().map_err(|source| OpenError::io("list", &disk.location(), source))?;
    let numbers = segments(&names, superblock)?;
    let open_segment = |segment: u64| {
        let name = segment::name(segment);
        let file = open(disk, &name).map_err(|source| OpenError::io("open", &name, source))?;
        let (header, chain) = SegmentHeader::read(&file, superblock.identity, segment)?;
        Ok::<_, OpenError>((file, header, chain))
    };

    let mut walker = Walker {
        superblock,
        visit,
        position: Position { segment: 0, sectors: 0, group: 0, lsn: 0, chain: 0 },
        watermark_seen: superblock.watermark.segment == 0,
        payload: Vec::new(),
        buffer: Vec::new(),
        records: 0,
        bytes: 0,
    };
    let mut segments = VecDeque::new();
    let mut last = None;
    let mut ahead = numbers.first().map(|first| open_segment(*first)).transpose()?;
    for segment in &numbers {
        let (file, header, chain) = ahead.take().expect("opened while its predecessor was read");
        segments.push_back((*segment, Lsn(header.first_lsn)));
        walker.enter(&header, chain)?;
        if numbers.last() == Some(segment) {
            let (end, repair) = walker.read_last(&file, &header)?;
            last = Some(Last { file, sectors: header.sectors, end, repair });
        } else {
            let next = open_segment(segment + 1)?;
            walker.read_sealed(&file, &header, &next.1)?;
            ahead = Some(next);
        }
    }
    if !walker.watermark_seen {
        let watermark = &superblock.watermark;
        return Err(OpenError::Damaged {
            file: segment::name(watermark.segment),
            offset: watermark.sectors * SECTOR_BYTES as u64,
            damage: Damage::Watermark,
        });
    }
    Ok(Walk { segments, last, records: walker.records, bytes: walker.bytes })
}

struct Walker<'a> {
    superblock: &'a Superblock,
    visit: &'a mut dyn FnMut(Record<'_>) -> Result<(), BoxError>,
    /// After the last whole group.
    position: Position,
    watermark_seen: bool,
    payload: Vec<u8>,
    buffer: Vec<u8>,
    records: u64,
    bytes: u64,
}

/// What was found where a group should be.
enum Step {
    /// All of it, ending with a sector of this checksum.
    Group { sectors: u64, chain: u32 },
    /// All of it, but the last bytes of its last sector.
    Frayed { sectors: u64, chain: u32 },
    /// Nothing, or a part that ends before this sector.
    Stop { at: u64, found: Option<Sector> },
}

impl Walker<'_> {
    /// Goes on from the last segment to this one.
    fn enter(&mut self, header: &SegmentHeader, chain: u32) -> Result<(), OpenError> {
        let before = &self.position;
        let follows = header.first_group == before.group + 1
            && header.first_lsn == before.lsn + 1
            && header.previous_sectors == before.sectors
            && header.previous_chain == before.chain;
        if before.segment != 0 && !follows {
            let file = segment::name(header.segment);
            return Err(OpenError::Damaged { file, offset: 0, damage: Damage::Chain });
        }
        self.position = Position {
            segment: header.segment,
            sectors: 1,
            group: header.first_group.saturating_sub(1),
            lsn: header.first_lsn.saturating_sub(1),
            chain,
        };
        self.check_watermark()
    }

    /// Reads a segment that has a successor: all of it was synced.
    fn read_sealed<F: DiskFile>(
        &mut self,
        file: &F,
        header: &SegmentHeader,
        next: &SegmentHeader,
    ) -> Result<(), OpenError> {
        let name = segment::name(header.segment);
        let end = next.previous_sectors;
        if !(1..=header.sectors).contains(&end) {
            let file = segment::name(next.segment);
            return Err(OpenError::Damaged { file, offset: 0, damage: Damage::Chain });
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut reader = SectorReader::new(file, &name, header, &mut buffer);
        while self.position.sectors < end {
            match self.read_group(&mut reader, &name, end)? {
                Step::Group { sectors, chain } => self.accept(&name, sectors, chain)?,
                Step::Frayed { sectors, .. } => {
                    let at = self.position.sectors + sectors - 1;
                    return Err(damaged(&name, at, Damage::Checksum));
                }
                Step::Stop { found: None, .. } => {
                    let len = length(file, &name)?;
                    return Err(OpenError::Truncated { file: name, len });
                }
                Step::Stop { at, found: Some(found) } => {
                    let damage = match found {
                        Sector::Blank | Sector::Unfinished => Damage::Lost,
                        Sector::Frayed(..) | Sector::Damaged => Damage::Checksum,
                        Sector::Valid(..) => Damage::Chain,
                    };
                    return Err(damaged(&name, at, damage));
                }
            }
        }
        self.buffer = buffer;
        Ok(())
    }

    /// Reads the last segment, whose last group may be torn.
    fn read_last<F: DiskFile>(
        &mut self,
        file: &F,
        header: &SegmentHeader,
    ) -> Result<(Position, Repair), OpenError> {
        let name = segment::name(header.segment);
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut reader = SectorReader::new(file, &name, header, &mut buffer);
        let mut mend = None;
        let stop = loop {
            match self.read_group(&mut reader, &name, header.sectors)? {
                Step::Group { sectors, chain } => self.accept(&name, sectors, chain)?,
                Step::Frayed { sectors, chain } => {
                    let at = self.position.sectors + sectors - 1;
                    if self.is_synced(at) {
                        return Err(damaged(&name, at, Damage::Checksum));
                    }
                    self.accept(&name, sectors, chain)?;
                    mend = Some(at);
                    break at + 1;
                }
                Step::Stop { at, .. } => break at,
            }
        };
        let tail = Tail {
            name: &name,
            superblock: self.superblock,
            end: self.position,
            stop,
            bytes_len: length(file, &name)?,
            bytes_full: header.sectors * SECTOR_BYTES as u64,
        };
        let repair = tail.judge(&mut reader)?;
        if let Some(at) = mend
            && repair.cut.is_some()
        {
            // Something was written behind it, so its write was not cut short.
            return Err(damaged(&name, at, Damage::Checksum));
        }
        self.buffer = buffer;
        Ok((self.position, Repair { mend, ..repair }))
    }

    /// Gathers the payload of the group at the position, up to sector `end`.
    fn read_group<F: DiskFile>(
        &mut self,
        reader: &mut SectorReader<'_, F>,
        name: &str,
        end: u64,
    ) -> Result<Step, OpenError> {
        self.payload.clear();
        let start = self.position.sectors;
        let group = self.position.group + 1;
        let mut chain = self.position.chain;
        for at in start..end {
            let Some((found, bytes)) = reader.read(at)? else {
                return Ok(Step::Stop { at, found: None });
            };
            let (head, checksum, frayed) = match found {
                Sector::Valid(head, checksum) if head.group == group => (head, checksum, false),
                Sector::Frayed(head, checksum) if head.group == group => (head, checksum, true),
                _ => {
                    return Ok(Step::Stop { at, found: Some(found) });
                }
            };
            let Role::Group { first, last } = head.role else {
                return Err(damaged(name, at, Damage::Chain));
            };
            let length = usize::from(head.length);
            if head.previous != chain
                || first != (at == start)
                || length == 0
                || !last && length != PAYLOAD_BYTES
            {
                return Err(damaged(name, at, Damage::Chain));
            }
            if frayed && !last {
                return Ok(Step::Stop { at, found: Some(found) });
            }
            if self.payload.len() + length > GROUP_BYTES_MAX {
                return Err(damaged(name, at, Damage::Length));
            }
            self.payload.extend_from_slice(&bytes[PAYLOAD_AT..PAYLOAD_AT + length]);
            chain = checksum;
            let sectors = at + 1 - start;
            match (last, frayed) {
                (true, false) => return Ok(Step::Group { sectors, chain }),
                (true, true) => return Ok(Step::Frayed { sectors, chain }),
                (false, _) => {}
            }
        }
        Ok(Step::Stop { at: end, found: Some(Sector::Blank) })
    }

    /// Hands out the gathered group's records, and goes on behind it.
    fn accept(&mut self, name: &str, sectors: u64, chain: u32) -> Result<(), OpenError> {
        let start = self.position.sectors;
        let mut rest = &self.payload[..];
        let mut lsn = Lsn(self.position.lsn);
        while !rest.is_empty() {
            let taken = self.payload.len() - rest.len();
            let at = start + (taken / PAYLOAD_BYTES) as u64;
            let (record, later) = Record::take(rest, lsn.next())
                .map_err(|fault| damaged(name, at, Damage::from(fault)))?;
            (self.visit)(record).map_err(|source| OpenError::Visitor {
                file: name.into(),
                offset: at * SECTOR_BYTES as u64 + (PAYLOAD_AT + taken % PAYLOAD_BYTES) as u64,
                lsn: record.lsn,
                source,
            })?;
            self.records += 1;
            self.bytes += (RECORD_HEADER_BYTES + record.body.len()) as u64;
            lsn = record.lsn;
            rest = later;
        }
        self.position = Position {
            segment: self.position.segment,
            sectors: start + sectors,
            group: self.position.group + 1,
            lsn: lsn.0,
            chain,
        };
        self.check_watermark()
    }

    /// Where the watermark lies, everything must be as it says.
    fn check_watermark(&mut self) -> Result<(), OpenError> {
        let watermark = &self.superblock.watermark;
        let here = &self.position;
        if (here.segment, here.sectors) == (watermark.segment, watermark.sectors) {
            if here != watermark {
                let name = segment::name(here.segment);
                return Err(damaged(&name, here.sectors - 1, Damage::Watermark));
            }
            self.watermark_seen = true;
        }
        Ok(())
    }

    /// Whether the watermark covers this sector of the segment being read.
    fn is_synced(&self, sector: u64) -> bool {
        let watermark = &self.superblock.watermark;
        self.position.segment < watermark.segment
            || self.position.segment == watermark.segment && sector < watermark.sectors
    }
}

fn length<F: DiskFile>(file: &F, name: &str) -> Result<u64, OpenError> {
    file.len().map_err(|source| OpenError::io("measure", name, source))
}

fn damaged(name: &str, sector: u64, damage: Damage) -> OpenError {
    OpenError::Damaged { file: name.into(), offset: sector * SECTOR_BYTES as u64, damage }
}
