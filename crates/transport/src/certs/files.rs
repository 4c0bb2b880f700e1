//! Certificates and keys in files: written without clobbering, read with every check that can be
//! made before anyone is dialled.

use super::error::CertsError;
use super::identity::{self, Identity, Subject};
use crate::tls;
use althing_model::{ClusterId, NodeId};
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a node or client has its authority's certificate, its own, and its key (PEM files).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The authority's certificate; several in one file while the authority is being replaced.
    pub ca: PathBuf,
    /// The own certificate.
    pub cert: PathBuf,
    /// The own private key.
    pub key: PathBuf,
}

impl Tls {
    /// The files of node `id` in the directory that `althing cert` wrote.
    pub fn of_node(dir: &Path, id: NodeId) -> Self {
        Self::of_stem(dir, &format!("node-{}", id.0))
    }

    /// The files of a client in the directory that `althing cert` wrote.
    pub fn of_client(dir: &Path, name: &str) -> Self {
        Self::of_stem(dir, &format!("client-{name}"))
    }

    fn of_stem(dir: &Path, stem: &str) -> Self {
        Self {
            ca: dir.join("ca.pem"),
            cert: dir.join(format!("{stem}.pem")),
            key: dir.join(format!("{stem}.key")),
        }
    }
}

/// What [`Tls`] names, read and checked.
pub(crate) struct Credentials {
    pub(crate) roots: Arc<RootCertStore>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) identity: Identity,
    /// When the own certificate ends, in seconds since 1970.
    pub(crate) not_after: i64,
}

impl Credentials {
    /// Reads the files, and checks that certificate, key and authority belong together and that
    /// the certificate counts today.
    pub(crate) fn load(files: &Tls) -> Result<Self, CertsError> {
        let roots = Arc::new(roots(&files.ca)?);
        let chain = certificates(&files.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&read_key(&files.key)?)
            .map_err(|_| CertsError::NotPem { path: files.key.clone(), what: "private key" })?;
        let no_identity = |reason| CertsError::NoIdentity { path: files.cert.clone(), reason };
        let identity = Identity::from_certificate(&chain[0]).map_err(no_identity)?;
        let not_after = identity::not_after(&chain[0]).map_err(no_identity)?;
        check_pair(files, &chain, &key)?;
        check_issued(files, &roots, &chain)?;
        Ok(Self { roots, chain, key, identity, not_after })
    }

    /// The same, for a node: its certificate has to be that node's.
    pub(crate) fn load_node(
        files: &Tls,
        cluster: ClusterId,
        node: NodeId,
    ) -> Result<Self, CertsError> {
        let loaded = Self::load(files)?;
        let path = files.cert.clone();
        if loaded.identity.cluster != cluster {
            let found = loaded.identity.cluster;
            return Err(CertsError::AnotherCluster { path, found, expected: cluster });
        }
        match &loaded.identity.subject {
            Subject::Client { name } => {
                Err(CertsError::ClientCertificate { path, name: name.clone() })
            }
            Subject::Node { id, .. } if *id != node => {
                Err(CertsError::AnotherNode { path, found: *id, expected: node })
            }
            Subject::Node { .. } => Ok(loaded),
        }
    }

    /// The same, for a client: its certificate has to be a client's.
    pub(crate) fn load_client(files: &Tls) -> Result<Self, CertsError> {
        let loaded = Self::load(files)?;
        match loaded.identity.node_id() {
            Some(node) => Err(CertsError::NodeCertificate { path: files.cert.clone(), node }),
            None => Ok(loaded),
        }
    }
}

/// A private key's text: kept out of every `Debug`.
pub(crate) struct Secret(pub(crate) String);

fn roots(path: &Path) -> Result<RootCertStore, CertsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| CertsError::Invalid {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    }
    Ok(roots)
}

/// All certificates of a file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertsError> {
    let not_pem = || CertsError::NotPem { path: path.to_owned(), what: "certificate" };
    let found = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| not_pem())?;
    if found.is_empty() { Err(not_pem()) } else { Ok(found) }
}

fn check_pair(
    files: &Tls,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<(), CertsError> {
    use rustls::{Error, InconsistentKeys};
    let pair =
        rustls::sign::CertifiedKey::from_der(chain.to_vec(), key.clone_key(), &tls::provider());
    match pair {
        Ok(_) => Ok(()),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(CertsError::KeyMismatch { cert: files.cert.clone(), key: files.key.clone() })
        }
        Err(error) => {
            Err(CertsError::Invalid { path: files.key.clone(), reason: error.to_string() })
        }
    }
}

fn check_issued(
    files: &Tls,
    roots: &Arc<RootCertStore>,
    chain: &[CertificateDer<'static>],
) -> Result<(), CertsError> {
    use rustls::{CertificateError, Error};
    let path = files.cert.clone();
    let verifier = tls::client_verifier(roots.clone())?;
    match verifier.verify_client_cert(&chain[0], &chain[1..], UnixTime::now()) {
        Ok(_) => Ok(()),
        Err(Error::InvalidCertificate(error)) => Err(match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                CertsError::Expired { path }
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                CertsError::NotValidYet { path }
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                CertsError::AnotherAuthority { path, ca: files.ca.clone() }
            }
            other => CertsError::Invalid { path, reason: other.to_string() },
        }),
        Err(error) => Err(CertsError::Invalid { path, reason: error.to_string() }),
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CertsError> {
    fs::read(path).map_err(|source| failed(path, source))
}

/// Reads a private key, unless others could read it too. The group may, when root owns the file:
/// that is how a container runtime mounts a secret for a process that is not root.
pub(crate) fn read_key(path: &Path) -> Result<Vec<u8>, CertsError> {
    let metadata = fs::metadata(path).map_err(|source| failed(path, source))?;
    let mode = metadata.mode() & 0o777;
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if mode & forbidden != 0 {
        return Err(CertsError::KeyReadable { path: path.to_owned(), mode });
    }
    read(path)
}

/// Writes `STEM.key` and then `STEM.pem`, each whole or not at all.
pub(crate) fn write_pair(
    dir: &Path,
    stem: &str,
    certificate: &str,
    key: &Secret,
    force: bool,
) -> Result<(), CertsError> {
    fs::create_dir_all(dir).map_err(|source| failed(dir, source))?;
    write(&dir.join(format!("{stem}.key")), &key.0, 0o600, force)?;
    // The key was new, so a certificate beside it belongs to no key any more.
    write(&dir.join(format!("{stem}.pem")), certificate, 0o644, true)
}

fn write(path: &Path, text: &str, mode: u32, force: bool) -> Result<(), CertsError> {
    if !force && path.exists() {
        return Err(CertsError::FileExists { path: path.to_owned() });
    }
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".new-{}", std::process::id()));
    let new = PathBuf::from(new);
    let written = || -> std::io::Result<()> {
        // The mode holds from the first byte on; there is no moment at which others may read.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // A link fails when the name is taken, a rename replaces.
        if force { fs::rename(&new, path) } else { fs::hard_link(&new, path) }
    };
    let outcome = written();
    if fs::exists(&new).unwrap_or(false) {
        fs::remove_file(&new).map_err(|source| failed(&new, source))?;
    }
    outcome.map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: std::io::Error) -> CertsError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound => CertsError::FileMissing { path },
        ErrorKind::AlreadyExists => CertsError::FileExists { path },
        _ => CertsError::File { path, source },
    }
}
