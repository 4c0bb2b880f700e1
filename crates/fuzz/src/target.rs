//! The targets by name.

use crate::Outcomes;
use crate::targets::{
    acceptor, client, client_file, dependency, frame, identity, journal, kv, message, node_config,
    planet, proposer, record, registry, replica, resp, snapshot, snapshot_file, voter,
};
use arbitrary::Unstructured;

/// A property of bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, which is also that of its directory in `corpus/`.
    pub name: &'static str,
    /// Panics where the property does not hold for these bytes; notes what they led to.
    pub run: fn(&[u8], &mut Outcomes),
    /// Makes, of arbitrary bytes, an input that is well-formed, to begin mutating from.
    pub generate: fn(&mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>>,
    /// The longest input in bytes: a long one costs time, and shows no more.
    pub len_max: usize,
    /// What mutations insert.
    pub words: &'static [&'static str],
}

/// Every target.
pub const TARGETS: [Target; 19] = [
    frame::TARGET,
    message::TARGET,
    record::TARGET,
    journal::TARGET,
    node_config::TARGET,
    client_file::TARGET,
    planet::TARGET,
    identity::TARGET,
    kv::TARGET,
    resp::TARGET,
    snapshot::TARGET,
    snapshot_file::TARGET,
    registry::TARGET,
    voter::TARGET,
    dependency::TARGET,
    acceptor::TARGET,
    proposer::TARGET,
    replica::TARGET,
    client::TARGET,
];

impl Target {
    /// The target of that name.
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.into_iter().find(|target| target.name == name)
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Target").field(&self.name).finish()
    }
}

/// Bytes are as good an input as any other, where a target reads its steps out of them.
pub(crate) fn any_bytes(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    Ok(bytes.bytes(bytes.len())?.to_vec())
}
