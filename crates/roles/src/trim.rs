//! How far a node's journal may be trimmed.

use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Membership, NodeId, Path, Role};
use althing_wire::{
    AcceptorRecord, DependencyRecord, NodeRecord, Party, ProposerRecord, ReplicaRecord, VoterRecord,
};
use std::collections::BTreeMap;

/// Follows the records of a journal, and says which of them are needed.
///
/// A role that was pruned writes `Pruned`, then again all that it keeps, then `Rewritten`: what it
/// wrote before that `Pruned` is not needed any more. The journal holds the records of all roles of a
/// node, so it may be trimmed to the earliest of these points.
#[derive(Debug, Clone)]
pub struct Trim {
    roles: BTreeMap<Party, Rewrites>,
}

/// Positions in the journal.
#[derive(Debug, Clone, Copy, Default)]
struct Rewrites {
    /// Of the last `Pruned`.
    begun: Option<u64>,
    /// Of the last `Pruned` for which a `Rewritten` followed.
    done: Option<u64>,
}

impl Trim {
    /// For a node of a cluster, before its first record; `is_lost` where its replica alone writes.
    pub fn new(membership: &Membership, me: NodeId, is_lost: bool) -> Self {
        let parties = [
            Party::Voter,
            Party::Node(Role::Proposer),
            Party::Node(Role::Dependency),
            Party::Node(Role::Acceptor),
            Party::Node(Role::Replica),
        ];
        // A replica beside a voter writes nothing: the voter does.
        let is_beside_voter = membership.path() == Path::Fast && Party::Voter.is_at(membership, me);
        let writes = |party: &Party| {
            let is_replica = *party == Party::Node(Role::Replica);
            match is_lost {
                true => is_replica && party.is_at(membership, me),
                false => party.is_at(membership, me) && !(is_beside_voter && is_replica),
            }
        };
        let roles = parties.into_iter().filter(writes).map(|party| (party, Rewrites::default()));
        Self { roles: roles.collect() }
    }

    /// Whether a record of this kind means anything here: the others need not be decoded.
    pub fn is_of_interest(kind: u8) -> bool {
        let name =
            NodeRecord::KINDS.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name);
        name.is_some_and(|name| name.ends_with("Pruned") || name.ends_with("Rewritten"))
    }

    /// A record was appended, or read back, at that position; positions ascend.
    pub fn on_record(&mut self, position: u64, record: &NodeRecord) {
        let (party, is_done) = match record {
            NodeRecord::Voter(VoterRecord::Pruned { .. }) => (Party::Voter, false),
            NodeRecord::Voter(VoterRecord::Rewritten) => (Party::Voter, true),
            NodeRecord::Proposer(ProposerRecord::Pruned { .. }) => {
                (Party::Node(Role::Proposer), false)
            }
            NodeRecord::Proposer(ProposerRecord::Rewritten) => (Party::Node(Role::Proposer), true),
            NodeRecord::Dependency(DependencyRecord::Pruned { .. }) => {
                (Party::Node(Role::Dependency), false)
            }
            NodeRecord::Dependency(DependencyRecord::Rewritten) => {
                (Party::Node(Role::Dependency), true)
            }
            NodeRecord::Acceptor(AcceptorRecord::Pruned { .. }) => {
                (Party::Node(Role::Acceptor), false)
            }
            NodeRecord::Acceptor(AcceptorRecord::Rewritten) => (Party::Node(Role::Acceptor), true),
            NodeRecord::Replica(ReplicaRecord::Pruned { .. }) => {
                (Party::Node(Role::Replica), false)
            }
            NodeRecord::Replica(ReplicaRecord::Rewritten) => (Party::Node(Role::Replica), true),
            _ => return,
        };
        let Some(rewrites) = self.roles.get_mut(&party) else {
            return;
        };
        if !is_done {
            rewrites.begun = Some(position);
        }
        // A journal that was trimmed may begin in the midst of an earlier rewrite.
        if is_done && rewrites.begun.is_some() || is_planted(Mutant::TrimmedBeforeRewritten) {
            rewrites.done = rewrites.begun;
        }
    }

    /// The position of the first record that is needed, if any before it is not; records from there
    /// on must be durable before the earlier ones go.
    pub fn keep(&self) -> Option<u64> {
        self.roles.values().map(|rewrites| rewrites.done).min().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::DepSet;

    /// Broken: a promise would be trimmed away that was not written again.
    #[test]
    fn the_slowest_role_decides_and_only_when_it_is_done() {
        let membership = Membership::colocated(3, 1, Path::Fast).unwrap();
        let mut trim = Trim::new(&membership, NodeId(0), false);
        let floor = DepSet::default();
        let voter = |record: VoterRecord| NodeRecord::from(record);
        let proposer = |record: ProposerRecord| NodeRecord::from(record);
        trim.on_record(5, &voter(VoterRecord::Pruned { floor: floor.clone() }));
        trim.on_record(6, &voter(VoterRecord::Rewritten));
        assert_eq!(trim.keep(), None);
        trim.on_record(7, &proposer(ProposerRecord::Pruned { floor: floor.clone() }));
        assert_eq!(trim.keep(), None);
        trim.on_record(9, &proposer(ProposerRecord::Rewritten));
        assert_eq!(trim.keep(), Some(5));
        trim.on_record(10, &voter(VoterRecord::Pruned { floor }));
        assert_eq!(trim.keep(), Some(5));
        trim.on_record(12, &voter(VoterRecord::Rewritten));
        assert_eq!(trim.keep(), Some(7));
    }

    /// Broken: a journal is never trimmed, since its driver does not look at the records that say so.
    #[test]
    fn what_moves_the_trim_is_of_interest() {
        let floor = DepSet::default;
        let records: [NodeRecord; 10] = [
            VoterRecord::Pruned { floor: floor() }.into(),
            VoterRecord::Rewritten.into(),
            ProposerRecord::Pruned { floor: floor() }.into(),
            ProposerRecord::Rewritten.into(),
            AcceptorRecord::Pruned { floor: floor() }.into(),
            AcceptorRecord::Rewritten.into(),
            DependencyRecord::Pruned { floor: floor() }.into(),
            DependencyRecord::Rewritten.into(),
            ReplicaRecord::Pruned { floor: floor() }.into(),
            ReplicaRecord::Rewritten.into(),
        ];
        assert!(records.iter().all(|record| Trim::is_of_interest(record.kind())));
        let kinds = NodeRecord::KINDS.iter().filter(|(kind, _)| Trim::is_of_interest(*kind));
        assert_eq!(kinds.count(), records.len());
    }

    /// Broken: a journal that begins within a rewrite would be trimmed to before its beginning, or
    /// beyond what is needed.
    #[test]
    fn an_end_without_a_beginning_is_none() {
        let membership = Membership::colocated(3, 1, Path::Fast).unwrap();
        let mut trim = Trim::new(&membership, NodeId(0), false);
        trim.on_record(5, &VoterRecord::Rewritten.into());
        trim.on_record(6, &ProposerRecord::Rewritten.into());
        assert_eq!(trim.keep(), None);
    }
}
