//! ExactlyOnce: a request takes effect at most once in a replica's life; its replies are equal.
//!
//! "In a life": a replica that crashed replays from what it kept, which is right; that it starts
//! from the checkpoint it claims is told by [`ExactlyOnce::restarted`].

use rustc_hash::{FxHashMap, FxHashSet};

use crate::lives::Lives;
use crate::{Checkpoint, Violation};

/// A request: session and its sequence number in it.
type Request = (u128, u64);

/// Each (session, request) executes at most once per replica's life, and all replies to it are the
/// same, whichever replica sends them and however often.
#[derive(Debug, Default)]
pub struct ExactlyOnce {
    executed: FxHashMap<u32, FxHashSet<Request>>,
    replies: FxHashMap<Request, Reply>,
    lives: Lives<Request>,
}

#[derive(Debug)]
struct Reply {
    replica: u32,
    digest: u128,
}

impl ExactlyOnce {
    /// Nothing executed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The replica applied the request (not: met it again and skipped it).
    pub fn executed(&mut self, replica: u32, session: u128, request: u64) -> Result<(), Violation> {
        let executed = self.executed.entry(replica).or_default();
        if !executed.insert((session, request)) {
            return Err(Violation::new(
                "ExactlyOnce",
                format!(
                    "replica {replica} executed request {request} of session {session:032x} twice \
                     in one life"
                ),
            ));
        }
        self.lives.push(replica, (session, request));
        Ok(())
    }

    /// The replica answered the request; `describe` puts the reply into words when needed.
    pub fn replied(
        &mut self,
        replica: u32,
        session: u128,
        request: u64,
        digest: u128,
        describe: impl FnOnce() -> String,
    ) -> Result<(), Violation> {
        let reply = Reply { replica, digest };
        let first = self.replies.entry((session, request)).or_insert(reply);
        if first.digest == digest {
            return Ok(());
        }
        Err(Violation::new(
            "ExactlyOnce",
            format!(
                "request {request} of session {session:032x} has two replies: digest {:032x} from \
                 replica {}, digest {digest:032x} from replica {replica}: {}",
                first.digest,
                first.replica,
                describe()
            ),
        ))
    }

    /// A client took this for the reply to its request. It must be one that a replica gave: by then,
    /// since nobody else can know it.
    pub fn answered(
        &self,
        session: u128,
        request: u64,
        digest: u128,
        describe: impl FnOnce() -> String,
    ) -> Result<(), Violation> {
        let why = match self.replies.get(&(session, request)) {
            Some(reply) if reply.digest == digest => return Ok(()),
            Some(reply) => format!(
                "replica {} gave another reply, digest {:032x}",
                reply.replica, reply.digest
            ),
            None => "no replica had replied to it".to_string(),
        };
        Err(Violation::new(
            "ExactlyOnce",
            format!(
                "the client was answered request {request} of session {session:032x} with digest \
                 {digest:032x}, {}, and {why}",
                describe()
            ),
        ))
    }

    /// Where the replica's execution stands, to be kept beside a snapshot of it.
    pub fn checkpoint(&self, replica: u32) -> Checkpoint {
        self.lives.checkpoint(replica)
    }

    /// The replica starts again from a checkpoint, or, with `None`, from the empty state.
    pub fn restarted(&mut self, replica: u32, at: Option<Checkpoint>) -> Result<(), Violation> {
        let log = self.lives.restarted(replica, at)?;
        let executed = log.iter().copied().collect();
        self.executed.insert(replica, executed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A command committed in two vertices and executed in both would pass.
    #[test]
    fn a_second_execution_is_told() {
        let mut oracle = ExactlyOnce::new();
        oracle.executed(1, 5, 1).unwrap();
        oracle.executed(2, 5, 1).unwrap();
        oracle.executed(1, 5, 2).unwrap();
        let told = oracle.executed(1, 5, 1).unwrap_err().to_string();
        assert!(told.contains("request 1 of session"), "{told}");
    }

    /// A replica that lost its session table in a crash but kept its state would pass; one that
    /// rightly replays would be accused.
    #[test]
    fn a_restart_forgets_what_came_after_its_checkpoint_only() {
        let mut oracle = ExactlyOnce::new();
        oracle.executed(1, 5, 1).unwrap();
        let at = oracle.checkpoint(1);
        oracle.executed(1, 5, 2).unwrap();
        oracle.restarted(1, Some(at)).unwrap();
        oracle.executed(1, 5, 2).unwrap();
        assert!(oracle.executed(1, 5, 1).is_err());
    }

    /// An answer before the execution (trap T11), or one that no replica gave, would pass.
    #[test]
    fn a_client_sees_what_a_replica_said() {
        let mut oracle = ExactlyOnce::new();
        let early = oracle.answered(5, 1, 77, || "b".into()).unwrap_err().to_string();
        assert!(early.contains("no replica had replied"), "{early}");
        oracle.replied(1, 5, 1, 77, || unreachable!()).unwrap();
        oracle.answered(5, 1, 77, || unreachable!()).unwrap();
        let other = oracle.answered(5, 1, 78, || "b".into()).unwrap_err().to_string();
        assert!(other.contains("replica 1 gave another"), "{other}");
    }

    /// A retry that is answered with another result would pass.
    #[test]
    fn replies_to_one_request_are_equal() {
        let mut oracle = ExactlyOnce::new();
        oracle.replied(1, 5, 1, 77, || unreachable!()).unwrap();
        oracle.replied(2, 5, 1, 77, || unreachable!()).unwrap();
        let told = oracle.replied(3, 5, 1, 78, || "Integer(2)".into());
        assert!(told.unwrap_err().to_string().contains("Integer(2)"));
    }
}
