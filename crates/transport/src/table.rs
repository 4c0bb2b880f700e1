//! Who is connected: the channel of each peer, and the limits on how many there may be.

use crate::certs::Subject;
use crate::channel::Channel;
use crate::inbox::PeerAddress;
use crate::refusal::{Refusal, close};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The channels of an endpoint. Read on every send, written when someone comes or goes.
pub(crate) struct Table {
    clients_max: usize,
    connections_per_client_max: usize,
    channels: RwLock<HashMap<PeerAddress, Arc<Channel>>>,
}

impl Table {
    pub(crate) fn new(clients_max: usize, connections_per_client_max: usize) -> Self {
        Self { clients_max, connections_per_client_max, channels: RwLock::default() }
    }

    pub(crate) fn get(&self, address: PeerAddress) -> Option<Arc<Channel>> {
        self.channels.read().unwrap_or_else(PoisonError::into_inner).get(&address).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Channel>> {
        self.channels.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn clients(&self) -> usize {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        channels.keys().filter(|address| matches!(address, PeerAddress::Client(_))).count()
    }

    /// Lets a channel in. A node's former channel is returned, for the caller to close. A client
    /// with as many connections as it may have loses its oldest: the newest wins, or a client that
    /// changed networks would be shut out by its own dead connections.
    pub(crate) fn enter(&self, channel: &Arc<Channel>) -> Result<Option<Arc<Channel>>, Refusal> {
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        if let Subject::Client { name } = &channel.peer.identity.subject {
            let mut clients = 0;
            let mut same = Vec::new();
            for other in channels.values() {
                if let Subject::Client { name: other_name } = &other.peer.identity.subject {
                    clients += 1;
                    if other_name == name {
                        same.push(other);
                    }
                }
            }
            if same.len() >= self.connections_per_client_max {
                let oldest = same.into_iter().min_by_key(|other| other.peer.connection);
                let oldest = oldest.expect("at least one is allowed").clone();
                channels.remove(&oldest.peer.address);
                oldest.close(close::SUPERSEDED);
            } else if clients >= self.clients_max {
                return Err(Refusal::TooManyClients);
            }
        }
        Ok(channels.insert(channel.peer.address, channel.clone()))
    }

    /// Takes a channel out, unless it was replaced already; whether it was still in.
    pub(crate) fn leave(&self, channel: &Arc<Channel>) -> bool {
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        let address = channel.peer.address;
        let is_in = channels.get(&address).is_some_and(|other| Arc::ptr_eq(other, channel));
        if is_in {
            channels.remove(&address);
        }
        is_in
    }
}
