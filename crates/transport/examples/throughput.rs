//! How much one link carries: two endpoints in this process, over loopback, one sender.
//!
//! ```text
//! cargo run --release -p althing-transport --example throughput [SECONDS] [BYTES]
//! ```
//!
//! First as many messages as go through, then one at a time, there and back. Both endpoints share
//! the machine's cores, and everything is encrypted, written and read twice: a figure of this
//! machine, to compare builds by.

use althing_model::{ClusterId, ConflictsId, NodeId, Role};
use althing_transport::certs::{ClusterAuthority, Identity, Tls};
use althing_transport::{
    Config, Endpoint, Gate, Inbound, Inbox, Peer, PeerAddress, Refusal, SendError, Settings,
};
use bytes::Bytes;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// A message that is only counted.
const COUNTED: u8 = 1;
/// A message that is waited for.
const AWAITED: u8 = 2;

struct Open;

impl Gate for Open {
    fn admit(&self, _: &Identity, _: u8, _: u32) -> Result<(), Refusal> {
        Ok(())
    }
}

struct Counting {
    received: AtomicU64,
    awaited: mpsc::Sender<Bytes>,
    connected: mpsc::Sender<()>,
}

impl Inbox for Counting {
    fn deliver(&self, inbound: Inbound) -> Result<(), Inbound> {
        if inbound.kind == AWAITED {
            let _ = self.awaited.send(inbound.body);
        } else {
            self.received.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    fn connected(&self, _: &Arc<althing_transport::PeerHandle>) {
        let _ = self.connected.send(());
    }
}

struct Side {
    endpoint: Endpoint,
    inbox: Arc<Counting>,
    awaited: mpsc::Receiver<Bytes>,
    connected: mpsc::Receiver<()>,
}

fn side(dir: &std::path::Path, me: u32, other: u32, address: String) -> Side {
    let (awaited_sender, awaited) = mpsc::channel();
    let (connected_sender, connected) = mpsc::channel();
    let inbox = Arc::new(Counting {
        received: AtomicU64::new(0),
        awaited: awaited_sender,
        connected: connected_sender,
    });
    let config = Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        tls: Tls::of_node(dir, NodeId(me)),
        cluster: ClusterId([7; 16]),
        conflicts: ConflictsId::NONE,
        me: NodeId(me),
        peers: vec![Peer { node: NodeId(other), address }],
        settings: Settings::default(),
    };
    let endpoint = Endpoint::bind(config, Arc::new(Open), inbox.clone()).expect("it opens");
    Side { endpoint, inbox, awaited, connected }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(5, |text| text.parse().expect("a number of seconds"));
    let len: usize = arguments.next().map_or(256, |text| text.parse().expect("a length in bytes"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let dir = tempfile::tempdir().expect("a directory");
    let authority = ClusterAuthority::create(ClusterId([7; 16])).expect("an authority");
    authority.write(dir.path(), false).expect("a directory to write in");
    for id in [1, 2] {
        let issued = authority.issue_node(NodeId(id), &Role::ALL).expect("a certificate");
        issued.write(dir.path(), false).expect("a directory to write in");
    }
    let two = side(dir.path(), 2, 1, "127.0.0.1:9".to_owned());
    let one = side(dir.path(), 1, 2, two.endpoint.local_address().to_string());
    one.connected.recv().expect("a connection");
    two.connected.recv().expect("a connection");

    let body = Bytes::from(vec![0x55; len]);
    let to = PeerAddress::Node(NodeId(2));
    let begun = Instant::now();
    let (mut sent, mut full) = (0_u64, 0_u64);
    while begun.elapsed() < Duration::from_secs(seconds) {
        match one.endpoint.send(to, COUNTED, sent, body.clone()) {
            Ok(()) => sent += 1,
            Err(SendError::Full(_)) => {
                full += 1;
                std::thread::sleep(Duration::from_micros(200));
            }
            Err(error) => panic!("{error}"),
        }
    }
    while two.inbox.received.load(Relaxed) < sent {
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = begun.elapsed().as_secs_f64();
    let counts = one.endpoint.counts();
    println!(
        "{len}-byte messages: {:.0} a second, {:.1} MB/s; {:.1} messages a write; {full} pauses \
         because the queue was full",
        sent as f64 / took,
        sent as f64 * len as f64 / took / 1e6,
        counts.frames_out as f64 / counts.writes as f64,
    );

    let mut times: Vec<Duration> = (0..2_000)
        .map(|_| {
            let begun = Instant::now();
            one.endpoint.send(to, AWAITED, 0, body.clone()).expect("an empty queue");
            let there = two.awaited.recv().expect("the message");
            let back = PeerAddress::Node(NodeId(1));
            two.endpoint.send(back, AWAITED, 0, there).expect("an empty queue");
            one.awaited.recv().expect("the message");
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "one at a time, there and back: half within {:?}, 99 % within {:?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100],
    );
    runtime.block_on(async {
        one.endpoint.close().await;
        two.endpoint.close().await;
    });
}
