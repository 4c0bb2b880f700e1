//! Random histories that are right by construction: a register map that takes each operation's
//! effect at one moment between its invocation and its return.

#![allow(dead_code, unreachable_pub)]

use althing_checker::register_map::{Input, Output, State};
use althing_checker::{History, OperationId, Outcome, RegisterMap, Specification};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What to generate.
pub struct Plan {
    /// Operations in all.
    pub operations: usize,
    /// Clients at a time.
    pub clients: usize,
    /// Of 1,000 operations: how many are given up by their client, to take effect late or never.
    pub unknown: u32,
    /// Of 1,000 operations: how many fail for sure.
    pub failed: u32,
}

enum Stage {
    Idle,
    Invoked(OperationId, Input),
    Effective(OperationId, Output),
}

/// Runs the plan; `choose` makes the n-th operation of a client.
pub fn history(
    seed: u64,
    plan: &Plan,
    mut choose: impl FnMut(&mut StdRng, usize, usize) -> Input,
) -> History<Input, Output> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut history = History::new();
    let mut state: State = RegisterMap.initial();
    let mut clients: Vec<(u64, Stage)> =
        (0..plan.clients).map(|c| (c as u64, Stage::Idle)).collect();
    let mut names = plan.clients as u64;
    let mut limbo: Vec<Input> = Vec::new();
    let (mut invoked, mut ns) = (0, 0);
    while invoked < plan.operations || clients.iter().any(|(_, s)| !matches!(s, Stage::Idle)) {
        ns += 1;
        if !limbo.is_empty() && rng.random_range(0..50) == 0 {
            let late = limbo.swap_remove(rng.random_range(0..limbo.len()));
            if rng.random_bool(0.5) {
                state = RegisterMap.apply(&state, &late).0;
            }
        }
        let slot = rng.random_range(0..clients.len());
        let (client, stage) = &mut clients[slot];
        *stage = match std::mem::replace(stage, Stage::Idle) {
            Stage::Idle if invoked == plan.operations => Stage::Idle,
            Stage::Idle => {
                let input = choose(&mut rng, slot, invoked);
                invoked += 1;
                let operation = history.invoked(*client, ns, input.clone());
                Stage::Invoked(operation, input)
            }
            Stage::Invoked(operation, input) => {
                let fate = rng.random_range(0..1000);
                if fate < plan.unknown {
                    limbo.push(input);
                    *client = names;
                    names += 1;
                    Stage::Idle
                } else if fate < plan.unknown + plan.failed {
                    history.failed(operation);
                    Stage::Idle
                } else {
                    let (next, output) = RegisterMap.apply(&state, &input);
                    state = next;
                    Stage::Effective(operation, output)
                }
            }
            Stage::Effective(operation, output) => {
                if rng.random_range(0..1000) < plan.unknown {
                    *client = names;
                    names += 1;
                } else {
                    history.returned(operation, ns, output);
                }
                Stage::Idle
            }
        };
    }
    history
}

/// Gets, unique puts and increments on one key.
pub fn hot_key(rng: &mut StdRng, _client: usize, number: usize) -> Input {
    match rng.random_range(0..3) {
        0 => Input::get("hot"),
        // Far apart, so that increments do not run from one put's value into another's.
        1 => Input::put("hot", (number * 1_000_000).to_string()),
        _ => Input::increment("hot", 1),
    }
}

/// Gets, unique puts, swaps from a recent value and deletes on one key.
pub fn hot_swaps(rng: &mut StdRng, _client: usize, number: usize) -> Input {
    match rng.random_range(0..12) {
        0..5 => Input::get("hot"),
        5..8 => Input::put("hot", number.to_string()),
        8..11 => Input::CompareAndSwap {
            key: "hot".into(),
            expected: Some(number.saturating_sub(rng.random_range(1..60)).to_string().into()),
            new: Some(number.to_string().into()),
        },
        _ => Input::delete("hot"),
    }
}

/// Single-key and multi-key gets and unique puts on ten keys.
pub fn hot_pairs(rng: &mut StdRng, _client: usize, number: usize) -> Input {
    let key = |rng: &mut StdRng| rng.random_range(0..10).to_string().into();
    match rng.random_range(0..10) {
        0..4 => Input::Get { key: key(rng) },
        4..7 => Input::put(key(rng), (number * 1_000_000).to_string()),
        7 => Input::increment(key(rng), 1),
        8 => Input::MultiGet { keys: vec![key(rng), key(rng), key(rng)] },
        _ => Input::MultiPut {
            entries: vec![
                (key(rng), (number * 1_000_000).to_string().into()),
                (key(rng), (number * 1_000_000 + 500_000).to_string().into()),
            ],
        },
    }
}

/// Keys private to a client, single-key operations of every kind.
pub fn private_keys(rng: &mut StdRng, client: usize, number: usize) -> Input {
    let key = format!("{client}/{}", rng.random_range(0..100));
    match rng.random_range(0..8) {
        0..3 => Input::get(key),
        3..6 => Input::put(key, number.to_string()),
        6 => Input::increment(key, 1),
        _ => Input::delete(key),
    }
}

/// Every kind of operation on few keys and few values.
pub fn mixed(rng: &mut StdRng, _client: usize, _number: usize) -> Input {
    let key = |rng: &mut StdRng| ["a", "b", "c"][rng.random_range(0..3)].into();
    let value = |rng: &mut StdRng| ["0", "1", "2", "x"][rng.random_range(0..4)].into();
    match rng.random_range(0..9) {
        0 | 1 => Input::Get { key: key(rng) },
        2 => Input::Put { key: key(rng), value: value(rng) },
        3 => Input::Delete { key: key(rng) },
        4 | 5 => Input::CompareAndSwap {
            key: key(rng),
            expected: rng.random_bool(0.7).then(|| value(rng)),
            new: rng.random_bool(0.8).then(|| value(rng)),
        },
        6 => Input::Increment { key: key(rng), by: rng.random_range(-1..2) },
        7 => Input::MultiPut { entries: vec![(key(rng), value(rng)), (key(rng), value(rng))] },
        _ => Input::MultiGet { keys: vec![key(rng), key(rng)] },
    }
}

/// The history with the outputs of two operations swapped, of two that `may` be, whose outputs
/// differ, and which were invoked at least `apart` operations apart (of two that overlap the outputs
/// may well be exchanged). `None` when a few hundred draws find no such two.
pub fn with_two_outputs_swapped(
    seed: u64,
    history: &History<Input, Output>,
    apart: usize,
    may: impl Fn(&Input) -> bool,
) -> Option<History<Input, Output>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let operations = history.operations();
    let output = |n: usize| match &operations[n].outcome {
        Outcome::Returned { output, .. } if may(&operations[n].input) => Some(output.clone()),
        _ => None,
    };
    let (a, b) = (0..300).find_map(|_| {
        let [a, b] = [(); 2].map(|()| rng.random_range(0..operations.len()));
        let (x, y) = (output(a)?, output(b)?);
        (x != y && a.abs_diff(b) >= apart).then_some((a, b))
    })?;
    let mut lines = Vec::new();
    history.write_json_lines(&mut lines).ok()?;
    let mut lines: Vec<serde_json::Value> = lines
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| serde_json::from_slice(line).expect("written just now"))
        .collect();
    let taken = lines[a]["outcome"]["returned"]["output"].take();
    let other = lines[b]["outcome"]["returned"]["output"].take();
    lines[a]["outcome"]["returned"]["output"] = other;
    lines[b]["outcome"]["returned"]["output"] = taken;
    let text: String = lines.iter().map(|l| format!("{l}\n")).collect();
    Some(History::read_json_lines(text.as_bytes()).expect("only outputs changed"))
}
