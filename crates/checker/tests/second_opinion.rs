//! The checker against two others that are too simple to be wrong in the same way: every order
//! tried one by one, and the search without what outlines allow to cut.

mod generator;

use althing_checker::register_map::{Input, Output};
use althing_checker::{
    History, OperationId, Outcome, RegisterMap, Specification, Verdict, linearizable,
};
use generator::Plan;
use proptest::prelude::*;

/// Every order of the operations that respects real time, by plain recursion over what may come
/// next. No partitions, no memory, no outlines.
fn brute_force(history: &History<Input, Output>) -> bool {
    let mut left: Vec<usize> = (0..history.operations().len())
        .filter(|n| !matches!(history.operations()[*n].outcome, Outcome::Failed))
        .collect();
    goes_on(history, &RegisterMap.initial(), &mut left)
}

fn goes_on(
    history: &History<Input, Output>,
    state: &<RegisterMap as Specification>::State,
    left: &mut Vec<usize>,
) -> bool {
    let returned = |n: usize| match &history.operations()[n].outcome {
        Outcome::Returned { at, output } => Some((at.event, output)),
        _ => None,
    };
    if left.iter().all(|n| returned(*n).is_none()) {
        return true;
    }
    for position in 0..left.len() {
        let number = left[position];
        let operation = &history.operations()[number];
        let is_too_early =
            left.iter().any(|n| returned(*n).is_some_and(|(at, _)| at < operation.invoked.event));
        if is_too_early {
            continue;
        }
        let (next, output) = RegisterMap.apply(state, &operation.input);
        if returned(number).is_some_and(|(_, seen)| !RegisterMap.accepts(&output, seen)) {
            continue;
        }
        left.remove(position);
        let found = goes_on(history, &next, left);
        left.insert(position, number);
        if found {
            return true;
        }
    }
    false
}

/// The register map without outlines.
#[derive(Debug)]
struct Plain;

impl Specification for Plain {
    type State = <RegisterMap as Specification>::State;
    type Input = Input;
    type Output = Output;
    type Key = <RegisterMap as Specification>::Key;
    type Cell = <RegisterMap as Specification>::Cell;

    fn initial(&self) -> Self::State {
        RegisterMap.initial()
    }
    fn apply(&self, state: &Self::State, input: &Input) -> (Self::State, Output) {
        RegisterMap.apply(state, input)
    }
    fn accepts(&self, specified: &Output, seen: &Output) -> bool {
        RegisterMap.accepts(specified, seen)
    }
    fn keys(&self, input: &Input) -> Vec<Self::Key> {
        RegisterMap.keys(input)
    }
    fn fingerprint(&self, state: &Self::State) -> u128 {
        RegisterMap.fingerprint(state)
    }
    fn cell(&self, state: &Self::State, key: &Self::Key) -> Self::Cell {
        RegisterMap.cell(state, key)
    }
}

fn verdict<S: Specification<Input = Input, Output = Output>>(
    specification: &S,
    history: &History<Input, Output>,
) -> bool {
    match linearizable::check(specification, history, linearizable::BUDGET_STEPS) {
        Verdict::Linearizable { .. } => true,
        Verdict::NotLinearizable(account) => {
            assert!(!account.operations.is_empty() && !account.keys.is_empty());
            false
        }
        Verdict::Undecided { .. } => panic!("undecided on a small history"),
    }
}

/// An input, an output that it may or may not have had, and where its events lie.
fn step() -> impl Strategy<Value = (Input, Output, u8, u8, u8)> {
    let key = || prop::sample::select(vec!["a", "b"]);
    let value = || prop::sample::select(vec!["0", "1", "2"]);
    let maybe = move || prop::option::of(value()).prop_map(|v| v.map(Into::into));
    let one = prop_oneof![
        4 => (key(), maybe()).prop_map(|(k, v)| (Input::get(k), Output::Value(v))),
        4 => (key(), value()).prop_map(|(k, v)| (Input::put(k, v), Output::Done)),
        1 => (key(), any::<bool>(), any::<bool>()).prop_map(|(k, told, existed)| {
            let output = if told { Output::Existed(existed) } else { Output::Done };
            (Input::delete(k), output)
        }),
        2 => (key(), maybe(), maybe(), 0..3, maybe()).prop_map(|(key, expected, new, told, held)| {
            let output = match told {
                0 => Output::Done,
                1 => Output::Differs,
                _ => Output::DiffersHolding(held),
            };
            (Input::CompareAndSwap { key: key.into(), expected, new }, output)
        }),
        2 => (key(), -1..2i64, -1..4i64).prop_map(|(k, by, sum)| {
            (Input::increment(k, by), Output::Integer(sum))
        }),
        1 => (value(), value()).prop_map(|(x, y)| {
            let entries = vec![("a".into(), x.into()), ("b".into(), y.into())];
            (Input::MultiPut { entries }, Output::Done)
        }),
        1 => (maybe(), maybe()).prop_map(|(x, y)| {
            let keys = vec!["a".into(), "b".into()];
            (Input::MultiGet { keys }, Output::Values(vec![x, y]))
        }),
    ];
    // Moments of invocation and return, and the kind of ending.
    (one, 0..20u8, 1..8u8, 0..8u8)
        .prop_map(|((input, output), from, len, ending)| (input, output, from, len, ending))
}

fn recorded(steps: &[(Input, Output, u8, u8, u8)], ends: bool) -> History<Input, Output> {
    let mut history = History::new();
    let mut events: Vec<(u8, usize, bool)> = Vec::new();
    for (number, (_, _, from, len, _)) in steps.iter().enumerate() {
        events.push((*from, number, false));
        events.push((from + len, number, true));
    }
    events.sort_unstable();
    let mut ids: Vec<Option<OperationId>> = vec![None; steps.len()];
    for (ns, number, is_return) in events {
        let (input, output, _, _, ending) = &steps[number];
        match (ids[number], is_return) {
            (None, false) => {
                ids[number] = Some(history.invoked(number as u64, ns.into(), input.clone()));
            }
            (Some(_), true) if ends && *ending == 0 => {}
            (Some(id), true) if ends && *ending == 1 => history.failed(id),
            (Some(id), true) => history.returned(id, ns.into(), output.clone()),
            _ => unreachable!("invoked before returned"),
        }
    }
    history
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    /// A rule of the search, the sorting or the partition would be wrong on invented histories.
    #[test]
    fn agrees_with_every_order_tried(steps in prop::collection::vec(step(), 1..7), ends in any::<bool>()) {
        let history = recorded(&steps, ends);
        prop_assert_eq!(verdict(&RegisterMap, &history), brute_force(&history));
    }

    /// The same for registers with unique values, which are decided by sorting.
    #[test]
    fn sorting_agrees_with_every_order_tried(
        steps in prop::collection::vec((any::<bool>(), 0..4u8, 0..20u8, 1..8u8, 0..8u8), 1..8)
    ) {
        let mut put = [false; 4];
        let steps: Vec<_> = steps.into_iter().map(|(is_put, value, from, len, ending)| {
            let is_put = is_put && value > 0 && !std::mem::replace(&mut put[value as usize], true);
            let text = value.to_string();
            let (input, output) = if is_put {
                (Input::put("a", text), Output::Done)
            } else {
                (Input::get("a"), Output::Value((value > 0).then(|| text.into())))
            };
            (input, output, from, len, ending)
        }).collect();
        let history = recorded(&steps, true);
        prop_assert_eq!(verdict(&RegisterMap, &history), brute_force(&history));
        if let Verdict::Linearizable { checker, .. } =
            linearizable::check(&RegisterMap, &history, 0)
        {
            // Where every operation failed there is nothing to decide.
            prop_assert!(checker == "sorting" || checker == "search");
        }
    }
}

/// Whether an order, of all orders of all subsets, is accepted when it is given.
fn some_order_explains(history: &History<Input, Output>) -> bool {
    fn goes_on(
        history: &History<Input, Output>,
        order: &mut Vec<OperationId>,
        left: &[OperationId],
    ) -> bool {
        linearizable::explains(&RegisterMap, history, order).is_ok()
            || left.iter().any(|next| {
                let rest: Vec<_> = left.iter().copied().filter(|other| other != next).collect();
                order.push(*next);
                let found = goes_on(history, order, &rest);
                order.pop();
                found
            })
    }
    goes_on(history, &mut Vec::new(), &history.ids().collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    /// Broken: what a given order explains would not be what some order explains.
    #[test]
    fn a_history_is_right_if_some_given_order_explains_it(
        steps in prop::collection::vec(step(), 1..6), ends in any::<bool>()
    ) {
        let history = recorded(&steps, ends);
        prop_assert_eq!(some_order_explains(&history), brute_force(&history));
    }
}

fn is_one_key_read(input: &Input) -> bool {
    matches!(input, Input::Get { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    /// What outlines cut would be wrong on histories that are right, or nearly, and longer.
    #[test]
    fn outlines_change_no_verdict(seed in any::<u64>(), clients in 2..6usize, swaps in 0..3u64) {
        let plan = Plan { operations: 24, clients, unknown: 60, failed: 40 };
        let mut history = generator::history(seed, &plan, generator::mixed);
        prop_assert!(verdict(&RegisterMap, &history));
        for swap in 0..swaps {
            if let Some(wrong) = generator::with_two_outputs_swapped(seed ^ swap, &history, 0, is_one_key_read) {
                history = wrong;
            }
        }
        prop_assert_eq!(verdict(&RegisterMap, &history), verdict(&Plain, &history));
    }

    /// The rule of no regrets and the chains would be wrong where values are unique.
    #[test]
    fn chains_change_no_verdict(seed in any::<u64>(), clients in 2..6usize, swaps in 0..3u64, unknown in 0..2u32) {
        let plan = Plan { operations: 24, clients, unknown: unknown * 60, failed: 0 };
        let mut history = generator::history(seed, &plan, |rng, client, number| {
            use rand::RngExt;
            match seed % 4 {
                0 => return generator::hot_swaps(rng, client, number),
                1 => return generator::hot_pairs(rng, client, number),
                _ => {}
            }
            let by_two = ["k", "l"][rng.random_range(0..2)];
            match rng.random_range(0..12) {
                0 => Input::MultiGet { keys: vec!["k".into(), "l".into()] },
                1 => Input::MultiPut { entries: vec![
                    ("k".into(), (number * 100).to_string().into()),
                    ("l".into(), (number * 100 + 50).to_string().into()),
                ]},
                2..5 => Input::get(by_two),
                5..8 => Input::put(by_two, (number * 100).to_string()),
                8..10 => Input::increment(by_two, 1 + client as i64),
                _ => Input::CompareAndSwap {
                    key: by_two.into(),
                    expected: Some((rng.random_range(0..24) * 100).to_string().into()),
                    new: Some((number * 100).to_string().into()),
                },
            }
        });
        prop_assert!(verdict(&RegisterMap, &history));
        for swap in 0..swaps {
            let may = |input: &Input| match swap {
                0 => is_one_key_read(input),
                _ => matches!(input, Input::Increment { .. }),
            };
            if let Some(wrong) = generator::with_two_outputs_swapped(seed ^ swap, &history, 0, may) {
                history = wrong;
            }
        }
        prop_assert_eq!(verdict(&RegisterMap, &history), verdict(&Plain, &history));
    }
}
