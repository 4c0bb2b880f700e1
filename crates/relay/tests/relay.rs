//! Real datagrams over loopback, through a relay on its thread.
//!
//! A datagram early by a microsecond is a bug; how late one may be depends on who else needs the
//! cores, so those bounds are generous.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use althing_planet::Planet;
use althing_relay::{
    Config, Direction, LinkId, LinkSpec, PathSpec, PathStats, Relay, RelayError, RelayHandle,
    limits,
};

/// Long enough for a datagram that must come, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The median lateness that a busy machine may have.
const LATE_MAX: Duration = Duration::from_millis(50);

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A relay with one link to `target`.
fn relay(target: &UdpSocket, there: PathSpec, back: PathSpec) -> (RelayHandle, SocketAddr) {
    let link = LinkSpec::new("a", "b", target.local_addr().unwrap(), 0, 0);
    let links = vec![LinkSpec { there, back, ..link }];
    let relay = Relay::start(Config { links, seed: 1, ..Config::default() }).unwrap();
    let address = relay.address(LinkId(0));
    (relay, address)
}

fn delayed(delay_us: u64) -> PathSpec {
    PathSpec { delay_us, ..PathSpec::default() }
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_535];
    let (len, source) = socket.recv_from(&mut buffer).expect("a datagram was to come");
    buffer.truncate(len);
    (buffer, source)
}

/// Waits until the counts say so: what was dropped can't be received.
fn wait_until(relay: &RelayHandle, done: impl Fn(PathStats, PathStats) -> bool) {
    let start = Instant::now();
    loop {
        let link = &relay.stats().links[0];
        if done(link.there, link.back) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{link:?}");
        std::thread::yield_now();
    }
}

#[test]
fn both_ways_take_their_delay_and_no_less() {
    // Broken if the emulated planet were smaller than the real one, or far larger.
    let (there, back) = (Duration::from_millis(30), Duration::from_millis(10));
    let (client, server) = (socket(), socket());
    let (relay, address) = relay(&server, delayed(30_000), delayed(10_000));
    let mut late = Vec::new();
    for n in 0..20u8 {
        let start = Instant::now();
        client.send_to(&[n], address).unwrap();
        let (payload, upstream) = receive(&server);
        let arrived = start.elapsed();
        assert!(arrived >= there, "arrived after {arrived:?}");

        let replied = Instant::now();
        server.send_to(&payload, upstream).unwrap();
        let (payload, source) = receive(&client);
        assert!(replied.elapsed() >= back, "came back after {:?}", replied.elapsed());
        assert_eq!((payload, source), (vec![n], address));
        late.push(start.elapsed() - there - back);
    }
    late.sort_unstable();
    assert!(late[10] < LATE_MAX, "{late:?}");

    let stats = relay.stats();
    assert_eq!(stats.delay_error.count, 40);
    assert_eq!((stats.links[0].there.forwarded, stats.links[0].back.forwarded), (20, 20));
    assert_eq!(stats.links[0].clients, 1);
    relay.stop().unwrap();
}

#[test]
fn every_size_passes_whole() {
    // Broken if a large datagram (path MTU discovery sends them) were cut short or dropped.
    let (client, server) = (socket(), socket());
    let (_relay, address) = relay(&server, delayed(0), delayed(0));
    for len in [0, 1, 1200, 1452, 9000, 65_507] {
        let payload: Vec<u8> = (0..len).map(|at| at as u8).collect();
        client.send_to(&payload, address).unwrap();
        assert_eq!(receive(&server).0, payload);
    }
}

#[test]
fn clients_are_kept_apart() {
    // Broken if the target could not tell two clients apart, or one got the other's replies.
    let (first, second, server) = (socket(), socket(), socket());
    let (relay, address) = relay(&server, delayed(1000), delayed(1000));
    first.send_to(b"first", address).unwrap();
    let (_, upstream_of_first) = receive(&server);
    second.send_to(b"second", address).unwrap();
    let (_, upstream_of_second) = receive(&server);
    assert_ne!(upstream_of_first, upstream_of_second);

    server.send_to(b"to second", upstream_of_second).unwrap();
    server.send_to(b"to first", upstream_of_first).unwrap();
    assert_eq!(receive(&first).0, b"to first");
    assert_eq!(receive(&second).0, b"to second");

    // Not from the target: not passed on. The target's reply sent after it is the next to come.
    socket().send_to(b"stranger", upstream_of_first).unwrap();
    server.send_to(b"again", upstream_of_first).unwrap();
    assert_eq!(receive(&first).0, b"again");

    // A known client keeps its address at the target.
    first.send_to(b"more", address).unwrap();
    assert_eq!(receive(&server).1, upstream_of_first);
    assert_eq!(relay.stats().links[0].clients, 2);
}

#[test]
fn loss_takes_the_same_datagrams_in_every_run() {
    // Broken if loss were not what was asked for, or a run under loss could not be repeated.
    let survivors = || {
        let (client, server) = (socket(), socket());
        let lossy = PathSpec { loss: 0.3, ..PathSpec::default() };
        let (relay, address) = relay(&server, lossy, PathSpec::default());
        let mut survivors = Vec::new();
        for n in 0..500u16 {
            client.send_to(&n.to_be_bytes(), address).unwrap();
            // One at a time, so that no buffer decides.
            let judged = u64::from(n) + 1;
            wait_until(&relay, |there, _| there.forwarded + there.dropped_loss == judged);
            if relay.stats().links[0].there.forwarded > survivors.len() as u64 {
                survivors.push(receive(&server).0);
            }
        }
        let there = relay.stats().links[0].there;
        assert!((100..200).contains(&there.dropped_loss), "{there:?}");
        survivors
    };
    assert_eq!(survivors(), survivors());
}

#[test]
fn a_cut_link_is_silent_until_healed() {
    // Broken if a partition leaked, or outlived its healing.
    let (client, server) = (socket(), socket());
    let (relay, address) = relay(&server, delayed(0), delayed(0));
    let link = relay.find("a", "b").unwrap();
    client.send_to(b"before", address).unwrap();
    let (_, upstream) = receive(&server);

    relay.cut(link);
    client.send_to(b"cut", address).unwrap();
    server.send_to(b"cut", upstream).unwrap();
    wait_until(&relay, |there, back| (there.dropped_cut, back.dropped_cut) == (1, 1));

    relay.heal(link);
    relay.cut_direction(link, Direction::Back);
    client.send_to(b"one way", address).unwrap();
    assert_eq!(receive(&server).0, b"one way");
    server.send_to(b"cut", upstream).unwrap();
    wait_until(&relay, |_, back| back.dropped_cut == 2);

    relay.heal_all();
    server.send_to(b"healed", upstream).unwrap();
    assert_eq!(receive(&client).0, b"healed");
}

#[test]
fn a_cut_takes_what_is_on_its_way() {
    // Broken if datagrams arrived out of a region that is gone.
    let (client, server) = (socket(), socket());
    let (relay, address) = relay(&server, delayed(1_500_000), delayed(0));
    client.send_to(b"under way", address).unwrap();
    // Taken in, that is, and not before the cut stands.
    let start = Instant::now();
    while relay.stats().links[0].clients == 0 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    relay.cut(LinkId(0));
    wait_until(&relay, |there, _| there.dropped_cut == 1);
    assert_eq!(relay.stats().links[0].there.forwarded, 0);
}

#[test]
fn order_is_kept_although_delays_vary() {
    // Broken if jitter reordered where it shall not: QUIC takes reordering for loss.
    let (client, server) = (socket(), socket());
    let jittery = PathSpec { delay_us: 1000, jitter_us: 20_000, ..PathSpec::default() };
    let (_relay, address) = relay(&server, jittery, PathSpec::default());
    for n in 0..100u8 {
        client.send_to(&[n], address).unwrap();
    }
    let order: Vec<u8> = (0..100).map(|_| receive(&server).0[0]).collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn jitter_reorders_if_it_may() {
    // Broken if tests that ask for reordering got none, or jitter cut the delay short.
    let (client, server) = (socket(), socket());
    let jittery =
        PathSpec { delay_us: 5_000, jitter_us: 50_000, reorder: true, ..PathSpec::default() };
    let (_relay, address) = relay(&server, jittery, PathSpec::default());
    let start = Instant::now();
    for n in 0..100u8 {
        client.send_to(&[n], address).unwrap();
    }
    let order: Vec<u8> = (0..100).map(|_| receive(&server).0[0]).collect();
    assert!(start.elapsed() >= Duration::from_millis(5));
    assert!(!order.is_sorted(), "{order:?}");
    let mut all = order;
    all.sort_unstable();
    assert!(all.into_iter().eq(0..100));
}

#[test]
fn a_full_queue_drops_and_says_so() {
    // Broken if a flood grew without bound, or its losses looked like the network's.
    let (client, server) = (socket(), socket());
    let target = server.local_addr().unwrap();
    // So long that nothing leaves the queue meanwhile.
    let links = vec![LinkSpec::new("a", "b", target, limits::DELAY_US_MAX, 0)];
    let config = Config { links, queue_datagrams_max: 3, ..Config::default() };
    let relay = Relay::start(config).unwrap();
    for n in 0..10u8 {
        client.send_to(&[n], relay.address(LinkId(0))).unwrap();
    }
    wait_until(&relay, |there, _| there.dropped_overflow == 7);
    let there = relay.stats().links[0].there;
    assert_eq!(there, PathStats { dropped_overflow: 7, ..PathStats::default() });

    relay.clear_stats();
    assert_eq!(relay.stats().links[0].there, PathStats::default());
}

#[test]
fn a_silent_client_is_forgotten_and_welcome_again() {
    // Broken if sockets leaked with every client that went, or it could not come back.
    let (client, server) = (socket(), socket());
    let target = server.local_addr().unwrap();
    let links = vec![LinkSpec::new("a", "b", target, 0, 0)];
    let client_idle = Duration::from_millis(20);
    let relay = Relay::start(Config { links, client_idle, ..Config::default() }).unwrap();
    for _ in 0..2 {
        client.send_to(b"hello", relay.address(LinkId(0))).unwrap();
        receive(&server);
        let start = Instant::now();
        while relay.stats().links[0].clients != 0 {
            assert!(start.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_target_that_is_down_is_silence_until_it_is_up() {
    // Broken if a killed node's closed port broke the link for the node that takes its place.
    let (client, server) = (socket(), socket());
    let target = server.local_addr().unwrap();
    let (relay, address) = relay(&server, delayed(0), delayed(0));
    drop(server);
    for n in 1..=5 {
        client.send_to(b"into the void", address).unwrap();
        wait_until(&relay, |there, _| there.forwarded == n);
    }
    let server = UdpSocket::bind(target).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send_to(b"hello", address).unwrap();
    assert_eq!(receive(&server).0, b"hello");
    relay.stop().unwrap();
}

#[test]
fn a_mesh_delays_as_the_planet_says() {
    // Broken if a node were told another's address, or a pair had the delay of another pair.
    let planet = Planet::named("aws-2021-02-13").unwrap();
    let nodes: Vec<UdpSocket> = planet.regions().iter().map(|_| socket()).collect();
    let addresses = nodes.iter().map(|node| node.local_addr().unwrap());
    let endpoints: Vec<_> = planet.regions().iter().cloned().zip(addresses).collect();
    let mesh = Relay::mesh(&planet, &endpoints).unwrap();
    let table = mesh.addresses();

    let mut one_way_us = Vec::new();
    for (i, (from, own_address)) in endpoints.iter().enumerate() {
        assert_eq!(table[i][i], *own_address);
        assert_eq!(mesh.link(i, i), None);
        for (j, (to, _)) in endpoints.iter().enumerate().filter(|(j, _)| *j != i) {
            let start = Instant::now();
            nodes[i].send_to(&[i as u8], table[i][j]).unwrap();
            assert_eq!(receive(&nodes[j]).0, [i as u8]);
            let took_us = start.elapsed().as_micros() as u64;
            let least_us = planet.one_way_us(from, to).unwrap();
            assert!(took_us >= least_us, "{from} to {to}: {took_us} us");
            one_way_us.push(took_us - least_us);
        }
    }
    one_way_us.sort_unstable();
    assert!(one_way_us[10] < LATE_MAX.as_micros() as u64, "{one_way_us:?}");
}

#[test]
fn a_mesh_cuts_a_direction_whoever_dialled() {
    // Broken if a partition of two nodes left the connection open that the other one had dialled.
    let planet = Planet::from_csv(
        "near",
        "from,to,min_ms,avg_ms,max_ms,mdev_ms\na,a,0,0,0,0\na,b,0,0,0,0\nb,b,0,0,0,0\n",
    )
    .unwrap();
    let nodes = [socket(), socket(), socket()];
    let regions = ["a", "b", "b"].map(|name| planet.region(name).unwrap());
    let addresses = nodes.each_ref().map(|node| node.local_addr().unwrap());
    let endpoints: Vec<_> = regions.into_iter().zip(addresses).collect();
    let mesh = Relay::mesh(&planet, &endpoints).unwrap();
    let passes = |i: usize, j: usize| {
        let link = mesh.link(i, j).unwrap().0;
        let before = mesh.relay().stats().links[link].there;
        nodes[i].send_to(b"?", mesh.address_of(i, j)).unwrap();
        let start = Instant::now();
        loop {
            let now = mesh.relay().stats().links[link].there;
            if now != before {
                return now.forwarded > before.forwarded;
            }
            assert!(start.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
    };
    // Node 1 is known to node 0 through the link that node 1 dials.
    assert!(passes(1, 0));
    let (_, upstream_of_1) = receive(&nodes[0]);

    mesh.cut_one_way(0, 1);
    assert!(!passes(0, 1) && passes(1, 0) && passes(0, 2) && passes(2, 0));
    nodes[0].send_to(b"reply", upstream_of_1).unwrap();
    let back = mesh.link(1, 0).unwrap().0;
    let start = Instant::now();
    while mesh.relay().stats().links[back].back.dropped_cut == 0 {
        assert!(start.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    mesh.heal_between(0, 1);
    mesh.isolate(1);
    assert!(!passes(0, 1) && !passes(1, 0) && !passes(1, 2) && !passes(2, 1) && passes(2, 0));
    mesh.heal_all();
    assert!(passes(0, 1) && passes(1, 2));
}

#[test]
fn what_can_not_be_meant_is_refused() {
    // Broken if a mistake in a configuration showed up as a strange measurement.
    let target = "127.0.0.1:9".parse().unwrap();
    let start = |spec: LinkSpec| {
        let links = vec![spec];
        Relay::start(Config { links, ..Config::default() }).map(drop).unwrap_err()
    };
    let spec = LinkSpec::new("a", "b", target, 0, 0);
    let lossy = PathSpec { loss: 1.5, ..PathSpec::default() };
    let error = start(LinkSpec { back: lossy, ..spec.clone() });
    assert!(matches!(error, RelayError::Loss { .. }), "{error}");
    let error = start(LinkSpec { there: delayed(u64::MAX), ..spec.clone() });
    assert!(matches!(error, RelayError::Delay { .. }), "{error}");
    let error = start(LinkSpec { target: "0.0.0.0:9".parse().unwrap(), ..spec.clone() });
    assert!(matches!(error, RelayError::Target { .. }), "{error}");
    let taken = socket();
    let error = start(LinkSpec { listen: taken.local_addr().unwrap(), ..spec.clone() });
    assert!(matches!(error, RelayError::Listen { .. }), "{error}");

    let relay = Relay::start(Config { links: vec![spec], ..Config::default() }).unwrap();
    assert!(relay.set_loss(LinkId(0), 0.1, f64::NAN).is_err());
    assert!(relay.set_delay(LinkId(0), u64::MAX, 0).is_err());
}
