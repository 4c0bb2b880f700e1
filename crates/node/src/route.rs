//! Where messages go: to a role of this node, to another node, to a client.

use crate::inbox::{Inbox, Input};
use crate::limits;
use crate::metrics::RouteMetrics;
use althing_model::{Membership, NodeId, Role};
use althing_transport::certs::Tls;
use althing_transport::limits::BULK_STRIPE;
use althing_transport::{Endpoint, Error, Link, PeerAddress, Refusal};
use althing_wire::{Address, ClientId, Kind, Message, Party};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// The inboxes of this node's roles and the endpoint, shared by everything that sends.
pub(crate) struct Router {
    me: NodeId,
    inboxes: BTreeMap<Party, Arc<Inbox>>,
    /// By a kind's number: the inbox that takes it here.
    receivers: Vec<Option<Arc<Inbox>>>,
    /// The same, once it is known that the node lost its disk: it has a replica at most, and a relay in
    /// the place of its proposer.
    lost: OnceLock<Vec<Option<Arc<Inbox>>>>,
    /// The inbox of the registry's thread.
    registry: Arc<Inbox>,
    /// The inbox of the snapshots' thread, on a node with a replica.
    snapshots: Option<Arc<Inbox>>,
    /// None before the endpoint is opened and once it is closed: nothing is sent then.
    endpoint: RwLock<Option<Endpoint>>,
    metrics: RouteMetrics,
}

impl Router {
    pub(crate) fn new(
        me: NodeId,
        membership: &Membership,
        inboxes: BTreeMap<Party, Arc<Inbox>>,
        snapshots: Option<Arc<Inbox>>,
    ) -> Self {
        let mut receivers = vec![None; usize::from(u8::MAX) + 1];
        for kind in Kind::ALL {
            receivers[*kind as usize] =
                kind.receiver_at(membership, me).map(|party| inboxes[&party].clone());
        }
        if let Some(snapshots) = &snapshots {
            for kind in [Kind::SnapshotAsk, Kind::SnapshotChunk] {
                receivers[kind as usize] = Some(snapshots.clone());
            }
        }
        Self {
            me,
            inboxes,
            receivers,
            lost: OnceLock::new(),
            registry: Arc::new(Inbox::new(limits::REGISTRY_INBOX_LEN, usize::MAX)),
            snapshots,
            endpoint: RwLock::new(None),
            metrics: RouteMetrics::new(),
        }
    }

    /// The inbox of the role that takes messages of that kind here.
    pub(crate) fn receiver(&self, kind: Kind) -> Option<&Arc<Inbox>> {
        self.lost.get().unwrap_or(&self.receivers)[kind as usize].as_ref()
    }

    /// The node lost its disk: what is for its voter, dependency node and acceptor goes nowhere from now
    /// on, and commits to the replica.
    pub(crate) fn lose(&self) {
        let inbox = |role| self.inbox(Party::Node(role));
        let (replica, relay) = (inbox(Role::Replica), inbox(Role::Proposer));
        let is_left = |own: &Arc<Inbox>| {
            let threads = [replica, relay, self.snapshots.as_ref()];
            threads.into_iter().flatten().any(|left| Arc::ptr_eq(left, own))
        };
        let left = |own: &Option<Arc<Inbox>>| own.clone().filter(is_left);
        let mut receivers: Vec<_> = self.receivers.iter().map(left).collect();
        receivers[Kind::Commit as usize] = replica.cloned();
        // An error means that it was known.
        let _ = self.lost.set(receivers);
        for inbox in self.inboxes.values().filter(|own| !is_left(own)) {
            while let Ok(input) = inbox.receiver().try_recv() {
                if let Input::Message { bytes, .. } = input {
                    inbox.took(bytes);
                }
            }
        }
    }

    /// Whether the node lost its disk, as far as is known.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    /// The inbox of the registry's thread.
    pub(crate) fn registry(&self) -> &Arc<Inbox> {
        &self.registry
    }

    /// The inbox of a role, if this node has it.
    pub(crate) fn inbox(&self, party: Party) -> Option<&Arc<Inbox>> {
        self.inboxes.get(&party)
    }

    /// The inbox of the snapshots' thread, on a node with a replica.
    pub(crate) fn snapshots(&self) -> Option<&Arc<Inbox>> {
        self.snapshots.as_ref()
    }

    /// The inbox of every thread that has one.
    pub(crate) fn inboxes(&self) -> impl Iterator<Item = &Arc<Inbox>> {
        self.inboxes.values().chain(&self.snapshots).chain([&self.registry])
    }

    pub(crate) fn open(&self, endpoint: Endpoint) {
        *self.endpoint.write().unwrap_or_else(PoisonError::into_inner) = Some(endpoint);
    }

    /// Takes the endpoint, to be closed.
    pub(crate) fn take_endpoint(&self) -> Option<Endpoint> {
        self.endpoint.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The links to the other nodes.
    pub(crate) fn links(&self) -> Vec<Link> {
        self.with_endpoint(Endpoint::links).unwrap_or_default()
    }

    /// Closes a connection because of what came over it.
    pub(crate) fn expel(&self, peer: PeerAddress, refusal: Refusal) {
        self.with_endpoint(|endpoint| endpoint.expel(peer, refusal));
    }

    /// Takes new certificates over; nothing to do while there is no endpoint.
    pub(crate) fn reload(&self, tls: &Tls) -> Result<(), Error> {
        self.with_endpoint(|endpoint| endpoint.reload(tls)).unwrap_or(Ok(()))
    }

    fn with_endpoint<T>(&self, act: impl FnOnce(&Endpoint) -> T) -> Option<T> {
        let endpoint = self.endpoint.read().unwrap_or_else(PoisonError::into_inner);
        endpoint.as_ref().map(act)
    }

    /// Answers a submission that no proposer takes, or a read that no replica does.
    pub(crate) fn answer(&self, to: PeerAddress, message: Message) {
        self.put_there(to, message.kind(), 0, message.encode());
    }

    fn put_here(&self, message: Message) {
        match self.receiver(message.kind()) {
            Some(inbox) => inbox.put(Input::Message { from: self.me.into(), message, bytes: 0 }),
            None => self.metrics.unroutable.increment(1),
        }
    }

    /// Sends a body. What the transport does not take it has counted, and the protocol repeats.
    fn put_there(&self, to: PeerAddress, kind: Kind, stripe: u64, body: Bytes) {
        let _ = self.with_endpoint(|endpoint| endpoint.send(to, kind as u8, stripe, body));
    }
}

/// One thread's way out: it encodes a message once, to however many nodes it goes one after the
/// other.
pub(crate) struct Outbox {
    router: Arc<Router>,
    last: Option<(Message, Bytes)>,
}

impl Outbox {
    pub(crate) fn new(router: Arc<Router>) -> Self {
        Self { router, last: None }
    }

    /// Sends a message now.
    pub(crate) fn send(&mut self, to: Address, message: Message) {
        match to {
            Address::Node(node) if node == self.router.me => self.router.put_here(message),
            Address::Node(node) => {
                let (kind, stripe) = (message.kind(), stripe(&message));
                let body = self.encode(message);
                self.router.put_there(PeerAddress::Node(node), kind, stripe, body);
            }
            Address::Client(ClientId(client)) => {
                let body = message.encode();
                self.router.put_there(PeerAddress::Client(client), message.kind(), 0, body);
            }
        }
    }

    /// Forgets the last message, which would keep its commands alive.
    pub(crate) fn rest(&mut self) {
        self.last = None;
    }

    fn encode(&mut self, message: Message) -> Bytes {
        if let Some((last, body)) = &self.last
            && *last == message
        {
            return body.clone();
        }
        let body = message.encode();
        self.last = Some((message, body.clone()));
        body
    }
}

/// Messages about one vertex stay in order; parts of snapshots go when nothing else does.
fn stripe(message: &Message) -> u64 {
    match (message.vertex(), message) {
        // A proposer's vertices count up by one, so that any odd step keeps proposers apart.
        (Some(vertex), _) => {
            vertex.seq.wrapping_add(u64::from(vertex.proposer.0).wrapping_mul(0x9e37_79b9))
        }
        (None, Message::SnapshotChunk(_)) => BULK_STRIPE,
        (None, _) => 0,
    }
}
