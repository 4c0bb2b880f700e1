//! How fast a snapshot is written, read and carried, on one thread:
//!
//! ```sh
//! cargo run --release -p althing-snapshot --example throughput -- [MiB] [directory]
//! ```
//! Pieces of 64 KiB. Writing includes its syncs; reading is from the page cache if
//! it fits. A fetch serves, proves, writes and at the end reads the whole file,
//! without a network between.

use std::path::PathBuf;
use std::time::Instant;

use althing_journal::FileDisk;
use althing_model::NodeId;
use althing_snapshot::limits::TIMEOUT_US;
use althing_snapshot::{Fetch, Piece, Store, serve};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mib: u64 = arguments.next().map_or(Ok(512), |number| number.parse())?;
    let parent = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent)?;
    let store = |name: &str| Store::open(FileDisk::new(directory.path().join(name)), [7; 16], 1);
    let say = |what: &str, start: Instant| {
        println!("{what}: {:.0} MiB/s", mib as f64 / start.elapsed().as_secs_f64());
    };

    let (theirs, _) = store("theirs")?;
    let start = Instant::now();
    let mut draft = theirs.begin(1)?;
    let piece = Piece { kind: 1, bytes: vec![0xa5; 64 << 10].into() };
    for _ in 0..mib * 16 {
        draft.push(&piece)?;
    }
    let offer = draft.finish()?;
    say("written", start);

    let start = Instant::now();
    assert_eq!(theirs.verify(1)?, mib * 16);
    say("read", start);

    let (ours, _) = store("ours")?;
    let start = Instant::now();
    let mut fetch = Fetch::new(ours, 1, TIMEOUT_US);
    fetch.on_offer(NodeId(2), offer);
    while fetch.finished().is_none() {
        for (peer, ask) in fetch.poll(0)? {
            fetch.on_chunk(peer, &serve(&theirs, ask)?)?;
        }
    }
    say("fetched", start);
    Ok(())
}
