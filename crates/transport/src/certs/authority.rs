//! The authority of a cluster: makes itself, and the certificates of nodes and clients.

use super::error::CertsError;
use super::files::{self, Secret};
use super::identity::{self, Identity, Subject};
use althing_model::{ClusterId, NodeId, Role};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How long an authority is valid: 10 years. Replacing it means replacing every certificate.
pub const AUTHORITY_VALID: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// How long the certificate of a node or client is valid: 1 year. Nothing needs to stop for a
/// renewal: a running endpoint takes a new certificate over.
pub const CERTIFICATE_VALID: Duration = Duration::from_secs(365 * 24 * 3600);

/// Certificates count from this much before they were made, for machines whose clocks are behind.
const BACKDATED: Duration = Duration::from_secs(3600);

/// The time during which a certificate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Its beginning.
    pub not_before: SystemTime,
    /// Its end.
    pub not_after: SystemTime,
}

impl Validity {
    /// From an hour ago until that long from now.
    pub fn from_now(valid: Duration) -> Self {
        let now = SystemTime::now();
        Self { not_before: now - BACKDATED, not_after: now + valid }
    }
}

/// The authority of one cluster: its certificate and its private key.
pub struct ClusterAuthority {
    cluster: ClusterId,
    pem: String,
    key: KeyPair,
}

impl std::fmt::Debug for ClusterAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the key.
        f.debug_struct("ClusterAuthority").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl ClusterAuthority {
    /// Makes the authority of a new cluster, valid for [`AUTHORITY_VALID`].
    pub fn create(cluster: ClusterId) -> Result<Self, CertsError> {
        let key = KeyPair::generate().map_err(not_made)?;
        let mut params = params(
            &format!("Althing cluster {cluster}"),
            &identity::authority_uri(cluster),
            Validity::from_now(AUTHORITY_VALID),
        )?;
        // It issues certificates of nodes and clients, and no further authority.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).map_err(not_made)?.pem();
        Ok(Self { cluster, pem, key })
    }

    /// Takes an authority from the PEM texts of its certificate and its key.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, CertsError> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|error| CertsError::Issue(error.to_string()))?;
        let cluster = identity::authority_cluster(&der).map_err(CertsError::Name)?;
        let key = KeyPair::from_pem(key).map_err(not_made)?;
        Ok(Self { cluster, pem: certificate.to_owned(), key })
    }

    /// Reads `ca.pem` and `ca.key` of a directory.
    pub fn load(dir: &Path) -> Result<Self, CertsError> {
        let certificate = files::read(&dir.join("ca.pem"))?;
        let key = files::read_key(&dir.join("ca.key"))?;
        let text = |bytes: Vec<u8>, name, what| {
            String::from_utf8(bytes).map_err(|_| CertsError::NotPem { path: dir.join(name), what })
        };
        Self::from_pem(
            &text(certificate, "ca.pem", "certificate")?,
            &text(key, "ca.key", "private key")?,
        )
    }

    /// Writes `ca.pem` and `ca.key` into a directory, made if it is missing. The key gets mode 0600;
    /// an existing key is kept (an error) unless `force`.
    pub fn write(&self, dir: &Path, force: bool) -> Result<(), CertsError> {
        files::write_pair(dir, "ca", &self.pem, &Secret(self.key.serialize_pem()), force)
    }

    /// The cluster.
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The certificate, in PEM form.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Issues the certificate of a node, valid for [`CERTIFICATE_VALID`].
    pub fn issue_node(&self, id: NodeId, roles: &[Role]) -> Result<Issued, CertsError> {
        self.issue_node_for(id, roles, Validity::from_now(CERTIFICATE_VALID))
    }

    /// Issues the certificate of a node for a given time.
    pub fn issue_node_for(
        &self,
        id: NodeId,
        roles: &[Role],
        validity: Validity,
    ) -> Result<Issued, CertsError> {
        if roles.is_empty() {
            return Err(CertsError::Issue(format!("node {} has no role", id.0)));
        }
        self.issue(&Identity::node(self.cluster, id, roles), validity)
    }

    /// Issues the certificate of a client, valid for [`CERTIFICATE_VALID`].
    pub fn issue_client(&self, name: &str) -> Result<Issued, CertsError> {
        self.issue_client_for(name, Validity::from_now(CERTIFICATE_VALID))
    }

    /// Issues the certificate of a client for a given time.
    pub fn issue_client_for(&self, name: &str, validity: Validity) -> Result<Issued, CertsError> {
        let identity = Identity::client(self.cluster, name).map_err(CertsError::Name)?;
        self.issue(&identity, validity)
    }

    fn issue(&self, identity: &Identity, validity: Validity) -> Result<Issued, CertsError> {
        let issuer = Issuer::from_ca_cert_pem(&self.pem, &self.key).map_err(not_made)?;
        let key = KeyPair::generate().map_err(not_made)?;
        let stem = match &identity.subject {
            Subject::Node { id, .. } => format!("node-{}", id.0),
            Subject::Client { name } => format!("client-{name}"),
        };
        let mut params = params(&stem, &identity.to_uri(), validity)?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if let Some(id) = identity.node_id() {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
            for name in [
                identity::node_server_name(self.cluster, id),
                identity::cluster_server_name(self.cluster),
            ] {
                params.subject_alt_names.push(SanType::DnsName(name.try_into().map_err(not_made)?));
            }
        }
        let certificate_pem = params.signed_by(&key, &issuer).map_err(not_made)?.pem();
        Ok(Issued { stem, certificate_pem, key_pem: Secret(key.serialize_pem()) })
    }
}

/// A certificate and its private key, just made.
pub struct Issued {
    stem: String,
    certificate_pem: String,
    key_pem: Secret,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the key.
        f.debug_struct("Issued").field("stem", &self.stem).finish_non_exhaustive()
    }
}

impl Issued {
    /// What its files are called, without ending: `node-3`, `client-orders`.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The certificate, in PEM form.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The private key, in PEM form.
    pub fn key_pem(&self) -> &str {
        &self.key_pem.0
    }

    /// Writes `STEM.pem` and `STEM.key` into a directory, made if it is missing. The key gets mode
    /// 0600; an existing key is kept (an error) unless `force`.
    pub fn write(&self, dir: &Path, force: bool) -> Result<(), CertsError> {
        files::write_pair(dir, &self.stem, &self.certificate_pem, &self.key_pem, force)
    }
}

fn params(name: &str, uri: &str, validity: Validity) -> Result<CertificateParams, CertsError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names.push(SanType::URI(uri.try_into().map_err(not_made)?));
    let since_1970 = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH)
            .map_err(|_| CertsError::Issue("its time begins before 1970".to_owned()))
    };
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_1970(validity.not_before)?;
    params.not_after = epoch + since_1970(validity.not_after)?;
    Ok(params)
}

fn not_made(error: rcgen::Error) -> CertsError {
    CertsError::Issue(error.to_string())
}
