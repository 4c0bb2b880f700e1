//! Certificates: who may talk in a cluster, and as whom.
//!
//! A cluster has one authority, a self-signed certificate that exists for this cluster only
//! ([`ClusterAuthority`]). It issues a certificate to each node and each client; what a certificate
//! lets its holder do stands in it as a URI ([`Identity`]):
//!
//! ```text
//! althing://<cluster>/node/3?roles=proposer,replica
//! althing://<cluster>/client/orders
//! ```
//!
//! A node's certificate also carries two DNS names, its own and one that all nodes of the cluster
//! share; whoever dials a node checks one of them, and so knows that it reached that node, whatever
//! address it had to use. A client's certificate has no DNS name and may not serve.
//!
//! ```no_run
//! # use althing_model::{ClusterId, NodeId, Role};
//! # use althing_transport::certs::{CertsError, ClusterAuthority};
//! # fn main() -> Result<(), CertsError> {
//! let dir = std::path::Path::new("certs");
//! let authority = ClusterAuthority::create(ClusterId([7; 16]))?;
//! authority.write(dir, false)?;
//! authority.issue_node(NodeId(3), &Role::ALL)?.write(dir, false)?;
//! authority.issue_client("orders")?.write(dir, false)?;
//! # Ok(())
//! # }
//! ```

mod authority;
mod error;
mod files;
mod identity;

pub use authority::{AUTHORITY_VALID, CERTIFICATE_VALID, ClusterAuthority, Issued, Validity};
pub use error::CertsError;
pub(crate) use files::Credentials;
pub use files::Tls;
pub use identity::{Identity, NotAnIdentity, Subject, cluster_server_name, node_server_name};
