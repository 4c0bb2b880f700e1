//! Who is in the cluster, and how it agrees.

use crate::{Epoch, NodeId, Quorums, QuorumsInvalid, Role};
use std::collections::BTreeMap;
use std::fmt;

/// How commands are committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// One wide-area round trip: every proposer is also a voter (the Atlas rule).
    Fast,
    /// Two wide-area round trips, roles anywhere (Simple BPaxos).
    Classic,
}

impl Path {
    /// The path's name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Classic => "classic",
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The nodes of one epoch with their roles, and the quorums that these make. Checked when built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    epoch: Epoch,
    path: Path,
    roles: BTreeMap<NodeId, Vec<Role>>,
    dependency: Quorums,
    acceptor: Quorums,
}

impl Membership {
    /// A membership of these nodes.
    ///
    /// # Errors
    /// When the roles do not make the quorums that `f` takes, or the fast path misses a voter.
    pub fn new(
        epoch: Epoch,
        path: Path,
        f: usize,
        roles: BTreeMap<NodeId, Vec<Role>>,
    ) -> Result<Self, MembershipInvalid> {
        let with = |role: Role| -> Vec<NodeId> {
            roles.iter().filter(|(_, own)| own.contains(&role)).map(|(node, _)| *node).collect()
        };
        for role in [Role::Dependency, Role::Acceptor] {
            let have = with(role).len();
            if have < 2 * f + 1 {
                return Err(MembershipInvalid::RoleShort { role, have, need: 2 * f + 1, f });
            }
        }
        for role in [Role::Proposer, Role::Replica] {
            let have = with(role).len();
            if have < f + 1 {
                return Err(MembershipInvalid::RoleShort { role, have, need: f + 1, f });
            }
        }
        if path == Path::Fast {
            if with(Role::Dependency) != with(Role::Acceptor) {
                return Err(MembershipInvalid::VoterHalf);
            }
            let voters = with(Role::Acceptor);
            if let Some(node) = with(Role::Proposer).into_iter().find(|p| !voters.contains(p)) {
                return Err(MembershipInvalid::ProposerWithoutVoter { node });
            }
        }
        let dependency = Quorums::new(with(Role::Dependency).len(), f)?;
        let acceptor = Quorums::new(with(Role::Acceptor).len(), f)?;
        Ok(Self { epoch, path, roles, dependency, acceptor })
    }

    /// A membership of nodes 0 to n-1 that all have every role.
    ///
    /// # Errors
    /// When `f` does not fit `n`.
    pub fn colocated(n: u32, f: usize, path: Path) -> Result<Self, MembershipInvalid> {
        let roles = (0..n).map(|node| (NodeId(node), Role::ALL.to_vec())).collect();
        // Asked first, since it says what is wrong in fewer words than the roles would.
        Quorums::new(n as usize, f)?;
        Self::new(Epoch(0), path, f, roles)
    }

    /// The number of this configuration.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How commands are committed.
    pub fn path(&self) -> Path {
        self.path
    }

    /// Every node, ascending.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.roles.keys().copied()
    }

    /// The nodes with that role, ascending.
    pub fn with(&self, role: Role) -> impl Iterator<Item = NodeId> + '_ {
        self.roles.iter().filter(move |(_, own)| own.contains(&role)).map(|(node, _)| *node)
    }

    /// Whether `node` has `role`.
    pub fn has(&self, node: NodeId, role: Role) -> bool {
        self.roles.get(&node).is_some_and(|own| own.contains(&role))
    }

    /// The roles of `node`; none when it is not a member.
    pub fn roles(&self, node: NodeId) -> &[Role] {
        self.roles.get(&node).map_or(&[], Vec::as_slice)
    }

    /// The nodes that vote on the fast path: dependency node and acceptor in one.
    pub fn voters(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.with(Role::Acceptor)
    }

    /// Quorums of the dependency nodes.
    pub fn dependency_quorums(&self) -> Quorums {
        self.dependency
    }

    /// Quorums of the acceptors; on the fast path, of the voters.
    pub fn acceptor_quorums(&self) -> Quorums {
        self.acceptor
    }
}

/// Nodes and roles do not make a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipInvalid {
    /// Too few nodes have a role.
    RoleShort {
        /// The role.
        role: Role,
        /// How many nodes have it.
        have: usize,
        /// How many must.
        need: usize,
        /// The failures to be tolerated.
        f: usize,
    },
    /// On the fast path a dependency node is an acceptor, and the other way round.
    VoterHalf,
    /// On the fast path every proposer has a voter on its node.
    ProposerWithoutVoter {
        /// The proposer.
        node: NodeId,
    },
    /// n and f make no quorums.
    Quorums(QuorumsInvalid),
}

impl From<QuorumsInvalid> for MembershipInvalid {
    fn from(invalid: QuorumsInvalid) -> Self {
        Self::Quorums(invalid)
    }
}

impl fmt::Display for MembershipInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoleShort { role, have, need, f: failures } => write!(
                f,
                "f = {failures} takes {need} nodes with role \"{role}\", and there are {have}: \
                 give the role to more nodes or lower f"
            ),
            Self::VoterHalf => f.write_str(
                "path = \"fast\" takes voters: give each node both \"dependency\" and \
                 \"acceptor\" or neither, or choose path = \"classic\"",
            ),
            Self::ProposerWithoutVoter { node } => write!(
                f,
                "path = \"fast\" takes a voter beside each proposer: give node {} the roles \
                 \"dependency\" and \"acceptor\", or choose path = \"classic\"",
                node.0
            ),
            Self::Quorums(invalid) => fmt::Display::fmt(invalid, f),
        }
    }
}

impl std::error::Error for MembershipInvalid {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_that_make_no_cluster_are_named() {
        assert!(Membership::colocated(5, 2, Path::Fast).is_ok());
        assert!(matches!(
            Membership::colocated(5, 3, Path::Fast),
            Err(MembershipInvalid::Quorums(QuorumsInvalid::FailuresOutOfRange { n: 5, f: 3 }))
        ));
        let apart: BTreeMap<_, _> = (0..9)
            .map(|node| {
                let role = match node {
                    0..3 => Role::Dependency,
                    3..6 => Role::Acceptor,
                    6..8 => Role::Proposer,
                    _ => Role::Replica,
                };
                (NodeId(node), vec![role])
            })
            .collect();
        assert_eq!(
            Membership::new(Epoch(0), Path::Classic, 1, apart),
            Err(MembershipInvalid::RoleShort { role: Role::Replica, have: 1, need: 2, f: 1 })
        );
    }

    #[test]
    fn the_fast_path_takes_voters_beside_proposers() {
        let mut roles: BTreeMap<_, _> =
            (0..3).map(|node| (NodeId(node), Role::ALL.to_vec())).collect();
        roles.insert(NodeId(3), vec![Role::Proposer]);
        assert_eq!(
            Membership::new(Epoch(0), Path::Fast, 1, roles.clone()),
            Err(MembershipInvalid::ProposerWithoutVoter { node: NodeId(3) })
        );
        assert!(Membership::new(Epoch(0), Path::Classic, 1, roles).is_ok());
    }
}
