//! The body of a journal record, decoded by its kind as a restart does.

use super::message::{MEMORY_BESIDE, MEMORY_PER_BYTE};
use crate::allocation::bounded;
use crate::scope::Scope;
use crate::{Outcomes, Target};
use althing_model::{Ballot, Path, Role, Value, VertexId};
use althing_wire::{
    AcceptorRecord, DependencyRecord, NodeRecord, Party, ProposerRecord, ReplicaRecord, VoterRecord,
};
use arbitrary::{Result, Unstructured};
use bytes::Bytes;

pub(crate) const TARGET: Target =
    Target { name: "record", run, len_max: 4096, generate, words: &[] };

/// The first byte is the kind's place in the table; beyond its end, the kind itself.
fn run(data: &[u8], outcomes: &mut Outcomes) {
    let Some((kind, body)) = data.split_first() else { return };
    let kind = NodeRecord::KINDS.get(usize::from(*kind)).map_or(*kind, |(number, _)| *number);
    let body = Bytes::copy_from_slice(body);
    let (max, len) = (MEMORY_BESIDE + MEMORY_PER_BYTE * body.len(), body.len());
    match bounded(max, || NodeRecord::decode(kind, body)) {
        Ok(record) => {
            outcomes.note((kind, "decoded"));
            outcomes.note((kind, len.checked_ilog2()));
            assert_eq!(record.kind(), kind);
            assert_eq!(NodeRecord::decode(kind, record.encode()).as_ref(), Ok(&record));
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            outcomes.note((kind, error.field, std::mem::discriminant(&error.fault)));
        }
    }
}

fn generate(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let scope = Scope::draw(bytes, Path::Fast, Party::Node(Role::Proposer))?;
    let vertex = scope.vertex(bytes)?;
    let ballot = Ballot { round: bytes.int_in_range(2..=9)?, proposer: scope.me };
    let value = scope.committed(vertex);
    let place = bytes.choose_index(NodeRecord::KINDS.len())?;
    let record = record(&scope, bytes, place, vertex, ballot, value)?;
    assert_eq!(record.kind(), NodeRecord::KINDS[place].0, "the table's order");
    Ok([&[place as u8], &record.encode()[..]].concat())
}

fn record(
    scope: &Scope,
    bytes: &mut Unstructured<'_>,
    place: usize,
    vertex: VertexId,
    ballot: Ballot,
    value: Value,
) -> Result<NodeRecord> {
    let Value { commands, deps } = value.clone();
    let floor = deps.prefixes();
    let vote = |bytes: &mut Unstructured<'_>| loop {
        if let Some(vote) = scope.vote(bytes, vertex, ballot)? {
            return Ok(vote);
        }
        if bytes.is_empty() {
            return Err(arbitrary::Error::NotEnoughData);
        }
    };
    Ok(match NodeRecord::KINDS[place].1 {
        "ProposerReserved" => ProposerRecord::Reserved {
            until: vertex.seq,
            resolved: bytes.arbitrary::<u32>()?.into(),
        }
        .into(),
        "ProposerAttempted" => ProposerRecord::Attempted { vertex, ballot }.into(),
        "ProposerPruned" => ProposerRecord::Pruned { floor }.into(),
        "ProposerRewritten" => ProposerRecord::Rewritten.into(),
        "DependencyDepended" => DependencyRecord::Depended { vertex, commands, deps }.into(),
        "DependencyPruned" => DependencyRecord::Pruned { floor }.into(),
        "DependencyRewritten" => DependencyRecord::Rewritten.into(),
        "AcceptorPromised" => AcceptorRecord::Promised { vertex, ballot }.into(),
        "AcceptorVoted" => AcceptorRecord::Voted { vertex, ballot, value }.into(),
        "AcceptorPruned" => AcceptorRecord::Pruned { floor }.into(),
        "AcceptorKept" => AcceptorRecord::Kept { vertex, promised: ballot, vote: None }.into(),
        "AcceptorRewritten" => AcceptorRecord::Rewritten.into(),
        "VoterPromised" => VoterRecord::Promised { vertex, ballot }.into(),
        "VoterVoted" => VoterRecord::Voted { vertex, vote: vote(bytes)? }.into(),
        "VoterDepended" => VoterRecord::Depended { vertex, ballot, commands, deps }.into(),
        "VoterCommitted" => VoterRecord::Committed { vertex, value }.into(),
        "VoterPruned" => VoterRecord::Pruned { floor }.into(),
        "VoterKept" => VoterRecord::Kept { vertex, promised: ballot, vote: None }.into(),
        "VoterRewritten" => VoterRecord::Rewritten.into(),
        "ReplicaCommitted" => ReplicaRecord::Committed { vertex, value }.into(),
        "ReplicaPruned" => ReplicaRecord::Pruned { floor }.into(),
        "ReplicaRewritten" => ReplicaRecord::Rewritten.into(),
        name => panic!("a kind of record that is not known here: {name}"),
    })
}
