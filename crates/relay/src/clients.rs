//! Who talks through the relay: for each client of each link, the socket that stands for it.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::config::Direction;
use crate::limits::{CLIENTS_MAX, CLIENTS_PER_LINK_MAX};
use crate::socket;

/// Names a client of a link; never used again once the client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct ClientId(pub(crate) u64);

/// A client, and what the relay keeps for it.
#[derive(Debug)]
pub(crate) struct Client {
    /// The place of its link.
    pub(crate) link: usize,
    /// Where replies go.
    pub(crate) address: SocketAddr,
    /// What the target sees it as.
    pub(crate) upstream: UdpSocket,
    /// Its datagrams on their way, both directions.
    in_flight: usize,
    last_seen: Instant,
    /// When the last datagram of each direction is due: the next one may not be earlier.
    last_due: [Instant; 2],
}

impl Client {
    /// A datagram starts, due then at the earliest. Returns when it is due: behind the one before
    /// if order is kept.
    pub(crate) fn depart(
        &mut self,
        direction: Direction,
        due: Instant,
        keeps_order: bool,
        now: Instant,
    ) -> Instant {
        let last_due = &mut self.last_due[direction.index()];
        let due = if keeps_order { due.max(*last_due) } else { due };
        *last_due = due.max(*last_due);
        self.in_flight += 1;
        self.last_seen = now;
        due
    }

    /// A datagram's way ends, one way or another.
    pub(crate) fn arrive(&mut self, now: Instant) {
        self.in_flight -= 1;
        self.last_seen = now;
    }

    fn is_idle(&self, now: Instant, idle: Duration) -> bool {
        self.in_flight == 0 && now.duration_since(self.last_seen) >= idle
    }
}

/// All clients of all links.
#[derive(Debug)]
pub(crate) struct Clients {
    by_id: HashMap<ClientId, Client>,
    /// Link by link.
    by_address: Vec<HashMap<SocketAddr, ClientId>>,
    opened: u64,
    idle: Duration,
}

/// A client that could not be taken: a limit of ours, or of the system.
#[derive(Debug)]
pub(crate) struct NoRoom;

impl Clients {
    pub(crate) fn new(links_len: usize, idle: Duration) -> Clients {
        let by_address = (0..links_len).map(|_| HashMap::new()).collect();
        Clients { by_id: HashMap::new(), by_address, opened: 0, idle }
    }

    /// The client with this address on this link, if it is known.
    pub(crate) fn find(&self, link: usize, address: SocketAddr) -> Option<ClientId> {
        self.by_address[link].get(&address).copied()
    }

    /// Takes a new client, with a socket of its own towards `target`.
    pub(crate) fn open(
        &mut self,
        link: usize,
        address: SocketAddr,
        target: SocketAddr,
        now: Instant,
    ) -> Result<ClientId, NoRoom> {
        if self.by_address[link].len() >= CLIENTS_PER_LINK_MAX || self.by_id.len() >= CLIENTS_MAX {
            return Err(NoRoom);
        }
        let upstream = socket::open_towards(target).map_err(|_| NoRoom)?;
        let id = ClientId(self.opened);
        self.opened += 1;
        let client =
            Client { link, address, upstream, in_flight: 0, last_seen: now, last_due: [now; 2] };
        self.by_id.insert(id, client);
        self.by_address[link].insert(address, id);
        Ok(id)
    }

    pub(crate) fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.by_id.get_mut(&id)
    }

    /// Closes a client at once, whatever is on its way.
    pub(crate) fn close(&mut self, id: ClientId) {
        if let Some(client) = self.by_id.remove(&id) {
            self.by_address[client.link].remove(&client.address);
        }
    }

    /// Closes the clients that have been silent for long enough. Returns the links they were on.
    pub(crate) fn close_idle(&mut self, now: Instant) -> Vec<usize> {
        let (by_address, idle) = (&mut self.by_address, self.idle);
        let mut links = Vec::new();
        self.by_id.retain(|_, client| {
            let is_idle = client.is_idle(now, idle);
            if is_idle {
                by_address[client.link].remove(&client.address);
                links.push(client.link);
            }
            !is_idle
        });
        links
    }

    pub(crate) fn len(&self, link: usize) -> usize {
        self.by_address[link].len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(10);

    fn address(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn silent_clients_go_and_others_stay() {
        // Broken if sockets leaked with every client that went, or a waiting one lost its replies.
        let start = Instant::now();
        let mut clients = Clients::new(2, IDLE);
        let target = address(9);
        let silent = clients.open(0, address(1), target, start).unwrap();
        let busy = clients.open(0, address(2), target, start).unwrap();
        let waiting = clients.open(1, address(1), target, start).unwrap();
        clients.get_mut(waiting).unwrap().depart(Direction::There, start, true, start);

        let later = start + IDLE;
        let client = clients.get_mut(busy).unwrap();
        client.depart(Direction::There, start, true, later - Duration::from_secs(1));
        client.arrive(later - Duration::from_secs(1));
        assert_eq!(clients.close_idle(later - Duration::from_secs(1)), [] as [usize; 0]);
        assert_eq!(clients.close_idle(later), [0]);
        assert_eq!((clients.len(0), clients.len(1)), (1, 1));
        assert!(clients.get_mut(silent).is_none());
        assert_eq!(clients.find(0, address(1)), None);
        assert_eq!(clients.find(0, address(2)), Some(busy));

        clients.get_mut(waiting).unwrap().arrive(later);
        clients.close_idle(later + IDLE);
        assert!(clients.is_empty());
    }

    #[test]
    fn order_is_kept_unless_it_may_change() {
        // Broken if a lowered delay let datagrams overtake where order is promised.
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut clients = Clients::new(1, IDLE);
        let id = clients.open(0, address(1), address(9), start).unwrap();
        let client = clients.get_mut(id).unwrap();
        assert_eq!(client.depart(Direction::There, at(50), true, start), at(50));
        assert_eq!(client.depart(Direction::There, at(10), true, start), at(50));
        assert_eq!(client.depart(Direction::There, at(20), false, start), at(20));
        assert_eq!(client.depart(Direction::There, at(60), true, start), at(60));
        // The other direction is another wire.
        assert_eq!(client.depart(Direction::Back, at(10), true, start), at(10));
    }

    #[test]
    fn one_link_can_not_take_all_sockets() {
        // Broken if whoever floods one link with addresses could lock out the others.
        let now = Instant::now();
        let mut clients = Clients::new(1, IDLE);
        // The limit itself needs as many sockets; the table is filled with one client's id instead.
        let id = clients.open(0, address(1), address(9), now).unwrap();
        clients.by_address[0].extend((2..=1024).map(|port| (address(port), id)));
        assert!(clients.open(0, address(2000), address(9), now).is_err());
    }
}
