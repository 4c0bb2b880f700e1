//! What a vertex can hold: commands, a batch of them, or nothing.

use crate::{DepSet, Footprint, ModeTable, RequestId, SessionId};
use bytes::Bytes;
use std::sync::Arc;

/// What a client wants executed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Command {
    /// What it does.
    pub operation: Operation,
    /// What it touches, as the proposer's conflict function saw it.
    pub footprint: Footprint,
}

/// What a command does when it is executed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Opens a session, named after the vertex and slot of this command. It touches nothing.
    OpenSession,
    /// Closes sessions: a command over everything, so that every command of these sessions is
    /// ordered with it.
    CloseSessions(Vec<SessionId>),
    /// Does nothing: a command over everything at which replicas cut snapshots, so that all cut at the
    /// same point of the order.
    Barrier,
    /// Applies `payload` to the state machine, unless a command with the same id did already.
    Apply {
        /// The request, exactly once.
        request: RequestId,
        /// The client has the replies to all its requests below this number; replicas forget them.
        acknowledged_below: u64,
        /// For the state machine, opaque here.
        payload: Bytes,
    },
}

impl Operation {
    /// The session that this operation belongs to, and whose opening it therefore depends on.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::Apply { request, .. } => Some(request.session),
            Self::OpenSession | Self::CloseSessions(_) | Self::Barrier => None,
        }
    }

    /// The request id of a command that takes effect once.
    pub fn request(&self) -> Option<RequestId> {
        match self {
            Self::Apply { request, .. } => Some(*request),
            Self::OpenSession | Self::CloseSessions(_) | Self::Barrier => None,
        }
    }

    /// Bytes of user data.
    pub fn payload_len(&self) -> usize {
        match self {
            Self::Apply { payload, .. } => payload.len(),
            Self::OpenSession | Self::CloseSessions(_) | Self::Barrier => 0,
        }
    }
}

/// The commands of one vertex. Cloning shares them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Commands {
    /// Nothing: what recovery commits where nobody saw the command.
    Noop,
    /// One or more commands that arrived together, executed in this order.
    Batch(Arc<[Command]>),
}

impl Commands {
    /// The commands; none for a noop.
    pub fn as_slice(&self) -> &[Command] {
        match self {
            Self::Noop => &[],
            Self::Batch(commands) => commands,
        }
    }

    /// Whether this is a noop.
    pub fn is_noop(&self) -> bool {
        matches!(self, Self::Noop)
    }

    /// Whether any command of one conflicts with any of the other; a noop conflicts with nothing.
    pub fn conflict_with(&self, other: &Self, modes: &ModeTable) -> bool {
        self.as_slice().iter().any(|ours| {
            other
                .as_slice()
                .iter()
                .any(|theirs| ours.footprint.conflicts_with(&theirs.footprint, modes))
        })
    }
}

/// What consensus decides for a vertex: the commands, and the vertices that must be executed before
/// them, or in one strongly connected component with them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Value {
    /// The commands.
    pub commands: Commands,
    /// Their dependencies.
    pub deps: DepSet,
}

/// What the execution of one command gave.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The session that was opened.
    Opened(SessionId),
    /// The sessions are closed.
    Closed,
    /// What the state machine answered.
    Applied(Bytes),
    /// The barrier was passed.
    Passed,
    /// The command's session is closed, or was never opened: it had no effect.
    SessionUnknown,
    /// The command took effect, and its reply is not kept: the client had said that it has it, or it
    /// was longer than a message may carry.
    Forgotten,
}
