//! What a command touches, and which touches commute: the conflict function.

use bytes::Bytes;
use std::fmt;

/// How a command touches a resource: an index into the cluster's [`ModeTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mode(pub u8);

/// What a command touches. Two commands conflict when the modes of both on some shared resource do
/// not commute, or when either touches everything.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum Footprint {
    /// The resources, each with a mode, ascending and without repetition.
    Resources(Vec<(Bytes, Mode)>),
    /// The whole state: conflicts with every command, even one that touches nothing.
    Everything,
}

impl Footprint {
    /// A command that touches nothing: it conflicts with [`Footprint::Everything`] alone.
    pub const NOTHING: Self = Self::Resources(Vec::new());

    /// A footprint of these resources, in any order, repetitions allowed.
    pub fn of(resources: impl IntoIterator<Item = (Bytes, Mode)>) -> Self {
        let mut resources: Vec<_> = resources.into_iter().collect();
        resources.sort();
        resources.dedup();
        Self::Resources(resources)
    }

    /// How many resources it names.
    pub fn len(&self) -> usize {
        match self {
            Self::Resources(resources) => resources.len(),
            Self::Everything => 0,
        }
    }

    /// Whether it names no resource.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether two commands with these footprints conflict: the definition, in time quadratic in
    /// the footprints. The dependency service keeps an index instead.
    pub fn conflicts_with(&self, other: &Self, modes: &ModeTable) -> bool {
        match (self, other) {
            (Self::Everything, _) | (_, Self::Everything) => true,
            (Self::Resources(ours), Self::Resources(theirs)) => {
                ours.iter().any(|(resource, mode)| {
                    theirs.iter().any(|(other, other_mode)| {
                        resource == other && !modes.commute(*mode, *other_mode)
                    })
                })
            }
        }
    }
}

/// Which access modes commute: a symmetric relation over at most [`ModeTable::MODES_MAX`] modes.
///
/// ```
/// use althing_model::{Mode, ModeTable};
/// let table = ModeTable::new(&["read", "write", "add"])
///     .commuting(Mode(0), Mode(0))
///     .commuting(Mode(2), Mode(2));
/// assert!(table.commute(Mode(2), Mode(2)));
/// assert!(!table.commute(Mode(0), Mode(1)));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ModeTable {
    names: Vec<&'static str>,
    /// Bit `b` of entry `a`: modes `a` and `b` commute.
    commute: Vec<u64>,
}

impl ModeTable {
    /// How many modes a table may have: one bit each in a machine word.
    pub const MODES_MAX: usize = 64;

    /// A table of these modes in which no two commute yet, not even a mode with itself.
    ///
    /// # Panics
    /// With more than [`Self::MODES_MAX`] modes: the table is part of a program, not of its input.
    pub fn new(names: &[&'static str]) -> Self {
        assert!(names.len() <= Self::MODES_MAX, "a mode table has at most 64 modes");
        Self { names: names.to_vec(), commute: vec![0; names.len()] }
    }

    /// Reads commute with reads, and nothing else does: modes 0 (read) and 1 (write).
    pub fn read_write() -> Self {
        Self::new(&["read", "write"]).commuting(Mode(0), Mode(0))
    }

    /// The same table, in which `a` and `b` commute, in either order.
    #[must_use]
    pub fn commuting(mut self, a: Mode, b: Mode) -> Self {
        self.commute[a.0 as usize] |= 1 << b.0;
        self.commute[b.0 as usize] |= 1 << a.0;
        self
    }

    /// Whether commands that touch one resource in these modes give the same state and replies in
    /// either order. A mode outside the table commutes with nothing.
    pub fn commute(&self, a: Mode, b: Mode) -> bool {
        self.commute.get(a.0 as usize).is_some_and(|row| b.0 < 64 && row >> b.0 & 1 == 1)
    }

    /// The modes' names, by number.
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }
}

impl fmt::Debug for ModeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModeTable").field("names", &self.names).finish_non_exhaustive()
    }
}

/// The user's conflict function: what each command touches. It must be a pure function of the
/// payload, and the same on every node of a cluster: a command said to commute that does not
/// corrupts replicas silently.
pub trait Conflicts: Send + Sync {
    /// Which modes commute.
    fn modes(&self) -> &ModeTable;

    /// What the command with this payload touches.
    ///
    /// # Errors
    /// When the payload is no command of the state machine: it is refused before it gets a vertex.
    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid>;
}

/// A payload is no command of the state machine; the text says why, for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandInvalid(pub String);

impl fmt::Display for CommandInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid command: {}", self.0)
    }
}

impl std::error::Error for CommandInvalid {}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(resource: &'static str, mode: u8) -> Footprint {
        Footprint::of([(Bytes::from_static(resource.as_bytes()), Mode(mode))])
    }

    #[test]
    fn conflict_is_by_shared_resource_and_mode() {
        let modes = ModeTable::read_write();
        assert!(on("a", 1).conflicts_with(&on("a", 0), &modes));
        assert!(!on("a", 0).conflicts_with(&on("a", 0), &modes));
        assert!(!on("a", 1).conflicts_with(&on("b", 1), &modes));
        assert!(Footprint::Everything.conflicts_with(&Footprint::NOTHING, &modes));
        assert!(!Footprint::NOTHING.conflicts_with(&on("a", 1), &modes));
    }

    #[test]
    fn a_mode_outside_the_table_commutes_with_nothing() {
        let modes = ModeTable::read_write();
        assert!(!modes.commute(Mode(9), Mode(0)));
        assert!(!modes.commute(Mode(0), Mode(200)));
    }
}
