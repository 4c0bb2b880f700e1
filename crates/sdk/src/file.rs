//! `client.toml`: what a client has to know, in a file.
//!
//! ```toml
//! cluster = "3f0c7f0e-51c4-4b1f-8f0e-0a4b7d3f2c11"
//! region = "eu-west-1"            # optional: which region's nodes are asked first
//!
//! [tls]                           # PEM files, relative to this file
//! ca = "certs/ca.pem"
//! cert = "certs/client-me.pem"
//! key = "certs/client-me.key"
//!
//! [[nodes]]
//! id = 0
//! region = "eu-west-1"
//! address = "10.0.0.1:7000"
//! admin = "10.0.0.1:9000"         # optional: for `althing status`
//! ```

use crate::config::{Config, NodeAddress, Prefer};
use althing_model::{ClusterId, NodeId};
use althing_transport::certs::Tls;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The content of `client.toml`; the paths in it are relative to the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientFile {
    /// The cluster's id: 32 hexadecimal digits, hyphens allowed.
    pub cluster: String,
    /// The region whose nodes are asked first; the nearest without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Certificates.
    pub tls: ClientTlsEntry,
    /// The nodes that take commands.
    pub nodes: Vec<ClientNodeEntry>,
}

/// `[tls]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTlsEntry {
    /// The certificate of the cluster's authority.
    pub ca: PathBuf,
    /// The client's certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// `[[nodes]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientNodeEntry {
    /// Its number.
    pub id: u32,
    /// Where it is.
    #[serde(default)]
    pub region: String,
    /// Where it is reached: HOST:PORT (UDP).
    pub address: String,
    /// Where its pages for operators are: HOST:PORT (TCP).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<String>,
}

/// A file is no client's configuration.
#[derive(Debug, thiserror::Error)]
pub enum ClientFileError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{} cannot be used: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// What of a node's configuration a client needs; the rest is passed over.
#[derive(Deserialize)]
struct NodeFile {
    cluster: String,
    nodes: Vec<NodeFileEntry>,
}

#[derive(Deserialize)]
struct NodeFileEntry {
    id: u32,
    #[serde(default)]
    region: String,
    address: String,
    /// All roles without it.
    roles: Option<Vec<String>>,
}

impl ClientFile {
    /// Reads a file, and makes its paths relative to the working directory.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn load(path: &Path) -> Result<Self, ClientFileError> {
        let mut file: Self = read(path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        let tls = &mut file.tls;
        for path in [&mut tls.ca, &mut tls.cert, &mut tls.key] {
            *path = base.join(&path);
        }
        // Asked here, where the file is known.
        file.cluster_id().map_err(|reason| invalid(path, reason))?;
        Ok(file)
    }

    /// Takes cluster and nodes from the configuration of one of the nodes; `tls` are the client's
    /// own files.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn from_node_file(path: &Path, tls: ClientTlsEntry) -> Result<Self, ClientFileError> {
        let file: NodeFile = read(path)?;
        let takes_commands = |entry: &NodeFileEntry| {
            entry.roles.as_ref().is_none_or(|roles| roles.iter().any(|role| role == "proposer"))
        };
        let nodes = file.nodes.into_iter().filter(takes_commands).map(|entry| ClientNodeEntry {
            id: entry.id,
            region: entry.region,
            address: entry.address,
            admin: None,
        });
        let file = Self { cluster: file.cluster, region: None, tls, nodes: nodes.collect() };
        file.cluster_id().map_err(|reason| invalid(path, reason))?;
        Ok(file)
    }

    /// The text of the file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every value of it has a form in TOML")
    }

    /// The configuration of a client, with the usual time-outs.
    ///
    /// # Errors
    /// When the cluster's id is none.
    pub fn config(&self) -> Result<Config, crate::ConnectError> {
        let node = |entry: &ClientNodeEntry| NodeAddress {
            id: NodeId(entry.id),
            address: entry.address.clone(),
            region: entry.region.clone(),
        };
        let ClientTlsEntry { ca, cert, key } = self.tls.clone();
        let nodes = self.nodes.iter().map(node).collect();
        let mut config = Config::new(nodes, Tls { ca, cert, key });
        config.cluster = Some(self.cluster_id().map_err(crate::ConnectError::Config)?);
        if let Some(region) = &self.region {
            config.prefer = Prefer::Region(region.clone());
        }
        Ok(config)
    }

    fn cluster_id(&self) -> Result<ClusterId, String> {
        let text = &self.cluster;
        text.parse().map_err(|error| format!("cluster: {text:?} is none: {error}"))
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ClientFileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ClientFileError::Read { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
        let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        invalid(path, format!("{line}{}", error.message()))
    })
}

fn invalid(path: &Path, reason: String) -> ClientFileError {
    ClientFileError::Invalid { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a file that a cluster wrote could not be read, or a mistake in one would be passed
    /// over, or reported without its place.
    #[test]
    fn files_come_back_as_written_and_mistakes_have_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("client.toml");
        let file = ClientFile {
            cluster: ClusterId([7; 16]).to_string(),
            region: Some("eu-west-1".into()),
            tls: ClientTlsEntry {
                ca: dir.path().join("ca.pem"),
                cert: dir.path().join("client-a.pem"),
                key: dir.path().join("client-a.key"),
            },
            nodes: vec![ClientNodeEntry {
                id: 3,
                region: "eu-west-1".into(),
                address: "127.0.0.1:7000".into(),
                admin: Some("127.0.0.1:9000".into()),
            }],
        };
        std::fs::write(&path, file.to_toml()).unwrap();
        assert_eq!(ClientFile::load(&path).unwrap(), file);

        std::fs::write(&path, format!("nodez = 3\n{}", file.to_toml())).unwrap();
        let error = ClientFile::load(&path).unwrap_err().to_string();
        assert!(error.contains("line 1: unknown field `nodez`"), "{error}");

        std::fs::write(&path, file.to_toml().replace("07070707", "x")).unwrap();
        let error = ClientFile::load(&path).unwrap_err().to_string();
        assert!(error.contains("cluster: \"x-"), "{error}");
    }

    /// Broken: `althing kv --config` would not find the nodes that take commands.
    #[test]
    fn a_nodes_file_tells_where_the_proposers_are() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node-0.toml");
        let text = format!(
            "cluster = \"{}\"\nf = 1\nnode = 0\n\
             [[nodes]]\nid = 0\naddress = \"a:1\"\n\
             [[nodes]]\nid = 1\naddress = \"b:1\"\nroles = [\"acceptor\"]\n\
             [[nodes]]\nid = 2\naddress = \"c:1\"\nroles = [\"proposer\", \"replica\"]\n",
            ClusterId([7; 16])
        );
        std::fs::write(&path, text).unwrap();
        let tls = ClientTlsEntry { ca: "ca".into(), cert: "cert".into(), key: "key".into() };
        let file = ClientFile::from_node_file(&path, tls).unwrap();
        let ids: Vec<_> = file.nodes.iter().map(|node| node.id).collect();
        assert_eq!(ids, [0, 2]);
    }
}
