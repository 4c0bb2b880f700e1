//! What a power cut can leave at one point, and whether it is right.

use std::fmt;

use althing_journal::memory::MemoryDisk;
use althing_journal::{Identity, Journal, Options, verify_disk};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Subsets tried where the last commit is about to sync.
const SUBSETS_LAST: usize = 1 << 12;
/// Subsets tried at every other point.
const SUBSETS: usize = 1 << 6;
/// Cuts at a byte where the last commit is about to sync.
const CUTS: u64 = 64;
/// One of so many images is also written on.
const GO_ON_EVERY: u64 = 16;

pub(crate) const ME: Identity = Identity { cluster: *b"a cluster of us.", node: 3 };

/// Kind and body of each record, from the first.
pub(crate) type Records = Vec<(u8, Vec<u8>)>;

/// What was looked at.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) points: u64,
    pub(crate) images: u64,
    pub(crate) last_syncs_whole: u64,
    pub(crate) last_syncs_sampled: u64,
    pub(crate) committed: u64,
    pub(crate) with_group: u64,
    pub(crate) torn: u64,
    pub(crate) gone_on: u64,
    pub(crate) parts_most: usize,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { points, images, committed, with_group, torn, gone_on, parts_most, .. } = self;
        let (whole, sampled) = (self.last_syncs_whole, self.last_syncs_sampled);
        writeln!(f, "{points:12} points of a power cut")?;
        writeln!(f, "{images:12} images opened, none wrong")?;
        writeln!(f, "{committed:12} held what was committed")?;
        writeln!(f, "{with_group:12} held the group that was being committed as well")?;
        writeln!(f, "{torn:12} had a torn group cut")?;
        writeln!(f, "{gone_on:12} were written on, and opened again")?;
        writeln!(
            f,
            "{whole:12} syncs of last commits were cut in all subsets of what was unsynced,"
        )?;
        writeln!(f, "{sampled:12} in {SUBSETS_LAST} of them")?;
        writeln!(f, "{parts_most:12} sectors and lengths unsynced at most")
    }
}

/// What is known of a journal while it lives.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) options: Options,
    pub(crate) committed: Records,
    /// Appended, and perhaps being committed.
    pub(crate) waiting: Records,
    /// Records before this may have been trimmed.
    pub(crate) keep: u64,
    pub(crate) figures: Figures,
    /// The first image that was wrong.
    pub(crate) wrong: Option<String>,
    rng: ChaCha8Rng,
}

impl Known {
    pub(crate) fn new(options: Options, seed: u64, figures: Figures) -> Self {
        Self {
            options,
            committed: Records::new(),
            waiting: Records::new(),
            keep: 1,
            figures,
            wrong: None,
            rng: ChaCha8Rng::seed_from_u64(seed ^ 0x0001_4A6E),
        }
    }

    /// The power goes now.
    pub(crate) fn cut(&mut self, disk: &MemoryDisk, last: bool) {
        if self.wrong.is_some() {
            return;
        }
        let unsynced = disk.unsynced();
        self.figures.points += 1;
        self.figures.parts_most = self.figures.parts_most.max(unsynced.parts);
        let budget = if last { SUBSETS_LAST } else { SUBSETS };
        if last {
            match unsynced.parts {
                0 => {}
                1..=12 => self.figures.last_syncs_whole += 1,
                _ => self.figures.last_syncs_sampled += 1,
            }
        }
        let subsets = subsets(unsynced.parts, budget, &mut self.rng);
        for names in 0..=unsynced.names {
            for subset in &subsets {
                let image = disk.fork();
                image.crash_keeping(names, &mut |part| subset[part]);
                self.check(&image, || format!("{names} of {unsynced:?}, {subset:?}"));
            }
        }
        if last {
            let bytes = unsynced.parts as u64 * 512;
            for cut in 0..CUTS {
                let kept = cut * bytes / CUTS + self.rng.random_range(0..512);
                let image = disk.fork();
                image.crash_after_bytes(kept);
                self.check(&image, || format!("{kept} bytes of {unsynced:?}"));
            }
        }
    }

    fn check(&mut self, image: &MemoryDisk, what: impl Fn() -> String) {
        self.figures.images += 1;
        image.clear_failures();
        if let Err(wrong) = self.open(image) {
            let committed = self.committed.len();
            self.wrong = Some(format!("{wrong}; {committed} committed, kept {}", what()));
        }
    }

    fn open(&mut self, image: &MemoryDisk) -> Result<(), String> {
        let goes_on = self.figures.images.is_multiple_of(GO_ON_EVERY);
        let verified = goes_on.then(|| verify_disk(image).map_err(|error| error.to_string()));
        let (mut journal, recovered, seen) = open(image, &self.options)?;
        let first = journal.first().0;
        if first > self.keep {
            return Err(format!("record {first} is the first, {} was to be kept", self.keep));
        }
        let before = first as usize - 1;
        let mut all = self.committed.clone();
        if seen == all[before..] {
            self.figures.committed += 1;
        } else {
            all.extend_from_slice(&self.waiting);
            if seen != all[before..] {
                return Err(format!(
                    "{} records from {first} are not what was written",
                    seen.len()
                ));
            }
            self.figures.with_group += 1;
        }
        self.figures.torn += u64::from(recovered.truncated_bytes > 0);
        if goes_on {
            // A directory without a journal has none to verify.
            if let Some(Err(error)) = verified.filter(|_| !recovered.created) {
                return Err(format!("opened, but not sound: {error}"));
            }
            journal.append(9, b"gone on").map_err(|error| error.to_string())?;
            journal.commit().map_err(|error| error.to_string())?;
            drop(journal);
            image.crash(&mut |_| 0);
            let (_, _, again) = open(image, &self.options)?;
            let came_back = again
                .split_last()
                .is_some_and(|((kind, _), before)| *kind == 9 && before == &seen[..]);
            if !came_back {
                return Err("what was written on did not come back".into());
            }
            self.figures.gone_on += 1;
        }
        Ok(())
    }
}

type Opened = (Journal<MemoryDisk>, althing_journal::Recovered, Records);

fn open(disk: &MemoryDisk, options: &Options) -> Result<Opened, String> {
    let mut seen = Records::new();
    let opened = Journal::open(disk.clone(), ME, options.clone(), |record| {
        seen.push((record.kind, record.body.to_vec()));
        Ok(())
    });
    let (journal, recovered) = opened.map_err(|error| format!("refused: {error}"))?;
    Ok((journal, recovered, seen))
}

/// Every prefix of the parts, and every subset if there are no more than the
/// budget; else those where one is missing, and random ones up to the budget.
fn subsets(parts: usize, budget: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<bool>> {
    if parts < usize::BITS as usize && 1 << parts <= budget {
        return (0..1_usize << parts)
            .map(|kept| (0..parts).map(|part| kept >> part & 1 == 1).collect())
            .collect();
    }
    let prefixes = (0..=parts).map(|len| (0..parts).map(|part| part < len).collect());
    let mut subsets: Vec<Vec<bool>> = prefixes.collect();
    subsets.extend((0..parts).map(|one| (0..parts).map(|part| part != one).collect()));
    while subsets.len() < budget {
        subsets.push((0..parts).map(|_| rng.random()).collect());
    }
    subsets
}
