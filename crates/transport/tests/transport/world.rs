//! A cluster of endpoints on loopback, inboxes that tests can watch and hold up, and a bare QUIC
//! client that keeps no rule.

use althing_model::{ClusterId, ConflictsId, NodeId, Role};
use althing_transport::certs::{ClusterAuthority, Identity, Tls};
use althing_transport::{
    Config, Dialer, Endpoint, Gate, Inbound, Inbox, Peer, PeerAddress, PeerHandle, Refusal,
    Settings,
};
use bytes::Bytes;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::mpsc;

pub(crate) const CLUSTER: ClusterId = ClusterId([0xa1; 16]);

/// The kind that only nodes may send, of any length.
pub(crate) const NODES: u8 = 1;
/// The kind that clients may send, up to 1,000 bytes.
pub(crate) const CLIENTS: u8 = 2;

/// A test that waits longer than this has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Lets kinds 1 and 2 in and no other.
pub(crate) struct Rules;

impl Gate for Rules {
    fn admit(&self, from: &Identity, kind: u8, len: u32) -> Result<(), Refusal> {
        match kind {
            NODES if from.node_id().is_none() => Err(Refusal::NotAllowed),
            NODES => Ok(()),
            CLIENTS if len > 1000 => Err(Refusal::TooLong),
            CLIENTS => Ok(()),
            _ => Err(Refusal::UnknownKind),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Connected(Arc<PeerHandle>),
    Disconnected(Arc<PeerHandle>),
}

struct Queue {
    messages: mpsc::Sender<Inbound>,
    events: mpsc::UnboundedSender<Event>,
}

impl Inbox for Queue {
    fn deliver(&self, inbound: Inbound) -> Result<(), Inbound> {
        self.messages.try_send(inbound).map_err(|error| error.into_inner())
    }

    fn connected(&self, peer: &Arc<PeerHandle>) {
        let _ = self.events.send(Event::Connected(peer.clone()));
    }

    fn disconnected(&self, peer: &Arc<PeerHandle>) {
        let _ = self.events.send(Event::Disconnected(peer.clone()));
    }
}

/// An endpoint and what came in.
pub(crate) struct Node {
    pub(crate) endpoint: Endpoint,
    pub(crate) messages: mpsc::Receiver<Inbound>,
    pub(crate) events: mpsc::UnboundedReceiver<Event>,
}

impl Node {
    pub(crate) fn address(&self) -> SocketAddr {
        self.endpoint.local_address()
    }

    pub(crate) async fn connected(&mut self) -> Arc<PeerHandle> {
        match within(self.events.recv()).await {
            Some(Event::Connected(peer)) => peer,
            other => panic!("not a connection: {other:?}"),
        }
    }

    pub(crate) async fn disconnected(&mut self) -> Arc<PeerHandle> {
        match within(self.events.recv()).await {
            Some(Event::Disconnected(peer)) => peer,
            other => panic!("not the end of a connection: {other:?}"),
        }
    }

    pub(crate) async fn message(&mut self) -> Inbound {
        within(self.messages.recv()).await.expect("the endpoint lives")
    }

    /// Waits for the count, which other tasks keep, to get there.
    pub(crate) async fn refused(&self, refusal: Refusal, count: u64) {
        until(|| self.endpoint.refused(refusal) >= count).await;
        assert_eq!(self.endpoint.refused(refusal), count, "{refusal:?}");
    }

    /// Nothing that a peer sent has reached the node above.
    pub(crate) fn heard_nothing(&mut self) {
        assert!(self.messages.try_recv().is_err());
        assert_eq!(self.endpoint.counts().frames_in, 0);
    }
}

/// A cluster's certificates in a directory, and the means to open endpoints with them.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) authority: ClusterAuthority,
    pub(crate) settings: Settings,
    pub(crate) capacity: usize,
    pub(crate) conflicts: ConflictsId,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(CLUSTER)
    }

    pub(crate) fn of(cluster: ClusterId) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = ClusterAuthority::create(cluster).unwrap();
        authority.write(dir.path(), false).unwrap();
        for id in 1..=3 {
            let issued = authority.issue_node(NodeId(id), &Role::ALL).unwrap();
            issued.write(dir.path(), false).unwrap();
        }
        authority.issue_client("tester").unwrap().write(dir.path(), false).unwrap();
        Self {
            dir,
            authority,
            settings: Settings::default(),
            capacity: 100_000,
            conflicts: ConflictsId([5; 32]),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn config(&self, me: u32, peers: &[(u32, SocketAddr)]) -> Config {
        Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            tls: Tls::of_node(self.dir(), NodeId(me)),
            cluster: self.authority.cluster(),
            conflicts: self.conflicts,
            me: NodeId(me),
            peers: peers
                .iter()
                .map(|(node, address)| Peer { node: NodeId(*node), address: address.to_string() })
                .collect(),
            settings: self.settings.clone(),
        }
    }

    pub(crate) fn open(&self, config: Config) -> Node {
        let (messages, inbound) = mpsc::channel(self.capacity);
        let (events, happened) = mpsc::unbounded_channel();
        let inbox = Arc::new(Queue { messages, events });
        let endpoint = Endpoint::bind(config, Arc::new(Rules), inbox).unwrap();
        Node { endpoint, messages: inbound, events: happened }
    }

    /// Node 2, which node 1 dials; it knows of node 1, not of its address.
    pub(crate) fn two(&self) -> Node {
        self.open(self.config(2, &[(1, nowhere())]))
    }

    /// Node 1, which dials `two`.
    pub(crate) fn one(&self, two: &Node) -> Node {
        self.open(self.config(1, &[(2, two.address())]))
    }

    /// Both, connected.
    pub(crate) async fn pair(&self) -> (Node, Node) {
        let mut two = self.two();
        let mut one = self.one(&two);
        one.connected().await;
        two.connected().await;
        (one, two)
    }

    pub(crate) fn dialer(&self) -> Dialer {
        Dialer::new(&Tls::of_client(self.dir(), "tester"), self.settings.clone()).unwrap()
    }

    /// The certificate and key of those files.
    pub(crate) fn shown(&self, stem: &str) -> Shown {
        let chain = CertificateDer::from_pem_file(self.dir().join(format!("{stem}.pem"))).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.dir().join(format!("{stem}.key"))).unwrap();
        Shown { chain: vec![chain], key: Some(key) }
    }
}

/// What a bare client shows of itself.
pub(crate) struct Shown {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: Option<PrivateKeyDer<'static>>,
}

impl Shown {
    pub(crate) fn nothing() -> Self {
        Self { chain: Vec::new(), key: None }
    }

    pub(crate) fn pem(certificate: &str, key: &str) -> Self {
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
        Self { chain, key: Some(PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()) }
    }
}

/// A QUIC client that keeps none of our rules: any certificate, any protocol name. It believes the
/// server, so that what is tested is the server's judgement.
pub(crate) async fn bare(
    world: &World,
    shown: Shown,
    alpn: &[&str],
    remote: SocketAddr,
) -> Result<quinn::Connection, quinn::ConnectionError> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(world.authority.pem().as_bytes()).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match shown.key {
        Some(key) => config.with_client_auth_cert(shown.chain, key).unwrap(),
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()));
    let socket = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let name = althing_transport::certs::cluster_server_name(world.authority.cluster());
    within(socket.connect_with(config, remote, &name).unwrap()).await
}

/// Port 9 of loopback: nobody is there.
pub(crate) fn nowhere() -> SocketAddr {
    "127.0.0.1:9".parse().unwrap()
}

pub(crate) fn node(id: u32) -> PeerAddress {
    PeerAddress::Node(NodeId(id))
}

pub(crate) fn number(number: u64) -> Bytes {
    Bytes::copy_from_slice(&number.to_be_bytes())
}

pub(crate) fn as_number(body: &[u8]) -> u64 {
    u64::from_be_bytes(body.try_into().expect("eight bytes"))
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it takes too long")
}

/// Waits for something that other tasks bring about and do not tell of.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "it takes too long");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
