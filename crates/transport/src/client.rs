//! The client's side: dials nodes of a cluster with a client's certificate.

use crate::certs::{Credentials, Identity, Tls, cluster_server_name, node_server_name};
use crate::channel::{self, Channel, Sink, Ungreeted};
use crate::counters::Counters;
use crate::dial::{self, Proven};
use crate::endpoint::client_config;
use crate::error::{Error, SendError};
use crate::inbox::{PeerAddress, PeerHandle};
use crate::limits;
use crate::refusal::{Refusal, close};
use crate::settings::Settings;
use crate::socket;
use althing_model::{ClusterId, ConflictsId, NodeId};
use althing_wire::frame::Frame;
use bytes::Bytes;
use quinn::{ClientConfig, ConnectionError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Dials nodes. One socket serves all its connections.
pub struct Dialer {
    socket: quinn::Endpoint,
    config: ClientConfig,
    identity: Identity,
    settings: Settings,
    counters: Arc<Counters>,
    connections: AtomicU64,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("identity", &self.identity).finish_non_exhaustive()
    }
}

impl Dialer {
    /// Reads the client's certificate and opens a socket. The cluster is the certificate's.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn new(tls: &Tls, settings: Settings) -> Result<Self, Error> {
        settings.check().map_err(Error::Settings)?;
        let credentials = Credentials::load_client(tls)?;
        let config = client_config(&credentials, &settings)?;
        let secret = credentials.key.secret_der();
        // Both families where the machine has them.
        let any = |ip: IpAddr| socket::open(SocketAddr::new(ip, 0), secret, None);
        let socket =
            any(Ipv6Addr::UNSPECIFIED.into()).or_else(|_| any(Ipv4Addr::UNSPECIFIED.into()))?;
        Ok(Self {
            socket,
            config,
            identity: credentials.identity,
            settings,
            counters: Arc::new(Counters::new()),
            connections: AtomicU64::new(1),
        })
    }

    /// Connects to the node at `address` (HOST:PORT). With `node`, it must be that node; without, any
    /// node of the cluster will do. Returns once the node has let this client in.
    pub async fn connect(
        &self,
        address: &str,
        node: Option<NodeId>,
    ) -> Result<ClientConnection, Error> {
        let time = self.settings.handshake_timeout;
        let reason = || format!("no answer within {time:?}");
        timeout(time, self.connect_within(address, node))
            .await
            .map_err(|_| Error::Connect { address: address.to_owned(), reason: reason() })?
    }

    async fn connect_within(
        &self,
        address: &str,
        node: Option<NodeId>,
    ) -> Result<ClientConnection, Error> {
        let cluster = self.cluster();
        let name = match node {
            Some(node) => node_server_name(cluster, node),
            None => cluster_server_name(cluster),
        };
        let proven =
            dial::connect(&self.socket, self.config.clone(), cluster, address, &name).await?;
        let (channel, node) = self.channel(proven, cluster);
        let lost = |error: ConnectionError| dial::lost(address, &error);
        let control = channel::open_control(&channel).await.map_err(lost)?;
        let first = channel::await_control(&channel).await.map_err(|why| {
            if let Ungreeted::Refused(refusal) = &why {
                self.counters.refused(*refusal, address);
            }
            dial::ungreeted(address, why)
        })?;
        let (frames, inbox) = mpsc::channel(limits::CLIENT_INBOX_FRAMES_MAX);
        let sink = Arc::new(QueueSink { frames });
        self.counters.connection(true);
        let serving = tokio::spawn({
            let channel = channel.clone();
            async move {
                let ended = channel::serve(channel.clone(), control, Some(first), sink).await;
                channel.set_ended();
                ended
            }
        });
        let address = address.to_owned();
        let (inbox, drain_timeout) = (Mutex::new(inbox), self.settings.drain_timeout);
        Ok(ClientConnection { channel, node, address, inbox, drain_timeout, serving })
    }

    fn channel(&self, proven: Proven, cluster: ClusterId) -> (Arc<Channel>, NodeId) {
        let node = proven.identity.node_id().expect("checked when it was dialled");
        // Clients have no conflict function.
        let header = proven.header(cluster, ConflictsId::NONE);
        let peer = Arc::new(PeerHandle {
            identity: proven.identity,
            address: PeerAddress::Node(node),
            connection: self.connections.fetch_add(1, Relaxed),
        });
        let (lanes, counters) = (limits::CLIENT_LANES, self.counters.clone());
        (Channel::new(proven.connection, peer, header, lanes, &self.settings, counters), node)
    }

    /// The cluster that it dials.
    pub fn cluster(&self) -> ClusterId {
        self.identity.cluster
    }

    /// Who this client is, as its certificate says.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// A client's connection to one node. Dropping it closes it at once.
pub struct ClientConnection {
    channel: Arc<Channel>,
    node: NodeId,
    address: String,
    inbox: Mutex<mpsc::Receiver<Frame>>,
    drain_timeout: Duration,
    serving: JoinHandle<ConnectionError>,
}

impl std::fmt::Debug for ClientConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientConnection")
            .field("node", &self.node)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl ClientConnection {
    /// Queues a message and returns at once; callable from any thread. Messages arrive in order.
    pub fn send(&self, kind: u8, body: Bytes) -> Result<(), SendError> {
        let sent = self.channel.send(kind, 0, body);
        sent.inspect_err(|error| self.channel.counters.dropped(*error))
    }

    /// The next message, or `None` once the connection is over and everything that came is taken.
    /// While nobody takes them, the node is held up.
    pub async fn recv(&self) -> Option<(u8, Bytes)> {
        let frame = self.inbox.lock().await.recv().await?;
        Some((frame.kind, frame.body))
    }

    /// The node at the other end, as its certificate says.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Where it was dialled.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The path's round trip, as QUIC measures it.
    pub fn round_trip(&self) -> Duration {
        self.channel.connection.rtt()
    }

    /// Whether it is over.
    pub fn is_closed(&self) -> bool {
        self.channel.connection.close_reason().is_some()
    }

    /// Waits for its end and says why.
    pub async fn closed(&self) -> Error {
        dial::lost(&self.address, &self.channel.connection.closed().await)
    }

    /// Closes it, once what was sent is acknowledged or [`Settings::drain_timeout`] is over.
    pub async fn close(mut self) {
        // Whoever does not take its messages in time goes without them.
        let _ = timeout(self.drain_timeout, self.channel.drain()).await;
        self.channel.close(close::CLOSING);
        // An error would be a panic of that task, which is told on stderr.
        let _ = (&mut self.serving).await;
    }
}

impl Drop for ClientConnection {
    fn drop(&mut self) {
        self.channel.close(close::CLOSING);
    }
}

/// Frames wait in a queue for [`ClientConnection::recv`].
struct QueueSink {
    frames: mpsc::Sender<Frame>,
}

impl Sink for QueueSink {
    fn admit(&self, _: &PeerHandle, _: u8, _: u32) -> Result<(), Refusal> {
        // From a node of the cluster everything that a frame can be is taken.
        Ok(())
    }

    async fn deliver(&self, channel: &Channel, frame: Frame) {
        let frame = match self.frames.try_send(frame) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => return,
            Err(mpsc::error::TrySendError::Full(frame)) => frame,
        };
        let _held_up = channel.hold_up();
        tokio::select! {
            // An error means that nobody takes frames any more.
            _ = self.frames.send(frame) => {}
            _ = channel.connection.closed() => {}
        }
    }
}
