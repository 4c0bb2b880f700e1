//! The identity that a certificate proves.

use althing_model::{ClusterId, NodeId, Role};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The scheme of the URI that carries an identity.
const SCHEME: &str = "althing://";

/// The longest name of a client: names reach logs.
const CLIENT_NAME_LEN_MAX: usize = 64;

/// Who the holder of a certificate is, and in which cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The cluster.
    pub cluster: ClusterId,
    /// Who in that cluster.
    pub subject: Subject,
}

/// A member of a cluster or one of its clients.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A node.
    Node {
        /// Its number.
        id: NodeId,
        /// What it may do, in the order of [`Role::ALL`], each at most once.
        roles: Vec<Role>,
    },
    /// A client.
    Client {
        /// Its name: up to 64 letters, digits, dots, hyphens and underscores.
        name: String,
    },
}

impl Identity {
    /// The identity of a node. The order and repetition of roles do not matter.
    pub fn node(cluster: ClusterId, id: NodeId, roles: &[Role]) -> Self {
        let roles = Role::ALL.into_iter().filter(|role| roles.contains(role)).collect();
        Self { cluster, subject: Subject::Node { id, roles } }
    }

    /// The identity of a client; fails when the name is none.
    pub fn client(cluster: ClusterId, name: &str) -> Result<Self, NotAnIdentity> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || name.len() > CLIENT_NAME_LEN_MAX || !name.chars().all(allowed) {
            return Err(NotAnIdentity::ClientName);
        }
        Ok(Self { cluster, subject: Subject::Client { name: name.to_owned() } })
    }

    /// The node, if it is one.
    pub fn node_id(&self) -> Option<NodeId> {
        match self.subject {
            Subject::Node { id, .. } => Some(id),
            Subject::Client { .. } => None,
        }
    }

    /// Whether it is a node with that role.
    pub fn has_role(&self, role: Role) -> bool {
        match &self.subject {
            Subject::Node { roles, .. } => roles.contains(&role),
            Subject::Client { .. } => false,
        }
    }

    /// The identity as the URI that stands in a certificate.
    pub fn to_uri(&self) -> String {
        match &self.subject {
            Subject::Node { id, roles } => {
                let roles: Vec<_> = roles.iter().map(|role| role.name()).collect();
                format!("{SCHEME}{}/node/{}?roles={}", self.cluster, id.0, roles.join(","))
            }
            Subject::Client { name } => format!("{SCHEME}{}/client/{name}", self.cluster),
        }
    }

    /// Reads the URI of a certificate. Only the very form that [`Self::to_uri`] writes is accepted:
    /// two spellings of one identity would be two keys in every table.
    pub fn from_uri(uri: &str) -> Result<Self, NotAnIdentity> {
        let rest = uri.strip_prefix(SCHEME).ok_or(NotAnIdentity::Scheme)?;
        let (cluster, rest) = rest.split_once('/').ok_or(NotAnIdentity::Form)?;
        let cluster = cluster.parse().map_err(|_| NotAnIdentity::Cluster)?;
        let identity = match rest.split_once('/').ok_or(NotAnIdentity::Form)? {
            ("node", node) => {
                let (id, roles) = node.split_once("?roles=").ok_or(NotAnIdentity::Form)?;
                let id = id.parse().map_err(|_| NotAnIdentity::Node)?;
                let roles = roles
                    .split(',')
                    .map(|name| Role::from_name(name).ok_or(NotAnIdentity::Role))
                    .collect::<Result<Vec<_>, _>>()?;
                Self::node(cluster, NodeId(id), &roles)
            }
            ("client", name) => Self::client(cluster, name)?,
            _ => return Err(NotAnIdentity::Form),
        };
        if identity.to_uri() != uri {
            return Err(NotAnIdentity::Form);
        }
        Ok(identity)
    }

    /// Reads the identity out of a certificate (DER), which the caller has verified.
    pub fn from_certificate(der: &[u8]) -> Result<Self, NotAnIdentity> {
        let uris = scheme_uris(der)?;
        match &uris[..] {
            [] => Err(NotAnIdentity::Missing),
            [uri] => Self::from_uri(uri),
            _ => Err(NotAnIdentity::Several),
        }
    }
}

/// The cluster of an authority's certificate (DER).
pub(crate) fn authority_cluster(der: &[u8]) -> Result<ClusterId, NotAnIdentity> {
    let uris = scheme_uris(der)?;
    let [uri] = &uris[..] else {
        return Err(NotAnIdentity::Missing);
    };
    let rest = uri.strip_prefix(SCHEME).and_then(|rest| rest.strip_suffix("/authority"));
    rest.ok_or(NotAnIdentity::Form)?.parse().map_err(|_| NotAnIdentity::Cluster)
}

/// The URI that marks an authority's certificate.
pub(crate) fn authority_uri(cluster: ClusterId) -> String {
    format!("{SCHEME}{cluster}/authority")
}

/// The DNS name by which the certificate of that very node is verified.
pub fn node_server_name(cluster: ClusterId, node: NodeId) -> String {
    format!("node-{}.{cluster}.althing", node.0)
}

/// The DNS name that every node's certificate of the cluster carries: what a client asks for that
/// knows an address, but not which node is behind it.
pub fn cluster_server_name(cluster: ClusterId) -> String {
    format!("node.{cluster}.althing")
}

/// When a certificate (DER) ends, in seconds since 1970.
pub(crate) fn not_after(der: &[u8]) -> Result<i64, NotAnIdentity> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| NotAnIdentity::Encoding)?;
    Ok(certificate.validity().not_after.timestamp())
}

fn scheme_uris(der: &[u8]) -> Result<Vec<String>, NotAnIdentity> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| NotAnIdentity::Encoding)?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| NotAnIdentity::Encoding)?
        .map(|extension| &extension.value.general_names[..])
        .unwrap_or_default();
    Ok(names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) if uri.starts_with(SCHEME) => Some((*uri).to_owned()),
            _ => None,
        })
        .collect())
}

/// Why a certificate proves no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnIdentity {
    /// It cannot be parsed.
    #[error("the certificate cannot be parsed")]
    Encoding,
    /// It has no URI of ours.
    #[error("the certificate names no althing:// identity: it was not issued by `althing cert`")]
    Missing,
    /// It has more than one.
    #[error("the certificate names more than one althing:// identity")]
    Several,
    /// The URI is another scheme's.
    #[error("the identity does not begin with althing://")]
    Scheme,
    /// The URI has another form.
    #[error("the identity is neither .../node/ID?roles=... nor .../client/NAME")]
    Form,
    /// The cluster is no UUID.
    #[error("the identity's cluster is no UUID")]
    Cluster,
    /// The node is no number.
    #[error("the identity's node is no number")]
    Node,
    /// There is no such role.
    #[error("the identity has an unknown role, or none")]
    Role,
    /// The name is none.
    #[error("a client's name is 1 to 64 letters, digits, dots, hyphens and underscores")]
    ClientName,
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: ClusterId = ClusterId([0x42; 16]);

    /// Broken: an issued certificate is not understood, or its roles are lost.
    #[test]
    fn identities_print_as_they_parse() {
        let all = [
            Identity::node(CLUSTER, NodeId(3), &[Role::Replica, Role::Proposer, Role::Replica]),
            Identity::node(CLUSTER, NodeId(0), &Role::ALL),
            Identity::client(CLUSTER, "orders-7.eu_west").unwrap(),
        ];
        for identity in &all {
            assert_eq!(Identity::from_uri(&identity.to_uri()).as_ref(), Ok(identity));
        }
        assert_eq!(
            all[0].to_uri(),
            "althing://42424242-4242-4242-4242-424242424242/node/3?roles=proposer,replica"
        );
        assert!(all[0].has_role(Role::Proposer) && !all[0].has_role(Role::Acceptor));
    }

    /// Broken: a malformed or ambiguous identity gets someone in.
    #[test]
    fn other_forms_are_no_identity() {
        let cluster = CLUSTER.to_string();
        for uri in [
            "https://example.org/".to_owned(),
            format!("althing://{cluster}"),
            format!("althing://{cluster}/authority"),
            format!("althing://{cluster}/node/3"),
            format!("althing://{cluster}/node/3?roles="),
            format!("althing://{cluster}/node/03?roles=replica"),
            format!("althing://{cluster}/node/3?roles=replica,proposer"),
            format!("althing://{cluster}/node/3?roles=king"),
            format!("althing://{cluster}/node/-1?roles=replica"),
            format!("althing://{cluster}/client/"),
            format!("althing://{cluster}/client/a b"),
            format!("althing://{cluster}/client/{}", "x".repeat(65)),
            format!("althing://{}/client/a", cluster.replace('-', "")),
            "althing://1234/client/a".to_owned(),
        ] {
            assert!(Identity::from_uri(&uri).is_err(), "{uri}");
        }
    }
}
