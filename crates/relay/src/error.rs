//! What can go wrong with a relay.

use std::io;
use std::net::SocketAddr;

use althing_planet::PlanetError;

use crate::limits::{DELAY_US_MAX, LINKS_MAX};

/// Why a relay could not be started, changed or kept running.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The configuration has too many links.
    #[error("{len} links, the limit is {LINKS_MAX}: use several relays")]
    TooManyLinks {
        /// How many there are.
        len: usize,
    },
    /// Datagrams can't be sent to this address.
    #[error("link {link}: target {target} must be an address and a port that a node listens on")]
    Target {
        /// The link, by its labels.
        link: String,
        /// What was configured.
        target: SocketAddr,
    },
    /// Not a probability.
    #[error("loss {loss} is not a probability from 0 to 1")]
    Loss {
        /// What was given.
        loss: f64,
    },
    /// Too long a delay or jitter.
    #[error("a delay of {delay_us} us is beyond {DELAY_US_MAX} us: is it in microseconds?")]
    Delay {
        /// What was given.
        delay_us: u64,
    },
    /// A link's address could not be listened on.
    #[error("link {link}: can't listen on {listen}: {source}")]
    Listen {
        /// The link, by its labels.
        link: String,
        /// The address.
        listen: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system refused what the relay's thread needs.
    #[error("the relay can't {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A region of a mesh is not in the planet.
    #[error(transparent)]
    Planet(#[from] PlanetError),
}

impl RelayError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(rustix::io::Errno) -> RelayError {
        move |errno| RelayError::System { what, source: errno.into() }
    }
}
