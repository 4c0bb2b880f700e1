//! Peers that are not what they should be.

use crate::world::{Serving, World};
use althing_model::{
    ClusterId, ConflictsId, DepSet, Epoch, NodeId, Operation, Reply, SessionId, VertexId,
};
use althing_transport::certs::{Identity, Tls, cluster_server_name};
use althing_transport::{Dialer, Endpoint, Gate, Inbound, Inbox, Refusal, Settings};
use althing_wire::frame::{StreamHeader, encode_frame_header};
use althing_wire::{Answer, Kind, Message, Outcome};
use quinn::crypto::rustls::QuicClientConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::net::UdpSocket;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::timeout;

/// Longer than any of this takes on a machine that builds something else at the same time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Broken: a client hangs at, or is confused by, an address that is something else.
#[test]
fn a_port_that_speaks_something_else_is_named_in_time() {
    let mut world = World::new(3, 1);
    // Only one is known to the client.
    world.files[0].nodes.truncate(1);
    let echo = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = echo.local_addr().unwrap().to_string();
    // Ends with the test process.
    std::thread::spawn(move || {
        let mut datagram = [0; 65536];
        while let Ok((len, from)) = echo.recv_from(&mut datagram) {
            let _ = echo.send_to(&datagram[..len], from);
        }
    });
    world.files[0].nodes[0].address = address.clone();
    world.write_client(std::slice::from_ref(&address));
    let begun = std::time::Instant::now();
    let said = ["no node can be reached", "node 0", &address, "Is the cluster running"];
    world.kv(&["--timeout", "2", "get", "a"]).says(1, &said);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());

    // And the page for operators: a server that talks something else.
    let talker = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = talker.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        use std::io::Write;
        while let Ok((mut stream, _)) = talker.accept() {
            let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
        }
    });
    world.write_client(&[address]);
    let status = world.run(&["status", "--client", "client.toml"]);
    status.says(1, &["0 of 1 nodes are ready"]);
    assert!(status.stdout.contains("unreachable"), "{}", status.stdout);
}

/// Broken: a client of one cluster talks to another, or is not told why it may not.
#[test]
fn another_cluster_s_client_is_told_so() {
    let (world, nodes) = World::running();
    let other = World::of(ClusterId([9; 16]), 3, 1);
    let ca = world.path("certs/ca.pem");
    let theirs = |name: &str| other.path("certs").join(name).to_str().unwrap().to_owned();
    let (cert, key) = (theirs("client-tester.pem"), theirs("client-tester.key"));
    let theirs_all = ["--ca", &theirs("ca.pem"), "--cert", &cert, "--key", &key, "get", "a"];
    // The configuration names the cluster: nobody is dialled.
    let args = [&["kv", "--config", "node-0.toml"], &theirs_all[..]].concat();
    world.run(&args).says(2, &["belongs to cluster 09090909", "the nodes to cluster 07070707"]);
    // Only an address: what answers there is refused.
    let addresses = format!("0={}", world.files[0].nodes[0].address);
    let args = [&["kv", "--nodes", &addresses], &theirs_all[..]].concat();
    world.run(&args).says(1, &["node 0", "issued by another authority"]);
    let mixed = ["--ca", ca.to_str().unwrap(), "--cert", &cert, "--key", &key, "get", "a"];
    let args = [&["kv", "--nodes", &addresses], &mixed[..]].concat();
    world.run(&args).says(2, &["was not issued by the authority"]);
    nodes.into_iter().for_each(Serving::stop);
}

/// Broken: garbage from someone with a good certificate takes the node down, is passed over, or is
/// not seen by whoever watches the metrics.
#[tokio::test]
async fn garbage_costs_its_sender_the_connection_and_nothing_else() {
    let (world, nodes) = World::running();
    let address = world.files[0].nodes[0].address.clone();
    let tls = Tls::of_client(&world.path("certs"), "tester");
    let dialer = Dialer::new(&tls, Settings::default()).unwrap();
    let messages = [
        (99, &b"what is this"[..], Refusal::UnknownKind),
        (Kind::Submit as u8, b"\xff\xff\xff\xff", Refusal::Undecodable),
        (Kind::PreAccept as u8, b"I am a node", Refusal::NotAllowed),
    ];
    for (kind, body, refusal) in messages {
        let connection = timeout(PATIENCE, dialer.connect(&address, None)).await.unwrap().unwrap();
        connection.send(kind, body.into()).unwrap();
        let ended = timeout(PATIENCE, connection.closed()).await.unwrap();
        assert!(ended.to_string().contains(&refusal.to_string()), "{ended}, not {refusal}");
    }
    let header = StreamHeader {
        version: 1,
        cluster: crate::world::CLUSTER,
        group: 0,
        lane: 0,
        conflicts: ConflictsId::NONE,
    };
    let too_long = [&header.encode()[..], &[0xff, 0xff, 0xff, 0xff, 1, 0]].concat();
    let half = [&header.encode()[..], &encode_frame_header(1, 100)[..3]].concat();
    let streams = [
        (b"GET / HTTP/1.1\r\nHost: althing\r\n\r\n".to_vec(), Refusal::BadStream),
        (too_long, Refusal::TooLong),
    ];
    for (bytes, refusal) in streams {
        let connection = bare(&world, &address).await;
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let ended = timeout(PATIENCE, connection.closed()).await.unwrap();
        let quinn::ConnectionError::ApplicationClosed(closed) = ended else {
            panic!("not closed by the node: {ended}");
        };
        assert_eq!(Refusal::from_code(closed.error_code.into()), Some(refusal));
    }
    // Half a frame, and gone.
    let connection = bare(&world, &address).await;
    connection.open_uni().await.unwrap().write_all(&half).await.unwrap();
    connection.close(0u32.into(), b"");

    let metrics = nodes[0].page("/metrics");
    for reason in ["unknown_kind", "undecodable", "not_allowed", "bad_stream", "too_long"] {
        let line = format!("althing_transport_refused_total{{reason=\"{reason}\"}} 1");
        assert!(metrics.contains(&line), "no {line} in {metrics}");
    }
    world.kv(&["put", "alive", "yes"]).prints("ok");
    nodes.into_iter().for_each(Serving::stop);
}

/// Broken: a script takes an unknown outcome for a failure, and repeats what happened.
#[tokio::test]
async fn an_unknown_outcome_is_3() {
    let mut world = World::new(3, 1);
    // Only one is known to the client.
    world.files[0].nodes.truncate(1);
    // A node that opens sessions and then says nothing.
    let silent = Arc::new(Silent::default());
    let config = althing_transport::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: Tls::of_node(&world.path("certs"), NodeId(0)),
        cluster: crate::world::CLUSTER,
        conflicts: ConflictsId::NONE,
        me: NodeId(0),
        peers: Vec::new(),
        settings: Settings::default(),
    };
    let endpoint = Endpoint::bind(config, Arc::new(Anyone), silent.clone()).unwrap();
    world.files[0].nodes[0].address = endpoint.local_address().to_string();
    world.write_client(&[]);
    silent.0.set(endpoint).unwrap();
    let put = move || world.kv(&["--timeout", "3", "put", "a", "1"]);
    let ended = tokio::task::spawn_blocking(put).await.unwrap();
    ended.says(3, &["the outcome is unknown", "Read the key before you write it again"]);
}

#[derive(Default)]
struct Silent(OnceLock<Endpoint>);

impl Inbox for Silent {
    fn deliver(&self, inbound: Inbound) -> Result<(), Inbound> {
        let kind = Kind::from_number(inbound.kind).expect("a client sends messages");
        let Ok(Message::Submit(submit)) = Message::decode(kind, inbound.body) else {
            panic!("a client submits");
        };
        if submit.operation == Operation::OpenSession {
            let opened = VertexId { epoch: Epoch(0), proposer: NodeId(0), seq: 0 };
            let session = SessionId { opened, slot: 0 };
            let outcome = Outcome::Executed(Reply::Opened(session));
            let answer =
                Message::from(Answer { ticket: submit.ticket, outcome, seen: DepSet::default() });
            let endpoint = self.0.get().expect("set before any client runs");
            endpoint.send(inbound.from.address, answer.kind() as u8, 0, answer.encode()).unwrap();
        }
        Ok(())
    }
}

struct Anyone;

impl Gate for Anyone {
    fn admit(&self, _: &Identity, _: u8, _: u32) -> Result<(), Refusal> {
        Ok(())
    }
}

/// A QUIC client with the tester's certificate that keeps none of our rules.
async fn bare(world: &World, address: &str) -> quinn::Connection {
    let file = |name: &str| world.path("certs").join(name);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(world.authority.pem().as_bytes()).unwrap()).unwrap();
    let chain = vec![CertificateDer::from_pem_file(file("client-tester.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("client-tester.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .unwrap();
    config.alpn_protocols = vec![b"althing/1".to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(config).unwrap()));
    let socket = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let name = cluster_server_name(world.authority.cluster());
    let connecting = socket.connect_with(config, address.parse().unwrap(), &name).unwrap();
    timeout(PATIENCE, connecting).await.unwrap().unwrap()
}
