//! What can be wrong with a question about placements.

use super::NODES_MAX;
use super::weight::WEIGHT_MAX;
use crate::error::PlanetError;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A region is not of the planet.
    #[error(transparent)]
    Planet(#[from] PlanetError),
    /// Fewer than three nodes tolerate no failure.
    #[error("n = {n} is too few: one failure takes three nodes")]
    TooFewNodes {
        /// Nodes asked for.
        n: usize,
    },
    /// More nodes than [`NODES_MAX`].
    #[error("n = {n} is too many: at most {NODES_MAX} nodes are planned for")]
    TooManyNodes {
        /// Nodes asked for.
        n: usize,
    },
    /// f is outside its range for n.
    #[error("f = {f} does not fit n = {n}: with {n} nodes, f is from 1 to {}", (n - 1) / 2)]
    FailuresOutOfRange {
        /// Nodes asked for.
        n: usize,
        /// Failures asked for.
        f: usize,
    },
    /// More nodes than regions to put them into.
    #[error(
        "{n} nodes do not fit {candidates} candidates: a region hosts one node; name more \
         candidates, or place fewer nodes"
    )]
    TooFewCandidates {
        /// Nodes asked for.
        n: usize,
        /// Regions that may host one.
        candidates: usize,
    },
    /// A candidate is named more than once.
    #[error("{region} stands twice among the candidates")]
    CandidateTwice {
        /// Its name.
        region: String,
    },
    /// A client region is named more than once.
    #[error("{region} stands twice among the clients; give it one weight")]
    ClientTwice {
        /// Its name.
        region: String,
    },
    /// Nobody to place nodes for.
    #[error("there are no clients: name a region with some")]
    NoClients,
    /// A weight is no positive number of at most three decimals.
    #[error(
        "a weight is a number above 0 and up to {WEIGHT_MAX}, with at most three decimals, not \
         {found:?}"
    )]
    Weight {
        /// What stands there.
        found: String,
    },
}
