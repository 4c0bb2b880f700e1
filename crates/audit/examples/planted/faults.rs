//! The conflict functions: a correct one by resources and ranges, a correct one by a predicate, and
//! what may be wrong with either.

use crate::shelf::Command;
use althing_model::{CommandInvalid, Conflicts, Footprint, Mode, ModeTable, Predicate, Range};
use bytes::Bytes;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Something wrong with a conflict function, or with the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    ScanEndOffByOne,
    ScanBeginOffByOne,
    PrefixEndByHand,
    EmptyPrefixIsNothing,
    SourceForgotten,
    LastKeyForgotten,
    CountTouchesNothing,
    IncrementIsRead,
    IncrementIsAdd,
    AddCommutesWithRead,
    CasIsRead,
    WritesCommute,
    DeletesCommute,
    AppendIsInsert,
    TwoNames,
    EverySeventhForgotten,
    OtherOnOtherThreads,
    PredicateAsymmetric,
    PredicateSeesOneKey,
    PredicateIgnoresReads,
    DigestForgets,
    PingCounts,
    HashOrder,
    QueryForChange,
    ReadBesideAdds,
    SnapshotForgets,
    RestoreMerges,
}

impl Fault {
    /// All but none of them, each with a description.
    pub(crate) const ALL: [(Self, &'static str); 27] = [
        (Self::ScanEndOffByOne, "a scan's range ends before its last key"),
        (Self::ScanBeginOffByOne, "a scan's range begins after its first key"),
        (Self::PrefixEndByHand, "a prefix's range ends at the prefix and z"),
        (Self::EmptyPrefixIsNothing, "clearing all keys touches nothing"),
        (Self::SourceForgotten, "a copy does not name what it reads"),
        (Self::LastKeyForgotten, "a multi-put does not name its last key"),
        (Self::CountTouchesNothing, "a count of all keys touches nothing"),
        (Self::IncrementIsRead, "an increment commutes with a get"),
        (Self::IncrementIsAdd, "increments commute, and tell the sum"),
        (Self::AddCommutesWithRead, "adds commute with reads"),
        (Self::CasIsRead, "a compare-and-swap is a read"),
        (Self::WritesCommute, "writes of one key commute"),
        (Self::DeletesCommute, "deletes commute, and tell what was there (replies alone)"),
        (Self::AppendIsInsert, "appends commute like inserts (states alone)"),
        (Self::TwoNames, "the machine folds case, the function does not"),
        (Self::EverySeventhForgotten, "the footprint depends on a counter"),
        (Self::OtherOnOtherThreads, "the footprint depends on the thread"),
        (Self::PredicateAsymmetric, "a predicate that is not symmetric"),
        (Self::PredicateSeesOneKey, "a predicate that compares first keys alone"),
        (Self::PredicateIgnoresReads, "a predicate by which reads conflict with nothing"),
        (Self::DigestForgets, "appends commute, and the digest forgets lists"),
        (Self::PingCounts, "a ping touches nothing, and is counted"),
        (Self::HashOrder, "a scan in the order of a hash map"),
        (Self::QueryForChange, "an increment that can be queried"),
        (Self::ReadBesideAdds, "a get without a vertex, beside adds that commute"),
        (Self::SnapshotForgets, "a snapshot without the lists"),
        (Self::RestoreMerges, "a restore that keeps what was there"),
    ];

    /// The conflict function that has it.
    pub(crate) fn conflicts(self) -> Arc<dyn Conflicts> {
        match self {
            Self::PredicateAsymmetric | Self::PredicateSeesOneKey | Self::PredicateIgnoresReads => {
                Arc::new(ByPredicate::new(self))
            }
            _ => Arc::new(ByResource::new(self)),
        }
    }
}

/// Of deletes, where they are told from other writes.
const DELETE: Mode = Mode(5);

/// By resources and ranges, with the standard modes.
pub(crate) struct ByResource {
    fault: Fault,
    modes: ModeTable,
    asked: AtomicU64,
}

impl ByResource {
    pub(crate) fn new(fault: Fault) -> Self {
        let names = ["read", "write", "add", "append", "insert", "delete"];
        let modes = ModeTable::new(&names)
            .commuting(Mode::READ, Mode::READ)
            .commuting(Mode::ADD, Mode::ADD)
            .commuting(Mode::INSERT, Mode::INSERT);
        let modes = match fault {
            Fault::AddCommutesWithRead => modes.commuting(Mode::ADD, Mode::READ),
            Fault::DeletesCommute => modes.commuting(DELETE, DELETE),
            Fault::WritesCommute => modes.commuting(Mode::WRITE, Mode::WRITE),
            _ => modes,
        };
        Self { fault, modes, asked: AtomicU64::new(0) }
    }

    fn footprint_of(&self, command: &Command) -> Footprint {
        let number = |key: &str| Bytes::from(format!("n/{key}"));
        let one = |key: &str, mode| Footprint::of([(number(key), mode)]);
        let range = |range: Option<Range>, mode| {
            Footprint::with_ranges([], range.map(|range| (range, mode)))
        };
        let prefix = |prefix: &str| match self.fault {
            Fault::PrefixEndByHand => Range::between(number(prefix), number(&format!("{prefix}z"))),
            Fault::EmptyPrefixIsNothing if prefix.is_empty() => None,
            _ => Some(Range::prefix(number(prefix))),
        };
        match command {
            Command::Get { key } => one(key, Mode::READ),
            Command::Put { key, .. } => one(key, Mode::WRITE),
            Command::Delete { key } => one(key, DELETE),
            Command::Cas { key, .. } => match self.fault {
                Fault::CasIsRead => one(key, Mode::READ),
                _ => one(key, Mode::WRITE),
            },
            Command::Increment { key } => match self.fault {
                Fault::IncrementIsRead => one(key, Mode::READ),
                Fault::IncrementIsAdd => one(key, Mode::ADD),
                _ => one(key, Mode::WRITE),
            },
            Command::Add { key, .. } => one(key, Mode::ADD),
            Command::MultiPut { keys, .. } => {
                let forgotten = usize::from(self.fault == Fault::LastKeyForgotten);
                let named = keys.iter().take(keys.len().saturating_sub(forgotten));
                Footprint::of(named.map(|key| (number(key), Mode::WRITE)))
            }
            Command::Copy { from, to } => {
                let source = (self.fault != Fault::SourceForgotten).then_some((from, Mode::READ));
                let both = source.into_iter().chain([(to, Mode::WRITE)]);
                Footprint::of(both.map(|(key, mode)| (number(key), mode)))
            }
            Command::Scan { from, to } => {
                // Ranges end before their end: the least name above `to` follows it by a zero.
                let (from, to) = match self.fault {
                    Fault::ScanEndOffByOne => (number(from), number(to)),
                    Fault::ScanBeginOffByOne => {
                        (number(&format!("{from}\0")), number(&format!("{to}\0")))
                    }
                    _ => (number(from), number(&format!("{to}\0"))),
                };
                range(Range::between(from, to), Mode::READ)
            }
            Command::Sum { prefix: it } => range(prefix(it), Mode::READ),
            Command::Clear { prefix: it } => range(prefix(it), Mode::WRITE),
            Command::Count if self.fault == Fault::CountTouchesNothing => Footprint::NOTHING,
            Command::Count => range(Some(Range::prefix("n/")), Mode::READ),
            Command::Insert { key, .. } => {
                Footprint::of([(format!("s/{key}").into(), Mode::INSERT)])
            }
            Command::Append { key, .. } => {
                let mode = match self.fault {
                    Fault::AppendIsInsert | Fault::DigestForgets => Mode::INSERT,
                    _ => Mode::APPEND,
                };
                Footprint::of([(format!("l/{key}").into(), mode)])
            }
            Command::Items { key } => {
                let names = [format!("s/{key}"), format!("l/{key}")];
                Footprint::of(names.map(|name| (name.into(), Mode::READ)))
            }
            Command::Ping => Footprint::NOTHING,
        }
    }
}

thread_local! {
    static IS_KNOWN: Cell<bool> = const { Cell::new(false) };
}

impl Conflicts for ByResource {
    fn modes(&self) -> &ModeTable {
        &self.modes
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        let command = Command::decode(payload)?;
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if self.fault == Fault::EverySeventhForgotten && asked % 7 == 6 {
            return Ok(Footprint::NOTHING);
        }
        if self.fault == Fault::OtherOnOtherThreads && !IS_KNOWN.replace(true) {
            return Ok(Footprint::Everything);
        }
        Ok(self.footprint_of(&command))
    }
}

/// By a predicate over whole commands: by the keys that each reads and changes.
pub(crate) struct ByPredicate(ModeTable);

impl ByPredicate {
    pub(crate) fn new(fault: Fault) -> Self {
        Self(ModeTable::read_write().with_predicate(Arc::new(SharesKeys(fault))))
    }
}

impl Conflicts for ByPredicate {
    fn modes(&self) -> &ModeTable {
        &self.0
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        Command::decode(payload)?;
        Ok(Footprint::predicate(Bytes::copy_from_slice(payload)))
    }
}

struct SharesKeys(Fault);

/// What a command does with a key.
#[derive(PartialEq, Eq)]
enum Does {
    Nothing,
    Read,
    Change,
}

impl SharesKeys {
    /// Of the keys that the audit draws.
    fn does(&self, command: &Command, key: &str) -> Does {
        let reads = |it: bool| if it { Does::Read } else { Does::Nothing };
        let changes = |it: bool| if it { Does::Change } else { Does::Nothing };
        match command {
            Command::Get { key: it } | Command::Items { key: it } => reads(it == key),
            Command::Put { key: it, .. }
            | Command::Delete { key: it }
            | Command::Cas { key: it, .. }
            | Command::Increment { key: it }
            | Command::Add { key: it, .. }
            | Command::Insert { key: it, .. }
            | Command::Append { key: it, .. } => changes(it == key),
            Command::MultiPut { keys, .. } => {
                let seen = if self.0 == Fault::PredicateSeesOneKey { 1 } else { keys.len() };
                changes(keys.iter().take(seen).any(|it| it == key))
            }
            Command::Copy { to, .. } if to == key => Does::Change,
            Command::Copy { from, .. } => reads(from == key),
            Command::Scan { from, to } => reads((&from[..]..=&to[..]).contains(&key)),
            Command::Sum { prefix } => reads(key.starts_with(&prefix[..])),
            Command::Clear { prefix } => changes(key.starts_with(&prefix[..])),
            Command::Count => Does::Read,
            Command::Ping => Does::Nothing,
        }
    }
}

impl Predicate for SharesKeys {
    fn name(&self) -> &str {
        "shelf: shares keys"
    }

    fn conflict(&self, a: &[u8], b: &[u8]) -> bool {
        let decode =
            |payload| Command::decode(payload).expect("what a footprint shows is a command");
        let (a, b) = (decode(a), decode(b));
        crate::KEYS.iter().any(|key| match (self.does(&a, key), self.does(&b, key)) {
            (Does::Nothing, _) | (_, Does::Nothing) | (Does::Read, Does::Read) => false,
            // The first is new, the second known: whoever thinks so forgets that each is either.
            (Does::Read, Does::Change) => self.0 != Fault::PredicateIgnoresReads,
            (Does::Change, Does::Read) => {
                !matches!(self.0, Fault::PredicateIgnoresReads | Fault::PredicateAsymmetric)
            }
            (Does::Change, Does::Change) => true,
        })
    }
}
