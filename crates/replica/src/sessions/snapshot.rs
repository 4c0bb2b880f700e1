//! The session table as pieces of a snapshot, and back.
//!
//! A piece is a byte for the version and then records, each a byte for its kind and numbers as
//! protobuf's varints. A session's record is followed by those of its ranges of executed sequences
//! and then of its replies, ascending, in as many pieces as it takes; sessions ascend, too. The last
//! record is a checksum of all pieces up to it, so that what is missing, changed or there twice is
//! found.

use super::{Session, Sessions};
use althing_model::{
    Epoch, NodeId, PIECE_LEN_MAX, Pieces, SeqSet, SessionId, Unrestorable, VertexId,
};
use althing_wire::limits::{REPLY_LEN_MAX, SEQ_END};
use bytes::{Buf, BufMut, Bytes};
use imbl::OrdMap;
use prost::encoding::{decode_varint, encode_varint};
use std::ops::Bound;
use std::sync::Arc;

/// Raised by every change of the format.
const VERSION: u8 = 1;

/// Bytes after which a piece is cut.
const PIECE_LEN: usize = 1 << 20;

/// With its last record a piece may become longer than where it is cut.
const _: () = assert!(PIECE_LEN + REPLY_LEN_MAX + 64 <= PIECE_LEN_MAX);

impl Sessions {
    /// The table as it is now, in pieces; see [`althing_model::StateMachine::snapshot`]. The table
    /// is shared with the iterator, so that the call takes no time.
    pub fn snapshot(&self) -> Pieces {
        let (open, mut last) = (self.open.clone(), None);
        // An iterator cannot be kept beside what it iterates over, and the map's consuming one
        // visits the whole map when it is made.
        let sessions = std::iter::from_fn(move || {
            let from = last.map_or(Bound::Unbounded, Bound::Excluded);
            let (id, session) = open.range((from, Bound::Unbounded)).next()?;
            last = Some(*id);
            Some((*id, Arc::clone(session)))
        });
        let mut records = sessions.flat_map(|(id, session)| records(id, &session));
        let (mut sum, mut is_ended) = (0, false);
        Box::new(std::iter::from_fn(move || {
            if is_ended {
                return None;
            }
            let mut piece = vec![VERSION];
            while piece.len() < PIECE_LEN && !is_ended {
                match records.next() {
                    Some(record) => record.encode(&mut piece),
                    None => {
                        is_ended = true;
                        let sum = crc32c::crc32c_append(sum, &piece);
                        Record::End { sum }.encode(&mut piece);
                    }
                }
            }
            sum = crc32c::crc32c_append(sum, &piece);
            // Not with the room that it was given while it grew.
            Some(piece.into_boxed_slice().into())
        }))
    }

    /// The table in these pieces. Its memory is in proportion to theirs.
    ///
    /// # Errors
    /// When they are no snapshot of a table that this version knows.
    pub fn restore(pieces: &mut dyn Iterator<Item = Bytes>) -> Result<Self, Unrestorable> {
        let mut restored = Restored::default();
        let mut sum = 0;
        for (at, piece) in (&mut *pieces).enumerate() {
            let wrong = |what: &str| Unrestorable(format!("piece {at} of the sessions {what}"));
            if piece.len() > PIECE_LEN_MAX {
                return Err(wrong("is longer than a piece may be"));
            }
            let mut rest = piece.clone();
            match rest.try_get_u8() {
                Err(_) => return Err(wrong("is empty")),
                Ok(VERSION) => {}
                Ok(version) => {
                    let what = format!("has version {version}; this program knows {VERSION} alone");
                    return Err(wrong(&what));
                }
            }
            while !rest.is_empty() {
                let before = piece.len() - rest.len();
                let record = Record::decode(&mut rest)
                    .ok_or_else(|| wrong("is cut short or has an unknown record"))?;
                let Record::End { sum: expected } = record else {
                    restored.take(record).map_err(wrong)?;
                    continue;
                };
                if expected != crc32c::crc32c_append(sum, &piece[..before]) {
                    return Err(wrong("is the end of others than those before it"));
                }
                if !rest.is_empty() || pieces.next().is_some() {
                    return Err(wrong("is the end, and more follows it"));
                }
                return Ok(restored.finish());
            }
            sum = crc32c::crc32c_append(sum, &piece);
        }
        Err(Unrestorable("the sessions' last piece is missing".into()))
    }
}

enum Record {
    /// Begins a session: every sequence below took effect.
    Session { id: SessionId, below: u64 },
    /// These sequences of the session took effect, too.
    Range { start: u64, end: u64 },
    /// A reply that the client has not acknowledged.
    Reply { sequence: u64, reply: Bytes },
    /// The checksum of all pieces up to this record.
    End { sum: u32 },
}

const SESSION: u8 = 1;
const RANGE: u8 = 2;
const REPLY: u8 = 3;
const END: u8 = 4;

/// A session's records. What they take beside the session is gone before the next one's are made.
fn records(id: SessionId, session: &Session) -> impl Iterator<Item = Record> + use<> {
    let ranges: Vec<_> = session.executed.ranges().collect();
    let replies: Vec<_> =
        session.replies.iter().map(|(seq, reply)| (*seq, reply.clone())).collect();
    std::iter::once(Record::Session { id, below: session.executed.below() })
        .chain(ranges.into_iter().map(|(start, end)| Record::Range { start, end }))
        .chain(replies.into_iter().map(|(sequence, reply)| Record::Reply { sequence, reply }))
}

impl Record {
    fn encode(&self, to: &mut Vec<u8>) {
        let mut put = |kind, numbers: &[u64]| {
            to.put_u8(kind);
            numbers.iter().for_each(|number| encode_varint(*number, to));
        };
        match self {
            Self::Session { id: SessionId { opened, slot }, below } => {
                let (epoch, proposer) = (opened.epoch.0.into(), opened.proposer.0.into());
                put(SESSION, &[epoch, proposer, opened.seq, (*slot).into(), *below]);
            }
            Self::Range { start, end } => put(RANGE, &[*start, *end]),
            Self::Reply { sequence, reply } => {
                put(REPLY, &[*sequence, reply.len() as u64]);
                to.put_slice(reply);
            }
            Self::End { sum } => put(END, &[(*sum).into()]),
        }
    }

    /// `None` where these bytes do not begin with a record.
    fn decode(from: &mut Bytes) -> Option<Self> {
        let kind = from.try_get_u8().ok()?;
        let mut number = || decode_varint(from).ok();
        Some(match kind {
            SESSION => {
                let epoch = Epoch(number()?.try_into().ok()?);
                let proposer = NodeId(number()?.try_into().ok()?);
                let opened = VertexId { epoch, proposer, seq: number()? };
                let id = SessionId { opened, slot: number()?.try_into().ok()? };
                Self::Session { id, below: number()? }
            }
            RANGE => Self::Range { start: number()?, end: number()? },
            REPLY => {
                let (sequence, len) = (number()?, number()?);
                let len = usize::try_from(len).ok().filter(|len| *len <= from.len())?;
                Self::Reply { sequence, reply: from.split_to(len) }
            }
            END => Self::End { sum: number()?.try_into().ok()? },
            _ => return None,
        })
    }
}

/// The sessions read so far, and the one whose records are being read.
#[derive(Default)]
struct Restored {
    open: OrdMap<SessionId, Arc<Session>>,
    last: Option<(SessionId, Session)>,
}

impl Restored {
    fn take(&mut self, record: Record) -> Result<(), &'static str> {
        let last = match (&record, &mut self.last) {
            (Record::Session { .. }, _) => None,
            (_, Some((_, session))) => Some(session),
            (_, None) => return Err("has a part of a session before any session"),
        };
        match (record, last) {
            (Record::Session { id, below }, _) => {
                if self.last.as_ref().is_some_and(|(last, _)| *last >= id) {
                    return Err("has sessions that do not ascend");
                }
                if id.opened.seq >= SEQ_END || below > SEQ_END {
                    return Err("has a session with a sequence that is too high");
                }
                self.keep_last();
                let mut executed = SeqSet::default();
                executed.insert_below(below);
                self.last = Some((id, Session { executed, replies: Default::default() }));
            }
            (Record::Range { start, end }, Some(session)) => {
                if end > SEQ_END || !session.executed.append(start, end) {
                    return Err("has executed sequences that do not ascend");
                }
            }
            (Record::Reply { sequence, reply }, Some(session)) => {
                if session.replies.last_key_value().is_some_and(|(last, _)| *last >= sequence) {
                    return Err("has replies that do not ascend");
                }
                if !session.executed.contains(sequence) {
                    return Err("has a reply to what was not executed");
                }
                // A copy: a reply keeps no piece alive.
                session.replies.insert(sequence, Bytes::copy_from_slice(&reply));
            }
            (Record::End { .. }, _) | (_, None) => unreachable!("sorted out before"),
        }
        Ok(())
    }

    fn keep_last(&mut self) {
        if let Some((id, session)) = self.last.take() {
            self.open.insert(id, Arc::new(session));
        }
    }

    fn finish(mut self) -> Sessions {
        self.keep_last();
        Sessions { open: self.open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Operation, Reply, RequestId, StateMachine};
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use proptest::sample::Index;

    /// Answers with what it is given.
    struct Echo;

    impl StateMachine for Echo {
        fn apply(&mut self, payload: &[u8]) -> Bytes {
            Bytes::copy_from_slice(payload)
        }

        fn digest(&self) -> u64 {
            0
        }

        fn snapshot(&self) -> Pieces {
            Box::new(std::iter::empty())
        }

        fn restore(&mut self, _: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
            Ok(())
        }
    }

    fn id() -> impl Strategy<Value = SessionId> {
        (0u32..3, any::<bool>(), 0u32..3, 0u64..4).prop_map(|(epoch, is_far, slot, seq)| {
            let (far, seq) = if is_far { (u32::MAX, SEQ_END - 1 - seq) } else { (0, seq) };
            let opened = VertexId { epoch: Epoch(epoch), proposer: NodeId(far - far.min(1)), seq };
            SessionId { opened, slot: far.max(slot) }
        })
    }

    fn session() -> impl Strategy<Value = Session> {
        let sequence = prop_oneof![4 => 0u64..30, 1 => SEQ_END - 10..SEQ_END];
        // Most replies are short; a few of the long ones make several pieces.
        let len = prop_oneof![20 => 0usize..100, 1 => 0..=REPLY_LEN_MAX];
        let reply = (any::<u8>(), len).prop_map(|(byte, len)| Bytes::from(vec![byte; len]));
        (0u64..10, btree_map(sequence, reply, 0..12), 0u64..20).prop_map(
            |(below, mut replies, acknowledged_below)| {
                let mut executed = SeqSet::default();
                executed.insert_below(below);
                replies.keys().for_each(|sequence| _ = executed.insert(*sequence));
                Session { executed, replies: replies.split_off(&acknowledged_below) }
            },
        )
    }

    fn sessions() -> impl Strategy<Value = Sessions> {
        btree_map(id(), session().prop_map(Arc::new), 0..6)
            .prop_map(|open| Sessions { open: open.into_iter().collect() })
    }

    fn operation(
        (session, sequence, acknowledged_below, what): (SessionId, u64, u64, u8),
    ) -> Operation {
        match what {
            0 => Operation::OpenSession,
            1 => Operation::CloseSessions(vec![session]),
            _ => Operation::Apply {
                request: RequestId { session, sequence },
                acknowledged_below,
                payload: Bytes::copy_from_slice(&[what]),
            },
        }
    }

    fn restored(pieces: impl IntoIterator<Item = Bytes>) -> Result<Sessions, Unrestorable> {
        Sessions::restore(&mut pieces.into_iter())
    }

    fn execute(sessions: &mut Sessions, seq: u64, operation: &Operation) -> Reply {
        let vertex = VertexId { epoch: Epoch(0), proposer: NodeId(0), seq };
        sessions.execute(vertex, 0, operation, &mut Echo)
    }

    proptest! {
        /// Broken: a replica that begins with another's state executes a request a second time, or
        /// gives another reply; or what is executed while a snapshot is read shows in it.
        #[test]
        fn what_is_restored_is_what_was_there(
            sessions in sessions(),
            operations in vec((id(), 0u64..40, 0u64..40, 0u8..20).prop_map(operation), 0..20),
        ) {
            let mut sessions = sessions;
            let mut before = Sessions { open: sessions.open.clone() };
            let mut pieces = sessions.snapshot();
            // One of the pieces is made before the changes, the others after.
            let first = pieces.next();
            for (seq, operation) in operations.iter().enumerate() {
                execute(&mut sessions, seq as u64, operation);
            }
            let pieces: Vec<Bytes> = first.into_iter().chain(pieces).collect();
            prop_assert!(pieces.iter().all(|piece| piece.len() <= PIECE_LEN_MAX));
            let mut restored = restored(pieces).expect("it is a snapshot");
            prop_assert_eq!(&restored, &before);
            for (seq, operation) in operations.iter().enumerate() {
                let seq = seq as u64;
                prop_assert_eq!(
                    execute(&mut restored, seq, operation),
                    execute(&mut before, seq, operation)
                );
            }
            prop_assert_eq!(&restored, &sessions);
        }

        /// Broken: a damaged snapshot is taken for a table, or ends the node.
        #[test]
        fn what_is_damaged_is_refused(
            sessions in sessions(), at in any::<Index>(), byte in any::<Index>(), by in 1u8..,
        ) {
            let pieces: Vec<Bytes> = sessions.snapshot().collect();
            let at = at.index(pieces.len());
            let byte = byte.index(pieces[at].len());
            let with = |piece: Vec<u8>| {
                let mut pieces = pieces.clone();
                pieces[at] = piece.into();
                restored(pieces)
            };
            let mut changed = pieces[at].to_vec();
            changed[byte] ^= by;
            prop_assert!(with(changed).is_err(), "changed");
            prop_assert!(with(pieces[at][..byte].to_vec()).is_err(), "cut short");
            let mut lacking = pieces.clone();
            lacking.remove(at);
            prop_assert!(restored(lacking).is_err(), "lacking");
            let mut repeated = pieces.clone();
            repeated.insert(at, pieces[at].clone());
            prop_assert!(restored(repeated).is_err(), "there twice");
        }

        /// Broken: a peer ends a node with noise, or has it take memory or time for what never comes.
        #[test]
        fn noise_is_refused_and_takes_no_memory(
            noise in vec(vec(prop_oneof![0u8..6, any::<u8>()], 0..60), 0..4),
        ) {
            let pieces: Vec<Bytes> =
                noise.into_iter().map(|rest| [&[VERSION], &rest[..]].concat().into()).collect();
            let mut result = Ok(Sessions::default());
            let used = allocation_counter::measure(|| result = restored(pieces));
            // A session of nothing has seven bytes there, and about 150 here.
            prop_assert!(used.bytes_max < 16 << 10, "{used:?}");
            prop_assert!(result.is_err());
        }
    }

    /// Broken: a table whose encoding takes several pieces is not restored, or is not when they are
    /// exchanged, and that is not found.
    #[test]
    fn a_table_of_several_pieces_is_restored_in_their_order_alone() {
        let reply = Bytes::from(vec![7; PIECE_LEN / 2 - 100]);
        let mut executed = SeqSet::default();
        executed.insert_below(7);
        let session = Session { executed, replies: (0..7).map(|s| (s, reply.clone())).collect() };
        let opened = VertexId { epoch: Epoch(0), proposer: NodeId(0), seq: 0 };
        let open = [(SessionId { opened, slot: 0 }, Arc::new(session))].into_iter().collect();
        let sessions = Sessions { open };
        let pieces: Vec<Bytes> = sessions.snapshot().collect();
        assert_eq!(pieces.len(), 3);
        assert_eq!(restored(pieces.clone()).unwrap(), sessions);
        let exchanged = [1, 0, 2].map(|at: usize| pieces[at].clone());
        assert!(restored(exchanged).is_err());
    }

    /// Broken: the operator is not told what is wrong.
    #[test]
    fn what_is_refused_is_named() {
        let session = [SESSION, 0, 0, 1, 0, 5];
        for (pieces, what) in [
            (vec![], "last piece is missing"),
            (vec![vec![]], "piece 0 of the sessions is empty"),
            (vec![vec![2]], "has version 2; this program knows 1 alone"),
            (vec![vec![1, 9]], "unknown record"),
            (vec![vec![1, RANGE, 1, 2]], "before any session"),
            (vec![[&[1], &session[..], &session].concat()], "sessions that do not ascend"),
            (vec![[&[1], &session[..], &[RANGE, 5, 6]].concat()], "sequences that do not ascend"),
            (vec![[&[1], &session[..], &[REPLY, 5, 0]].concat()], "not executed"),
            (vec![[&[1], &session[..], &[REPLY, 4, 9]].concat()], "cut short"),
            (vec![vec![1; PIECE_LEN_MAX + 1]], "longer than a piece may be"),
            (vec![vec![1, END, 0]], "the end of others"),
        ] {
            let error = restored(pieces.into_iter().map(Bytes::from)).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }

    /// Broken: a snapshot of one build is not restored by another.
    #[test]
    fn golden_bytes() {
        let hex = |bytes: &Bytes| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        let mut executed = SeqSet::default();
        executed.insert_below(2);
        executed.insert(200);
        let session = Session { executed, replies: [(200, "reply".into())].into_iter().collect() };
        let opened = VertexId { epoch: Epoch(1), proposer: NodeId(2), seq: 300 };
        let open = [(SessionId { opened, slot: 3 }, Arc::new(session))].into_iter().collect();
        let pieces: Vec<String> = Sessions { open }.snapshot().map(|piece| hex(&piece)).collect();
        assert_eq!(pieces, ["01010102ac02030202c801c90103c801057265706c79049784dce206"]);
    }
}
