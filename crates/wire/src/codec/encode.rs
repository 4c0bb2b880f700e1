//! From the parts of messages and records to those of the schema.
//!
//! Nothing is copied but numbers: payloads, resources and replies are shared until they are written
//! into the body, once.

use crate::generated as pb;
use crate::limits::REASON_LEN_MAX;
use crate::{Consistency, FastQuorum, Held, Outcome, ReadDelay, ReadOutcome, StateDigest, Vote};
use althing_model::{
    Ballot, Command, Commands, DepSet, Footprint, NodeId, Operation, Range, Reply, SessionId,
    Value, VertexId,
};

pub(super) fn vertex(vertex: VertexId) -> Option<pb::VertexId> {
    Some(pb::VertexId { epoch: vertex.epoch.0, proposer: vertex.proposer.0, seq: vertex.seq })
}

pub(super) fn ballot(ballot: Ballot) -> Option<pb::Ballot> {
    Some(pb::Ballot { round: ballot.round, proposer: ballot.proposer.0 })
}

pub(super) fn deps(deps: &DepSet) -> Option<pb::DepSet> {
    let columns = deps.columns().count();
    let extras = deps.width() - columns;
    let mut out = pb::DepSet {
        proposer: Vec::with_capacity(columns),
        below: Vec::with_capacity(columns),
        epoch: Vec::new(),
        extra_count: Vec::new(),
        extra_delta: Vec::with_capacity(extras),
    };
    for (index, (column, row)) in deps.columns().enumerate() {
        out.proposer.push(column.proposer.0);
        out.below.push(row.below());
        // Trailing zeros are left out: a number is written only behind those that precede it.
        if column.epoch.0 != 0 {
            out.epoch.resize(index, 0);
            out.epoch.push(column.epoch.0);
        }
        if !row.extras().is_empty() {
            out.extra_count.resize(index, 0);
            out.extra_count.push(row.extras().len() as u32);
        }
        let mut before = row.below();
        for seq in row.extras() {
            out.extra_delta.push(seq - before);
            before = *seq;
        }
    }
    Some(out)
}

pub(super) fn commands(commands: &Commands) -> Option<pb::Commands> {
    Some(pb::Commands {
        batch: commands.as_slice().iter().map(command).collect(),
        noop: commands.is_noop(),
    })
}

fn command(command: &Command) -> pb::Command {
    pb::Command {
        operation: operation(&command.operation),
        footprint: Some(footprint(&command.footprint)),
    }
}

fn footprint(footprint: &Footprint) -> pb::Footprint {
    let (resources, ranges) = (footprint.resources(), footprint.ranges());
    pb::Footprint {
        everything: *footprint == Footprint::Everything,
        resource: resources.iter().map(|(name, _)| name.clone()).collect(),
        mode: resources.iter().map(|(_, mode)| mode.0).collect(),
        range: ranges.iter().map(|(of, _)| range(of)).collect(),
        range_mode: ranges.iter().map(|(_, mode)| mode.0).collect(),
        shown: match footprint {
            Footprint::Predicate(shown) => Some(shown.clone()),
            Footprint::Resources(_) | Footprint::Ranges { .. } | Footprint::Everything => None,
        },
    }
}

fn range(range: &Range) -> pb::Range {
    pb::Range { begin: range.begin().clone(), end: range.end().cloned() }
}

pub(super) fn operation(operation: &Operation) -> Option<pb::Operation> {
    use pb::operation::Kind;
    let kind = match operation {
        Operation::OpenSession => Kind::OpenSession(pb::Nothing {}),
        Operation::CloseSessions(sessions) => Kind::CloseSessions(pb::CloseSessions {
            sessions: sessions.iter().map(|id| session(*id)).collect(),
        }),
        Operation::Barrier => Kind::Barrier(pb::Nothing {}),
        Operation::Apply { request, acknowledged_below, payload } => Kind::Apply(pb::Apply {
            session: Some(session(request.session)),
            sequence: request.sequence,
            acknowledged_below: *acknowledged_below,
            payload: payload.clone(),
        }),
    };
    Some(pb::Operation { kind: Some(kind) })
}

pub(super) fn session(session: SessionId) -> pb::SessionId {
    pb::SessionId {
        epoch: session.opened.epoch.0,
        proposer: session.opened.proposer.0,
        seq: session.opened.seq,
        slot: session.slot,
    }
}

pub(super) fn value(value: &Value) -> Option<pb::Value> {
    Some(pb::Value { commands: commands(&value.commands), deps: deps(&value.deps) })
}

pub(super) fn held(held: &Held) -> pb::Held {
    pb::Held { commands: commands(&held.commands), deps: deps(&held.deps) }
}

pub(super) fn quorum(members: &[NodeId], anchor: NodeId) -> Option<pb::FastQuorum> {
    Some(pb::FastQuorum { members: members.iter().map(|node| node.0).collect(), anchor: anchor.0 })
}

pub(super) fn vote(vote: &Vote) -> pb::Vote {
    pb::Vote {
        ballot: ballot(vote.ballot),
        value: value(&vote.value),
        fast: vote
            .fast
            .as_ref()
            .and_then(|FastQuorum { members, anchor }| quorum(members, *anchor)),
    }
}

/// Nothing for an empty set, where that may be left out.
pub(super) fn some_deps(set: &DepSet) -> Option<pb::DepSet> {
    if set.is_empty() { None } else { deps(set) }
}

pub(super) fn answer(ticket: u64, outcome: &Outcome, seen: &DepSet) -> pb::Answer {
    use pb::answer::Outcome as Coded;
    let outcome = match outcome {
        Outcome::Executed(it) => Coded::Executed(reply(it)),
        Outcome::Invalid(why) => Coded::Invalid(reason(why)),
        Outcome::Overloaded => Coded::Overloaded(pb::Nothing {}),
    };
    pb::Answer { ticket, outcome: Some(outcome), seen: some_deps(seen) }
}

pub(super) fn consistency(consistency: &Consistency) -> pb::read::Consistency {
    use pb::read::Consistency as Coded;
    match consistency {
        Consistency::Linearizable => Coded::Linearizable(pb::Nothing {}),
        Consistency::Session(token) => Coded::Session(deps(token).unwrap_or_default()),
        Consistency::Stale => Coded::Stale(pb::Nothing {}),
    }
}

pub(super) fn read_outcome(outcome: &ReadOutcome) -> pb::read_answer::Outcome {
    use pb::read_answer::Outcome as Coded;
    match outcome {
        ReadOutcome::Done { reply, seen, lag } => {
            Coded::Done(pb::ReadDone { reply: reply.clone(), seen: deps(seen), lag_us: *lag })
        }
        ReadOutcome::Invalid(why) => Coded::Invalid(reason(why)),
        ReadOutcome::Command => Coded::Command(pb::Nothing {}),
        ReadOutcome::Later(ReadDelay::Overloaded) => Coded::Later(1),
        ReadOutcome::Later(ReadDelay::NoQuorum) => Coded::Later(2),
        ReadOutcome::Later(ReadDelay::Behind) => Coded::Later(3),
        ReadOutcome::TokenUnknown => Coded::TokenUnknown(pb::Nothing {}),
    }
}

pub(super) fn reply(reply: &Reply) -> pb::Reply {
    use pb::reply::Kind;
    let kind = match reply {
        Reply::Opened(id) => Kind::Opened(session(*id)),
        Reply::Closed => Kind::Closed(pb::Nothing {}),
        Reply::Passed => Kind::Passed(pb::Nothing {}),
        Reply::Applied(bytes) => Kind::Applied(bytes.clone()),
        Reply::SessionUnknown => Kind::SessionUnknown(pb::Nothing {}),
        Reply::Forgotten => Kind::Forgotten(pb::Nothing {}),
    };
    pb::Reply { kind: Some(kind) }
}

pub(super) fn nodes(numbers: &[(NodeId, u64)]) -> Vec<pb::NodeNumber> {
    numbers.iter().map(|(node, number)| pb::NodeNumber { node: node.0, number: *number }).collect()
}

pub(super) fn state_digests(digests: &[StateDigest]) -> Vec<pb::StateDigest> {
    let digest = |it: &StateDigest| pb::StateDigest { number: it.number, digest: it.digest };
    digests.iter().map(digest).collect()
}

/// The text, cut to its limit between two characters.
pub(super) fn reason(text: &str) -> String {
    let mut end = text.len().min(REASON_LEN_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
