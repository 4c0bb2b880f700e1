//! Dialling: from an address to a connection with a proven node.

use crate::certs::{Identity, node_server_name};
use crate::channel::{self, Ungreeted};
use crate::endpoint::Shared;
use crate::error::Error;
use crate::refusal::{self, Refusal, close};
use althing_model::{ClusterId, NodeId};
use althing_wire::frame::version_of_alpn;
use quinn::crypto::rustls::HandshakeData;
use quinn::{ClientConfig, Connection, ConnectionError};
use rustls_pki_types::CertificateDer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A connection whose peer has proved who it is.
pub(crate) struct Proven {
    pub(crate) connection: Connection,
    pub(crate) identity: Identity,
    pub(crate) version: u16,
}

impl Proven {
    /// Takes a connection after its handshake. TLS has verified the certificate; this reads who it
    /// stands for, and refuses another cluster's even if one authority served two.
    pub(crate) fn new(connection: Connection, cluster: ClusterId) -> Result<Self, Refusal> {
        let prove = || {
            let certificates = connection
                .peer_identity()
                .and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok())
                .ok_or(Refusal::CertificateMissing)?;
            let certificate = certificates.first().ok_or(Refusal::CertificateMissing)?;
            let identity =
                Identity::from_certificate(certificate).map_err(|_| Refusal::NoIdentity)?;
            if identity.cluster != cluster {
                return Err(Refusal::AnotherCluster);
            }
            let version = connection
                .handshake_data()
                .and_then(|any| any.downcast::<HandshakeData>().ok())
                .and_then(|data| version_of_alpn(data.protocol.as_deref()?))
                .ok_or(Refusal::NoCommonVersion)?;
            Ok((identity, version))
        };
        match prove() {
            Ok((identity, version)) => Ok(Self { connection, identity, version }),
            Err(refusal) => {
                channel::refuse(&connection, refusal);
                Err(refusal)
            }
        }
    }
}

/// Connects to a node of the cluster. `server_name` is the DNS name that its certificate must have;
/// the node is then whichever has that name.
pub(crate) async fn connect(
    socket: &quinn::Endpoint,
    config: ClientConfig,
    cluster: ClusterId,
    address: &str,
    server_name: &str,
) -> Result<Proven, Error> {
    let failed = |reason: String| Error::Connect { address: address.to_owned(), reason };
    let mut last = failed("no address of this socket's family".to_owned());
    for remote in resolve(socket, address).await? {
        let connecting = match socket.connect_with(config.clone(), remote, server_name) {
            Ok(connecting) => connecting,
            Err(error) => {
                last = failed(error.to_string());
                continue;
            }
        };
        match connecting.await {
            Ok(connection) => {
                let proven = Proven::new(connection, cluster);
                let refused = |refusal| Error::Peer { address: address.to_owned(), refusal };
                let proven = proven.map_err(refused)?;
                if proven.identity.node_id().is_none() {
                    channel::refuse(&proven.connection, Refusal::NotAllowed);
                    return Err(refused(Refusal::NotAllowed));
                }
                return Ok(proven);
            }
            Err(error) => last = lost(address, &error),
        }
    }
    Err(last)
}

/// What the end of a connection means to whoever dialled it.
pub(crate) fn ungreeted(address: &str, why: Ungreeted) -> Error {
    match why {
        Ungreeted::Refused(refusal) => Error::Peer { address: address.to_owned(), refusal },
        Ungreeted::Lost(error) => lost(address, &error),
    }
}

/// A connection that was lost before it was of use.
pub(crate) fn lost(address: &str, error: &ConnectionError) -> Error {
    let address = address.to_owned();
    match error {
        ConnectionError::ApplicationClosed(closed) => {
            if let Some(refusal) = Refusal::from_code(closed.error_code.into()) {
                return Error::Refused { address, refusal };
            }
        }
        ConnectionError::ConnectionClosed(closed) => {
            match Refusal::of_tls_alert(closed.error_code.into()) {
                Refusal::HandshakeFailed => {}
                refusal => return Error::Refused { address, refusal },
            }
        }
        ConnectionError::TransportError(_) => match Refusal::of_handshake(error) {
            Refusal::HandshakeFailed => {}
            refusal => return Error::Peer { address, refusal },
        },
        _ => {}
    }
    Error::Connect { address, reason: refusal::explain(error) }
}

async fn resolve(socket: &quinn::Endpoint, address: &str) -> Result<Vec<SocketAddr>, Error> {
    let is_v4 = socket.local_addr().is_ok_and(|local| local.is_ipv4());
    let found = tokio::net::lookup_host(address).await.map_err(|error| Error::Address {
        address: address.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(found.filter(|remote| !is_v4 || remote.is_ipv4()).collect())
}

/// Keeps one node of a higher number connected, for as long as the endpoint runs.
pub(crate) async fn keep_connected(shared: Arc<Shared>, node: NodeId) {
    let settings = &shared.settings;
    let mut stopping = shared.stopping.subscribe();
    let mut wait = settings.redial_min;
    while !*stopping.borrow() {
        let ended = dial(&shared, node).await;
        let problem = match &ended {
            // It was connected, and another connection took its place. Two processes with one
            // identity would do that to each other without a pause, so this one waits longer.
            Ok(ConnectionError::ApplicationClosed(closed))
                if closed.error_code == close::SUPERSEDED =>
            {
                wait = (wait * 2).min(settings.redial_max);
                "replaced by another connection of this node: does it run twice?".to_owned()
            }
            Ok(error) => {
                wait = settings.redial_min;
                refusal::explain(error)
            }
            Err(error) => {
                if let Error::Peer { refusal, .. } = error {
                    shared.counters.refused(*refusal, format_args!("node {}", node.0));
                }
                error.to_string()
            }
        };
        shared.set_problem(node, problem);
        // Between half and the whole wait, so that nodes that lost a peer together do not come
        // back together.
        let pause = wait.mul_f64(rand::random_range(0.5..1.0));
        // Ready, or elapsed: the loop's condition tells.
        let _ = timeout(pause, stopping.wait_for(|stopping| *stopping)).await;
        if ended.is_err() {
            wait = (wait * 2).min(settings.redial_max);
        }
    }
}

/// Dials a node once and serves the connection; returns what ended it, or why there was none.
async fn dial(shared: &Arc<Shared>, node: NodeId) -> Result<ConnectionError, Error> {
    let Some(address) = shared.address_of(node) else {
        let reason = "its address is not known".to_owned();
        return Err(Error::Connect { address: format!("node {}", node.0), reason });
    };
    let server_name = node_server_name(shared.cluster, node);
    let within = |time: Duration| {
        let reason = format!("no answer within {time:?}");
        Error::Connect { address: address.clone(), reason }
    };
    let time = shared.settings.handshake_timeout;
    let greeted = timeout(time, async {
        let proven =
            connect(&shared.socket, shared.client_config(), shared.cluster, &address, &server_name)
                .await?;
        // TLS has verified the DNS name; the identity must agree, or the authority issued nonsense.
        if proven.identity.node_id() != Some(node) {
            channel::refuse(&proven.connection, Refusal::UnknownNode);
            return Err(Error::Peer { address: address.clone(), refusal: Refusal::UnknownNode });
        }
        let channel = shared.node_channel(proven, node);
        let control =
            channel::open_control(&channel).await.map_err(|error| lost(&address, &error))?;
        let first =
            channel::await_control(&channel).await.map_err(|why| ungreeted(&address, why))?;
        Ok((channel, control, first))
    });
    let (channel, control, first) = greeted.await.map_err(|_| within(time))??;
    match shared.enter(&channel) {
        Ok(replaced) => Ok(shared.serve(channel, replaced, Some((control, first))).await),
        Err(refusal) => {
            channel.refuse(refusal);
            Err(Error::Peer { address: address.clone(), refusal })
        }
    }
}
