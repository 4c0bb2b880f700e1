//! A node's registry: the bytes of its file, and what the others tell of themselves, with restarts.

use super::message::{MEMORY_BESIDE, MEMORY_PER_BYTE};
use crate::allocation::bounded;
use crate::{Outcomes, Target};
use althing_model::{Membership, NodeId, Path};
use althing_roles::{JournalFound, Registry, RegistryEffect};
use althing_wire::{Message, Register, Registered, RegistryState, Standing};
use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use std::collections::BTreeMap;

pub(crate) const TARGET: Target =
    Target { name: "registry", run, len_max: 512, generate, words: &[] };

const ME: NodeId = NodeId(1);

/// A byte that says whether a file follows, or a life.
fn run(data: &[u8], outcomes: &mut Outcomes) {
    let Some((what, rest)) = data.split_first() else { return };
    if what % 2 == 0 {
        return decode(rest, outcomes);
    }
    // Bytes that end early end the story.
    let _ = live(&mut Unstructured::new(rest), outcomes);
}

fn decode(file: &[u8], outcomes: &mut Outcomes) {
    let max = MEMORY_BESIDE + MEMORY_PER_BYTE * file.len();
    match bounded(max, || RegistryState::decode(Bytes::copy_from_slice(file))) {
        Ok(state) => {
            outcomes.note(("decoded", state.standing as u8, state.known.len().min(8)));
            assert_eq!(RegistryState::decode(state.encode()), Ok(state));
        }
        Err(error) => {
            assert!(!error.to_string().is_empty(), "the operator is told");
            outcomes.note((error.field, std::mem::discriminant(&error.fault)));
        }
    }
}

fn live(bytes: &mut Unstructured<'_>, outcomes: &mut Outcomes) -> Result<()> {
    let (n, f) = *bytes.choose(&[(3, 1), (5, 2)])?;
    let membership = Membership::colocated(n, f, Path::Fast).expect("a cluster");
    let mut disk: Option<RegistryState> = bytes.arbitrary::<bool>()?.then_some(RegistryState {
        incarnation: number(bytes)?,
        standing: *bytes.choose(&[Standing::Asking, Standing::Admitted, Standing::Lost])?,
        known: BTreeMap::new(),
    });
    let mut now = 0;
    let mut effects = Vec::new();
    let mut registry = started(bytes, &membership, &disk, now, &mut effects)?;
    while !bytes.is_empty() {
        let before = registry.standing();
        match bytes.int_in_range(0..=7)? {
            0 => registry = started(bytes, &membership, &disk, now, &mut effects)?,
            1 => {
                now = registry.deadline().filter(|at| *at < u64::MAX).unwrap_or(now).max(now);
                registry.on_deadline(now, &mut effects);
                assert!(registry.deadline().is_none_or(|at| at > now), "it is never done");
            }
            choice => {
                let from = NodeId(bytes.int_in_range(0..=n)?);
                let incarnation = number(bytes)?;
                let message: Message = match choice % 2 {
                    0 => Register { incarnation, is_lost: bytes.arbitrary()? }.into(),
                    _ => Registered { incarnation }.into(),
                };
                let taken = registry.handle(from, message, &mut effects);
                outcomes.note((choice % 2, taken, before as u8, registry.standing() as u8));
                let stays = matches!(before, Standing::Lost | Standing::Admitted);
                assert!(!stays || registry.standing() == before, "{before:?} is no more");
            }
        }
        let mut told = Vec::new();
        for effect in effects.drain(..) {
            match effect {
                RegistryEffect::Save(state) => {
                    if let Some(old) = &disk {
                        let is_kept = |(node, first)| state.known.get(node) == Some(first);
                        assert!(old.known.iter().all(is_kept), "a first number is forgotten");
                    }
                    disk = Some(state);
                }
                RegistryEffect::Send { to, message } => {
                    assert_ne!(to, ME);
                    told.push((to, message));
                }
            }
        }
        let on_disk = disk.as_ref().expect("it is saved at a start");
        for (to, message) in told {
            outcomes.note(("told", message.kind()));
            // Whoever is answered is answered with what is on disk.
            if let Message::Registered(it) = message {
                assert_eq!(on_disk.known.get(&to), Some(&it.incarnation));
            }
        }
        assert_eq!(on_disk.standing, registry.standing(), "what it does is not on disk");
    }
    Ok(())
}

fn started(
    bytes: &mut Unstructured<'_>,
    membership: &Membership,
    disk: &Option<RegistryState>,
    now: u64,
    effects: &mut Vec<RegistryEffect>,
) -> Result<Registry> {
    let journals = [JournalFound::None, JournalFound::Empty, JournalFound::WithRecords];
    let journal = *bytes.choose(&journals)?;
    let drawn = number(bytes)?;
    let mut registry = Registry::new(ME, membership, disk.clone(), journal, drawn, 1_000);
    registry.start(now, effects);
    Ok(registry)
}

/// Few, so that they meet.
fn number(bytes: &mut Unstructured<'_>) -> Result<u64> {
    bytes.int_in_range(1..=3)
}

fn generate(bytes: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    if bytes.arbitrary()? {
        let rest = bytes.bytes(bytes.len())?;
        return Ok([&[1], rest].concat());
    }
    let state = RegistryState {
        incarnation: bytes.arbitrary()?,
        standing: *bytes.choose(&[Standing::Asking, Standing::Admitted, Standing::Lost])?,
        known: bytes
            .arbitrary::<BTreeMap<u32, u64>>()?
            .into_iter()
            .map(|(node, it)| (NodeId(node), it))
            .collect(),
    };
    Ok([&[0], &state.encode()[..]].concat())
}
