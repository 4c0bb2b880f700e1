//! What a command touches, as the oracles see it.

use rustc_hash::FxHashMap;

/// Which operations on one resource commute, by their modes: a symmetric relation over at most
/// [`Commutes::MODES_MAX`] modes; any others commute with nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commutes {
    /// Bit `b` of entry `a`: modes `a` and `b` commute.
    rows: Vec<u64>,
}

impl Commutes {
    /// How many modes may commute with any other.
    pub const MODES_MAX: u8 = 64;

    /// The relation that holds where `commute` says so.
    ///
    /// # Panics
    /// If it is not symmetric.
    pub fn new(commute: impl Fn(u8, u8) -> bool) -> Self {
        let modes = 0..Self::MODES_MAX;
        let row = |a| modes.clone().fold(0, |row, b| row | u64::from(commute(a, b)) << b);
        let relation = Self { rows: modes.clone().map(row).collect() };
        for (a, b) in modes.clone().flat_map(|a| modes.clone().map(move |b| (a, b))) {
            assert_eq!(relation.commute(a, b), relation.commute(b, a), "modes {a} and {b}");
        }
        relation
    }

    /// Whether operations in these two modes commute.
    pub fn commute(&self, a: u8, b: u8) -> bool {
        b < Self::MODES_MAX && self.rows.get(usize::from(a)).is_some_and(|row| row >> b & 1 == 1)
    }
}

/// What a command touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Footprint<'a> {
    /// Conflicts with every command, whatever that touches.
    Everything,
    /// The resources, each with an access mode. Two commands conflict when they share a resource
    /// and their modes on it do not commute.
    Resources(&'a [(&'a [u8], u8)]),
    /// The same, of a command that names them by ranges, say: it is linked into its proposer's chain
    /// by other names than those of its resources.
    Linked {
        /// What it touches.
        resources: &'a [(&'a [u8], u8)],
        /// By what it is linked to its proposer's other vertices: those that have one of these too,
        /// or a resource of that name. Perhaps by nothing.
        links: &'a [&'a [u8]],
    },
}

/// A footprint with its resources numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Touched {
    Everything,
    Resources(Vec<(u32, u8)>),
}

impl Touched {
    /// The resource on which the two conflict: `Some(None)` where one touches everything.
    pub(crate) fn conflict(&self, other: &Self, commutes: &Commutes) -> Option<Option<u32>> {
        let (Self::Resources(ours), Self::Resources(theirs)) = (self, other) else {
            return Some(None);
        };
        ours.iter().find_map(|(resource, mode)| {
            theirs
                .iter()
                .any(|(r, m)| r == resource && !commutes.commute(*mode, *m))
                .then_some(Some(*resource))
        })
    }
}

/// Numbers resources in the order of their first use, so that the tables behind are vectors.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    numbers: FxHashMap<Box<[u8]>, u32>,
}

impl Resources {
    pub(crate) fn touched(&mut self, footprint: Footprint<'_>) -> Touched {
        match footprint {
            Footprint::Everything => Touched::Everything,
            Footprint::Resources(list) | Footprint::Linked { resources: list, .. } => {
                Touched::Resources(list.iter().map(|(r, m)| (self.number(r), *m)).collect())
            }
        }
    }

    /// By what a vertex is linked to its proposer's others, numbered like resources; one over
    /// everything is to all, without a word.
    pub(crate) fn links(&mut self, footprint: Footprint<'_>) -> Vec<u32> {
        match footprint {
            Footprint::Everything => Vec::new(),
            Footprint::Resources(list) => list.iter().map(|(r, _)| self.number(r)).collect(),
            Footprint::Linked { links, .. } => links.iter().map(|l| self.number(l)).collect(),
        }
    }

    fn number(&mut self, resource: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(resource) {
            return *number;
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert(resource.into(), number);
        number
    }

    /// The resource in words. Linear: for accounts only.
    pub(crate) fn name(&self, number: Option<u32>) -> String {
        let Some(number) = number else {
            return "everything".into();
        };
        let found = self.numbers.iter().find(|(_, n)| **n == number);
        found.map_or_else(
            || format!("resource #{number}"),
            |(bytes, _)| format!("resource \"{}\"", bytes.escape_ascii()),
        )
    }
}
