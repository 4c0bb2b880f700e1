//! What can be wrong with what a benchmark is asked to do.

use crate::output::OutputError;
use althing_planet::PlanetError;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a benchmark cannot be run.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BenchError {
    /// The planet, or what was asked of it.
    #[error(transparent)]
    Planet(#[from] PlanetError),
    /// A planet's name or file.
    #[error(transparent)]
    PlanetSource(Arc<althing_local::PlanetSourceError>),
    /// A profile could not be read.
    #[error("cannot read the profile {}: {source}", path.display())]
    ProfileFile {
        /// Where.
        path: PathBuf,
        /// Why.
        source: Arc<std::io::Error>,
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
    Local(Arc<althing_local::LocalClusterError>),
    /// A client's configuration.
    #[error(transparent)]
    ClientFile(Arc<althing_sdk::ClientFileError>),
    /// The clients of a region reach no node.
    #[error("clients of {region}: {source}")]
    Connect {
        /// Whose.
        region: String,
        /// Why not.
        source: Arc<althing_sdk::ConnectError>,
    },
    /// The system.
    #[error(transparent)]
    Io(Arc<std::io::Error>),
    /// A run that shows an error of its protocol.
    #[error(
        "{protocol}, f = {f}, seed {seed}: no order explains what the clients saw: the figures mean \
         nothing, and this is an error to report"
    )]
    NotLinearizable {
        /// Which protocol.
        protocol: String,
        /// Failures survived.
        f: usize,
        /// The workload's seed.
        seed: u64,
    },
    /// Results could not be written.
    #[error(transparent)]
    Output(Arc<OutputError>),
    /// A cluster did not keep a promise, or did not come back.
    #[error("{0}")]
    Broken(String),
    /// Something else does not fit.
    #[error("{0}")]
    Invalid(String),
}

impl BenchError {
    /// What is wrong, and what to do.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }
}

/// Errors are told once for every run that they stop, and these cannot be copied.
macro_rules! shared {
    ($($variant:ident: $error:ty),* $(,)?) => {
        $(impl From<$error> for BenchError {
            fn from(error: $error) -> Self {
                Self::$variant(Arc::new(error))
            }
        })*
    };
}

shared! {
    PlanetSource: althing_local::PlanetSourceError,
    Local: althing_local::LocalClusterError,
    ClientFile: althing_sdk::ClientFileError,
    Io: std::io::Error,
}
