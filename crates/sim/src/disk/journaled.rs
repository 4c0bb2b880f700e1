//! The journal's own code over a disk in memory.

use super::Unusable;
use althing_journal::memory::{MemoryDisk, Operation};
use althing_journal::{Identity, Journal, Lsn, OpenError, Options};
use althing_wire::NodeRecord;
use bytes::Bytes;
use rand::{Rng, RngExt};
use std::io::ErrorKind;

/// Small, so that runs pass from segment to segment.
const SEGMENT_BYTES: u64 = 64 << 10;
const GROUP_BYTES_MAX: usize = 48 << 10;
const RECORD_BYTES_MAX: usize = 40 << 10;

/// A journal and its disk. Between a crash and a restart there is no journal.
pub(super) struct Journaled {
    node: u32,
    disk: MemoryDisk,
    journal: Option<Journal<MemoryDisk>>,
}

impl Journaled {
    pub(super) fn new(node: u32) -> Self {
        Self { node, disk: MemoryDisk::new(), journal: None }
    }

    /// Reads everything; also how many records were trimmed before it, and whether a torn end was cut.
    pub(super) fn open(&mut self) -> Result<(Vec<NodeRecord>, usize, bool), Unusable> {
        self.journal = None;
        let options = Options {
            segment_bytes: SEGMENT_BYTES,
            group_bytes_max: GROUP_BYTES_MAX,
            record_bytes_max: RECORD_BYTES_MAX,
            prefill: false,
            create: true,
        };
        let identity = Identity { cluster: [7; 16], node: self.node };
        let mut records = Vec::new();
        let opened = Journal::open(self.disk.clone(), identity, options, |record| {
            let body = Bytes::copy_from_slice(record.body);
            records.push(NodeRecord::decode(record.kind, body)?);
            Ok(())
        });
        match opened {
            Ok((journal, recovered)) => {
                let trimmed = journal.first().0 as usize - 1;
                self.journal = Some(journal);
                Ok((records, trimmed, recovered.truncated_bytes > 0))
            }
            Err(OpenError::Locked { .. } | OpenError::Options(_)) => {
                unreachable!("one process, with options that fit")
            }
            Err(error) => Err(Unusable::Refused(error.to_string())),
        }
    }

    pub(super) fn commit(&mut self, records: &[NodeRecord]) {
        let journal = self.journal.as_mut().expect("a running node has its journal open");
        for record in records {
            if journal.append(record.kind(), &record.encode()).is_err() {
                // Full: commit what waits, as a node does.
                journal.commit().expect("no failure was asked for");
                journal.append(record.kind(), &record.encode()).expect("a record fits a group");
            }
        }
        journal.commit().expect("no failure was asked for");
    }

    /// Lets go of the records before that position, as far as whole segments go; how many are gone.
    pub(super) fn trim(&mut self, keep: usize) -> usize {
        let journal = self.journal.as_mut().expect("a running node has its journal open");
        journal.trim(Lsn(keep as u64 + 1)).expect("no failure was asked for");
        journal.first().0 as usize - 1
    }

    /// The power goes while `unsynced` is on its way: written, or a part of it, and not synced.
    pub(super) fn crash(&mut self, unsynced: &[NodeRecord], rng: &mut impl Rng) {
        let mut journal = self.journal.take().expect("a running node has its journal open");
        self.disk.fail(Operation::Sync, 0, ErrorKind::Other);
        for record in unsynced {
            // What does not fit one group is not on its way yet.
            if journal.append(record.kind(), &record.encode()).is_err() {
                break;
            }
        }
        // With nothing to write there is no sync, and the failure that was asked for stays.
        let _ = journal.commit();
        drop(journal);
        self.disk.clear_failures();
        self.disk.crash(&mut |n| rng.random_range(0..n));
    }

    /// A bit of what was written changes.
    pub(super) fn rot(&mut self, rng: &mut impl Rng) -> bool {
        let segments: Vec<String> =
            self.disk.names().into_iter().filter(|name| name.ends_with(".segment")).collect();
        let Some(name) = segments.get(rng.random_range(0..segments.len().max(1))) else {
            return false;
        };
        let written = self.disk.bytes(name).iter().rposition(|byte| *byte != 0);
        let Some(last) = written else { return false };
        let (at, bit) = (rng.random_range(0..=last), rng.random_range(0..8));
        self.disk.edit(name, |bytes| bytes[at] ^= 1 << bit);
        true
    }
}
