//! All messages as one type, and the table of who may send which to whom.

use crate::*;
use althing_model::{Membership, NodeId, Path, Role, VertexId};

/// Who a message comes from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// A client.
    Client,
    /// A node with that role.
    Node(Role),
    /// A node that is dependency node and acceptor in one.
    Voter,
}

impl Party {
    /// Whether a node of the cluster is one: on the fast path the dependency nodes and acceptors
    /// are voters, on the classic path there are none.
    pub fn is_at(self, membership: &Membership, node: NodeId) -> bool {
        let is_fast_path = membership.path() == Path::Fast;
        match self {
            Self::Client => false,
            Self::Voter => is_fast_path && membership.has(node, Role::Acceptor),
            Self::Node(role @ (Role::Dependency | Role::Acceptor)) => {
                !is_fast_path && membership.has(node, role)
            }
            Self::Node(role @ (Role::Proposer | Role::Replica)) => membership.has(node, role),
        }
    }
}

impl Kind {
    /// Whether that node may send messages of this kind.
    pub fn may_come_from(self, membership: &Membership, node: NodeId) -> bool {
        self.senders().iter().any(|party| party.is_at(membership, node))
    }

    /// Which role of that node receives messages of this kind: the first of its receivers that the
    /// node has, so that a commit goes to a replica by way of the voter beside it.
    pub fn receiver_at(self, membership: &Membership, node: NodeId) -> Option<Party> {
        self.receivers().iter().copied().find(|party| party.is_at(membership, node))
    }
}

macro_rules! messages {
    ($( $(#[$doc:meta])* $name:ident = $kind:literal, $class:ident, [$($from:expr),*] => [$($to:expr),*]; )*) => {
        /// Any message.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Message { $( $(#[$doc])* $name($name), )* }

        /// The kind of a message: the number that stands in a frame's header.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $( $(#[$doc])* $name = $kind, )* }

        impl Kind {
            /// Every kind, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The kind with that number, if there is one.
            pub fn from_number(number: u8) -> Option<Self> {
                match number { $($kind => Some(Self::$name),)* _ => None }
            }

            /// The kind's name in metrics and traces.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Who may send it: the whole authorisation table, with [`Self::receivers`].
            pub fn senders(self) -> &'static [Party] {
                match self { $(Self::$name => &[$($from),*],)* }
            }

            /// Who may receive it.
            pub fn receivers(self) -> &'static [Party] {
                match self { $(Self::$name => &[$($to),*],)* }
            }
        }

        impl Message {
            /// The message's kind.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$name(_) => Kind::$name,)* }
            }
        }

        $(
            impl From<$name> for Message {
                fn from(message: $name) -> Self { Self::$name(message) }
            }
            impl $class for $name {}
        )*
    };
}

use Party::{Client, Node, Voter};
use Role::{Acceptor, Dependency, Proposer, Replica};

// Number 0 is the transport's own (heartbeats). A number is never used again for another message.
messages! {
    /// client -> proposer.
    Submit = 1, Plain, [Client] => [Node(Proposer)];
    /// proposer -> client. It carries a reply, which only a replica makes, durably.
    Answer = 2, Plain, [Node(Proposer)] => [Client];
    /// client -> replica; a node without one answers by its proposer.
    Read = 3, Plain, [Client] => [Node(Replica), Node(Proposer)];
    /// replica -> client. What it shows is committed, whoever has it on disk.
    ReadAnswer = 4, Plain, [Node(Replica), Node(Proposer)] => [Client];
    /// proposer -> voter.
    PreAccept = 10, Plain, [Node(Proposer)] => [Voter];
    /// voter -> proposer.
    PreAccepted = 11, Durable, [Voter] => [Node(Proposer)];
    /// proposer -> its anchor.
    Conclude = 12, Plain, [Node(Proposer)] => [Voter];
    /// anchor -> its proposer.
    Concluded = 13, Durable, [Voter] => [Node(Proposer)];
    /// proposer -> dependency node or voter.
    Depend = 20, Plain, [Node(Proposer)] => [Node(Dependency), Voter];
    /// dependency node or voter -> proposer.
    Depended = 21, Durable, [Node(Dependency), Voter] => [Node(Proposer)];
    /// proposer -> dependency node.
    Inspect = 22, Plain, [Node(Proposer)] => [Node(Dependency)];
    /// dependency node -> proposer.
    Inspected = 23, Durable, [Node(Dependency)] => [Node(Proposer)];
    /// replica -> dependency node or voter.
    ReadDepend = 24, Plain, [Node(Replica)] => [Node(Dependency), Voter];
    /// dependency node or voter -> replica. Nothing is recorded, so nothing is promised.
    ReadDepended = 25, Plain, [Node(Dependency), Voter] => [Node(Replica)];
    /// proposer -> acceptor or voter; the attempt is durable first.
    Prepare = 30, Durable, [Node(Proposer)] => [Node(Acceptor), Voter];
    /// acceptor or voter -> proposer.
    Promised = 31, Durable, [Node(Acceptor), Voter] => [Node(Proposer)];
    /// proposer -> acceptor or voter.
    Accept = 32, Plain, [Node(Proposer)] => [Node(Acceptor), Voter];
    /// acceptor or voter -> proposer.
    Accepted = 33, Durable, [Node(Acceptor), Voter] => [Node(Proposer)];
    /// acceptor or voter -> proposer.
    Refused = 34, Durable, [Node(Acceptor), Voter] => [Node(Proposer)];
    /// voter -> proposer.
    Chosen = 35, Durable, [Voter] => [Node(Proposer)];
    /// dependency node, acceptor or voter -> proposer.
    Pruned = 36, Durable, [Node(Dependency), Node(Acceptor), Voter] => [Node(Proposer)];
    /// proposer or replica -> replica, by way of its voter.
    Commit = 40, Plain, [Node(Proposer), Node(Replica)] => [Voter, Node(Replica)];
    /// voter -> the replica on its node.
    Learned = 41, Durable, [Voter] => [Node(Replica)];
    /// replica -> proposer.
    Executed = 50, Durable, [Node(Replica)] => [Node(Proposer)];
    /// replica -> proposer.
    Recover = 51, Plain, [Node(Replica)] => [Node(Proposer)];
    /// replica -> replica.
    Frontier = 52, Plain, [Node(Replica)] => [Node(Replica)];
    /// replica -> the proposer on its node.
    Served = 53, Durable, [Node(Replica)] => [Node(Proposer)];
    /// replica -> the proposer on its node.
    Demand = 54, Plain, [Node(Replica)] => [Node(Proposer)];
    /// replica -> acceptor or voter.
    PruneAcceptor = 55, Durable, [Node(Replica)] => [Node(Acceptor), Voter];
    /// replica -> dependency node.
    PruneDependency = 56, Durable, [Node(Replica)] => [Node(Dependency)];
    /// replica -> proposer.
    PruneProposer = 57, Durable, [Node(Replica)] => [Node(Proposer)];
    /// replica -> the proposer on its node.
    BarrierDue = 58, Plain, [Node(Replica)] => [Node(Proposer)];
    /// proposer -> itself.
    Reserved = 60, Durable, [Node(Proposer)] => [Node(Proposer)];
    /// proposer -> a better placed proposer.
    Forward = 61, Plain, [Node(Proposer)] => [Node(Proposer)];
    /// proposer -> proposer.
    Distances = 62, Plain, [Node(Proposer)] => [Node(Proposer)];
    /// proposer that proposes nothing -> another proposer.
    Relay = 63, Plain, [Node(Proposer)] => [Node(Proposer)];
    /// the other proposer -> the one that relayed. It carries a reply, as an answer does.
    Relayed = 64, Plain, [Node(Proposer)] => [Node(Proposer)];
    /// replica -> replica.
    SnapshotOffer = 70, Plain, [Node(Replica)] => [Node(Replica)];
    /// replica -> replica.
    SnapshotAsk = 71, Plain, [Node(Replica)] => [Node(Replica)];
    /// replica -> replica.
    SnapshotChunk = 72, Plain, [Node(Replica)] => [Node(Replica)];
    /// node -> node, whatever their roles.
    Register = 80, Durable, [Node(Proposer), Node(Dependency), Node(Acceptor), Node(Replica), Voter] => [Node(Proposer), Node(Dependency), Node(Acceptor), Node(Replica), Voter];
    /// node -> node, whatever their roles.
    Registered = 81, Durable, [Node(Proposer), Node(Dependency), Node(Acceptor), Node(Replica), Voter] => [Node(Proposer), Node(Dependency), Node(Acceptor), Node(Replica), Voter];
    /// client -> replica.
    Watch = 90, Plain, [Client] => [Node(Replica)];
    /// client -> replica.
    WatchTaken = 91, Plain, [Client] => [Node(Replica)];
    /// client -> replica.
    Unwatch = 92, Plain, [Client] => [Node(Replica)];
    /// replica -> client. It tells of what was executed, as a reply does.
    Watched = 93, Durable, [Node(Replica)] => [Client];
    /// replica -> client, behind what it was told before.
    WatchEnded = 94, Durable, [Node(Replica)] => [Client];
}

impl Message {
    /// The vertex that the message is about, if it is about one.
    pub fn vertex(&self) -> Option<VertexId> {
        Some(match self {
            Self::Submit(_)
            | Self::Answer(_)
            | Self::Read(_)
            | Self::ReadAnswer(_)
            | Self::ReadDepend(_)
            | Self::ReadDepended(_)
            | Self::Served(_)
            | Self::Demand(_)
            | Self::Frontier(_)
            | Self::Reserved(_)
            | Self::Forward(_)
            | Self::Distances(_)
            | Self::Relay(_)
            | Self::Relayed(_)
            | Self::PruneAcceptor(_)
            | Self::PruneDependency(_)
            | Self::PruneProposer(_)
            | Self::BarrierDue(_)
            | Self::SnapshotOffer(_)
            | Self::SnapshotAsk(_)
            | Self::SnapshotChunk(_)
            | Self::Register(_)
            | Self::Registered(_)
            | Self::Watch(_)
            | Self::WatchTaken(_)
            | Self::Unwatch(_)
            | Self::Watched(_)
            | Self::WatchEnded(_) => return None,
            Self::Pruned(m) => m.vertex,
            Self::PreAccept(m) => m.vertex,
            Self::PreAccepted(m) => m.vertex,
            Self::Conclude(m) => m.vertex,
            Self::Concluded(m) => m.vertex,
            Self::Depend(m) => m.vertex,
            Self::Depended(m) => m.vertex,
            Self::Inspect(m) => m.vertex,
            Self::Inspected(m) => m.vertex,
            Self::Prepare(m) => m.vertex,
            Self::Promised(m) => m.vertex,
            Self::Accept(m) => m.vertex,
            Self::Accepted(m) => m.vertex,
            Self::Refused(m) => m.vertex,
            Self::Chosen(m) => m.vertex,
            Self::Commit(m) => m.vertex,
            Self::Learned(m) => m.vertex,
            Self::Executed(m) => m.vertex,
            Self::Recover(m) => m.vertex,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: two kinds of messages would be told apart by nothing.
    #[test]
    fn numbers_name_their_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_number(*kind as u8), Some(*kind));
            assert!(*kind as u8 != 0, "0 is the transport's");
            assert!(!kind.senders().is_empty() && !kind.receivers().is_empty());
        }
        assert_eq!(Kind::from_number(0), None);
    }

    /// Broken: a message would end at a role that has no use for it.
    #[test]
    fn commits_reach_replicas_by_way_of_their_voters() {
        let fast = Membership::colocated(3, 1, Path::Fast).unwrap();
        let classic = Membership::colocated(3, 1, Path::Classic).unwrap();
        let node = NodeId(0);
        assert_eq!(Kind::Commit.receiver_at(&fast, node), Some(Party::Voter));
        assert_eq!(Kind::Commit.receiver_at(&classic, node), Some(Party::Node(Role::Replica)));
        assert_eq!(Kind::Accept.receiver_at(&classic, node), Some(Party::Node(Role::Acceptor)));
        assert_eq!(Kind::Submit.receiver_at(&fast, NodeId(9)), None);
        assert!(!Kind::PreAccepted.may_come_from(&classic, node));
        assert!(!Kind::Submit.may_come_from(&fast, node));
    }

    /// Broken: a client could talk as a node.
    #[test]
    fn clients_may_only_submit_read_and_watch() {
        let allowed: Vec<_> =
            Kind::ALL.iter().filter(|kind| kind.senders().contains(&Party::Client)).collect();
        let expected =
            [&Kind::Submit, &Kind::Read, &Kind::Watch, &Kind::WatchTaken, &Kind::Unwatch];
        assert_eq!(allowed, expected);
    }
}
