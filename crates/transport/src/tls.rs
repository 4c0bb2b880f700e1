//! TLS as this project uses it: version 1.3, ring, certificates on both sides, our protocol names
//! only, no resumption and so no early data.

use crate::certs::{CertsError, Credentials};
use althing_wire::frame::ALPN_OFFERED;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::RootCertStore;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use std::sync::Arc;

/// The cryptography. Always named, never the process's default, which an embedding program may
/// have set to anything.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Verifies the certificate of whoever dials; without one there is no connection.
pub(crate) fn client_verifier(
    roots: Arc<RootCertStore>,
) -> Result<Arc<dyn ClientCertVerifier>, CertsError> {
    WebPkiClientVerifier::builder_with_provider(roots, provider())
        .build()
        .map_err(|error| CertsError::Tls(error.to_string()))
}

/// For accepting connections.
pub(crate) fn server(credentials: &Credentials) -> Result<QuicServerConfig, CertsError> {
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(refused)?
        .with_client_cert_verifier(client_verifier(credentials.roots.clone())?)
        .with_single_cert(credentials.chain.clone(), credentials.key.clone_key())
        .map_err(refused)?;
    config.alpn_protocols = alpn();
    // A resumed session would not have its certificate verified again, and early data can be
    // replayed. Connections live long; a full handshake each is no cost.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    QuicServerConfig::try_from(config).map_err(|error| CertsError::Tls(error.to_string()))
}

/// For dialling.
pub(crate) fn client(credentials: &Credentials) -> Result<QuicClientConfig, CertsError> {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(refused)?
        .with_root_certificates(credentials.roots.clone())
        .with_client_auth_cert(credentials.chain.clone(), credentials.key.clone_key())
        .map_err(refused)?;
    config.alpn_protocols = alpn();
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    QuicClientConfig::try_from(config).map_err(|error| CertsError::Tls(error.to_string()))
}

fn alpn() -> Vec<Vec<u8>> {
    ALPN_OFFERED.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn refused(error: rustls::Error) -> CertsError {
    CertsError::Tls(error.to_string())
}
