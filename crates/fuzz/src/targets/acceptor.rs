//! An acceptor of the classic path under messages at any time, with crashes, its journal trimmed as
//! it allows.

use crate::scope::Scope;
use crate::target::any_bytes;
use crate::world::{World, note};
use crate::{Outcomes, Target};
use althing_acceptor::Acceptor;
use althing_model::{Path, Role, VertexId};
use althing_wire::{AcceptorRecord, Effects, NodeRecord, Party};
use arbitrary::{Result, Unstructured};
use std::collections::BTreeSet;

pub(crate) const TARGET: Target =
    Target { name: "acceptor", run, len_max: 768, generate: any_bytes, words: &[] };

const PARTY: Party = Party::Node(Role::Acceptor);

fn run(data: &[u8], outcomes: &mut Outcomes) {
    // Bytes that end early end the story.
    let _ = live(&mut Unstructured::new(data), outcomes);
}

fn live(bytes: &mut Unstructured<'_>, outcomes: &mut Outcomes) -> Result<()> {
    let scope = Scope::draw(bytes, Path::Classic, PARTY)?;
    let mut acceptor = restored(&scope, []);
    let (mut world, mut previous) = (World::new(), None);
    while !bytes.is_empty() {
        match bytes.int_in_range(0..=15)? {
            0 => world.sync(&scope),
            2 => world.trim(bytes)?,
            1 => {
                let records = world.crash(bytes)?;
                acceptor = restored(&scope, records);
            }
            _ => {
                let (from, message) = scope.message_to(bytes, PARTY)?;
                let (kind, mut effects) = (message.kind(), Effects::default());
                let taken = acceptor.handle(from, message, &mut effects);
                note(outcomes, &mut previous, kind, taken);
                world.take(&scope, &mut effects, outcomes);
            }
        }
    }
    outcomes.note(("rewritten", acceptor.is_rewritten(), acceptor.floor().is_empty()));
    world.sync(&scope);
    world.trim_all();
    let again = restored(&scope, world.records());
    assert_eq!(acceptor.floor(), again.floor(), "the floor is forgotten by a restart");
    let vertices: BTreeSet<VertexId> =
        world.records().filter_map(|record| NodeRecord::from(record).vertex()).collect();
    for vertex in vertices {
        assert_eq!(acceptor.get(vertex), again.get(vertex), "{vertex} after a restart");
    }
    Ok(())
}

fn restored(scope: &Scope, records: impl IntoIterator<Item = AcceptorRecord>) -> Acceptor {
    let acceptor = Acceptor::new(scope.membership.epoch());
    let mut acceptor = match scope.membership.has(scope.me, Role::Replica) {
        true => acceptor.beside_replica(scope.me),
        false => acceptor,
    };
    records.into_iter().for_each(|record| acceptor.restore(record));
    acceptor
}
