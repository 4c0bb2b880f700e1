//! Which access modes commute.

use crate::{Mode, Predicate};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Which access modes commute: a symmetric relation over at most [`ModeTable::MODES_MAX`] modes; and
/// the predicate of level (c), if there is one.
///
/// [`ModeTable::standard`] has the usual modes. One of your own:
/// ```
/// use althing_model::{Mode, ModeTable};
/// const DEPOSIT: Mode = Mode(0);
/// const WITHDRAW: Mode = Mode(1);
/// let table = ModeTable::new(&["deposit", "withdraw"]).commuting(DEPOSIT, DEPOSIT);
/// assert!(table.commute(DEPOSIT, DEPOSIT));
/// assert!(!table.commute(DEPOSIT, WITHDRAW) && !table.commute(WITHDRAW, WITHDRAW));
/// ```
#[derive(Clone)]
pub struct ModeTable {
    names: Vec<String>,
    /// Bit `b` of entry `a`: modes `a` and `b` commute.
    commute: Vec<u64>,
    predicate: Option<Arc<dyn Predicate>>,
}

/// The modes of [`ModeTable::read_write`] and [`ModeTable::standard`].
impl Mode {
    /// Looks and changes nothing: commutes with itself.
    pub const READ: Self = Self(0);
    /// Changes, or looks and changes: commutes with nothing.
    pub const WRITE: Self = Self(1);
    /// Adds to a number, and does not tell the sum: commutes with itself.
    pub const ADD: Self = Self(2);
    /// Puts an element at the end of a list: commutes with nothing, itself included, since two
    /// orders leave two lists.
    pub const APPEND: Self = Self(3);
    /// Puts an element into a set, and does not tell whether it was there: commutes with itself.
    pub const INSERT: Self = Self(4);
}

impl ModeTable {
    /// How many modes a table may have: one bit each in a machine word.
    pub const MODES_MAX: usize = 64;

    /// A table of these modes in which no two commute yet, not even a mode with itself.
    ///
    /// # Panics
    /// With more than [`Self::MODES_MAX`] modes: the table is part of a program, not of its input.
    pub fn new(names: &[impl AsRef<str>]) -> Self {
        assert!(names.len() <= Self::MODES_MAX, "a mode table has at most 64 modes");
        Self {
            names: names.iter().map(|name| name.as_ref().to_owned()).collect(),
            commute: vec![0; names.len()],
            predicate: None,
        }
    }

    /// Reads commute with reads, and nothing else does: [`Mode::READ`] and [`Mode::WRITE`].
    pub fn read_write() -> Self {
        Self::new(&["read", "write"]).commuting(Mode::READ, Mode::READ)
    }

    /// [`Mode::READ`], [`Mode::WRITE`], [`Mode::ADD`], [`Mode::APPEND`] and [`Mode::INSERT`], of which
    /// reads, adds and inserts commute each with its own kind.
    ///
    /// ```
    /// use althing_model::{Footprint, Mode, ModeTable};
    /// let table = ModeTable::standard();
    /// let add = Footprint::of([("likes".into(), Mode::ADD)]);
    /// let read = Footprint::of([("likes".into(), Mode::READ)]);
    /// assert!(!add.conflicts_with(&add, &table));
    /// assert!(add.conflicts_with(&read, &table));
    /// ```
    pub fn standard() -> Self {
        Self::new(&["read", "write", "add", "append", "insert"])
            .commuting(Mode::READ, Mode::READ)
            .commuting(Mode::ADD, Mode::ADD)
            .commuting(Mode::INSERT, Mode::INSERT)
    }

    /// The same table, in which `a` and `b` commute, in either order.
    ///
    /// # Panics
    /// If the table has no such mode.
    #[must_use]
    pub fn commuting(mut self, a: Mode, b: Mode) -> Self {
        self.commute[a.0 as usize] |= 1 << b.0;
        self.commute[b.0 as usize] |= 1 << a.0;
        self
    }

    /// The same table, whose predicate decides between two [`Footprint::Predicate`].
    ///
    /// [`Footprint::Predicate`]: crate::Footprint::Predicate
    #[must_use]
    pub fn with_predicate(mut self, predicate: Arc<dyn Predicate>) -> Self {
        self.predicate = Some(predicate);
        self
    }

    /// The predicate, if there is one.
    pub fn predicate(&self) -> Option<&Arc<dyn Predicate>> {
        self.predicate.as_ref()
    }

    /// Whether commands that touch one resource in these modes give the same state and replies in
    /// either order. A mode outside the table commutes with nothing.
    pub fn commute(&self, a: Mode, b: Mode) -> bool {
        self.commute.get(a.0 as usize).is_some_and(|row| b.0 < 64 && row >> b.0 & 1 == 1)
    }

    /// Whether a read of one resource in this mode may be answered without a vertex: `mode` commutes
    /// with itself, and the updates that it can observe, which are those in modes that do not commute
    /// with it, conflict pairwise, also two of one mode (`protocol` section 8). Otherwise two such
    /// reads could see two updates in opposite orders. For the same reason it is never so with a
    /// predicate: commands of level (c) conflict with every read, and may commute with each other.
    pub fn is_readable_unrecorded(&self, mode: Mode) -> bool {
        let observed = || self.modes().filter(|update| !self.commute(*update, mode));
        self.predicate.is_none()
            && self.commute(mode, mode)
            && observed().all(|a| observed().all(|b| !self.commute(a, b)))
    }

    /// The modes, by number.
    pub fn modes(&self) -> impl Iterator<Item = Mode> {
        (0..self.names.len() as u8).map(Mode)
    }

    /// The modes' names, by number.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// What makes one table another: names, relation, and the predicate's name.
    fn parts(&self) -> (&[String], &[u64], Option<&str>) {
        let predicate = self.predicate.as_ref().map(|predicate| predicate.name());
        (&self.names, &self.commute, predicate)
    }

    /// Numbers the table: equal tables have equal fingerprints, on every machine and in every
    /// version of this program, and others have others.
    pub fn fingerprint(&self) -> [u8; 32] {
        use sha2::Digest;
        let (names, relation, predicate) = self.parts();
        let mut digest = sha2::Sha256::new();
        digest.update((names.len() as u64).to_be_bytes());
        let texts = names.iter().map(String::as_str).chain(predicate);
        // The length before each text, so that no two lists of texts look the same.
        for text in texts {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        relation.iter().for_each(|row| digest.update(row.to_be_bytes()));
        digest.update([u8::from(predicate.is_some())]);
        digest.finalize().into()
    }
}

/// A predicate counts by its name.
impl PartialEq for ModeTable {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for ModeTable {}

impl Hash for ModeTable {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl fmt::Debug for ModeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (names, _, predicate) = self.parts();
        f.debug_struct("ModeTable")
            .field("names", &names)
            .field("predicate", &predicate)
            .finish_non_exhaustive()
    }
}
