//! A dependency node of the classic path under messages at any time, with crashes, its journal
//! trimmed as it allows.

use crate::scope::Scope;
use crate::target::any_bytes;
use crate::world::{World, note};
use crate::{Outcomes, Target};
use althing_dependency::DependencyNode;
use althing_kv::KvConflicts;
use althing_model::{Ballot, Conflicts, Path, Role};
use althing_wire::{DependencyRecord, Effect, Effects, Inspect, Party};
use arbitrary::{Result, Unstructured};

pub(crate) const TARGET: Target =
    Target { name: "dependency", run, len_max: 768, generate: any_bytes, words: &[] };

const PARTY: Party = Party::Node(Role::Dependency);

fn run(data: &[u8], outcomes: &mut Outcomes) {
    // Bytes that end early end the story.
    let _ = live(&mut Unstructured::new(data), outcomes);
}

fn live(bytes: &mut Unstructured<'_>, outcomes: &mut Outcomes) -> Result<()> {
    let scope = Scope::draw(bytes, Path::Classic, PARTY)?;
    let mut node = restored(&scope, []);
    let (mut world, mut previous) = (World::new(), None);
    while !bytes.is_empty() {
        match bytes.int_in_range(0..=15)? {
            0 => world.sync(&scope),
            2 => world.trim(bytes)?,
            1 => {
                let records = world.crash(bytes)?;
                node = restored(&scope, records);
            }
            _ => {
                let (from, message) = scope.message_to(bytes, PARTY)?;
                let (kind, mut effects) = (message.kind(), Effects::default());
                let taken = node.handle(from, message, &mut effects);
                note(outcomes, &mut previous, kind, taken);
                world.take(&scope, &mut effects, outcomes);
            }
        }
    }
    outcomes.note(("rewritten", node.is_rewritten(), node.floor().is_empty()));
    world.sync(&scope);
    world.trim_all();
    let mut again = restored(&scope, world.records());
    assert_eq!(node.floor(), again.floor(), "the floor is forgotten by a restart");
    assert_eq!(node.len(), again.len());
    for record in world.records() {
        let DependencyRecord::Depended { vertex, .. } = record else { continue };
        let ballot = Ballot { round: 9, proposer: vertex.proposer };
        let ask = |node: &mut DependencyNode| -> Vec<Effect<DependencyRecord>> {
            let (inspect, mut effects) = (Inspect { vertex, ballot }, Effects::default());
            let taken = node.handle(vertex.proposer.into(), inspect.into(), &mut effects);
            assert_eq!(taken, Ok(()));
            effects.into_iter().collect()
        };
        assert_eq!(ask(&mut node), ask(&mut again), "another answer after a restart");
    }
    Ok(())
}

fn restored(scope: &Scope, records: impl IntoIterator<Item = DependencyRecord>) -> DependencyNode {
    let modes = KvConflicts::default().modes().clone();
    let node = DependencyNode::new(scope.membership.epoch(), modes);
    let mut node = match scope.membership.has(scope.me, Role::Replica) {
        true => node.beside_replica(scope.me),
        false => node,
    };
    records.into_iter().for_each(|record| node.restore(record));
    node
}
