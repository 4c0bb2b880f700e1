//! Cuts a history into parts that share no key, which are linearizable apart if and only if the
//! whole is (Herlihy and Wing 1990, locality).

use std::collections::{BTreeMap, HashMap, HashSet};

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
    /// Cells by key; the first `keys.len()` are the keys' initial ones.
    pub(crate) cells: HashMap<(u32, S::Cell), u32>,
    /// By cell: the operations that may make it, by invocation.
    pub(crate) making: Vec<Vec<u32>>,
    /// By cell: the operations that need it, by return.
    pub(crate) needing: Vec<Vec<u32>>,
    /// By cell: the cells that some operation needs and that moves can turn it into.
    pub(crate) leads: Vec<Vec<u32>>,
    /// By cell that some operation needs: the cells that moves can turn into it, itself among
    /// them if they go round.
    pub(crate) origins: Vec<Vec<u32>>,
}

/// How many cells, counted once for each cell that they lead to, are worked out for moves. With
/// more, moves are vague operations, and the search is slower. About 100 bytes each.
const MOVED_MAX: usize = 500_000;

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
    /// It is a *move*: of unknown outcome, on this key alone, and the specification tells what it
    /// turns into what (a swap, an increment). Then it stands in none of the above.
    pub(crate) moves: Option<u32>,
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
            cells: HashMap::new(),
            making: Vec::new(),
            needing: Vec::new(),
            leads: Vec::new(),
            origins: Vec::new(),
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
            let mut numbered = |cells: Vec<(S::Key, S::Cell)>| -> Vec<(u32, u32)> {
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
            let mut moves = None;
            if let (None, [key], true) = (seen, &vague[..], makes.is_empty())
                && specification.keys(&operation.input).len() == 1
            {
                let initial = specification.cell(&initial, &part.keys[*key as usize]);
                let told = specification.turned_into(&operation.input, &initial);
                moves = told.map(|_| *key);
            }
            if moves.is_some() {
                vague.clear();
            }
            part.ops.push(Op {
                operation,
                seen,
                invoked: operation.invoked.event,
                returned,
                changes: outline.changes,
                needs,
                makes,
                vague,
                moves,
            });
        }
        part.follow_moves(specification);
        part.making = vec![Vec::new(); part.cells.len()];
        part.needing = vec![Vec::new(); part.cells.len()];
        for (number, op) in (0u32..).zip(&part.ops) {
            for (_, cell) in &op.makes {
                part.making[*cell as usize].push(number);
            }
            for (_, cell) in &op.needs {
                part.needing[*cell as usize].push(number);
            }
        }
        for needing in &mut part.needing {
            needing.sort_by_key(|number| part.ops[*number as usize].returned);
        }
        part
    }

    /// How many cells there are.
    pub(crate) fn cells_len(&self) -> usize {
        self.cells.len()
    }

    fn cell(&mut self, key: u32, cell: S::Cell) -> u32 {
        let next = self.cells.len() as u32;
        *self.cells.entry((key, cell)).or_insert(next)
    }

    /// Works out what moves can turn into what, backwards from each cell that is needed, in as
    /// many steps as there are moves.
    fn follow_moves(&mut self, specification: &S) {
        let mut moves: BTreeMap<u32, (usize, HashSet<&S::Input>)> = BTreeMap::new();
        for op in &self.ops {
            if let Some(key) = op.moves {
                let (count, inputs) = moves.entry(key).or_default();
                *count += 1;
                inputs.insert(&op.operation.input);
            }
        }
        let needs = self.ops.iter().flat_map(|op| &op.needs);
        let needed: HashSet<u32> = needs.map(|(_, cell)| *cell).collect();
        let mut targets: Vec<(u32, S::Cell, u32)> = Vec::new();
        for ((key, cell), number) in &self.cells {
            if moves.contains_key(key) && needed.contains(number) {
                targets.push((*key, cell.clone(), *number));
            }
        }
        targets.sort_unstable_by_key(|(.., number)| *number);
        let mut edges: Vec<(u32, u32)> = Vec::new();
        for (key, cell, number) in targets {
            let (count, inputs) = &moves[&key];
            let mut found: HashSet<S::Cell> = HashSet::new();
            let mut layer = vec![cell];
            for _ in 0..*count {
                let mut further = Vec::new();
                for (cell, input) in layer.iter().flat_map(|c| inputs.iter().map(move |i| (c, i))) {
                    for origin in specification.turned_into(input, cell).unwrap_or_default() {
                        if found.insert(origin.clone()) {
                            further.push(origin);
                        }
                    }
                }
                layer = further;
                if layer.is_empty() || edges.len() + found.len() > MOVED_MAX {
                    break;
                }
            }
            for origin in found {
                let next = self.cells.len() as u32;
                let origin = *self.cells.entry((key, origin)).or_insert(next);
                edges.push((origin, number));
            }
            if edges.len() > MOVED_MAX {
                edges.clear();
                for op in &mut self.ops {
                    op.vague.extend(op.moves.take());
                }
                break;
            }
        }
        self.leads = vec![Vec::new(); self.cells.len()];
        self.origins = vec![Vec::new(); self.cells.len()];
        edges.sort_unstable();
        for (origin, target) in edges {
            self.leads[origin as usize].push(target);
            self.origins[target as usize].push(origin);
        }
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
