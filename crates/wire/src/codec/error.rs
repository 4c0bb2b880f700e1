//! Why bytes are no message and no record.

use althing_model::{Ballot, VertexId};

/// A body is not what its kind says. It is the sender's fault: close its connection; in a journal,
/// it is damage or a newer version's record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {field}: {fault}")]
pub struct DecodeError {
    /// The message or record.
    pub message: &'static str,
    /// The field, `body` for the whole.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no message or record of that number, in this version.
    #[error("kind {0} is unknown to this version")]
    UnknownKind(u8),
    /// The bytes are no protobuf of the schema.
    #[error("not of the schema: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// A field that must be present is not.
    #[error("missing")]
    Missing,
    /// More elements than allowed.
    #[error("{found} elements, over the {max} allowed")]
    TooMany {
        /// How many there are, or were when counting stopped.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// More bytes than allowed.
    #[error("{found} bytes, over the {max} allowed")]
    TooLong {
        /// How many there are.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// A number that nothing may be computed with.
    #[error("{found}, over the {max} allowed")]
    TooHigh {
        /// The number.
        found: u64,
        /// The highest.
        max: u64,
    },
    /// Fields that describe the same elements disagree about their number.
    #[error("{found} elements where {expected} are described")]
    Uneven {
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// Elements that must ascend do not, or one is repeated.
    #[error("not strictly ascending")]
    NotAscending,
    /// A part that must hold something holds nothing.
    #[error("empty")]
    Empty,
    /// Two things that exclude each other.
    #[error("contradicts another field")]
    Contradictory,
    /// A floor is a prefix in each column, with nothing above.
    #[error("members above the prefix")]
    NotAPrefix,
    /// The ballot's round is too low for this message.
    #[error("round {round}, where {least} is the lowest possible")]
    RoundTooLow {
        /// The round.
        round: u32,
        /// The lowest that makes sense.
        least: u32,
    },
    /// Rounds 0 and 1 belong to the vertex's own proposer.
    #[error("{ballot} may not be used in vertex {vertex}")]
    NotAllowed {
        /// The ballot.
        ballot: Ballot,
        /// The vertex.
        vertex: VertexId,
    },
    /// A range whose upper end is not above its lower one.
    #[error("its upper end is not above its lower one")]
    NoRange,
    /// The anchor is no member of the fast quorum.
    #[error("the anchor is no member of the quorum")]
    AnchorOutside,
}
