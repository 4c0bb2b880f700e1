//! The network between nodes, and between clients and nodes: QUIC with certificates on both sides.
//!
//! A node opens one [`Endpoint`]. It keeps a connection to every other node of its configuration,
//! takes those of clients, and moves opaque messages: what they mean is the business of the layers
//! above, which the transport asks two things, a [`Gate`] whether a frame may come in at all, and an
//! [`Inbox`] to take it. A client opens a [`Dialer`].
//!
//! ```no_run
//! # use althing_model::{ClusterId, ConflictsId, NodeId};
//! # use althing_transport::{*, certs::{Identity, Tls}};
//! # use std::sync::Arc;
//! struct OnlyNodes;
//! impl Gate for OnlyNodes {
//!     fn admit(&self, from: &Identity, kind: u8, len: u32) -> Result<(), Refusal> {
//!         from.node_id().ok_or(Refusal::NotAllowed)?;
//!         if len > 1 << 20 { Err(Refusal::TooLong) } else { Ok(()) }
//!     }
//! }
//! struct Print;
//! impl Inbox for Print {
//!     fn deliver(&self, inbound: Inbound) -> Result<(), Inbound> {
//!         println!("{}: {} bytes", inbound.from.address, inbound.body.len());
//!         Ok(())
//!     }
//! }
//! # #[tokio::main] async fn main() -> Result<(), Error> {
//! let config = Config {
//!     listen: "0.0.0.0:7000".parse().unwrap(),
//!     tls: Tls::of_node("certs".as_ref(), NodeId(1)),
//!     cluster: ClusterId([7; 16]),
//!     conflicts: ConflictsId::NONE,
//!     me: NodeId(1),
//!     peers: vec![Peer { node: NodeId(2), address: "two.example:7000".into() }],
//!     settings: Settings::default(),
//! };
//! let endpoint = Endpoint::bind(config, Arc::new(OnlyNodes), Arc::new(Print))?;
//! endpoint.send(PeerAddress::Node(NodeId(2)), 1, 0, "hello".into()).ok();
//! endpoint.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//! - The sender of a message is the certificate of its connection. TLS 1.3, both sides verified, no
//!   resumption, no early data, our protocol names only. See [`certs`].
//! - Messages of one *stripe* arrive in order, whole, once, or not at all, as long as a connection
//!   lasts. When it breaks, what was under way is lost; the protocol above tolerates that.
//! - Sending never waits. A queue that is full refuses; so does a node that is not connected.
//! - A receiver that is full holds up its peer, through QUIC's flow control; nothing is dropped.
//! - Nothing grows without a limit ([`limits`]), and a peer that sends nonsense loses its
//!   connection and nothing else ([`Refusal`]).
//!
//! # Lanes
//! A link between nodes has six streams each way that live as long as it does: one for control
//! (heartbeats; it goes first), four for messages, chosen by the hash of a message's stripe, and one
//! for what is long and may wait ([`limits::BULK_STRIPE`]; it goes last). One
//! long stream carries several times the messages of a stream each; several of them confine a lost
//! packet to a quarter of the traffic.
//!
//! # Who dials
//! Of two nodes the one with the lower number, again and again. If two connections of one node
//! appear, the newest wins. Metrics need their recorder installed before an endpoint is opened.

pub mod certs;
pub mod limits;

mod accept;
mod channel;
mod client;
mod counters;
mod dial;
mod endpoint;
mod error;
mod heartbeat;
mod inbox;
mod lane;
mod refusal;
mod settings;
mod socket;
mod table;
mod tls;

pub use client::{ClientConnection, Dialer};
pub use counters::Counts;
pub use endpoint::{Config, Endpoint, Link, Peer};
pub use error::{Error, SendError};
pub use heartbeat::RoundTrips;
pub use inbox::{Gate, Inbound, Inbox, PeerAddress, PeerHandle};
pub use refusal::Refusal;
pub use settings::{Congestion, Settings};
