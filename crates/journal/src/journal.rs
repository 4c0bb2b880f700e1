//! The journal: open, append, commit, trim, close.

use std::collections::VecDeque;

use crate::disk::{Disk, DiskFile, LockMode};
use crate::draft::{self, Draft, SEGMENT_DRAFT};
use crate::error::{AppendError, BoxError, FatalError, OpenError};
use crate::group::GroupBuffer;
use crate::limits::Options;
use crate::record::{Lsn, RECORD_HEADER_BYTES, Record};
use crate::sector::{MARK, MARK_AT, Place, SECTOR_BYTES};
use crate::segment::{self, SegmentHeader};
use crate::superblock::{Identity, Position, SUPERBLOCK_DRAFT, Superblock};
use crate::tail::Repair;
use crate::walk::{self, Last, Walk};

/// A journal open for writing. Dropping it is a crash: what was appended and
/// not committed is gone. [`Journal::close`] ends it in order.
#[derive(Debug)]
pub struct Journal<D: Disk> {
    disk: D,
    _lock: D::Lock,
    options: Options,
    // What is on disk.
    identity: Identity,
    segments: VecDeque<(u64, Lsn)>,
    file: D::File,
    sectors: u64,
    /// After the last synced group.
    end: Position,
    draft: Option<Draft<D::File>>,
    // What is not.
    waiting: GroupBuffer,
    appended: Lsn,
    poison: Option<FatalError>,
}

/// What opening a journal found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// There was none; it was made.
    pub created: bool,
    /// It had been closed in order.
    pub closed: bool,
    /// Segment files.
    pub segments: u64,
    /// Records replayed.
    pub records: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
    /// Bytes of a torn group that were cut; none of it was ever committed.
    pub truncated_bytes: u64,
    /// The last record, [`Lsn::ZERO`] if there never was one.
    pub last: Lsn,
}

impl<D: Disk> Journal<D> {
    /// Opens the journal in this directory, or makes one, and replays every
    /// record in order before it returns. If it fails, the visitor may have
    /// seen a part of the records: forget them.
    ///
    /// All that was replayed is durable when this returns, also what a previous
    /// process wrote and could not sync any more.
    ///
    /// # Errors
    /// See [`OpenError`]; the journal is unchanged then, except that an I/O error
    /// may leave a repair half done, which the next open completes.
    pub fn open(
        disk: D,
        identity: Identity,
        options: Options,
        mut visit: impl FnMut(Record<'_>) -> Result<(), BoxError>,
    ) -> Result<(Self, Recovered), OpenError> {
        if let Some(contradiction) = options.contradiction() {
            return Err(OpenError::Options(contradiction));
        }
        let location = disk.location();
        let lock = disk
            .lock(LockMode::Exclusive)
            .map_err(|source| OpenError::io("lock", &location, source))?
            .ok_or(OpenError::Locked { location })?;
        let (superblock, created) = superblock(&disk, identity, options.create)?;
        let walk = walk::walk(&disk, &superblock, D::open, &mut visit)?;
        let mut recovered = Recovered {
            created,
            closed: superblock.closed,
            segments: walk.segments.len() as u64,
            records: walk.records,
            bytes: walk.bytes,
            truncated_bytes: 0,
            last: Lsn::ZERO,
        };

        remove_leftovers(&disk, &superblock)?;
        let Walk { mut segments, last, .. } = walk;
        let (file, sectors, end) = match last {
            Some(mut last) => {
                repair(&mut last)?;
                if let Some(cut) = &last.repair.cut {
                    recovered.truncated_bytes = (cut.end - cut.start) * SECTOR_BYTES as u64;
                }
                (last.file, last.sectors, last.end)
            }
            None => {
                let start = Position { segment: 0, sectors: 0, group: 0, lsn: 0, chain: 0 };
                segments.push_back((1, Lsn(1)));
                let draft = Draft::begin(&disk, &options)?;
                next_segment(&disk, identity, draft, options.segment_sectors(), start)?
            }
        };
        recovered.segments = segments.len() as u64;
        recovered.last = Lsn(end.lsn);
        let journal = Self {
            disk,
            _lock: lock,
            options,
            identity,
            segments,
            file,
            sectors,
            end,
            draft: None,
            waiting: GroupBuffer::default(),
            appended: Lsn(end.lsn),
            poison: None,
        };
        // From here on, whatever was replayed can no longer pass for torn.
        journal.write_superblock(false)?;
        Ok((journal, recovered))
    }

    /// Takes a record, in memory. Durable only after the next
    /// [`Journal::commit`].
    ///
    /// # Errors
    /// A body longer than [`Options::record_bytes_max`]; more waiting than
    /// [`Options::group_bytes_max`]; a journal that failed. Nothing is appended.
    pub fn append(&mut self, kind: u8, body: &[u8]) -> Result<Lsn, AppendError> {
        if let Some(fatal) = &self.poison {
            return Err(fatal.clone().into());
        }
        let (len, max) = (body.len(), self.options.record_bytes_max);
        if len > max {
            return Err(AppendError::Oversized { len, max });
        }
        let max = self.options.group_bytes_max;
        if self.waiting.bytes_len_with(RECORD_HEADER_BYTES + len) > max {
            return Err(AppendError::Full { waiting: self.waiting.bytes_len(), max });
        }
        let lsn = self.appended.next();
        self.waiting.push(Record { lsn, kind, body });
        self.appended = lsn;
        Ok(lsn)
    }

    /// Makes all appended records durable, with one write and one sync; if the
    /// segment is full, with the syncs of a new one before. Returns the last
    /// durable record. Without waiting records, it does nothing.
    ///
    /// # Errors
    /// After any, the journal takes nothing more and the process must end: what
    /// is on disk is unknown until the next open.
    pub fn commit(&mut self) -> Result<Lsn, FatalError> {
        if let Some(fatal) = &self.poison {
            return Err(fatal.clone());
        }
        if !self.waiting.is_empty() {
            self.write_group().inspect_err(|fatal| self.poison = Some(fatal.clone()))?;
        }
        Ok(self.durable())
    }

    /// Makes a part of the next segment ready, at most 1 MiB, if that is due:
    /// if less of it is ready than of the present one is used. Called after each
    /// commit, when the answers are on their way, it spares the commit that
    /// starts the segment from writing all of it. Says whether it did something.
    ///
    /// # Errors
    /// As [`Journal::commit`].
    pub fn prepare(&mut self) -> Result<bool, FatalError> {
        if let Some(fatal) = &self.poison {
            return Err(fatal.clone());
        }
        if !self.options.prefill {
            return Ok(false);
        }
        self.prepare_next().inspect_err(|fatal| self.poison = Some(fatal.clone()))
    }

    /// Removes the oldest segments while all their records are before `keep`,
    /// for instance because a snapshot holds them. Returns how many went.
    ///
    /// # Errors
    /// As [`Journal::commit`].
    pub fn trim(&mut self, keep: Lsn) -> Result<u64, FatalError> {
        if let Some(fatal) = &self.poison {
            return Err(fatal.clone());
        }
        self.remove_before(keep).inspect_err(|fatal| self.poison = Some(fatal.clone()))
    }

    /// Commits, and notes that nothing follows: from then on every byte of the
    /// journal is known to have been synced.
    ///
    /// # Errors
    /// As [`Journal::commit`].
    pub fn close(mut self) -> Result<Lsn, FatalError> {
        self.commit()?;
        self.write_superblock(true)?;
        Ok(self.durable())
    }

    /// The last record that is durable.
    pub fn durable(&self) -> Lsn {
        Lsn(self.end.lsn)
    }

    /// The last record that was appended.
    pub fn appended(&self) -> Lsn {
        self.appended
    }

    /// The oldest record kept, or the next one if there is none.
    pub fn first(&self) -> Lsn {
        self.segments.front().expect("a journal has a segment").1
    }

    /// Segment files, and the bytes that they take about: those of an earlier life may have had
    /// another length.
    pub fn size(&self) -> (u64, u64) {
        let segments = self.segments.len() as u64;
        (segments, segments * self.sectors * SECTOR_BYTES as u64)
    }

    /// Where it is.
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Bytes, as on disk, that wait for a commit.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting.bytes_len()
    }

    /// Whose journal this is.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    fn write_group(&mut self) -> Result<(), FatalError> {
        let sectors = (self.waiting.bytes_len() / SECTOR_BYTES) as u64;
        if self.end.sectors + sectors > self.sectors {
            self.start_segment()?;
        }
        let Position { segment, sectors: at, group, chain, .. } = self.end;
        assert!(at + sectors <= self.sectors, "the options give each group room in a segment");
        let place = Place::of_segment(self.identity, segment);
        let chain = self.waiting.seal(place, at, group + 1, chain);
        let failed =
            |operation| move |source| FatalError::new(operation, &segment::name(segment), source);
        self.file
            .write_at(self.waiting.bytes(), at * SECTOR_BYTES as u64)
            .map_err(failed("write"))?;
        self.file.sync().map_err(failed("sync"))?;
        self.end = Position {
            segment,
            sectors: at + sectors,
            group: group + 1,
            lsn: self.appended.0,
            chain,
        };
        self.waiting.clear();
        Ok(())
    }

    /// Makes the next segment. Its header seals the present one; the watermark
    /// in the superblock tells if the new one is ever lost.
    fn start_segment(&mut self) -> Result<(), FatalError> {
        let draft = match self.draft.take() {
            Some(draft) => draft,
            None => Draft::begin(&self.disk, &self.options)?,
        };
        let sectors = self.options.segment_sectors();
        let (file, sectors, end) =
            next_segment(&self.disk, self.identity, draft, sectors, self.end)?;
        self.segments.push_back((end.segment, Lsn(end.lsn).next()));
        (self.file, self.sectors, self.end) = (file, sectors, end);
        self.write_superblock(false)
    }

    fn prepare_next(&mut self) -> Result<bool, FatalError> {
        let draft = match &mut self.draft {
            Some(draft) => draft,
            none => none.insert(Draft::begin(&self.disk, &self.options)?),
        };
        draft.step(self.end.sectors, self.sectors)
    }

    fn remove_before(&mut self, keep: Lsn) -> Result<u64, FatalError> {
        let mut removed = Vec::new();
        while self.segments.get(1).is_some_and(|(_, first)| *first <= keep) {
            removed.extend(self.segments.pop_front());
        }
        if removed.is_empty() {
            return Ok(0);
        }
        // The superblock first: a segment that it still names must exist.
        self.write_superblock(false)?;
        for (segment, _) in &removed {
            let name = segment::name(*segment);
            self.disk.remove(&name).map_err(|source| FatalError::new("remove", &name, source))?;
        }
        Ok(removed.len() as u64)
    }

    fn write_superblock(&self, closed: bool) -> Result<(), FatalError> {
        let (first_segment, _) = *self.segments.front().expect("a journal has a segment");
        let superblock =
            Superblock { identity: self.identity, first_segment, watermark: self.end, closed };
        superblock.write(&self.disk)
    }
}

/// Reads the superblock and checks whose it is, or makes the first one.
fn superblock<D: Disk>(
    disk: &D,
    identity: Identity,
    create: bool,
) -> Result<(Superblock, bool), OpenError> {
    if let Some(superblock) = Superblock::existing(disk)? {
        identity.check(crate::superblock::SUPERBLOCK, superblock.identity)?;
        return Ok((superblock, false));
    }
    if !create {
        return Err(OpenError::Missing { location: disk.location() });
    }
    let superblock = Superblock::new(identity);
    superblock.write(disk)?;
    Ok((superblock, true))
}

/// Removes what a crash left: drafts, and segments that were being trimmed.
fn remove_leftovers<D: Disk>(disk: &D, superblock: &Superblock) -> Result<(), OpenError> {
    let names = disk.list().map_err(|source| OpenError::io("list", &disk.location(), source))?;
    for name in names {
        let trimmed =
            segment::number(&name).is_some_and(|segment| segment < superblock.first_segment);
        if trimmed || name == SEGMENT_DRAFT || name == SUPERBLOCK_DRAFT {
            disk.remove(&name).map_err(|source| OpenError::io("remove", &name, source))?;
        }
    }
    Ok(())
}

/// Makes the last segment fit to be written on, and durable as it was read.
fn repair<F: DiskFile>(last: &mut Last<F>) -> Result<(), OpenError> {
    let name = segment::name(last.end.segment);
    let failed = |operation| {
        let name = &name;
        move |source| OpenError::io(operation, name, source)
    };
    let Repair { cut, mend, extend } = &last.repair;
    if *extend {
        let len = last.sectors * SECTOR_BYTES as u64;
        last.file.allocate(len).map_err(failed("preallocate"))?;
    }
    if let Some(at) = mend {
        let offset = at * SECTOR_BYTES as u64 + MARK_AT as u64;
        last.file.write_at(&MARK, offset).map_err(failed("repair"))?;
    }
    if let Some(cut) = cut {
        let bytes = cut.start * SECTOR_BYTES as u64..cut.end * SECTOR_BYTES as u64;
        draft::write_zeros(&mut last.file, bytes).map_err(failed("cut"))?;
    }
    last.file.sync().map_err(failed("sync"))
}

/// Makes the segment that follows this position: its file, its length in
/// sectors, and the position of its first group.
fn next_segment<D: Disk>(
    disk: &D,
    identity: Identity,
    draft: Draft<D::File>,
    sectors: u64,
    end: Position,
) -> Result<(D::File, u64, Position), FatalError> {
    let header = SegmentHeader {
        identity,
        segment: end.segment + 1,
        sectors,
        first_group: end.group + 1,
        first_lsn: end.lsn + 1,
        previous_sectors: end.sectors,
        previous_chain: end.chain,
    };
    let (file, chain) = draft.publish(disk, &header)?;
    let start = Position { segment: header.segment, sectors: 1, chain, ..end };
    Ok((file, header.sectors, start))
}
