//! A replica under messages and deadlines at any time, with crashes, on either path.

use crate::scope::Scope;
use crate::target::any_bytes;
use crate::world::{World, note};
use crate::{Outcomes, Target};
use althing_kv::{KvConflicts, Store};
use althing_model::{Conflicts, Micros, Path, Role, Value, VertexId};
use althing_replica::{Config, Limits, Replica, Timing};
use althing_wire::{Effects, Message, Party, ReplicaRecord};
use arbitrary::{Result, Unstructured};
use std::collections::BTreeSet;

pub(crate) const TARGET: Target =
    Target { name: "replica", run, len_max: 768, generate: any_bytes, words: &[] };

const PARTY: Party = Party::Node(Role::Replica);

fn run(data: &[u8], outcomes: &mut Outcomes) {
    // Bytes that end early end the story.
    let _ = live(&mut Unstructured::new(data), outcomes);
}

fn live(bytes: &mut Unstructured<'_>, outcomes: &mut Outcomes) -> Result<()> {
    let path = if bytes.arbitrary()? { Path::Fast } else { Path::Classic };
    let scope = Scope::draw(bytes, path, PARTY)?;
    let mut replica = new(&scope);
    replica.start(0);
    let (mut world, mut previous) = (World::<ReplicaRecord>::new(), None);
    let mut now: Micros = 0;
    // What the voter beside it has on disk, in the order in which it told.
    let mut learned: Vec<(VertexId, Value)> = Vec::new();
    let mut executed = BTreeSet::new();
    while !bytes.is_empty() {
        let mut effects = Effects::default();
        match bytes.int_in_range(0..=15)? {
            0 => world.sync(&scope),
            1 => {
                let records = world.crash(bytes)?;
                let own = records.into_iter().filter_map(committed);
                replica = restored(&scope, learned.iter().cloned().chain(own), now);
                executed.clear();
            }
            2 | 3 => {
                now = later(bytes, now, replica.deadline())?;
                if replica.deadline().is_some_and(|at| at <= now) {
                    replica.on_deadline(now, &mut effects);
                }
            }
            4 => {
                let nodes: Vec<_> = scope.membership.nodes().collect();
                replica.on_link(now, *bytes.choose(&nodes)?, bytes.arbitrary()?);
            }
            _ => {
                let (from, message) = scope.message_to(bytes, PARTY)?;
                if let Message::Learned(it) = &message
                    && replica.committed_value(it.vertex).is_none()
                    && it.vertex.epoch == scope.membership.epoch()
                {
                    learned.push((it.vertex, it.value.clone()));
                }
                let kind = message.kind();
                let taken = replica.handle(now, from, message, &mut effects);
                note(outcomes, &mut previous, kind, taken);
            }
        }
        world.take(&scope, &mut effects, outcomes);
        for step in replica.take_steps() {
            outcomes.note(("executed", step.component_len.min(6), step.value.commands.is_noop()));
            step.replies.iter().for_each(|reply| outcomes.note(std::mem::discriminant(reply)));
            assert_eq!(step.replies.len(), step.value.commands.as_slice().len());
            assert!(executed.insert(step.vertex), "{} is executed twice", step.vertex);
        }
        outcomes.note(("blocked", replica.blocked_len().min(8), replica.pending_len().min(8)));
    }
    let own = world.records().filter_map(committed);
    let again = restored(&scope, learned.into_iter().chain(own), now);
    assert_eq!(replica.committed(), again.committed(), "a commit is forgotten by a restart");
    assert_eq!(replica.pending_len(), again.pending_len(), "a restart executes others");
    assert_eq!(replica.digest(), again.digest(), "a restart leads to another state");
    Ok(())
}

fn committed(record: ReplicaRecord) -> Option<(VertexId, Value)> {
    match record {
        ReplicaRecord::Committed { vertex, value } => Some((vertex, value)),
        ReplicaRecord::Pruned { .. } | ReplicaRecord::Rewritten => None,
    }
}

/// Some time later: a little, or when it is due.
pub(super) fn later(
    bytes: &mut Unstructured<'_>,
    now: Micros,
    deadline: Option<Micros>,
) -> Result<Micros> {
    Ok(match (bytes.int_in_range(0..=2)?, deadline) {
        (0, _) => now + u64::from(bytes.arbitrary::<u16>()?),
        (1, Some(deadline)) => deadline.max(now),
        _ => now + 2_000_000,
    })
}

fn new(scope: &Scope) -> Replica {
    let config = Config {
        me: scope.me,
        membership: scope.membership.clone(),
        modes: KvConflicts::default().modes().clone(),
        has_voter: scope.has_voter(),
        has_proposer: Party::Node(Role::Proposer).is_at(&scope.membership, scope.me),
        seed: 1,
        timing: Timing::default(),
        limits: Limits {
            catch_up_len_max: 3,
            catch_up_bytes_max: 64,
            frontier_extras_max: 2,
            demand_len_max: 2,
            ..Limits::default()
        },
    };
    Replica::new(config, Box::new(Store::default()))
}

fn restored(
    scope: &Scope,
    committed: impl IntoIterator<Item = (VertexId, Value)>,
    now: Micros,
) -> Replica {
    let mut replica = new(scope);
    committed.into_iter().for_each(|(vertex, value)| replica.restore(vertex, value));
    drop(replica.take_steps());
    replica.start(now);
    replica
}
