//! A replica under messages and deadlines at any time, with crashes, on either path. It saves the
//! snapshots that it cuts, installs those of another, and starts again from its newest one and a
//! trimmed journal.

use crate::scope::Scope;
use crate::target::any_bytes;
use crate::world::{World, note};
use crate::{Outcomes, Target};
use althing_kv::{KvConflicts, Store};
use althing_model::{Column, Conflicts, Micros, Path, Role, SeqSet, Value, VertexId};
use althing_replica::{Config, Limits, Replica, Snapshot, Timing, piece};
use althing_wire::{Effects, Message, Party, ReplicaRecord, SnapshotHeader, SnapshotOffer};
use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use std::collections::BTreeSet;

pub(crate) const TARGET: Target =
    Target { name: "replica", run, len_max: 768, generate: any_bytes, words: &[] };

const PARTY: Party = Party::Node(Role::Replica);

/// A snapshot on disk.
#[derive(Debug, Clone)]
struct Saved {
    offer: SnapshotOffer,
    header: SnapshotHeader,
    pieces: Vec<(u8, Bytes)>,
}

fn run(data: &[u8], outcomes: &mut Outcomes) {
    // Bytes that end early end the story.
    let _ = live(&mut Unstructured::new(data), outcomes);
}

fn live(bytes: &mut Unstructured<'_>, outcomes: &mut Outcomes) -> Result<()> {
    let path = if bytes.arbitrary()? { Path::Fast } else { Path::Classic };
    let scope = Scope::draw(bytes, path, PARTY)?;
    // Without an order there is no agreement on what a barrier holds, and no snapshot is saved.
    let has_snapshots = bytes.ratio(2, 3)?;
    let scope = if has_snapshots { scope.ordered() } else { scope };
    let mut replica = new(&scope);
    replica.start(0);
    let mut other = new(&scope);
    let (mut world, mut previous) = (World::<ReplicaRecord>::new(), None);
    let mut now: Micros = 0;
    // What the voter beside it has on disk, in the order in which it told.
    let mut learned: Vec<(VertexId, Value)> = Vec::new();
    let mut executed = BTreeSet::new();
    let (mut writing, mut saved, mut others) = (None::<Snapshot>, None::<Saved>, None::<Saved>);
    while !bytes.is_empty() {
        let mut effects = Effects::default();
        match bytes.int_in_range(0..=19)? {
            0 => world.sync(&scope),
            1 => {
                let records = world.crash(bytes)?;
                if bytes.arbitrary()? {
                    let floor = replica.floor();
                    learned.retain(|(vertex, _)| !floor.contains(*vertex));
                }
                let own = records.into_iter().filter_map(committed);
                let committed = learned.iter().cloned().chain(own);
                (replica, writing) = restored(&scope, saved.as_ref(), committed, now);
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
            5 => world.trim(bytes)?,
            6 | 7 if has_snapshots => {
                let Some(snapshot) = writing.take() else { continue };
                if bytes.ratio(1, 8)? {
                    replica.on_not_saved(snapshot.number);
                    continue;
                }
                let new = collected(snapshot);
                if let Some(others) =
                    others.as_ref().filter(|it| it.offer.number == new.offer.number)
                {
                    assert_eq!(new.header.cut, others.header.cut, "two cuts of one number");
                    assert_eq!(new.pieces[1..], others.pieces[1..], "two states of one number");
                    outcomes.note("the same snapshot of two");
                }
                outcomes.note(("saved", new.offer.number.min(4)));
                if saved.as_ref().is_some_and(|old| old.offer.number >= new.offer.number) {
                    // One that was installed meanwhile is newer.
                    replica.on_not_saved(new.offer.number);
                    continue;
                }
                replica.on_saved(now, new.offer, &mut effects);
                saved = Some(new);
            }
            // Another replica gets on, and saves what it cuts.
            8 | 9 if has_snapshots => {
                let number = bytes.int_in_range(0..=17)?;
                for vertex in scope.first(number) {
                    other.restore(vertex, scope.committed(vertex));
                    drop(other.take_steps());
                    if let Some(snapshot) = other.take_snapshot() {
                        let new = collected(snapshot);
                        other.on_saved(now, new.offer, &mut Effects::default());
                        others = Some(new);
                    }
                }
            }
            10 => {
                let Some(others) = &others else { continue };
                if saved.as_ref().is_some_and(|old| old.offer.number >= others.offer.number) {
                    continue;
                }
                saved = Some(others.clone());
                let mut pieces = others.pieces.iter().cloned();
                let installed = replica.install(now, others.offer, &mut pieces, &mut effects);
                outcomes.note(("installed", installed.expect("it is one that was cut")));
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
        if replica.diverged().is_some() {
            // The node ends here, whatever it was told after.
            outcomes.note("diverged");
            return Ok(());
        }
        if replica.take_offer().is_some() {
            outcomes.note("offered");
        }
        for step in replica.take_steps() {
            outcomes.note(("executed", step.component_len.min(6), step.value.commands.is_noop()));
            step.replies.iter().for_each(|reply| outcomes.note(std::mem::discriminant(reply)));
            assert_eq!(step.replies.len(), step.value.commands.as_slice().len());
            assert!(executed.insert(step.vertex), "{} is executed twice", step.vertex);
        }
        if let Some(snapshot) = replica.take_snapshot() {
            assert!(writing.is_none(), "two are written at a time");
            writing = Some(snapshot);
        }
        outcomes.note(("blocked", replica.blocked_len().min(8), replica.pending_len().min(8)));
        outcomes.note(("floor", replica.floor().columns().count(), replica.log_size().0.min(4)));
    }
    world.sync(&scope);
    world.trim_all();
    let own = world.records().filter_map(committed);
    let committed = learned.into_iter().chain(own);
    let (again, _) = restored(&scope, saved.as_ref(), committed, now);
    assert_eq!(replica.committed(), again.committed(), "a commit is forgotten by a restart");
    assert_eq!(replica.pending_len(), again.pending_len(), "a restart executes others");
    assert_eq!(replica.digest(), again.digest(), "a restart leads to another state");
    assert_eq!(replica.barriers(), again.barriers(), "a restart passes other barriers");
    Ok(())
}

fn committed(record: ReplicaRecord) -> Option<(VertexId, Value)> {
    match record {
        ReplicaRecord::Committed { vertex, value } => Some((vertex, value)),
        ReplicaRecord::Pruned { .. } | ReplicaRecord::Rewritten => None,
    }
}

fn collected(snapshot: Snapshot) -> Saved {
    let number = snapshot.number;
    let pieces: Vec<(u8, Bytes)> = snapshot.pieces.collect();
    assert_eq!(pieces[0].0, piece::HEADER);
    let header = SnapshotHeader::decode(pieces[0].1.clone()).expect("a restart reads it");
    assert_eq!(header.number, number);
    let executed = |column: Column| header.executed.get(&column).map_or(0, SeqSet::below);
    let is_executed = header.cut.columns().all(|(column, row)| row.below() <= executed(column));
    assert!(is_executed, "it says that it holds more than was executed");
    let len = pieces.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    Saved { offer: SnapshotOffer { number, len, digest: [number as u8; 32] }, header, pieces }
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
            barrier_len: 3,
            log_len_max: 2,
            rewrite_len_max: 2,
            ..Limits::default()
        },
    };
    Replica::new(config, Box::new(Store::default()))
}

/// A restarted replica, and what it cut while it was restored.
fn restored(
    scope: &Scope,
    saved: Option<&Saved>,
    committed: impl IntoIterator<Item = (VertexId, Value)>,
    now: Micros,
) -> (Replica, Option<Snapshot>) {
    let mut replica = new(scope);
    if let Some(saved) = saved {
        let mut pieces = saved.pieces.iter().cloned();
        replica.restore_snapshot(saved.offer, &mut pieces).expect("it is one that was cut");
    }
    committed.into_iter().for_each(|(vertex, value)| replica.restore(vertex, value));
    for step in replica.take_steps() {
        let executed = saved.and_then(|saved| saved.header.executed.get(&step.vertex.column()));
        assert!(
            executed.is_none_or(|set| !set.contains(step.vertex.seq)),
            "{} is in the snapshot, and executed again",
            step.vertex
        );
    }
    replica.start(now);
    let writing = replica.take_snapshot();
    (replica, writing)
}
