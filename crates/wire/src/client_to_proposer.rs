//! client -> proposer.

use althing_model::Operation;

/// A client wants an operation executed, exactly once where it carries a request id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Submit {
    /// Chosen by the client; the answer carries it. It has a meaning within one connection only.
    pub ticket: u64,
    /// What to execute.
    pub operation: Operation,
}
