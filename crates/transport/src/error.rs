//! What can go wrong in opening an endpoint, dialling and sending.

use crate::certs::CertsError;
use crate::inbox::PeerAddress;
use crate::refusal::Refusal;
use std::net::SocketAddr;

/// An endpoint cannot be opened, or a node cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Certificates or keys are not in order.
    #[error(transparent)]
    Certs(#[from] CertsError),
    /// Another process has the port.
    #[error(
        "UDP {address} is in use by another process; stop it, or listen on another port \
         (`ss -lunp` shows whose it is)"
    )]
    AddressInUse {
        /// Where to listen.
        address: SocketAddr,
    },
    /// The socket cannot be opened otherwise.
    #[error("cannot listen on UDP {address}: {source}")]
    Listen {
        /// Where to listen.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Settings that do not fit together.
    #[error("transport settings: {0}")]
    Settings(String),
    /// A peer's address cannot be resolved.
    #[error("{address:?} is no address that can be resolved: {reason}")]
    Address {
        /// The address, HOST:PORT.
        address: String,
        /// Why not.
        reason: String,
    },
    /// There is no connection.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// The address, HOST:PORT.
        address: String,
        /// Why not.
        reason: String,
    },
    /// The other side does not want this one.
    #[error("{address} refuses this connection: {refusal}")]
    Refused {
        /// The address, HOST:PORT.
        address: String,
        /// Why.
        refusal: Refusal,
    },
    /// The other side is not who it should be.
    #[error("what answers at {address} is refused: {refusal}")]
    Peer {
        /// The address, HOST:PORT.
        address: String,
        /// Why.
        refusal: Refusal,
    },
}

/// A message was not taken. Nothing is kept for later: the protocol tolerates the loss of a
/// message, and whoever sent it knows best whether to repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no such peer, or there is none any more.
    #[error("{0} is unknown")]
    Unknown(PeerAddress),
    /// The node is not connected at the moment.
    #[error("{0} is not connected")]
    Disconnected(PeerAddress),
    /// The queue to that peer is full.
    #[error("the queue to {0} is full")]
    Full(PeerAddress),
    /// The message is longer than any frame may be.
    #[error("the message is longer than a frame may be")]
    TooLong,
}

impl SendError {
    /// The labels in metrics, by [`Self::index`].
    pub(crate) const REASONS: [&str; 4] = ["unknown", "disconnected", "full", "too_long"];

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Unknown(_) => 0,
            Self::Disconnected(_) => 1,
            Self::Full(_) => 2,
            Self::TooLong => 3,
        }
    }
}
