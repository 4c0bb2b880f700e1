//! How an operation ended, as far as the client can know.

use bytes::Bytes;
use std::fmt;

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect once; this is the state machine's reply.
    Done(Bytes),
    /// It had no effect, and never will.
    Failed(Failure),
    /// It may have taken effect, may still do so once, or may never: nobody answered in time.
    Unknown,
}

/// Why an operation had no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It is no command of the state machine: why.
    Invalid(String),
    /// Every node asked was overloaded until the time was up: slow down.
    Overloaded,
    /// The session is closed.
    SessionClosed,
    /// No node could be asked before the time was up; of a read: none that was asked has answered.
    Unreachable,
    /// Of a read: every node asked had executed too little of what the read has to show.
    Behind,
    /// Of a read: every node asked heard from too few others to know what is committed.
    NoQuorum,
    /// Of a session's read: a majority of the cluster has never heard of what this client has seen. It
    /// is another cluster, or this one has lost what it had answered.
    TokenUnknown,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) => write!(f, "invalid command: {why}"),
            Self::Overloaded => f.write_str("the cluster is overloaded: slow down and try again"),
            Self::SessionClosed => f.write_str("the session is closed: open another"),
            Self::Unreachable => f.write_str("no node could be reached in time"),
            Self::Behind => f.write_str(
                "every node that could be asked is behind what the read has to show: try again",
            ),
            Self::NoQuorum => f.write_str(
                "no node could hear from enough others to answer the read: try again, or ask for a \
                 session's or a stale read",
            ),
            Self::TokenUnknown => f.write_str(
                "the cluster has never heard of what this client has seen: it is another cluster, or \
                 it lost its data",
            ),
        }
    }
}

impl std::error::Error for Failure {}
