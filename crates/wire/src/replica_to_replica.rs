//! replica -> replica.

use crate::limits::DIGEST_LEN;
use althing_model::DepSet;
use bytes::Bytes;

/// What the sender knows to be committed; the receiver answers with what it has beyond that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Frontier {
    /// The committed vertices.
    pub committed: DepSet,
    /// What a durable snapshot of the sender holds: the join of the dependencies of all barriers that
    /// were executed in it, as a prefix in each column.
    pub held: DepSet,
    /// The digests of the sender's state at the last barriers that it executed, ascending by number, at
    /// most [`crate::limits::STATE_DIGESTS_MAX`]: at a barrier every replica has executed the same.
    pub digests: Vec<StateDigest>,
}

/// A digest of a replica's state, behind a barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateDigest {
    /// How many barriers were executed.
    pub number: u64,
    /// What the state machine calls equal where states are equal.
    pub digest: u64,
}

/// The receiver lacks vertices that the sender has no more: here is a snapshot that holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SnapshotOffer {
    /// How many barriers were executed in it.
    pub number: u64,
    /// Its length, in bytes.
    pub len: u64,
    /// SHA-256, which names its contents: snapshots of one number may differ in their bytes.
    pub digest: [u8; DIGEST_LEN],
}

/// Send a part of a snapshot that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SnapshotAsk {
    /// Which snapshot.
    pub number: u64,
    /// Where the part begins, in bytes.
    pub offset: u64,
    /// Its length, at most [`crate::limits::CHUNK_LEN_MAX`] bytes.
    pub len: u32,
}

/// A part of a snapshot; none of it where the sender has it no more.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SnapshotChunk {
    /// Of which snapshot.
    pub number: u64,
    /// Where the part begins, in bytes.
    pub offset: u64,
    /// CRC-32C of number, offset and bytes.
    pub checksum: u32,
    /// The part.
    pub bytes: Bytes,
}
