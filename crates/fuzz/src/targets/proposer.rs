//! A proposer under clients, answers, deadlines and links at any time, with crashes, on either
//! path; its journal is trimmed as it allows.

use crate::scope::Scope;
use crate::target::any_bytes;
use crate::targets::replica::later;
use crate::world::{World, note};
use crate::{Outcomes, Target};
use althing_kv::KvConflicts;
use althing_model::{NodeId, Path, Role};
use althing_proposer::{Config, Limits, Link, Proposer, Timing};
use althing_wire::{
    Accepted, Address, Chosen, ClientId, Concluded, Depended, Effects, Ignored, Inspected, Message,
    Party, PreAccepted, Promised, ProposerRecord, Pruned, Refused,
};
use arbitrary::{Result, Unstructured};
use std::sync::Arc;

pub(crate) const TARGET: Target =
    Target { name: "proposer", run, len_max: 768, generate: any_bytes, words: &[] };

const PARTY: Party = Party::Node(Role::Proposer);

fn run(data: &[u8], outcomes: &mut Outcomes) {
    // Bytes that end early end the story.
    let _ = live(&mut Unstructured::new(data), outcomes);
}

fn live(bytes: &mut Unstructured<'_>, outcomes: &mut Outcomes) -> Result<()> {
    let path = if bytes.arbitrary()? { Path::Fast } else { Path::Classic };
    let scope = Scope::draw(bytes, path, PARTY)?;
    let limits = limits(bytes)?;
    let (mut world, mut previous, mut now) = (World::new(), None, 0);
    let mut effects = Effects::default();
    let mut proposer = started(&scope, limits, Vec::new(), now, &mut effects);
    while !bytes.is_empty() {
        match bytes.int_in_range(0..=15)? {
            0 => world.sync(&scope),
            1 => {
                let records = world.crash(bytes)?;
                effects = Effects::default();
                proposer = started(&scope, limits, records, now, &mut effects);
            }
            2 | 3 => {
                now = later(bytes, now, proposer.deadline())?;
                proposer.on_deadline(now, &mut effects);
            }
            4 => {
                let nodes: Vec<NodeId> = scope.membership.nodes().collect();
                let round_trip = bytes.arbitrary::<Option<u16>>()?.map(u64::from);
                let link = Link { round_trip, is_up: bytes.arbitrary()? };
                proposer.on_link(now, *bytes.choose(&nodes)?, link);
            }
            6 => world.trim(bytes)?,
            5 => proposer.on_client_gone(ClientId(bytes.int_in_range(0..=2)?)),
            choice => {
                let message = if choice < 12 { answer(bytes, &scope, &world)? } else { None };
                let (from, message) = match message {
                    Some(message) => message,
                    None => scope.message_to(bytes, PARTY)?,
                };
                let kind = message.kind();
                let taken = proposer.handle(now, from, message, &mut effects);
                note(outcomes, &mut previous, kind, taken);
            }
        }
        // What it told itself comes back in order, and nothing is lost within a node.
        for message in std::mem::take(&mut world.to_self) {
            let taken = proposer.handle(now, scope.me.into(), message, &mut effects);
            assert_eq!(taken, Ok::<(), Ignored>(()));
        }
        proposer.flush(now, &mut effects);
        world.take(&scope, &mut effects, outcomes);
        for (path, _) in proposer.take_commits() {
            outcomes.note(("committed", path));
        }
        assert!(proposer.own_in_flight() <= proposer.in_flight());
    }
    let counters = proposer.counters();
    outcomes.note(("consulted", counters.consulted > 0, counters.rebuilt > 0));
    outcomes.note(("again", counters.proposed_again > 0, counters.adopted_votes > 0));
    Ok(())
}

/// What somebody who was asked might answer: few answers fit by chance.
fn answer(
    bytes: &mut Unstructured<'_>,
    scope: &Scope,
    world: &World<ProposerRecord>,
) -> Result<Option<(Address, Message)>> {
    let Some(back) = world.sent.len().checked_sub(1) else { return Ok(None) };
    let back = bytes.int_in_range(0..=back)?;
    let (to, message) = &world.sent[world.sent.len() - 1 - back];
    let Some(vertex) = message.vertex() else { return Ok(None) };
    let ballot = match message {
        Message::PreAccept(_) | Message::Conclude(_) => althing_model::Ballot::fast(vertex),
        Message::Depend(m) => m.ballot,
        Message::Inspect(m) => m.ballot,
        Message::Prepare(m) => m.ballot,
        Message::Accept(m) => m.ballot,
        _ => return Ok(None),
    };
    let answers_chosen = scope.membership.path() == Path::Fast;
    let answer: Message = match (bytes.int_in_range(0..=15)?, message) {
        // Whoever is asked may have forgotten it.
        (2, _) => Pruned { vertex }.into(),
        (0, _) if !matches!(message, Message::Inspect(_)) => {
            let higher = ballot.round + bytes.int_in_range(1..=3)?;
            let nodes: Vec<NodeId> = scope.membership.with(Role::Proposer).collect();
            let proposer = if higher < 2 { vertex.proposer } else { *bytes.choose(&nodes)? };
            let promised = althing_model::Ballot { round: higher, proposer };
            Refused { vertex, ballot, promised }.into()
        }
        (1, _) if answers_chosen => Chosen { vertex, value: scope.committed(vertex) }.into(),
        (_, Message::PreAccept(m)) => {
            // A voter's answer holds the base that it was sent.
            let mut deps = m.base.clone();
            deps.union(&scope.deps(bytes)?);
            PreAccepted { vertex, deps }.into()
        }
        (_, Message::Conclude(_)) => Concluded { vertex }.into(),
        (_, Message::Depend(m)) => {
            let mut deps = m.base.clone();
            deps.union(&scope.deps(bytes)?);
            Depended { vertex, ballot, deps }.into()
        }
        (_, Message::Inspect(_)) => {
            Inspected { vertex, ballot, held: scope.held(bytes, vertex)? }.into()
        }
        (_, Message::Prepare(_)) => {
            Promised { vertex, ballot, vote: scope.vote(bytes, vertex, ballot)? }.into()
        }
        _ => Accepted { vertex, ballot }.into(),
    };
    Ok(Some((*to, answer)))
}

fn limits(bytes: &mut Unstructured<'_>) -> Result<Limits> {
    Ok(Limits {
        in_flight_max: bytes.int_in_range(1..=4)?,
        queue_len_max: bytes.int_in_range(1..=6)?,
        batch_len_max: bytes.int_in_range(1..=3)?,
        batch_delay: bytes.int_in_range(0..=1)? * 1000,
        reserve_len: bytes.int_in_range(1..=4)?,
        chain_len_max: bytes.int_in_range(1..=2)?,
        recoveries_max: bytes.int_in_range(1..=3)?,
        placements_max: bytes.int_in_range(0..=2)?,
        ..Limits::default()
    })
}

fn started(
    scope: &Scope,
    limits: Limits,
    records: Vec<ProposerRecord>,
    now: u64,
    effects: &mut Effects<ProposerRecord>,
) -> Proposer {
    let config = Config {
        me: scope.me,
        membership: scope.membership.clone(),
        seed: 1,
        timing: Timing::default(),
        limits,
    };
    let mut proposer = Proposer::new(config, Arc::new(KvConflicts::default()), records);
    proposer.start(now, effects);
    proposer
}
