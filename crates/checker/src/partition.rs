//! Cuts a history into parts that share no key, which are linearizable apart if and only if the
//! whole is (Herlihy and Wing 1990, locality).

use std::collections::HashMap;

use crate::history::{History, Operation, Outcome};
use crate::specification::Specification;

/// When an operation of unknown outcome returned.
pub(crate) const NEVER: u64 = u64::MAX;

/// The operations on keys that are connected through operations on several of them.
pub(crate) struct Part<'h, S: Specification> {
    /// The keys; operations name them by their place here.
    pub(crate) keys: Vec<S::Key>,
    /// In the order of their invocation. Those that failed for sure, and reads of unknown outcome,
    /// are left out: they explain nothing.
    pub(crate) ops: Vec<Op<'h, S>>,
    /// How many cells there are; the first `keys.len()` are the keys' initial ones.
    pub(crate) cells_len: usize,
    /// Cells by key and fingerprint.
    pub(crate) cells: HashMap<(u32, u128), u32>,
}

pub(crate) struct Op<'h, S: Specification> {
    pub(crate) operation: &'h Operation<S::Input, S::Output>,
    /// What the client saw; `None`: outcome unknown.
    pub(crate) seen: Option<&'h S::Output>,
    pub(crate) invoked: u64,
    pub(crate) returned: u64,
    // The outline, with keys and cells numbered.
    pub(crate) changes: bool,
    pub(crate) needs: Vec<(u32, u32)>,
    pub(crate) makes: Vec<(u32, u32)>,
    pub(crate) vague: Vec<u32>,
}

impl<S: Specification> Op<'_, S> {
    pub(crate) fn is_unknown(&self) -> bool {
        self.returned == NEVER
    }
}

impl<'h, S: Specification> Part<'h, S> {
    /// Outlines the operations (in the order of their invocation). Of what returned after `until`
    /// the outcome is unknown yet.
    pub(crate) fn new(
        specification: &S,
        operations: impl IntoIterator<Item = &'h Operation<S::Input, S::Output>>,
        until: u64,
    ) -> Self {
        let mut numbers = HashMap::new();
        let mut part = Self {
            keys: Vec::new(),
            ops: Vec::new(),
            cells_len: 0,
            cells: HashMap::new(),
        };
        let operations: Vec<_> = operations.into_iter().collect();
        for operation in &operations {
            for key in specification.keys(&operation.input) {
                numbers.entry(key).or_insert_with_key(|key| {
                    part.keys.push(key.clone());
                    part.keys.len() as u32 - 1
                });
            }
        }
        let initial = specification.initial();
        for (number, key) in (0u32..).zip(&part.keys) {
            let cell = specification.cell(&initial, key);
            part.cells.insert((number, cell), number);
        }
        part.cells_len = part.keys.len();
        for operation in operations {
            let (seen, returned) = match &operation.outcome {
                Outcome::Returned { at, output } if at.event <= until => (Some(output), at.event),
                Outcome::Failed => continue,
                _ => (None, NEVER),
            };
            let outline = specification.outline(&operation.input, seen);
            if seen.is_none() && !outline.changes {
                continue;
            }
            let mut numbered = |cells: Vec<(S::Key, u128)>| -> Vec<(u32, u32)> {
                let cells = cells.into_iter();
                cells
                    .map(|(key, cell)| {
                        let key = numbers[&key];
                        (key, part.cell(key, cell))
                    })
                    .collect()
            };
            let mut needs = numbered(outline.needs);
            let makes = numbered(outline.makes);
            let mut vague: Vec<u32> = outline.vague.iter().map(|key| numbers[key]).collect();
            if seen.is_none() {
                // What it would need is no promise that it happens.
                vague.extend(needs.drain(..).map(|(key, _)| key));
            }
            vague.sort_unstable();
            vague.dedup();
            part.ops.push(Op {
                operation,
                seen,
                invoked: operation.invoked.event,
                returned,
                changes: outline.changes,
                needs,
                makes,
                vague,
            });
        }
        part
    }

    fn cell(&mut self, key: u32, fingerprint: u128) -> u32 {
        let next = self.cells_len as u32;
        let cell = *self.cells.entry((key, fingerprint)).or_insert(next);
        self.cells_len += usize::from(cell == next);
        cell
    }
}

/// The operations of each part, in the order of their invocation; the smallest parts first.
pub(crate) fn parts<'h, S: Specification>(
    specification: &S,
    history: &'h History<S::Input, S::Output>,
) -> Vec<Vec<&'h Operation<S::Input, S::Output>>> {
    let mut sets = Sets::default();
    let mut numbers: HashMap<S::Key, u32> = HashMap::new();
    let mut members = Vec::new();
    for operation in history.operations() {
        if matches!(operation.outcome, Outcome::Failed) {
            continue;
        }
        let mut joined: Option<u32> = None;
        for key in specification.keys(&operation.input) {
            let set = *numbers.entry(key).or_insert_with(|| sets.add());
            match joined {
                Some(other) => sets.join(other, set),
                None => joined = Some(set),
            }
        }
        // An operation on no key is a part of its own.
        members.push((joined.unwrap_or_else(|| sets.add()), operation));
    }
    let mut parts: Vec<Vec<&Operation<S::Input, S::Output>>> = Vec::new();
    let mut place: HashMap<u32, usize> = HashMap::new();
    for (set, operation) in members {
        let place = *place.entry(sets.root(set)).or_insert(parts.len());
        if place == parts.len() {
            parts.push(Vec::new());
        }
        parts[place].push(operation);
    }
    parts.sort_by_key(Vec::len);
    parts
}

/// Disjoint sets (union by order of arrival, paths halved).
#[derive(Default)]
struct Sets {
    parent: Vec<u32>,
}

impl Sets {
    fn add(&mut self) -> u32 {
        let number = self.parent.len() as u32;
        self.parent.push(number);
        number
    }

    fn root(&mut self, mut set: u32) -> u32 {
        while self.parent[set as usize] != set {
            let above = self.parent[self.parent[set as usize] as usize];
            self.parent[set as usize] = above;
            set = above;
        }
        set
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b) as usize] = a.min(b);
    }
}
