//! The checker against stateright's `LinearizabilityTester`: another author's, in another style, and
//! with a store written a second time, in plain maps of text.

mod generator;

use althing_checker::register_map::{Blob, Input, Output};
use althing_checker::{History, Outcome, RegisterMap, Verdict, linearizable};
use generator::Plan;
use proptest::prelude::*;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, PartialEq)]
struct Store(BTreeMap<Vec<u8>, Vec<u8>>);

impl Store {
    fn held(&self, key: &Blob) -> Option<Blob> {
        self.0.get(key.bytes()).map(|value| value.as_slice().into())
    }

    fn set(&mut self, key: &Blob, value: Option<&Blob>) -> bool {
        match value {
            Some(value) => self.0.insert(key.bytes().into(), value.bytes().into()).is_some(),
            None => self.0.remove(key.bytes()).is_some(),
        }
    }
}

impl SequentialSpec for Store {
    type Op = Input;
    type Ret = Output;

    fn invoke(&mut self, op: &Input) -> Output {
        match op {
            Input::Get { key } => Output::Value(self.held(key)),
            Input::MultiGet { keys } => {
                Output::Values(keys.iter().map(|key| self.held(key)).collect())
            }
            Input::Put { key, value } => {
                self.set(key, Some(value));
                Output::Done
            }
            Input::MultiPut { entries } => {
                for (key, value) in entries {
                    self.set(key, Some(value));
                }
                Output::Done
            }
            Input::Delete { key } => Output::Existed(self.set(key, None)),
            Input::CompareAndSwap { key, expected, new } => {
                let held = self.held(key);
                if held != *expected {
                    return Output::DiffersHolding(held);
                }
                self.set(key, new.as_ref());
                Output::Done
            }
            Input::Increment { key, by } => {
                let text = self.held(key).map(|held| String::from_utf8(held.bytes().into()));
                let held: Option<i64> = match text {
                    None => Some(0),
                    Some(Ok(text)) => text.parse().ok().filter(|n: &i64| n.to_string() == text),
                    Some(Err(_)) => None,
                };
                match held.and_then(|held| held.checked_add(*by)) {
                    None => Output::NotAnInteger,
                    Some(sum) => {
                        self.set(key, Some(&sum.to_string().into()));
                        Output::Integer(sum)
                    }
                }
            }
        }
    }
}

/// Each operation as a thread of its own, since a client that gave up goes on with another.
fn stateright_says(history: &History<Input, Output>) -> bool {
    let mut events: Vec<(u64, usize, Option<&Output>)> = Vec::new();
    for (number, operation) in history.operations().iter().enumerate() {
        if matches!(operation.outcome, Outcome::Failed) {
            continue;
        }
        events.push((operation.invoked.event, number, None));
        if let Outcome::Returned { at, output } = &operation.outcome {
            events.push((at.event, number, Some(output)));
        }
    }
    events.sort_by_key(|(event, ..)| *event);
    let mut tester = LinearizabilityTester::new(Store::default());
    for (_, number, returned) in events {
        let told = match returned {
            None => tester.on_invoke(number, history.operations()[number].input.clone()),
            Some(output) => tester.on_return(number, output.clone()),
        };
        told.expect("an operation is invoked once and then returns");
    }
    tester.is_consistent()
}

fn ours_says(history: &History<Input, Output>) -> bool {
    match linearizable::check(&RegisterMap, history, linearizable::BUDGET_STEPS) {
        Verdict::Linearizable { .. } => true,
        Verdict::NotLinearizable(_) => false,
        Verdict::Undecided { .. } => panic!("undecided on a small history"),
    }
}

/// Broken: our checker, its specification of the store, or what it makes of unknown outcomes: on
/// histories that are right, and on such with outputs exchanged.
#[test]
fn agrees_with_stateright() {
    let mut verdicts = [0; 2];
    for seed in 0..4_000u64 {
        let clients = 2 + seed as usize % 3;
        let plan = Plan { operations: 9, clients, unknown: 60, failed: 40 };
        let choose = match seed % 4 {
            0 => generator::hot_key,
            1 => generator::hot_swaps,
            _ => generator::mixed,
        };
        let mut history = generator::history(seed, &plan, choose);
        assert!(stateright_says(&history), "seed {seed}: right by construction");
        for swap in 0..seed % 3 {
            let may = |input: &Input| {
                matches!(
                    input,
                    Input::Get { .. } | Input::MultiGet { .. } | Input::Increment { .. }
                )
            };
            if let Some(wrong) =
                generator::with_two_outputs_swapped(seed ^ swap << 32, &history, 0, may)
            {
                history = wrong;
            }
        }
        let verdict = stateright_says(&history);
        assert_eq!(ours_says(&history), verdict, "seed {seed}: {history:?}");
        verdicts[usize::from(verdict)] += 1;
    }
    let [wrong, right] = verdicts;
    assert!(wrong > 500 && right > 500, "{wrong} wrong and {right} right");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Broken: the same on invented histories, most of which nothing explains for a reason other than
    /// an exchanged output.
    #[test]
    fn agrees_with_stateright_on_invented_outputs(
        steps in prop::collection::vec((0..3u8, 0..3u8, 0..2u8, 0..20u8, 1..8u8, 0..8u8), 1..7)
    ) {
        let mut history = History::new();
        let mut events = Vec::new();
        for (number, (.., from, len, _)) in steps.iter().enumerate() {
            events.push((*from, number, false));
            events.push((from + len, number, true));
        }
        events.sort_unstable();
        let mut ids = vec![None; steps.len()];
        for (ns, number, is_return) in events {
            let (kind, value, key, _, _, ending) = steps[number];
            let key = ["a", "b"][usize::from(key)];
            let text = value.to_string();
            let (input, output) = match kind {
                0 => (Input::put(key, text), Output::Done),
                1 => (Input::get(key), Output::Value((value > 0).then(|| text.into()))),
                _ => (Input::increment(key, 1), Output::Integer(value.into())),
            };
            match (ids[number], ending) {
                (None, _) => ids[number] = Some(history.invoked(number as u64, ns.into(), input)),
                (Some(_), 0) => {}
                (Some(id), 1) if is_return => history.failed(id),
                (Some(id), _) => history.returned(id, ns.into(), output),
            }
        }
        prop_assert_eq!(ours_says(&history), stateright_says(&history));
    }
}
