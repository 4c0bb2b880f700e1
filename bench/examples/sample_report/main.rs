//! Reports of results that nobody measured, to look at: what they say about protocols is made up.
//!
//! ```text
//! cargo run -p althing-bench --example sample_report -- DIR
//! ```

mod sample;

use althing_bench::output;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir: PathBuf = std::env::args_os().nth(1).ok_or("which directory?")?.into();
    let mut alone = sample::sweep(&[0.0, 2.0, 10.0, 50.0]);
    alone.runs.retain(|run| run.protocol == "fast" && run.f == 1);
    let samples = [
        ("alone", alone),
        ("sweep", sample::sweep(&[0.0, 2.0, 10.0, 50.0])),
        ("load", sample::load(&[1, 4, 16, 64, 256, 1024])),
        ("crash", sample::crash()),
    ];
    for (name, results) in samples {
        print!("{}", output::table(&results));
        let command = format!("sample_report {name}");
        for path in output::write(&results, &dir.join(name), &command)? {
            println!("{}", path.display());
        }
    }
    Ok(())
}
