//! A voter under messages at any time, with crashes, its journal trimmed as it allows.

use crate::scope::Scope;
use crate::target::any_bytes;
use crate::world::{World, note};
use crate::{Outcomes, Target};
use althing_kv::KvConflicts;
use althing_model::{Conflicts, Path, VertexId};
use althing_voter::{Config, Voter};
use althing_wire::{Effects, NodeRecord, Party, VoterRecord};
use arbitrary::{Result, Unstructured};
use std::collections::BTreeSet;

pub(crate) const TARGET: Target =
    Target { name: "voter", run, len_max: 768, generate: any_bytes, words: &[] };

fn run(data: &[u8], outcomes: &mut Outcomes) {
    // Bytes that end early end the story.
    let _ = live(&mut Unstructured::new(data), outcomes);
}

fn live(bytes: &mut Unstructured<'_>, outcomes: &mut Outcomes) -> Result<()> {
    let scope = Scope::draw(bytes, Path::Fast, Party::Voter)?;
    let (mut voter, mut world) = (new(&scope), World::new());
    let mut previous = None;
    while !bytes.is_empty() {
        match bytes.int_in_range(0..=15)? {
            0 => world.sync(&scope),
            2 => world.trim(bytes)?,
            1 => {
                let records = world.crash(bytes)?;
                voter = restored(&scope, records);
            }
            _ => {
                let (from, message) = scope.message_to(bytes, Party::Voter)?;
                let (kind, mut effects) = (message.kind(), Effects::default());
                let taken = voter.handle(from, message, &mut effects);
                note(outcomes, &mut previous, kind, taken);
                world.take(&scope, &mut effects, outcomes);
            }
        }
    }
    outcomes.note(("rewritten", voter.is_rewritten(), voter.floor().is_empty()));
    world.sync(&scope);
    world.trim_all();
    let again = restored(&scope, world.records());
    assert_eq!(voter.floor(), again.floor(), "the floor is forgotten by a restart");
    let vertices: BTreeSet<VertexId> =
        world.records().filter_map(|record| NodeRecord::from(record).vertex()).collect();
    for vertex in vertices {
        assert_eq!(voter.register(vertex), again.register(vertex), "{vertex} after a restart");
    }
    assert!(voter.committed().eq(again.committed()), "a commit is forgotten by a restart");
    Ok(())
}

fn new(scope: &Scope) -> Voter {
    Voter::new(Config {
        me: scope.me,
        epoch: scope.membership.epoch(),
        modes: KvConflicts::default().modes().clone(),
        has_replica: true,
    })
}

fn restored(scope: &Scope, records: impl IntoIterator<Item = VoterRecord>) -> Voter {
    let mut voter = new(scope);
    records.into_iter().for_each(|record| voter.restore(record));
    voter
}
