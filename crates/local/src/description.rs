//! What a cluster is, as kept in its directory: everything that its configuration files are made
//! from, so that it comes back the same.

use crate::{LocalClusterError, Settings, ports};
use althing_model::{ClusterId, Path, Role};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path as FilePath;

/// The file's name.
const FILE: &str = "cluster.toml";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    /// The cluster's id.
    pub(crate) cluster: String,
    /// `fast` or `classic`.
    pub(crate) path: String,
    /// How many nodes may fail.
    pub(crate) f: usize,
    /// Where the emulated network takes its delays from; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) planet: Option<String>,
    /// Node by node.
    pub(crate) nodes: Vec<Place>,
}

/// Where a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// On the planet.
    pub(crate) region: String,
    /// For nodes and clients, over UDP.
    pub(crate) address: SocketAddr,
    /// For operators, over TCP.
    pub(crate) admin: SocketAddr,
    /// Its roles; none are named where it has all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) roles: Vec<String>,
}

impl Place {
    /// Its roles.
    pub(crate) fn roles(&self) -> Vec<Role> {
        match &self.roles[..] {
            [] => Role::ALL.to_vec(),
            roles => roles.iter().map(|name| Role::from_name(name).expect("checked")).collect(),
        }
    }
}

impl Description {
    /// Of the cluster that the directory holds, which has to be what is asked for; of a new one if
    /// it holds none.
    pub(crate) fn of(settings: &Settings, dir: &FilePath) -> Result<Self, LocalClusterError> {
        let file = dir.join(FILE);
        if !file.exists() {
            return Self::new(settings, dir);
        }
        let text = std::fs::read_to_string(&file).map_err(LocalClusterError::file(&file))?;
        let kept: Self = toml::from_str(&text).map_err(|error| LocalClusterError::Description {
            path: file,
            reason: error.message().to_owned(),
        })?;
        let mut roles = kept.nodes.iter().flat_map(|place| &place.roles);
        if let Some(name) = roles.find(|name| Role::from_name(name).is_none()) {
            let reason = format!("{name:?} is no role");
            return Err(LocalClusterError::Description { path: dir.join(FILE), reason });
        }
        kept.check(settings, dir)?;
        Ok(kept)
    }

    fn new(settings: &Settings, dir: &FilePath) -> Result<Self, LocalClusterError> {
        if settings.regions.is_empty() {
            return Err(LocalClusterError::NoNodes);
        }
        let free = || ports::free().map_err(LocalClusterError::file(dir));
        let place = |(node, region): (usize, &String)| {
            let roles = named(settings, node);
            Ok(Place { region: region.clone(), address: free()?, admin: free()?, roles })
        };
        Ok(Self {
            cluster: ClusterId(*uuid::Uuid::new_v4().as_bytes()).to_string(),
            path: settings.path.name().to_owned(),
            f: settings.f,
            planet: settings.planet.as_ref().map(|planet| planet.name().to_owned()),
            nodes: settings
                .regions
                .iter()
                .enumerate()
                .map(place)
                .collect::<Result<_, LocalClusterError>>()?,
        })
    }

    fn check(&self, asked: &Settings, dir: &FilePath) -> Result<(), LocalClusterError> {
        let planet = |name: Option<&str>| name.unwrap_or("none").to_owned();
        let regions: Vec<&str> = self.nodes.iter().map(|place| place.region.as_str()).collect();
        let roles = |roles: Vec<String>| match &roles[..] {
            [] => "all".to_owned(),
            roles => roles.join(" and "),
        };
        let found_roles: Vec<String> =
            self.nodes.iter().map(|place| roles(place.roles.clone())).collect();
        let asked_roles: Vec<String> =
            (0..asked.regions.len()).map(|node| roles(named(asked, node))).collect();
        for (what, found, asked) in [
            ("the path", self.path.clone(), asked.path.name().to_owned()),
            ("f =", self.f.to_string(), asked.f.to_string()),
            (
                "the planet",
                planet(self.planet.as_deref()),
                planet(asked.planet.as_ref().map(|planet| planet.name())),
            ),
            ("the nodes", regions.join(", "), asked.regions.join(", ")),
            ("the roles", found_roles.join(", "), asked_roles.join(", ")),
        ] {
            if found != asked {
                return Err(LocalClusterError::Another {
                    path: dir.to_owned(),
                    what,
                    found,
                    asked,
                });
            }
        }
        Ok(())
    }

    /// Gives nodes other ports where somebody else has theirs. Says whether there were any.
    pub(crate) fn evade(&mut self) -> std::io::Result<bool> {
        let mut evaded = false;
        for place in &mut self.nodes {
            for address in [&mut place.address, &mut place.admin] {
                if !ports::is_free(*address) {
                    *address = ports::free()?;
                    evaded = true;
                }
            }
        }
        Ok(evaded)
    }

    pub(crate) fn write(&self, dir: &FilePath) -> Result<(), LocalClusterError> {
        let file = dir.join(FILE);
        let text = toml::to_string(self).expect("every value of it has a form in TOML");
        std::fs::write(&file, text).map_err(LocalClusterError::file(&file))
    }

    pub(crate) fn cluster(&self, dir: &FilePath) -> Result<ClusterId, LocalClusterError> {
        self.cluster.parse().map_err(|error: althing_model::ClusterIdInvalid| {
            LocalClusterError::Description { path: dir.join(FILE), reason: error.to_string() }
        })
    }

    pub(crate) fn path(&self, dir: &FilePath) -> Result<Path, LocalClusterError> {
        let known = [Path::Fast, Path::Classic].into_iter().find(|path| path.name() == self.path);
        known.ok_or_else(|| LocalClusterError::Description {
            path: dir.join(FILE),
            reason: format!("the path is fast or classic, not {:?}", self.path),
        })
    }
}

/// The names of the roles that a node is to have; none where it is to have all.
fn named(settings: &Settings, node: usize) -> Vec<String> {
    let roles = settings.roles.get(node).map(Vec::as_slice).unwrap_or_default();
    roles.iter().map(|role| role.name().to_owned()).collect()
}
