//! What is shown of results, and what is kept of them.
//!
//! ```text
//! Results -> table    for a person at a terminal
//!         -> json     for programs: one line
//!         -> write    a directory: results.json, results.csv, latency-<run>.hlog, *.svg,
//!                     report.html
//! ```

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
pub use json::Report;

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

/// Writes everything into a directory, which is made if it is not there, over what was written
/// before: `results.json` and `results.csv`, a histogram log for each run, the plots, and
/// `report.html` with all of them, which says that `command_line` made it. Returns the files.
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
