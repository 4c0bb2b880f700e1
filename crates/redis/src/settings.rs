//! What a gateway is told by whoever starts it.

use crate::connection::Consistency;
use std::net::SocketAddr;
use std::time::Duration;

/// A gateway's settings.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it listens (TCP).
    pub listen: SocketAddr,
    /// What `AUTH` has to say; without one everybody may do everything.
    pub password: Option<String>,
    /// How current reads are until a connection says otherwise.
    pub consistency: Consistency,
    /// Connections at a time.
    pub clients_max: usize,
    /// How long a connection may be idle; for ever without one.
    pub idle_timeout: Option<Duration>,
}

impl Settings {
    /// The usual ones, listening there.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            password: None,
            consistency: Consistency::default(),
            clients_max: crate::limits::CLIENTS_MAX,
            idle_timeout: None,
        }
    }

    /// Whether the settings let whoever reaches the machine read and write everything.
    pub fn is_open_to_all(&self) -> bool {
        self.password.is_none() && !self.listen.ip().is_loopback()
    }
}

impl std::fmt::Debug for Settings {
    /// Without the password, which would end in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("password", &self.password.as_ref().map(|_| ".."))
            .field("consistency", &self.consistency)
            .field("clients_max", &self.clients_max)
            .field("idle_timeout", &self.idle_timeout)
            .finish()
    }
}
