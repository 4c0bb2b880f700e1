//! What a demonstration will do and when, from what was asked for.

use super::Args;
use crate::exit::Failure;
use althing_model::{Path, Quorums};
use althing_planet::{Planet, PlanetError, Region, majority};
use anyhow::anyhow;
use std::time::Duration;

/// Regions taken where none are named.
const REGIONS_LEN: usize = 5;

/// The region that is killed where none is named.
const VICTIM: &str = "us-west-1";

/// A demonstration, decided.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) planet: Planet,
    /// One node in each.
    pub(super) regions: Vec<Region>,
    pub(super) quorums: Quorums,
    pub(super) path: Path,
    /// Clients in each region.
    pub(super) clients: usize,
    /// Commands in a hundred that are on the shared key.
    pub(super) conflict_percent: f64,
    /// The region that is killed.
    pub(super) victim: Option<usize>,
    pub(super) phases: Phases,
}

/// Moments, from the first command on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phases {
    /// From here on latencies count.
    pub(super) warm: Duration,
    /// What is submitted from here on may still be in flight when the region is killed.
    pub(super) measured: Duration,
    /// The region is killed.
    pub(super) kill: Duration,
    /// It is started again.
    pub(super) restart: Duration,
    /// No more commands.
    pub(super) end: Duration,
}

impl Phases {
    fn of(end: Duration) -> Self {
        let margin = (end / 20).min(Duration::from_secs(1));
        Self {
            warm: (end / 10).min(Duration::from_secs(3)),
            measured: end / 2 - margin,
            kill: end / 2,
            restart: end * 3 / 4,
            end,
        }
    }
}

impl Plan {
    pub(super) fn of(args: &Args) -> Result<Self, Failure> {
        let planet = althing_local::planet::load(&args.planet).map_err(Failure::usage)?;
        let regions = match &args.regions {
            Some(names) => names.iter().map(|name| planet.region(name)).collect(),
            None => Ok(planet.regions().iter().take(REGIONS_LEN).cloned().collect()),
        };
        let regions: Vec<Region> = regions.map_err(Failure::usage)?;
        for (place, region) in regions.iter().enumerate() {
            if regions[..place].contains(region) {
                return Err(Failure::usage(anyhow!("--regions names {region} twice")));
            }
        }
        let quorums = Quorums::new(regions.len(), args.f).map_err(Failure::usage)?;
        let victim = victim(args.kill.as_deref(), &regions)?;
        let phases = Phases::of(Duration::from_secs(args.seconds));
        Ok(Self {
            planet,
            regions,
            quorums,
            path: args.path,
            clients: args.clients,
            conflict_percent: args.conflict,
            victim,
            phases,
        })
    }

    /// The least time in which a command from this region can be committed while all regions are up,
    /// in microseconds.
    ///
    /// Fast path: the round trip to the nearest fast quorum. Classic path: to the nearest majority
    /// for dependencies, then to the f nearest others for votes.
    pub(super) fn bound_us(&self, region: usize) -> u64 {
        let bound = |quorum| {
            let bound = self.nearest_us(&self.regions, region, quorum);
            bound.expect("the regions were looked up, and are enough for their quorums")
        };
        match self.path {
            Path::Fast => bound(self.quorums.fast()),
            Path::Classic => bound(self.quorums.dependency()) + bound(self.quorums.phase2()),
        }
    }

    /// What the bound is, in words.
    pub(super) fn bound_meaning(&self) -> String {
        let n = self.regions.len();
        match self.path {
            Path::Fast => {
                let fast = self.quorums.fast();
                format!("round trip to the nearest fast quorum, {fast} of {n}")
            }
            Path::Classic => {
                let (most, votes) = (majority(n), self.quorums.phase2());
                format!(
                    "two round trips: to the nearest majority, {most} of {n}, then to {votes} voters"
                )
            }
        }
    }

    /// The round trip to the quorum that takes the place of the fast one while the victim is dead:
    /// as many of the nearest others, or all that are left.
    pub(super) fn outage_round_trip_us(&self, region: usize) -> u64 {
        let alive: Vec<Region> = (0..self.regions.len())
            .filter(|other| Some(*other) != self.victim)
            .map(|other| self.regions[other].clone())
            .collect();
        let quorum = self.quorums.fast().min(alive.len());
        self.nearest_us(&alive, region, quorum).expect("the region is alive")
    }

    /// Whether the victim is in the region's nearest fast quorum.
    pub(super) fn needs_victim(&self, region: usize) -> bool {
        let Some(victim) = self.victim else {
            return false;
        };
        let mut others: Vec<usize> = (0..self.regions.len()).filter(|o| *o != region).collect();
        others.sort_by_key(|other| self.round_trip_us(region, *other));
        others[..self.quorums.fast() - 1].contains(&victim)
    }

    /// The longest round trip between two regions, in microseconds.
    pub(super) fn longest_round_trip_us(&self) -> u64 {
        let places = 0..self.regions.len();
        let pairs = places.clone().flat_map(|a| places.clone().map(move |b| (a, b)));
        pairs.map(|(a, b)| self.round_trip_us(a, b)).max().unwrap_or_default()
    }

    fn round_trip_us(&self, a: usize, b: usize) -> u64 {
        let round_trip = self.planet.round_trip_us(&self.regions[a], &self.regions[b]);
        round_trip.expect("the regions were looked up on this planet")
    }

    fn nearest_us(&self, members: &[Region], from: usize, size: usize) -> Result<u64, PlanetError> {
        self.planet.bound_us(&self.regions[from], members, size)
    }

    /// The name of the region that is killed.
    pub(super) fn victim_name(&self) -> Option<&str> {
        self.victim.map(|victim| self.regions[victim].name())
    }
}

fn victim(asked: Option<&str>, regions: &[Region]) -> Result<Option<usize>, Failure> {
    let place = |name: &str| regions.iter().position(|region| region.name() == name);
    match asked {
        None => Ok(place(VICTIM).or(Some(regions.len() - 1))),
        Some("none") => Ok(None),
        Some(name) => place(name).map(Some).ok_or_else(|| {
            let all: Vec<&str> = regions.iter().map(Region::name).collect();
            let all = all.join(", ");
            Failure::usage(anyhow!("--kill {name}: it is none, or one of {all}"))
        }),
    }
}
