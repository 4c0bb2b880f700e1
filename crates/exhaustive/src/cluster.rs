//! The cluster that the models are of: two proposers, three voters (or three dependency nodes and
//! three acceptors), commands that all write one resource.

use crate::Bounds;
use althing_model::{
    Command, CommandInvalid, Commands, Conflicts, Epoch, Footprint, Membership, Mode, ModeTable,
    NodeId, Operation, Path, RequestId, Role, SessionId, VertexId,
};
use althing_proposer::Link;
use althing_wire::{ClientId, Kind, Party, Submit};
use bytes::Bytes;
use std::sync::Arc;

/// How many of the three nodes have a proposer that is used.
pub(crate) const PROPOSERS: u32 = 2;
/// Voters, or dependency nodes and acceptors.
pub(crate) const NODES: u32 = 3;
/// Role instances: on the classic path two proposers, three dependency nodes, three acceptors.
pub(crate) const ACTORS_MAX: usize = 8;

/// The role instances of the model, each with a place in its states.
#[derive(Clone)]
pub(crate) struct Cluster {
    pub(crate) membership: Membership,
    pub(crate) conflicts: Arc<dyn Conflicts>,
    /// Which role of which node stands at each place.
    pub(crate) actors: Vec<(NodeId, Party)>,
}

impl Cluster {
    pub(crate) fn new(path: Path) -> Self {
        let membership = Membership::colocated(NODES, 1, path).expect("three nodes tolerate one");
        let on = |party: Party, nodes: u32| (0..nodes).map(move |node| (NodeId(node), party));
        let mut actors: Vec<_> = on(Party::Node(Role::Proposer), PROPOSERS).collect();
        match path {
            Path::Fast => actors.extend(on(Party::Voter, NODES)),
            Path::Classic => {
                actors.extend(on(Party::Node(Role::Dependency), NODES));
                actors.extend(on(Party::Node(Role::Acceptor), NODES));
            }
        }
        assert!(actors.len() <= ACTORS_MAX);
        Self { membership, conflicts: Arc::new(OneResource(ModeTable::read_write())), actors }
    }

    /// The place of whoever receives a message of that kind at a node, if the model has it.
    pub(crate) fn receiver(&self, kind: Kind, node: NodeId) -> Option<usize> {
        let party = kind.receiver_at(&self.membership, node)?;
        self.actors.iter().position(|actor| *actor == (node, party))
    }

    /// What the client of `proposer` submits in its `life`, from 0.
    pub(crate) fn submission(&self, proposer: NodeId, life: u8) -> Submit {
        Submit { ticket: u64::from(life), operation: operation(proposer, life) }
    }

    /// Whether some client of `proposer` may have submitted these commands.
    pub(crate) fn may_have_submitted(
        &self,
        proposer: NodeId,
        commands: &Commands,
        bounds: &Bounds,
    ) -> bool {
        commands.as_slice().iter().all(|command: &Command| {
            (0..bounds.commands).any(|life| command.operation == operation(proposer, life))
        })
    }

    /// The client beside every proposer.
    pub(crate) const CLIENT: ClientId = ClientId(0);

    /// The links that make a proposer choose `other` for its fast quorum.
    pub(crate) fn links(&self, me: NodeId, other: NodeId) -> impl Iterator<Item = (NodeId, Link)> {
        let nodes: Vec<_> = self.membership.nodes().filter(|node| *node != me).collect();
        nodes.into_iter().map(move |node| {
            let round_trip = if node == other { 1 } else { 2 };
            (node, Link { round_trip: Some(round_trip), is_up: true })
        })
    }
}

/// The sessions of all clients: opened earlier, by the node whose proposer is not used.
const OPENED: VertexId = VertexId { epoch: Epoch(0), proposer: NodeId(2), seq: 0 };

fn operation(proposer: NodeId, life: u8) -> Operation {
    let session = SessionId { opened: OPENED, slot: proposer.0 };
    let request = RequestId { session, sequence: u64::from(life) };
    let payload = Bytes::from(format!("{proposer} life {life}"));
    Operation::Apply { request, acknowledged_below: 0, payload }
}

/// Whatever the command, it writes the one resource that there is.
#[derive(Debug)]
struct OneResource(ModeTable);

impl Conflicts for OneResource {
    fn modes(&self) -> &ModeTable {
        &self.0
    }

    fn footprint(&self, _: &[u8]) -> Result<Footprint, CommandInvalid> {
        Ok(Footprint::of([(Bytes::from_static(b"resource"), Mode(1))]))
    }
}
