//! Which command the state machine is at, on this thread: for whoever tells of its panic. A role that
//! notes it stays pure, since nothing in it reads it back.

use crate::{RequestId, VertexId};
use std::cell::Cell;
use std::fmt;

/// A command that is being applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applying {
    /// The vertex that it was committed in.
    pub vertex: VertexId,
    /// Its place in the vertex's batch.
    pub slot: u32,
    /// Which request of which client it is.
    pub request: RequestId,
}

impl fmt::Display for Applying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vertex, slot, request } = self;
        write!(f, "request {request}, command {slot} of vertex {vertex}")
    }
}

thread_local! {
    static CURRENT: Cell<Option<Applying>> = const { Cell::new(None) };
}

/// Notes what is being applied while `apply` runs; after a panic in it, it stays noted.
pub fn during<T>(applying: Applying, apply: impl FnOnce() -> T) -> T {
    CURRENT.set(Some(applying));
    let applied = apply();
    CURRENT.set(None);
    applied
}

/// What is being applied on this thread, or was when it panicked.
pub fn current() -> Option<Applying> {
    CURRENT.get()
}

/// What to tell beside a panic on this thread, if the state machine is what panicked.
pub fn blame() -> Option<String> {
    let applying = current()?;
    Some(format!(
        "the state machine panicked when it was to apply {applying}. The command is committed: every \
         replica applies it, and applies it again when it is started. Start a program whose state machine \
         does not panic at it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Epoch, NodeId, SessionId};

    /// Broken: a panic of the state machine would be blamed on no command, or on one that is done.
    #[test]
    fn what_is_applied_is_known_until_it_is_done() {
        let vertex = VertexId { epoch: Epoch(0), proposer: NodeId(3), seq: 9 };
        let request = RequestId { session: SessionId { opened: vertex, slot: 0 }, sequence: 4 };
        let applying = Applying { vertex, slot: 1, request };
        assert_eq!(during(applying, current), Some(applying));
        assert_eq!((current(), blame()), (None, None));
        let panicking = std::panic::catch_unwind(|| during(applying, || panic!("it does")));
        assert!(panicking.is_err());
        let told = blame().unwrap();
        assert!(told.contains(&format!("command 1 of vertex {vertex}")), "{told}");
    }
}
