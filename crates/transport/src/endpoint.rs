//! A node's endpoint: one UDP socket on which it is reached by clients and by nodes of lower
//! numbers, and from which it dials those of higher numbers.

use crate::accept;
use crate::certs::{Credentials, Identity, Tls};
use crate::channel::{self, Channel, Sink};
use crate::counters::{self, Counters, Counts, LinkGauges};
use crate::dial::{self, Proven};
use crate::error::{Error, SendError};
use crate::heartbeat::RoundTrips;
use crate::inbox::{Gate, Inbound, Inbox, PeerAddress, PeerHandle};
use crate::limits;
use crate::refusal::{Refusal, close};
use crate::settings::Settings;
use crate::socket;
use crate::table::Table;
use crate::tls;
use althing_model::{ClusterId, ConflictsId, NodeId};
use althing_wire::frame::{Frame, StreamHeader};
use bytes::Bytes;
use quinn::{ClientConfig, ConnectionError, RecvStream, SendStream, ServerConfig};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// What an endpoint is opened with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen (UDP).
    pub listen: SocketAddr,
    /// The certificate of this node.
    pub tls: Tls,
    /// The cluster that it belongs to.
    pub cluster: ClusterId,
    /// The conflict function of this node; one with another is refused.
    pub conflicts: ConflictsId,
    /// Which node this is; its certificate must say the same.
    pub me: NodeId,
    /// The other nodes. This one itself may be among them and is passed over.
    pub peers: Vec<Peer>,
    /// Everything else.
    pub settings: Settings,
}

/// Another node, and where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The node.
    pub node: NodeId,
    /// HOST:PORT; a name is resolved anew each time the node is dialled.
    pub address: String,
}

/// The state of the link to one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The node.
    pub node: NodeId,
    /// Whether there is a connection.
    pub connected: bool,
    /// The smoothed round trip of heartbeats, both ends' queues included.
    pub round_trip: Option<Duration>,
    /// All round trips of heartbeats over the present connection.
    pub round_trips: Option<RoundTrips>,
    /// How long ago anything was heard over the present connection.
    pub last_heard: Option<Duration>,
    /// The messages that wait to be sent.
    pub queued: usize,
    /// Why there is no connection, if this side dials and knows.
    pub problem: Option<String>,
}

/// An open endpoint. Dropping it closes every connection at once; [`Endpoint::close`] delivers what
/// is queued first.
pub struct Endpoint {
    shared: Arc<Shared>,
    /// Dial tasks are also started from threads that are not the runtime's.
    runtime: Handle,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("identity", &self.shared.identity).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Opens an endpoint and begins to dial its peers.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn bind(config: Config, gate: Arc<dyn Gate>, inbox: Arc<dyn Inbox>) -> Result<Self, Error> {
        let Config { listen, tls, cluster, conflicts, me, peers, settings } = config;
        settings.check().map_err(Error::Settings)?;
        let credentials = Credentials::load_node(&tls, cluster, me)?;
        let server = server_config(&credentials, &settings)?;
        let client = client_config(&credentials, &settings)?;
        let socket = socket::open(listen, credentials.key.secret_der(), Some(server))?;
        counters::certificate_ends(credentials.not_after);
        let shared = Arc::new(Shared {
            cluster,
            conflicts,
            me,
            identity: credentials.identity,
            table: Table::new(settings.clients_max, settings.connections_per_client_max),
            settings,
            socket,
            client: RwLock::new(client),
            peers: Mutex::default(),
            sink: Arc::new(InboxSink { gate, inbox }),
            counters: Arc::new(Counters::new()),
            connections: AtomicU64::new(1),
            stopping: watch::Sender::new(false),
        });
        let endpoint = Self { shared, runtime: Handle::current() };
        for peer in peers {
            endpoint.set_peer(peer);
        }
        endpoint.runtime.spawn(accept::accept(endpoint.shared.clone()));
        Ok(endpoint)
    }

    /// Makes a node known, or gives it another address, which is used the next time it is dialled.
    pub fn set_peer(&self, peer: Peer) {
        if peer.node == self.shared.me {
            return;
        }
        let is_new = self.shared.set_address(&peer);
        // Of two nodes the lower dials, so that they do not dial each other at once.
        if is_new && peer.node > self.shared.me {
            self.runtime.spawn(dial::keep_connected(self.shared.clone(), peer.node));
        }
    }

    /// Queues a message and returns at once; callable from any thread. Messages to one peer with
    /// equal `stripe` arrive in the order sent, as long as its connection lasts. What is refused
    /// here is counted and forgotten.
    pub fn send(
        &self,
        to: PeerAddress,
        kind: u8,
        stripe: u64,
        body: Bytes,
    ) -> Result<(), SendError> {
        let sent = match self.shared.table.get(to) {
            Some(channel) => channel.send(kind, stripe, body),
            None => Err(match to {
                PeerAddress::Node(node) if self.shared.is_peer(node) => SendError::Disconnected(to),
                _ => SendError::Unknown(to),
            }),
        };
        sent.inspect_err(|error| self.shared.counters.dropped(*error))
    }

    /// Closes a peer's connection because of what it sent, and counts that. A node is dialled again
    /// or may dial again.
    pub fn expel(&self, peer: PeerAddress, refusal: Refusal) {
        if let Some(channel) = self.shared.table.get(peer) {
            channel.refuse(refusal);
        }
    }

    /// The links to all nodes that are known, by number.
    pub fn links(&self) -> Vec<Link> {
        let peers = self.shared.peers();
        let link = |(&node, peer): (&NodeId, &PeerState)| {
            let channel = self.shared.table.get(PeerAddress::Node(node));
            let channel = channel.as_deref();
            Link {
                node,
                connected: channel.is_some(),
                round_trip: channel.and_then(Channel::round_trip),
                round_trips: channel.and_then(Channel::round_trips),
                last_heard: channel.map(Channel::silence),
                queued: channel.map_or(0, Channel::queued),
                problem: peer.problem.clone().filter(|_| channel.is_none()),
            }
        };
        peers.iter().map(link).collect()
    }

    /// Takes over new certificates from the same or other files. Connections that exist go on with
    /// the old ones; new ones are made with the new.
    pub fn reload(&self, tls: &Tls) -> Result<(), Error> {
        let shared = &self.shared;
        let credentials = Credentials::load_node(tls, shared.cluster, shared.me)?;
        let server = server_config(&credentials, &shared.settings)?;
        let client = client_config(&credentials, &shared.settings)?;
        *shared.client.write().expect("no panic while it is held") = client;
        shared.socket.set_server_config(Some(server));
        counters::certificate_ends(credentials.not_after);
        Ok(())
    }

    /// Where it listens; the port is the real one when 0 was asked for.
    pub fn local_address(&self) -> SocketAddr {
        self.shared.socket.local_addr().expect("an open socket has an address")
    }

    /// Who this node is, as its certificate says.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        self.shared.counters.snapshot()
    }

    /// How many connections were refused or closed for that reason.
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.shared.counters.refused_total(refusal)
    }

    /// Takes no more messages and connections, waits until what is queued has been acknowledged (at
    /// most [`Settings::drain_timeout`]), and tells every peer that this is the end.
    pub async fn close(self) {
        let shared = &self.shared;
        shared.stopping.send_replace(true);
        shared.socket.set_server_config(None);
        let channels = shared.table.all();
        let mut draining = JoinSet::new();
        for channel in channels.clone() {
            let time = shared.settings.drain_timeout;
            draining.spawn(async move {
                // Whoever does not take its messages in time goes without them.
                let _ = timeout(time, channel.drain()).await;
            });
        }
        while draining.join_next().await.is_some() {}
        shared.socket.close(close::CLOSING, b"");
        for channel in channels {
            channel.ended().await;
        }
        // Until the last close frame is on its way; a dead peer must not keep us.
        let _ = timeout(shared.settings.drain_timeout, shared.socket.wait_idle()).await;
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.shared.stopping.send_replace(true);
        self.shared.socket.close(close::CLOSING, b"");
    }
}

fn server_config(credentials: &Credentials, settings: &Settings) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::with_crypto(Arc::new(tls::server(credentials)?));
    config
        .transport_config(settings.accepting())
        .migration(false)
        .max_incoming(limits::INCOMING_MAX)
        .incoming_buffer_size(limits::INCOMING_ONE_BYTES_MAX)
        .incoming_buffer_size_total(limits::INCOMING_BYTES_MAX);
    Ok(config)
}

pub(crate) fn client_config(
    credentials: &Credentials,
    settings: &Settings,
) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::new(Arc::new(tls::client(credentials)?));
    config.transport_config(settings.dialling());
    Ok(config)
}

/// What the tasks of an endpoint share.
pub(crate) struct Shared {
    pub(crate) cluster: ClusterId,
    conflicts: ConflictsId,
    me: NodeId,
    identity: Identity,
    pub(crate) settings: Settings,
    pub(crate) socket: quinn::Endpoint,
    client: RwLock<ClientConfig>,
    peers: Mutex<BTreeMap<NodeId, PeerState>>,
    table: Table,
    sink: Arc<InboxSink>,
    pub(crate) counters: Arc<Counters>,
    /// The number of the next connection.
    connections: AtomicU64,
    pub(crate) stopping: watch::Sender<bool>,
}

struct PeerState {
    address: String,
    problem: Option<String>,
    gauges: Arc<LinkGauges>,
}

impl Shared {
    pub(crate) fn client_config(&self) -> ClientConfig {
        self.client.read().expect("no panic while it is held").clone()
    }

    pub(crate) fn address_of(&self, node: NodeId) -> Option<String> {
        self.peers().get(&node).map(|peer| peer.address.clone())
    }

    /// Whether that is a node of the configuration.
    pub(crate) fn is_peer(&self, node: NodeId) -> bool {
        self.peers().contains_key(&node)
    }

    /// Remembers why a node cannot be reached; told to the log when it is another reason than
    /// before.
    pub(crate) fn set_problem(&self, node: NodeId, problem: String) {
        let mut peers = self.peers();
        let Some(peer) = peers.get_mut(&node) else {
            return;
        };
        if peer.problem.as_ref() != Some(&problem) {
            tracing::warn!("node {} is not connected: {problem}", node.0);
            peer.problem = Some(problem);
        }
    }

    pub(crate) fn node_channel(&self, proven: Proven, node: NodeId) -> Arc<Channel> {
        let number = self.connections.fetch_add(1, Relaxed);
        self.channel(proven, PeerAddress::Node(node), number, limits::NODE_LANES)
    }

    pub(crate) fn client_channel(&self, proven: Proven) -> Arc<Channel> {
        let number = self.connections.fetch_add(1, Relaxed);
        self.channel(proven, PeerAddress::Client(number), number, limits::CLIENT_LANES)
    }

    fn channel(
        &self,
        proven: Proven,
        address: PeerAddress,
        connection: u64,
        lanes: u8,
    ) -> Arc<Channel> {
        let conflicts = match address {
            PeerAddress::Node(_) => self.conflicts,
            PeerAddress::Client(_) => ConflictsId::NONE,
        };
        let header = proven.header(self.cluster, conflicts);
        let peer = Arc::new(PeerHandle { identity: proven.identity, address, connection });
        let counters = self.counters.clone();
        Channel::new(proven.connection, peer, header, lanes, &self.settings, counters)
    }

    /// Lets a channel in, if there is room for it; returns the one that it takes the place of.
    pub(crate) fn enter(&self, channel: &Arc<Channel>) -> Result<Option<Arc<Channel>>, Refusal> {
        if let PeerAddress::Node(node) = channel.peer.address
            && !self.is_peer(node)
        {
            return Err(Refusal::UnknownNode);
        }
        self.table.enter(channel)
    }

    /// Serves a channel that was let in until it is over. A dialled channel has its control lanes
    /// open; the peer of an accepted one is greeted here.
    pub(crate) async fn serve(
        &self,
        channel: Arc<Channel>,
        replaced: Option<Arc<Channel>>,
        greeted: Option<(SendStream, RecvStream)>,
    ) -> ConnectionError {
        if let Some(replaced) = replaced {
            replaced.close(close::SUPERSEDED);
            // So that the inbox hears of its end before it hears of this one.
            replaced.ended().await;
        }
        // A connection that came in while the endpoint was being closed.
        if *self.stopping.borrow() {
            channel.close(close::CLOSING);
        }
        let is_dialled = greeted.is_some();
        let ended = match greeted {
            Some((control, first)) => {
                self.serve_greeted(&channel, control, Some(first), is_dialled).await
            }
            None => {
                let time = self.settings.handshake_timeout;
                match timeout(time, channel::open_control(&channel)).await {
                    Ok(Ok(control)) => {
                        self.serve_greeted(&channel, control, None, is_dialled).await
                    }
                    Ok(Err(error)) => {
                        self.table.leave(&channel);
                        error
                    }
                    Err(_) => {
                        self.table.leave(&channel);
                        channel.refuse(Refusal::HandshakeTimeout);
                        channel.connection.closed().await
                    }
                }
            }
        };
        channel.set_ended();
        ended
    }

    async fn serve_greeted(
        &self,
        channel: &Arc<Channel>,
        control: SendStream,
        first: Option<RecvStream>,
        is_dialled: bool,
    ) -> ConnectionError {
        self.counters.connection(is_dialled);
        self.sink.inbox.connected(&channel.peer);
        let beating = match channel.peer.address {
            PeerAddress::Node(node) => {
                if let Some(peer) = self.peers().get_mut(&node) {
                    peer.problem = None;
                }
                tracing::info!("node {} is connected", node.0);
                self.gauges_of(node).map(|gauges| {
                    let beating = beat(channel.clone(), self.settings.heartbeat, gauges);
                    tokio::spawn(beating)
                })
            }
            PeerAddress::Client(_) => {
                counters::clients(self.table.clients());
                None
            }
        };
        let ended = channel::serve(channel.clone(), control, first, self.sink.clone()).await;
        if let Some(beating) = beating {
            beating.abort();
        }
        let was_in = self.table.leave(channel);
        match channel.peer.address {
            PeerAddress::Node(node) if was_in => {
                if let Some(gauges) = self.gauges_of(node) {
                    gauges.gone();
                }
            }
            PeerAddress::Node(_) => {}
            PeerAddress::Client(_) => counters::clients(self.table.clients()),
        }
        self.sink.inbox.disconnected(&channel.peer);
        ended
    }

    fn gauges_of(&self, node: NodeId) -> Option<Arc<LinkGauges>> {
        self.peers().get(&node).map(|peer| peer.gauges.clone())
    }

    /// Whether the node was not known before.
    fn set_address(&self, peer: &Peer) -> bool {
        let mut peers = self.peers();
        let is_new = !peers.contains_key(&peer.node);
        let state = peers.entry(peer.node).or_insert_with(|| PeerState {
            address: String::new(),
            problem: None,
            gauges: Arc::new(LinkGauges::new(peer.node)),
        });
        state.address.clone_from(&peer.address);
        is_new
    }

    fn peers(&self) -> MutexGuard<'_, BTreeMap<NodeId, PeerState>> {
        self.peers.lock().expect("no panic while it is held")
    }
}

impl Proven {
    /// The header of our streams on this connection, less the lane.
    pub(crate) fn header(&self, cluster: ClusterId, conflicts: ConflictsId) -> StreamHeader {
        StreamHeader { version: self.version, cluster, group: 0, lane: 0, conflicts }
    }
}

async fn beat(channel: Arc<Channel>, every: Duration, gauges: Arc<LinkGauges>) {
    let mut ticks = interval(every);
    // After a pause of this process one heartbeat is enough.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        channel.beat();
        gauges.set(channel.queued(), channel.round_trip());
    }
}

/// The node above, as a channel sees it.
struct InboxSink {
    gate: Arc<dyn Gate>,
    inbox: Arc<dyn Inbox>,
}

impl Sink for InboxSink {
    fn admit(&self, peer: &PeerHandle, kind: u8, len: u32) -> Result<(), Refusal> {
        self.gate.admit(&peer.identity, kind, len)
    }

    async fn deliver(&self, channel: &Channel, frame: Frame) {
        let Frame { kind, body } = frame;
        let Err(mut inbound) =
            self.inbox.deliver(Inbound { from: channel.peer.clone(), kind, body })
        else {
            return;
        };
        // The inbox has no way of telling when there is room, and should need none: it is asked
        // again, soon at first. Meanwhile nothing is read from this lane, and QUIC stops the peer.
        let _held_up = channel.hold_up();
        let mut wait = Duration::from_millis(1);
        while channel.connection.close_reason().is_none() {
            sleep(wait).await;
            match self.inbox.deliver(inbound) {
                Ok(()) => return,
                Err(back) => inbound = back,
            }
            wait = (wait * 2).min(Duration::from_millis(4));
        }
    }
}
