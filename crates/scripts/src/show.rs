//! How things are written in a story, and read.

use althing_kv::{KvCommand, KvReply};
use althing_model::{
    Ballot, Commands, DepSet, Epoch, NodeId, Operation, Reply, SessionId, Value, VertexId,
};
use althing_wire::{
    AcceptorRecord, DependencyRecord, FastQuorum, Message, NodeRecord, ProposerRecord,
    ReplicaRecord, Vote, VoterRecord,
};
use bytes::Bytes;

pub(crate) fn vertex(vertex: VertexId) -> String {
    format!("{}.{}", vertex.proposer.0, vertex.seq)
}

/// The client of a node by its name; any other session by its vertex and the place in the batch.
pub(crate) fn session(session: SessionId) -> String {
    match session {
        SessionId { opened: VertexId { seq: 0, proposer, .. }, slot: 0 } => {
            format!("c{}", proposer.0)
        }
        SessionId { opened, slot } => format!("{}/{slot}", vertex(opened)),
    }
}

/// Rounds 0 and 1 are the owner's; the others name their proposer.
pub(crate) fn ballot(ballot: Ballot) -> String {
    match ballot.round {
        round @ (0 | 1) => format!("b{round}"),
        round => format!("b{round}@{}", ballot.proposer),
    }
}

/// Number 0 of each proposer, the opening of its client's session, is left out.
pub(crate) fn deps(deps: &DepSet) -> String {
    let mut parts = Vec::new();
    for (column, row) in deps.columns() {
        let proposer = column.proposer.0;
        match row.below() {
            0 | 1 => {}
            2 => parts.push(format!("{proposer}.1")),
            below => parts.push(format!("{proposer}.1-{}", below - 1)),
        }
        parts.extend(row.extras().iter().map(|seq| format!("{proposer}.{seq}")));
    }
    format!("{{{}}}", parts.join(" "))
}

pub(crate) fn value(value: &Value) -> String {
    format!("{} {}", commands(&value.commands), deps(&value.deps))
}

pub(crate) fn commands(commands: &Commands) -> String {
    if commands.is_noop() {
        return "noop".to_owned();
    }
    let words = commands.as_slice().iter().map(|command| operation(&command.operation));
    words.collect::<Vec<_>>().join("; ")
}

fn operation(operation: &Operation) -> String {
    match operation {
        Operation::OpenSession => "open".to_owned(),
        Operation::Barrier => "barrier".to_owned(),
        Operation::CloseSessions(sessions) => {
            let sessions: Vec<_> = sessions.iter().map(|it| session(*it)).collect();
            format!("close {}", sessions.join(" "))
        }
        Operation::Apply { payload, .. } => match KvCommand::decode(payload.clone()) {
            Ok(command) => kv(&command),
            Err(_) => "no command".to_owned(),
        },
    }
}

fn kv(command: &KvCommand) -> String {
    match command {
        KvCommand::Get { key } => format!("get {}", text(key)),
        KvCommand::Put { key, value } => format!("put {} {}", text(key), text(value)),
        KvCommand::Delete { key } => format!("del {}", text(key)),
        KvCommand::Increment { key, by } => format!("inc {} {by}", text(key)),
        KvCommand::Add { key, by } => format!("add {} {by}", text(key)),
        KvCommand::MultiPut { pairs } => {
            let pairs = pairs.iter().map(|(key, value)| format!(" {} {}", text(key), text(value)));
            format!("mput{}", pairs.collect::<String>())
        }
        KvCommand::MultiGet { keys } => {
            let keys = keys.iter().map(|key| format!(" {}", text(key)));
            format!("mget{}", keys.collect::<String>())
        }
        other => format!("{other:?}"),
    }
}

/// A command as [`kv`] writes it.
pub(crate) fn parse_kv(words: &[&str]) -> Result<KvCommand, String> {
    let bytes = |word: &str| Bytes::copy_from_slice(word.as_bytes());
    let number = |word: &str| word.parse().map_err(|_| format!("{word} is no number"));
    Ok(match words {
        ["get", key] => KvCommand::Get { key: bytes(key) },
        ["put", key, value] => KvCommand::Put { key: bytes(key), value: bytes(value) },
        ["del", key] => KvCommand::Delete { key: bytes(key) },
        ["inc", key, by] => KvCommand::Increment { key: bytes(key), by: number(by)? },
        ["add", key, by] => KvCommand::Add { key: bytes(key), by: number(by)? },
        ["mget", keys @ ..] if !keys.is_empty() => {
            KvCommand::MultiGet { keys: keys.iter().map(|key| bytes(key)).collect() }
        }
        ["mput", pairs @ ..] if !pairs.is_empty() && pairs.len().is_multiple_of(2) => {
            let pairs = pairs.chunks(2).map(|pair| (bytes(pair[0]), bytes(pair[1]))).collect();
            KvCommand::MultiPut { pairs }
        }
        _ => return Err(format!("{} is no command of the store", words.join(" "))),
    })
}

pub(crate) fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Opened(opened) => format!("session {}", session(*opened)),
        Reply::Closed => "closed".to_owned(),
        Reply::Passed => "passed".to_owned(),
        Reply::SessionUnknown => "session unknown".to_owned(),
        Reply::Forgotten => "forgotten".to_owned(),
        Reply::Applied(bytes) => match KvReply::decode(bytes.clone()) {
            Ok(KvReply::Value(Some(value))) => text(&value),
            Ok(KvReply::Value(None)) => "nothing".to_owned(),
            Ok(KvReply::Done) => "done".to_owned(),
            Ok(KvReply::Number(number)) => number.to_string(),
            Ok(KvReply::Values(values)) => {
                let values = values.iter().map(|it| it.as_ref().map_or("nothing".into(), text));
                values.collect::<Vec<_>>().join(" ")
            }
            other => format!("{other:?}"),
        },
    }
}

/// A record, as `n1 records ..` goes on.
pub(crate) fn record(record: &NodeRecord) -> String {
    match record {
        NodeRecord::Voter(VoterRecord::Promised { vertex: v, ballot: b })
        | NodeRecord::Acceptor(AcceptorRecord::Promised { vertex: v, ballot: b }) => {
            format!("promise {} {}", vertex(*v), ballot(*b))
        }
        NodeRecord::Voter(VoterRecord::Voted { vertex: v, vote: it }) => {
            format!("vote {} {}", vertex(*v), vote(it))
        }
        NodeRecord::Acceptor(AcceptorRecord::Voted { vertex: v, ballot: b, value: it }) => {
            format!("vote {} {} {}", vertex(*v), ballot(*b), value(it))
        }
        NodeRecord::Voter(VoterRecord::Depended { vertex: v, ballot: b, commands: c, deps: d }) => {
            format!("answer {} {} {} {}", vertex(*v), ballot(*b), commands(c), deps(d))
        }
        NodeRecord::Dependency(DependencyRecord::Depended { vertex: v, commands: c, deps: d }) => {
            format!("answer {} {} {}", vertex(*v), commands(c), deps(d))
        }
        NodeRecord::Voter(VoterRecord::Committed { vertex: v, value: it })
        | NodeRecord::Replica(ReplicaRecord::Committed { vertex: v, value: it }) => {
            format!("commit {} {}", vertex(*v), value(it))
        }
        NodeRecord::Voter(VoterRecord::Kept { vertex: v, promised: b, vote: it })
        | NodeRecord::Acceptor(AcceptorRecord::Kept { vertex: v, promised: b, vote: it }) => {
            let vote = it.as_ref().map_or("no vote".to_owned(), |it| format!("vote {}", vote(it)));
            format!("keep {} promise {} {vote}", vertex(*v), ballot(*b))
        }
        NodeRecord::Voter(VoterRecord::Pruned { floor }) => format!("voter pruned {}", deps(floor)),
        NodeRecord::Acceptor(AcceptorRecord::Pruned { floor }) => {
            format!("acceptor pruned {}", deps(floor))
        }
        NodeRecord::Dependency(DependencyRecord::Pruned { floor }) => {
            format!("dependency pruned {}", deps(floor))
        }
        NodeRecord::Proposer(ProposerRecord::Pruned { floor }) => {
            format!("proposer pruned {}", deps(floor))
        }
        NodeRecord::Replica(ReplicaRecord::Pruned { floor }) => {
            format!("replica pruned {}", deps(floor))
        }
        NodeRecord::Voter(VoterRecord::Rewritten) => "voter rewritten".to_owned(),
        NodeRecord::Acceptor(AcceptorRecord::Rewritten) => "acceptor rewritten".to_owned(),
        NodeRecord::Dependency(DependencyRecord::Rewritten) => "dependency rewritten".to_owned(),
        NodeRecord::Proposer(ProposerRecord::Rewritten) => "proposer rewritten".to_owned(),
        NodeRecord::Replica(ReplicaRecord::Rewritten) => "replica rewritten".to_owned(),
        NodeRecord::Proposer(ProposerRecord::Attempted { vertex: v, ballot: b }) => {
            format!("attempt {} {}", vertex(*v), ballot(*b))
        }
        NodeRecord::Proposer(ProposerRecord::Reserved { until, resolved }) => {
            format!("reservation below {until}, committed below {resolved}")
        }
    }
}

pub(crate) fn vote(vote: &Vote) -> String {
    let quorum = match &vote.fast {
        None => String::new(),
        Some(FastQuorum { members, .. }) => format!(" of {}", nodes(members)),
    };
    format!("{} {}{quorum}", ballot(vote.ballot), value(&vote.value))
}

pub(crate) fn nodes<'a>(nodes: impl IntoIterator<Item = &'a NodeId>) -> String {
    nodes.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// A message, without its ends.
pub(crate) fn message(message: &Message) -> String {
    let name = message.kind().name();
    let of = message.vertex().map(vertex).unwrap_or_default();
    let rest = match message {
        Message::PreAccept(m) => deps(&m.base),
        Message::PreAccepted(m) => deps(&m.deps),
        Message::Conclude(m) => deps(&m.deps),
        Message::Depend(m) => format!("{} {}", ballot(m.ballot), deps(&m.base)),
        Message::Depended(m) => format!("{} {}", ballot(m.ballot), deps(&m.deps)),
        Message::Inspect(m) => ballot(m.ballot),
        Message::Inspected(m) => match &m.held {
            None => format!("{} holds nothing", ballot(m.ballot)),
            Some(held) => {
                format!(
                    "{} holds {} {}",
                    ballot(m.ballot),
                    commands(&held.commands),
                    deps(&held.deps)
                )
            }
        },
        Message::Prepare(m) => ballot(m.ballot),
        Message::Promised(m) => match &m.vote {
            None => format!("{}, no vote", ballot(m.ballot)),
            Some(it) => format!("{}, vote {}", ballot(m.ballot), vote(it)),
        },
        Message::Accept(m) => format!("{} {}", ballot(m.ballot), value(&m.value)),
        Message::Accepted(m) => ballot(m.ballot),
        Message::Refused(m) => format!("{}: promised {}", ballot(m.ballot), ballot(m.promised)),
        Message::Chosen(m) => value(&m.value),
        Message::Commit(m) => value(&m.value),
        Message::Frontier(m) if m.held.is_empty() => {
            return format!("{name} {}", deps(&m.committed));
        }
        Message::Frontier(m) => {
            return format!("{name} {} held {}", deps(&m.committed), deps(&m.held));
        }
        Message::PruneAcceptor(m) => deps(&m.floor),
        Message::PruneDependency(m) => deps(&m.floor),
        Message::PruneProposer(m) => deps(&m.floor),
        Message::SnapshotOffer(m) => m.number.to_string(),
        _ => String::new(),
    };
    [name, &of, &rest].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

pub(crate) fn parse_node(word: &str) -> Option<NodeId> {
    word.strip_prefix('n')?.parse().ok().map(NodeId)
}

pub(crate) fn parse_vertex(word: &str) -> Option<VertexId> {
    let (proposer, seq) = word.split_once('.')?;
    let proposer = NodeId(proposer.parse().ok()?);
    Some(VertexId { epoch: Epoch(0), proposer, seq: seq.parse().ok()? })
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
