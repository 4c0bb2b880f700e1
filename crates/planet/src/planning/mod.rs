//! Where to put nodes: what each placement would cost its clients, before anyone pays for it.
//!
//! A [`Question`] says which regions may host a node, how many nodes are wanted, how many may fail,
//! and where clients are. It is answered in four ways:
//!
//! - [`Question::search`] compares placements and keeps the best;
//! - [`Question::predict`] says what one of them costs each client region under each [`Protocol`];
//! - [`Question::without`] says what is left of it when one of its regions fails;
//! - [`Question::systems`] says what other quorum systems would make of it.
//!
//! ```
//! use althing_planet::{By, Planet, Protocol, Question, Weight};
//!
//! let planet = Planet::named("aws-2020-06-05")?;
//! let clients: Vec<_> =
//!     ["eu-west-1", "us-east-1", "sa-east-1"].map(|name| (planet.region(name).unwrap(), Weight::ONE)).into();
//! let question = Question::new(planet.clone(), planet.regions(), 3, 1, &clients)?;
//! let found = question.search(Protocol::Fast, By::Mean, 1, |_| ());
//! let best = question.predict(&found.placements[0], Protocol::Fast);
//! assert!(best.mean_us < 100_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is predicted
//! The latency of commands without conflicts, from wide-area round trips alone, in whole
//! microseconds and without rounding before the mean: no processing, no disk, no queues, no loss.
//! A region hosts one node at most. A client whose region hosts a node talks to it in no time; any
//! other talks to the nearest node (of equally near ones to the first by name), there and back. A
//! client of a leader protocol talks to the leader itself.

mod base;
mod error;
mod failure;
mod predict;
mod search;
mod systems;
mod weight;

pub use error::PlanError;
pub use failure::{Failure, WithoutRegion};
pub use predict::{Prediction, Protocol, RegionPrediction};
pub use search::{By, Method, Progress, Search};
pub use systems::{Kind, SYSTEM_NODES_MAX, Survives, System};
pub use weight::Weight;

use crate::planet::{Planet, Region};

/// The most nodes that are planned for. A step of the local search compares up to
/// `n * (candidates - n)` placements, 7,000 at this limit.
pub const NODES_MAX: usize = 31;

/// What is to be placed, where it may be, and for whom.
#[derive(Debug, Clone)]
pub struct Question {
    planet: Planet,
    round_trips: RoundTrips,
    /// Places on the planet, ascending.
    candidates: Vec<usize>,
    n: usize,
    f: usize,
    /// In ascending order of place.
    clients: Vec<Client>,
}

/// The clients of one region.
#[derive(Debug, Clone, Copy)]
struct Client {
    /// The region's place on the planet.
    at: usize,
    weight: Weight,
}

/// Regions with a node each, in ascending order of name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placement {
    regions: Vec<Region>,
    /// Their places on the planet, ascending.
    places: Vec<usize>,
}

impl Placement {
    /// The regions, in ascending order of name.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }
}

impl Question {
    /// How to place `n` nodes among the candidates so that `f` may fail, for clients of these
    /// weights. Clients may be in any region of the planet.
    ///
    /// # Errors
    /// [`PlanError`]: what does not fit, and what would.
    pub fn new(
        planet: Planet,
        candidates: &[Region],
        n: usize,
        f: usize,
        clients: &[(Region, Weight)],
    ) -> Result<Self, PlanError> {
        if n < 3 {
            return Err(PlanError::TooFewNodes { n });
        }
        if n > NODES_MAX {
            return Err(PlanError::TooManyNodes { n });
        }
        if f < 1 || f > (n - 1) / 2 {
            return Err(PlanError::FailuresOutOfRange { n, f });
        }
        if n > candidates.len() {
            return Err(PlanError::TooFewCandidates { n, candidates: candidates.len() });
        }
        if clients.is_empty() {
            return Err(PlanError::NoClients);
        }
        let candidates =
            places(&planet, candidates.iter(), |region| PlanError::CandidateTwice { region })?;
        let regions = clients.iter().map(|(region, _)| region);
        places(&planet, regions, |region| PlanError::ClientTwice { region })?;
        let mut clients = clients
            .iter()
            .map(|(region, weight)| Ok(Client { at: planet.place(region)?, weight: *weight }))
            .collect::<Result<Vec<_>, PlanError>>()?;
        clients.sort_by_key(|client| client.at);
        Ok(Self { round_trips: RoundTrips::of(&planet), planet, candidates, n, f, clients })
    }

    /// The nodes to place.
    pub fn n(&self) -> usize {
        self.n
    }

    /// How many of them may fail.
    pub fn f(&self) -> usize {
        self.f
    }

    /// The planet.
    pub fn planet(&self) -> &Planet {
        &self.planet
    }

    /// The regions that may host a node, in ascending order of name.
    pub fn candidates(&self) -> impl ExactSizeIterator<Item = &Region> {
        self.candidates.iter().map(|&at| self.region(at))
    }

    /// The regions that clients are in, in ascending order of name.
    pub fn clients(&self) -> impl ExactSizeIterator<Item = (&Region, Weight)> {
        self.clients.iter().map(|client| (self.region(client.at), client.weight))
    }

    fn region(&self, at: usize) -> &Region {
        &self.planet.regions()[at]
    }

    fn placement(&self, mut places: Vec<usize>) -> Placement {
        places.sort_unstable();
        let regions = places.iter().map(|&at| self.region(at).clone()).collect();
        Placement { regions, places }
    }

    /// The nearest of these nodes to a region, the first by name of equally near ones, and how far
    /// it is.
    fn nearest(&self, from: usize, nodes: &[usize]) -> (u64, usize) {
        let nearest = nodes.iter().map(|&node| (self.round_trips.us(from, node), node)).min();
        nearest.expect("a placement has nodes, and at most one of them fails")
    }
}

/// The places of regions that are each named once, ascending.
fn places<'a>(
    planet: &Planet,
    regions: impl Iterator<Item = &'a Region>,
    twice: impl Fn(String) -> PlanError,
) -> Result<Vec<usize>, PlanError> {
    let mut places = regions.map(|region| planet.place(region)).collect::<Result<Vec<_>, _>>()?;
    places.sort_unstable();
    match places.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(twice(planet.regions()[pair[0]].name().to_owned())),
        None => Ok(places),
    }
}

/// The planet's round trips in microseconds, by place. A region to itself is no distance: a client
/// in a node's region, and a node's own answer, take no time.
#[derive(Debug, Clone)]
struct RoundTrips {
    len: usize,
    /// Row by row.
    us: Vec<u64>,
}

impl RoundTrips {
    fn of(planet: &Planet) -> Self {
        let regions = planet.regions();
        let pairs = regions.iter().flat_map(|a| regions.iter().map(move |b| (a, b)));
        let us = pairs.map(|(a, b)| match a == b {
            true => 0,
            false => planet.round_trip_us(a, b).expect("both are the planet's own"),
        });
        Self { len: regions.len(), us: us.collect() }
    }

    fn us(&self, a: usize, b: usize) -> u64 {
        self.us[a * self.len + b]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(
        n: usize,
        f: usize,
        candidates: &[&str],
        clients: &[&str],
    ) -> Result<Question, String> {
        let planet = Planet::named("aws-2021-02-13").unwrap();
        let candidates: Vec<Region> = candidates.iter().copied().map(Region::new).collect();
        let clients: Vec<_> = clients.iter().map(|name| (Region::new(name), Weight::ONE)).collect();
        Question::new(planet, &candidates, n, f, &clients).map_err(|error| error.to_string())
    }

    /// Broken: a question that has no answer gets one, or does not say what is wrong with it.
    #[test]
    fn what_does_not_fit_is_named() {
        let three = ["eu-west-1", "us-west-1", "sa-east-1"];
        let one = ["eu-west-1"];
        for (n, f, candidates, clients, says) in [
            (2, 1, &three[..], &one[..], "n = 2 is too few: one failure takes three nodes"),
            (32, 1, &three, &one, "n = 32 is too many: at most 31 nodes are planned for"),
            (5, 3, &three, &one, "f = 3 does not fit n = 5: with 5 nodes, f is from 1 to 2"),
            (5, 0, &three, &one, "f = 0 does not fit n = 5: with 5 nodes, f is from 1 to 2"),
            (5, 1, &three, &one, "5 nodes do not fit 3 candidates: a region hosts one node"),
            (3, 1, &three, &[], "there are no clients: name a region with some"),
            (
                3,
                1,
                &["eu-west-1", "us-west-1", "eu-west-1"],
                &one,
                "eu-west-1 stands twice among the candidates",
            ),
            (3, 1, &three, &["sa-east-1", "sa-east-1"], "sa-east-1 stands twice among the clients"),
            (3, 1, &["eu-west-1", "us-west-1", "sa-east-2"], &one, "did you mean \"sa-east-1\"?"),
            (3, 1, &three, &["eu-wets-1"], "did you mean \"eu-west-1\"?"),
        ] {
            let error = asked(n, f, candidates, clients).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        assert!(asked(3, 1, &three, &["ca-central-1"]).is_ok());
    }
}
