//! Updates that all commute: a counter, a set, a map whose last writer wins.
//!
//! The types are known as conflict-free replicated data types (Shapiro et al., SSS '11): whatever the
//! order of the updates, the state is the same. Here that means that no update ever waits for another:
//! at any contention each is committed by one round trip to its fast quorum, and executed at once. All
//! the same they are executed exactly once, so that a counter needs no vector of replicas' counts.
//!
//! | type | updates | why they commute |
//! | --- | --- | --- |
//! | counter | `Add` | sums do, and they wrap around, since an overflow that is refused does not |
//! | set | `Insert` with a tag, `Remove` of tags | see below |
//! | map | `Assign` with a stamp | the highest stamp wins, and of equal ones the higher writer, then the higher value |
//!
//! # A set that commutes
//! Inserting "x" and removing "x" do not commute. What does: every insertion has a tag, which its client
//! never uses again, and a removal names the tags that its client has seen; a tag that is removed stays
//! so, even if its insertion is executed later. An element is in the set while one of its tags is. So an
//! insertion that a removal did not see survives it ("add wins"). The price is a tag for each removal,
//! for ever; real systems forget them once all replicas have them.
//!
//! # Replies
//! No update tells anything of the state: "was it new?" would depend on the order. Whoever wants to
//! know reads, and reads conflict with updates. Reading often, one reads from the nearest replica without
//! a vertex, at the price of not seeing everything yet.

use crate::saved;
use althing_model::{
    CommandInvalid, Conflicts, ConflictsId, Footprint, Mode, ModeTable, Pieces, StateMachine,
    Unrestorable,
};
use bytes::Bytes;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

/// What clients ask. A name may be used for each of the types: a counter does not hide a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Adds to a counter, wrapping around: [`Reply::Done`].
    Add {
        /// The counter.
        name: String,
        /// What to add.
        by: i64,
    },
    /// Puts an element into a set: [`Reply::Done`].
    Insert {
        /// The set.
        name: String,
        /// The element.
        element: String,
        /// Never used before: a session and a number in it, for instance.
        tag: String,
    },
    /// Removes what its client saw of an element: [`Reply::Done`].
    Remove {
        /// The set.
        name: String,
        /// The element.
        element: String,
        /// The tags that a read told.
        tags: Vec<String>,
    },
    /// Sets a key of a map, unless a later assignment was there: [`Reply::Done`].
    Assign {
        /// The map.
        name: String,
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// When, as the writer's clock has it, and who: the order of assignments.
        stamp: (u64, String),
    },
    /// Asks for all that has a name: [`Reply::Found`].
    Read {
        /// The name.
        name: String,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is done.
    Done,
    /// All that has the name.
    Found {
        /// The counter.
        count: i64,
        /// The set's elements, each with its tags.
        elements: Vec<(String, Vec<String>)>,
        /// The map's keys and values.
        entries: Vec<(String, String)>,
    },
}

/// An update of any type.
pub const UPDATE: Mode = Mode(1);

/// The conflict function: updates commute with updates, reads with reads.
#[derive(Debug, Clone)]
pub struct Updates {
    modes: ModeTable,
}

impl Default for Updates {
    fn default() -> Self {
        let modes = ModeTable::new(&["read", "update"])
            .commuting(Mode::READ, Mode::READ)
            .commuting(UPDATE, UPDATE);
        Self { modes }
    }
}

impl Conflicts for Updates {
    fn modes(&self) -> &ModeTable {
        &self.modes
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        let (name, mode) = match crate::decode(payload)? {
            Command::Add { name, .. }
            | Command::Insert { name, .. }
            | Command::Remove { name, .. }
            | Command::Assign { name, .. } => (name, UPDATE),
            Command::Read { name } => (name, Mode::READ),
        };
        Ok(Footprint::of([(name.into(), mode)]))
    }

    fn id(&self) -> ConflictsId {
        ConflictsId::named("examples/crdt", 1, &self.modes)
    }
}

/// What is kept under a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Part {
    Count,
    /// An element and a tag of it.
    Tag(String, String),
    /// A key.
    Entry(String),
}

/// What it is worth.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Worth {
    Count(i64),
    Inserted,
    /// For ever, whether its insertion was executed or not.
    Removed,
    /// The stamp and the value.
    Assigned((u64, String), String),
}

/// The state machine.
#[derive(Debug, Clone, Default)]
pub struct Types {
    parts: OrdMap<(String, Part), Worth>,
}

impl Types {
    /// Executes one command.
    pub fn execute(&mut self, command: Command) -> Reply {
        match command {
            Command::Add { name, by } => {
                let sum = match self.parts.get(&(name.clone(), Part::Count)) {
                    Some(Worth::Count(count)) => count.wrapping_add(by),
                    _ => by,
                };
                self.parts.insert((name, Part::Count), Worth::Count(sum));
            }
            Command::Insert { name, element, tag } => {
                self.parts.entry((name, Part::Tag(element, tag))).or_insert(Worth::Inserted);
            }
            Command::Remove { name, element, tags } => {
                for tag in tags {
                    let part = Part::Tag(element.clone(), tag);
                    self.parts.insert((name.clone(), part), Worth::Removed);
                }
            }
            Command::Assign { name, key, value, stamp } => {
                let new = Worth::Assigned(stamp, value);
                let entry =
                    self.parts.entry((name, Part::Entry(key))).or_insert_with(|| new.clone());
                if is_later(&new, entry) {
                    *entry = new;
                }
            }
            Command::Read { name } => return self.read(&name),
        }
        Reply::Done
    }

    fn read(&self, name: &str) -> Reply {
        let (mut count, mut elements, mut entries) = (0, Vec::new(), Vec::new());
        let first = (name.to_owned(), Part::Count);
        for ((_, part), worth) in self.parts.range(first..).take_while(|((it, _), _)| it == name) {
            match (part.clone(), worth.clone()) {
                (Part::Count, Worth::Count(sum)) => count = sum,
                (Part::Tag(element, tag), Worth::Inserted) => match elements.last_mut() {
                    Some((last, tags)) if *last == element => Vec::push(tags, tag),
                    _ => elements.push((element, vec![tag])),
                },
                (Part::Entry(key), Worth::Assigned(_, value)) => entries.push((key, value)),
                // A tag that is removed.
                _ => {}
            }
        }
        Reply::Found { count, elements, entries }
    }
}

/// Whether one assignment wins over another. All of both is compared: if equal stamps left it open,
/// the first would win here and the other there.
fn is_later(one: &Worth, other: &Worth) -> bool {
    match (one, other) {
        (Worth::Assigned(stamp, value), Worth::Assigned(before, old)) => {
            (stamp, value) > (before, old)
        }
        _ => false,
    }
}

impl StateMachine for Types {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let command = crate::decode(payload).expect("the conflict function took it");
        crate::encode(&self.execute(command))
    }

    fn query(&self, payload: &[u8]) -> Option<Bytes> {
        let command = crate::decode(payload).ok()?;
        let reads = matches!(command, Command::Read { .. });
        // A clone shares the state.
        reads.then(|| crate::encode(&self.clone().execute(command)))
    }

    fn digest(&self) -> u64 {
        saved::digest(&self.parts)
    }

    fn snapshot(&self) -> Pieces {
        saved::pieces(self.parts.clone())
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        self.parts = saved::restore(pieces)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_audit::Audit;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn word() -> impl Strategy<Value = String> {
        select(&["a", "b", "c"][..]).prop_map(str::to_owned)
    }

    fn update() -> impl Strategy<Value = Command> {
        let by = || prop_oneof![3 => -2i64..3, 1 => Just(i64::MAX)];
        prop_oneof![
            (word(), by()).prop_map(|(name, by)| Command::Add { name, by }),
            (word(), word(), word()).prop_map(|(name, element, tag)| Command::Insert {
                name,
                element,
                tag
            }),
            (word(), word(), vec(word(), 0..3)).prop_map(|(name, element, tags)| Command::Remove {
                name,
                element,
                tags
            }),
            (word(), word(), word(), 0u64..3, word()).prop_map(|(name, key, value, at, writer)| {
                Command::Assign { name, key, value, stamp: (at, writer) }
            }),
        ]
    }

    /// Broken: counters, sets or maps differ from region to region for ever.
    #[test]
    fn the_types_keep_the_laws() {
        let read = word().prop_map(|name| Command::Read { name });
        Audit::new(Types::default, Updates::default())
            .commands(prop_oneof![4 => update(), 1 => read], crate::encode)
            .cases(1_000)
            .assert();
    }

    /// Broken: some update waits for another.
    #[test]
    fn no_two_updates_conflict() {
        let report = Audit::new(Types::default, Updates::default())
            .commands(update(), crate::encode)
            .cases(1_000)
            .assert();
        assert_eq!(report.conflict_share(), 0.0, "{report}");
        assert!(report.commuting > 1_000, "{report}");
    }

    /// Broken: an insertion that a removal did not see is lost, or a removal is undone by an insertion
    /// that it saw and that is executed after it.
    #[test]
    fn what_a_removal_did_not_see_survives_it() {
        let insert = |tag: &str| Command::Insert {
            name: "set".into(),
            element: "x".into(),
            tag: tag.to_owned(),
        };
        let remove = Command::Remove {
            name: "set".into(),
            element: "x".into(),
            tags: vec!["seen".into(), "on its way".into()],
        };
        let mut types = Types::default();
        for command in [insert("seen"), insert("new"), remove, insert("on its way")] {
            types.execute(command);
        }
        let Reply::Found { elements, .. } = types.execute(Command::Read { name: "set".into() })
        else {
            panic!("a read answers what it found");
        };
        assert_eq!(elements, [("x".to_owned(), vec!["new".to_owned()])]);
    }
}
