//! What can be wrong with certificates and keys, for the person who has to put it right.

use super::identity::NotAnIdentity;
use althing_model::{ClusterId, NodeId};
use std::path::PathBuf;

/// Something is wrong with a certificate, a key, or the file that it is in.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// There is no such file.
    #[error("{} does not exist; `althing cert` makes certificates", path.display())]
    FileMissing {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key is already there and stays.
    #[error("{} exists already and is kept; say so if it is to be replaced", path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// Others may read a private key.
    #[error("{} may be read by other users (mode {mode:03o}); chmod 600 {}", path.display(), path.display())]
    KeyReadable {
        /// The key.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file holds no PEM block of the kind it should.
    #[error("{} holds no {what} in PEM form", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// Certificate and key are not of one pair.
    #[error("{} is not the key of {}", key.display(), cert.display())]
    KeyMismatch {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The certificate's time is over.
    #[error("{} has expired; issue a new one with `althing cert`", path.display())]
    Expired {
        /// The certificate.
        path: PathBuf,
    },
    /// The certificate's time has not come.
    #[error("{} is not valid yet; is this machine's clock right?", path.display())]
    NotValidYet {
        /// The certificate.
        path: PathBuf,
    },
    /// The certificate was issued by someone else.
    #[error("{} was not issued by the authority in {}", path.display(), ca.display())]
    AnotherAuthority {
        /// The certificate.
        path: PathBuf,
        /// The authority.
        ca: PathBuf,
    },
    /// The certificate is not usable for another reason.
    #[error("{} is refused: {reason}", path.display())]
    Invalid {
        /// The certificate.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The certificate proves no identity.
    #[error("{}: {reason}", path.display())]
    NoIdentity {
        /// The certificate.
        path: PathBuf,
        /// Why.
        reason: NotAnIdentity,
    },
    /// The certificate belongs to another cluster.
    #[error("{} belongs to cluster {found}, this is cluster {expected}", path.display())]
    AnotherCluster {
        /// The certificate.
        path: PathBuf,
        /// The cluster that it names.
        found: ClusterId,
        /// The cluster that was asked for.
        expected: ClusterId,
    },
    /// A client's certificate stands where a node's is needed.
    #[error("{} is the certificate of client {name:?}; a node needs a node's", path.display())]
    ClientCertificate {
        /// The certificate.
        path: PathBuf,
        /// The client.
        name: String,
    },
    /// A node's certificate stands where a client's is needed.
    #[error("{} is the certificate of node {}; a client needs a client's", path.display(), node.0)]
    NodeCertificate {
        /// The certificate.
        path: PathBuf,
        /// The node.
        node: NodeId,
    },
    /// The certificate is another node's.
    #[error("{} is the certificate of node {}, this is node {}", path.display(), found.0, expected.0)]
    AnotherNode {
        /// The certificate.
        path: PathBuf,
        /// The node that it names.
        found: NodeId,
        /// The node that was asked for.
        expected: NodeId,
    },
    /// A client's name cannot stand in a certificate.
    #[error(transparent)]
    Name(NotAnIdentity),
    /// A certificate could not be made.
    #[error("the certificate cannot be made: {0}")]
    Issue(String),
    /// The TLS library refused the configuration.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}
