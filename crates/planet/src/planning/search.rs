//! The best placements: every one compared, or, where they are too many, a local search.

use super::base::{Arithmetic, Base, Cost, Scratch};
use super::{Placement, Protocol, Question};
use std::collections::BTreeSet;

/// Up to so many placements are all compared: a few seconds.
pub(super) const EXHAUSTIVE_MAX: u128 = 5_000_000;

/// The local search starts around so many candidates at most.
const CENTRES_MAX: usize = 16;

/// What makes one placement better than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The weighted mean over client regions; of equal ones the better worst region.
    Mean,
    /// The worst client region; of equal ones the better weighted mean.
    Worst,
}

/// How placements were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// All were compared: there is none better.
    Exhaustive,
    /// Best-swap local search from so many starts: there may be better ones. Nothing in it is
    /// random. Starts are around up to 16 candidates, evenly spaced in the list: all nodes nearest to
    /// it, or a majority of them, or itself alone, and the others as far apart as can be. A step
    /// replaces the one node by the one candidate that improves most.
    LocalSearch {
        /// How many starts.
        starts: usize,
    },
}

/// How far a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Placements compared, or starts of the local search done.
    pub done: u64,
    /// Of so many.
    pub of: u64,
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Search {
    /// How.
    pub method: Method,
    /// How many placements there are; none if they are more than a `u128` counts.
    pub all: Option<u128>,
    /// How many were compared; those that the local search met twice count twice.
    pub compared: u64,
    /// The best, best first. Equal ones are in ascending order of their regions' names.
    pub placements: Vec<Placement>,
}

impl Question {
    /// The `top` best placements for this protocol. All are compared if they are up to 5,000,000;
    /// else see [`Method::LocalSearch`]. The same question has the same answer always.
    pub fn search(
        &self,
        protocol: Protocol,
        by: By,
        top: usize,
        mut on_progress: impl FnMut(Progress),
    ) -> Search {
        let all = combinations(self.candidates.len(), self.n);
        let arithmetic = Arithmetic::new(self, protocol);
        let mut best = Best { by, top, kept: BTreeSet::new(), compared: 0 };
        let mut scratch = Scratch::default();
        let method = match all.filter(|&all| all <= EXHAUSTIVE_MAX) {
            Some(all) => {
                let of = u64::try_from(all).expect("below the limit");
                self.compare_all(&arithmetic, &mut best, &mut scratch, &mut |done| {
                    on_progress(Progress { done, of });
                });
                Method::Exhaustive
            }
            None => Method::LocalSearch {
                starts: self.search_locally(&arithmetic, &mut best, &mut scratch, &mut on_progress),
            },
        };
        let Best { kept, compared, .. } = best;
        let placements = kept.into_iter().map(|(_, places)| self.placement(places)).collect();
        Search { method, all, compared, placements }
    }

    fn compare_all(
        &self,
        arithmetic: &Arithmetic<'_>,
        best: &mut Best,
        scratch: &mut Scratch,
        on_progress: &mut dyn FnMut(u64),
    ) {
        // Which candidates the base is made of; the last node comes after all of them, so that each
        // placement is met once, in order of names.
        let (len, size) = (self.candidates.len(), self.n - 1);
        let mut chosen: Vec<usize> = (0..size).collect();
        loop {
            let nodes: Vec<usize> = chosen.iter().map(|&at| self.candidates[at]).collect();
            let base = arithmetic.base(&nodes);
            for &last in &self.candidates[chosen[size - 1] + 1..] {
                best.offer(base.cost_with(last, scratch), &nodes, last);
            }
            on_progress(best.compared);
            // The next base: the rightmost choice that can move on does, those after it follow.
            let Some(moves) = (0..size).rev().find(|&at| chosen[at] < len - self.n + at) else {
                return;
            };
            chosen[moves] += 1;
            for at in moves + 1..size {
                chosen[at] = chosen[at - 1] + 1;
            }
        }
    }

    /// How many starts there were.
    fn search_locally(
        &self,
        arithmetic: &Arithmetic<'_>,
        best: &mut Best,
        scratch: &mut Scratch,
        on_progress: &mut dyn FnMut(Progress),
    ) -> usize {
        let starts = self.starts();
        for (start, done) in starts.iter().zip(1..) {
            self.descend(start.clone(), arithmetic, best, scratch);
            on_progress(Progress { done, of: starts.len() as u64 });
        }
        starts.len()
    }

    /// Around each of some candidates: from the nearest together to the farthest apart, as a quorum
    /// may be near its clients or near itself.
    fn starts(&self) -> Vec<Vec<usize>> {
        let len = self.candidates.len();
        let centres = len.min(CENTRES_MAX);
        let centres = (0..centres).map(|centre| self.candidates[centre * len / centres]);
        let starts = centres.flat_map(|centre| {
            let mut by_distance = self.candidates.clone();
            by_distance.sort_by_key(|&at| (self.round_trips.us(centre, at), at));
            [self.n, self.n / 2 + 1, 1].map(|near| self.spread(by_distance[..near].to_vec()))
        });
        let mut starts: Vec<_> = starts.collect();
        starts.sort_unstable();
        starts.dedup();
        starts
    }

    /// These nodes, and the candidates that are farthest from all nodes so far.
    fn spread(&self, mut nodes: Vec<usize>) -> Vec<usize> {
        while nodes.len() < self.n {
            let free = self.candidates.iter().copied().filter(|at| !nodes.contains(at));
            // Of equally far ones the first.
            let farthest = free.rev().max_by_key(|&at| self.nearest(at, &nodes).0);
            nodes.push(farthest.expect("there are at least n candidates"));
        }
        nodes.sort_unstable();
        nodes
    }

    /// Swaps one node for one candidate as long as that improves, the best swap first.
    fn descend(
        &self,
        nodes: Vec<usize>,
        arithmetic: &Arithmetic<'_>,
        best: &mut Best,
        scratch: &mut Scratch,
    ) {
        let (last, others) = nodes.split_last().expect("there are nodes");
        let start = arithmetic.base(others).cost_with(*last, scratch);
        best.offer(start, others, *last);
        let mut current = (best.key(start), nodes);
        loop {
            let mut next = current.clone();
            for out in 0..self.n {
                let mut kept = current.1.clone();
                kept.remove(out);
                let base: Base<'_> = arithmetic.base(&kept);
                for &last in self.candidates.iter().filter(|at| !current.1.contains(at)) {
                    let cost = base.cost_with(last, scratch);
                    best.offer(cost, &kept, last);
                    if best.key(cost) <= next.0 {
                        next = next.min((best.key(cost), sorted(&kept, last)));
                    }
                }
            }
            // Equal ones only in ascending order of names, so that it comes to an end.
            if next == current {
                return;
            }
            current = next;
        }
    }
}

/// Compared one after the other.
type Key = (u128, u128);

/// The best placements so far.
#[derive(Debug)]
struct Best {
    by: By,
    top: usize,
    kept: BTreeSet<(Key, Vec<usize>)>,
    compared: u64,
}

impl Best {
    fn key(&self, cost: Cost) -> Key {
        match self.by {
            By::Mean => (cost.sum, u128::from(cost.worst)),
            By::Worst => (u128::from(cost.worst), cost.sum),
        }
    }

    fn offer(&mut self, cost: Cost, nodes: &[usize], last: usize) {
        self.compared += 1;
        let key = self.key(cost);
        let is_full = self.kept.len() == self.top;
        if is_full && self.kept.last().is_none_or(|worst| worst.0 < key) {
            return;
        }
        self.kept.insert((key, sorted(nodes, last)));
        if self.kept.len() > self.top {
            self.kept.pop_last();
        }
    }
}

fn sorted(nodes: &[usize], last: usize) -> Vec<usize> {
    let mut nodes = nodes.to_vec();
    nodes.insert(nodes.partition_point(|&node| node < last), last);
    nodes
}

/// How many ways there are to choose `size` of `len`; none if a `u128` does not count them.
fn combinations(len: usize, size: usize) -> Option<u128> {
    let mut all: u128 = 1;
    for taken in 0..size.min(len - size) {
        all = all.checked_mul((len - taken) as u128)? / (taken as u128 + 1);
    }
    Some(all)
}

#[cfg(test)]
mod tests;
