//! A key-value map as a sequential specification, of its own: no code of the store under test.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::specification::{Outline, Specification};

/// Bytes, cheap to clone, shown and serialised as text. What is not text is `hex:` and digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blob(Arc<[u8]>);

impl Blob {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its number, if it is one as [`integer`] writes it: `+7` and `007` are not.
    fn integer(&self) -> Option<i64> {
        let number: i64 = std::str::from_utf8(&self.0).ok()?.parse().ok()?;
        (integer(number) == *self).then_some(number)
    }
}

/// What a client asks of the map.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Input {
    /// The value under a key: [`Output::Value`].
    Get { key: Blob },
    /// Sets a value: [`Output::Done`].
    Put { key: Blob, value: Blob },
    /// Takes a key out: [`Output::Existed`], or [`Output::Done`] where the client is not told.
    Delete { key: Blob },
    /// Sets `new` if the key holds `expected` (`None`: nothing). [`Output::Done`] if it did, else
    /// [`Output::Differs`] or [`Output::DiffersHolding`].
    CompareAndSwap { key: Blob, expected: Option<Blob>, new: Option<Blob> },
    /// Adds to a decimal integer without leading zeros or plus sign, nothing counting as 0:
    /// [`Output::Integer`] with the sum ([`Output::Done`] where the client is not told), or
    /// [`Output::NotAnInteger`].
    Increment { key: Blob, by: i64 },
    /// Sets several values at once: [`Output::Done`]. Of a key that comes twice the last counts.
    MultiPut { entries: Vec<(Blob, Blob)> },
    /// The values under several keys at once: [`Output::Values`].
    MultiGet { keys: Vec<Blob> },
}

/// What a client sees.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// What is under the key.
    Value(Option<Blob>),
    /// What is under the keys, in the order asked.
    Values(Vec<Option<Blob>>),
    /// It succeeded, and nothing more is told.
    Done,
    /// Whether the key that was taken out had existed.
    Existed(bool),
    /// The key did not hold what was expected; nothing changed.
    Differs,
    /// The same, told with what it held.
    DiffersHolding(Option<Blob>),
    /// The sum.
    Integer(i64),
    /// The key holds no integer, or the sum is too large; nothing changed.
    NotAnInteger,
}

#[allow(missing_docs)]
impl Input {
    pub fn get(key: impl Into<Blob>) -> Self {
        let key = key.into();
        Self::Get { key }
    }

    pub fn put(key: impl Into<Blob>, value: impl Into<Blob>) -> Self {
        let (key, value) = (key.into(), value.into());
        Self::Put { key, value }
    }

    pub fn delete(key: impl Into<Blob>) -> Self {
        let key = key.into();
        Self::Delete { key }
    }

    pub fn increment(key: impl Into<Blob>, by: i64) -> Self {
        let key = key.into();
        Self::Increment { key, by }
    }
}

/// The specification of a key-value map, empty at first.
#[derive(Debug, Clone, Copy, Default)]
pub struct RegisterMap;

/// The map and, kept up to date, its fingerprint.
#[derive(Clone)]
pub struct State {
    entries: RedBlackTreeMapSync<Blob, Blob>,
    fingerprint: u128,
}

impl State {
    /// What is under the key.
    pub fn get(&self, key: &Blob) -> Option<&Blob> {
        self.entries.get(key)
    }

    fn with(&self, key: &Blob, value: Option<&Blob>) -> Self {
        let mut next = self.clone();
        if let Some(old) = next.entries.get(key) {
            next.fingerprint = next.fingerprint.wrapping_sub(fingerprint(key, old));
        }
        match value {
            Some(value) => {
                next.fingerprint = next.fingerprint.wrapping_add(fingerprint(key, value));
                next.entries.insert_mut(key.clone(), value.clone());
            }
            None => {
                next.entries.remove_mut(key);
            }
        }
        next
    }
}

impl Specification for RegisterMap {
    type State = State;
    type Input = Input;
    type Output = Output;
    type Key = Blob;
    type Cell = Option<Blob>;

    fn initial(&self) -> State {
        State { entries: RedBlackTreeMapSync::new_sync(), fingerprint: 0 }
    }

    fn apply(&self, state: &State, input: &Input) -> (State, Output) {
        match input {
            Input::Get { key } => (state.clone(), Output::Value(state.get(key).cloned())),
            Input::Put { key, value } => (state.with(key, Some(value)), Output::Done),
            Input::Delete { key } => {
                let existed = state.get(key).is_some();
                (state.with(key, None), Output::Existed(existed))
            }
            Input::CompareAndSwap { key, expected, new } => {
                let held = state.get(key);
                if held == expected.as_ref() {
                    (state.with(key, new.as_ref()), Output::Done)
                } else {
                    (state.clone(), Output::DiffersHolding(held.cloned()))
                }
            }
            Input::Increment { key, by } => {
                let held = state.get(key).map_or(Some(0), Blob::integer);
                match held.and_then(|n| n.checked_add(*by)) {
                    Some(sum) => (state.with(key, Some(&integer(sum))), Output::Integer(sum)),
                    None => (state.clone(), Output::NotAnInteger),
                }
            }
            Input::MultiPut { entries } => {
                let next = entries
                    .iter()
                    .fold(state.clone(), |state, (key, value)| state.with(key, Some(value)));
                (next, Output::Done)
            }
            Input::MultiGet { keys } => {
                let values = keys.iter().map(|key| state.get(key).cloned()).collect();
                (state.clone(), Output::Values(values))
            }
        }
    }

    fn accepts(&self, specified: &Output, seen: &Output) -> bool {
        match (specified, seen) {
            // Told less than there was to tell.
            (Output::Existed(_) | Output::Integer(_), Output::Done) => true,
            (Output::DiffersHolding(_), Output::Differs) => true,
            _ => specified == seen,
        }
    }

    fn keys(&self, input: &Input) -> Vec<Blob> {
        match input {
            Input::Get { key }
            | Input::Put { key, .. }
            | Input::Delete { key }
            | Input::CompareAndSwap { key, .. }
            | Input::Increment { key, .. } => vec![key.clone()],
            Input::MultiPut { entries } => entries.iter().map(|(key, _)| key.clone()).collect(),
            Input::MultiGet { keys } => keys.clone(),
        }
    }

    fn fingerprint(&self, state: &State) -> u128 {
        state.fingerprint
    }

    fn cell(&self, state: &State, key: &Blob) -> Option<Blob> {
        state.get(key).cloned()
    }

    fn turned_into(&self, input: &Input, cell: &Option<Blob>) -> Option<Vec<Option<Blob>>> {
        match input {
            Input::CompareAndSwap { expected, new, .. } => {
                let turns = cell == new && expected != new;
                Some(turns.then(|| expected.clone()).into_iter().collect())
            }
            Input::Increment { by, .. } => {
                let sum = cell.as_ref().and_then(Blob::integer);
                let Some(held) = sum.and_then(|sum| sum.checked_sub(*by)) else {
                    return Some(Vec::new());
                };
                let mut cells = vec![Some(integer(held))];
                // Of 0 there are two: the number, and nothing.
                cells.extend((held == 0).then_some(None));
                cells.retain(|c| c != cell);
                Some(cells)
            }
            _ => None,
        }
    }

    fn outline(&self, input: &Input, seen: Option<&Output>) -> Outline<Blob, Option<Blob>> {
        let mut outline =
            Outline { changes: true, needs: Vec::new(), makes: Vec::new(), vague: Vec::new() };
        let of = |key: &Blob, value: Option<&Blob>| (key.clone(), value.cloned());
        match (input, seen) {
            (Input::Get { .. } | Input::MultiGet { .. }, None) => {
                outline.changes = false;
                outline.vague = self.keys(input);
            }
            (Input::Get { key }, Some(Output::Value(value))) => {
                outline.changes = false;
                outline.needs.push(of(key, value.as_ref()));
            }
            (Input::MultiGet { keys }, Some(Output::Values(values)))
                if keys.len() == values.len() =>
            {
                outline.changes = false;
                let cells = keys.iter().zip(values);
                outline.needs.extend(cells.map(|(k, v)| of(k, v.as_ref())));
            }
            (Input::Put { key, value }, None | Some(Output::Done)) => {
                outline.makes.push(of(key, Some(value)));
            }
            (Input::MultiPut { entries }, None | Some(Output::Done)) => {
                let last: std::collections::BTreeMap<_, _> =
                    entries.iter().map(|(k, v)| (k, v)).collect();
                outline.makes.extend(last.into_iter().map(|(k, v)| of(k, Some(v))));
            }
            (Input::Delete { key }, Some(Output::Existed(false))) => {
                outline.changes = false;
                outline.needs.push(of(key, None));
            }
            (Input::Delete { key }, Some(Output::Existed(true))) => {
                outline.makes.push(of(key, None));
                outline.vague.push(key.clone());
            }
            (Input::Delete { key }, None | Some(Output::Done)) => {
                outline.makes.push(of(key, None));
            }
            (Input::CompareAndSwap { key, expected, new }, Some(Output::Done)) => {
                outline.changes = expected != new;
                outline.needs.push(of(key, expected.as_ref()));
                if outline.changes {
                    outline.makes.push(of(key, new.as_ref()));
                }
            }
            (Input::CompareAndSwap { key, expected, .. }, Some(Output::DiffersHolding(held)))
                if held != expected =>
            {
                outline.changes = false;
                outline.needs.push(of(key, held.as_ref()));
            }
            (Input::Increment { key, by }, Some(Output::Integer(sum))) => {
                let sum_cell = of(key, Some(&integer(*sum)));
                match sum.checked_sub(*by) {
                    // Of 0 there are two: the number, and nothing.
                    Some(held) if held != 0 => outline.needs.push(of(key, Some(&integer(held)))),
                    _ => outline.vague.push(key.clone()),
                }
                outline.makes.push(sum_cell);
            }
            (
                Input::CompareAndSwap { .. } | Input::Increment { .. },
                Some(Output::Differs | Output::NotAnInteger),
            ) => {
                outline.changes = false;
                outline.vague = self.keys(input);
            }
            // A swap or an increment of unknown outcome, or an output that the input cannot have.
            _ => outline.vague = self.keys(input),
        }
        outline
    }
}

fn integer(number: i64) -> Blob {
    Blob::from(number.to_string())
}

/// A fingerprint of one key and what is under it.
fn fingerprint(key: &Blob, value: &Blob) -> u128 {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        (salt, key, value).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}

const HEX: &str = "hex:";

impl fmt::Display for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) if !text.starts_with(HEX) => f.write_str(text),
            _ => {
                f.write_str(HEX)?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries.iter()).finish()
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<&str> for Blob {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<String> for Blob {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let Some(digits) = text.strip_prefix(HEX) else {
            return Ok(Self::from(text));
        };
        let pair = |pair: &[u8]| {
            let text = std::str::from_utf8(pair).ok()?;
            (pair.len() == 2).then(|| u8::from_str_radix(text, 16).ok()).flatten()
        };
        let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(pair).collect();
        let bytes = bytes.ok_or_else(|| serde::de::Error::custom("hex: needs pairs of digits"))?;
        Ok(Self::from(bytes))
    }
}
