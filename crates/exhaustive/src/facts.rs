//! What is to be seen in a state: the properties are read off these facts.

use althing_model::{Ballot, Commands, Path, Value, VertexId};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::BitOr;

/// Facts about a state, or about one actor in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Facts(u16);

impl Facts {
    /// Two values are committed in one vertex (I1 is broken).
    pub const TWO_VALUES: Self = Self(1);
    /// Two conflicting vertices are committed, and neither leads to the other (I2 is broken).
    pub const UNORDERED: Self = Self(1 << 1);
    /// A committed command was never submitted to that vertex's proposer.
    pub const INVENTED: Self = Self(1 << 2);
    /// Two values were proposed in one ballot of a vertex (trap T14).
    pub const BALLOT_REUSED: Self = Self(1 << 3);
    /// An assertion failed in a role.
    pub const BROKEN: Self = Self(1 << 4);
    /// A vertex was committed after one round trip.
    pub const FAST: Self = Self(1 << 5);
    /// A value was chosen in round 1.
    pub const ROUND_1: Self = Self(1 << 6);
    /// A recovery had a command chosen.
    pub const RECOVERED: Self = Self(1 << 7);
    /// A recovery had a noop chosen.
    pub const NOOP: Self = Self(1 << 8);
    /// One acceptor voted in two ballots of a vertex.
    pub const TWO_BALLOTS: Self = Self(1 << 9);
    /// A request was refused.
    pub const REFUSED: Self = Self(1 << 10);
    /// Both proposers' commands are committed.
    pub const BOTH: Self = Self(1 << 11);
    /// Two committed vertices depend on each other.
    pub const CYCLE: Self = Self(1 << 12);

    /// Whether all of `other` is among these.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Facts {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What follows from which values are committed. `is_submitted` says whether a command may stand in
/// a vertex.
pub(crate) fn of_committed(
    committed: &[(VertexId, Value)],
    is_submitted: impl Fn(VertexId, &Commands) -> bool,
) -> Facts {
    let mut facts = Facts::default();
    let mut values: BTreeMap<VertexId, &Value> = BTreeMap::new();
    for (vertex, value) in committed {
        if values.insert(*vertex, value).is_some_and(|earlier| earlier != value) {
            facts = facts | Facts::TWO_VALUES;
        }
        if !is_submitted(*vertex, &value.commands) {
            facts = facts | Facts::INVENTED;
        }
    }
    let commands: Vec<VertexId> =
        values.iter().filter(|(_, value)| !value.commands.is_noop()).map(|(it, _)| *it).collect();
    for (at, x) in commands.iter().enumerate() {
        for y in &commands[at + 1..] {
            let (there, back) = (leads_to(&values, *x, *y), leads_to(&values, *y, *x));
            if there == Reach::No && back == Reach::No {
                facts = facts | Facts::UNORDERED;
            }
            if there == Reach::Yes && back == Reach::Yes {
                facts = facts | Facts::CYCLE;
            }
            if x.proposer != y.proposer {
                facts = facts | Facts::BOTH;
            }
        }
    }
    facts
}

/// What follows from a value's being chosen by votes.
pub(crate) fn of_chosen(path: Path, ballot: Ballot, value: &Value) -> Facts {
    let _ = path;
    match (ballot.round, value.commands.is_noop()) {
        (0, _) => Facts::default(),
        (1, _) => Facts::ROUND_1,
        (_, true) => Facts::NOOP,
        (_, false) => Facts::RECOVERED,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Yes,
    No,
    /// By way of a vertex that is not committed yet, perhaps.
    Open,
}

/// Whether committed dependencies lead from `x` to `y`. All commands of the model conflict, so this
/// is what I2 asks of every two of them.
fn leads_to(values: &BTreeMap<VertexId, &Value>, x: VertexId, y: VertexId) -> Reach {
    let mut seen = BTreeSet::from([x]);
    let mut next = vec![x];
    let mut is_open = false;
    while let Some(vertex) = next.pop() {
        if vertex == y {
            return Reach::Yes;
        }
        let Some(value) = values.get(&vertex) else {
            is_open = true;
            continue;
        };
        next.extend(dependencies(value).filter(|dep| seen.insert(*dep)));
    }
    if is_open { Reach::Open } else { Reach::No }
}

/// The dependencies that are vertices of the model: the sessions were opened before it begins, by a
/// proposer that it does not have, in vertices that depend on nothing.
fn dependencies(value: &Value) -> impl Iterator<Item = VertexId> {
    value
        .deps
        .columns()
        .filter(|(column, _)| column.proposer.0 < crate::cluster::PROPOSERS)
        .flat_map(|(column, row)| {
            (0..row.below()).chain(row.extras().iter().copied()).map(move |seq| column.vertex(seq))
        })
}
