//! Clients, and what happens when a receiver is slower than its sender.

use crate::world::{CLIENTS, NODES, World, as_number, node, number, until, within};
use althing_model::NodeId;
use althing_transport::{Error, PeerAddress, Refusal, SendError};
use bytes::Bytes;

/// Broken: a client cannot talk to a node, or the node does not learn of it coming and going.
#[tokio::test]
async fn a_client_is_answered_on_its_connection() {
    let world = World::new();
    let mut two = world.two();
    let dialer = world.dialer();
    let connection = dialer.connect(&two.address().to_string(), None).await.unwrap();
    assert_eq!(connection.node(), NodeId(2));
    let peer = two.connected().await;
    assert!(matches!(peer.address, PeerAddress::Client(_)));
    connection.send(CLIENTS, Bytes::from_static(b"question")).unwrap();
    let question = two.message().await;
    assert_eq!((&question.body[..], &question.from), (&b"question"[..], &peer));
    two.endpoint.send(peer.address, 200, 3, Bytes::from_static(b"answer")).unwrap();
    assert_eq!(within(connection.recv()).await, Some((200, Bytes::from_static(b"answer"))));
    assert!(!connection.is_closed());
    within(connection.close()).await;
    assert_eq!(two.disconnected().await, peer);
    let gone = two.endpoint.send(peer.address, 200, 0, Bytes::new());
    assert_eq!(gone, Err(SendError::Unknown(peer.address)));
}

/// Broken: a client takes one node for another, or cannot ask for a particular one.
#[tokio::test]
async fn a_client_knows_which_node_it_reached() {
    let world = World::new();
    let two = world.two();
    let address = two.address().to_string();
    let dialer = world.dialer();
    assert_eq!(dialer.connect(&address, Some(NodeId(2))).await.unwrap().node(), NodeId(2));
    let wrong = dialer.connect(&address, Some(NodeId(3))).await.unwrap_err();
    assert!(matches!(wrong, Error::Peer { refusal: Refusal::CertificateInvalid, .. }), "{wrong:?}");
}

/// Broken: a client whose node stops waits for ever.
#[tokio::test]
async fn a_client_learns_that_its_node_stopped() {
    let world = World::new();
    let mut two = world.two();
    let connection = world.dialer().connect(&two.address().to_string(), None).await.unwrap();
    let peer = two.connected().await;
    two.endpoint.send(peer.address, 200, 0, number(1)).unwrap();
    within(two.endpoint.close()).await;
    let ended = within(connection.closed()).await;
    assert!(ended.to_string().contains("shut down"), "{ended}");
    assert_eq!(within(connection.recv()).await, Some((200, number(1))));
    assert_eq!(within(connection.recv()).await, None);
}

/// Broken: a full receiver loses messages or their order, or its peer's queue grows without limit
/// meanwhile, or the link is taken for dead.
#[tokio::test]
async fn a_full_receiver_holds_up_its_sender_and_loses_nothing() {
    const MESSAGES: u64 = 3_000;
    let mut world = World::new();
    world.capacity = 8;
    world.settings.lane_window = 32 << 10;
    world.settings.queue_frames_max = 100;
    let (one, mut two) = world.pair().await;
    let body = |message: u64| {
        let mut body = vec![0; 1000];
        body[..8].copy_from_slice(&message.to_be_bytes());
        Bytes::from(body)
    };
    // Nobody takes messages: first the inbox is full, then the window, then the queue.
    let mut sent = 0;
    until(|| {
        while one.endpoint.send(node(2), NODES, 0, body(sent)).is_ok() {
            sent += 1;
        }
        two.endpoint.counts().held_up > 0
    })
    .await;
    let send = |message| one.endpoint.send(node(2), NODES, 0, body(message));
    assert!((100..500).contains(&sent), "{sent} messages were taken");
    // The control lane goes on.
    until(|| one.endpoint.links()[0].round_trip.is_some()).await;
    for expected in 0..MESSAGES {
        let message = two.message().await;
        assert_eq!(as_number(&message.body[..8]), expected);
        while sent < MESSAGES && send(sent).is_ok() {
            sent += 1;
        }
        if expected + 1 == sent && sent < MESSAGES {
            until(|| send(sent).is_ok()).await;
            sent += 1;
        }
    }
    assert!(two.messages.try_recv().is_err());
    assert!(one.endpoint.links()[0].connected);
}

/// Broken: a peer that never reads makes this node keep messages for it without limit.
#[tokio::test]
async fn a_queue_refuses_when_it_is_full() {
    let mut world = World::new();
    world.capacity = 1;
    world.settings.lane_window = 16 << 10;
    world.settings.queue_bytes_max = 64 << 10;
    let (one, _two) = world.pair().await;
    let body = Bytes::from(vec![0; 10_000]);
    let mut refused = None;
    until(|| {
        refused = one.endpoint.send(node(2), NODES, 0, body.clone()).err();
        refused.is_some()
    })
    .await;
    assert_eq!(refused, Some(SendError::Full(node(2))));
    assert!(one.endpoint.counts().dropped >= 1);
    assert!(one.endpoint.links()[0].queued <= 7);
}

/// Broken: one client's certificate takes every connection, or a dead one keeps the new one out.
#[tokio::test]
async fn the_newest_connections_of_a_client_win() {
    let mut world = World::new();
    world.settings.connections_per_client_max = 2;
    let mut two = world.two();
    let dialer = world.dialer();
    let mut connections = Vec::new();
    for _ in 0..5 {
        connections.push(dialer.connect(&two.address().to_string(), None).await.unwrap());
    }
    for old in &connections[..3] {
        let ended = within(old.closed()).await.to_string();
        assert!(ended.contains("replaced"), "{ended}");
    }
    let mut alive = 0_i32;
    for _ in 0..5 + 3 {
        match within(two.events.recv()).await.unwrap() {
            crate::world::Event::Connected(_) => alive += 1,
            crate::world::Event::Disconnected(_) => alive -= 1,
        }
    }
    assert_eq!(alive, 2);
    assert!(connections[3..].iter().all(|connection| !connection.is_closed()));
}

/// Broken: a node takes any number of clients.
#[tokio::test]
async fn clients_are_limited() {
    let mut world = World::new();
    world.settings.clients_max = 1;
    let two = world.two();
    let dialer = world.dialer();
    let _first = dialer.connect(&two.address().to_string(), None).await.unwrap();
    let second = dialer.connect(&two.address().to_string(), None).await.unwrap_err();
    assert!(
        matches!(second, Error::Refused { refusal: Refusal::TooManyClients, .. }),
        "{second:?}"
    );
    two.refused(Refusal::TooManyClients, 1).await;
}
