//! Quorum systems that a placement could use, what they would cost, and what they survive.
//!
//! Three families, of the many that are safe:
//!
//! - flexible sizes: phase 1 of `q1` nodes and phase 2 of `n - q1 + 1`, for each `q1` from a majority
//!   up (below it a recovery gains nothing, since it needs a majority's dependencies); the fast
//!   quorum is then `n / 2 + n - q1`, but a majority at least. Larger phase-2 and fast quorums are
//!   legal too, and never faster;
//! - even clusters, where `n` is even: dependencies from a majority of all nodes or of all but one;
//! - grids: phase 1 is a row, phase 2 a column, dependencies a row and a column. Of all ways to
//!   arrange the nodes, the one with the lowest fast mean is shown, or the lowest classic mean where
//!   no fast quorum exists (three rows or more).
//!
//! Each is a list of explicit sets, and is checked as such before it is shown: every phase-1 quorum
//! meets every phase-2 quorum, dependency quorums meet pairwise; and a set is a fast quorum for a
//! node in it only if it holds a dependency quorum, and still does so, that node counted, when cut
//! down to any phase-1 quorum without that node. That is what recovery sees of a fast commit when the
//! node that alone concluded it is silent.

mod sets;

use self::sets::{Sets, subsets};
use super::{Placement, Prediction, Protocol, Question};
use crate::planet::Region;
use crate::quorum::majority;
use std::fmt;

/// Up to so many nodes quorum systems are checked, set by set.
pub const SYSTEM_NODES_MAX: usize = 9;

/// What the quorums are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Any so many nodes.
    Flexible {
        /// Promises that a recovery takes.
        phase1: usize,
        /// Votes that choose a value.
        phase2: usize,
        /// Nodes of the fast path.
        fast: usize,
    },
    /// Dependencies from a majority of all nodes, or of all but one; the rest by `f`.
    Even {
        /// That one.
        without: Region,
    },
    /// Phase 1 by row, phase 2 by column.
    Grid {
        /// The rows, from the top.
        rows: Vec<Vec<Region>>,
    },
}

/// A quorum system on a placement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// What the quorums are.
    pub kind: Kind,
    /// Whether it is what the placement uses without being told otherwise: the sizes of `f`.
    pub is_current: bool,
    /// Whether the engine can be configured so today: flexible sizes, by choosing `f`. The others
    /// are predicted only.
    pub runs_today: bool,
    /// The fast path's cost; none if no fast quorum is safe for some node.
    pub fast: Option<Prediction>,
    /// The classic path's cost.
    pub classic: Prediction,
    /// What it survives.
    pub survives: Survives,
}

/// After how many failures, whichever nodes they hit, something still works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survives {
    /// Each node that is left still has a fast quorum; 0 as well where there is none.
    pub fast: usize,
    /// New commands are committed.
    pub commit: usize,
    /// What failed nodes left behind is recovered; until it is, commands that conflict with it wait.
    pub recovery: usize,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Phase 2 of f + 1 and phase 1 of n - f: that f.
            Kind::Flexible { phase1, phase2, fast } => {
                write!(f, "f = {}: q1 {phase1}, q2 {phase2}, fast {fast}", phase2 - 1)
            }
            Kind::Even { without } => write!(f, "even, without {without}"),
            Kind::Grid { rows } => {
                let row =
                    |row: &Vec<Region>| row.iter().map(Region::name).collect::<Vec<_>>().join(" ");
                write!(f, "grid: {}", rows.iter().map(row).collect::<Vec<_>>().join(" / "))
            }
        }
    }
}

impl Question {
    /// What each quorum system would make of the placement, the current one first; none if it has
    /// more than [`SYSTEM_NODES_MAX`] nodes.
    pub fn systems(&self, placement: &Placement) -> Option<Vec<System>> {
        if self.n > SYSTEM_NODES_MAX {
            return None;
        }
        let loads = self.loads(placement);
        let mut systems: Vec<System> =
            (majority(self.n)..=self.n).map(|phase1| self.flexible(placement, phase1)).collect();
        systems.sort_by_key(|system| !system.is_current);
        if self.n.is_multiple_of(2) {
            systems.push(self.even(placement, &loads));
        }
        for rows in (2..=self.n / 2).filter(|rows| self.n.is_multiple_of(*rows)) {
            systems.push(self.grid(placement, rows, &loads));
        }
        Some(systems)
    }

    fn flexible(&self, placement: &Placement, phase1: usize) -> System {
        let n = self.n;
        let phase2 = n - phase1 + 1;
        let silent = n - phase1;
        let fast = (n / 2 + silent).max(majority(n));
        let sets = Sets::new(n, subsets(n, phase1), subsets(n, phase2), subsets(n, majority(n)));
        let kind = Kind::Flexible { phase1, phase2, fast };
        let sets = sets.expect("the sizes add up to more than n");
        System {
            is_current: silent == self.f,
            runs_today: silent > 0,
            ..self.system(placement, kind, &sets)
        }
    }

    fn even(&self, placement: &Placement, loads: &[u128]) -> System {
        let n = self.n;
        let choices = (0..n).map(|out| {
            let all = subsets(n, majority(n)).into_iter();
            let core = subsets(n, majority(n - 1)).into_iter().filter(|set| set >> out & 1 == 0);
            let (phase1, phase2) = (subsets(n, n - self.f), subsets(n, self.f + 1));
            let sets = Sets::new(n, phase1, phase2, all.chain(core).collect());
            (out, sets.expect("three of four hold two of any three of them, and so on"))
        });
        let (out, sets) = choices
            .min_by_key(|(out, sets)| (self.weighed(placement, sets, loads), *out))
            .expect("there are nodes");
        let kind = Kind::Even { without: placement.regions[out].clone() };
        self.system(placement, kind, &sets)
    }

    fn grid(&self, placement: &Placement, rows: usize, loads: &[u128]) -> System {
        let columns = self.n / rows;
        let mut best = None;
        arrangements(rows, columns, &mut Vec::new(), &mut |cells| {
            let sets = grid_sets(cells, columns);
            let key = (self.weighed(placement, &sets, loads), cells.to_vec());
            if best.as_ref().is_none_or(|(best, _)| key < *best) {
                best = Some((key, sets));
            }
        });
        let ((_, cells), sets) = best.expect("there is an arrangement");
        let region = |&cell: &usize| placement.regions[cell].clone();
        let rows = cells.chunks(columns).map(|row| row.iter().map(region).collect()).collect();
        self.system(placement, Kind::Grid { rows }, &sets)
    }

    fn system(&self, placement: &Placement, kind: Kind, sets: &Sets) -> System {
        let nodes = &placement.places;
        let at = |place| nodes.binary_search(&place).expect("a node of the placement");
        let (fast, classic) = self.waits(placement, sets);
        System {
            kind,
            is_current: false,
            runs_today: false,
            fast: fast.map(|us| self.predict_at_home(nodes, Protocol::Fast, |place| us[at(place)])),
            classic: self.predict_at_home(nodes, Protocol::Classic, |place| classic[at(place)]),
            survives: sets.survives(),
        }
    }

    /// What to compare systems of one family by: the fast path's wait of all clients, the classic
    /// one's. Ways to the nearest node are the same in all.
    fn weighed(&self, placement: &Placement, sets: &Sets, loads: &[u128]) -> (u128, u128) {
        let (fast, classic) = self.waits(placement, sets);
        let sum = |waits: Vec<u64>| {
            waits.into_iter().zip(loads).map(|(us, load)| u128::from(us) * load).sum::<u128>()
        };
        (fast.map_or(u128::MAX, sum), sum(classic))
    }

    /// How long each node waits, in microseconds: on the fast path, if each has one, and on the
    /// classic path.
    fn waits(&self, placement: &Placement, sets: &Sets) -> (Option<Vec<u64>>, Vec<u64>) {
        let nears: Vec<_> = (0..self.n).map(|node| self.by_distance(placement, node)).collect();
        let fast = nears.iter().zip(0..).map(|(near, node)| sets.fast_us(near, node));
        let classic = nears.iter().map(|near| sets.classic_us(near));
        (fast.collect(), classic.collect::<Option<_>>().expect("all nodes hold every quorum"))
    }

    /// The weights of the clients that each node is nearest to.
    fn loads(&self, placement: &Placement) -> Vec<u128> {
        let mut loads = vec![0; self.n];
        for client in &self.clients {
            let (_, home) = self.nearest(client.at, &placement.places);
            let node = placement.places.binary_search(&home).expect("home is a node");
            loads[node] += u128::from(client.weight.thousandths());
        }
        loads
    }

    /// All nodes of the placement, itself first, by distance from one of them.
    fn by_distance(&self, placement: &Placement, node: usize) -> Vec<(u64, usize)> {
        let from = placement.places[node];
        let others = placement.places.iter().zip(0..).filter(|it| it.1 != node);
        let mut near: Vec<_> =
            others.map(|(&place, at)| (self.round_trips.us(from, place), at)).collect();
        near.sort_unstable();
        near.insert(0, (0, node));
        near
    }
}

fn grid_sets(cells: &[usize], columns: usize) -> Sets {
    let bits = |cells: &mut dyn Iterator<Item = &usize>| cells.fold(0, |set, at| set | 1 << at);
    let rows: Vec<u16> = cells.chunks(columns).map(|row| bits(&mut row.iter())).collect();
    let columns: Vec<u16> =
        (0..columns).map(|column| bits(&mut cells.iter().skip(column).step_by(columns))).collect();
    let crosses = rows.iter().flat_map(|row| columns.iter().map(move |column| row | column));
    let crosses: Vec<u16> = crosses.collect();
    let sets = Sets::new(cells.len(), rows, columns, crosses);
    sets.expect("a row meets every column")
}

/// All ways to fill a grid, but for the order of rows and of columns: the first node comes first,
/// and the first row and the first column ascend.
fn arrangements(
    rows: usize,
    columns: usize,
    cells: &mut Vec<usize>,
    visit: &mut dyn FnMut(&[usize]),
) {
    let (at, len) = (cells.len(), rows * columns);
    if at == len {
        return visit(cells);
    }
    let least = match (at / columns, at % columns) {
        (0, 0) => Some(0),
        (0, _) => Some(cells[at - 1]),
        (_, 0) => Some(cells[at - columns]),
        _ => None,
    };
    let choices = if at == 0 { 0..1 } else { 0..len };
    for node in choices {
        if !cells.contains(&node) && least.is_none_or(|least| at == 0 || node > least) {
            cells.push(node);
            arrangements(rows, columns, cells, visit);
            cells.pop();
        }
    }
}

#[cfg(test)]
mod tests;
