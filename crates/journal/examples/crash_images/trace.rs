//! One random life of a journal.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

use althing_journal::memory::{MemoryDisk, Operation};
use althing_journal::{AppendError, Journal, Lsn, Options};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::images::{Figures, Known, ME, Records};
use crate::traced::{TracedDisk, Watch};

/// Lives it, and looks at what a power cut leaves after each change. Says which
/// image is wrong, if one is.
pub(crate) fn run(seed: u64, figures: &mut Figures) -> Result<(), String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let sectors = [10, 16, 32][rng.random_range(0..3)];
    let group_sectors = (sectors - 1_u64).min(14);
    let options = Options {
        segment_bytes: sectors * 512,
        record_bytes_max: 2048,
        group_bytes_max: group_sectors as usize * 512,
        prefill: rng.random(),
        create: true,
    };
    let known = Known::new(options, seed, std::mem::take(figures));
    let watch = Watch { known: RefCell::new(known), is_last: RefCell::new(false) };
    let disk = TracedDisk { disk: MemoryDisk::new(), watch: Rc::new(watch) };
    let mut life = Life { disk, journal: None, rng };
    life.open();
    for _ in 0..life.rng.random_range(2..16) {
        life.step();
    }
    for _ in 0..life.rng.random_range(1..5) {
        life.append();
    }
    *life.disk.watch.is_last.borrow_mut() = true;
    life.commit();
    let mut known = life.disk.watch.known.borrow_mut();
    *figures = std::mem::take(&mut known.figures);
    known.wrong.take().map_or(Ok(()), Err)
}

struct Life {
    disk: TracedDisk,
    journal: Option<Journal<TracedDisk>>,
    rng: ChaCha8Rng,
}

impl Life {
    fn step(&mut self) {
        match self.rng.random_range(0..20) {
            0..9 => self.append(),
            9..14 => self.commit(),
            14..16 => {
                self.journal().prepare().expect("the disk does not fail");
            }
            16 => self.trim(),
            17 => {
                self.commit();
                let journal = self.journal.take().expect("open between steps");
                journal.close().expect("the disk does not fail");
                self.open();
            }
            18 => {
                self.journal = None;
                self.disk.disk.kill();
                self.known(|known| known.waiting.clear());
                self.open();
            }
            _ => self.kill_in_commit(),
        }
    }

    fn journal(&mut self) -> &mut Journal<TracedDisk> {
        self.journal.as_mut().expect("open between steps")
    }

    fn known<T>(&self, act: impl FnOnce(&mut Known) -> T) -> T {
        act(&mut self.disk.watch.known.borrow_mut())
    }

    fn append(&mut self) {
        for _ in 0..self.rng.random_range(1..4) {
            let len = match self.rng.random_range(0..3) {
                0 => self.rng.random_range(0..40),
                1 => self.rng.random_range(400..600),
                _ => self.rng.random_range(0..=2048),
            };
            let body: Vec<u8> = (0..len).map(|_| self.rng.random()).collect();
            match self.journal().append(1, &body) {
                Ok(_) => self.known(|known| known.waiting.push((1, body))),
                Err(AppendError::Full { .. }) => self.commit(),
                Err(other) => panic!("{other}"),
            }
        }
    }

    fn commit(&mut self) {
        self.journal().commit().expect("the disk does not fail");
        self.known(|known| known.committed.append(&mut known.waiting));
    }

    /// Before the records are removed they may be.
    fn trim(&mut self) {
        let durable = self.journal().durable().0;
        let keep = self.rng.random_range(0..=durable);
        self.known(|known| known.keep = known.keep.max(keep));
        self.journal().trim(Lsn(keep)).expect("the disk does not fail");
    }

    /// The process dies with a group written and not synced; the next one takes it,
    /// and must have made it durable before it acts on it.
    fn kill_in_commit(&mut self) {
        self.disk.disk.fail(Operation::Sync, 0, ErrorKind::Other);
        let committed = self.journal().commit().is_ok();
        self.disk.disk.clear_failures();
        if committed {
            self.known(|known| known.committed.append(&mut known.waiting));
        }
        self.journal = None;
        self.disk.disk.kill();
        self.open();
    }

    fn open(&mut self) {
        let options = self.known(|known| known.options.clone());
        let mut seen = Records::new();
        let opened = Journal::open(self.disk.clone(), ME, options, |record| {
            seen.push((record.kind, record.body.to_vec()));
            Ok(())
        });
        let (journal, _) = opened.expect("what a killed process left opens");
        let before = journal.first().0 as usize - 1;
        self.journal = Some(journal);
        self.known(|known| {
            let mut waiting = std::mem::take(&mut known.waiting);
            if seen != known.committed[before..] {
                known.committed.append(&mut waiting);
            }
            assert!(seen == known.committed[before..], "what a killed process left is read");
        });
    }
}
