//! A wide area network on one machine: UDP datagrams, relayed late, lost or not at all.
//!
//! A relay consists of links. A link listens on an address, passes on what arrives there to its
//! target after a one-way delay, and passes back the replies after another. It is a NAT: each client
//! address gets an upstream socket of its own, so that the target tells clients apart and replies
//! find their way. Whoever should seem far away is dialled through a link instead of directly; QUIC
//! needs no change for it.
//!
//! ```
//! use std::net::UdpSocket;
//! use althing_relay::{Config, LinkSpec, Relay};
//!
//! let server = UdpSocket::bind("127.0.0.1:0")?;
//! let link = LinkSpec::new("here", "there", server.local_addr()?, 5_000, 5_000);
//! let relay = Relay::start(Config { links: vec![link], ..Config::default() })?;
//! let link = relay.find("here", "there").unwrap();
//!
//! let client = UdpSocket::bind("127.0.0.1:0")?;
//! let sent = std::time::Instant::now();
//! client.send_to(b"hello", relay.address(link))?;
//! let (len, _) = server.recv_from(&mut [0; 16])?;
//! assert_eq!(len, 5);
//! assert!(sent.elapsed().as_micros() >= 5_000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! For the nodes of a planet, [`Relay::mesh`] makes a link for each ordered pair and says what each
//! node has to dial.
//!
//! # What it does to a datagram
//! In this order: a cut drops it; chance drops it; a full queue drops it; else it is due after the
//! delay and the jitter, not before the one of the same client that went ahead of it (unless
//! [`PathSpec::reorder`]). When it is due it is sent, or dropped if the link is cut by then.
//! Datagrams are never early. Chance is drawn from a seed, for each direction of each link apart.
//!
//! It does not limit bandwidth, duplicate or corrupt. Marks of the IP header (ECN, DSCP) are not
//! passed on. It is for a trusted machine: anyone who can reach a link can use it.
//!
//! # How late it is
//! One thread (`wan-relay`) waits in `epoll`, for datagrams and a timer of the kernel; it never spins.
//! How late it sent is measured for each datagram ([`DelayError`]), so that a benchmark can tell
//! whether it measured the relay.
//!
//! It needs Linux, for both.
//!
//! Where nodes keep all cores busy, what matters most is whether that thread may run before them
//! ([`Config::real_time`]). Measured with `examples/accuracy.rs` over 20 links, 10 s a run, three runs,
//! on a shared virtual machine of two cores while others compiled on it (load average 6 to 7):
//!
//! | datagrams/s | real time | p50 µs | p99 µs | latest µs |
//! | ---: | --- | ---: | ---: | ---: |
//! | 1,000 | yes | 41–54 | 118–263 | 2,751–4,991 |
//! | 1,000 | no | 48–58 | 3,519–5,503 | 12,159–30,975 |
//! | 5,000 | yes | 35–42 | 92–188 | 679–10,047 |
//! | 5,000 | no | 40–44 | 1,559–5,407 | 8,767–15,871 |
//! | 20,000 | yes | 23–37 | 59–727 | 4,703–10,047 |
//! | 20,000 | no | 31–41 | 1,527–7,103 | 18,559–52,223 |
//!
//! A receiver sees 30 to 60 µs more at the median, for the kernel's and its own part, and its own
//! waiting for a core at the tail.

mod alarm;
mod clients;
mod config;
mod engine;
mod error;
pub mod limits;
mod mesh;
mod path;
mod precedence;
mod queue;
mod relay;
mod socket;
mod stats;

pub use config::{Config, Direction, LinkSpec, PathSpec};
pub use error::RelayError;
pub use mesh::Mesh;
pub use relay::{LinkId, Relay, RelayHandle};
pub use stats::{DelayError, LinkStats, PathStats, RelayStats};
