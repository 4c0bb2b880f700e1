//! Accepting: from a packet out of nowhere to a connection with a proven peer, spending as little as
//! possible on those who do not get there.

use crate::certs::Subject;
use crate::dial::Proven;
use crate::endpoint::Shared;
use crate::refusal::{self, Refusal};
use quinn::Incoming;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::time::timeout;

/// Accepts connections until the endpoint is closed.
pub(crate) async fn accept(shared: Arc<Shared>) {
    let under_way = Arc::new(AtomicUsize::new(0));
    while let Some(incoming) = shared.socket.accept().await {
        let remote = incoming.remote_address();
        let count = under_way.load(Relaxed);
        if count >= shared.settings.handshakes_max {
            shared.counters.refused(Refusal::TooManyHandshakes, remote);
            incoming.refuse();
        } else if count >= shared.settings.handshakes_unproved_max && incoming.may_retry() {
            // Costs us one small packet; whoever forged its address never sees it.
            if let Err(error) = incoming.retry() {
                error.into_incoming().refuse();
            }
        } else {
            under_way.fetch_add(1, Relaxed);
            let guard = UnderWay(under_way.clone());
            tokio::spawn(admit(shared.clone(), incoming, remote, guard));
        }
    }
}

/// Counts a handshake until dropped.
struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

async fn admit(shared: Arc<Shared>, incoming: Incoming, remote: SocketAddr, guard: UnderWay) {
    let handshake = async { incoming.accept()?.await };
    let proven = match timeout(shared.settings.handshake_timeout, handshake).await {
        Ok(Ok(connection)) => Proven::new(connection, shared.cluster),
        Ok(Err(error)) => {
            let refusal = Refusal::of_handshake(&error);
            let whom = format_args!("{remote} ({})", refusal::explain(&error));
            return shared.counters.refused(refusal, whom);
        }
        Err(_) => Err(Refusal::HandshakeTimeout),
    };
    let proven = match proven {
        Ok(proven) => proven,
        Err(refusal) => return shared.counters.refused(refusal, remote),
    };
    let channel = match &proven.identity.subject {
        Subject::Node { id, .. } => {
            let id = *id;
            // A client's windows so far.
            proven.connection.set_receive_window(shared.settings.node_window());
            proven.connection.set_send_window(shared.settings.send_window);
            shared.node_channel(proven, id)
        }
        Subject::Client { .. } => shared.client_channel(proven),
    };
    match shared.enter(&channel) {
        Ok(replaced) => {
            drop(guard);
            shared.serve(channel, replaced, None).await;
        }
        Err(refusal) => channel.refuse(refusal),
    }
}
