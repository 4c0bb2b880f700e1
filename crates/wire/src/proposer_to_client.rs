//! proposer -> client.

use althing_model::{DepSet, Reply};

/// The end of a submission, for the client that made it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The submission's ticket.
    pub ticket: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Where it was executed: a replica that has executed this has the effect, and all that the reply
    /// shows, in its state. Mostly the vertex that it was executed in.
    pub seen: DepSet,
}

/// How a submission ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Executed; this is the reply.
    Executed(Reply),
    /// It is no command, and was not proposed here: why.
    Invalid(String),
    /// Too much is in flight here, and it was not proposed here: try later, or elsewhere.
    Overloaded,
}
