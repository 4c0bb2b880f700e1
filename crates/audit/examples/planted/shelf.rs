//! The machine: numbers, sets and lists by key, and the faults that a machine may have.

use crate::Fault;
use althing_model::{CommandInvalid, Pieces, StateMachine, Unrestorable};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A command of the shelf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// The number.
    Get { key: String },
    /// Sets the number.
    Put { key: String, value: i64 },
    /// Whether there was a number.
    Delete { key: String },
    /// Sets the number if it is the expected one; whether it was.
    Cas { key: String, expected: i64, new: i64 },
    /// Adds 1, and tells the sum.
    Increment { key: String },
    /// Adds, and tells nothing.
    Add { key: String, by: i64 },
    /// Sets several numbers.
    MultiPut { keys: Vec<String>, value: i64 },
    /// Sets the second number to the first.
    Copy { from: String, to: String },
    /// The numbers from one key to another, which is included.
    Scan { from: String, to: String },
    /// The sum of the numbers whose keys begin so.
    Sum { prefix: String },
    /// Removes the numbers whose keys begin so.
    Clear { prefix: String },
    /// How many numbers there are.
    Count,
    /// Puts an item into a set, and tells nothing.
    Insert { key: String, item: u8 },
    /// Puts an item at the end of a list, and tells nothing.
    Append { key: String, item: u8 },
    /// The set's items and the list's.
    Items { key: String },
    /// Nothing.
    Ping,
}

impl Command {
    /// In words.
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            Self::Get { key } => format!("get {key}"),
            Self::Put { key, value } => format!("put {key} {value}"),
            Self::Delete { key } => format!("delete {key}"),
            Self::Cas { key, expected, new } => format!("cas {key} {expected} {new}"),
            Self::Increment { key } => format!("increment {key}"),
            Self::Add { key, by } => format!("add {key} {by}"),
            Self::MultiPut { keys, value } => format!("multi-put {value} {}", keys.join(" ")),
            Self::Copy { from, to } => format!("copy {from} {to}"),
            Self::Scan { from, to } => format!("scan {from} {to}"),
            Self::Sum { prefix } => format!("sum {prefix}"),
            Self::Clear { prefix } => format!("clear {prefix}"),
            Self::Count => "count".to_owned(),
            Self::Insert { key, item } => format!("insert {key} {item}"),
            Self::Append { key, item } => format!("append {key} {item}"),
            Self::Items { key } => format!("items {key}"),
            Self::Ping => "ping".to_owned(),
        }
        .into()
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, CommandInvalid> {
        let invalid = || CommandInvalid("no command of the shelf".to_owned());
        let text = std::str::from_utf8(payload).map_err(|_| invalid())?;
        let words: Vec<&str> = text.split(' ').collect();
        let own = |word: &&str| (*word).to_owned();
        let number = |word: &&str| word.parse().map_err(|_| invalid());
        let item = |word: &&str| word.parse().map_err(|_| invalid());
        Ok(match &words[..] {
            ["get", key] => Self::Get { key: own(key) },
            ["put", key, value] => Self::Put { key: own(key), value: number(value)? },
            ["delete", key] => Self::Delete { key: own(key) },
            ["cas", key, expected, new] => {
                Self::Cas { key: own(key), expected: number(expected)?, new: number(new)? }
            }
            ["increment", key] => Self::Increment { key: own(key) },
            ["add", key, by] => Self::Add { key: own(key), by: number(by)? },
            ["multi-put", value, keys @ ..] => {
                let keys = keys.iter().filter(|key| !key.is_empty()).map(own).collect();
                Self::MultiPut { keys, value: number(value)? }
            }
            ["copy", from, to] => Self::Copy { from: own(from), to: own(to) },
            ["scan", from, to] => Self::Scan { from: own(from), to: own(to) },
            ["sum", prefix] => Self::Sum { prefix: own(prefix) },
            ["clear", prefix] => Self::Clear { prefix: own(prefix) },
            ["count"] => Self::Count,
            ["insert", key, it] => Self::Insert { key: own(key), item: item(it)? },
            ["append", key, it] => Self::Append { key: own(key), item: item(it)? },
            ["items", key] => Self::Items { key: own(key) },
            ["ping"] => Self::Ping,
            _ => return Err(invalid()),
        })
    }
}

/// The machine.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    fault: Fault,
    numbers: BTreeMap<String, i64>,
    sets: BTreeMap<String, BTreeSet<u8>>,
    lists: BTreeMap<String, Vec<u8>>,
    pings: u64,
}

impl Shelf {
    pub(crate) fn new(fault: Fault) -> Self {
        let (numbers, sets, lists) = Default::default();
        Self { fault, numbers, sets, lists, pings: 0 }
    }

    fn number(&self, key: &str) -> i64 {
        self.numbers.get(key).copied().unwrap_or_default()
    }

    fn execute(&mut self, command: Command) -> String {
        let done = || "done".to_owned();
        match command {
            Command::Get { key } => return format!("{:?}", self.numbers.get(&key)),
            Command::Put { key, value } => {
                self.numbers.insert(key, value);
            }
            Command::Delete { key } => return self.numbers.remove(&key).is_some().to_string(),
            Command::Cas { key, expected, new } => {
                let is_expected = self.number(&key) == expected;
                if is_expected {
                    self.numbers.insert(key, new);
                }
                return is_expected.to_string();
            }
            Command::Increment { key } => {
                let sum = self.number(&key).wrapping_add(1);
                self.numbers.insert(key, sum);
                return sum.to_string();
            }
            Command::Add { key, by } => {
                let sum = self.number(&key).wrapping_add(by);
                self.numbers.insert(key, sum);
            }
            Command::MultiPut { keys, value } => {
                self.numbers.extend(keys.into_iter().map(|key| (key, value)));
            }
            Command::Copy { from, to } => {
                let number = self.number(&from);
                self.numbers.insert(to, number);
            }
            Command::Scan { from, to } => {
                let inside = self.numbers.iter().filter(|(key, _)| (&from..=&to).contains(key));
                return match self.fault {
                    Fault::HashOrder => format!("{:?}", inside.collect::<HashMap<_, _>>()),
                    _ => format!("{:?}", inside.collect::<Vec<_>>()),
                };
            }
            Command::Sum { prefix } => {
                let inside = self.numbers.iter().filter(|(key, _)| key.starts_with(&prefix));
                return inside.map(|(_, number)| number).sum::<i64>().to_string();
            }
            Command::Clear { prefix } => self.numbers.retain(|key, _| !key.starts_with(&prefix)),
            Command::Count => return self.numbers.len().to_string(),
            Command::Insert { key, item } => {
                self.sets.entry(key).or_default().insert(item);
            }
            Command::Append { key, item } => self.lists.entry(key).or_default().push(item),
            Command::Items { key } => {
                let list = self.lists.get(&key);
                let set = self.sets.get(&key);
                return format!("{set:?} {list:?}");
            }
            Command::Ping => self.pings += u64::from(self.fault == Fault::PingCounts),
        }
        done()
    }
}

impl StateMachine for Shelf {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let mut command = Command::decode(payload).expect("the conflict function took it");
        if self.fault == Fault::TwoNames {
            let text = String::from_utf8(payload.to_vec()).expect("it was decoded");
            command = Command::decode(text.to_lowercase().as_bytes()).expect("the same command");
        }
        self.execute(command).into()
    }

    fn query(&self, payload: &[u8]) -> Option<Bytes> {
        let command = Command::decode(payload).ok()?;
        let answers = match command {
            Command::Get { .. } | Command::Sum { .. } | Command::Count | Command::Ping => true,
            Command::Increment { .. } => self.fault == Fault::QueryForChange,
            _ => false,
        };
        answers.then(|| self.clone().execute(command).into())
    }

    fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.numbers, &self.sets, self.pings).hash(&mut hasher);
        if self.fault != Fault::DigestForgets {
            self.lists.hash(&mut hasher);
        }
        hasher.finish()
    }

    fn snapshot(&self) -> Pieces {
        let mut pieces = Vec::new();
        let piece = |words: String| Bytes::from(words);
        pieces.extend(self.numbers.iter().map(|(key, number)| piece(format!("n {key} {number}"))));
        for (key, set) in &self.sets {
            pieces.extend(set.iter().map(|item| piece(format!("s {key} {item}"))));
        }
        if self.fault != Fault::SnapshotForgets {
            for (key, list) in &self.lists {
                pieces.extend(list.iter().map(|item| piece(format!("l {key} {item}"))));
            }
        }
        pieces.push(piece(format!("p {}", self.pings)));
        Box::new(pieces.into_iter())
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        if self.fault != Fault::RestoreMerges {
            *self = Self::new(self.fault);
        }
        let invalid = || Unrestorable("a piece that the shelf does not know".to_owned());
        for piece in pieces {
            let text = std::str::from_utf8(&piece).map_err(|_| invalid())?;
            let words: Vec<&str> = text.split(' ').collect();
            let number = |word: &str| word.parse().map_err(|_| invalid());
            let item = |word: &str| word.parse().map_err(|_| invalid());
            match words[..] {
                ["n", key, value] => {
                    self.numbers.insert(key.to_owned(), number(value)?);
                }
                ["s", key, it] => {
                    self.sets.entry(key.to_owned()).or_default().insert(item(it)?);
                }
                ["l", key, it] => self.lists.entry(key.to_owned()).or_default().push(item(it)?),
                ["p", pings] => self.pings = pings.parse().map_err(|_| invalid())?,
                _ => return Err(invalid()),
            }
        }
        Ok(())
    }
}
