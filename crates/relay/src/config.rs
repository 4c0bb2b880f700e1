//! What to relay, and how badly.

use std::net::SocketAddr;
use std::time::Duration;

use crate::error::RelayError;
use crate::limits::{
    CLIENT_IDLE_MAX, DELAY_US_MAX, LINKS_MAX, QUEUE_BYTES_MAX, QUEUE_DATAGRAMS_MAX,
};

/// What a relay is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// The links, at most [`LINKS_MAX`]. The place here is the place in every table of the relay.
    pub links: Vec<LinkSpec>,
    /// Seeds loss and jitter: the n-th datagram in one direction of one link has the same fate in
    /// every run, whatever the other links carry.
    pub seed: u64,
    /// How long a client may be silent before its upstream socket closes. Its next datagram opens
    /// another one, so that the target sees a new address.
    pub client_idle: Duration,
    /// Whether the relay's thread asks to run before others (real-time scheduling): the difference
    /// between a p99 below and above a millisecond where nodes keep all cores busy. Needs the right to
    /// (`CAP_SYS_NICE`, or a limit `rtprio` of 1); without it the relay runs as any thread does, and
    /// [`RelayStats::real_time`](crate::RelayStats::real_time) says so.
    pub real_time: bool,
    /// Datagrams in flight on all links, at most. Those beyond are dropped and counted.
    pub queue_datagrams_max: usize,
    /// Bytes of datagrams in flight on all links, at most. Those beyond are dropped and counted.
    pub queue_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            links: Vec::new(),
            seed: 0,
            client_idle: CLIENT_IDLE_MAX,
            real_time: true,
            queue_datagrams_max: QUEUE_DATAGRAMS_MAX,
            queue_bytes_max: QUEUE_BYTES_MAX,
        }
    }
}

/// One link: what arrives on `listen` goes to `target`, and the replies come back.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkSpec {
    /// Who dials, for people.
    pub from: String,
    /// Who is dialled, for people.
    pub to: String,
    /// Where clients send to. With port 0 the relay takes a free one and reports it.
    pub listen: SocketAddr,
    /// Where datagrams go.
    pub target: SocketAddr,
    /// The way from the client to the target.
    pub there: PathSpec,
    /// The way from the target to the client.
    pub back: PathSpec,
}

impl LinkSpec {
    /// A link on a free loopback port, with these one-way delays, else perfect.
    pub fn new(from: &str, to: &str, target: SocketAddr, there_us: u64, back_us: u64) -> LinkSpec {
        LinkSpec {
            from: from.to_owned(),
            to: to.to_owned(),
            listen: crate::socket::free_loopback_port(target),
            target,
            there: PathSpec { delay_us: there_us, ..PathSpec::default() },
            back: PathSpec { delay_us: back_us, ..PathSpec::default() },
        }
    }
}

/// One direction of a link. The default is a perfect wire: no delay, nothing lost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PathSpec {
    /// How long each datagram takes at least, in microseconds.
    pub delay_us: u64,
    /// Up to how much longer it takes, uniformly distributed, in microseconds.
    pub jitter_us: u64,
    /// The probability that a datagram is lost, from 0 to 1.
    pub loss: f64,
    /// Whether a datagram may overtake an earlier one of the same client, because of jitter or of a
    /// delay that was lowered. Otherwise it waits for the earlier one.
    pub reorder: bool,
    /// Whether nothing gets through.
    pub cut: bool,
}

/// A direction of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the target.
    There,
    /// From the target to the client.
    Back,
}

impl Direction {
    /// Both, in the order of [`Direction::index`].
    pub(crate) const BOTH: [Direction; 2] = [Direction::There, Direction::Back];

    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

impl Config {
    /// Refuses what can't be meant, before any socket is opened.
    pub(crate) fn check(&self) -> Result<(), RelayError> {
        if self.links.len() > LINKS_MAX {
            return Err(RelayError::TooManyLinks { len: self.links.len() });
        }
        for link in &self.links {
            let name = || format!("{} to {}", link.from, link.to);
            if link.target.port() == 0 || link.target.ip().is_unspecified() {
                return Err(RelayError::Target { link: name(), target: link.target });
            }
            for path in [&link.there, &link.back] {
                check_loss(path.loss)?;
                check_delay(path.delay_us)?;
                check_delay(path.jitter_us)?;
            }
        }
        Ok(())
    }
}

pub(crate) fn check_loss(loss: f64) -> Result<f64, RelayError> {
    if (0.0..=1.0).contains(&loss) { Ok(loss) } else { Err(RelayError::Loss { loss }) }
}

pub(crate) fn check_delay(delay_us: u64) -> Result<u64, RelayError> {
    if delay_us <= DELAY_US_MAX { Ok(delay_us) } else { Err(RelayError::Delay { delay_us }) }
}
