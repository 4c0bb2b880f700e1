//! Why results could not be put out.

use std::io;
use std::path::PathBuf;

/// Why results could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The directory is not there and cannot be made.
    #[error(
        "cannot make the directory {}: {source}; name one that can be written with --out",
        path.display()
    )]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A plot cannot be drawn.
    #[error("cannot draw the plot {name}: {reason}")]
    Plot {
        /// The name of its file, without `.svg`.
        name: String,
        /// Why.
        reason: String,
    },
}
