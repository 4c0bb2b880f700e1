//! A cluster in this process on loopback, and a client that speaks the wire's messages.
#![allow(dead_code, missing_docs, unreachable_pub)]

use althing_model::{
    ClusterId, CommandInvalid, Conflicts, Footprint, Mode, ModeTable, NodeId, Operation, Path,
    Pieces, Reply, RequestId, Role, SessionId, StateMachine, Unrestorable,
};
use althing_node::{Config, ConfigFile, Node, NodeHandle, StartError, Status};
use althing_transport::certs::{ClusterAuthority, Tls};
use althing_transport::{ClientConnection, Dialer, Error, Settings};
use althing_wire::{Answer, Kind, Message, Outcome, Submit};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub const CLUSTER: ClusterId = ClusterId([7; 16]);

/// Long enough for a machine that builds something else at the same time.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Numbers by name: `add NAME` adds one and answers the new number, `get NAME` answers it. A machine
/// with a fault: `get FAULT` panics.
#[derive(Default)]
pub struct Numbers(BTreeMap<String, u64>);

impl StateMachine for Numbers {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let text = std::str::from_utf8(payload).expect("footprint has judged it");
        let number = match text.split_once(' ').expect("footprint has judged it") {
            ("add", name) => {
                let number = self.0.entry(name.to_owned()).or_default();
                *number += 1;
                *number
            }
            (_, "FAULT") => panic!("a planted fault"),
            (_, name) => self.0.get(name).copied().unwrap_or(0),
        };
        number.to_string().into()
    }

    fn digest(&self) -> u64 {
        let bytes = self.0.iter().flat_map(|(name, number)| {
            name.bytes().chain([0]).chain(number.to_be_bytes()).collect::<Vec<_>>()
        });
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    /// A piece for each number, so that even a small state has several.
    fn snapshot(&self) -> Pieces {
        let numbers = self.0.clone().into_iter();
        Box::new(numbers.map(|(name, number)| format!("{number} {name}").into()))
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        let parse = |piece: &[u8]| {
            let (number, name) = std::str::from_utf8(piece).ok()?.split_once(' ')?;
            Some((name.to_owned(), number.parse().ok()?))
        };
        self.0 = pieces
            .map(|piece| parse(&piece).ok_or_else(|| Unrestorable(format!("{piece:?}"))))
            .collect::<Result<_, _>>()?;
        Ok(())
    }
}

pub struct NumbersConflicts(pub ModeTable);

impl Conflicts for NumbersConflicts {
    fn modes(&self) -> &ModeTable {
        &self.0
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        let text = std::str::from_utf8(payload).map_err(|_| CommandInvalid("no text".into()))?;
        let (mode, name) = match text.split_once(' ') {
            Some(("add", name)) => (Mode(1), name),
            Some(("get", name)) => (Mode(0), name),
            _ => return Err(CommandInvalid(format!("{text:?} is neither add nor get"))),
        };
        // Long names are for long values; their beginnings tell them apart.
        let name = Bytes::copy_from_slice(&name.as_bytes()[..name.len().min(64)]);
        Ok(Footprint::of([(name, mode)]))
    }
}

pub fn start_node(config: Config) -> Result<NodeHandle, StartError> {
    let conflicts = NumbersConflicts(ModeTable::read_write());
    Node::start(config, Box::<Numbers>::default(), Arc::new(conflicts))
}

/// Waits until `reached` gives something, asking again and again.
pub async fn until<T>(what: &str, mut reached: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = reached().await {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "not in {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Addresses that were free a moment ago.
pub fn free_addresses(count: u32) -> Vec<SocketAddr> {
    let sockets: Vec<_> = (0..count)
        .map(|_| UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports"))
        .collect();
    sockets.iter().map(|socket| socket.local_addr().expect("it is bound")).collect()
}

pub struct Cluster {
    pub dir: TempDir,
    pub files: Vec<ConfigFile>,
    pub nodes: Vec<Option<NodeHandle>>,
}

impl Cluster {
    /// Writes the certificates and configurations of a cluster, and starts none of it.
    pub fn prepare(n: u32, f: usize, path: Path) -> Self {
        let dir = TempDir::new().expect("there is room for a directory");
        let certs = dir.path().join("certs");
        let authority = ClusterAuthority::create(CLUSTER).unwrap();
        authority.write(&certs, false).unwrap();
        for node in 0..n {
            let issued = authority.issue_node(NodeId(node), &Role::ALL).unwrap();
            issued.write(&certs, false).unwrap();
        }
        let client = authority.issue_client("test").unwrap();
        client.write(&certs, false).unwrap();
        let addresses: Vec<String> = free_addresses(n).iter().map(SocketAddr::to_string).collect();
        let files = (0..n)
            .map(|node| {
                let mut file = ConfigFile::example(CLUSTER, node, &addresses, f, path);
                file.journal.segment_mib = 8;
                file
            })
            .collect();
        Self { dir, files, nodes: (0..n).map(|_| None).collect() }
    }

    /// Starts a cluster; with other ports when another process took one in the meantime.
    pub async fn start(n: u32, f: usize, path: Path) -> Self {
        'ports: loop {
            let mut cluster = Self::prepare(n, f, path);
            for node in 0..n as usize {
                match cluster.try_start_node(node) {
                    Ok(()) => {}
                    Err(StartError::Transport(Error::AddressInUse { .. })) => continue 'ports,
                    Err(error) => panic!("node {node}: {error}"),
                }
            }
            cluster.until_ready().await;
            return cluster;
        }
    }

    /// Starts every node.
    pub async fn start_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.try_start_node(node).unwrap();
        }
        self.until_ready().await;
    }

    pub fn config(&self, node: usize) -> Config {
        Config::from_file(&self.files[node], self.dir.path()).unwrap()
    }

    pub fn try_start_node(&mut self, node: usize) -> Result<(), StartError> {
        self.nodes[node] = Some(start_node(self.config(node))?);
        Ok(())
    }

    pub async fn stop_node(&mut self, node: usize) {
        let handle = self.nodes[node].take().expect("it runs");
        handle.shutdown().await.unwrap();
    }

    pub fn running(&self) -> impl Iterator<Item = &NodeHandle> {
        self.nodes.iter().flatten()
    }

    pub async fn until_ready(&self) {
        for node in self.running() {
            until("the node is ready", async || {
                let status = node.status().await.unwrap();
                let all_up = status.links.iter().filter(|link| link.up).count()
                    == self.running().count() - 1;
                (status.ready && all_up).then_some(())
            })
            .await;
        }
    }

    pub async fn status(&self, node: usize) -> Status {
        self.nodes[node].as_ref().expect("it runs").status().await.unwrap()
    }

    /// Waits until all running nodes have applied that many commands, and returns the digest, which
    /// they must share.
    pub async fn until_applied(&self, applied: u64) -> String {
        let mut digests = Vec::new();
        for node in self.running() {
            let status = until(&format!("{applied} commands are applied"), async || {
                let status = node.status().await.unwrap();
                let replica = status.replica.expect("each node has a replica");
                assert!(replica.applied <= applied, "more was applied: {status:?}");
                (replica.applied == applied).then_some(status)
            })
            .await;
            digests.push(status.digest.expect("the replica is not busy"));
        }
        digests.dedup();
        assert_eq!(digests.len(), 1, "replicas disagree: {digests:?}");
        digests.remove(0)
    }

    pub async fn client(&self, node: usize) -> Client {
        let tls = Tls::of_client(&self.dir.path().join("certs"), "test");
        let dialer = Dialer::new(&tls, Settings::default()).unwrap();
        let address = &self.files[node].nodes[node].address;
        let connection = dialer.connect(address, None).await.unwrap();
        Client { _dialer: dialer, connection, tickets: 0 }
    }

    /// Fetches a page of a node's admin address: status line and headers, and body.
    pub async fn page(&self, node: usize, path: &str) -> (String, String) {
        let handle = self.nodes[node].as_ref().expect("it runs");
        let address = handle.addresses().admin.expect("the example has pages");
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a response has a head");
        (head.to_owned(), body.to_owned())
    }

    pub async fn shutdown(mut self) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].is_some() {
                self.stop_node(node).await;
            }
        }
    }
}

/// A client at one node.
pub struct Client {
    _dialer: Dialer,
    pub connection: ClientConnection,
    tickets: u64,
}

impl Client {
    pub async fn submit(&mut self, operation: Operation) -> Outcome {
        self.tickets += 1;
        let ticket = self.tickets;
        let submit = Message::from(Submit { ticket, operation });
        self.connection.send(submit.kind() as u8, submit.encode()).unwrap();
        let received = tokio::time::timeout(PATIENCE, self.connection.recv())
            .await
            .expect("an answer comes in time");
        let (kind, body) = received.expect("the node keeps the connection");
        let kind = Kind::from_number(kind).expect("the node sends messages");
        match Message::decode(kind, body).expect("the node sends messages") {
            Message::Answer(Answer { ticket: answered, outcome }) => {
                assert_eq!(answered, ticket);
                outcome
            }
            other => panic!("no answer: {other:?}"),
        }
    }

    pub async fn open_session(&mut self) -> SessionId {
        match self.submit(Operation::OpenSession).await {
            Outcome::Executed(Reply::Opened(session)) => session,
            other => panic!("no session: {other:?}"),
        }
    }

    pub async fn apply(&mut self, session: SessionId, sequence: u64, payload: &str) -> String {
        let operation = Operation::Apply {
            request: RequestId { session, sequence },
            acknowledged_below: 0,
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        };
        match self.submit(operation).await {
            Outcome::Executed(Reply::Applied(reply)) => String::from_utf8(reply.into()).unwrap(),
            other => panic!("{payload:?} was not applied: {other:?}"),
        }
    }
}
