//! Links between nodes: messages, order, coming and going.

use crate::world::{NODES, PATIENCE, World, as_number, node, nowhere, number, until, within};
use althing_model::NodeId;
use althing_transport::{Peer, SendError};
use bytes::Bytes;
use std::collections::HashMap;
use std::time::Duration;

/// Broken: nodes cannot talk, or a message's sender is not its connection's certificate.
#[tokio::test]
async fn two_nodes_exchange_messages_both_ways() {
    let world = World::new();
    let (mut one, mut two) = world.pair().await;
    one.endpoint.send(node(2), NODES, 7, Bytes::from_static(b"there")).unwrap();
    two.endpoint.send(node(1), NODES, 7, Bytes::from_static(b"back")).unwrap();
    let (there, back) = (two.message().await, one.message().await);
    assert_eq!((&there.body[..], there.kind), (&b"there"[..], NODES));
    assert_eq!((there.from.address, there.from.identity.node_id()), (node(1), Some(NodeId(1))));
    assert_eq!((&back.body[..], back.from.address), (&b"back"[..], node(2)));
}

/// Broken: nobody can tell who is connected, how far away, and why not.
#[tokio::test]
async fn links_tell_of_round_trips_and_problems() {
    let world = World::new();
    let (one, two) = world.pair().await;
    for (end, other) in [(&one, 2), (&two, 1)] {
        until(|| end.endpoint.links()[0].round_trip.is_some()).await;
        let link = end.endpoint.links().remove(0);
        assert_eq!((link.node, link.connected, link.problem), (NodeId(other), true, None));
        assert!(link.round_trip.unwrap() < Duration::from_secs(5));
        assert!(link.last_heard.unwrap() < Duration::from_secs(5));
    }
    within(two.endpoint.close()).await;
    until(|| one.endpoint.links()[0].problem.is_some()).await;
    let link = one.endpoint.links().remove(0);
    assert_eq!((link.connected, link.round_trip, link.last_heard), (false, None, None));
}

/// Broken: messages of one stripe overtake each other, get lost or doubled, or are written one by
/// one.
#[tokio::test]
async fn a_stripe_keeps_its_order_and_messages_are_coalesced() {
    const MESSAGES: u64 = 10_000;
    const STRIPES: u64 = 7;
    let world = World::new();
    let (one, mut two) = world.pair().await;
    for message in 0..MESSAGES {
        one.endpoint.send(node(2), NODES, message % STRIPES, number(message)).unwrap();
    }
    let mut next: HashMap<u64, u64> = (0..STRIPES).map(|stripe| (stripe, stripe)).collect();
    for _ in 0..MESSAGES {
        let message = as_number(&two.message().await.body);
        let expected = next.get_mut(&(message % STRIPES)).unwrap();
        assert_eq!(message, *expected);
        *expected += STRIPES;
    }
    until(|| one.endpoint.counts().frames_out == MESSAGES).await;
    let counts = one.endpoint.counts();
    assert!(counts.writes < MESSAGES / 10, "{counts:?}");
}

/// Broken: messages to a node that is away pile up, or vanish without the sender knowing.
#[tokio::test]
async fn a_node_that_is_away_is_refused_not_queued_for() {
    let world = World::new();
    let one = world.open(world.config(1, &[(2, nowhere())]));
    let send = |to| one.endpoint.send(to, NODES, 0, Bytes::new());
    assert_eq!(send(node(2)), Err(SendError::Disconnected(node(2))));
    assert_eq!(send(node(9)), Err(SendError::Unknown(node(9))));
    let long = Bytes::from(vec![0; (4 << 20) + 1]);
    assert_eq!(one.endpoint.counts().dropped, 2);
    let (one, _two) = world.pair().await;
    assert_eq!(one.endpoint.send(node(2), NODES, 0, long), Err(SendError::TooLong));
}

/// Broken: a node that was killed, without a word of farewell, is not found again until its old
/// connection times out; here that would be a minute, longer than the test waits.
#[tokio::test]
async fn a_killed_node_is_found_again_when_it_returns() {
    let mut world = World::new();
    world.settings.idle_timeout = Duration::from_secs(60);
    let mut config = world.config(2, &[(1, nowhere())]);
    // A runtime of its own, which can be torn down under the endpoint.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let two = runtime.block_on_elsewhere(|| world.open(config.clone()));
    let mut one = world.one(&two);
    let first = one.connected().await;
    config.listen = two.address();
    // Its tasks go first, so that none is left to send a close; then its socket.
    std::thread::spawn(|| runtime.shutdown_timeout(PATIENCE)).join().unwrap();
    drop(two);
    let mut two = world.open(config);
    assert_eq!(one.disconnected().await, first);
    let second = one.connected().await;
    assert_eq!(second.address, first.address);
    assert_ne!(second.connection, first.connection);
    two.connected().await;
    one.endpoint.send(node(2), NODES, 0, number(1)).unwrap();
    assert_eq!(as_number(&two.message().await.body), 1);
}

trait BlockOnElsewhere {
    /// Runs within this runtime, from a thread that is within another.
    fn block_on_elsewhere<T: Send>(&self, within: impl FnOnce() -> T + Send) -> T;
}

impl BlockOnElsewhere for tokio::runtime::Runtime {
    fn block_on_elsewhere<T: Send>(&self, within: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let _entered = self.enter();
                within()
            });
            thread.join().unwrap()
        })
    }
}

/// Broken: a node that moved is dialled where it was.
#[tokio::test]
async fn a_new_address_is_used_at_the_next_dial() {
    let world = World::new();
    let mut two = world.two();
    let mut one = world.open(world.config(1, &[(2, nowhere())]));
    one.endpoint.set_peer(Peer { node: NodeId(2), address: two.address().to_string() });
    assert_eq!(one.connected().await.address, node(2));
    assert_eq!(two.connected().await.address, node(1));
}

/// Broken: two connections of one node live side by side, or the dead one keeps the new one out.
#[tokio::test]
async fn the_newest_connection_of_a_node_wins() {
    let world = World::new();
    let (mut one, mut two) = world.pair().await;
    let mut again = world.one(&two);
    again.connected().await;
    // The old one's end is told before the new one's beginning.
    let first = two.disconnected().await;
    let second = two.connected().await;
    assert_eq!(first.address, second.address);
    assert!(first.connection < second.connection);
    one.disconnected().await;
    two.endpoint.send(node(1), NODES, 0, number(5)).unwrap();
    assert_eq!(as_number(&again.message().await.body), 5);
}

/// Broken: a clean stop loses what was sent before it, or the other side takes it for a failure.
#[tokio::test]
async fn closing_delivers_what_is_queued() {
    const MESSAGES: u64 = 5_000;
    let world = World::new();
    let (one, mut two) = world.pair().await;
    for message in 0..MESSAGES {
        one.endpoint.send(node(2), NODES, message, number(message)).unwrap();
    }
    within(one.endpoint.close()).await;
    two.disconnected().await;
    let mut got = 0;
    while two.messages.try_recv().is_ok() {
        got += 1;
    }
    assert_eq!(got, MESSAGES);
    let link = two.endpoint.links().remove(0);
    assert!(!link.connected);
}

/// Broken: sending needs a thread of the runtime, or waits.
#[tokio::test]
async fn any_thread_may_send() {
    let world = World::new();
    let (one, mut two) = world.pair().await;
    let one = std::sync::Arc::new(one.endpoint);
    let sender = one.clone();
    let thread = std::thread::spawn(move || sender.send(node(2), NODES, 1, number(42)));
    assert_eq!(as_number(&two.message().await.body), 42);
    thread.join().unwrap().unwrap();
}
