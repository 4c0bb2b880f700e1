//! Names of things: clusters, nodes, roles, epochs, vertices, ballots, sessions and requests.

use std::fmt;

/// A cluster's identity: 16 random bytes chosen when its certificates are made. It stands in every
/// certificate, stream header and journal superblock, so that two clusters can never be crossed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(pub [u8; 16]);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = |f: &mut fmt::Formatter<'_>, bytes: &[u8]| {
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        };
        // The usual 8-4-4-4-12 form of a UUID.
        for (index, (start, end)) in
            [(0, 4), (4, 6), (6, 8), (8, 10), (10, 16)].into_iter().enumerate()
        {
            if index > 0 {
                f.write_str("-")?;
            }
            hex(f, &self.0[start..end])?;
        }
        Ok(())
    }
}

impl fmt::Debug for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for ClusterId {
    type Err = ClusterIdInvalid;

    /// Parses 32 hexadecimal digits; hyphens between them are passed over.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| *c != '-')
            .map(|c| c.to_digit(16).map(|d| d as u8).ok_or(ClusterIdInvalid))
            .collect::<Result<_, _>>()?;
        if digits.len() != 32 {
            return Err(ClusterIdInvalid);
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(bytes))
    }
}

/// A text is no [`ClusterId`]: it takes 32 hexadecimal digits, hyphens allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterIdInvalid;

impl fmt::Display for ClusterIdInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cluster id is 32 hexadecimal digits, hyphens allowed")
    }
}

impl std::error::Error for ClusterIdInvalid {}

/// A node of a cluster: one process with one certificate, one journal and one or more roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// What a node does in the protocol. A node that is both [`Role::Dependency`] and
/// [`Role::Acceptor`] runs a *voter* when the cluster takes the fast path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Gives each command a vertex and drives it to commit.
    Proposer,
    /// Keeps the conflict index and answers with dependencies.
    Dependency,
    /// Votes: single-decree Paxos per vertex.
    Acceptor,
    /// Executes committed vertices and answers clients.
    Replica,
}

impl Role {
    /// Every role, in the order in which a command meets them.
    pub const ALL: [Self; 4] = [Self::Proposer, Self::Dependency, Self::Acceptor, Self::Replica];

    /// The role's name in configurations and certificates.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposer => "proposer",
            Self::Dependency => "dependency",
            Self::Acceptor => "acceptor",
            Self::Replica => "replica",
        }
    }

    /// The role of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The number of a configuration of the cluster; 0 until membership change exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u32);

/// One instance of consensus. The sequence numbers of a proposer within an epoch are contiguous.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VertexId {
    /// The configuration whose quorums decide this vertex.
    pub epoch: Epoch,
    /// The proposer that owns it, and alone may use rounds 0 and 1.
    pub proposer: NodeId,
    /// Its place among the proposer's vertices, from 0.
    pub seq: u64,
}

impl VertexId {
    /// The row of a [`crate::DepSet`] that this vertex belongs to.
    pub fn column(self) -> Column {
        Column { epoch: self.epoch, proposer: self.proposer }
    }
}

impl fmt::Debug for VertexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for VertexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.epoch.0, self.proposer.0, self.seq)
    }
}

/// All vertices of one proposer in one epoch: what a prefix of sequence numbers is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Column {
    /// The epoch of the vertices.
    pub epoch: Epoch,
    /// The proposer of the vertices.
    pub proposer: NodeId,
}

impl Column {
    /// The vertex of this column with that sequence number.
    pub fn vertex(self, seq: u64) -> VertexId {
        VertexId { epoch: self.epoch, proposer: self.proposer, seq }
    }
}

/// The number of one attempt to choose a value: rounds 0 (fast) and 1 (classic, needs no phase 1)
/// belong to the vertex's own proposer alone, recoveries use rounds from 2 up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    /// The round, compared first.
    pub round: u32,
    /// Who makes the attempt; it breaks ties and keeps attempts of two proposers apart.
    pub proposer: NodeId,
}

impl Ballot {
    /// The first round that a recovery may use.
    pub const FIRST_RECOVERY_ROUND: u32 = 2;

    /// Round 0 of a vertex: the votes of the fast path.
    pub fn fast(vertex: VertexId) -> Self {
        Self { round: 0, proposer: vertex.proposer }
    }

    /// Round 1 of a vertex: its own proposer's classic round.
    pub fn classic(vertex: VertexId) -> Self {
        Self { round: 1, proposer: vertex.proposer }
    }

    /// Whether this ballot may be used in that vertex by its proposer: rounds 0 and 1 belong to the
    /// vertex's own proposer.
    pub fn is_allowed_in(self, vertex: VertexId) -> bool {
        self.round >= Self::FIRST_RECOVERY_ROUND || self.proposer == vertex.proposer
    }
}

impl fmt::Debug for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Ballot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}@{}", self.round, self.proposer)
    }
}

/// A client's session. It is named after the vertex whose execution opened it, and, because a
/// vertex may hold a batch, the place of the opening in that batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The vertex of the command that opened the session; every command of the session depends
    /// on it.
    pub opened: VertexId,
    /// Which command of that vertex's batch, from 0.
    pub slot: u32,
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}/{}", self.opened, self.slot)
    }
}

/// What makes a command exactly-once: the same id may be committed in several vertices (a client
/// retried elsewhere) and takes effect in the first that is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// The session.
    pub session: SessionId,
    /// The request's number in the session, from 0, never reused.
    pub sequence: u64,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.session, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_id_prints_as_it_parses() {
        let id: ClusterId = "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap();
        assert_eq!(id.to_string(), "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!("00112233".parse::<ClusterId>(), Err(ClusterIdInvalid));
        assert_eq!("zz".repeat(16).parse::<ClusterId>(), Err(ClusterIdInvalid));
    }

    #[test]
    fn low_rounds_belong_to_the_vertex_s_own_proposer() {
        let vertex = VertexId { epoch: Epoch(0), proposer: NodeId(1), seq: 7 };
        assert!(Ballot::classic(vertex).is_allowed_in(vertex));
        assert!(!Ballot { round: 1, proposer: NodeId(2) }.is_allowed_in(vertex));
        assert!(Ballot { round: 2, proposer: NodeId(2) }.is_allowed_in(vertex));
    }
}
