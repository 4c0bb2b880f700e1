//! Whether a history is linearizable: whether some sequential order of its operations gives every
//! client what it saw, each operation placed between its invocation and its return.
//!
//! The history is cut into parts that share no key. A part that is a register with unique written
//! values is decided by sorting; every other part by a search. Operations of unknown
//! outcome may take effect at any moment from their invocation on, or never; those that failed for
//! sure never did.
//!
//! Two ways to ask. [`explains`] is given an order, such as the one in which a replica executed
//! ([`RealTimeOrder`](crate::RealTimeOrder) hands it out), and compares every output along it: one
//! pass, never undecided. [`check`] is given nothing and searches. Where there is an order to go by,
//! the search is a second opinion that knows nothing of replicas; where there is none, as for a
//! cluster seen from outside, it is the only one.
//!
//! **When the search gives up** on a part, it still decides a prefix of it: half the returns, with
//! half the steps, and half of that, until one is decided. That is sound, since linearizability is
//! closed under prefixes; a wrong prefix condemns the whole. (Windows from the middle are not
//! searched. What is under a key where a window begins is not known, and what was of unknown outcome
//! before it may still take effect in it: so much would have to be left open that little is found.)
//!
//! **Why this search is our own.** Of the crates for it, porcupine-rs makes a benchmark harness a
//! dependency of whoever uses it, todc-utils has not moved since 2023, and stateright's tester
//! remembers no configurations and is for a dozen operations. None uses what outputs say about the
//! order, without which runs of thousands of operations on a hot key stay undecided. What it is
//! checked against: every order tried one by one, itself without outlines, and stateright's tester
//! with a store written a second time (`tests/second_opinion.rs`, `tests/stateright.rs`).
//!
//! A part that is not linearizable is cut down before it is told: linearizability is closed under
//! prefixes, so there is an earliest return that cannot be explained. The account names it, with
//! the operations around it.

use std::collections::BTreeSet;
use std::fmt;

use crate::Violation;
use crate::fast_register;
use crate::history::{History, Operation, OperationId, Outcome};
use crate::partition::{NEVER, Op, Part, parts};
use crate::search::{Found, Furthest, search};
use crate::specification::Specification;

/// A budget of steps (operations applied) for each part that searches well below a minute and a
/// quarter of a gigabyte, most of it for configurations remembered.
pub const BUDGET_STEPS: u64 = 4_000_000;

/// How many operations an account shows.
const SHOWN_MAX: usize = 16;

/// What is known of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// An order explains it.
    Linearizable {
        /// How the parts were decided.
        checker: &'static str,
        /// How many parts share no key.
        partitions: usize,
        /// The operations of the largest.
        longest: usize,
    },
    /// No order does.
    NotLinearizable(Account),
    /// The budget was spent on some parts, and nothing that was decided is wrong.
    Undecided {
        /// Some keys of the first of these parts.
        keys: Vec<String>,
        /// How many operations these parts have.
        operations: usize,
        /// How many of them had returned in prefixes that were decided, and are right.
        decided: usize,
        /// The budget.
        steps: u64,
    },
}

/// The earliest return that no order explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The keys of the operation.
    pub keys: Vec<String>,
    /// The operation that returned there.
    pub culprit: String,
    /// Why, as far as one attempt tells.
    pub explanation: String,
    /// The operations around it: concurrent with it, or on the same values. As much as was known
    /// when it returned; the latest ones, when there are many.
    pub operations: Vec<String>,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "not linearizable on {}:", self.keys.join(", "))?;
        writeln!(f, "  {}", self.culprit)?;
        writeln!(f, "{}", self.explanation)?;
        writeln!(f, "Around it:")?;
        self.operations.iter().try_for_each(|operation| writeln!(f, "  {operation}"))
    }
}

/// Checks a history, with a budget of steps for each part.
pub fn check<S: Specification>(
    specification: &S,
    history: &History<S::Input, S::Output>,
    budget: u64,
) -> Verdict {
    let parts = parts(specification, history);
    let longest = parts.last().map_or(0, Vec::len);
    let partitions = parts.len();
    let (mut sorted, mut searched) = (false, false);
    let (mut undecided, mut decided, mut keys) = (0, 0, Vec::new());
    for operations in parts {
        let part = Part::new(specification, operations.iter().copied(), NEVER);
        let decision = decide(specification, &part, budget);
        match decision {
            Decision::Sorted(true) => sorted = true,
            Decision::Searched(Found::Order) => searched = true,
            Decision::Sorted(false) | Decision::Searched(Found::Nothing(_)) => {
                let returns = returns(&operations);
                let wrong = returns.len() - 1;
                let account = account(specification, &operations, &returns, wrong, budget);
                return Verdict::NotLinearizable(account);
            }
            Decision::Searched(Found::Spent) => {
                match decided_prefix(specification, &operations, budget) {
                    Ok(len) => decided += len,
                    Err(account) => return Verdict::NotLinearizable(account),
                }
                undecided += part.ops.len();
                if keys.is_empty() {
                    keys = words(part.keys.iter().take(SHOWN_MAX));
                }
            }
        }
    }
    let checker = match (sorted, searched) {
        (true, true) => "sorting and search",
        (true, false) => "sorting",
        (false, _) => "search",
    };
    match undecided {
        0 => Verdict::Linearizable { checker, partitions, longest },
        operations => Verdict::Undecided { keys, operations, decided, steps: budget },
    }
}

/// Goes through a given order and says whether it explains the history: each operation between its
/// invocation and its return, each client's output what the specification says, none that failed,
/// none that returned left out. No search: an order that explains it shows that the history is
/// linearizable. One that does not shows only that this order does not.
///
/// # Errors
/// The first operation that does not fit.
pub fn explains<S: Specification>(
    specification: &S,
    history: &History<S::Input, S::Output>,
    order: &[OperationId],
) -> Result<(), Violation> {
    let wrong = |operation: &Operation<S::Input, S::Output>, why: String| {
        let Operation { client, invoked, input, outcome } = operation;
        let account =
            format!("client {client} [{}..] {input:?} -> {outcome:?}: {why}", invoked.event);
        Err(Violation::new("Linearizable", account))
    };
    let mut placed = vec![false; history.operations().len()];
    let mut state = specification.initial();
    let mut latest_invoked = 0;
    for id in order {
        let operation = &history.operations()[id.number()];
        if std::mem::replace(&mut placed[id.number()], true) {
            return wrong(operation, "it took effect twice".into());
        }
        latest_invoked = latest_invoked.max(operation.invoked.event);
        let (next, output) = specification.apply(&state, &operation.input);
        match &operation.outcome {
            Outcome::Failed => return wrong(operation, "it took effect".into()),
            Outcome::Unknown => {}
            Outcome::Returned { at, .. } if at.event < latest_invoked => {
                let why = format!("it stands after one that was invoked at {latest_invoked}");
                return wrong(operation, why);
            }
            Outcome::Returned { output: seen, .. } if !specification.accepts(&output, seen) => {
                return wrong(operation, format!("the output there is {output:?}, in {state:?}"));
            }
            Outcome::Returned { .. } => {}
        }
        state = next;
    }
    let mut left = history.operations().iter().zip(placed).filter(|(_, is_placed)| !is_placed);
    match left.find(|(operation, _)| matches!(operation.outcome, Outcome::Returned { .. })) {
        Some((operation, _)) => wrong(operation, "it never took effect".into()),
        None => Ok(()),
    }
}

enum Decision<State> {
    Sorted(bool),
    Searched(Found<State>),
}

fn decide<S: Specification>(
    specification: &S,
    part: &Part<'_, S>,
    budget: u64,
) -> Decision<S::State> {
    match fast_register::check(part) {
        Some(is_linearizable) => Decision::Sorted(is_linearizable),
        None => Decision::Searched(search(specification, part, budget)),
    }
}

/// When the operations returned, ascending.
fn returns<I, O>(operations: &[&Operation<I, O>]) -> Vec<u64> {
    let mut returns: Vec<u64> = operations
        .iter()
        .filter_map(|operation| match &operation.outcome {
            Outcome::Returned { at, .. } => Some(at.event),
            _ => None,
        })
        .collect();
    returns.sort_unstable();
    returns
}

/// What was known of the operations at a moment.
fn prefix<'h, S: Specification>(
    specification: &S,
    operations: &[&'h Operation<S::Input, S::Output>],
    until: u64,
) -> Part<'h, S> {
    let invoked = operations.iter().take_while(|o| o.invoked.event <= until);
    Part::new(specification, invoked.copied(), until)
}

/// How many returns the longest prefix has that halving finds to be decided; an account if it is
/// wrong. In all it takes no more steps than the budget.
fn decided_prefix<S: Specification>(
    specification: &S,
    operations: &[&Operation<S::Input, S::Output>],
    mut budget: u64,
) -> Result<usize, Account> {
    let returns = returns(operations);
    let mut len = returns.len() / 2;
    while let Some(last) = len.checked_sub(1) {
        budget /= 2;
        let part = prefix(specification, operations, returns[last]);
        match decide(specification, &part, budget) {
            Decision::Sorted(true) | Decision::Searched(Found::Order) => break,
            Decision::Searched(Found::Spent) => len /= 2,
            Decision::Sorted(false) | Decision::Searched(Found::Nothing(_)) => {
                return Err(account(specification, operations, &returns, last, budget));
            }
        }
    }
    Ok(len)
}

/// Finds the earliest return that cannot be explained, by halving, from one that cannot.
fn account<S: Specification>(
    specification: &S,
    operations: &[&Operation<S::Input, S::Output>],
    returns: &[u64],
    mut wrong: usize,
    budget: u64,
) -> Account {
    let prefix = |until: u64| prefix(specification, operations, until);
    // What the budget does not decide counts as explained: the account is then longer, not wrong.
    let mut explained = 0;
    while explained < wrong {
        let middle = (explained + wrong) / 2;
        match decide(specification, &prefix(returns[middle]), budget) {
            Decision::Sorted(false) | Decision::Searched(Found::Nothing(_)) => wrong = middle,
            _ => explained = middle + 1,
        }
    }
    let part = prefix(returns[wrong]);
    let furthest = match search(specification, &part, budget) {
        Found::Nothing(furthest) => furthest,
        _ => None,
    };
    told(specification, &part, returns[wrong], furthest)
}

fn told<S: Specification>(
    specification: &S,
    part: &Part<'_, S>,
    until: u64,
    furthest: Option<Furthest<S::State>>,
) -> Account {
    let culprit = part.ops.iter().position(|op| op.returned == until);
    let culprit = &part.ops[culprit.expect("some operation returned then")];
    let cells: BTreeSet<u32> = culprit.needs.iter().map(|(_, cell)| *cell).collect();
    let around: Vec<&Op<'_, S>> = part
        .ops
        .iter()
        .filter(|op| {
            let mut op_cells = op.needs.iter().chain(&op.makes);
            op.returned >= culprit.invoked || op_cells.any(|(_, cell)| cells.contains(cell))
        })
        .collect();
    let shown = around.len().saturating_sub(SHOWN_MAX);
    let mut operations: Vec<String> = around[shown..].iter().map(|op| line(op)).collect();
    if shown > 0 {
        operations.insert(0, format!("({shown} earlier ones)"));
    }
    let is_made = |(key, cell): &(u32, u32)| {
        let initial = *cell < part.keys.len() as u32;
        initial
            || part.ops.iter().any(|op| {
                op.makes.contains(&(*key, *cell))
                    || (op.changes && (op.vague.contains(key) || op.moves == Some(*key)))
            })
    };
    let explanation = if !culprit.needs.iter().all(is_made) {
        "No operation invoked until then could have left what it saw.".to_string()
    } else if let Some(Furthest { state, stuck }) = furthest {
        let held: Vec<String> = stuck.iter().map(|n| line(&part.ops[*n])).collect();
        format!(
            "The longest order that explains the others comes to {state:?}; there none of these \
             can follow: {}.",
            held.join("; ")
        )
    } else {
        "The values that clients saw cannot be put in one order.".to_string()
    };
    Account {
        keys: words(specification.keys(&culprit.operation.input)),
        culprit: line(culprit),
        explanation,
        operations,
    }
}

fn words<T: fmt::Debug>(of: impl IntoIterator<Item = T>) -> Vec<String> {
    of.into_iter().map(|t| format!("{t:?}")).collect()
}

fn line<S: Specification>(op: &Op<'_, S>) -> String {
    let Operation { client, invoked, input, .. } = op.operation;
    let from = invoked.event;
    match op.seen {
        Some(seen) => format!("client {client} [{from}, {}] {input:?} -> {seen:?}", op.returned),
        None => format!("client {client} [{from}, ?] {input:?} -> not known then"),
    }
}
