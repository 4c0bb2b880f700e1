//! Each journal record to and from its body.

use super::{DecodeError, Fault, count, encode, parse, to_bytes};
use crate::generated as pb;
use crate::limits::SEQ_END;
use crate::{
    AcceptorRecord, DependencyRecord, NodeRecord, ProposerRecord, RegistryRecord, ReplicaRecord,
    VoterRecord,
};
use althing_model::NodeId;
use bytes::Bytes;

// A number is never used again for another record.
const PROPOSER_RESERVED: u8 = 1;
const PROPOSER_ATTEMPTED: u8 = 2;
const PROPOSER_PRUNED: u8 = 3;
const PROPOSER_REWRITTEN: u8 = 4;
const DEPENDENCY_DEPENDED: u8 = 10;
const DEPENDENCY_PRUNED: u8 = 11;
const DEPENDENCY_REWRITTEN: u8 = 12;
const ACCEPTOR_PROMISED: u8 = 20;
const ACCEPTOR_VOTED: u8 = 21;
const ACCEPTOR_PRUNED: u8 = 22;
const ACCEPTOR_KEPT: u8 = 23;
const ACCEPTOR_REWRITTEN: u8 = 24;
const VOTER_PROMISED: u8 = 30;
const VOTER_VOTED: u8 = 31;
const VOTER_DEPENDED: u8 = 32;
const VOTER_COMMITTED: u8 = 33;
const VOTER_PRUNED: u8 = 34;
const VOTER_KEPT: u8 = 35;
const VOTER_REWRITTEN: u8 = 36;
const REPLICA_COMMITTED: u8 = 40;
const REPLICA_PRUNED: u8 = 41;
const REPLICA_REWRITTEN: u8 = 42;
const REGISTRY_KNOWN: u8 = 50;
const REGISTRY_ADMITTED: u8 = 51;

impl NodeRecord {
    /// Every kind of record: the number that stands in the journal, and its name.
    ///
    /// | number | record |
    /// | --- | --- |
    /// | 1 | [`ProposerRecord::Reserved`] |
    /// | 2 | [`ProposerRecord::Attempted`] |
    /// | 3 | [`ProposerRecord::Pruned`] |
    /// | 4 | [`ProposerRecord::Rewritten`] |
    /// | 10 | [`DependencyRecord::Depended`] |
    /// | 11 | [`DependencyRecord::Pruned`] |
    /// | 12 | [`DependencyRecord::Rewritten`] |
    /// | 20 | [`AcceptorRecord::Promised`] |
    /// | 21 | [`AcceptorRecord::Voted`] |
    /// | 22 | [`AcceptorRecord::Pruned`] |
    /// | 23 | [`AcceptorRecord::Kept`] |
    /// | 24 | [`AcceptorRecord::Rewritten`] |
    /// | 30 | [`VoterRecord::Promised`] |
    /// | 31 | [`VoterRecord::Voted`] |
    /// | 32 | [`VoterRecord::Depended`] |
    /// | 33 | [`VoterRecord::Committed`] |
    /// | 34 | [`VoterRecord::Pruned`] |
    /// | 35 | [`VoterRecord::Kept`] |
    /// | 36 | [`VoterRecord::Rewritten`] |
    /// | 40 | [`ReplicaRecord::Committed`] |
    /// | 41 | [`ReplicaRecord::Pruned`] |
    /// | 42 | [`ReplicaRecord::Rewritten`] |
    /// | 50 | [`RegistryRecord::Known`] |
    /// | 51 | [`RegistryRecord::Admitted`] |
    pub const KINDS: &'static [(u8, &'static str)] = &[
        (PROPOSER_RESERVED, "ProposerReserved"),
        (PROPOSER_ATTEMPTED, "ProposerAttempted"),
        (PROPOSER_PRUNED, "ProposerPruned"),
        (PROPOSER_REWRITTEN, "ProposerRewritten"),
        (DEPENDENCY_DEPENDED, "DependencyDepended"),
        (DEPENDENCY_PRUNED, "DependencyPruned"),
        (DEPENDENCY_REWRITTEN, "DependencyRewritten"),
        (ACCEPTOR_PROMISED, "AcceptorPromised"),
        (ACCEPTOR_VOTED, "AcceptorVoted"),
        (ACCEPTOR_PRUNED, "AcceptorPruned"),
        (ACCEPTOR_KEPT, "AcceptorKept"),
        (ACCEPTOR_REWRITTEN, "AcceptorRewritten"),
        (VOTER_PROMISED, "VoterPromised"),
        (VOTER_VOTED, "VoterVoted"),
        (VOTER_DEPENDED, "VoterDepended"),
        (VOTER_COMMITTED, "VoterCommitted"),
        (VOTER_PRUNED, "VoterPruned"),
        (VOTER_KEPT, "VoterKept"),
        (VOTER_REWRITTEN, "VoterRewritten"),
        (REPLICA_COMMITTED, "ReplicaCommitted"),
        (REPLICA_PRUNED, "ReplicaPruned"),
        (REPLICA_REWRITTEN, "ReplicaRewritten"),
        (REGISTRY_KNOWN, "RegistryKnown"),
        (REGISTRY_ADMITTED, "RegistryAdmitted"),
    ];

    /// The record's kind: its number in [`Self::KINDS`].
    pub fn kind(&self) -> u8 {
        match self {
            Self::Proposer(ProposerRecord::Reserved { .. }) => PROPOSER_RESERVED,
            Self::Proposer(ProposerRecord::Attempted { .. }) => PROPOSER_ATTEMPTED,
            Self::Proposer(ProposerRecord::Pruned { .. }) => PROPOSER_PRUNED,
            Self::Proposer(ProposerRecord::Rewritten) => PROPOSER_REWRITTEN,
            Self::Dependency(DependencyRecord::Depended { .. }) => DEPENDENCY_DEPENDED,
            Self::Dependency(DependencyRecord::Pruned { .. }) => DEPENDENCY_PRUNED,
            Self::Dependency(DependencyRecord::Rewritten) => DEPENDENCY_REWRITTEN,
            Self::Acceptor(AcceptorRecord::Promised { .. }) => ACCEPTOR_PROMISED,
            Self::Acceptor(AcceptorRecord::Voted { .. }) => ACCEPTOR_VOTED,
            Self::Acceptor(AcceptorRecord::Pruned { .. }) => ACCEPTOR_PRUNED,
            Self::Acceptor(AcceptorRecord::Kept { .. }) => ACCEPTOR_KEPT,
            Self::Acceptor(AcceptorRecord::Rewritten) => ACCEPTOR_REWRITTEN,
            Self::Voter(VoterRecord::Promised { .. }) => VOTER_PROMISED,
            Self::Voter(VoterRecord::Voted { .. }) => VOTER_VOTED,
            Self::Voter(VoterRecord::Depended { .. }) => VOTER_DEPENDED,
            Self::Voter(VoterRecord::Committed { .. }) => VOTER_COMMITTED,
            Self::Voter(VoterRecord::Pruned { .. }) => VOTER_PRUNED,
            Self::Voter(VoterRecord::Kept { .. }) => VOTER_KEPT,
            Self::Voter(VoterRecord::Rewritten) => VOTER_REWRITTEN,
            Self::Replica(ReplicaRecord::Committed { .. }) => REPLICA_COMMITTED,
            Self::Replica(ReplicaRecord::Pruned { .. }) => REPLICA_PRUNED,
            Self::Replica(ReplicaRecord::Rewritten) => REPLICA_REWRITTEN,
            Self::Registry(RegistryRecord::Known { .. }) => REGISTRY_KNOWN,
            Self::Registry(RegistryRecord::Admitted { .. }) => REGISTRY_ADMITTED,
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
            Self::Dependency(DependencyRecord::Depended { vertex, commands, deps }) => {
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
            Self::Replica(ReplicaRecord::Committed { vertex, value }) => {
                to_bytes(&pb::ReplicaRecord {
                    vertex: encode::vertex(*vertex),
                    value: encode::value(value),
                })
            }
            Self::Acceptor(AcceptorRecord::Kept { vertex, promised, vote }) => {
                to_bytes(&pb::AcceptorKeptRecord {
                    vertex: encode::vertex(*vertex),
                    promised: encode::ballot(*promised),
                    vote: vote.as_ref().map(encode::vote),
                })
            }
            Self::Voter(VoterRecord::Kept { vertex, promised, vote }) => {
                to_bytes(&pb::VoterKeptRecord {
                    vertex: encode::vertex(*vertex),
                    promised: encode::ballot(*promised),
                    vote: vote.as_ref().map(encode::vote),
                })
            }
            Self::Proposer(ProposerRecord::Pruned { floor })
            | Self::Dependency(DependencyRecord::Pruned { floor })
            | Self::Acceptor(AcceptorRecord::Pruned { floor })
            | Self::Voter(VoterRecord::Pruned { floor })
            | Self::Replica(ReplicaRecord::Pruned { floor }) => {
                to_bytes(&pb::PrunedRecord { floor: encode::deps(floor) })
            }
            Self::Proposer(ProposerRecord::Rewritten)
            | Self::Dependency(DependencyRecord::Rewritten)
            | Self::Acceptor(AcceptorRecord::Rewritten)
            | Self::Voter(VoterRecord::Rewritten)
            | Self::Replica(ReplicaRecord::Rewritten) => to_bytes(&pb::RewrittenRecord {}),
            Self::Registry(RegistryRecord::Known { node, incarnation }) => {
                to_bytes(&pb::RegistryKnownRecord { node: node.0, incarnation: *incarnation })
            }
            Self::Registry(RegistryRecord::Admitted { incarnation }) => {
                to_bytes(&pb::RegistryAdmittedRecord { incarnation: *incarnation })
            }
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
            DEPENDENCY_DEPENDED => {
                let (body, r): (_, pb::DependencyRecord) =
                    parse(name, body, count::VERTEX_COMMANDS_DEPS)?;
                Self::Dependency(DependencyRecord::Depended {
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
                    ballot: body.ballot(r.ballot, vertex, 0)?,
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
            REPLICA_COMMITTED => {
                let (body, r): (_, pb::ReplicaRecord) = parse(name, body, count::VERTEX_VALUE)?;
                Self::Replica(ReplicaRecord::Committed {
                    vertex: body.vertex(r.vertex)?,
                    value: body.value(r.value)?,
                })
            }
            ACCEPTOR_KEPT => {
                let (body, r): (_, pb::AcceptorKeptRecord) = parse(name, body, count::KEPT)?;
                let vertex = body.vertex(r.vertex)?;
                Self::Acceptor(AcceptorRecord::Kept {
                    vertex,
                    promised: body.ballot_in("promised", r.promised, vertex, 0)?,
                    vote: r.vote.map(|vote| body.vote(vote, vertex)).transpose()?,
                })
            }
            VOTER_KEPT => {
                let (body, r): (_, pb::VoterKeptRecord) = parse(name, body, count::KEPT)?;
                let vertex = body.vertex(r.vertex)?;
                Self::Voter(VoterRecord::Kept {
                    vertex,
                    promised: body.ballot_in("promised", r.promised, vertex, 0)?,
                    vote: r.vote.map(|vote| body.vote(vote, vertex)).transpose()?,
                })
            }
            PROPOSER_PRUNED | DEPENDENCY_PRUNED | ACCEPTOR_PRUNED | VOTER_PRUNED
            | REPLICA_PRUNED => {
                let (body, r): (_, pb::PrunedRecord) = parse(name, body, count::FLOOR)?;
                let floor = body.floor("floor", r.floor)?;
                match kind {
                    PROPOSER_PRUNED => Self::Proposer(ProposerRecord::Pruned { floor }),
                    DEPENDENCY_PRUNED => Self::Dependency(DependencyRecord::Pruned { floor }),
                    ACCEPTOR_PRUNED => Self::Acceptor(AcceptorRecord::Pruned { floor }),
                    VOTER_PRUNED => Self::Voter(VoterRecord::Pruned { floor }),
                    _ => Self::Replica(ReplicaRecord::Pruned { floor }),
                }
            }
            PROPOSER_REWRITTEN | DEPENDENCY_REWRITTEN | ACCEPTOR_REWRITTEN | VOTER_REWRITTEN
            | REPLICA_REWRITTEN => {
                let (_, pb::RewrittenRecord {}) = parse(name, body, count::PLAIN)?;
                match kind {
                    PROPOSER_REWRITTEN => Self::Proposer(ProposerRecord::Rewritten),
                    DEPENDENCY_REWRITTEN => Self::Dependency(DependencyRecord::Rewritten),
                    ACCEPTOR_REWRITTEN => Self::Acceptor(AcceptorRecord::Rewritten),
                    VOTER_REWRITTEN => Self::Voter(VoterRecord::Rewritten),
                    _ => Self::Replica(ReplicaRecord::Rewritten),
                }
            }
            REGISTRY_KNOWN => {
                let (_, r): (_, pb::RegistryKnownRecord) = parse(name, body, count::PLAIN)?;
                let (node, incarnation) = (NodeId(r.node), r.incarnation);
                Self::Registry(RegistryRecord::Known { node, incarnation })
            }
            REGISTRY_ADMITTED => {
                let (_, r): (_, pb::RegistryAdmittedRecord) = parse(name, body, count::PLAIN)?;
                Self::Registry(RegistryRecord::Admitted { incarnation: r.incarnation })
            }
            _ => unreachable!("every known kind has its arm"),
        })
    }
}
