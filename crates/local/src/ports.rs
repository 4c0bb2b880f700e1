//! Ports on loopback that nobody has, and that nobody is given by chance.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;

/// Ports below this one are for services with known numbers.
const LOWEST: u16 = 15_000;

/// How many ports are tried before the system's own choice is taken.
const TRIES: usize = 64;

/// A free port of loopback, for UDP and for TCP.
///
/// It is taken from below the range from which the kernel serves those who ask for any port: the
/// port of a node that was killed stays free until the node comes back, however many sockets its
/// clients open meanwhile.
pub(crate) fn free() -> std::io::Result<SocketAddr> {
    let candidates = LOWEST..lowest_ephemeral();
    if !candidates.is_empty() {
        for _ in 0..TRIES {
            let address = loopback(within(&candidates));
            if is_free(address) {
                return Ok(address);
            }
        }
    }
    TcpListener::bind(loopback(0))?.local_addr()
}

/// Whether nobody listens there.
pub(crate) fn is_free(address: SocketAddr) -> bool {
    UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn within(range: &Range<u16>) -> u16 {
    let (_, random) = uuid::Uuid::new_v4().as_u64_pair();
    let len = u64::from(range.end - range.start);
    range.start + u16::try_from(random % len).expect("it is below the length of a range of ports")
}

/// The first port that the kernel gives to those who ask for any.
fn lowest_ephemeral() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let lowest =
        range.ok().and_then(|range| range.split_whitespace().next().and_then(|p| p.parse().ok()));
    // What Linux starts with.
    lowest.unwrap_or(32_768)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a restarted node would find its port taken by one of its own cluster's clients.
    #[test]
    fn a_free_port_is_none_that_the_kernel_gives_away() {
        let address = free().unwrap();
        assert!(address.port() < lowest_ephemeral(), "{address}");
        let held = UdpSocket::bind(address).unwrap();
        assert!(!is_free(address));
        drop(held);
    }
}
