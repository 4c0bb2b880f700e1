//! Random lives of a journal against a model: a list of records, and the one
//! group that may or may not have arrived.

use std::io::ErrorKind;

use althing_journal::memory::{MemoryDisk, Operation};
use althing_journal::{AppendError, Journal, Lsn, verify_disk};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Bodies, body, open};

#[derive(Debug, Clone)]
enum Step {
    Append(usize),
    Commit,
    Prepare,
    Trim(u64),
    /// Closed in order, and opened again.
    Close,
    /// The process dies, then a new one opens.
    Kill,
    /// The power goes, perhaps at a failing call of the next commit.
    Crash {
        failing: Option<(Operation, u64)>,
        seed: u64,
    },
    /// The power goes while the journal is opened.
    CrashInOpen {
        failing: (Operation, u64),
        seed: u64,
    },
}

fn operation() -> impl Strategy<Value = (Operation, u64)> {
    let operations = [
        Operation::Write,
        Operation::Allocate,
        Operation::Sync,
        Operation::Create,
        Operation::Rename,
        Operation::Remove,
        Operation::SyncDirectory,
    ];
    (prop::sample::select(operations.to_vec()), 0_u64..4)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop_oneof![0_usize..40, 400..600_usize, 0..2049_usize].prop_map(Step::Append),
        6 => Just(Step::Commit),
        1 => Just(Step::Prepare),
        1 => (0_u64..60).prop_map(Step::Trim),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        2 => (prop::option::weighted(0.8, operation()), any::<u64>())
            .prop_map(|(failing, seed)| Step::Crash { failing, seed }),
        1 => (operation(), any::<u64>())
            .prop_map(|(failing, seed)| Step::CrashInOpen { failing, seed }),
    ]
}

struct Model {
    disk: MemoryDisk,
    journal: Option<Journal<MemoryDisk>>,
    /// All that was committed, from record 1.
    durable: Bodies,
    waiting: Bodies,
}

impl Model {
    fn journal(&mut self) -> &mut Journal<MemoryDisk> {
        self.journal.as_mut().expect("open between steps")
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Append(len) => self.append(len),
            Step::Commit => {
                assert!(self.commit());
            }
            Step::Prepare => {
                self.journal().prepare().unwrap();
            }
            Step::Trim(keep) => {
                self.journal().trim(Lsn(keep)).unwrap();
            }
            Step::Close => {
                let journal = self.journal.take().unwrap();
                journal.close().unwrap();
                self.durable.append(&mut self.waiting);
                self.reopen(true);
            }
            Step::Kill => {
                self.journal = None;
                self.disk.kill();
                self.waiting.clear();
                self.reopen(false);
            }
            Step::Crash { failing, seed } => {
                if let Some((operation, after)) = failing {
                    self.disk.fail(operation, after, ErrorKind::Other);
                    self.commit();
                }
                self.crash(seed);
                self.reopen(false);
            }
            Step::CrashInOpen { failing: (operation, after), seed } => {
                self.crash(seed);
                self.disk.fail(operation, after, ErrorKind::Other);
                drop(open(&self.disk));
                self.crash(seed + 1);
                self.reopen(false);
            }
        }
    }

    fn append(&mut self, len: usize) {
        let number = (self.durable.len() + self.waiting.len()) as u64 + 1;
        let body = body(number, len);
        match self.journal().append(number as u8, &body) {
            Ok(lsn) => {
                assert_eq!(lsn.0, number);
                self.waiting.push((number, number as u8, body));
            }
            Err(AppendError::Full { .. }) => assert!(!self.waiting.is_empty()),
            Err(other) => panic!("{other}"),
        }
    }

    fn commit(&mut self) -> bool {
        let want = (self.durable.len() + self.waiting.len()) as u64;
        match self.journal().commit() {
            Ok(lsn) => {
                assert_eq!(lsn.0, want);
                self.durable.append(&mut self.waiting);
                true
            }
            Err(_) => false,
        }
    }

    fn crash(&mut self, seed: u64) {
        self.journal = None;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        self.disk.crash(&mut |of| rng.random_range(0..of));
    }

    /// All durable records are there from the oldest kept; then the waiting
    /// group as a whole, or nothing.
    fn reopen(&mut self, closed: bool) {
        // What failed to fail must not fail now.
        self.disk.clear_failures();
        let report = verify_disk(&self.disk).unwrap();
        let (journal, recovered, seen) = open(&self.disk).unwrap();
        assert_eq!((report.records, report.last), (recovered.records, recovered.last));
        assert_eq!(report.torn_bytes, recovered.truncated_bytes);
        assert!(recovered.closed || !closed);
        let kept = journal.first().0 as usize - 1;
        let arrived = seen.len() + kept > self.durable.len();
        if arrived {
            self.durable.append(&mut self.waiting);
        }
        self.waiting.clear();
        assert_eq!(seen, self.durable[kept..]);
        self.journal = Some(journal);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Broken: some sequence of appends, commits, crashes and repairs would lose
    /// a committed record, keep half a group, or refuse a sound journal.
    #[test]
    fn every_life_of_a_journal_keeps_what_was_committed(
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let disk = MemoryDisk::new();
        let (journal, _, _) = open(&disk).unwrap();
        let (durable, waiting) = (Vec::new(), Vec::new());
        let mut model = Model { disk, journal: Some(journal), durable, waiting };
        for step in steps {
            model.take(step);
        }
        model.take(Step::Close);
    }
}
