//! What can be wrong with what a benchmark is asked to do.

use althing_planet::PlanetError;
use std::path::PathBuf;

/// Why a benchmark cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The planet, or what was asked of it.
    #[error(transparent)]
    Planet(#[from] PlanetError),
    /// A planet's name or file.
    #[error(transparent)]
    PlanetSource(#[from] althing_local::PlanetSourceError),
    /// A profile could not be read.
    #[error("cannot read the profile {}: {source}", path.display())]
    ProfileFile {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A profile is no workload.
    #[error("the profile {}: {source}", path.display())]
    Profile {
        /// Where.
        path: PathBuf,
        /// What is wrong, and on which line.
        source: Box<toml::de::Error>,
    },
    /// No protocol has this name.
    #[error("there is no protocol {name:?}: did you mean {nearest:?}? (there are: {all})")]
    UnknownProtocol {
        /// What was asked for.
        name: String,
        /// The nearest name.
        nearest: String,
        /// All of them.
        all: String,
    },
    /// A leader in a region that has no node.
    #[error(
        "{protocol}: no node stands in {region:?}: did you mean {nearest:?}? (there are: {all})"
    )]
    NoNodeIn {
        /// The protocol, or `--crash`.
        protocol: String,
        /// The region that was named.
        region: String,
        /// The nearest of the workload's.
        nearest: String,
        /// The workload's regions.
        all: String,
    },
    /// Too many failures for so few regions.
    #[error(
        "f = {f} is too large for {regions} regions: a majority must remain, so f is from 1 to {max}"
    )]
    FailuresTooMany {
        /// The failures asked for.
        f: usize,
        /// How many regions there are.
        regions: usize,
        /// The most that would do.
        max: usize,
    },
    /// A cluster on this machine.
    #[error(transparent)]
    Local(#[from] althing_local::LocalClusterError),
    /// A client's configuration.
    #[error(transparent)]
    ClientFile(#[from] althing_sdk::ClientFileError),
    /// The clients of a region reach no node.
    #[error("clients of {region}: {source}")]
    Connect {
        /// Whose.
        region: String,
        /// Why not.
        source: althing_sdk::ConnectError,
    },
    /// The system.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// No failures, or one of the fewest regions.
    #[error("{0}")]
    Invalid(String),
}

impl BenchError {
    /// What is wrong, and what to do.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}
