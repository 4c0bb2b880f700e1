//! From the parts of the schema to those of messages and records: everything that roles rely on is
//! checked here, so that a value that exists is a value that may exist.

use super::{DecodeError, Fault};
use crate::generated as pb;
use crate::limits::*;
use crate::{
    Consistency, FastQuorum, Held, Outcome, ReadDelay, ReadOutcome, ReadScope, StateDigest, Vote,
};
use althing_model::{
    Ballot, Column, Command, Commands, DepSet, Epoch, Footprint, Mode, NodeId, Operation, Range,
    Reply, RequestId, SessionId, Value, VertexId,
};
use bytes::Bytes;

pub(super) type Result<T> = std::result::Result<T, DecodeError>;

/// The body that is being decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body {
    /// What it is of, for errors.
    pub(super) message: &'static str,
    /// How long it is.
    pub(super) len: usize,
}

impl Body {
    pub(super) fn fault<T>(self, field: &'static str, fault: Fault) -> Result<T> {
        Err(DecodeError { message: self.message, field, fault })
    }

    pub(super) fn required<T>(self, field: &'static str, part: Option<T>) -> Result<T> {
        match part {
            Some(part) => Ok(part),
            None => self.fault(field, Fault::Missing),
        }
    }

    pub(super) fn at_most(self, field: &'static str, found: usize, max: usize) -> Result<()> {
        if found > max {
            return self.fault(field, Fault::TooMany { found, max });
        }
        Ok(())
    }

    pub(super) fn no_longer(self, field: &'static str, found: usize, max: usize) -> Result<()> {
        if found > max {
            return self.fault(field, Fault::TooLong { found, max });
        }
        Ok(())
    }

    /// A number that counts from 0 and that others are computed from.
    pub(super) fn number(self, field: &'static str, found: u64, max: u64) -> Result<u64> {
        if found > max {
            return self.fault(field, Fault::TooHigh { found, max });
        }
        Ok(found)
    }

    /// Bytes that may outlive the message. A slice keeps the whole body alive: one that is less
    /// than half of it is copied out, so that what is kept costs at most twice its length.
    pub(super) fn own(self, slice: Bytes) -> Bytes {
        if slice.len() < self.len / 2 { Bytes::copy_from_slice(&slice) } else { slice }
    }

    pub(super) fn vertex(self, id: Option<pb::VertexId>) -> Result<VertexId> {
        let id = self.required("vertex", id)?;
        Ok(VertexId {
            epoch: Epoch(id.epoch),
            proposer: NodeId(id.proposer),
            seq: self.number("vertex.seq", id.seq, SEQ_END - 1)?,
        })
    }

    /// A ballot of that vertex, of `least_round` or higher.
    pub(super) fn ballot(
        self,
        ballot: Option<pb::Ballot>,
        vertex: VertexId,
        least_round: u32,
    ) -> Result<Ballot> {
        self.ballot_in("ballot", ballot, vertex, least_round)
    }

    pub(super) fn ballot_in(
        self,
        field: &'static str,
        ballot: Option<pb::Ballot>,
        vertex: VertexId,
        least_round: u32,
    ) -> Result<Ballot> {
        let ballot = self.required(field, ballot)?;
        self.number(field, ballot.round.into(), ROUND_MAX.into())?;
        let ballot = Ballot { round: ballot.round, proposer: NodeId(ballot.proposer) };
        if ballot.round < least_round {
            return self
                .fault(field, Fault::RoundTooLow { round: ballot.round, least: least_round });
        }
        if !ballot.is_allowed_in(vertex) {
            return self.fault(field, Fault::NotAllowed { ballot, vertex });
        }
        Ok(ballot)
    }

    pub(super) fn deps(self, field: &'static str, deps: Option<pb::DepSet>) -> Result<DepSet> {
        let deps = self.required(field, deps)?;
        let columns = deps.proposer.len();
        self.at_most("DepSet.proposer", columns, COLUMNS_MAX)?;
        self.at_most("DepSet.extra_delta", deps.extra_delta.len(), EXTRAS_MAX)?;
        if deps.below.len() != columns {
            let found = deps.below.len();
            return self.fault("DepSet.below", Fault::Uneven { found, expected: columns });
        }
        for (name, found) in
            [("DepSet.epoch", deps.epoch.len()), ("DepSet.extra_count", deps.extra_count.len())]
        {
            if found > columns {
                let expected = columns;
                return self.fault(name, Fault::Uneven { found, expected });
            }
        }
        let described = deps.extra_count.iter().map(|count| u64::from(*count)).sum();
        if deps.extra_delta.len() as u64 != described {
            return self.fault(
                "DepSet.extra_delta",
                Fault::Uneven {
                    found: deps.extra_delta.len(),
                    expected: usize::try_from(described).unwrap_or(usize::MAX),
                },
            );
        }

        // Columns and extras ascend, so each is added at the end: the work is linear.
        let mut set = DepSet::default();
        let mut deltas = deps.extra_delta.iter();
        let mut previous = None;
        for (index, proposer) in deps.proposer.iter().enumerate() {
            let column = Column {
                epoch: Epoch(deps.epoch.get(index).copied().unwrap_or(0)),
                proposer: NodeId(*proposer),
            };
            if previous.is_some_and(|previous| previous >= column) {
                return self.fault("DepSet.proposer", Fault::NotAscending);
            }
            previous = Some(column);
            let below = self.number("DepSet.below", deps.below[index], SEQ_END)?;
            let extras = deps.extra_count.get(index).copied().unwrap_or(0);
            if below == 0 && extras == 0 {
                return self.fault("DepSet.below", Fault::Empty);
            }
            set.insert_below(column, below);
            let mut seq = below;
            for delta in deltas.by_ref().take(extras as usize) {
                if *delta == 0 {
                    return self.fault("DepSet.extra_delta", Fault::NotAscending);
                }
                seq = self.number("DepSet.extra_delta", seq.saturating_add(*delta), SEQ_END - 1)?;
                set.insert(column.vertex(seq));
            }
        }
        Ok(set)
    }

    /// A prefix in each column, and nothing above.
    pub(super) fn floor(self, field: &'static str, floor: Option<pb::DepSet>) -> Result<DepSet> {
        let floor = self.deps(field, floor)?;
        if floor.columns().any(|(_, row)| !row.extras().is_empty()) {
            return self.fault(field, Fault::NotAPrefix);
        }
        Ok(floor)
    }

    pub(super) fn commands(self, commands: Option<pb::Commands>) -> Result<Commands> {
        let commands = self.required("commands", commands)?;
        match (commands.noop, commands.batch.is_empty()) {
            (true, true) => return Ok(Commands::Noop),
            (true, false) => return self.fault("Commands.noop", Fault::Contradictory),
            (false, true) => return self.fault("Commands.batch", Fault::Empty),
            (false, false) => {}
        }
        self.at_most("Commands.batch", commands.batch.len(), COMMANDS_PER_VERTEX_MAX)?;
        let (mut len, mut resources, mut ranges, mut closed) = (0, 0, 0, 0);
        let batch = commands
            .batch
            .into_iter()
            .map(|command| {
                let command = self.command(command)?;
                len += command_len(&command);
                resources += command.footprint.resources().len();
                ranges += command.footprint.ranges().len();
                if let Operation::CloseSessions(sessions) = &command.operation {
                    closed += sessions.len();
                }
                Ok(command)
            })
            .collect::<Result<Vec<_>>>()?;
        self.no_longer("Commands.batch", len, COMMANDS_LEN_MAX)?;
        self.at_most("Footprint.resource", resources, RESOURCES_PER_VERTEX_MAX)?;
        self.at_most("Footprint.range", ranges, RANGES_PER_VERTEX_MAX)?;
        self.at_most("CloseSessions.sessions", closed, CLOSED_SESSIONS_MAX)?;
        Ok(Commands::Batch(batch.into()))
    }

    fn command(self, command: pb::Command) -> Result<Command> {
        Ok(Command {
            operation: self.operation(command.operation)?,
            footprint: self.footprint(command.footprint)?,
        })
    }

    fn footprint(self, footprint: Option<pb::Footprint>) -> Result<Footprint> {
        let footprint = self.required("Command.footprint", footprint)?;
        let (resources, ranges) = (footprint.resource.len(), footprint.range.len());
        self.at_most("Footprint.resource", resources, RESOURCES_PER_COMMAND_MAX)?;
        self.at_most("Footprint.range", ranges, RANGES_PER_COMMAND_MAX)?;
        for (field, found, expected) in [
            ("Footprint.mode", footprint.mode.len(), resources),
            ("Footprint.range_mode", footprint.range_mode.len(), ranges),
        ] {
            if found != expected {
                return self.fault(field, Fault::Uneven { found, expected });
            }
        }
        let names_something = resources > 0 || ranges > 0;
        if footprint.everything {
            if names_something || footprint.shown.is_some() {
                return self.fault("Footprint.everything", Fault::Contradictory);
            }
            return Ok(Footprint::Everything);
        }
        if let Some(shown) = footprint.shown {
            if names_something {
                return self.fault("Footprint.shown", Fault::Contradictory);
            }
            self.no_longer("Footprint.shown", shown.len(), SHOWN_LEN_MAX)?;
            return Ok(Footprint::Predicate(self.own(shown)));
        }
        let resources = footprint.resource.into_iter().map(|name| self.name(name));
        let resources = self.with_modes("Footprint.resource", resources, &footprint.mode)?;
        let of_ranges = footprint.range.into_iter().map(|range| self.range(range));
        let of_ranges = self.with_modes("Footprint.range", of_ranges, &footprint.range_mode)?;
        let footprint = match ranges {
            0 => Footprint::Resources(resources),
            _ => Footprint::Ranges { resources, ranges: of_ranges },
        };
        self.no_longer("Footprint", names_len(&footprint), NAMES_LEN_MAX)?;
        Ok(footprint)
    }

    /// What a footprint names, each with its mode, in its one order.
    fn with_modes<T: Ord>(
        self,
        field: &'static str,
        named: impl ExactSizeIterator<Item = Result<T>>,
        modes: &[u8],
    ) -> Result<Vec<(T, Mode)>> {
        let mut touched: Vec<(T, Mode)> = Vec::with_capacity(named.len());
        for (it, mode) in named.zip(modes) {
            let next = (it?, Mode(*mode));
            if touched.last().is_some_and(|last| *last >= next) {
                return self.fault(field, Fault::NotAscending);
            }
            touched.push(next);
        }
        Ok(touched)
    }

    fn name(self, name: Bytes) -> Result<Bytes> {
        self.no_longer("Footprint.resource", name.len(), RESOURCE_LEN_MAX)?;
        Ok(self.own(name))
    }

    fn range(self, range: pb::Range) -> Result<Range> {
        for name in [Some(&range.begin), range.end.as_ref()].into_iter().flatten() {
            self.no_longer("Footprint.range", name.len(), RESOURCE_LEN_MAX)?;
        }
        let begin = self.own(range.begin);
        match range.end {
            None => Ok(Range::from(begin)),
            Some(end) => match Range::between(begin, self.own(end)) {
                Some(range) => Ok(range),
                None => self.fault("Footprint.range", Fault::Empty),
            },
        }
    }

    pub(super) fn operation(self, operation: Option<pb::Operation>) -> Result<Operation> {
        use pb::operation::Kind;
        let kind = operation.and_then(|operation| operation.kind);
        Ok(match self.required("operation", kind)? {
            Kind::OpenSession(pb::Nothing {}) => Operation::OpenSession,
            Kind::Barrier(pb::Nothing {}) => Operation::Barrier,
            Kind::CloseSessions(close) => {
                self.at_most("CloseSessions.sessions", close.sessions.len(), CLOSED_SESSIONS_MAX)?;
                let sessions = close.sessions.into_iter();
                Operation::CloseSessions(
                    sessions
                        .map(|session| self.session("CloseSessions.sessions", Some(session)))
                        .collect::<Result<_>>()?,
                )
            }
            Kind::Apply(apply) => {
                self.no_longer("Apply.payload", apply.payload.len(), PAYLOAD_LEN_MAX)?;
                Operation::Apply {
                    request: RequestId {
                        session: self.session("Apply.session", apply.session)?,
                        sequence: self.number("Apply.sequence", apply.sequence, SEQ_END - 1)?,
                    },
                    acknowledged_below: self.number(
                        "Apply.acknowledged_below",
                        apply.acknowledged_below,
                        SEQ_END,
                    )?,
                    payload: self.own(apply.payload),
                }
            }
        })
    }

    pub(super) fn session(
        self,
        field: &'static str,
        session: Option<pb::SessionId>,
    ) -> Result<SessionId> {
        let session = self.required(field, session)?;
        self.number(field, session.slot.into(), COMMANDS_PER_VERTEX_MAX as u64 - 1)?;
        Ok(SessionId {
            opened: VertexId {
                epoch: Epoch(session.epoch),
                proposer: NodeId(session.proposer),
                seq: self.number(field, session.seq, SEQ_END - 1)?,
            },
            slot: session.slot,
        })
    }

    pub(super) fn value(self, value: Option<pb::Value>) -> Result<Value> {
        let value = self.required("value", value)?;
        Ok(Value {
            commands: self.commands(value.commands)?,
            deps: self.deps("Value.deps", value.deps)?,
        })
    }

    pub(super) fn held(self, held: pb::Held) -> Result<Held> {
        Ok(Held {
            commands: self.commands(held.commands)?,
            deps: self.deps("Held.deps", held.deps)?,
        })
    }

    pub(super) fn quorum(
        self,
        field: &'static str,
        quorum: Option<pb::FastQuorum>,
    ) -> Result<FastQuorum> {
        let quorum = self.required(field, quorum)?;
        self.at_most("FastQuorum.members", quorum.members.len(), QUORUM_MAX)?;
        if !quorum.members.is_sorted_by(|a, b| a < b) {
            return self.fault("FastQuorum.members", Fault::NotAscending);
        }
        if quorum.members.binary_search(&quorum.anchor).is_err() {
            return self.fault("FastQuorum.anchor", Fault::AnchorOutside);
        }
        Ok(FastQuorum {
            members: quorum.members.into_iter().map(NodeId).collect(),
            anchor: NodeId(quorum.anchor),
        })
    }

    /// A vote in that vertex: of round 0 exactly when it says whose votes the fast path counts.
    pub(super) fn vote(self, vote: pb::Vote, vertex: VertexId) -> Result<Vote> {
        let ballot = self.ballot_in("Vote.ballot", vote.ballot, vertex, 0)?;
        let value = self.value(vote.value)?;
        let fast = match (ballot.round, vote.fast) {
            (0, fast) => Some(self.quorum("Vote.fast", fast)?),
            (_, None) => None,
            (_, Some(_)) => return self.fault("Vote.fast", Fault::Contradictory),
        };
        Ok(Vote { ballot, value, fast })
    }

    pub(super) fn replies(self, replies: Vec<pb::Reply>) -> Result<Vec<Reply>> {
        self.at_most("replies", replies.len(), COMMANDS_PER_VERTEX_MAX)?;
        replies.into_iter().map(|reply| self.reply(reply)).collect()
    }

    /// A set that may be left out where it is empty.
    pub(super) fn some_deps(self, field: &'static str, set: Option<pb::DepSet>) -> Result<DepSet> {
        set.map_or(Ok(DepSet::default()), |set| self.deps(field, Some(set)))
    }

    pub(super) fn consistency(
        self,
        consistency: Option<pb::read::Consistency>,
    ) -> Result<Consistency> {
        use pb::read::Consistency as Coded;
        Ok(match self.required("consistency", consistency)? {
            Coded::Linearizable(pb::Nothing {}) => Consistency::Linearizable,
            Coded::Session(token) => Consistency::Session(self.deps("session", Some(token))?),
            Coded::Stale(pb::Nothing {}) => Consistency::Stale,
        })
    }

    pub(super) fn read_outcome(
        self,
        outcome: Option<pb::read_answer::Outcome>,
    ) -> Result<ReadOutcome> {
        use pb::read_answer::Outcome as Coded;
        Ok(match self.required("outcome", outcome)? {
            Coded::Done(done) => {
                self.no_longer("reply", done.reply.len(), REPLY_LEN_MAX)?;
                let lag =
                    done.lag_us.map(|it| self.number("lag_us", it, MICROS_MAX)).transpose()?;
                let (reply, seen) = (self.own(done.reply), self.deps("seen", done.seen)?);
                ReadOutcome::Done { reply, seen, lag }
            }
            Coded::Invalid(why) => ReadOutcome::Invalid(self.reason(why)?),
            Coded::Command(pb::Nothing {}) => ReadOutcome::Command,
            Coded::Later(1) => ReadOutcome::Later(ReadDelay::Overloaded),
            Coded::Later(2) => ReadOutcome::Later(ReadDelay::NoQuorum),
            Coded::Later(3) => ReadOutcome::Later(ReadDelay::Behind),
            Coded::Later(other) => {
                let found = other.into();
                return self.fault("later", Fault::TooHigh { found, max: 3 });
            }
            Coded::TokenUnknown(pb::Nothing {}) => ReadOutcome::TokenUnknown,
        })
    }

    pub(super) fn scope(self, touched: Option<pb::Touched>) -> Result<ReadScope> {
        let Some(pb::Touched { resource, mode }) = touched else {
            return Ok(ReadScope::Everything);
        };
        let mode = self.number("mode", mode.into(), u8::MAX.into())? as u8;
        Ok(ReadScope::Resource(self.resource(resource)?, Mode(mode)))
    }

    pub(super) fn payload(self, payload: Bytes) -> Result<Bytes> {
        self.no_longer("payload", payload.len(), PAYLOAD_LEN_MAX)?;
        Ok(self.own(payload))
    }

    pub(super) fn answer(self, answer: pb::Answer) -> Result<(u64, Outcome, DepSet)> {
        use pb::answer::Outcome as Coded;
        let outcome = match self.required("outcome", answer.outcome)? {
            Coded::Executed(reply) => Outcome::Executed(self.reply(reply)?),
            Coded::Invalid(why) => Outcome::Invalid(self.reason(why)?),
            Coded::Overloaded(pb::Nothing {}) => Outcome::Overloaded,
        };
        Ok((answer.ticket, outcome, self.some_deps("seen", answer.seen)?))
    }

    pub(super) fn reply(self, reply: pb::Reply) -> Result<Reply> {
        use pb::reply::Kind;
        Ok(match self.required("Reply.kind", reply.kind)? {
            Kind::Opened(session) => Reply::Opened(self.session("Reply.opened", Some(session))?),
            Kind::Closed(pb::Nothing {}) => Reply::Closed,
            Kind::Passed(pb::Nothing {}) => Reply::Passed,
            Kind::Applied(bytes) => {
                self.no_longer("Reply.applied", bytes.len(), REPLY_LEN_MAX)?;
                Reply::Applied(self.own(bytes))
            }
            Kind::SessionUnknown(pb::Nothing {}) => Reply::SessionUnknown,
            Kind::Forgotten(pb::Nothing {}) => Reply::Forgotten,
        })
    }

    pub(super) fn request(
        self,
        session: Option<pb::SessionId>,
        sequence: u64,
    ) -> Result<RequestId> {
        Ok(RequestId {
            session: self.session("session", session)?,
            sequence: self.number("sequence", sequence, SEQ_END - 1)?,
        })
    }

    pub(super) fn resource(self, name: Bytes) -> Result<Bytes> {
        self.no_longer("resource", name.len(), RESOURCE_LEN_MAX)?;
        Ok(self.own(name))
    }

    /// Numbers of nodes, ascending by node.
    pub(super) fn nodes(
        self,
        field: &'static str,
        numbers: Vec<pb::NodeNumber>,
        max: u64,
    ) -> Result<Vec<(NodeId, u64)>> {
        self.at_most(field, numbers.len(), NODES_MAX)?;
        if !numbers.is_sorted_by(|a, b| a.node < b.node) {
            return self.fault(field, Fault::NotAscending);
        }
        let number =
            |it: pb::NodeNumber| Ok((NodeId(it.node), self.number(field, it.number, max)?));
        numbers.into_iter().map(number).collect()
    }

    pub(super) fn state_digests(
        self,
        field: &'static str,
        digests: Vec<pb::StateDigest>,
    ) -> Result<Vec<StateDigest>> {
        self.at_most(field, digests.len(), STATE_DIGESTS_MAX)?;
        if !digests.is_sorted_by(|a, b| a.number < b.number) {
            return self.fault(field, Fault::NotAscending);
        }
        let digest = |it: pb::StateDigest| StateDigest { number: it.number, digest: it.digest };
        Ok(digests.into_iter().map(digest).collect())
    }

    pub(super) fn digest(self, bytes: Bytes) -> Result<[u8; DIGEST_LEN]> {
        match bytes[..].try_into() {
            Ok(digest) => Ok(digest),
            Err(_) => {
                let (found, expected) = (bytes.len(), DIGEST_LEN);
                self.fault("digest", Fault::Uneven { found, expected })
            }
        }
    }

    pub(super) fn chunk(self, bytes: Bytes) -> Result<Bytes> {
        self.no_longer("bytes", bytes.len(), CHUNK_LEN_MAX)?;
        Ok(bytes)
    }

    pub(super) fn reason(self, text: String) -> Result<String> {
        self.no_longer("invalid", text.len(), REASON_LEN_MAX)?;
        Ok(text)
    }
}
