//! The relay's thread: reads what arrives, sends what is due, sleeps until the earlier of both.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use rustix::event::epoll;

use crate::alarm::Alarm;
use crate::clients::{ClientId, Clients};
use crate::config::{Config, Direction};
use crate::error::RelayError;
use crate::limits::{DATAGRAM_LEN_MAX, READ_BATCH_MAX, READY_BATCH_MAX, SEND_BATCH_MAX};
use crate::path::{Fate, Path};
use crate::queue::{DueQueue, InFlight};
use crate::relay::SharedLink;
use crate::socket;
use crate::stats::Meter;

/// The thread's whole state.
pub(crate) struct Engine {
    epoll: OwnedFd,
    alarm: Alarm,
    links: Vec<Link>,
    clients: Clients,
    queue: DueQueue,
    buffer: Box<[u8]>,
    sweep_every: Duration,
    sweep_at: Instant,
}

struct Link {
    listen: UdpSocket,
    target: SocketAddr,
    paths: [Path; 2],
    shared: Arc<SharedLink>,
}

/// What a ready descriptor is: the event that stops the thread, the alarm, a link's socket by its
/// place, or a client's socket by its id, told apart by the number's range.
enum Ready {
    Stop,
    Alarm,
    Link(usize),
    Client(ClientId),
}

const STOP_TOKEN: u64 = u64::MAX;
const ALARM_TOKEN: u64 = u64::MAX - 1;
const CLIENT_TOKEN_BASE: u64 = 1 << 32;

impl Ready {
    fn token(&self) -> u64 {
        match *self {
            Ready::Stop => STOP_TOKEN,
            Ready::Alarm => ALARM_TOKEN,
            Ready::Link(link) => link as u64,
            Ready::Client(id) => CLIENT_TOKEN_BASE + id.0,
        }
    }

    fn from_token(token: u64) -> Ready {
        match token {
            STOP_TOKEN => Ready::Stop,
            ALARM_TOKEN => Ready::Alarm,
            CLIENT_TOKEN_BASE.. => Ready::Client(ClientId(token - CLIENT_TOKEN_BASE)),
            _ => Ready::Link(token as usize),
        }
    }
}

impl Engine {
    /// An engine over sockets that already listen, one for each link. It ends when `stop` becomes
    /// readable.
    pub(crate) fn new(
        config: &Config,
        sockets: Vec<UdpSocket>,
        shared: &[Arc<SharedLink>],
        stop: &OwnedFd,
    ) -> Result<Engine, RelayError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(RelayError::system("create an epoll instance"))?;
        let add = RelayError::system("watch a descriptor");
        watch(&epoll, stop, Ready::Stop).map_err(add)?;
        let alarm = Alarm::new().map_err(RelayError::system("create a timer"))?;
        let add = RelayError::system("watch a descriptor");
        watch(&epoll, &alarm, Ready::Alarm).map_err(add)?;
        let mut links = Vec::with_capacity(sockets.len());
        for (at, (listen, shared)) in sockets.into_iter().zip(shared).enumerate() {
            let add = RelayError::system("watch a descriptor");
            watch(&epoll, &listen, Ready::Link(at)).map_err(add)?;
            let paths = Direction::BOTH.map(|direction| Path::new(config.seed, at, direction));
            links.push(Link { listen, target: shared.target, paths, shared: Arc::clone(shared) });
        }
        let sweep_every = (config.client_idle / 4).max(Duration::from_millis(10));
        Ok(Engine {
            epoll,
            alarm,
            clients: Clients::new(links.len(), config.client_idle),
            links,
            queue: DueQueue::new(config.queue_datagrams_max, config.queue_bytes_max),
            buffer: vec![0; DATAGRAM_LEN_MAX].into(),
            sweep_every,
            sweep_at: Instant::now() + sweep_every,
        })
    }

    /// Relays until it is stopped.
    pub(crate) fn run(mut self) -> Result<(), RelayError> {
        let mut events = Vec::with_capacity(READY_BATCH_MAX);
        loop {
            self.send_due();
            self.close_idle();

            events.clear();
            let wake_at = self.wake_at();
            self.alarm.set(wake_at).map_err(RelayError::system("set its timer"))?;
            let spare = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, spare, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(RelayError::system("wait for datagrams")(errno)),
            }
            for event in &events {
                match Ready::from_token(event.data.u64()) {
                    Ready::Stop => return Ok(()),
                    // What is due is sent on the way to the next wait.
                    Ready::Alarm => {}
                    Ready::Link(link) => self.read_clients(link),
                    Ready::Client(id) => self.read_target(id),
                }
            }
        }
    }

    /// When there is something to do even if nothing arrives.
    fn wake_at(&self) -> Option<Instant> {
        let sweep_at = (!self.clients.is_empty()).then_some(self.sweep_at);
        self.queue.next_due().into_iter().chain(sweep_at).min()
    }

    /// Reads what clients of a link sent.
    fn read_clients(&mut self, link: usize) {
        for _ in 0..READ_BATCH_MAX {
            let (len, address) = match self.links[link].listen.recv_from(&mut self.buffer) {
                Ok(received) => received,
                Err(error) if is_transient(&error) => continue,
                Err(_) => return,
            };
            let now = Instant::now();
            match self.client(link, address, now) {
                Some(id) => self.depart(id, link, Direction::There, len, now),
                None => self.links[link].meter().on_overflow(Direction::There),
            }
        }
    }

    /// Reads what a target replied to a client.
    fn read_target(&mut self, id: ClientId) {
        for _ in 0..READ_BATCH_MAX {
            // Closed since the event was reported, perhaps.
            let Some(client) = self.clients.get_mut(id) else {
                return;
            };
            let link = client.link;
            match client.upstream.recv_from(&mut self.buffer) {
                Ok((len, source)) if socket::is_from(source, self.links[link].target) => {
                    self.depart(id, link, Direction::Back, len, Instant::now());
                }
                // A stranger's.
                Ok(_) => {}
                Err(error) if is_transient(&error) => {}
                Err(_) => return,
            }
        }
    }

    /// The client at this address, taken in if it is new. None if there is no room for it.
    fn client(&mut self, link: usize, address: SocketAddr, now: Instant) -> Option<ClientId> {
        if let Some(id) = self.clients.find(link, address) {
            return Some(id);
        }
        let id = self.clients.open(link, address, self.links[link].target, now).ok()?;
        let client = self.clients.get_mut(id)?;
        if watch(&self.epoll, &client.upstream, Ready::Client(id)).is_err() {
            self.clients.close(id);
            return None;
        }
        self.links[link].meter().set_clients(self.clients.len(link));
        Some(id)
    }

    /// Puts the first `len` bytes of the buffer on their way.
    fn depart(
        &mut self,
        id: ClientId,
        link: usize,
        direction: Direction,
        len: usize,
        now: Instant,
    ) {
        let Link { paths, shared, .. } = &mut self.links[link];
        let controls = &shared.controls[direction.index()];
        match paths[direction.index()].fate(controls, now) {
            Fate::Cut => shared.meter().on_cut(direction),
            Fate::Lost => shared.meter().on_loss(direction),
            Fate::Due(_) if !self.queue.has_room(len) => shared.meter().on_overflow(direction),
            Fate::Due(due) => {
                let client = self.clients.get_mut(id).expect("the caller found the client");
                let due = client.depart(direction, due, controls.keeps_order(), now);
                let payload = self.buffer[..len].into();
                self.queue.push(InFlight { due, client: id, direction, payload });
            }
        }
    }

    /// Sends what is due.
    fn send_due(&mut self) {
        let mut now = Instant::now();
        for _ in 0..SEND_BATCH_MAX {
            let Some(datagram) = self.queue.pop_due(now) else {
                return;
            };
            let InFlight { due, client, direction, payload } = datagram;
            let client =
                self.clients.get_mut(client).expect("a client stays while datagrams are in flight");
            client.arrive(now);
            let link = &self.links[client.link];
            if link.shared.controls[direction.index()].is_cut() {
                link.meter().on_cut(direction);
                continue;
            }
            let sent = match direction {
                Direction::There => client.upstream.send_to(&payload, link.target),
                Direction::Back => link.listen.send_to(&payload, client.address),
            };
            now = Instant::now();
            match sent {
                Ok(_) => link.meter().on_forwarded(direction, now - due),
                Err(_) => link.meter().on_overflow(direction),
            }
        }
    }

    fn close_idle(&mut self) {
        let now = Instant::now();
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now + self.sweep_every;
        for link in self.clients.close_idle(now) {
            self.links[link].meter().set_clients(self.clients.len(link));
        }
    }
}

impl Link {
    fn meter(&self) -> MutexGuard<'_, Meter> {
        self.shared.meter()
    }
}

fn watch(epoll: &OwnedFd, fd: impl std::os::fd::AsFd, ready: Ready) -> rustix::io::Result<()> {
    let data = epoll::EventData::new_u64(ready.token());
    epoll::add(epoll, fd, data, epoll::EventFlags::IN)
}

/// Whether to read on: an error that belongs to one datagram, not to the socket.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionRefused)
}
