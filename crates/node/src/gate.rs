//! What may come in from the network, and its way to a role's inbox.

use crate::inbox::Input;
use crate::limits;
use crate::route::Router;
use crate::status::Published;
use althing_model::{DepSet, Membership, NodeId, Operation, Role};
use althing_transport::certs::{Identity, Subject};
use althing_transport::{Gate, Inbound, Inbox, PeerAddress, PeerHandle, Refusal};
use althing_wire::{
    Address, Answer, ClientId, Kind, Message, Outcome, Party, ReadAnswer, ReadDelay, ReadOutcome,
    Submit,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Says which frames are let in, by the sender's certificate and this cluster's membership, before
/// their bodies are read.
pub(crate) struct Admission {
    /// Whether this node takes a kind from the network, by the kind's number.
    taken: Vec<bool>,
    /// The roles that the membership gives each node.
    parties: BTreeMap<NodeId, Vec<Party>>,
}

impl Admission {
    pub(crate) fn new(me: NodeId, membership: &Membership) -> Self {
        let mut taken = vec![false; usize::from(u8::MAX) + 1];
        for kind in Kind::ALL {
            taken[*kind as usize] =
                !is_internal(*kind) && kind.receiver_at(membership, me).is_some();
        }
        let every = Role::ALL.map(Party::Node).into_iter().chain([Party::Voter]);
        let of = |node| {
            let own = every.clone().filter(|party| party.is_at(membership, node));
            (node, own.collect())
        };
        Self { taken, parties: membership.nodes().map(of).collect() }
    }

    /// Whether that sender is one of those who send such messages: both the membership and its own
    /// certificate have to give it the role.
    fn is_sender(&self, from: &Identity, kind: Kind) -> bool {
        let senders = kind.senders();
        match &from.subject {
            Subject::Client { .. } => senders.contains(&Party::Client),
            Subject::Node { id, .. } => self.parties.get(id).is_some_and(|parties| {
                parties.iter().any(|party| senders.contains(party) && is_certified(from, *party))
            }),
        }
    }
}

/// Messages between the roles of one node never cross the network.
fn is_internal(kind: Kind) -> bool {
    matches!(kind, Kind::Learned | Kind::Reserved | Kind::Served | Kind::Demand | Kind::BarrierDue)
}

fn is_certified(from: &Identity, party: Party) -> bool {
    match party {
        Party::Client => from.node_id().is_none(),
        Party::Node(role) => from.has_role(role),
        Party::Voter => from.has_role(Role::Dependency) && from.has_role(Role::Acceptor),
    }
}

impl Gate for Admission {
    fn admit(&self, from: &Identity, kind: u8, len: u32) -> Result<(), Refusal> {
        let kind = Kind::from_number(kind).ok_or(Refusal::UnknownKind)?;
        if !self.taken[kind as usize] || !self.is_sender(from, kind) {
            return Err(Refusal::NotAllowed);
        }
        if len > limits::body_len_max(kind) {
            return Err(Refusal::TooLong);
        }
        Ok(())
    }
}

/// Decodes what was let in and puts it into the inbox of the role that takes it.
pub(crate) struct Delivery {
    router: Arc<Router>,
    is_closing: Arc<AtomicBool>,
    published: Arc<Published>,
}

impl Delivery {
    /// Once `is_closing`, what comes in is dropped: the roles that would take it are ending.
    pub(crate) fn new(
        router: Arc<Router>,
        is_closing: Arc<AtomicBool>,
        published: Arc<Published>,
    ) -> Self {
        Self { router, is_closing, published }
    }

    /// With little room left on the disk nothing new is begun, except what gives room back; and nothing
    /// before it is known whether this node may propose, so that clients go elsewhere.
    fn is_refused(&self, submit: &Submit) -> bool {
        if self.published.is_asking() {
            return true;
        }
        self.published.is_disk_low()
            && !matches!(submit.operation, Operation::Barrier | Operation::CloseSessions { .. })
    }
}

impl Inbox for Delivery {
    fn deliver(&self, inbound: Inbound) -> Result<(), Inbound> {
        let Some(kind) = Kind::from_number(inbound.kind) else {
            self.router.expel(inbound.from.address, Refusal::UnknownKind);
            return Ok(());
        };
        let receiver = match kind {
            Kind::Register | Kind::Registered => Some(self.router.registry()),
            kind => self.router.receiver(kind),
        };
        let Some(inbox) = receiver else {
            // Others count on a voter that is no more until they hear of it.
            if !self.router.is_lost() {
                self.router.expel(inbound.from.address, Refusal::UnknownKind);
            }
            return Ok(());
        };
        if self.is_closing.load(Relaxed) {
            return Ok(());
        }
        let bytes = inbound.body.len();
        if !inbox.has_room(bytes) {
            // Whoever needs it asks again; no commit is to wait for it.
            let may_be_lost = matches!(kind, Kind::SnapshotAsk | Kind::SnapshotChunk);
            return if may_be_lost { Ok(()) } else { Err(inbound) };
        }
        match Message::decode(kind, inbound.body) {
            Ok(Message::Submit(submit)) if self.is_refused(&submit) => {
                let (ticket, seen) = (submit.ticket, DepSet::default());
                let answer = Answer { ticket, outcome: Outcome::Overloaded, seen };
                self.router.answer(inbound.from.address, answer.into());
            }
            // Its replica knows nothing yet, not even how old its state is.
            Ok(Message::Read(read)) if self.published.is_asking() => {
                let outcome = ReadOutcome::Later(ReadDelay::Behind);
                let answer = ReadAnswer { ticket: read.ticket, outcome };
                self.router.answer(inbound.from.address, answer.into());
            }
            Ok(message) => {
                inbox.put(Input::Message { from: address(inbound.from.address), message, bytes })
            }
            Err(error) => {
                tracing::warn!("{}: {error}", inbound.from.address);
                self.router.expel(inbound.from.address, Refusal::Undecodable);
            }
        }
        Ok(())
    }

    fn disconnected(&self, peer: &Arc<PeerHandle>) {
        let PeerAddress::Client(client) = peer.address else { return };
        for role in [Role::Proposer, Role::Replica] {
            if let Some(inbox) = self.router.inbox(Party::Node(role)) {
                inbox.put(Input::ClientGone(ClientId(client)));
            }
        }
    }
}

fn address(peer: PeerAddress) -> Address {
    match peer {
        PeerAddress::Node(node) => node.into(),
        PeerAddress::Client(client) => ClientId(client).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{ClusterId, Path};

    fn node(id: u32, roles: &[Role]) -> Identity {
        Identity::node(ClusterId([1; 16]), NodeId(id), roles)
    }

    fn client() -> Identity {
        Identity::client(ClusterId([1; 16]), "orders").unwrap()
    }

    /// Broken: a stranger, a client or a node of the wrong role could vote, commit or reserve.
    #[test]
    fn senders_are_judged_by_membership_and_certificate() {
        let membership = Membership::colocated(3, 1, Path::Fast).unwrap();
        let gate = Admission::new(NodeId(0), &membership);
        let admit = |from: &Identity, kind: Kind| gate.admit(from, kind as u8, 10);
        let peer = node(1, &Role::ALL);
        assert_eq!(admit(&peer, Kind::PreAccept), Ok(()));
        assert_eq!(admit(&peer, Kind::Accepted), Ok(()));
        assert_eq!(admit(&client(), Kind::Submit), Ok(()));
        for (from, kind) in [
            (peer.clone(), Kind::Submit),
            (peer.clone(), Kind::Answer),
            (peer.clone(), Kind::Learned),
            (peer.clone(), Kind::Reserved),
            // A role that this path does not have.
            (peer, Kind::Inspect),
            (client(), Kind::Commit),
            // No member, whatever its certificate says.
            (node(7, &Role::ALL), Kind::PreAccept),
            // A member whose certificate does not go as far as the membership.
            (node(1, &[Role::Replica]), Kind::PreAccept),
            (node(1, &[Role::Proposer, Role::Acceptor]), Kind::Accepted),
        ] {
            assert_eq!(admit(&from, kind), Err(Refusal::NotAllowed), "{kind:?}");
        }
        assert_eq!(gate.admit(&client(), 200, 10), Err(Refusal::UnknownKind), "no such kind");
    }

    /// Broken: a peer makes this node read megabytes where a vote is a few bytes long.
    #[test]
    fn lengths_are_judged_by_kind() {
        let membership = Membership::colocated(3, 1, Path::Fast).unwrap();
        let gate = Admission::new(NodeId(0), &membership);
        let peer = node(1, &Role::ALL);
        let admit = |kind: Kind, len| gate.admit(&peer, kind as u8, len);
        assert_eq!(admit(Kind::Accepted, 1 << 10), Ok(()));
        assert_eq!(admit(Kind::Accepted, (1 << 10) + 1), Err(Refusal::TooLong));
        assert_eq!(admit(Kind::Commit, 4 << 20), Ok(()));
        let submit = gate.admit(&client(), Kind::Submit as u8, 4 << 20);
        assert_eq!(submit, Err(Refusal::TooLong));
    }
}
