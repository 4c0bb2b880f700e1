//! The emulated planet between the processes, and how clients find their way on it.

use crate::LocalClusterError;
use crate::description::Description;
use althing_model::NodeId;
use althing_planet::{Planet, Region};
use althing_relay::{Mesh, Relay};
use std::net::SocketAddr;
use std::time::Duration;

/// Clients wait at least this long before they ask another node, however small the planet.
const ATTEMPT_LEAST: Duration = Duration::from_millis(500);

/// However small the planet, a busy machine may keep a node silent for a while.
const SILENCE_LEAST: Duration = Duration::from_secs(1);

/// Where a client finds a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The node.
    pub node: NodeId,
    /// Where it is.
    pub region: String,
    /// What to dial.
    pub address: SocketAddr,
}

/// A running relay, and what its delays come from.
#[derive(Debug)]
pub(crate) struct Network {
    planet: Planet,
    regions: Vec<Region>,
    pub(crate) mesh: Mesh,
}

impl Network {
    pub(crate) fn start(
        planet: Planet,
        description: &Description,
    ) -> Result<Self, LocalClusterError> {
        let regions = description.nodes.iter().map(|place| planet.region(&place.region));
        let regions = regions.collect::<Result<Vec<_>, _>>()?;
        let mesh = mesh(&planet, &regions, description)?;
        Ok(Self { planet, regions, mesh })
    }

    /// The same planet, for nodes that have other ports now.
    pub(crate) fn start_again(
        &mut self,
        description: &Description,
    ) -> Result<(), LocalClusterError> {
        self.mesh = mesh(&self.planet, &self.regions, description)?;
        Ok(())
    }

    /// How clients in a node's region reach the nodes: its own directly, the others over the
    /// region's links, the nearest first.
    pub(crate) fn routes_from(&self, node: usize, direct: &[Route]) -> Vec<Route> {
        let mut routes: Vec<(u64, Route)> = direct
            .iter()
            .enumerate()
            .map(|(other, route)| {
                let address = self.mesh.address_of(node, other);
                let distance = match other == node {
                    true => 0,
                    false => self.round_trip_us(node, other),
                };
                (distance, Route { address, ..route.clone() })
            })
            .collect();
        routes.sort_by_key(|(distance, _)| *distance);
        routes.into_iter().map(|(_, route)| route).collect()
    }

    /// How long clients wait for a node before they ask the next: well above what any healthy one
    /// takes, the slow path included.
    pub(crate) fn attempt_timeout(&self) -> Duration {
        (3 * self.longest_round_trip()).max(ATTEMPT_LEAST)
    }

    /// How long nothing may be heard of a node before its clients take it for dead, and ask others
    /// from then on: enough for packets to be lost and sent again.
    pub(crate) fn silence_timeout(&self) -> Duration {
        (4 * self.longest_round_trip()).max(SILENCE_LEAST)
    }

    fn longest_round_trip(&self) -> Duration {
        let places = 0..self.regions.len();
        let pairs = places.clone().flat_map(|a| places.clone().map(move |b| (a, b)));
        let longest_us = pairs.map(|(a, b)| self.round_trip_us(a, b)).max();
        Duration::from_micros(longest_us.unwrap_or_default())
    }

    fn round_trip_us(&self, a: usize, b: usize) -> u64 {
        let round_trip = self.planet.round_trip_us(&self.regions[a], &self.regions[b]);
        round_trip.expect("the regions were looked up on this planet")
    }
}

fn mesh(
    planet: &Planet,
    regions: &[Region],
    description: &Description,
) -> Result<Mesh, LocalClusterError> {
    let addresses = description.nodes.iter().map(|place| place.address);
    let endpoints: Vec<_> = regions.iter().cloned().zip(addresses).collect();
    Ok(Relay::mesh(planet, &endpoints)?)
}
