//! One message or record of every shape, with values that show in the bytes.

use althing_model::*;
use althing_wire::*;
use bytes::Bytes;

/// Every kind of message, with a name.
pub(crate) fn messages() -> Vec<(String, Message)> {
    let submit = |ticket, operation| Submit { ticket, operation }.into();
    let answer = |ticket, outcome| Answer { ticket, outcome, seen: DepSet::default() }.into();
    let read = |ticket, consistency| {
        Read { ticket, payload: Bytes::from_static(b"get x"), consistency }.into()
    };
    let read_answer = |ticket, outcome| ReadAnswer { ticket, outcome }.into();
    let reply = || Bytes::from_static(b"ok");
    let named: Vec<(&str, Message)> = vec![
        ("submit apply", submit(1, apply(b"set x"))),
        ("submit open", submit(2, Operation::OpenSession)),
        ("submit barrier", submit(4, Operation::Barrier)),
        ("submit close", submit(3, Operation::CloseSessions(vec![session(4), session(5)]))),
        (
            "answer executed",
            answer(1, Outcome::Executed(Reply::Applied(Bytes::from_static(b"ok")))),
        ),
        ("answer invalid", answer(2, Outcome::Invalid("no command".into()))),
        ("answer overloaded", answer(3, Outcome::Overloaded)),
        (
            "answer seen",
            Answer { ticket: 4, outcome: Outcome::Executed(Reply::Closed), seen: deps() }.into(),
        ),
        ("read linearizable", read(5, Consistency::Linearizable)),
        ("read session", read(6, Consistency::Session(deps()))),
        ("read session unused", read(7, Consistency::Session(DepSet::default()))),
        ("read stale", read(8, Consistency::Stale)),
        (
            "read answer done",
            read_answer(5, ReadOutcome::Done { reply: reply(), seen: deps(), lag: None }),
        ),
        (
            "read answer stale",
            read_answer(8, ReadOutcome::Done { reply: reply(), seen: deps(), lag: Some(1500) }),
        ),
        ("read answer invalid", read_answer(5, ReadOutcome::Invalid("no command".into()))),
        ("read answer command", read_answer(5, ReadOutcome::Command)),
        ("read answer overloaded", read_answer(5, ReadOutcome::Later(ReadDelay::Overloaded))),
        ("read answer no quorum", read_answer(5, ReadOutcome::Later(ReadDelay::NoQuorum))),
        ("read answer behind", read_answer(5, ReadOutcome::Later(ReadDelay::Behind))),
        ("read answer unknown", read_answer(6, ReadOutcome::TokenUnknown)),
        (
            "read depend resource",
            ReadDepend {
                read: 1 << 40,
                scope: ReadScope::Resource(Bytes::from_static(b"x"), Mode(200)),
            }
            .into(),
        ),
        ("read depend everything", ReadDepend { read: 3, scope: ReadScope::Everything }.into()),
        ("read depended", ReadDepended { read: 1 << 40, deps: deps() }.into()),
        (
            "pre-accept",
            PreAccept {
                vertex: vertex(7),
                commands: commands(),
                base: deps(),
                quorum: vec![NodeId(0), NodeId(1), NodeId(4)],
                anchor: NodeId(1),
            }
            .into(),
        ),
        ("pre-accepted", PreAccepted { vertex: vertex(7), deps: deps() }.into()),
        ("conclude", Conclude { vertex: vertex(7), deps: deps() }.into()),
        ("concluded", Concluded { vertex: vertex(7) }.into()),
        (
            "depend",
            Depend {
                vertex: vertex(7),
                ballot: recovery(),
                commands: commands(),
                base: DepSet::default(),
            }
            .into(),
        ),
        (
            "depended",
            Depended { vertex: vertex(7), ballot: Ballot::classic(vertex(7)), deps: deps() }.into(),
        ),
        ("inspect", Inspect { vertex: vertex(7), ballot: recovery() }.into()),
        (
            "inspected held",
            Inspected {
                vertex: vertex(7),
                ballot: recovery(),
                held: Some(Held { commands: commands(), deps: deps() }),
            }
            .into(),
        ),
        (
            "inspected nothing",
            Inspected { vertex: vertex(7), ballot: recovery(), held: None }.into(),
        ),
        ("prepare", Prepare { vertex: vertex(7), ballot: recovery() }.into()),
        (
            "promised fast vote",
            Promised { vertex: vertex(7), ballot: recovery(), vote: Some(fast_vote()) }.into(),
        ),
        (
            "promised classic vote",
            Promised {
                vertex: vertex(7),
                ballot: recovery(),
                vote: Some(Vote { ballot: Ballot::classic(vertex(7)), value: value(), fast: None }),
            }
            .into(),
        ),
        ("promised no vote", Promised { vertex: vertex(7), ballot: recovery(), vote: None }.into()),
        ("accept", Accept { vertex: vertex(7), ballot: recovery(), value: noop() }.into()),
        ("accepted", Accepted { vertex: vertex(7), ballot: Ballot::classic(vertex(7)) }.into()),
        (
            "refused",
            Refused { vertex: vertex(7), ballot: Ballot::fast(vertex(7)), promised: recovery() }
                .into(),
        ),
        ("chosen", Chosen { vertex: vertex(7), value: value() }.into()),
        ("commit", Commit { vertex: vertex(7), value: value() }.into()),
        (
            "commit of ranges and of what is shown",
            Commit {
                vertex: vertex(7),
                value: Value { commands: wider_commands(), deps: DepSet::default() },
            }
            .into(),
        ),
        ("learned", Learned { vertex: vertex(7), value: noop() }.into()),
        (
            "executed",
            Executed {
                vertex: vertex(7),
                replies: vec![
                    Reply::Opened(session(4)),
                    Reply::Closed,
                    Reply::Applied(Bytes::from_static(b"ok")),
                    Reply::SessionUnknown,
                    Reply::Passed,
                    Reply::Forgotten,
                ],
                seen: DepSet::default(),
            }
            .into(),
        ),
        (
            "executed again",
            Executed { vertex: vertex(7), replies: vec![Reply::Closed], seen: deps() }.into(),
        ),
        ("recover", Recover { vertex: vertex(7) }.into()),
        (
            "frontier",
            Frontier {
                committed: deps(),
                held: floor(),
                digests: vec![
                    StateDigest { number: 6, digest: 0x0123_4567_89ab_cdef },
                    StateDigest { number: 7, digest: u64::MAX },
                ],
            }
            .into(),
        ),
        ("pruned", Pruned { vertex: vertex(7) }.into()),
        ("prune acceptor", PruneAcceptor { floor: floor() }.into()),
        ("prune dependency", PruneDependency { floor: floor() }.into()),
        ("prune proposer", PruneProposer { floor: floor() }.into()),
        ("barrier due", BarrierDue.into()),
        ("snapshot offer", SnapshotOffer { number: 12, len: 1 << 33, digest: [7; 32] }.into()),
        ("snapshot ask", SnapshotAsk { number: 12, offset: 1 << 32, len: 1 << 18 }.into()),
        (
            "snapshot chunk",
            SnapshotChunk {
                number: 12,
                offset: 1 << 32,
                checksum: 5,
                bytes: Bytes::from_static(b"part"),
            }
            .into(),
        ),
        ("relay", Relay { ticket: 5, operation: apply(b"set z") }.into()),
        (
            "relayed",
            Relayed { ticket: 5, outcome: Outcome::Overloaded, seen: DepSet::default() }.into(),
        ),
        ("register", Register { incarnation: 99, is_lost: true }.into()),
        ("registered", Registered { incarnation: 98 }.into()),
        ("reserved", Reserved { until: 1024 }.into()),
        ("watch", Watch { watch: 3, filter: filter(prefix("user/")), token: Some(deps()) }.into()),
        ("watch anew", Watch { watch: 4, filter: filter(Scope::Everything), token: None }.into()),
        (
            "watch of one",
            Watch { watch: 5, filter: filter(Scope::Resource("key".into())), token: None }.into(),
        ),
        ("watch taken", WatchTaken { watch: 3, number: 9 }.into()),
        ("unwatch", Unwatch { watch: 3 }.into()),
        (
            "watched",
            Watched {
                watch: 3,
                number: 9,
                changes: vec![Change {
                    vertex: vertex(7),
                    slot: 1,
                    request: RequestId { session: session(4), sequence: 9 },
                    payload: Bytes::from_static(b"set x"),
                    reply: Bytes::from_static(b"ok"),
                }],
                is_cut: true,
                token: Some(deps()),
            }
            .into(),
        ),
        ("watch ended", WatchEnded { watch: 3, why: WatchEnd::Compacted }.into()),
        (
            "served",
            Served {
                request: RequestId { session: session(4), sequence: 9 },
                reply: Reply::Applied(Bytes::from_static(b"ok")),
                seen: deps(),
            }
            .into(),
        ),
        (
            "demand",
            Demand {
                resource: Bytes::from_static(b"key"),
                window: 10_000_000,
                commands: vec![(NodeId(1), 3), (NodeId(4), 200)],
            }
            .into(),
        ),
        ("forward", Forward { operation: apply(b"set y") }.into()),
        (
            "distances",
            Distances { round_trips: vec![(NodeId(0), 78_400), (NodeId(2), 141_200)] }.into(),
        ),
    ];
    for kind in Kind::ALL {
        assert!(
            named.iter().any(|(_, message)| message.kind() == *kind),
            "{} has no sample",
            kind.name()
        );
    }
    named
        .into_iter()
        .map(|(name, message)| (format!("message {} {name}", message.kind() as u8), message))
        .collect()
}

/// Every kind of record, with a name.
pub(crate) fn records() -> Vec<(String, NodeRecord)> {
    let vertex = vertex(7);
    let ballot = recovery();
    let all: Vec<NodeRecord> = vec![
        ProposerRecord::Reserved { until: 2048, resolved: 1000 }.into(),
        ProposerRecord::Attempted { vertex, ballot }.into(),
        ProposerRecord::Pruned { floor: floor() }.into(),
        ProposerRecord::Rewritten.into(),
        DependencyRecord::Depended { vertex, commands: commands(), deps: deps() }.into(),
        DependencyRecord::Pruned { floor: floor() }.into(),
        DependencyRecord::Rewritten.into(),
        AcceptorRecord::Pruned { floor: floor() }.into(),
        AcceptorRecord::Kept {
            vertex,
            promised: ballot,
            vote: Some(Vote { ballot, value: value(), fast: None }),
        }
        .into(),
        AcceptorRecord::Rewritten.into(),
        VoterRecord::Pruned { floor: floor() }.into(),
        VoterRecord::Kept { vertex, promised: ballot, vote: Some(fast_vote()) }.into(),
        VoterRecord::Rewritten.into(),
        ReplicaRecord::Pruned { floor: floor() }.into(),
        ReplicaRecord::Rewritten.into(),
        AcceptorRecord::Promised { vertex, ballot }.into(),
        AcceptorRecord::Voted { vertex, ballot, value: value() }.into(),
        VoterRecord::Promised { vertex, ballot }.into(),
        VoterRecord::Voted { vertex, vote: fast_vote() }.into(),
        VoterRecord::Depended { vertex, ballot, commands: commands(), deps: deps() }.into(),
        VoterRecord::Committed { vertex, value: value() }.into(),
        ReplicaRecord::Committed { vertex, value: noop() }.into(),
    ];
    NodeRecord::KINDS
        .iter()
        .map(|(number, name)| {
            let record = all.iter().find(|record| record.kind() == *number);
            let record = record.unwrap_or_else(|| panic!("{name} has no sample"));
            (format!("record {number} {name}"), record.clone())
        })
        .collect()
}

fn vertex(seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(1), seq }
}

fn filter(scope: Scope) -> Filter {
    Filter { scope, modes: ModeSet(6) }
}

fn prefix(prefix: &'static str) -> Scope {
    Scope::Range(Range::prefix(prefix))
}

fn recovery() -> Ballot {
    Ballot { round: 2, proposer: NodeId(3) }
}

fn session(seq: u64) -> SessionId {
    SessionId { opened: vertex(seq), slot: 2 }
}

fn apply(payload: &'static [u8]) -> Operation {
    Operation::Apply {
        request: RequestId { session: session(4), sequence: 300 },
        acknowledged_below: 299,
        payload: Bytes::from_static(payload),
    }
}

fn commands() -> Commands {
    Commands::Batch(
        [
            Command {
                operation: apply(b"set x"),
                footprint: Footprint::of([
                    (Bytes::from_static(b"x"), Mode(1)),
                    (Bytes::from_static(b"y"), Mode(200)),
                ]),
            },
            Command { operation: Operation::OpenSession, footprint: Footprint::NOTHING },
            Command {
                operation: Operation::CloseSessions(vec![session(4)]),
                footprint: Footprint::Everything,
            },
        ]
        .into(),
    )
}

/// Ranges with and without an end, and what a predicate is shown.
fn wider_commands() -> Commands {
    let of = |footprint| Command { operation: apply(b"scan"), footprint };
    Commands::Batch(
        [
            of(Footprint::with_ranges(
                [(Bytes::from_static(b"x"), Mode(1))],
                [
                    (Range::prefix("user/"), Mode(0)),
                    (Range::from("z"), Mode(200)),
                    (Range::between("", "a").expect("it is not empty"), Mode(1)),
                ],
            )),
            of(Footprint::predicate("bid 7")),
            of(Footprint::predicate("")),
        ]
        .into(),
    )
}

/// Two epochs, a column of extras alone, one of a prefix alone, one of both.
fn deps() -> DepSet {
    let column = |epoch, proposer| Column { epoch: Epoch(epoch), proposer: NodeId(proposer) };
    DepSet::from_columns([
        (column(0, 0), 0, vec![5, 300]),
        (column(0, 2), 130, vec![]),
        (column(1, 0), 4, vec![6, 7, 9]),
        (column(1, 9), 1, vec![]),
    ])
}

fn floor() -> DepSet {
    deps().prefixes()
}

fn value() -> Value {
    Value { commands: commands(), deps: deps() }
}

fn noop() -> Value {
    Value { commands: Commands::Noop, deps: deps() }
}

fn fast_vote() -> Vote {
    Vote {
        ballot: Ballot::fast(vertex(7)),
        value: value(),
        fast: Some(FastQuorum {
            members: vec![NodeId(0), NodeId(1), NodeId(4)],
            anchor: NodeId(1),
        }),
    }
}
