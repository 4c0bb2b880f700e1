//! What the journal costs over the disk: p50 and p99 of a commit, beside one
//! write and one fdatasync of the same records on the same disk.
//!
//! ```sh
//! cargo run --release -p althing-journal --example fsync -- [directory]
//! ```
//! Read the ratios: absolute times are the disk's, and the machine's. The
//! three are measured in turns, commit by commit, so that noise hits all.
//! `reserved` is a file after fallocate: a first write also changes metadata.
//! `written` is a file whose zeros were written and synced before.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use althing_journal::{FileDisk, Identity, Journal, Options};
use rustix::fs::FallocateFlags;

const RECORD_BYTES: usize = 200;
const RAW_FILE_BYTES: u64 = 256 << 20;
const ROUNDS: usize = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent)?;
    let disk = FileDisk::new(directory.path().join("journal"));
    let identity = Identity { cluster: [0; 16], node: 0 };
    let options = Options { segment_bytes: 256 << 20, ..Options::default() };
    segment_start(directory.path())?;
    let (mut journal, _) = Journal::open(disk, identity, options, |_| Ok(()))?;

    let reserved = File::create_new(directory.path().join("reserved"))?;
    if rustix::fs::fallocate(&reserved, FallocateFlags::empty(), 0, RAW_FILE_BYTES).is_err() {
        reserved.set_len(RAW_FILE_BYTES)?;
    }
    reserved.sync_all()?;
    let written = File::create_new(directory.path().join("written"))?;
    let zeros = vec![0; 1 << 20];
    for offset in (0..RAW_FILE_BYTES).step_by(zeros.len()) {
        written.write_all_at(&zeros, offset)?;
    }
    written.sync_all()?;

    println!(
        "records of {RECORD_BYTES} bytes, {ROUNDS} commits each, in {}",
        directory.path().display()
    );
    println!(
        "batch | journal p50 / p99 us | reserved p50 / p99 us | written p50 / p99 us | p50 journal/reserved | journal/written | records/s"
    );
    let mut offset = 0;
    for batch in [1, 16, 128, 1024] {
        let body = vec![0xa5; batch * RECORD_BYTES];
        // As much as the journal's framing does not make it longer than this.
        let step = (body.len() + batch * 17).div_ceil(488) as u64 * 512;
        let rounds = ROUNDS.min((RAW_FILE_BYTES / 5 / step) as usize);
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            let start = Instant::now();
            for record in body.chunks(RECORD_BYTES) {
                journal.append(1, record)?;
            }
            journal.commit()?;
            times[0].push(start.elapsed());
            for (file, times) in [&reserved, &written].into_iter().zip(&mut times[1..]) {
                let start = Instant::now();
                file.write_all_at(&body, offset)?;
                file.sync_data()?;
                times.push(start.elapsed());
            }
            offset += step;
        }
        let [journal, reserved, written] = times.map(Quantiles::of);
        println!(
            "{batch:5} | {journal} | {reserved} | {written} | {:.2} | {:.2} | {:.0}",
            journal.p50 / reserved.p50,
            journal.p50 / written.p50,
            batch as f64 / journal.p50 * 1e6
        );
    }
    journal.close()?;
    Ok(())
}

/// How long the commit that starts a segment takes: with the zeros reserved,
/// written at once, and written a step after each commit.
fn segment_start(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let identity = Identity { cluster: [0; 16], node: 0 };
    for (name, prefill, prepare) in
        [("reserved", false, false), ("prefilled", true, false), ("prepared", true, true)]
    {
        let options = Options { prefill, ..Options::default() };
        let mib = options.segment_bytes >> 20;
        let disk = FileDisk::new(directory.join(format!("start-{name}")));
        let (mut journal, _) = Journal::open(disk, identity, options, |_| Ok(()))?;
        let body = vec![0xa5; 256 << 10];
        let mut slowest = Vec::new();
        for _ in 0..5 {
            let mut times = Vec::new();
            for _ in 0..mib * 4 {
                journal.append(1, &body)?;
                let start = Instant::now();
                journal.commit()?;
                times.push(start.elapsed());
                if prepare {
                    journal.prepare()?;
                }
            }
            slowest.extend(times.into_iter().max());
        }
        let Quantiles { p50, .. } = Quantiles::of(slowest);
        println!("slowest commit in each {mib} MiB, next segment {name}: {:.0} ms", p50 / 1e3);
    }
    Ok(())
}

/// In microseconds.
struct Quantiles {
    p50: f64,
    p99: f64,
}

impl Quantiles {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |quantile: usize| times[times.len() * quantile / 100].as_secs_f64() * 1e6;
        Self { p50: at(50), p99: at(99) }
    }
}

impl std::fmt::Display for Quantiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:6.0} / {:6.0}", self.p50, self.p99)
    }
}
