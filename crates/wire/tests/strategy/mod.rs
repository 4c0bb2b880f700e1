//! Arbitrary messages and records, within the limits.

use althing_model::*;
use althing_wire::limits::*;
use althing_wire::*;
use bytes::Bytes;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Any message.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    select(Kind::ALL).prop_flat_map(message_of)
}

/// Any message of that kind.
pub(crate) fn message_of(kind: Kind) -> BoxedStrategy<Message> {
    match kind {
        Kind::Submit => (any::<u64>(), operation())
            .prop_map(|(ticket, operation)| Submit { ticket, operation }.into())
            .boxed(),
        Kind::Answer => (any::<u64>(), outcome(), deps())
            .prop_map(|(ticket, outcome, seen)| Answer { ticket, outcome, seen }.into())
            .boxed(),
        Kind::Read => (any::<u64>(), vec(any::<u8>(), 0..20), consistency())
            .prop_map(|(ticket, payload, consistency)| {
                Read { ticket, payload: payload.into(), consistency }.into()
            })
            .boxed(),
        Kind::ReadAnswer => (any::<u64>(), read_outcome())
            .prop_map(|(ticket, outcome)| ReadAnswer { ticket, outcome }.into())
            .boxed(),
        Kind::ReadDepend => (any::<u64>(), option::of((vec(any::<u8>(), 0..20), any::<u8>())))
            .prop_map(|(read, touched)| {
                let scope = touched.map_or(ReadScope::Everything, |(resource, mode)| {
                    ReadScope::Resource(resource.into(), Mode(mode))
                });
                ReadDepend { read, scope }.into()
            })
            .boxed(),
        Kind::ReadDepended => (any::<u64>(), deps())
            .prop_map(|(read, deps)| ReadDepended { read, deps }.into())
            .boxed(),
        Kind::PreAccept => (vertex(), commands(), deps(), quorum())
            .prop_map(|(vertex, commands, base, FastQuorum { members, anchor })| {
                PreAccept { vertex, commands, base, quorum: members, anchor }.into()
            })
            .boxed(),
        Kind::PreAccepted => (vertex(), deps())
            .prop_map(|(vertex, deps)| PreAccepted { vertex, deps }.into())
            .boxed(),
        Kind::Conclude => {
            (vertex(), deps()).prop_map(|(vertex, deps)| Conclude { vertex, deps }.into()).boxed()
        }
        Kind::Concluded => vertex().prop_map(|vertex| Concluded { vertex }.into()).boxed(),
        Kind::Depend => (attempt(1), commands(), deps())
            .prop_map(|((vertex, ballot), commands, base)| {
                Depend { vertex, ballot, commands, base }.into()
            })
            .boxed(),
        Kind::Depended => (attempt(1), deps())
            .prop_map(|((vertex, ballot), deps)| Depended { vertex, ballot, deps }.into())
            .boxed(),
        Kind::Inspect => {
            attempt(2).prop_map(|(vertex, ballot)| Inspect { vertex, ballot }.into()).boxed()
        }
        Kind::Inspected => (attempt(2), option::of((commands(), deps())))
            .prop_map(|((vertex, ballot), held)| {
                Inspected {
                    vertex,
                    ballot,
                    held: held.map(|(commands, deps)| Held { commands, deps }),
                }
                .into()
            })
            .boxed(),
        Kind::Prepare => {
            attempt(2).prop_map(|(vertex, ballot)| Prepare { vertex, ballot }.into()).boxed()
        }
        Kind::Promised => attempt(2)
            .prop_flat_map(|(vertex, ballot)| {
                option::of(vote(vertex))
                    .prop_map(move |vote| Promised { vertex, ballot, vote }.into())
            })
            .boxed(),
        Kind::Accept => (attempt(1), value())
            .prop_map(|((vertex, ballot), value)| Accept { vertex, ballot, value }.into())
            .boxed(),
        Kind::Accepted => {
            attempt(1).prop_map(|(vertex, ballot)| Accepted { vertex, ballot }.into()).boxed()
        }
        Kind::Refused => attempt(0)
            .prop_flat_map(|(vertex, ballot)| {
                ballot_in(vertex, 1)
                    .prop_map(move |promised| Refused { vertex, ballot, promised }.into())
            })
            .boxed(),
        Kind::Chosen => {
            (vertex(), value()).prop_map(|(vertex, value)| Chosen { vertex, value }.into()).boxed()
        }
        Kind::Commit => {
            (vertex(), value()).prop_map(|(vertex, value)| Commit { vertex, value }.into()).boxed()
        }
        Kind::Learned => {
            (vertex(), value()).prop_map(|(vertex, value)| Learned { vertex, value }.into()).boxed()
        }
        Kind::Executed => (vertex(), vec(reply(), 0..5), deps())
            .prop_map(|(vertex, replies, seen)| Executed { vertex, replies, seen }.into())
            .boxed(),
        Kind::Recover => vertex().prop_map(|vertex| Recover { vertex }.into()).boxed(),
        Kind::Frontier => (deps(), floor(), btree_map(any::<u64>(), any::<u64>(), 0..9))
            .prop_map(|(committed, held, digests)| {
                let digest = |(number, digest)| StateDigest { number, digest };
                let digests = digests.into_iter().map(digest).collect();
                Frontier { committed, held, digests }.into()
            })
            .boxed(),
        Kind::Pruned => vertex().prop_map(|vertex| Pruned { vertex }.into()).boxed(),
        Kind::PruneAcceptor => floor().prop_map(|floor| PruneAcceptor { floor }.into()).boxed(),
        Kind::PruneDependency => floor().prop_map(|floor| PruneDependency { floor }.into()).boxed(),
        Kind::PruneProposer => floor().prop_map(|floor| PruneProposer { floor }.into()).boxed(),
        Kind::BarrierDue => Just(BarrierDue.into()).boxed(),
        Kind::SnapshotOffer => (any::<u64>(), 0..=SNAPSHOT_LEN_MAX, any::<[u8; 32]>())
            .prop_map(|(number, len, digest)| SnapshotOffer { number, len, digest }.into())
            .boxed(),
        Kind::SnapshotAsk => (any::<u64>(), 0..=SNAPSHOT_LEN_MAX, 0..=CHUNK_LEN_MAX as u32)
            .prop_map(|(number, offset, len)| SnapshotAsk { number, offset, len }.into())
            .boxed(),
        Kind::SnapshotChunk => (any::<u64>(), 0..=SNAPSHOT_LEN_MAX, any::<u32>(), data(100))
            .prop_map(|(number, offset, checksum, bytes)| {
                SnapshotChunk { number, offset, checksum, bytes }.into()
            })
            .boxed(),
        Kind::Relay => (any::<u64>(), operation())
            .prop_map(|(ticket, operation)| Relay { ticket, operation }.into())
            .boxed(),
        Kind::Relayed => (any::<u64>(), outcome(), deps())
            .prop_map(|(ticket, outcome, seen)| Relayed { ticket, outcome, seen }.into())
            .boxed(),
        Kind::Register => (any::<u64>(), any::<bool>())
            .prop_map(|(incarnation, is_lost)| Register { incarnation, is_lost }.into())
            .boxed(),
        Kind::Registered => {
            any::<u64>().prop_map(|incarnation| Registered { incarnation }.into()).boxed()
        }
        Kind::Reserved => (0..=SEQ_END).prop_map(|until| Reserved { until }.into()).boxed(),
        Kind::Served => (session(), seq(), reply(), deps())
            .prop_map(|(session, sequence, reply, seen)| {
                Served { request: RequestId { session, sequence }, reply, seen }.into()
            })
            .boxed(),
        Kind::Demand => (data(30), 0..=MICROS_MAX, node_numbers(SEQ_END))
            .prop_map(|(resource, window, commands)| Demand { resource, window, commands }.into())
            .boxed(),
        Kind::Forward => operation().prop_map(|operation| Forward { operation }.into()).boxed(),
        Kind::Watch => (any::<u64>(), filter(), option::of(deps()))
            .prop_map(|(watch, filter, token)| Watch { watch, filter, token }.into())
            .boxed(),
        Kind::WatchTaken => (any::<u64>(), any::<u64>())
            .prop_map(|(watch, number)| WatchTaken { watch, number }.into())
            .boxed(),
        Kind::Unwatch => any::<u64>().prop_map(|watch| Unwatch { watch }.into()).boxed(),
        Kind::Watched => {
            (any::<u64>(), any::<u64>(), vec(change(), 0..4), any::<bool>(), option::of(deps()))
                .prop_map(|(watch, number, changes, is_cut, token)| {
                    Watched { watch, number, changes, is_cut, token }.into()
                })
                .boxed()
        }
        Kind::WatchEnded => (any::<u64>(), select(ENDS))
            .prop_map(|(watch, why)| WatchEnded { watch, why }.into())
            .boxed(),
        Kind::Distances => node_numbers(MICROS_MAX)
            .prop_map(|round_trips| Distances { round_trips }.into())
            .boxed(),
    }
}

const ENDS: &[WatchEnd] =
    &[WatchEnd::Compacted, WatchEnd::TooSlow, WatchEnd::Behind, WatchEnd::TooMany];

fn filter() -> impl Strategy<Value = Filter> {
    let range = prop_oneof![
        data(12).prop_map(Range::from),
        data(12).prop_map(Range::prefix),
        (data(12), data(12)).prop_map(|(a, b)| {
            let (from, to) = (a.clone().min(b.clone()), a.max(b));
            Range::between(from, to).unwrap_or_else(|| Range::prefix("x"))
        }),
    ];
    let scope = prop_oneof![
        data(12).prop_map(Scope::Resource),
        range.prop_map(Scope::Range),
        Just(Scope::Everything),
    ];
    (scope, any::<u64>().prop_map(ModeSet)).prop_map(|(scope, modes)| Filter { scope, modes })
}

fn change() -> impl Strategy<Value = Change> {
    let slot = 0..COMMANDS_PER_VERTEX_MAX as u32;
    (vertex(), slot, session(), seq(), data(100), data(100)).prop_map(
        |(vertex, slot, session, sequence, payload, reply)| Change {
            vertex,
            slot,
            request: RequestId { session, sequence },
            payload,
            reply,
        },
    )
}

/// Any record.
pub(crate) fn record() -> impl Strategy<Value = NodeRecord> {
    prop_oneof![
        (0..=SEQ_END, 0..=SEQ_END).prop_map(|(until, resolved)| ProposerRecord::Reserved {
            until,
            resolved
        }
        .into()),
        attempt(0).prop_map(|(vertex, ballot)| ProposerRecord::Attempted { vertex, ballot }.into()),
        (vertex(), commands(), deps()).prop_map(|(vertex, commands, deps)| {
            DependencyRecord::Depended { vertex, commands, deps }.into()
        }),
        attempt(0).prop_map(|(vertex, ballot)| AcceptorRecord::Promised { vertex, ballot }.into()),
        (attempt(1), value()).prop_map(|((vertex, ballot), value)| {
            AcceptorRecord::Voted { vertex, ballot, value }.into()
        }),
        attempt(0).prop_map(|(vertex, ballot)| VoterRecord::Promised { vertex, ballot }.into()),
        vertex().prop_flat_map(|vertex| vote(vertex).prop_map(move |vote| VoterRecord::Voted {
            vertex,
            vote
        }
        .into())),
        // Round 0 too: what a voter writes again after a prune.
        (attempt(0), commands(), deps()).prop_map(|((vertex, ballot), commands, deps)| {
            VoterRecord::Depended { vertex, ballot, commands, deps }.into()
        }),
        (vertex(), value())
            .prop_map(|(vertex, value)| VoterRecord::Committed { vertex, value }.into()),
        (vertex(), value())
            .prop_map(|(vertex, value)| ReplicaRecord::Committed { vertex, value }.into()),
        floor().prop_map(|floor| ProposerRecord::Pruned { floor }.into()),
        floor().prop_map(|floor| DependencyRecord::Pruned { floor }.into()),
        floor().prop_map(|floor| AcceptorRecord::Pruned { floor }.into()),
        floor().prop_map(|floor| VoterRecord::Pruned { floor }.into()),
        floor().prop_map(|floor| ReplicaRecord::Pruned { floor }.into()),
        kept(1).prop_map(|(vertex, promised, vote)| {
            AcceptorRecord::Kept { vertex, promised, vote }.into()
        }),
        kept(0).prop_map(
            |(vertex, promised, vote)| VoterRecord::Kept { vertex, promised, vote }.into()
        ),
        prop_oneof![
            Just(ProposerRecord::Rewritten.into()),
            Just(DependencyRecord::Rewritten.into()),
            Just(AcceptorRecord::Rewritten.into()),
            Just(VoterRecord::Rewritten.into()),
            Just(ReplicaRecord::Rewritten.into()),
        ],
    ]
}

fn seq() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..300, 0..SEQ_END, Just(SEQ_END - 1)]
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![0u32..5, any::<u32>()]
}

fn vertex() -> impl Strategy<Value = VertexId> {
    (number(), number(), seq()).prop_map(|(epoch, proposer, seq)| VertexId {
        epoch: Epoch(epoch),
        proposer: NodeId(proposer),
        seq,
    })
}

fn ballot_in(vertex: VertexId, least: u32) -> impl Strategy<Value = Ballot> {
    let round = prop_oneof![least..least + 4, least..=ROUND_MAX];
    (round, number()).prop_map(move |(round, proposer)| {
        let ballot = Ballot { round, proposer: NodeId(proposer) };
        if ballot.is_allowed_in(vertex) {
            ballot
        } else {
            Ballot { round, proposer: vertex.proposer }
        }
    })
}

fn attempt(least: u32) -> impl Strategy<Value = (VertexId, Ballot)> {
    vertex().prop_flat_map(move |vertex| (Just(vertex), ballot_in(vertex, least)))
}

fn session() -> impl Strategy<Value = SessionId> {
    (vertex(), 0..COMMANDS_PER_VERTEX_MAX as u32)
        .prop_map(|(opened, slot)| SessionId { opened, slot })
}

fn data(len: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..len).prop_map(Bytes::from)
}

fn node_numbers(max: u64) -> impl Strategy<Value = Vec<(NodeId, u64)>> {
    btree_map(number().prop_map(NodeId), 0..=max, 0..5)
        .prop_map(|numbers| numbers.into_iter().collect())
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        Just(Operation::OpenSession),
        Just(Operation::Barrier),
        vec(session(), 0..4).prop_map(Operation::CloseSessions),
        (session(), seq(), 0..=SEQ_END, data(200)).prop_map(
            |(session, sequence, acknowledged_below, payload)| Operation::Apply {
                request: RequestId { session, sequence },
                acknowledged_below,
                payload,
            }
        ),
    ]
}

fn footprint() -> impl Strategy<Value = Footprint> {
    prop_oneof![
        1 => Just(Footprint::Everything),
        4 => vec((data(12), any::<u8>().prop_map(Mode)), 0..5).prop_map(Footprint::of),
        2 => (
            vec((data(12), any::<u8>().prop_map(Mode)), 0..3),
            vec((range(), any::<u8>().prop_map(Mode)), 0..4),
        )
            .prop_map(|(resources, ranges)| Footprint::with_ranges(resources, ranges)),
        1 => data(12).prop_map(Footprint::Predicate),
    ]
}

fn range() -> impl Strategy<Value = Range> {
    prop_oneof![
        data(4).prop_map(Range::prefix),
        data(4).prop_map(Range::from),
        (data(4), data(4)).prop_filter_map("empty", |(from, to)| Range::between(from, to)),
    ]
}

fn commands() -> impl Strategy<Value = Commands> {
    let command = (operation(), footprint())
        .prop_map(|(operation, footprint)| Command { operation, footprint });
    prop_oneof![
        1 => Just(Commands::Noop),
        4 => vec(command, 1..4).prop_map(|batch| Commands::Batch(batch.into())),
    ]
}

fn deps() -> impl Strategy<Value = DepSet> {
    let column = (number(), number())
        .prop_map(|(epoch, proposer)| Column { epoch: Epoch(epoch), proposer: NodeId(proposer) });
    let below = prop_oneof![Just(0), 0u64..40, Just(SEQ_END)];
    let extras = vec(prop_oneof![0u64..40, seq()], 0..6);
    vec((column, below, extras), 0..6).prop_map(DepSet::from_columns)
}

fn floor() -> impl Strategy<Value = DepSet> {
    deps().prop_map(|deps| deps.prefixes())
}

fn kept(least: u32) -> impl Strategy<Value = (VertexId, Ballot, Option<Vote>)> {
    attempt(least).prop_flat_map(move |(vertex, promised)| {
        let vote = option::of(vote(vertex));
        vote.prop_map(move |vote| (vertex, promised, vote))
    })
}

fn value() -> impl Strategy<Value = Value> {
    (commands(), deps()).prop_map(|(commands, deps)| Value { commands, deps })
}

fn quorum() -> impl Strategy<Value = FastQuorum> {
    (btree_set(number(), 1..8), any::<prop::sample::Index>()).prop_map(|(members, anchor)| {
        let members: Vec<NodeId> = members.into_iter().map(NodeId).collect();
        FastQuorum { anchor: *anchor.get(&members), members }
    })
}

fn vote(vertex: VertexId) -> impl Strategy<Value = Vote> {
    (ballot_in(vertex, 0), value(), quorum()).prop_map(|(ballot, value, fast)| Vote {
        ballot,
        value,
        fast: (ballot.round == 0).then_some(fast),
    })
}

fn reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        session().prop_map(Reply::Opened),
        Just(Reply::Closed),
        Just(Reply::Passed),
        data(100).prop_map(Reply::Applied),
        Just(Reply::SessionUnknown),
        Just(Reply::Forgotten),
    ]
}

fn consistency() -> impl Strategy<Value = Consistency> {
    prop_oneof![
        Just(Consistency::Linearizable),
        deps().prop_map(Consistency::Session),
        Just(Consistency::Stale),
    ]
}

fn read_outcome() -> impl Strategy<Value = ReadOutcome> {
    let delays = vec![ReadDelay::Overloaded, ReadDelay::NoQuorum, ReadDelay::Behind];
    prop_oneof![
        (vec(any::<u8>(), 0..20), deps(), option::of(0..=MICROS_MAX))
            .prop_map(|(reply, seen, lag)| ReadOutcome::Done { reply: reply.into(), seen, lag }),
        "[a-z\u{e9} ]{0,40}".prop_map(ReadOutcome::Invalid),
        Just(ReadOutcome::Command),
        select(delays).prop_map(ReadOutcome::Later),
        Just(ReadOutcome::TokenUnknown),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        reply().prop_map(Outcome::Executed),
        "[a-z\u{e9} ]{0,40}".prop_map(Outcome::Invalid),
        Just(Outcome::Overloaded),
    ]
}
