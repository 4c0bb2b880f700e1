//! Counting the elements of a long body before memory is taken for any of them.
//!
//! Two bytes of a body can announce an element that takes 200 bytes in memory. A body that is short
//! cannot do harm that way; a long one is walked once, without taking memory, and refused when it
//! repeats anything more often than the limits allow.

use super::decode::Body;
use super::{DecodeError, Fault};
use crate::Kind;
use crate::limits::*;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// Bodies up to this length are not walked: what they can announce takes at most 6 MiB.
const SHORT: usize = 32 << 10;

/// The fields of a message in which something repeated lies, by number. The rest is passed over.
pub(super) type Shape = &'static [(u32, Part)];

pub(super) enum Part {
    /// A message.
    Within(Shape),
    /// A repeated message, of an empty shape where it is a byte string.
    Each(Counted, Shape),
    /// Repeated numbers, packed or not.
    Numbers(Counted),
}

/// What is counted, over the whole body: no message holds two sets of commands or dependencies.
#[derive(Clone, Copy)]
pub(super) enum Counted {
    Columns,
    Extras,
    Commands,
    Resources,
    Ranges,
    Sessions,
    Members,
    Replies,
    Nodes,
    Changes,
    Digests,
}

use Counted::*;
use Part::*;

pub(super) const PLAIN: Shape = &[];
pub(super) const DEPS: Shape = &[
    (1, Numbers(Columns)),
    (2, Numbers(Columns)),
    (3, Numbers(Columns)),
    (4, Numbers(Columns)),
    (5, Numbers(Extras)),
];
const CLOSE_SESSIONS: Shape = &[(1, Each(Sessions, PLAIN))];
const OPERATION: Shape = &[(2, Within(CLOSE_SESSIONS))];
const FOOTPRINT: Shape = &[(2, Each(Resources, PLAIN)), (4, Each(Ranges, PLAIN))];
const COMMAND: Shape = &[(1, Within(OPERATION)), (2, Within(FOOTPRINT))];
const COMMANDS: Shape = &[(1, Each(Commands, COMMAND))];
const VALUE: Shape = &[(1, Within(COMMANDS)), (2, Within(DEPS))];
const QUORUM: Shape = &[(1, Numbers(Members))];
const VOTE: Shape = &[(2, Within(VALUE)), (3, Within(QUORUM))];

pub(super) const VERTEX_VALUE: Shape = &[(2, Within(VALUE))];
pub(super) const VERTEX_BALLOT_VALUE: Shape = &[(3, Within(VALUE))];
pub(super) const VERTEX_VOTE: Shape = &[(2, Within(VOTE))];
pub(super) const VERTEX_COMMANDS_DEPS: Shape = &[(2, Within(COMMANDS)), (3, Within(DEPS))];
pub(super) const VERTEX_BALLOT_COMMANDS_DEPS: Shape = &[(3, Within(COMMANDS)), (4, Within(DEPS))];
pub(super) const FLOOR: Shape = &[(1, Within(DEPS))];
pub(super) const KEPT: Shape = &[(3, Within(VOTE))];
/// The executed ranges are as many as the replica that wrote the file had holes.
pub(super) const HEADER: Shape = &[(2, Within(DEPS)), (3, Each(Columns, PLAIN))];
/// Where a message of a watch repeats something.
const WATCH: Shape = &[(3, Within(DEPS))];
const WATCHED: Shape = &[(3, Each(Changes, PLAIN)), (5, Within(DEPS))];
const VERTEX_DEPS: Shape = &[(2, Within(DEPS))];
const ANSWER: Shape = &[(5, Within(DEPS))];

/// Where a message of that kind repeats something.
pub(super) fn shape(kind: Kind) -> Shape {
    match kind {
        Kind::Submit | Kind::Relay => &[(2, Within(OPERATION))],
        Kind::PreAccept => &[(2, Within(COMMANDS)), (3, Within(DEPS)), (4, Within(QUORUM))],
        Kind::PreAccepted | Kind::Conclude => VERTEX_DEPS,
        Kind::Depend => VERTEX_BALLOT_COMMANDS_DEPS,
        Kind::Depended => &[(3, Within(DEPS))],
        // What a dependency node holds of a vertex is laid out like a value.
        Kind::Inspected => &[(3, Within(VALUE))],
        Kind::Promised => &[(3, Within(VOTE))],
        Kind::Accept => VERTEX_BALLOT_VALUE,
        Kind::Chosen | Kind::Commit | Kind::Learned => VERTEX_VALUE,
        Kind::Executed => &[(2, Each(Replies, PLAIN)), (3, Within(DEPS))],
        Kind::Answer => ANSWER,
        Kind::Relayed => &[(1, Within(ANSWER))],
        Kind::Served | Kind::Read => &[(4, Within(DEPS))],
        Kind::ReadAnswer => &[(2, Within(VERTEX_DEPS))],
        Kind::ReadDepended => VERTEX_DEPS,
        Kind::Frontier => &[(1, Within(DEPS)), (2, Within(DEPS)), (3, Each(Digests, PLAIN))],
        Kind::PruneAcceptor | Kind::PruneDependency | Kind::PruneProposer => FLOOR,
        Kind::Demand => &[(3, Each(Nodes, PLAIN))],
        Kind::Watch => WATCH,
        Kind::Watched => WATCHED,
        Kind::Forward => &[(1, Within(OPERATION))],
        Kind::Distances => &[(1, Each(Nodes, PLAIN))],
        Kind::Concluded
        | Kind::Inspect
        | Kind::Prepare
        | Kind::Accepted
        | Kind::Refused
        | Kind::Recover
        | Kind::Pruned
        | Kind::BarrierDue
        | Kind::SnapshotOffer
        | Kind::SnapshotAsk
        | Kind::SnapshotChunk
        | Kind::ReadDepend
        | Kind::Register
        | Kind::Registered
        | Kind::WatchTaken
        | Kind::Unwatch
        | Kind::WatchEnded
        | Kind::Reserved => PLAIN,
    }
}

/// Refuses a long body that repeats something more often than it may.
pub(super) fn check(body: Body, bytes: &[u8], shape: Shape) -> Result<(), DecodeError> {
    if bytes.len() <= SHORT {
        return Ok(());
    }
    Counts::default().walk(bytes, shape).or_else(|over| match over {
        Over::Malformed(error) => body.fault("body", Fault::Malformed(error)),
        Over::TooMany(counted, found) => {
            let (field, max) = counted.limit();
            body.fault(field, Fault::TooMany { found, max })
        }
    })
}

impl Counted {
    fn limit(self) -> (&'static str, usize) {
        match self {
            // Four fields describe the columns.
            Columns => ("DepSet", 4 * COLUMNS_MAX),
            Extras => ("DepSet.extra_delta", EXTRAS_MAX),
            Commands => ("Commands.batch", COMMANDS_PER_VERTEX_MAX),
            Resources => ("Footprint.resource", RESOURCES_PER_VERTEX_MAX),
            Ranges => ("Footprint.range", RANGES_PER_VERTEX_MAX),
            Sessions => ("CloseSessions.sessions", CLOSED_SESSIONS_MAX),
            Members => ("FastQuorum.members", QUORUM_MAX),
            Replies => ("replies", COMMANDS_PER_VERTEX_MAX),
            Nodes => ("nodes", NODES_MAX),
            Changes => ("Watched.changes", CHANGES_MAX),
            Digests => ("digests", STATE_DIGESTS_MAX),
        }
    }
}

enum Over {
    Malformed(prost::DecodeError),
    TooMany(Counted, usize),
}

impl From<prost::DecodeError> for Over {
    fn from(error: prost::DecodeError) -> Self {
        Self::Malformed(error)
    }
}

#[derive(Default)]
struct Counts([usize; Digests as usize + 1]);

impl Counts {
    /// Walks one message. It calls itself as deep as shapes are nested, never as deep as the bytes
    /// say.
    fn walk(&mut self, mut bytes: &[u8], shape: Shape) -> Result<(), Over> {
        while !bytes.is_empty() {
            let (number, wire) = decode_key(&mut bytes)?;
            let part = shape.iter().find(|(known, _)| *known == number).map(|(_, part)| part);
            let Some(part) = part else {
                skip_field(wire, number, &mut bytes, DecodeContext::default())?;
                continue;
            };
            if wire != WireType::LengthDelimited {
                // A number on its own, or of a wrong type: that is for the decoder to say.
                if let Numbers(counted) = part {
                    self.add(*counted, 1)?;
                }
                skip_field(wire, number, &mut bytes, DecodeContext::default())?;
                continue;
            }
            let len = decode_varint(&mut bytes)?;
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len());
            let (inner, rest) = bytes.split_at(len);
            bytes = rest;
            match part {
                Within(shape) => self.walk(inner, shape)?,
                Each(counted, shape) => {
                    self.add(*counted, 1)?;
                    if !shape.is_empty() {
                        self.walk(inner, shape)?;
                    }
                }
                Numbers(counted) => {
                    // The last byte of each number, and no other, has its top bit clear.
                    let numbers = inner.iter().filter(|byte| **byte < 0x80).count();
                    self.add(*counted, numbers)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, counted: Counted, elements: usize) -> Result<(), Over> {
        let count = &mut self.0[counted as usize];
        *count += elements;
        if *count > counted.limit().1 {
            return Err(Over::TooMany(counted, *count));
        }
        Ok(())
    }
}
