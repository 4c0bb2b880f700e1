//! Each message to and from its body.

use super::{DecodeError, count, encode, parse, to_bytes, watch};
use crate::generated as pb;
use crate::limits::{CHUNK_LEN_MAX, MICROS_MAX, SEQ_END, SNAPSHOT_LEN_MAX};
use crate::*;
use althing_model::Ballot;
use bytes::Bytes;

/// The lowest round of an attempt that has a classic round: everything but the fast path.
const CLASSIC: u32 = 1;
const RECOVERY: u32 = Ballot::FIRST_RECOVERY_ROUND;

impl Message {
    /// The body of the frame that carries the message; its kind is [`Message::kind`]. The message
    /// is within [`crate::limits`]: nothing is checked here.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Submit(m) => to_bytes(&pb::Submit {
                ticket: m.ticket,
                operation: encode::operation(&m.operation),
            }),
            Self::Answer(m) => to_bytes(&encode::answer(m.ticket, &m.outcome, &m.seen)),
            Self::Read(m) => to_bytes(&pb::Read {
                ticket: m.ticket,
                payload: m.payload.clone(),
                consistency: Some(encode::consistency(&m.consistency)),
            }),
            Self::ReadAnswer(m) => to_bytes(&pb::ReadAnswer {
                ticket: m.ticket,
                outcome: Some(encode::read_outcome(&m.outcome)),
            }),
            Self::ReadDepend(m) => to_bytes(&pb::ReadDepend {
                read: m.read,
                resource: match &m.scope {
                    ReadScope::Resource(resource, mode) => {
                        Some(pb::Touched { resource: resource.clone(), mode: mode.0.into() })
                    }
                    ReadScope::Everything => None,
                },
            }),
            Self::ReadDepended(m) => {
                to_bytes(&pb::ReadDepended { read: m.read, deps: encode::deps(&m.deps) })
            }
            Self::PreAccept(m) => to_bytes(&pb::PreAccept {
                vertex: encode::vertex(m.vertex),
                commands: encode::commands(&m.commands),
                base: encode::deps(&m.base),
                quorum: encode::quorum(&m.quorum, m.anchor),
            }),
            Self::PreAccepted(m) => to_bytes(&pb::PreAccepted {
                vertex: encode::vertex(m.vertex),
                deps: encode::deps(&m.deps),
            }),
            Self::Conclude(m) => to_bytes(&pb::Conclude {
                vertex: encode::vertex(m.vertex),
                deps: encode::deps(&m.deps),
            }),
            Self::Concluded(m) => to_bytes(&pb::Concluded { vertex: encode::vertex(m.vertex) }),
            Self::Depend(m) => to_bytes(&pb::Depend {
                vertex: encode::vertex(m.vertex),
                ballot: encode::ballot(m.ballot),
                commands: encode::commands(&m.commands),
                base: encode::deps(&m.base),
            }),
            Self::Depended(m) => to_bytes(&pb::Depended {
                vertex: encode::vertex(m.vertex),
                ballot: encode::ballot(m.ballot),
                deps: encode::deps(&m.deps),
            }),
            Self::Inspect(m) => to_bytes(&pb::Inspect {
                vertex: encode::vertex(m.vertex),
                ballot: encode::ballot(m.ballot),
            }),
            Self::Inspected(m) => to_bytes(&pb::Inspected {
                vertex: encode::vertex(m.vertex),
                ballot: encode::ballot(m.ballot),
                held: m.held.as_ref().map(encode::held),
            }),
            Self::Prepare(m) => to_bytes(&pb::Prepare {
                vertex: encode::vertex(m.vertex),
                ballot: encode::ballot(m.ballot),
            }),
            Self::Promised(m) => to_bytes(&pb::Promised {
                vertex: encode::vertex(m.vertex),
                ballot: encode::ballot(m.ballot),
                vote: m.vote.as_ref().map(encode::vote),
            }),
            Self::Accept(m) => to_bytes(&pb::Accept {
                vertex: encode::vertex(m.vertex),
                ballot: encode::ballot(m.ballot),
                value: encode::value(&m.value),
            }),
            Self::Accepted(m) => to_bytes(&pb::Accepted {
                vertex: encode::vertex(m.vertex),
                ballot: encode::ballot(m.ballot),
            }),
            Self::Refused(m) => to_bytes(&pb::Refused {
                vertex: encode::vertex(m.vertex),
                ballot: encode::ballot(m.ballot),
                promised: encode::ballot(m.promised),
            }),
            Self::Chosen(m) => to_bytes(&pb::Chosen {
                vertex: encode::vertex(m.vertex),
                value: encode::value(&m.value),
            }),
            Self::Commit(m) => to_bytes(&pb::Commit {
                vertex: encode::vertex(m.vertex),
                value: encode::value(&m.value),
            }),
            Self::Learned(m) => to_bytes(&pb::Learned {
                vertex: encode::vertex(m.vertex),
                value: encode::value(&m.value),
            }),
            Self::Executed(m) => to_bytes(&pb::Executed {
                vertex: encode::vertex(m.vertex),
                replies: m.replies.iter().map(encode::reply).collect(),
                seen: encode::some_deps(&m.seen),
            }),
            Self::Recover(m) => to_bytes(&pb::Recover { vertex: encode::vertex(m.vertex) }),
            Self::Frontier(m) => to_bytes(&pb::Frontier {
                committed: encode::deps(&m.committed),
                held: encode::deps(&m.held),
                digests: encode::state_digests(&m.digests),
            }),
            Self::Pruned(m) => to_bytes(&pb::Pruned { vertex: encode::vertex(m.vertex) }),
            Self::PruneAcceptor(m) => {
                to_bytes(&pb::PruneAcceptor { floor: encode::deps(&m.floor) })
            }
            Self::PruneDependency(m) => {
                to_bytes(&pb::PruneDependency { floor: encode::deps(&m.floor) })
            }
            Self::PruneProposer(m) => {
                to_bytes(&pb::PruneProposer { floor: encode::deps(&m.floor) })
            }
            Self::BarrierDue(BarrierDue) => to_bytes(&pb::BarrierDue {}),
            Self::SnapshotOffer(m) => to_bytes(&pb::SnapshotOffer {
                number: m.number,
                len: m.len,
                digest: Bytes::copy_from_slice(&m.digest),
            }),
            Self::SnapshotAsk(m) => {
                to_bytes(&pb::SnapshotAsk { number: m.number, offset: m.offset, len: m.len })
            }
            Self::SnapshotChunk(m) => to_bytes(&pb::SnapshotChunk {
                number: m.number,
                offset: m.offset,
                checksum: m.checksum,
                bytes: m.bytes.clone(),
            }),
            Self::Register(m) => {
                to_bytes(&pb::Register { incarnation: m.incarnation, is_lost: m.is_lost })
            }
            Self::Registered(m) => to_bytes(&pb::Registered { incarnation: m.incarnation }),
            Self::Reserved(m) => to_bytes(&pb::Reserved { until: m.until }),
            Self::Served(m) => to_bytes(&pb::Served {
                session: Some(encode::session(m.request.session)),
                sequence: m.request.sequence,
                reply: Some(encode::reply(&m.reply)),
                seen: encode::deps(&m.seen),
            }),
            Self::Demand(m) => to_bytes(&pb::Demand {
                resource: m.resource.clone(),
                window_us: m.window,
                commands: encode::nodes(&m.commands),
            }),
            Self::Forward(m) => {
                to_bytes(&pb::Forward { operation: encode::operation(&m.operation) })
            }
            Self::Relay(m) => to_bytes(&pb::Relay {
                ticket: m.ticket,
                operation: encode::operation(&m.operation),
            }),
            Self::Relayed(m) => to_bytes(&pb::Relayed {
                answer: Some(encode::answer(m.ticket, &m.outcome, &m.seen)),
            }),
            Self::Distances(m) => {
                to_bytes(&pb::Distances { round_trips_us: encode::nodes(&m.round_trips) })
            }
            Self::Watch(m) => to_bytes(&watch::watch(m)),
            Self::WatchTaken(m) => to_bytes(&pb::WatchTaken { watch: m.watch, number: m.number }),
            Self::Unwatch(m) => to_bytes(&pb::Unwatch { watch: m.watch }),
            Self::Watched(m) => to_bytes(&watch::watched(m)),
            Self::WatchEnded(m) => to_bytes(&watch::ended(m)),
        }
    }

    /// The message in a body of that kind.
    ///
    /// # Errors
    /// When the body is no such message, or breaks a rule that roles rely on.
    pub fn decode(kind: Kind, body: Bytes) -> Result<Self, DecodeError> {
        let (name, shape) = (kind.name(), count::shape(kind));
        Ok(match kind {
            Kind::Submit => {
                let (body, m): (_, pb::Submit) = parse(name, body, shape)?;
                Self::Submit(Submit { ticket: m.ticket, operation: body.operation(m.operation)? })
            }
            Kind::Answer => {
                let (body, m): (_, pb::Answer) = parse(name, body, shape)?;
                let (ticket, outcome, seen) = body.answer(m)?;
                Self::Answer(Answer { ticket, outcome, seen })
            }
            Kind::Read => {
                let (body, m): (_, pb::Read) = parse(name, body, shape)?;
                Self::Read(Read {
                    ticket: m.ticket,
                    payload: body.payload(m.payload)?,
                    consistency: body.consistency(m.consistency)?,
                })
            }
            Kind::ReadAnswer => {
                let (body, m): (_, pb::ReadAnswer) = parse(name, body, shape)?;
                let outcome = body.read_outcome(m.outcome)?;
                Self::ReadAnswer(ReadAnswer { ticket: m.ticket, outcome })
            }
            Kind::ReadDepend => {
                let (body, m): (_, pb::ReadDepend) = parse(name, body, shape)?;
                Self::ReadDepend(ReadDepend { read: m.read, scope: body.scope(m.resource)? })
            }
            Kind::ReadDepended => {
                let (body, m): (_, pb::ReadDepended) = parse(name, body, shape)?;
                Self::ReadDepended(ReadDepended { read: m.read, deps: body.deps("deps", m.deps)? })
            }
            Kind::PreAccept => {
                let (body, m): (_, pb::PreAccept) = parse(name, body, shape)?;
                let FastQuorum { members, anchor } = body.quorum("quorum", m.quorum)?;
                Self::PreAccept(PreAccept {
                    vertex: body.vertex(m.vertex)?,
                    commands: body.commands(m.commands)?,
                    base: body.deps("base", m.base)?,
                    quorum: members,
                    anchor,
                })
            }
            Kind::PreAccepted => {
                let (body, m): (_, pb::PreAccepted) = parse(name, body, shape)?;
                Self::PreAccepted(PreAccepted {
                    vertex: body.vertex(m.vertex)?,
                    deps: body.deps("deps", m.deps)?,
                })
            }
            Kind::Conclude => {
                let (body, m): (_, pb::Conclude) = parse(name, body, shape)?;
                Self::Conclude(Conclude {
                    vertex: body.vertex(m.vertex)?,
                    deps: body.deps("deps", m.deps)?,
                })
            }
            Kind::Concluded => {
                let (body, m): (_, pb::Concluded) = parse(name, body, shape)?;
                Self::Concluded(Concluded { vertex: body.vertex(m.vertex)? })
            }
            Kind::Depend => {
                let (body, m): (_, pb::Depend) = parse(name, body, shape)?;
                let vertex = body.vertex(m.vertex)?;
                Self::Depend(Depend {
                    vertex,
                    ballot: body.ballot(m.ballot, vertex, CLASSIC)?,
                    commands: body.commands(m.commands)?,
                    base: body.deps("base", m.base)?,
                })
            }
            Kind::Depended => {
                let (body, m): (_, pb::Depended) = parse(name, body, shape)?;
                let vertex = body.vertex(m.vertex)?;
                Self::Depended(Depended {
                    vertex,
                    ballot: body.ballot(m.ballot, vertex, CLASSIC)?,
                    deps: body.deps("deps", m.deps)?,
                })
            }
            Kind::Inspect => {
                let (body, m): (_, pb::Inspect) = parse(name, body, shape)?;
                let vertex = body.vertex(m.vertex)?;
                Self::Inspect(Inspect { vertex, ballot: body.ballot(m.ballot, vertex, RECOVERY)? })
            }
            Kind::Inspected => {
                let (body, m): (_, pb::Inspected) = parse(name, body, shape)?;
                let vertex = body.vertex(m.vertex)?;
                Self::Inspected(Inspected {
                    vertex,
                    ballot: body.ballot(m.ballot, vertex, RECOVERY)?,
                    held: m.held.map(|held| body.held(held)).transpose()?,
                })
            }
            Kind::Prepare => {
                let (body, m): (_, pb::Prepare) = parse(name, body, shape)?;
                let vertex = body.vertex(m.vertex)?;
                Self::Prepare(Prepare { vertex, ballot: body.ballot(m.ballot, vertex, RECOVERY)? })
            }
            Kind::Promised => {
                let (body, m): (_, pb::Promised) = parse(name, body, shape)?;
                let vertex = body.vertex(m.vertex)?;
                Self::Promised(Promised {
                    vertex,
                    ballot: body.ballot(m.ballot, vertex, RECOVERY)?,
                    vote: m.vote.map(|vote| body.vote(vote, vertex)).transpose()?,
                })
            }
            Kind::Accept => {
                let (body, m): (_, pb::Accept) = parse(name, body, shape)?;
                let vertex = body.vertex(m.vertex)?;
                Self::Accept(Accept {
                    vertex,
                    ballot: body.ballot(m.ballot, vertex, CLASSIC)?,
                    value: body.value(m.value)?,
                })
            }
            Kind::Accepted => {
                let (body, m): (_, pb::Accepted) = parse(name, body, shape)?;
                let vertex = body.vertex(m.vertex)?;
                Self::Accepted(Accepted { vertex, ballot: body.ballot(m.ballot, vertex, CLASSIC)? })
            }
            Kind::Refused => {
                let (body, m): (_, pb::Refused) = parse(name, body, shape)?;
                let vertex = body.vertex(m.vertex)?;
                Self::Refused(Refused {
                    vertex,
                    ballot: body.ballot(m.ballot, vertex, 0)?,
                    promised: body.ballot_in("promised", m.promised, vertex, CLASSIC)?,
                })
            }
            Kind::Chosen => {
                let (body, m): (_, pb::Chosen) = parse(name, body, shape)?;
                Self::Chosen(Chosen { vertex: body.vertex(m.vertex)?, value: body.value(m.value)? })
            }
            Kind::Commit => {
                let (body, m): (_, pb::Commit) = parse(name, body, shape)?;
                Self::Commit(Commit { vertex: body.vertex(m.vertex)?, value: body.value(m.value)? })
            }
            Kind::Learned => {
                let (body, m): (_, pb::Learned) = parse(name, body, shape)?;
                Self::Learned(Learned {
                    vertex: body.vertex(m.vertex)?,
                    value: body.value(m.value)?,
                })
            }
            Kind::Executed => {
                let (body, m): (_, pb::Executed) = parse(name, body, shape)?;
                Self::Executed(Executed {
                    vertex: body.vertex(m.vertex)?,
                    replies: body.replies(m.replies)?,
                    seen: body.some_deps("seen", m.seen)?,
                })
            }
            Kind::Recover => {
                let (body, m): (_, pb::Recover) = parse(name, body, shape)?;
                Self::Recover(Recover { vertex: body.vertex(m.vertex)? })
            }
            Kind::Frontier => {
                let (body, m): (_, pb::Frontier) = parse(name, body, shape)?;
                Self::Frontier(Frontier {
                    committed: body.deps("committed", m.committed)?,
                    held: body.floor("held", m.held)?,
                    digests: body.state_digests("digests", m.digests)?,
                })
            }
            Kind::Pruned => {
                let (body, m): (_, pb::Pruned) = parse(name, body, shape)?;
                Self::Pruned(Pruned { vertex: body.vertex(m.vertex)? })
            }
            Kind::PruneAcceptor => {
                let (body, m): (_, pb::PruneAcceptor) = parse(name, body, shape)?;
                Self::PruneAcceptor(PruneAcceptor { floor: body.floor("floor", m.floor)? })
            }
            Kind::PruneDependency => {
                let (body, m): (_, pb::PruneDependency) = parse(name, body, shape)?;
                Self::PruneDependency(PruneDependency { floor: body.floor("floor", m.floor)? })
            }
            Kind::PruneProposer => {
                let (body, m): (_, pb::PruneProposer) = parse(name, body, shape)?;
                Self::PruneProposer(PruneProposer { floor: body.floor("floor", m.floor)? })
            }
            Kind::BarrierDue => {
                let (_, pb::BarrierDue {}) = parse(name, body, shape)?;
                Self::BarrierDue(BarrierDue)
            }
            Kind::SnapshotOffer => {
                let (body, m): (_, pb::SnapshotOffer) = parse(name, body, shape)?;
                Self::SnapshotOffer(SnapshotOffer {
                    number: m.number,
                    len: body.number("len", m.len, SNAPSHOT_LEN_MAX)?,
                    digest: body.digest(m.digest)?,
                })
            }
            Kind::SnapshotAsk => {
                let (body, m): (_, pb::SnapshotAsk) = parse(name, body, shape)?;
                let len = body.number("len", m.len.into(), CHUNK_LEN_MAX as u64)?;
                Self::SnapshotAsk(SnapshotAsk {
                    number: m.number,
                    offset: body.number("offset", m.offset, SNAPSHOT_LEN_MAX)?,
                    len: len as u32,
                })
            }
            Kind::SnapshotChunk => {
                let (body, m): (_, pb::SnapshotChunk) = parse(name, body, shape)?;
                Self::SnapshotChunk(SnapshotChunk {
                    number: m.number,
                    offset: body.number("offset", m.offset, SNAPSHOT_LEN_MAX)?,
                    checksum: m.checksum,
                    bytes: body.chunk(m.bytes)?,
                })
            }
            Kind::Register => {
                let (_, m): (_, pb::Register) = parse(name, body, shape)?;
                Self::Register(Register { incarnation: m.incarnation, is_lost: m.is_lost })
            }
            Kind::Registered => {
                let (_, m): (_, pb::Registered) = parse(name, body, shape)?;
                Self::Registered(Registered { incarnation: m.incarnation })
            }
            Kind::Reserved => {
                let (body, m): (_, pb::Reserved) = parse(name, body, shape)?;
                Self::Reserved(Reserved { until: body.number("until", m.until, SEQ_END)? })
            }
            Kind::Served => {
                let (body, m): (_, pb::Served) = parse(name, body, shape)?;
                Self::Served(Served {
                    request: body.request(m.session, m.sequence)?,
                    reply: body.reply(body.required("reply", m.reply)?)?,
                    seen: body.deps("seen", m.seen)?,
                })
            }
            Kind::Demand => {
                let (body, m): (_, pb::Demand) = parse(name, body, shape)?;
                Self::Demand(Demand {
                    resource: body.resource(m.resource)?,
                    window: body.number("window_us", m.window_us, MICROS_MAX)?,
                    commands: body.nodes("commands", m.commands, SEQ_END)?,
                })
            }
            Kind::Forward => {
                let (body, m): (_, pb::Forward) = parse(name, body, shape)?;
                Self::Forward(Forward { operation: body.operation(m.operation)? })
            }
            Kind::Relay => {
                let (body, m): (_, pb::Relay) = parse(name, body, shape)?;
                Self::Relay(Relay { ticket: m.ticket, operation: body.operation(m.operation)? })
            }
            Kind::Relayed => {
                let (body, m): (_, pb::Relayed) = parse(name, body, shape)?;
                let (ticket, outcome, seen) = body.answer(body.required("answer", m.answer)?)?;
                Self::Relayed(Relayed { ticket, outcome, seen })
            }
            Kind::Distances => {
                let (body, m): (_, pb::Distances) = parse(name, body, shape)?;
                Self::Distances(Distances {
                    round_trips: body.nodes("round_trips_us", m.round_trips_us, MICROS_MAX)?,
                })
            }
            Kind::Watch => {
                let (body, m) = parse(name, body, shape)?;
                Self::Watch(body.watch(m)?)
            }
            Kind::WatchTaken => {
                let (_, m): (_, pb::WatchTaken) = parse(name, body, shape)?;
                Self::WatchTaken(WatchTaken { watch: m.watch, number: m.number })
            }
            Kind::Unwatch => {
                let (_, m): (_, pb::Unwatch) = parse(name, body, shape)?;
                Self::Unwatch(Unwatch { watch: m.watch })
            }
            Kind::Watched => {
                let (body, m) = parse(name, body, shape)?;
                Self::Watched(body.watched(m)?)
            }
            Kind::WatchEnded => {
                let (body, m) = parse(name, body, shape)?;
                Self::WatchEnded(body.watch_ended(&m)?)
            }
        })
    }
}
