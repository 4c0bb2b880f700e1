//! Documents in folders: commands that touch all that is in a folder, as ranges of names.
//!
//! A document's path is words between slashes, and its name as a resource is its path. A folder is a
//! prefix: of "/inbox/" all documents in it and in the folders inside it. Whoever lists, erases or moves
//! a folder touches a range, and need not know what is in it; a document that somebody creates there at
//! the same time conflicts with that, though it did not exist.
//!
//! | command | touches |
//! | --- | --- |
//! | `Write`, `Erase` | writes one name |
//! | `Read` | reads one name |
//! | `List` | reads a range |
//! | `EraseAll` | writes a range |
//! | `Move` | writes two ranges, since it erases one and puts into the other |
//!
//! The end of a folder's range is the trap here: by hand it is "/inbox0", the byte after the slash, and
//! "/inbox/z" or "/inbox/\u{ff}" forget documents. [`Range::prefix`] knows. So does the slash at its end:
//! without it "/inbox" would touch "/inbox-old" too; that would be safe, and slow.

use crate::saved;
use althing_model::{
    CommandInvalid, Conflicts, ConflictsId, Footprint, Mode, ModeTable, Pieces, Range,
    StateMachine, Unrestorable,
};
use bytes::Bytes;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

/// What clients ask. Paths begin with a slash; folders end with one, too, documents do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Writes a document: [`Reply::Done`].
    Write {
        /// The document.
        path: String,
        /// What it says from now on.
        text: String,
    },
    /// Erases a document, if it is there: [`Reply::Done`].
    Erase {
        /// The document.
        path: String,
    },
    /// Reads a document: [`Reply::Text`].
    Read {
        /// The document.
        path: String,
    },
    /// Lists all documents in a folder: [`Reply::Paths`].
    List {
        /// The folder.
        folder: String,
    },
    /// Erases all documents in a folder: [`Reply::Paths`], those erased.
    EraseAll {
        /// The folder.
        folder: String,
    },
    /// Moves all documents of a folder into another, over those that are there by the same name:
    /// [`Reply::Done`].
    Move {
        /// The folder that will be empty.
        from: String,
        /// The folder that gets them: neither inside the other.
        to: String,
    },
}

/// What the store answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is done.
    Done,
    /// The document's text, if it is there.
    Text(Option<String>),
    /// Paths of documents, ascending.
    Paths(Vec<String>),
}

/// The conflict function.
#[derive(Debug, Clone)]
pub struct ByPath {
    modes: ModeTable,
}

impl Default for ByPath {
    fn default() -> Self {
        Self { modes: ModeTable::read_write() }
    }
}

impl Conflicts for ByPath {
    fn modes(&self) -> &ModeTable {
        &self.modes
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        let document = |path: String, mode| match path.starts_with('/') && !path.ends_with('/') {
            true => Ok(Footprint::of([(path.into(), mode)])),
            false => Err(CommandInvalid(format!(
                "{path:?} is no document: its path begins with a slash, and does not end with one"
            ))),
        };
        let folder = |path: String| match path.starts_with('/') && path.ends_with('/') {
            true => Ok(Range::prefix(path)),
            false => Err(CommandInvalid(format!(
                "{path:?} is no folder: its path begins and ends with a slash"
            ))),
        };
        let ranges = |ranges: &[(Range, Mode)]| Footprint::with_ranges([], ranges.to_vec());
        match crate::decode(payload)? {
            Command::Write { path, .. } | Command::Erase { path } => document(path, Mode::WRITE),
            Command::Read { path } => document(path, Mode::READ),
            Command::List { folder: it } => Ok(ranges(&[(folder(it)?, Mode::READ)])),
            Command::EraseAll { folder: it } => Ok(ranges(&[(folder(it)?, Mode::WRITE)])),
            Command::Move { from, to } if from.starts_with(&to) || to.starts_with(&from) => {
                Err(CommandInvalid(format!("one of {from:?} and {to:?} is inside the other")))
            }
            Command::Move { from, to } => {
                Ok(ranges(&[(folder(from)?, Mode::WRITE), (folder(to)?, Mode::WRITE)]))
            }
        }
    }

    fn id(&self) -> ConflictsId {
        ConflictsId::named("examples/documents", 1, &self.modes)
    }
}

/// The state machine: texts by path.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    texts: OrdMap<String, String>,
}

impl Documents {
    fn inside(&self, folder: &str) -> Vec<String> {
        let from = self.texts.range(folder.to_owned()..);
        from.map(|(path, _)| path).take_while(|path| path.starts_with(folder)).cloned().collect()
    }

    /// Executes one command.
    pub fn execute(&mut self, command: Command) -> Reply {
        match command {
            Command::Write { path, text } => {
                self.texts.insert(path, text);
                Reply::Done
            }
            Command::Erase { path } => {
                self.texts.remove(&path);
                Reply::Done
            }
            Command::Read { path } => Reply::Text(self.texts.get(&path).cloned()),
            Command::List { folder } => Reply::Paths(self.inside(&folder)),
            Command::EraseAll { folder } => {
                let paths = self.inside(&folder);
                for path in &paths {
                    self.texts.remove(path);
                }
                Reply::Paths(paths)
            }
            Command::Move { from, to } => {
                for path in self.inside(&from) {
                    let text = self.texts.remove(&path).expect("it is inside");
                    self.texts.insert(path.replacen(&from, &to, 1), text);
                }
                Reply::Done
            }
        }
    }
}

impl StateMachine for Documents {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let command = crate::decode(payload).expect("the conflict function took it");
        crate::encode(&self.execute(command))
    }

    fn query(&self, payload: &[u8]) -> Option<Bytes> {
        let command = crate::decode(payload).ok()?;
        let reads = matches!(command, Command::Read { .. } | Command::List { .. });
        // A clone shares the state.
        reads.then(|| crate::encode(&self.clone().execute(command)))
    }

    fn digest(&self) -> u64 {
        saved::digest(&self.texts)
    }

    fn snapshot(&self) -> Pieces {
        saved::pieces(self.texts.clone())
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        self.texts = saved::restore(pieces)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_audit::{Audit, Law};
    use proptest::prelude::*;
    use proptest::sample::select;

    fn command() -> impl Strategy<Value = Command> {
        // Next to each other, and at the ends of each other's ranges.
        let path = || {
            select(&["/a", "/a/x", "/a/z", "/a/\u{10ffff}", "/a/b/x", "/a-b", "/a0", "/c/x"][..])
                .prop_map(str::to_owned)
        };
        let folder = || select(&["/", "/a/", "/a/b/", "/c/"][..]).prop_map(str::to_owned);
        let text = || select(&["", "1", "2"][..]).prop_map(str::to_owned);
        prop_oneof![
            2 => (path(), text()).prop_map(|(path, text)| Command::Write { path, text }),
            1 => path().prop_map(|path| Command::Erase { path }),
            1 => path().prop_map(|path| Command::Read { path }),
            1 => folder().prop_map(|folder| Command::List { folder }),
            1 => folder().prop_map(|folder| Command::EraseAll { folder }),
            1 => (folder(), folder()).prop_map(|(from, to)| Command::Move { from, to }),
        ]
    }

    /// Broken: a document appears in one region's folder and not in another's.
    #[test]
    fn the_documents_keep_the_laws() {
        let report = Audit::new(Documents::default, ByPath::default())
            .commands(command(), crate::encode)
            .readable(|command| matches!(command, Command::Read { .. }))
            .cases(1_000)
            .assert();
        assert!(report.commuting > 1_000, "{report}");
    }

    /// As [`ByPath`], by somebody who thought that no path goes on with more than a `z`.
    struct EndByHand(ByPath);

    impl Conflicts for EndByHand {
        fn modes(&self) -> &ModeTable {
            self.0.modes()
        }

        fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
            let footprint = self.0.footprint(payload)?;
            let ranges = footprint.ranges().iter().filter_map(|(range, mode)| {
                let end = [range.begin(), &b"z"[..]].concat();
                Some((Range::between(range.begin().clone(), end)?, *mode))
            });
            Ok(Footprint::with_ranges(footprint.resources().to_vec(), ranges))
        }
    }

    /// Broken: the audit of this example passes whatever is written.
    #[test]
    fn an_end_by_hand_is_found_out() {
        let found = Audit::new(Documents::default, EndByHand(ByPath::default()))
            .commands(command(), crate::encode)
            .run()
            .unwrap_err();
        assert_eq!(found.law, Law::Commute);
    }

    /// Broken: a path that is no path is a document that no folder holds.
    #[test]
    fn what_is_no_path_is_refused() {
        let refused =
            |command| ByPath::default().footprint(&crate::encode(&command)).unwrap_err().0;
        let read = |path: &str| refused(Command::Read { path: path.into() });
        assert!(read("a").contains("no document") && read("/a/").contains("no document"));
        assert!(refused(Command::List { folder: "/a".into() }).contains("no folder"));
        let command = Command::Move { from: "/a/".into(), to: "/a/b/".into() };
        assert!(refused(command).contains("inside the other"));
    }
}
