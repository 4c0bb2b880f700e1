//! UDP sockets as the relay needs them: non-blocking, with large buffers, and plain.
//!
//! Neither GRO nor connecting is asked for. Without GRO a batch that a sender hands to the kernel as
//! one (GSO) arrives as the datagrams it consists of. Unconnected sockets are not told about closed
//! ports, so that a target that is down is silence, as it is behind a real WAN.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rustix::net::sockopt;

use crate::limits::SOCKET_BUFFER_LEN;

/// Opens a socket bound to `local`.
pub(crate) fn open(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(local)?;
    socket.set_nonblocking(true)?;
    // Beyond the system's limit if we may, up to it otherwise; a small buffer is no failure.
    let _ = sockopt::set_socket_recv_buffer_size_force(&socket, SOCKET_BUFFER_LEN)
        .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER_LEN));
    let _ = sockopt::set_socket_send_buffer_size_force(&socket, SOCKET_BUFFER_LEN)
        .or_else(|_| sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER_LEN));
    Ok(socket)
}

/// Opens the socket that stands for one client towards `target`.
pub(crate) fn open_towards(target: SocketAddr) -> io::Result<UdpSocket> {
    let local = match target {
        // Nothing but this machine needs to reach a socket that talks to this machine.
        target if target.ip().is_loopback() => free_loopback_port(target),
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    open(local)
}

/// Port 0 on the loopback address of the same family.
pub(crate) fn free_loopback_port(like: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match like {
        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, 0)
}

/// Whether a datagram from `source` is `target`'s; flow labels and scopes apart.
pub(crate) fn is_from(source: SocketAddr, target: SocketAddr) -> bool {
    source.ip() == target.ip() && source.port() == target.port()
}
