//! Each journal record to and from its body.

use super::{DecodeError, Fault, count, encode, parse, to_bytes};
use crate::generated as pb;
use crate::limits::SEQ_END;
use crate::{
    AcceptorRecord, DependencyRecord, NodeRecord, ProposerRecord, ReplicaRecord, VoterRecord,
};
use bytes::Bytes;

// A number is never used again for another record.
const PROPOSER_RESERVED: u8 = 1;
const PROPOSER_ATTEMPTED: u8 = 2;
const DEPENDENCY: u8 = 10;
const ACCEPTOR_PROMISED: u8 = 20;
const ACCEPTOR_VOTED: u8 = 21;
const VOTER_PROMISED: u8 = 30;
const VOTER_VOTED: u8 = 31;
const VOTER_DEPENDED: u8 = 32;
const VOTER_COMMITTED: u8 = 33;
const REPLICA: u8 = 40;

impl NodeRecord {
    /// Every kind of record: the number that stands in the journal, and its name.
    ///
    /// | number | record |
    /// | --- | --- |
    /// | 1 | [`ProposerRecord::Reserved`] |
    /// | 2 | [`ProposerRecord::Attempted`] |
    /// | 10 | [`DependencyRecord`] |
    /// | 20 | [`AcceptorRecord::Promised`] |
    /// | 21 | [`AcceptorRecord::Voted`] |
    /// | 30 | [`VoterRecord::Promised`] |
    /// | 31 | [`VoterRecord::Voted`] |
    /// | 32 | [`VoterRecord::Depended`] |
    /// | 33 | [`VoterRecord::Committed`] |
    /// | 40 | [`ReplicaRecord`] |
    pub const KINDS: &'static [(u8, &'static str)] = &[
        (PROPOSER_RESERVED, "ProposerReserved"),
        (PROPOSER_ATTEMPTED, "ProposerAttempted"),
        (DEPENDENCY, "Dependency"),
        (ACCEPTOR_PROMISED, "AcceptorPromised"),
        (ACCEPTOR_VOTED, "AcceptorVoted"),
        (VOTER_PROMISED, "VoterPromised"),
        (VOTER_VOTED, "VoterVoted"),
        (VOTER_DEPENDED, "VoterDepended"),
        (VOTER_COMMITTED, "VoterCommitted"),
        (REPLICA, "Replica"),
    ];

    /// The record's kind: its number in [`Self::KINDS`].
    pub fn kind(&self) -> u8 {
        match self {
            Self::Proposer(ProposerRecord::Reserved { .. }) => PROPOSER_RESERVED,
            Self::Proposer(ProposerRecord::Attempted { .. }) => PROPOSER_ATTEMPTED,
            Self::Dependency(_) => DEPENDENCY,
            Self::Acceptor(AcceptorRecord::Promised { .. }) => ACCEPTOR_PROMISED,
            Self::Acceptor(AcceptorRecord::Voted { .. }) => ACCEPTOR_VOTED,
            Self::Voter(VoterRecord::Promised { .. }) => VOTER_PROMISED,
            Self::Voter(VoterRecord::Voted { .. }) => VOTER_VOTED,
            Self::Voter(VoterRecord::Depended { .. }) => VOTER_DEPENDED,
            Self::Voter(VoterRecord::Committed { .. }) => VOTER_COMMITTED,
            Self::Replica(_) => REPLICA,
        }
    }

    /// The record's body, as it stands in the journal beside its kind.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Proposer(ProposerRecord::Reserved { until, resolved }) => {
                to_bytes(&pb::ProposerReservedRecord { until: *until, resolved: *resolved })
            }
            Self::Proposer(ProposerRecord::Attempted { vertex, ballot }) => {
                to_bytes(&pb::ProposerAttemptedRecord {
                    vertex: encode::vertex(*vertex),
                    ballot: encode::ballot(*ballot),
                })
            }
            Self::Dependency(DependencyRecord { vertex, commands, deps }) => {
                to_bytes(&pb::DependencyRecord {
                    vertex: encode::vertex(*vertex),
                    commands: encode::commands(commands),
                    deps: encode::deps(deps),
                })
            }
            Self::Acceptor(AcceptorRecord::Promised { vertex, ballot }) => {
                to_bytes(&pb::AcceptorPromisedRecord {
                    vertex: encode::vertex(*vertex),
                    ballot: encode::ballot(*ballot),
                })
            }
            Self::Acceptor(AcceptorRecord::Voted { vertex, ballot, value }) => {
                to_bytes(&pb::AcceptorVotedRecord {
                    vertex: encode::vertex(*vertex),
                    ballot: encode::ballot(*ballot),
                    value: encode::value(value),
                })
            }
            Self::Voter(VoterRecord::Promised { vertex, ballot }) => {
                to_bytes(&pb::VoterPromisedRecord {
                    vertex: encode::vertex(*vertex),
                    ballot: encode::ballot(*ballot),
                })
            }
            Self::Voter(VoterRecord::Voted { vertex, vote }) => to_bytes(&pb::VoterVotedRecord {
                vertex: encode::vertex(*vertex),
                vote: Some(encode::vote(vote)),
            }),
            Self::Voter(VoterRecord::Depended { vertex, ballot, commands, deps }) => {
                to_bytes(&pb::VoterDependedRecord {
                    vertex: encode::vertex(*vertex),
                    ballot: encode::ballot(*ballot),
                    commands: encode::commands(commands),
                    deps: encode::deps(deps),
                })
            }
            Self::Voter(VoterRecord::Committed { vertex, value }) => {
                to_bytes(&pb::VoterCommittedRecord {
                    vertex: encode::vertex(*vertex),
                    value: encode::value(value),
                })
            }
            Self::Replica(ReplicaRecord { vertex, value }) => to_bytes(&pb::ReplicaRecord {
                vertex: encode::vertex(*vertex),
                value: encode::value(value),
            }),
        }
    }

    /// The record in a body of that kind.
    ///
    /// # Errors
    /// When the kind is unknown, the body is no such record, or it breaks a rule that roles rely
    /// on.
    pub fn decode(kind: u8, body: Bytes) -> Result<Self, DecodeError> {
        let known = Self::KINDS.iter().find(|(number, _)| *number == kind);
        let Some((_, name)) = known else {
            return Err(DecodeError {
                message: "NodeRecord",
                field: "kind",
                fault: Fault::UnknownKind(kind),
            });
        };
        Ok(match kind {
            PROPOSER_RESERVED => {
                let (body, r): (_, pb::ProposerReservedRecord) = parse(name, body, count::PLAIN)?;
                Self::Proposer(ProposerRecord::Reserved {
                    until: body.number("until", r.until, SEQ_END)?,
                    resolved: body.number("resolved", r.resolved, SEQ_END)?,
                })
            }
            PROPOSER_ATTEMPTED => {
                let (body, r): (_, pb::ProposerAttemptedRecord) = parse(name, body, count::PLAIN)?;
                let vertex = body.vertex(r.vertex)?;
                Self::Proposer(ProposerRecord::Attempted {
                    vertex,
                    ballot: body.ballot(r.ballot, vertex, 0)?,
                })
            }
            DEPENDENCY => {
                let (body, r): (_, pb::DependencyRecord) =
                    parse(name, body, count::VERTEX_COMMANDS_DEPS)?;
                Self::Dependency(DependencyRecord {
                    vertex: body.vertex(r.vertex)?,
                    commands: body.commands(r.commands)?,
                    deps: body.deps("deps", r.deps)?,
                })
            }
            ACCEPTOR_PROMISED => {
                let (body, r): (_, pb::AcceptorPromisedRecord) = parse(name, body, count::PLAIN)?;
                let vertex = body.vertex(r.vertex)?;
                Self::Acceptor(AcceptorRecord::Promised {
                    vertex,
                    ballot: body.ballot(r.ballot, vertex, 0)?,
                })
            }
            ACCEPTOR_VOTED => {
                let (body, r): (_, pb::AcceptorVotedRecord) =
                    parse(name, body, count::VERTEX_BALLOT_VALUE)?;
                let vertex = body.vertex(r.vertex)?;
                Self::Acceptor(AcceptorRecord::Voted {
                    vertex,
                    ballot: body.ballot(r.ballot, vertex, 1)?,
                    value: body.value(r.value)?,
                })
            }
            VOTER_PROMISED => {
                let (body, r): (_, pb::VoterPromisedRecord) = parse(name, body, count::PLAIN)?;
                let vertex = body.vertex(r.vertex)?;
                Self::Voter(VoterRecord::Promised {
                    vertex,
                    ballot: body.ballot(r.ballot, vertex, 0)?,
                })
            }
            VOTER_VOTED => {
                let (body, r): (_, pb::VoterVotedRecord) = parse(name, body, count::VERTEX_VOTE)?;
                let vertex = body.vertex(r.vertex)?;
                let Some(vote) = r.vote else {
                    return body.fault("vote", Fault::Missing);
                };
                Self::Voter(VoterRecord::Voted { vertex, vote: body.vote(vote, vertex)? })
            }
            VOTER_DEPENDED => {
                let (body, r): (_, pb::VoterDependedRecord) =
                    parse(name, body, count::VERTEX_BALLOT_COMMANDS_DEPS)?;
                let vertex = body.vertex(r.vertex)?;
                Self::Voter(VoterRecord::Depended {
                    vertex,
                    ballot: body.ballot(r.ballot, vertex, 1)?,
                    commands: body.commands(r.commands)?,
                    deps: body.deps("deps", r.deps)?,
                })
            }
            VOTER_COMMITTED => {
                let (body, r): (_, pb::VoterCommittedRecord) =
                    parse(name, body, count::VERTEX_VALUE)?;
                Self::Voter(VoterRecord::Committed {
                    vertex: body.vertex(r.vertex)?,
                    value: body.value(r.value)?,
                })
            }
            REPLICA => {
                let (body, r): (_, pb::ReplicaRecord) = parse(name, body, count::VERTEX_VALUE)?;
                Self::Replica(ReplicaRecord {
                    vertex: body.vertex(r.vertex)?,
                    value: body.value(r.value)?,
                })
            }
            _ => unreachable!("every known kind has its arm"),
        })
    }
}
