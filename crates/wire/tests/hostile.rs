//! Bodies that no honest sender makes.

mod sample;
mod strategy;

use althing_model::*;
use althing_wire::limits::*;
use althing_wire::*;
use bytes::Bytes;
use proptest::prelude::*;

/// Decodes as every kind there is; whatever comes out must survive another round trip.
fn decode_as_everything(body: &Bytes) {
    for kind in Kind::ALL {
        if let Ok(message) = Message::decode(*kind, body.clone()) {
            assert_eq!(Message::decode(*kind, message.encode()), Ok(message));
        }
    }
    for kind in 0..=u8::MAX {
        if let Ok(record) = NodeRecord::decode(kind, body.clone()) {
            assert_eq!(NodeRecord::decode(kind, record.encode()), Ok(record));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Broken: a peer ends a node with a body of noise.
    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_as_everything(&noise.into());
    }

    /// Broken: a peer ends a node with a body that is almost right.
    #[test]
    fn mutations_never_panic(
        message in strategy::message(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let mut body = message.encode().to_vec();
        for (place, byte, change) in cuts {
            if body.is_empty() {
                break;
            }
            let place = place.index(body.len());
            match change {
                0 => body[place] = byte,
                1 => body.insert(place, byte),
                2 => { body.remove(place); }
                _ => body.truncate(place),
            }
        }
        decode_as_everything(&body.into());
    }

    /// Broken: a journal with damage that its checksum missed ends the node without a word.
    #[test]
    fn mutated_records_never_panic(
        record in strategy::record(), place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut body = record.encode().to_vec();
        if !body.is_empty() {
            let place = place.index(body.len());
            body[place] = byte;
        }
        decode_as_everything(&body.into());
    }
}

/// Broken: the first half of a record counts as the record.
#[test]
fn no_proper_prefix_of_a_record_is_taken_for_the_whole() {
    for (name, record) in sample::records() {
        let body = record.encode();
        for len in 0..body.len() {
            let read = NodeRecord::decode(record.kind(), body.slice(..len));
            assert_ne!(read.as_ref(), Ok(&record), "{name} cut to {len} bytes");
        }
    }
}

/// Broken: the first half of a message counts as the message.
#[test]
fn no_proper_prefix_of_a_message_is_taken_for_the_whole() {
    for (name, message) in sample::messages() {
        let body = message.encode();
        for len in 0..body.len() {
            let read = Message::decode(message.kind(), body.slice(..len));
            assert_ne!(read.as_ref(), Ok(&message), "{name} cut to {len} bytes");
        }
    }
}

fn vertex() -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(1), seq: 7 }
}

fn fault(message: Message) -> String {
    let kind = message.kind();
    match Message::decode(kind, message.encode()) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("a {} was taken", kind.name()),
    }
}

fn commit(operation: Operation, footprint: Footprint, commands: usize) -> Message {
    let command = Command { operation, footprint };
    Commit {
        vertex: vertex(),
        value: Value {
            commands: Commands::Batch(vec![command; commands].into()),
            deps: DepSet::default(),
        },
    }
    .into()
}

fn apply(payload: usize) -> Operation {
    Operation::Apply {
        request: RequestId { session: SessionId { opened: vertex(), slot: 0 }, sequence: 0 },
        acknowledged_below: 0,
        payload: vec![7; payload].into(),
    }
}

fn ranges(count: usize, len: usize) -> Footprint {
    let range = |i| Range::between(format!("{i:0len$}"), format!("{i:0len$}x"));
    let ranges = (0..count).map(|i| (range(i).expect("it is not empty"), Mode(0)));
    Footprint::with_ranges([], ranges)
}

fn digests(numbers: impl IntoIterator<Item = u64>) -> Message {
    let digest = |number| StateDigest { number, digest: 1 };
    let digests = numbers.into_iter().map(digest).collect();
    Frontier { committed: DepSet::default(), held: DepSet::default(), digests }.into()
}

fn resources(count: usize, len: usize) -> Footprint {
    Footprint::of((0..count).map(|i| (format!("{i:0len$}").into(), Mode(0))))
}

/// Broken: a proposer that is wrong or evil makes acceptors break a promise of the protocol.
#[test]
fn ballots_out_of_place_are_named() {
    let ballot = |round, proposer| Ballot { round, proposer: NodeId(proposer) };
    let vertex = vertex();
    assert_eq!(
        fault(Prepare { vertex, ballot: ballot(1, 1) }.into()),
        "Prepare: ballot: round 1, where 2 is the lowest possible"
    );
    let value = Value { commands: Commands::Noop, deps: DepSet::default() };
    let accept = |ballot| Accept { vertex, ballot, value: value.clone() }.into();
    assert_eq!(
        fault(accept(ballot(0, 1))),
        "Accept: ballot: round 0, where 1 is the lowest possible"
    );
    assert_eq!(
        fault(accept(ballot(1, 2))),
        "Accept: ballot: b1@n2 may not be used in vertex 0.1.7"
    );
    assert_eq!(
        fault(accept(ballot(u32::MAX, 2))),
        "Accept: ballot: 4294967295, over the 2147483647 allowed"
    );
    let vote = |round, fast| {
        Promised {
            vertex,
            ballot: ballot(2, 2),
            vote: Some(Vote { ballot: ballot(round, 1), value: value.clone(), fast }),
        }
        .into()
    };
    assert_eq!(fault(vote(0, None)), "Promised: Vote.fast: missing");
    let fast = FastQuorum { members: vec![NodeId(1)], anchor: NodeId(1) };
    assert_eq!(fault(vote(1, Some(fast))), "Promised: Vote.fast: contradicts another field");
}

/// Broken: two voters count different fast quorums, or a fast commit has nobody to conclude it.
#[test]
fn quorums_out_of_shape_are_named() {
    let quorum = |members: Vec<u32>, anchor| {
        PreAccept {
            vertex: vertex(),
            commands: Commands::Noop,
            base: DepSet::default(),
            quorum: members.into_iter().map(NodeId).collect(),
            anchor: NodeId(anchor),
        }
        .into()
    };
    let unsorted = "PreAccept: FastQuorum.members: not strictly ascending";
    assert_eq!(fault(quorum(vec![1, 3, 2], 1)), unsorted);
    assert_eq!(fault(quorum(vec![1, 1], 1)), unsorted);
    let outside = "PreAccept: FastQuorum.anchor: the anchor is no member of the quorum";
    assert_eq!(fault(quorum(vec![1, 2], 3)), outside);
    assert_eq!(fault(quorum(vec![], 0)), outside);
    assert_eq!(
        fault(quorum((0..65).collect(), 0)),
        "PreAccept: FastQuorum.members: 65 elements, over the 64 allowed"
    );
}

/// Broken: one message takes more of everyone's memory than was planned for.
#[test]
fn everything_has_its_limit() {
    let cases = [
        (commit(apply(0), Footprint::NOTHING, 0), "Commit: Commands.batch: empty"),
        (
            commit(apply(0), Footprint::NOTHING, 4097),
            "Commit: Commands.batch: 4097 elements, over the 4096 allowed",
        ),
        (
            commit(apply(PAYLOAD_LEN_MAX + 1), Footprint::NOTHING, 1),
            "Commit: Apply.payload: 1048577 bytes, over the 1048576 allowed",
        ),
        (
            commit(apply(PAYLOAD_LEN_MAX), resources(1, 1), 2),
            "Commit: Commands.batch: 2097154 bytes, over the 2097152 allowed",
        ),
        (
            commit(apply(0), resources(1025, 4), 1),
            "Commit: Footprint.resource: 1025 elements, over the 1024 allowed",
        ),
        (
            commit(apply(0), resources(1, 1025), 1),
            "Commit: Footprint.resource: 1025 bytes, over the 1024 allowed",
        ),
        (
            commit(apply(0), resources(17, 2), 4096),
            "Commit: Footprint.resource: 65537 elements, over the 65536 allowed",
        ),
        (
            commit(apply(0), ranges(257, 4), 1),
            "Commit: Footprint.range: 257 elements, over the 256 allowed",
        ),
        (
            commit(apply(0), ranges(1, 1024), 1),
            "Commit: Footprint.range: 1025 bytes, over the 1024 allowed",
        ),
        (
            commit(apply(0), ranges(2, 4), 2049),
            "Commit: Footprint.range: 4098 elements, over the 4096 allowed",
        ),
        (
            commit(apply(0), wide_and_many(), 1),
            "Commit: Footprint: 1310975 bytes, over the 1048576 allowed",
        ),
        (
            commit(apply(0), Footprint::predicate(vec![7; 4097]), 1),
            "Commit: Footprint.shown: 4097 bytes, over the 4096 allowed",
        ),
        (
            Frontier {
                committed: DepSet::from_columns((0..4097).map(|node| {
                    let column = Column { epoch: Epoch(0), proposer: NodeId(node) };
                    (column, 1, vec![])
                })),
                held: DepSet::default(),
                digests: Vec::new(),
            }
            .into(),
            "Frontier: DepSet.proposer: 4097 elements, over the 4096 allowed",
        ),
        (
            Frontier {
                committed: DepSet::from_columns([(
                    vertex().column(),
                    0,
                    (1..=65_537).map(|i| 2 * i).collect(),
                )]),
                held: DepSet::default(),
                digests: Vec::new(),
            }
            .into(),
            "Frontier: DepSet.extra_delta: 65537 elements, over the 65536 allowed",
        ),
        (digests(0..9), "Frontier: digests: 9 elements, over the 8 allowed"),
        (digests([3, 3]), "Frontier: digests: not strictly ascending"),
        (
            Recover { vertex: VertexId { seq: SEQ_END, ..vertex() } }.into(),
            "Recover: vertex.seq: 4611686018427387904, over the 4611686018427387903 allowed",
        ),
        (
            Executed {
                vertex: vertex(),
                replies: vec![Reply::Closed; 4097],
                seen: DepSet::default(),
            }
            .into(),
            "Executed: replies: 4097 elements, over the 4096 allowed",
        ),
    ];
    for (message, expected) in cases {
        // Which of two limits is named first is not the point where both are broken.
        let found = fault(message);
        let stem = |text: &str| text.split(": ").take(2).collect::<Vec<_>>().join(": ");
        assert_eq!(stem(&found), stem(expected), "{found}");
        assert!(found == expected || found.contains("over the"), "{found}");
    }
}

/// Resources and ranges, each within their limits, and all together not.
fn wide_and_many() -> Footprint {
    let (resources, ranges) =
        (resources(RESOURCES_PER_COMMAND_MAX, 1024), ranges(RANGES_PER_COMMAND_MAX, 511));
    Footprint::with_ranges(resources.resources().to_vec(), ranges.ranges().to_vec())
}

/// A field of that number with a body.
fn field(number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_varint(u64::from(number << 3 | 2), &mut out);
    prost::encoding::encode_varint(body.len() as u64, &mut out);
    out.extend_from_slice(body);
    out
}

/// Broken: a footprint that can be read in two ways is read in two ways.
#[test]
fn footprints_out_of_shape_are_named() {
    let all = |fields: &[Vec<u8>]| fields.concat();
    let from = |begin: &[u8]| field(4, &field(1, begin));
    let between = |begin: &[u8], end: &[u8]| field(4, &all(&[field(1, begin), field(2, end)]));
    let modes = |count: usize| field(5, &vec![0; count]);
    let (everything, shown) = (vec![1 << 3, 1], field(6, b"x"));
    let unsorted = "Footprint.range: not strictly ascending";
    let two_ways = "Footprint.everything: contradicts another field";
    let cases = [
        (all(&[between(b"b", b"b"), modes(1)]), "Footprint.range: empty"),
        (all(&[between(b"b", b"a"), modes(1)]), "Footprint.range: empty"),
        (all(&[between(b"a", b"b"), from(b"a"), modes(2)]), unsorted),
        (all(&[from(b"a"), from(b"a"), modes(2)]), unsorted),
        (from(b"a"), "Footprint.range_mode: 0 elements where 1 are described"),
        (all(&[everything.clone(), from(b"a"), modes(1)]), two_ways),
        (all(&[everything, shown.clone()]), two_ways),
        (all(&[from(b"a"), modes(1), shown.clone()]), "Footprint.shown: contradicts another field"),
    ];
    let read = |footprint: &[u8]| {
        let command = all(&[field(1, &field(1, &[])), field(2, footprint)]);
        let value = all(&[field(1, &field(1, &command)), field(2, &[])]);
        Message::decode(Kind::Commit, all(&[field(1, &[]), field(2, &value)]).into())
    };
    for (footprint, expected) in cases {
        let error = read(&footprint).expect_err("it is out of shape");
        assert_eq!(error.to_string(), format!("Commit: {expected}"));
    }
    assert!(read(&shown).is_ok(), "the rest of the message is right");
}

/// Broken: the largest vertex that may be proposed cannot be sent.
#[test]
fn the_largest_vertex_fits_a_frame() {
    let extras = (0..COLUMNS_MAX as u32).map(|node| {
        let column = Column { epoch: Epoch(u32::MAX), proposer: NodeId(u32::MAX - node) };
        let each = (EXTRAS_MAX / COLUMNS_MAX) as u64;
        let extras = (0..each).map(|i| SEQ_END - 1 - (i << 55)).collect();
        (column, 1 << 56, extras)
    });
    let many = resources(RESOURCES_PER_VERTEX_MAX / COMMANDS_PER_VERTEX_MAX, 2);
    let each = COMMANDS_LEN_MAX / COMMANDS_PER_VERTEX_MAX;
    let command = Command { operation: apply(each - 32), footprint: many };
    assert_eq!(command_len(&command), each);
    let message: Message = Commit {
        vertex: vertex(),
        value: Value {
            commands: Commands::Batch(vec![command; COMMANDS_PER_VERTEX_MAX].into()),
            deps: DepSet::from_columns(extras),
        },
    }
    .into();
    let body = message.encode();
    assert!(body.len() <= frame::BODY_LEN_MAX as usize, "{}", body.len());
    assert!(Message::decode(Kind::Commit, body).is_ok_and(|read| read == message));

    let largest =
        commit(apply(PAYLOAD_LEN_MAX), resources(RESOURCES_PER_COMMAND_MAX, RESOURCE_LEN_MAX), 1);
    let read = Message::decode(Kind::Commit, largest.encode());
    assert!(read.is_ok_and(|read| read == largest));
}

/// Broken: a client's log fills with a text of any length, or a character is cut in two.
#[test]
fn a_long_reason_is_cut() {
    let answer: Message = Answer {
        ticket: 0,
        outcome: Outcome::Invalid("\u{20ac}".repeat(1000)),
        seen: DepSet::default(),
    }
    .into();
    match Message::decode(Kind::Answer, answer.encode()) {
        Ok(Message::Answer(Answer { outcome: Outcome::Invalid(text), .. })) => {
            assert_eq!(text, "\u{20ac}".repeat(341))
        }
        other => panic!("{other:?}"),
    }
}
