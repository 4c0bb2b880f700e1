//! The search for an order: Wing and Gong's, with Lowe's memory of configurations, without
//! recursion, and with what the outlines allow to cut.
//!
//! The search keeps the set of operations placed so far and the state that they led to. An
//! operation may come next when it is *enabled*: no operation that is still to be placed returned
//! before it was invoked. When all operations with a known outcome are placed, the history is
//! linearizable; those of unknown outcome are placed where that helps. What keeps it short:
//!
//! - **Reads at once.** An enabled operation that never changes anything, and whose output fits the
//!   state, is placed without an alternative: moving it here from any later place changes nothing
//!   for the others.
//! - **Dead ends.** A cell (what is under one key) that an operation still to be placed needs, and
//!   that no other can make again, must not be overwritten. Nor one that moves (swaps and increments
//!   of unknown outcome) could turn into such a cell.
//! - **Too late.** Nor may an enabled operation be left that needs another cell than there is, when
//!   nothing that was invoked before its return can make it.
//! - **No regrets.** A write whose reads are all placed, over a cell that nobody needs any more, has
//!   no alternative either: moved to the front of any order that works, the order still works. The
//!   same holds for a chain of a write and the swaps and increments that each need the one before.
//!   Without this rule k concurrent writes that nobody reads cost 2^k on a wrong history.
//! - **Twins.** Of equal operations of unknown outcome the one invoked first is placed first.
//! - **Useless writes.** One of unknown outcome is not placed while nobody needs what it makes, nor
//!   what moves could turn that into.
//! - **Earliest deadline first.** Candidates are tried by the first return among themselves and
//!   what needs their cell.
//! - **Memory.** A pair (placed set, state) that was reached before is not entered again. It is kept
//!   as a 128-bit hash: a collision, however unlikely, could only reject.

use std::collections::{HashMap, HashSet};

use crate::partition::{NEVER, Op, Part};
use crate::specification::Specification;

/// What the search found.
pub(crate) enum Found<State> {
    /// An order that explains the part.
    Order,
    /// There is none; how far the longest attempt came.
    Nothing(Option<Furthest<State>>),
    /// The steps were spent first.
    Spent,
}

/// The attempt that placed most operations.
pub(crate) struct Furthest<State> {
    pub(crate) state: State,
    /// The operations that were enabled and could not follow.
    pub(crate) stuck: Vec<usize>,
}

const NONE: u32 = u32::MAX;

/// How many makers of a cell are looked at before one is taken to be left.
const MAKERS_LOOKED_AT: usize = 100;

/// Looks for an order in at most `steps` applications of an operation.
pub(crate) fn search<S: Specification>(
    specification: &S,
    part: &Part<'_, S>,
    mut steps: u64,
) -> Found<S::State> {
    let mut search = Search::new(specification, part);
    let mut frames: Vec<Frame<S::State>> = Vec::new();
    let mut arena: Vec<u32> = Vec::new();
    let state = specification.initial();
    search.absorb(&state);
    search.see_how_far(&state);
    let candidates = search.candidates(&mut arena);
    frames.push(search.frame(state, candidates, None));
    loop {
        if search.known_left == 0 {
            return Found::Order;
        }
        let at = frames.len() - 1;
        let frame = &mut frames[at];
        search.take_back(frame.placed);
        arena.truncate(frame.end);
        if frame.next == frame.end {
            frames.pop();
            if frames.is_empty() {
                return Found::Nothing(search.furthest.take().map(|(_, furthest)| furthest));
            }
            continue;
        }
        let number = arena[frame.next];
        frame.next += 1;
        if steps == 0 {
            return Found::Spent;
        }
        steps -= 1;
        let op = &part.ops[number as usize];
        let (state, output) = specification.apply(&frame.state, &op.operation.input);
        match op.seen {
            Some(seen) if !specification.accepts(&output, seen) => continue,
            // Placing it would be as good as leaving it out.
            None if specification.fingerprint(&state)
                == specification.fingerprint(&frame.state) =>
            {
                continue;
            }
            _ => {}
        }
        if op.moves.is_some_and(|key| search.is_vain(key, &state)) {
            continue;
        }
        let chain = search.chain_with(op, at, frame.chain);
        search.place(number, &state);
        search.absorb(&state);
        let mut chain_next = None;
        if let Some(chain) = chain {
            let start = frames[chain.start].cells_before;
            if search.is_left_for_good(start) {
                for frame in &mut frames[chain.start..=at] {
                    frame.next = frame.end;
                }
            } else if op.makes.len() == 1 {
                chain_next = Some(chain);
            }
        }
        if !search.is_new(&state) || search.is_too_late() {
            continue;
        }
        search.see_how_far(&state);
        let candidates = search.candidates(&mut arena);
        frames.push(search.frame(state, candidates, chain_next));
    }
}

struct Frame<State> {
    state: State,
    /// How many operations were placed when the frame was made, and cells overwritten.
    placed: usize,
    cells_before: usize,
    /// Its candidates in the arena.
    next: usize,
    end: usize,
    chain: Option<Chain>,
}

/// A write and what followed it on its key, each needing the one before.
#[derive(Clone, Copy)]
struct Chain {
    /// The frame in which the write was chosen.
    start: usize,
    key: u32,
}

struct Search<'p, 'h, S: Specification> {
    specification: &'p S,
    part: &'p Part<'h, S>,
    /// By key: its cell now, `NONE` where no operation needs or makes it.
    current: Vec<u32>,
    /// Operations still to be placed, by invocation; and those of known outcome, by return.
    by_invocation: Links,
    by_return: Links,
    known_left: usize,
    /// By cell: operations to be placed that need it, and that may make it.
    must: Vec<u32>,
    makers: Vec<u32>,
    /// By key: operations to be placed that may leave any cell, and that may need any.
    opaque: Vec<u32>,
    vague: Vec<u32>,
    /// By key: moves to be placed.
    moves: Vec<u32>,
    /// By operation: the first return among it and what needs what it makes.
    deadline: Vec<u64>,
    /// By operation: an equal one of unknown outcome, invoked before it.
    twin: Vec<u32>,
    placed: Vec<Placed>,
    cells_before: Vec<(u32, u32)>,
    placed_hash: u128,
    seen: HashSet<u128>,
    furthest: Option<(usize, Furthest<S::State>)>,
    scored: Vec<(bool, bool, u64, u32)>,
}

struct Placed {
    op: u32,
    cells_before: usize,
}

impl<'p, 'h, S: Specification> Search<'p, 'h, S> {
    fn new(specification: &'p S, part: &'p Part<'h, S>) -> Self {
        let ops = &part.ops;
        let mut by_return: Vec<u32> = (0..ops.len() as u32).collect();
        by_return.retain(|n| !ops[*n as usize].is_unknown());
        by_return.sort_by_key(|n| ops[*n as usize].returned);
        let mut search = Self {
            specification,
            part,
            current: (0..part.keys.len() as u32).collect(),
            by_invocation: Links::new(ops.len(), 0..ops.len() as u32),
            known_left: by_return.len(),
            by_return: Links::new(ops.len(), by_return),
            must: vec![0; part.cells_len()],
            makers: vec![0; part.cells_len()],
            opaque: vec![0; part.keys.len()],
            vague: vec![0; part.keys.len()],
            moves: vec![0; part.keys.len()],
            deadline: ops.iter().map(|op| op.returned).collect(),
            twin: vec![NONE; ops.len()],
            placed: Vec::new(),
            cells_before: Vec::new(),
            placed_hash: 0,
            seen: HashSet::new(),
            furthest: None,
            scored: Vec::new(),
        };
        let mut twins: HashMap<&S::Input, u32> = HashMap::new();
        for (number, op) in (0u32..).zip(ops) {
            search.count(op, true);
            if op.is_unknown() {
                let before = twins.insert(&op.operation.input, number);
                search.twin[number as usize] = before.unwrap_or(NONE);
            }
        }
        // From the last invocation back: what needs a cell is mostly invoked after what makes it.
        let mut cell_deadline = vec![NEVER; part.cells_len()];
        for (number, op) in ops.iter().enumerate().rev() {
            // Who needs a cell that several operations make needs none of them in particular.
            let made = op.makes.iter().map(|(_, cell)| *cell as usize);
            let made = made.filter(|cell| part.making[*cell].len() == 1);
            let made = made.map(|cell| cell_deadline[cell]);
            let deadline = made.fold(op.returned, u64::min);
            search.deadline[number] = deadline;
            for (_, cell) in &op.needs {
                let slot = &mut cell_deadline[*cell as usize];
                *slot = deadline.min(*slot);
            }
        }
        search
    }

    fn frame(
        &self,
        state: S::State,
        candidates: std::ops::Range<usize>,
        chain: Option<Chain>,
    ) -> Frame<S::State> {
        Frame {
            state,
            placed: self.placed.len(),
            cells_before: self.cells_before.len(),
            next: candidates.start,
            end: candidates.end,
            chain,
        }
    }

    /// Enabled is what was invoked no later than this.
    fn enabled_until(&self) -> u64 {
        let first = self.by_return.first();
        first.map_or(NEVER, |n| self.part.ops[n as usize].returned)
    }

    fn fits(&self, op: &Op<'_, S>) -> bool {
        let mut needs = op.needs.iter();
        needs.all(|(key, cell)| self.current[*key as usize] == *cell)
    }

    /// Places every enabled read whose output fits.
    fn absorb(&mut self, state: &S::State) {
        let mut next = self.by_invocation.first();
        while let Some(number) = next {
            let op = &self.part.ops[number as usize];
            if op.invoked > self.enabled_until() {
                break;
            }
            next = self.by_invocation.after(number);
            if op.changes || !self.fits(op) {
                continue;
            }
            let (_, output) = self.specification.apply(state, &op.operation.input);
            if op.seen.is_some_and(|seen| self.specification.accepts(&output, seen)) {
                self.place(number, state);
            }
        }
    }

    /// The enabled operations that may come next, best first, at the end of the arena.
    fn candidates(&mut self, arena: &mut Vec<u32>) -> std::ops::Range<usize> {
        let until = self.enabled_until();
        let mut scored = std::mem::take(&mut self.scored);
        let mut next = self.by_invocation.first();
        while let Some(number) = next {
            let op = &self.part.ops[number as usize];
            if op.invoked > until {
                break;
            }
            next = self.by_invocation.after(number);
            if !op.changes || !self.fits(op) {
                continue;
            }
            let twin = self.twin[number as usize];
            if twin != NONE && self.by_invocation.has(twin) {
                continue;
            }
            if op.is_unknown() && self.is_useless(op) {
                continue;
            }
            let overwrites = match op.moves {
                Some(key) => (self.current[key as usize] != NONE
                    && self.is_wanted(key, self.current[key as usize]))
                .then_some(Needed::ForNow),
                None => self.overwrites_needed(number),
            };
            if overwrites == Some(Needed::ForGood) {
                continue;
            }
            let deadline = self.deadline[number as usize];
            scored.push((overwrites.is_some(), op.is_unknown(), deadline, number));
        }
        scored.sort_unstable();
        let start = arena.len();
        arena.extend(scored.drain(..).map(|(.., number)| number));
        self.scored = scored;
        start..arena.len()
    }

    /// Whether an operation to be placed needs the cell, or one that moves can turn it into.
    fn is_wanted(&self, key: u32, cell: u32) -> bool {
        let needed = |cell: &u32| self.must[*cell as usize] > 0;
        cell != NONE && (needed(&cell) || self.leads(key, cell).iter().any(needed))
    }

    /// The needed cells into which moves that are to be placed may turn this one.
    fn leads(&self, key: u32, cell: u32) -> &[u32] {
        match self.moves[key as usize] {
            0 => &[],
            _ => &self.part.leads[cell as usize],
        }
    }

    /// Whether an operation to be placed may make the cell, or one that moves can turn into it, in
    /// time for the first (but this one) that needs it.
    fn may_be_made(&self, key: u32, cell: u32, but: u32) -> bool {
        let needing = &self.part.needing[cell as usize];
        let returned = |n: u32| self.part.ops[n as usize].returned;
        // All that returned before are placed.
        let from = needing.partition_point(|n| returned(*n) < self.enabled_until());
        let mut left = needing[from..].iter().copied();
        let Some(first) = left.find(|n| *n != but && self.by_invocation.has(*n)) else {
            return true;
        };
        self.may_be_made_until(key, cell, returned(first))
    }

    fn may_be_made_until(&self, key: u32, cell: u32, until: u64) -> bool {
        let origins = match self.moves[key as usize] {
            0 => &[],
            _ => &self.part.origins[cell as usize][..],
        };
        self.opaque[key as usize] > 0
            || self.is_made_until(cell, until)
            || origins.iter().any(|o| *o == cell || self.is_made_until(*o, until))
    }

    /// Whether an enabled operation needs a cell that nothing invoked before its return can make.
    fn is_too_late(&self) -> bool {
        let until = self.enabled_until();
        let ops = self.by_invocation.iter().map(|n| &self.part.ops[n as usize]);
        ops.take_while(|op| op.invoked <= until).any(|op| {
            op.needs.iter().any(|(key, cell)| {
                let now = self.current[*key as usize];
                now != *cell
                    && !(self.moves[*key as usize] > 0
                        && self.part.origins[*cell as usize].contains(&now))
                    && !self.may_be_made_until(*key, *cell, op.returned)
            })
        })
    }

    /// Whether an operation to be placed that was invoked until then may make the cell.
    fn is_made_until(&self, cell: u32, until: u64) -> bool {
        if self.makers[cell as usize] == 0 {
            return false;
        }
        let makers = &self.part.making[cell as usize];
        let end = makers.partition_point(|n| self.part.ops[*n as usize].invoked <= until);
        let latest = makers[..end].iter().rev();
        // Of many makers nearly all are placed, or invoked later.
        let mut looked = latest.take(MAKERS_LOOKED_AT + 1);
        looked.any(|n| self.by_invocation.has(*n)) || end > MAKERS_LOOKED_AT
    }

    /// A write of unknown outcome that nobody still to be placed could see.
    fn is_useless(&self, op: &Op<'_, S>) -> bool {
        op.vague.is_empty()
            && op.moves.is_none()
            && op
                .makes
                .iter()
                .all(|(key, cell)| !self.is_wanted(*key, *cell) && self.vague[*key as usize] == 0)
    }

    /// A move to this state that nobody could see, or that leaves a dead end.
    fn is_vain(&self, key: u32, state: &S::State) -> bool {
        let cell = self.cell(key, state);
        if !self.is_wanted(key, cell) && self.vague[key as usize] == 0 {
            return true;
        }
        let old = self.current[key as usize];
        let onward = |needed: u32| {
            cell != NONE && (needed == cell || self.leads(key, cell).contains(&needed))
        };
        let is_lost = |needed: u32| {
            self.must[needed as usize] > 0
                && !onward(needed)
                && !self.may_be_made(key, needed, NONE)
        };
        old != NONE && (is_lost(old) || self.leads(key, old).iter().any(|n| is_lost(*n)))
    }

    /// Whether it overwrites a cell that another operation needs, by itself or through moves.
    fn overwrites_needed(&self, number: u32) -> Option<Needed> {
        let op = &self.part.ops[number as usize];
        let mut overwrites = None;
        for (key, made) in &op.makes {
            let old = self.current[*key as usize];
            if old == NONE || old == *made {
                continue;
            }
            let own = u32::from(op.needs.contains(&(*key, old)));
            let needed_old = (self.must[old as usize] > own).then_some(&old);
            let needed_on = self.leads(*key, old).iter().filter(|n| **n != old);
            for needed in needed_old.into_iter().chain(needed_on) {
                if self.must[*needed as usize] == 0 {
                    continue;
                }
                if !self.may_be_made(*key, *needed, number) {
                    return Some(Needed::ForGood);
                }
                if *needed == old {
                    overwrites = Some(Needed::ForNow);
                }
            }
        }
        overwrites
    }

    /// The chain that the operation, not placed yet, would begin or go on.
    fn chain_with(&self, op: &Op<'_, S>, at: usize, before: Option<Chain>) -> Option<Chain> {
        if op.is_unknown() || !op.vague.is_empty() {
            return None;
        }
        match (&op.needs[..], &op.makes[..]) {
            ([], [(key, _), ..]) => Some(Chain { start: at, key: *key }),
            ([(needs, _)], [(makes, _)]) => {
                before.filter(|chain| *needs == chain.key && *makes == chain.key)
            }
            _ => None,
        }
    }

    /// Whether no operation to be placed can depend on a cell that was overwritten or made since.
    fn is_left_for_good(&self, cells_before: usize) -> bool {
        let overwritten = self.cells_before[cells_before..].iter().rev();
        overwritten.copied().all(|(key, old)| {
            let now = self.current[key as usize];
            !self.is_wanted(key, now) && !self.is_wanted(key, old) && self.vague[key as usize] == 0
        })
    }

    fn cell(&self, key: u32, state: &S::State) -> u32 {
        let name = &self.part.keys[key as usize];
        let cell = self.specification.cell(state, name);
        self.part.cells.get(&(key, cell)).copied().unwrap_or(NONE)
    }

    /// Whether this set and this state were never reached before.
    fn is_new(&mut self, state: &S::State) -> bool {
        let state = self.specification.fingerprint(state);
        self.seen.insert(self.placed_hash ^ state.rotate_left(1))
    }

    fn see_how_far(&mut self, state: &S::State) {
        let best = self.furthest.as_ref().map_or(usize::MAX, |(left, _)| *left);
        if self.known_left >= best {
            return;
        }
        let until = self.enabled_until();
        let ops = &self.part.ops;
        let enabled = self.by_invocation.iter().map(|n| n as usize);
        let stuck = enabled
            .take_while(|n| ops[*n].invoked <= until)
            .filter(|n| !ops[*n].is_unknown())
            .collect();
        let state = state.clone();
        self.furthest = Some((self.known_left, Furthest { state, stuck }));
    }
}

/// Placing and taking back.
impl<S: Specification> Search<'_, '_, S> {
    /// Places the operation; the state is the one after it.
    fn place(&mut self, number: u32, state: &S::State) {
        let op = &self.part.ops[number as usize];
        self.by_invocation.remove(number);
        if !op.is_unknown() {
            self.by_return.remove(number);
            self.known_left -= 1;
        }
        self.count(op, false);
        self.placed_hash ^= hash_of(number);
        let cells_before = self.cells_before.len();
        let op_placed = Placed { op: number, cells_before };
        self.placed.push(op_placed);
        if !op.changes {
            return;
        }
        for (key, cell) in &op.makes {
            self.set_current(*key, *cell);
        }
        for key in op.vague.iter().chain(&op.moves) {
            if op.makes.iter().all(|(made, _)| made != key) {
                let cell = self.cell(*key, state);
                self.set_current(*key, cell);
            }
        }
    }

    fn set_current(&mut self, key: u32, cell: u32) {
        let before = std::mem::replace(&mut self.current[key as usize], cell);
        self.cells_before.push((key, before));
    }

    /// Takes back what was placed last, until so many are left.
    fn take_back(&mut self, len: usize) {
        while self.placed.len() > len {
            let placed = self.placed.pop().expect("longer than len");
            for (key, before) in self.cells_before.drain(placed.cells_before..).rev() {
                self.current[key as usize] = before;
            }
            let op = &self.part.ops[placed.op as usize];
            self.placed_hash ^= hash_of(placed.op);
            self.count(op, true);
            if !op.is_unknown() {
                self.known_left += 1;
                self.by_return.put_back(placed.op);
            }
            self.by_invocation.put_back(placed.op);
        }
    }

    /// Counts an operation among those that are to be placed, or no longer.
    fn count(&mut self, op: &Op<'_, S>, is_to_be_placed: bool) {
        let change = |slot: &mut u32| match is_to_be_placed {
            true => *slot += 1,
            false => *slot -= 1,
        };
        for (_, cell) in &op.needs {
            change(&mut self.must[*cell as usize]);
        }
        for (_, cell) in &op.makes {
            change(&mut self.makers[*cell as usize]);
        }
        if let Some(key) = &op.moves {
            change(&mut self.moves[*key as usize]);
        }
        for key in &op.vague {
            change(&mut self.vague[*key as usize]);
            if op.changes && op.makes.iter().all(|(made, _)| made != key) {
                change(&mut self.opaque[*key as usize]);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Needed {
    /// It can be made again.
    ForNow,
    /// It cannot.
    ForGood,
}

/// A list of operations from which any can be removed, and put back in reverse order.
struct Links {
    next: Vec<u32>,
    previous: Vec<u32>,
    has: Vec<bool>,
    /// The place before the first and after the last.
    end: u32,
}

impl Links {
    fn new(len: usize, members: impl IntoIterator<Item = u32>) -> Self {
        let end = len as u32;
        let mut links = Self {
            next: vec![end; len + 1],
            previous: vec![end; len + 1],
            has: vec![false; len],
            end,
        };
        let mut last = end;
        for member in members {
            links.next[last as usize] = member;
            links.previous[member as usize] = last;
            links.has[member as usize] = true;
            last = member;
        }
        links.previous[end as usize] = last;
        links
    }

    fn first(&self) -> Option<u32> {
        self.after(self.end)
    }

    fn after(&self, member: u32) -> Option<u32> {
        let next = self.next[member as usize];
        (next != self.end).then_some(next)
    }

    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.first(), |member| self.after(*member))
    }

    fn has(&self, member: u32) -> bool {
        self.has[member as usize]
    }

    fn remove(&mut self, member: u32) {
        let (previous, next) = (self.previous[member as usize], self.next[member as usize]);
        self.next[previous as usize] = next;
        self.previous[next as usize] = previous;
        self.has[member as usize] = false;
    }

    fn put_back(&mut self, member: u32) {
        let (previous, next) = (self.previous[member as usize], self.next[member as usize]);
        self.next[previous as usize] = member;
        self.previous[next as usize] = member;
        self.has[member as usize] = true;
    }
}

/// A fixed random-looking number for an operation; the hash of a set is their exclusive or.
fn hash_of(number: u32) -> u128 {
    let mut x = u128::from(number) + 1;
    x = x.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    x = (x ^ (x >> 61)).wrapping_mul(0xbf58_476d_1ce4_e5b9_94d0_49bb_1331_11eb);
    x = (x ^ (x >> 59)).wrapping_mul(0x2545_f491_4f6c_dd1d_d120_2e8f_4fc9_1a6b);
    x ^ (x >> 64)
}
