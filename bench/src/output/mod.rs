//! What is shown of results, and what is kept of them.
//!
//! ```text
//! Results -> table    for a person at a terminal
//!         -> json     for programs: one line
//!         -> write    a directory
//! ```
//!
//! # What is written
//! | file | what |
//! | --- | --- |
//! | `report.html` | everything on one page that needs nothing else, for a talk |
//! | `results.json` | everything but the histograms: command, workload, percentiles, timelines |
//! | `results.csv` | a row for each run and region |
//! | `latency-<run>.hlog` | the histograms, as HdrHistogram's interval log: V2, deflated, base64; one interval for each region, tagged with its name; microseconds |
//! | `comparison-*.svg` | mean and p99 of protocols beside each other: with several protocols |
//! | `conflict-*.svg` | mean and p99 against conflict rate: with several rates |
//! | `load-*.svg` | mean, p99 and throughput against clients or rate: with several loads |
//! | `timeline-*.svg` | throughput and longest latency over time: with a crash |
//! | `cdf-*.svg` | latency distributions, of all regions and of each |
//!
//! A soak writes `memory.svg`, `disk.svg`, `throughput.svg` and `soak.html`.

mod archive;
mod csv;
mod error;
mod figures;
mod files;
mod histogram_log;
mod html;
mod json;
mod plot;
mod series;
mod table;

pub use error::OutputError;
pub(crate) use files::write_course;
pub use json::Report;
pub(crate) use plot::usage::Course;
pub use table::ruled;

use crate::Results;
use std::path::{Path, PathBuf};

/// The tables of the terminal: one for each run, and one that compares them if there are several.
pub fn table(results: &Results) -> String {
    table::text(results)
}

/// What `--json` prints: its [`Display`](std::fmt::Display) is one line.
pub fn json(results: &Results) -> Report {
    Report::of(results)
}

/// Writes everything into a directory, which is made if it is not there; the report says that
/// `command_line` made it. Files of the same names are replaced, others left alone: plots of an
/// earlier command may stay beside the new ones. Returns the files.
///
/// # Errors
/// The directory cannot be made, or a file in it cannot be written; some may have been by then.
pub fn write(
    results: &Results,
    dir: &Path,
    command_line: &str,
) -> Result<Vec<PathBuf>, OutputError> {
    files::write(results, dir, command_line)
}

#[cfg(test)]
#[path = "../../examples/sample_report/sample.rs"]
mod sample;
