//! The UDP socket under an endpoint, and the QUIC endpoint on it.

use crate::error::Error;
use crate::limits;
use quinn::{EndpointConfig, ServerConfig, TokioRuntime};
use quinn_proto::HashedConnectionIdGenerator;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;

/// Opens the socket. `secret` is the same for every run of one node: with it, a node that was
/// killed and came back can tell its peers' old connections, which it no longer knows, that they
/// are over (QUIC's stateless reset, RFC 9000 section 10.3). Otherwise the peers would notice only
/// at their idle timeout.
pub(crate) fn open(
    address: SocketAddr,
    secret: &[u8],
    server: Option<ServerConfig>,
) -> Result<quinn::Endpoint, Error> {
    let socket = bind(address).map_err(|source| match source.kind() {
        ErrorKind::AddrInUse => Error::AddressInUse { address },
        _ => Error::Listen { address, source },
    })?;
    let key = |label: &[u8]| {
        ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret), label)
    };
    let reset = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key(b"stateless reset").as_ref());
    let ids = key(b"connection ids");
    let ids = u64::from_be_bytes(ids.as_ref()[..8].try_into().expect("a digest has 32 bytes"));
    let mut config = EndpointConfig::new(Arc::new(reset));
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    quinn::Endpoint::new(config, server, socket, Arc::new(TokioRuntime))
        .map_err(|source| Error::Listen { address, source })
}

fn bind(address: SocketAddr) -> std::io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // The kernel gives what it allows; less costs speed under bursts and nothing else.
    let _ = socket.set_recv_buffer_size(limits::SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(limits::SOCKET_BUFFER_BYTES);
    socket.bind(&address.into())?;
    Ok(socket.into())
}
