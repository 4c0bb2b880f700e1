//! How a command ends when it does not end well: what is said, and the exit code that goes with it.

use std::process::ExitCode;

/// The exit codes, as `--help` documents them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It failed for sure: nothing took effect.
    Failed = 1,
    /// The command line or a configuration file is wrong.
    Usage = 2,
    /// The outcome is unknown: it may have taken effect, or may yet.
    Unknown = 3,
    /// A node cannot start: an address in use, a journal or a certificate that is not in order.
    CannotStart = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A command's failure: what was wrong, what to do, and the exit code.
#[derive(Debug)]
pub struct Failure {
    /// The process's exit code.
    pub exit: Exit,
    /// For the person at the terminal; with its causes.
    pub error: anyhow::Error,
}

impl Failure {
    /// A failure with this exit code.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }

    /// The command line or a configuration is wrong.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::new(Exit::Usage, error)
    }

    /// A node cannot start.
    pub fn cannot_start(error: impl Into<anyhow::Error>) -> Self {
        Self::new(Exit::CannotStart, error)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    /// What is not said to be anything else failed for sure.
    fn from(error: E) -> Self {
        Self::new(Exit::Failed, error)
    }
}
