//! Power cuts at every change of random lives of a journal, each image opened:
//!
//! ```sh
//! cargo run --release -p althing-journal --example crash_images -- [traces] [first seed]
//! ```
//! 10,000 traces from seed 0 if nothing is said. A trace is a random life: appends,
//! commits, prepared and new segments, trims, closes, kills, and a last commit. After
//! each change of the disk the power goes: of the changed names every prefix
//! survives, of the unsynced sectors and lengths every prefix, and every subset
//! where there are few, else a deterministic sample. Where the last commit is
//! about to sync, all subsets up to 4096 are tried, and writes cut at a byte.
//!
//! An image is right if the journal opens and holds all that was committed, then
//! the group that was being committed, whole or not at all; and can be written on
//! and opened again, which every 16th image shows. The first wrong one ends the
//! run, with its seed.

mod images;
mod trace;
mod traced;

use std::process::ExitCode;
use std::time::Instant;

use images::Figures;

fn main() -> Result<ExitCode, std::num::ParseIntError> {
    let mut arguments = std::env::args().skip(1);
    let traces: u64 = arguments.next().map_or(Ok(10_000), |number| number.parse())?;
    let first: u64 = arguments.next().map_or(Ok(0), |number| number.parse())?;
    let start = Instant::now();
    let mut figures = Figures::default();
    for seed in first..first + traces {
        if let Err(wrong) = trace::run(seed, &mut figures) {
            eprintln!("seed {seed}: {wrong}");
            eprintln!(
                "again: cargo run --release -p althing-journal --example crash_images -- 1 {seed}"
            );
            return Ok(ExitCode::FAILURE);
        }
    }
    println!("{traces} traces from seed {first}, {:.0} s", start.elapsed().as_secs_f64());
    print!("{figures}");
    Ok(ExitCode::SUCCESS)
}
