//! The conflict function that the user plugs in.

use crate::{Footprint, ModeTable};
use std::fmt;

/// The user's conflict function: what each command touches. It must be a pure function of the
/// payload, and the same on every node of a cluster: a command said to commute that does not
/// corrupts replicas silently.
///
/// ```
/// use althing_model::{CommandInvalid, Conflicts, ConflictsId, Footprint, Mode, ModeTable, Range};
///
/// /// Commands in words: `put KEY`, `scan PREFIX`, `wipe`.
/// struct Words(ModeTable);
///
/// impl Conflicts for Words {
///     fn modes(&self) -> &ModeTable {
///         &self.0
///     }
///
///     fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
///         let text = std::str::from_utf8(payload)
///             .map_err(|_| CommandInvalid("it is no UTF-8".into()))?;
///         let name = |text: &str| bytes::Bytes::copy_from_slice(text.as_bytes());
///         match text.split_once(' ') {
///             Some(("put", key)) => Ok(Footprint::of([(name(key), Mode::WRITE)])),
///             Some(("scan", prefix)) => {
///                 Ok(Footprint::with_ranges([], [(Range::prefix(name(prefix)), Mode::READ)]))
///             }
///             None if text == "wipe" => Ok(Footprint::Everything),
///             _ => Err(CommandInvalid(format!("neither put, scan nor wipe: {text}"))),
///         }
///     }
///
///     fn id(&self) -> ConflictsId {
///         // Another number when `footprint` answers differently.
///         ConflictsId::named("words", 1, &self.0)
///     }
/// }
///
/// let words = Words(ModeTable::read_write());
/// let (put, scan) = (words.footprint(b"put ab").unwrap(), words.footprint(b"scan a").unwrap());
/// assert!(put.conflicts_with(&scan, words.modes()));
/// ```
pub trait Conflicts: Send + Sync {
    /// Which modes commute, and the predicate of level (c), if there is one.
    fn modes(&self) -> &ModeTable;

    /// What the command with this payload touches.
    ///
    /// # Errors
    /// When the payload is no command of the state machine: it is refused before it gets a vertex.
    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid>;

    /// Names this function and its version. Nodes whose functions have different ids refuse each
    /// other, since their replicas would order commands differently.
    ///
    /// Unless it is given, it says no more than that the mode tables are the same: name yours, with a
    /// number that rises when [`Self::footprint`] answers differently.
    fn id(&self) -> ConflictsId {
        ConflictsId(self.modes().fingerprint())
    }
}

/// The relation of level (c): whether two commands conflict, by what their footprints show of them.
///
/// It must be pure, the same on every node, and symmetric: `conflict(a, b) == conflict(b, a)`. Of two
/// commands one arrives first at a voter, and which it is differs from voter to voter.
///
/// Each command is compared with every vertex of this level that is not pruned: what that costs grows
/// with the time between snapshots, so where ranges can say the same, they are better. Beside
/// resources and ranges in one cluster it costs more yet: a command of this level conflicts with all
/// of them.
///
/// ```
/// use althing_model::{Footprint, ModeTable, Predicate};
/// use std::sync::Arc;
///
/// /// Orders of one book: one byte for the side, one for the price.
/// struct Crosses;
///
/// impl Predicate for Crosses {
///     fn name(&self) -> &str {
///         "crosses/1"
///     }
///
///     fn conflict(&self, a: &[u8], b: &[u8]) -> bool {
///         match (a, b) {
///             ([b'b', bid], [b's', ask]) | ([b's', ask], [b'b', bid]) => bid >= ask,
///             // The same side: neither trades with the other, but both wait in one queue.
///             ([_, price], [_, other]) => price == other,
///             _ => true,
///         }
///     }
/// }
///
/// let table = ModeTable::read_write().with_predicate(Arc::new(Crosses));
/// let shown = |side: u8, price: u8| Footprint::predicate(vec![side, price]);
/// assert!(shown(b'b', 10).conflicts_with(&shown(b's', 9), &table));
/// assert!(!shown(b'b', 8).conflicts_with(&shown(b's', 9), &table));
/// ```
pub trait Predicate: Send + Sync {
    /// Names the relation and its version; nodes whose predicates have different names refuse each
    /// other.
    fn name(&self) -> &str;

    /// Whether two commands conflict that show these bytes. When in doubt, yes: that costs waiting,
    /// and the other error corrupts replicas.
    fn conflict(&self, a: &[u8], b: &[u8]) -> bool;
}

/// Names a conflict function and its version: see [`Conflicts::id`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConflictsId(pub [u8; 32]);

impl ConflictsId {
    /// That of who has no conflict function: a client.
    pub const NONE: Self = Self([0; 32]);

    /// The id of a function with this name, in this version, over this table: equal exactly where
    /// all three are.
    pub fn named(name: &str, version: u64, modes: &ModeTable) -> Self {
        use sha2::Digest;
        let mut digest = sha2::Sha256::new();
        digest.update(modes.fingerprint());
        digest.update(version.to_be_bytes());
        digest.update(name);
        Self(digest.finalize().into())
    }
}

/// In hexadecimal.
impl fmt::Display for ConflictsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ConflictsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConflictsId({self})")
    }
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
