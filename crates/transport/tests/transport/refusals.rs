//! Who is kept out, by what, and that nothing of theirs got in.

use crate::world::{
    CLIENTS, CLUSTER, NODES, Node, Shown, World, bare, node, number, until, within,
};
use althing_model::{ClusterId, ConflictsId, NodeId, Role};
use althing_transport::certs::Validity;
use althing_transport::{PeerAddress, Refusal};
use althing_wire::frame::{StreamHeader, encode_frame_header};
use bytes::Bytes;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use std::time::{Duration, SystemTime};

const ALPN: &[&str] = &["althing/1"];

fn day(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 3600)
}

/// A certificate of the world's authority with whatever stands in it.
fn mint(world: &World, uri: Option<&str>, usage: ExtendedKeyUsagePurpose) -> Shown {
    let key = std::fs::read_to_string(world.dir().join("ca.key")).unwrap();
    let key = KeyPair::from_pem(&key).unwrap();
    let issuer = Issuer::from_ca_cert_pem(world.authority.pem(), key).unwrap();
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![usage];
    let names = uri.map(|uri| SanType::URI(uri.try_into().unwrap()));
    params.subject_alt_names = names.into_iter().collect();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    Shown::pem(&certificate.pem(), &key.serialize_pem())
}

/// Broken: someone without a valid certificate of this cluster gets in.
#[tokio::test]
async fn bad_certificates_are_refused() {
    let world = World::new();
    let mut two = world.two();
    let other = World::of(ClusterId([0xb2; 16]));
    let now = SystemTime::now();
    let past = Validity { not_before: now - day(30), not_after: now - day(1) };
    let future = Validity { not_before: now + day(1), not_after: now + day(30) };
    let for_time = |validity| {
        let issued = world.authority.issue_node_for(NodeId(1), &Role::ALL, validity).unwrap();
        Shown::pem(issued.certificate_pem(), issued.key_pem())
    };
    let self_signed = {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        Shown::pem(&certificate.pem(), &key.serialize_pem())
    };
    let client_auth = || ExtendedKeyUsagePurpose::ClientAuth;
    let here = format!("althing://{CLUSTER}/client/tester");
    let elsewhere = format!("althing://{}/client/tester", other.authority.cluster());
    let stranger = format!("althing://{CLUSTER}/node/77?roles=replica");
    let nonsense = format!("althing://{CLUSTER}/emperor");
    let cases = [
        (Shown::nothing(), Refusal::CertificateMissing),
        (for_time(past), Refusal::CertificateExpired),
        (for_time(future), Refusal::CertificateExpired),
        (other.shown("node-1"), Refusal::CertificateUnknown),
        (other.shown("client-tester"), Refusal::CertificateUnknown),
        (self_signed, Refusal::CertificateUnknown),
        (
            mint(&world, Some(&here), ExtendedKeyUsagePurpose::ServerAuth),
            Refusal::CertificateInvalid,
        ),
        (mint(&world, None, client_auth()), Refusal::NoIdentity),
        (mint(&world, Some(&nonsense), client_auth()), Refusal::NoIdentity),
        (mint(&world, Some(&elsewhere), client_auth()), Refusal::AnotherCluster),
        (mint(&world, Some(&stranger), client_auth()), Refusal::UnknownNode),
        // Itself: a copy of its own certificate.
        (world.shown("node-2"), Refusal::UnknownNode),
    ];
    for (case, (shown, refusal)) in cases.into_iter().enumerate() {
        let before = two.endpoint.refused(refusal);
        // The handshake may look done to the client; it never gets further.
        if let Ok(connection) = bare(&world, shown, ALPN, two.address()).await {
            within(connection.closed()).await;
        }
        until(|| two.endpoint.refused(refusal) > before).await;
        assert_eq!(two.endpoint.refused(refusal), before + 1, "case {case}: {refusal:?}");
    }
    two.heard_nothing();
    assert!(two.events.try_recv().is_err(), "someone was let in");
    assert_eq!(two.endpoint.counts().connections, 0);
}

/// Broken: a node of another cluster joins this one, or nobody is told why it cannot.
#[tokio::test]
async fn clusters_cannot_be_crossed() {
    let world = World::new();
    let other = World::of(ClusterId([0xb2; 16]));
    let mut two = world.two();
    let mut stray = other.one(&two);
    until(|| stray.endpoint.links()[0].problem.is_some()).await;
    let problem = stray.endpoint.links().remove(0).problem.unwrap();
    assert!(problem.contains("another authority"), "{problem}");
    assert!(stray.endpoint.refused(Refusal::CertificateUnknown) > 0);
    two.heard_nothing();
    stray.heard_nothing();
}

/// Broken: a peer that speaks another protocol, or none, is let in.
#[tokio::test]
async fn other_protocol_names_are_refused() {
    let world = World::new();
    let mut two = world.two();
    let offers: [&[&str]; 4] = [&["althing/999"], &["h3"], &[], &["althing/1 ", "Althing/1"]];
    for (count, alpn) in (1..).zip(offers) {
        let refused = bare(&world, world.shown("node-1"), alpn, two.address()).await;
        assert!(refused.is_err(), "{alpn:?} was accepted");
        two.refused(Refusal::NoCommonVersion, count).await;
    }
    two.heard_nothing();
}

/// Broken: a client's certificate speaks as a node.
#[tokio::test]
async fn a_client_may_not_send_what_nodes_send() {
    let world = World::new();
    let mut two = world.two();
    let dialer = world.dialer();
    let connection = dialer.connect(&two.address().to_string(), None).await.unwrap();
    connection.send(NODES, Bytes::from_static(b"I am a node")).unwrap();
    let ended = within(connection.closed()).await;
    assert!(ended.to_string().contains("does not allow"), "{ended}");
    two.refused(Refusal::NotAllowed, 1).await;
    two.heard_nothing();
}

/// Broken: datagrams that are not QUIC at all disturb the endpoint.
#[tokio::test]
async fn other_traffic_on_the_port_does_no_harm() {
    let world = World::new();
    let mut two = world.two();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for len in (0..1500).step_by(7) {
        // Short and long headers, versions that do not exist, and plain text.
        let garbage: Vec<u8> = (0..len).map(|i| (i * 31 + len) as u8).collect();
        socket.send_to(&garbage, two.address()).unwrap();
    }
    let mut one = world.one(&two);
    one.connected().await;
    two.connected().await;
    one.endpoint.send(node(2), NODES, 0, number(1)).unwrap();
    two.message().await;
}

fn header(lane: u8) -> StreamHeader {
    StreamHeader { version: 1, cluster: CLUSTER, group: 0, lane, conflicts: ConflictsId::NONE }
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    [&encode_frame_header(kind, body.len())[..], body].concat()
}

/// Connects as a client, opens streams with these bytes, and returns the code that closes it.
async fn closed_by(world: &World, two: &Node, streams: &[Vec<u8>]) -> u64 {
    let shown = world.shown("client-tester");
    let connection = bare(world, shown, ALPN, two.address()).await.unwrap();
    let mut open = Vec::new();
    for bytes in streams {
        let Ok(mut stream) = connection.open_uni().await else {
            break;
        };
        let _ = stream.write_all(bytes).await;
        open.push(stream);
    }
    match within(connection.closed()).await {
        quinn::ConnectionError::ApplicationClosed(closed) => closed.error_code.into(),
        other => panic!("not closed by the application: {other}"),
    }
}

/// Broken: nonsense after the handshake is delivered, crashes the node, or is passed over.
#[tokio::test]
async fn garbage_closes_the_connection_and_is_counted() {
    let world = World::new();
    let mut two = world.two();
    let stream = |header: StreamHeader, rest: &[u8]| [&header.encode()[..], rest].concat();
    let ours = |rest: &[u8]| vec![stream(header(0), rest)];
    let too_long = [0xff, 0xff, 0xff, 0xff, CLIENTS, 0];
    let flags = [0, 0, 0, 0, CLIENTS, 0x80];
    let cases: Vec<(Vec<Vec<u8>>, Refusal)> = vec![
        (ours(&frame(99, b"what is this")), Refusal::UnknownKind),
        (ours(&frame(NODES, b"not mine")), Refusal::NotAllowed),
        (ours(&too_long), Refusal::TooLong),
        (ours(&encode_frame_header(CLIENTS, 1001)), Refusal::TooLong),
        (ours(&flags), Refusal::BadFrame),
        (ours(&frame(0, b"no heartbeat")), Refusal::BadFrame),
        (vec![b"GET / HTTP/1.1\r\nHost: althing\r\n\r\n".to_vec()], Refusal::BadStream),
        (vec![stream(StreamHeader { version: 2, ..header(0) }, b"")], Refusal::BadStream),
        (vec![stream(StreamHeader { group: 1, ..header(0) }, b"")], Refusal::BadStream),
        (vec![stream(header(1), b"")], Refusal::BadStream),
        (vec![stream(header(255), b"")], Refusal::BadStream),
        (vec![stream(header(0), b""), stream(header(0), b"")], Refusal::BadStream),
        (
            vec![stream(StreamHeader { cluster: ClusterId([9; 16]), ..header(0) }, b"")],
            Refusal::AnotherCluster,
        ),
        (
            vec![stream(StreamHeader { conflicts: ConflictsId([5; 32]), ..header(0) }, b"")],
            Refusal::AnotherConflicts,
        ),
    ];
    for (case, (streams, refusal)) in cases.iter().enumerate() {
        let before = two.endpoint.refused(*refusal);
        let code = closed_by(&world, &two, streams).await;
        assert_eq!(Refusal::from_code(code), Some(*refusal), "case {case}");
        assert_eq!(two.endpoint.refused(*refusal), before + 1, "case {case}");
    }
    two.heard_nothing();
}

/// Broken: nodes that order commands by different conflict functions replicate together, and their
/// states part without a word.
#[tokio::test]
async fn a_node_with_another_conflict_function_is_refused() {
    let mut world = World::new();
    let mut two = world.two();
    world.conflicts = ConflictsId([6; 32]);
    let mut one = world.one(&two);
    // Whoever sees it first refuses, and the other is told why.
    let why = Refusal::AnotherConflicts.to_string();
    until(|| one.endpoint.links()[0].problem.is_some()).await;
    let problem = one.endpoint.links().remove(0).problem.unwrap();
    assert!(problem.contains(&why), "{problem}");
    assert!(one.endpoint.send(node(2), NODES, 0, number(1)).is_err(), "it is not connected");
    two.heard_nothing();
    one.heard_nothing();
    // Clients have none, and are let in by both.
    for it in [&one, &two] {
        let address = it.address().to_string();
        within(world.dialer().connect(&address, None)).await.expect("it is let in");
    }
}

/// Broken: a peer that begins a frame and never ends it holds its resources for ever.
#[tokio::test]
async fn a_frame_that_is_never_completed_is_given_up() {
    let mut world = World::new();
    world.settings.frame_timeout = Duration::from_millis(50);
    let mut two = world.two();
    let begun = [&header(0).encode()[..], &encode_frame_header(CLIENTS, 100), b"abc"].concat();
    let half_a_header = header(0).encode()[..9].to_vec();
    for (count, bytes) in (1..).zip([begun, half_a_header]) {
        let code = closed_by(&world, &two, &[bytes]).await;
        assert_eq!(Refusal::from_code(code), Some(Refusal::Stalled));
        two.refused(Refusal::Stalled, count).await;
    }
    two.heard_nothing();
}

/// Broken: a peer can open streams beyond its lanes, of either kind, or send datagrams.
#[tokio::test]
async fn a_peer_gets_no_more_than_its_streams() {
    let world = World::new();
    let two = world.two();
    let shown = world.shown("client-tester");
    let connection = bare(&world, shown, ALPN, two.address()).await.unwrap();
    // The node has let us in: what it grants is settled.
    let _greeting = within(connection.accept_uni()).await.unwrap();
    let mut open = Vec::new();
    let granted = async {
        loop {
            open.push(connection.open_uni().await.unwrap());
        }
    };
    // Biased: everything that is granted comes first, then the other branch is ready.
    tokio::select! {
        biased;
        () = granted => {}
        () = std::future::ready(()) => {}
    }
    assert!(
        open.len() <= usize::from(althing_transport::limits::NODE_LANES),
        "{} streams",
        open.len()
    );
    tokio::select! {
        biased;
        _ = connection.open_bi() => panic!("a stream both ways was granted"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(connection.max_datagram_size(), None);
}

/// Broken: the node above cannot cut off a peer whose message made no sense, or cannot get it back.
#[tokio::test]
async fn an_expelled_peer_is_cut_off_and_counted() {
    let world = World::new();
    let (mut one, mut two) = world.pair().await;
    two.endpoint.expel(node(1), Refusal::Undecodable);
    assert_eq!(two.endpoint.refused(Refusal::Undecodable), 1);
    one.disconnected().await;
    two.disconnected().await;
    one.connected().await;
    two.connected().await;
    // Nobody there: nothing happens.
    two.endpoint.expel(PeerAddress::Client(99), Refusal::Undecodable);
    assert_eq!(two.endpoint.refused(Refusal::Undecodable), 1);
}

/// The first packet of a handshake that nobody will go on with.
async fn first_packet(world: &World) -> Vec<u8> {
    let trap = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let dialled = trap.local_addr().unwrap();
    let mut packet = vec![0; 2000];
    let len = tokio::select! {
        _ = bare(world, world.shown("node-1"), ALPN, dialled) => panic!("nobody answered"),
        received = trap.recv(&mut packet) => received.unwrap(),
    };
    packet.truncate(len);
    packet
}

/// Broken: a flood of handshakes that are begun and left takes all memory, or shuts nodes out for
/// longer than it lasts.
#[tokio::test]
async fn handshakes_under_way_are_limited() {
    let mut world = World::new();
    world.settings.handshakes_max = 3;
    world.settings.handshakes_unproved_max = 3;
    world.settings.handshake_timeout = Duration::from_secs(1);
    let mut two = world.two();
    let flood = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut packets = Vec::new();
    for _ in 0..5 {
        packets.push(first_packet(&world).await);
    }
    for packet in packets {
        flood.send_to(&packet, two.address()).unwrap();
    }
    two.refused(Refusal::TooManyHandshakes, 2).await;
    two.refused(Refusal::HandshakeTimeout, 3).await;
    let mut one = world.one(&two);
    one.connected().await;
    two.connected().await;
}

/// Broken: under a flood, handshakes from forged addresses take room, or honest ones get none.
#[tokio::test]
async fn under_a_flood_an_address_must_be_proved() {
    let mut world = World::new();
    world.settings.handshakes_unproved_max = 0;
    let mut two = world.two();
    let forged = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let packet = first_packet(&world).await;
    forged.send_to(&packet, two.address()).await.unwrap();
    let mut answer = vec![0; 2000];
    let len = within(forged.recv(&mut answer)).await.unwrap();
    // A Retry packet (RFC 9000, section 17.2.5), and less than what was sent.
    assert_eq!((answer[0] & 0xf0, len < packet.len()), (0xf0, true));
    let mut one = world.one(&two);
    one.connected().await;
    two.connected().await;
    one.endpoint.send(node(2), NODES, 0, number(1)).unwrap();
    two.message().await;
    two.refused(Refusal::HandshakeTimeout, 0).await;
}
