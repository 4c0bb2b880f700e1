//! A link between each two nodes of a planet.

use std::net::SocketAddr;

use althing_planet::{Planet, Region};

use crate::config::{Config, Direction, LinkSpec};
use crate::error::RelayError;
use crate::relay::{LinkId, Relay, RelayHandle};

/// A relay between nodes, each of which dials the others through links of its own.
///
/// The link `i` to `j` delays as the planet says from `i`'s region to `j`'s, and back. Clients may
/// share it: a client in the region of node `i` dials node `j` at `address_of(i, j)`, and is kept
/// apart from the node by its own address. What cuts the node off then cuts off its clients too, as
/// the same cable would.
#[derive(Debug)]
pub struct Mesh {
    relay: RelayHandle,
    endpoints: Vec<SocketAddr>,
}

impl Relay {
    /// Starts a relay with one link for each ordered pair of nodes, labelled with their regions.
    /// Each node is given by its region and the address that it listens on.
    ///
    /// # Errors
    /// As [`Relay::start`], and [`RelayError::Planet`] if a region is unknown.
    pub fn mesh(planet: &Planet, endpoints: &[(Region, SocketAddr)]) -> Result<Mesh, RelayError> {
        Relay::mesh_with(planet, endpoints, Config::default())
    }

    /// As [`Relay::mesh`], with a seed and limits; the configuration's links are replaced. Loss and
    /// jitter are set afterwards, by link.
    ///
    /// # Errors
    /// As [`Relay::mesh`].
    pub fn mesh_with(
        planet: &Planet,
        endpoints: &[(Region, SocketAddr)],
        config: Config,
    ) -> Result<Mesh, RelayError> {
        let mut links = Vec::new();
        for (i, (from, _)) in endpoints.iter().enumerate() {
            for (j, (to, address)) in endpoints.iter().enumerate() {
                if i != j {
                    let there_us = planet.one_way_us(from, to)?;
                    let back_us = planet.one_way_us(to, from)?;
                    let (from, to) = (from.name(), to.name());
                    links.push(LinkSpec::new(from, to, *address, there_us, back_us));
                }
            }
        }
        let relay = Relay::start(Config { links, ..config })?;
        Ok(Mesh { relay, endpoints: endpoints.iter().map(|endpoint| endpoint.1).collect() })
    }
}

/// Methods that take a node's place panic if there is no such node.
impl Mesh {
    /// The relay itself: delays, loss, statistics.
    pub fn relay(&self) -> &RelayHandle {
        &self.relay
    }

    /// The link over which `i` dials `j`. None for a node to itself.
    pub fn link(&self, i: usize, j: usize) -> Option<LinkId> {
        let len = self.endpoints.len();
        assert!(i < len && j < len, "no node {} in a mesh of {len}", i.max(j));
        // Row by row, each without the cell on the diagonal.
        (i != j).then(|| LinkId(i * (len - 1) + j - usize::from(j > i)))
    }

    /// What node `i`, or a client in its region, dials to reach node `j`. A node itself is reached
    /// directly.
    pub fn address_of(&self, i: usize, j: usize) -> SocketAddr {
        self.link(i, j).map_or(self.endpoints[j], |link| self.relay.address(link))
    }

    /// [`Mesh::address_of`] for every pair: `table[i][j]` is what `i` dials to reach `j`.
    pub fn addresses(&self) -> Vec<Vec<SocketAddr>> {
        let nodes = 0..self.endpoints.len();
        nodes.clone().map(|i| nodes.clone().map(|j| self.address_of(i, j)).collect()).collect()
    }

    /// Stops all that goes from `i` to `j`, whoever dialled; what goes from `j` to `i` passes.
    pub fn cut_one_way(&self, i: usize, j: usize) {
        if let (Some(dialled_by_i), Some(dialled_by_j)) = (self.link(i, j), self.link(j, i)) {
            self.relay.cut_direction(dialled_by_i, Direction::There);
            self.relay.cut_direction(dialled_by_j, Direction::Back);
        }
    }

    /// Stops all that goes between `i` and `j`.
    pub fn cut_between(&self, i: usize, j: usize) {
        self.cut_one_way(i, j);
        self.cut_one_way(j, i);
    }

    /// Cuts `i` off from all others.
    pub fn isolate(&self, i: usize) {
        (0..self.endpoints.len()).for_each(|j| self.cut_between(i, j));
    }

    /// Ends the cuts between `i` and `j`.
    pub fn heal_between(&self, i: usize, j: usize) {
        [self.link(i, j), self.link(j, i)]
            .into_iter()
            .flatten()
            .for_each(|link| self.relay.heal(link));
    }

    /// Ends all cuts.
    pub fn heal_all(&self) {
        self.relay.heal_all();
    }
}
