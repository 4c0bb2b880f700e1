//! Random histories: right ones pass, planted faults are found, and small ones are decided as by
//! trying every order.

use crate::generator::{Draft, Plan};
use althing_checker::Outcome;
use althing_checker::list_append::{Class, ListHistory, Step, check};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

const LARGE: Plan = Plan { transactions: 200, clients: 6, keys: 5, unknown: 5, failed: 5 };

/// Small enough to try every order.
fn small(seed: u64) -> Plan {
    Plan { transactions: 2 + seed as usize % 6, clients: 3, keys: 2, unknown: 15, failed: 5 }
}

/// Whether some order of the transactions explains the history: plain recursion over what may come
/// next.
fn brute_force(history: &ListHistory) -> bool {
    let operations = history.operations().iter().enumerate();
    let mut left: Vec<usize> = operations
        .filter(|(_, operation)| !matches!(operation.outcome, Outcome::Failed))
        .map(|(number, _)| number)
        .collect();
    goes_on(history, &BTreeMap::new(), &mut left)
}

type Lists = BTreeMap<String, Vec<u64>>;

fn goes_on(history: &ListHistory, lists: &Lists, left: &mut Vec<usize>) -> bool {
    let returned = |number: usize| match &history.operations()[number].outcome {
        Outcome::Returned { at, output } => Some((at.event, output)),
        _ => None,
    };
    if left.iter().all(|number| returned(*number).is_none()) {
        return true;
    }
    (0..left.len()).any(|position| {
        let number = left[position];
        let invoked = history.operations()[number].invoked.event;
        if left.iter().any(|other| returned(*other).is_some_and(|(at, _)| at < invoked)) {
            return false;
        }
        let appends = history.operations()[number].input.iter();
        let appends = appends.map(|(key, element)| Step::append(key.clone(), *element)).collect();
        let steps = returned(number).map_or(appends, |(_, steps)| steps.clone());
        let mut next = lists.clone();
        for step in steps {
            match step {
                Step::Append { key, element } => {
                    next.entry(key.to_string()).or_default().push(element);
                }
                Step::Read { key, list } => {
                    if *next.entry(key.to_string()).or_default() != list {
                        return false;
                    }
                }
            }
        }
        left.remove(position);
        let found = goes_on(history, &next, left);
        left.insert(position, number);
        found
    })
}

/// Changes what one or two reads saw, in a way that may or may not be explained.
fn disturb(draft: &mut Draft, rng: &mut StdRng) {
    let reads = draft.reads();
    for _ in 0..rng.random_range(1..=2) {
        let Some(read) = reads.choose(rng) else { return };
        let other = reads.choose(rng).map(|other| draft.list(*other).clone());
        let list = draft.list(*read);
        match rng.random_range(0..4) {
            0 => {
                list.pop();
            }
            1 if !list.is_empty() => {
                list.remove(rng.random_range(0..list.len()));
            }
            2 if list.len() > 1 => {
                let at = rng.random_range(1..list.len());
                list.swap(at - 1, at);
            }
            _ => list.extend(other.unwrap_or_default().last()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Broken: the checker's verdict is not the definition's.
    #[test]
    fn small_histories_are_decided_as_by_trying_every_order(seed: u64) {
        let mut draft = Draft::new(seed, small(seed));
        prop_assert!(brute_force(&draft.history()));
        prop_assert!(check(&draft.history()).is_ok());
        disturb(&mut draft, &mut StdRng::seed_from_u64(seed));
        let history = draft.history();
        prop_assert_eq!(check(&history).is_ok(), brute_force(&history), "{:#?}", check(&history));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Broken: right runs are condemned when they are as long as real ones.
    #[test]
    fn right_histories_pass(seed: u64) {
        let verdict = check(&Draft::new(seed, LARGE).history());
        prop_assert!(verdict.is_ok(), "{}", verdict.unwrap_err());
    }

    /// Broken: a read of a replica that lags behind passes.
    #[test]
    fn a_stale_read_is_found(seed: u64) {
        let mut draft = Draft::new(seed, LARGE);
        // One that saw, last, what had returned before it was invoked.
        let found = draft.reads().into_iter().rev().find(|read| {
            let invoked = draft.transactions[read.0].invoked;
            draft.list(*read).last().copied().is_some_and(|last| {
                let writer = Draft::writer(last);
                draft.transactions[writer].returned.is_some_and(|returned| returned < invoked)
            })
        });
        let read = found.expect("there are many");
        // With it goes all that its transaction appended, so that no half of it is seen.
        let writer = Draft::writer(*draft.list(read).last().unwrap());
        draft.list(read).retain(|element| Draft::writer(*element) != writer);
        prop_assert!(check(&draft.history()).is_err());
    }

    /// Broken: a write that was acknowledged and then forgotten passes.
    #[test]
    fn a_dropped_append_is_found(seed: u64) {
        let mut draft = Draft::new(seed, LARGE);
        let reads = draft.reads();
        let last = *reads.iter().rev().find(|read| !draft.list(**read).is_empty()).unwrap();
        let invoked = draft.transactions[last.0].invoked;
        let found = draft.list(last).clone().into_iter().find(|element| {
            let returned = draft.transactions[Draft::writer(*element)].returned;
            returned.is_some_and(|returned| returned < invoked)
        });
        let Some(dropped) = found else { return Ok(()) };
        for read in reads {
            if read.0 != Draft::writer(dropped) {
                draft.list(read).retain(|element| *element != dropped);
            }
        }
        let class = check(&draft.history()).unwrap_err().class;
        // Whose own reads saw it, or who appended more, contradicts the others.
        prop_assert!(
            matches!(
                class,
                Class::LostAppend | Class::IncompatibleOrders | Class::Internal | Class::G0
            ),
            "{class:?}"
        );
    }

    /// Broken: replicas that executed two appends in two orders pass.
    #[test]
    fn swapped_elements_are_found(seed: u64) {
        let mut draft = Draft::new(seed, LARGE);
        let reads = draft.reads();
        let read = *reads
            .iter()
            .find(|read| {
                let list = draft.list(**read).clone();
                let own = read.0;
                list.len() > 2 && list.iter().rev().take(3).all(|e| Draft::writer(*e) != own)
            })
            .expect("there are many");
        let list = draft.list(read);
        let len = list.len();
        list.swap(len - 3, len - 2);
        prop_assert!(check(&draft.history()).is_err());
    }
}

/// Broken: the comparison with every order compares nothing but right histories, or but wrong ones.
#[test]
fn disturbed_histories_are_right_and_wrong() {
    let mut found: BTreeMap<Option<Class>, u32> = BTreeMap::new();
    for seed in 0..3000 {
        let mut draft = Draft::new(seed, small(seed));
        disturb(&mut draft, &mut StdRng::seed_from_u64(seed));
        let class = check(&draft.history()).err().map(|anomaly| anomaly.class);
        *found.entry(class).or_default() += 1;
    }
    let count = |class| found.get(&class).copied().unwrap_or(0);
    assert!(count(None) > 300, "{found:?}");
    for class in [Class::IncompatibleOrders, Class::GSingle, Class::GSingleRealTime, Class::G2] {
        assert!(count(Some(class)) > 0, "{class:?}: {found:?}");
    }
}
