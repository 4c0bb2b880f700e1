//! Exactly once: which requests took effect, and their replies (`protocol` section 7).

use althing_model::applying::{self, Applying};
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Operation, Reply, RequestId, SeqSet, SessionId, StateMachine, VertexId};
use althing_wire::limits::REPLY_LEN_MAX;
use bytes::Bytes;
use imbl::OrdMap;
use std::collections::BTreeMap;
use std::sync::Arc;

mod snapshot;

/// The open sessions. Every replica has the same table at the same point of the execution order, as
/// far as conflicting commands can tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    /// Shared with the snapshots that are being read: of these, a session is copied when it changes.
    open: OrdMap<SessionId, Arc<Session>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Session {
    /// The sequences that took effect: not a highest one, since a client's commuting commands are
    /// executed in different orders by different replicas (trap T9).
    executed: SeqSet,
    /// The replies that the client has not acknowledged.
    replies: BTreeMap<u64, Bytes>,
}

impl Sessions {
    /// Executes one operation: the command in slot `slot` of `vertex`.
    pub fn execute(
        &mut self,
        vertex: VertexId,
        slot: u32,
        operation: &Operation,
        machine: &mut dyn StateMachine,
    ) -> Reply {
        match operation {
            Operation::OpenSession => {
                let slot = if is_planted(Mutant::SessionsOfABatchShared) { 0 } else { slot };
                let session = SessionId { opened: vertex, slot };
                self.open.insert(session, Arc::default());
                Reply::Opened(session)
            }
            Operation::Barrier => Reply::Passed,
            Operation::CloseSessions(sessions) => {
                for session in sessions {
                    self.open.remove(session);
                }
                Reply::Closed
            }
            Operation::Apply { request, acknowledged_below, payload } => {
                let applying = Applying { vertex, slot, request: *request };
                self.apply(applying, *acknowledged_below, payload, machine)
            }
        }
    }

    /// How many sessions are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether a request took effect here.
    pub fn is_executed(&self, request: RequestId) -> bool {
        self.open
            .get(&request.session)
            .is_some_and(|session| session.executed.contains(request.sequence))
    }

    fn apply(
        &mut self,
        applying: Applying,
        acknowledged_below: u64,
        payload: &Bytes,
        machine: &mut dyn StateMachine,
    ) -> Reply {
        let request = applying.request;
        // Its opening is a dependency of every command of a session, so an unknown one is closed.
        let Some(session) = self.open.get_mut(&request.session) else {
            return Reply::SessionUnknown;
        };
        let session = Arc::make_mut(session);
        // Trap T8: the same request in a second vertex; never skipped for being below a watermark.
        let was_executed = if is_planted(Mutant::HighestSequencePerClient) {
            request.sequence < session.executed.end()
        } else {
            session.executed.contains(request.sequence)
        };
        if was_executed && !is_planted(Mutant::DuplicateExecuted) {
            let reply = match is_planted(Mutant::DuplicateGetsLatestReply) {
                true => session.replies.values().next_back(),
                false => session.replies.get(&request.sequence),
            };
            mark::hit(if reply.is_some() { Mark::DuplicateSkipped } else { Mark::ReplyForgotten });
            return reply.map_or(Reply::Forgotten, |reply| Reply::Applied(reply.clone()));
        }
        if request.sequence < session.executed.end() {
            mark::hit(Mark::SequencePassed);
        }
        let reply = applying::during(applying, || machine.apply(payload));
        session.executed.insert(request.sequence);
        // No message may carry it, nor any snapshot: it is as if it had been forgotten.
        let is_too_long = reply.len() > REPLY_LEN_MAX;
        if is_too_long {
            mark::hit(Mark::ReplyTooLong);
        } else {
            session.replies.insert(request.sequence, reply.clone());
        }
        session.replies = session.replies.split_off(&acknowledged_below);
        if is_too_long { Reply::Forgotten } else { Reply::Applied(reply) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Epoch, NodeId, Pieces, Unrestorable};

    /// Counts how often it was applied to; says so, or repeats what is long.
    struct Counter(u64);

    impl StateMachine for Counter {
        fn apply(&mut self, payload: &[u8]) -> Bytes {
            self.0 += 1;
            match payload.len() {
                0..1000 => Bytes::from(format!("{}:{}", self.0, payload.len())),
                _ => Bytes::copy_from_slice(payload),
            }
        }

        fn digest(&self) -> u64 {
            self.0
        }

        fn snapshot(&self) -> Pieces {
            let number = self.0;
            Box::new(std::iter::once_with(move || Bytes::copy_from_slice(&number.to_be_bytes())))
        }

        fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
            let piece =
                pieces.next().ok_or_else(|| Unrestorable("the number is missing".into()))?;
            let number = piece[..].try_into();
            self.0 = u64::from_be_bytes(number.map_err(|_| Unrestorable("no eight bytes".into()))?);
            Ok(())
        }
    }

    fn vertex(seq: u64) -> VertexId {
        VertexId { epoch: Epoch(0), proposer: NodeId(1), seq }
    }

    fn apply(session: SessionId, sequence: u64, acknowledged_below: u64) -> Operation {
        let request = RequestId { session, sequence };
        Operation::Apply { request, acknowledged_below, payload: Bytes::from_static(b"x") }
    }

    fn opened() -> (Sessions, SessionId, Counter) {
        // Tests may share a thread.
        mark::take();
        let mut sessions = Sessions::default();
        let mut machine = Counter(0);
        match sessions.execute(vertex(0), 3, &Operation::OpenSession, &mut machine) {
            Reply::Opened(session) => {
                assert_eq!(session, SessionId { opened: vertex(0), slot: 3 });
                (sessions, session, machine)
            }
            other => panic!("not opened: {other:?}"),
        }
    }

    /// Broken: a client that retried elsewhere would pay twice (trap T8, zoo Z10).
    #[test]
    fn t8_a_request_committed_twice_takes_effect_once_with_one_reply() {
        let (mut sessions, session, mut machine) = opened();
        let first = sessions.execute(vertex(1), 0, &apply(session, 0, 0), &mut machine);
        let second = sessions.execute(vertex(2), 0, &apply(session, 0, 0), &mut machine);
        assert_eq!(first, Reply::Applied(Bytes::from_static(b"1:1")));
        assert_eq!(first, second);
        assert_eq!(machine.0, 1);
        assert!(mark::take().contains(Mark::DuplicateSkipped));
    }

    /// Broken: a pipelining client would lose the command that was executed second (trap T9).
    #[test]
    fn t9_a_lower_sequence_is_executed_after_a_higher_one() {
        let (mut sessions, session, mut machine) = opened();
        sessions.execute(vertex(1), 0, &apply(session, 5, 0), &mut machine);
        let reply = sessions.execute(vertex(2), 0, &apply(session, 4, 0), &mut machine);
        assert_eq!(reply, Reply::Applied(Bytes::from_static(b"2:1")));
        assert!(mark::take().contains(Mark::SequencePassed));
    }

    /// Broken: replies would be kept for ever, or dropped before the client has them.
    #[test]
    fn acknowledged_replies_are_forgotten_and_their_requests_are_not() {
        let (mut sessions, session, mut machine) = opened();
        sessions.execute(vertex(1), 0, &apply(session, 0, 0), &mut machine);
        sessions.execute(vertex(2), 0, &apply(session, 1, 1), &mut machine);
        let repeated = sessions.execute(vertex(3), 0, &apply(session, 0, 0), &mut machine);
        assert_eq!(repeated, Reply::Forgotten);
        assert_eq!(machine.0, 2);
        assert!(mark::take().contains(Mark::ReplyForgotten));
    }

    /// Broken: a reply that no message may carry would end each connection on which it is told, again and
    /// again; or its command would take effect twice.
    #[test]
    fn a_reply_that_is_too_long_is_told_to_nobody() {
        let (mut sessions, session, mut machine) = opened();
        for (len, is_told) in [(REPLY_LEN_MAX, true), (REPLY_LEN_MAX + 1, false)] {
            let request = RequestId { session, sequence: u64::from(is_told) };
            let payload = Bytes::from(vec![b'x'; len]);
            let long = Operation::Apply { request, acknowledged_below: 0, payload };
            let told = sessions.execute(vertex(1), 0, &long, &mut machine);
            assert_eq!(matches!(told, Reply::Applied(_)), is_told);
            assert_eq!(sessions.execute(vertex(2), 0, &long, &mut machine), told);
        }
        assert_eq!(machine.0, 2);
        assert!(mark::take().contains(Mark::ReplyTooLong));
    }

    /// Broken: a command of a closed session would take effect.
    #[test]
    fn a_closed_session_s_commands_have_no_effect() {
        let (mut sessions, session, mut machine) = opened();
        let close = Operation::CloseSessions(vec![session]);
        assert_eq!(sessions.execute(vertex(1), 0, &close, &mut machine), Reply::Closed);
        let reply = sessions.execute(vertex(2), 0, &apply(session, 0, 0), &mut machine);
        assert_eq!(reply, Reply::SessionUnknown);
        assert_eq!(machine.0, 0);
    }
}
