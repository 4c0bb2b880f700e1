//! Every value that was met in a vertex, once: the same one is met at every node, in messages and
//! records, and is hashed the first time only.

use althing_model::{Commands, DepSet, Value, VertexId};
use rustc_hash::FxHashMap;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hash;
use std::sync::Arc;

/// The values by vertex.
#[derive(Debug, Default)]
pub(crate) struct Values {
    vertices: FxHashMap<VertexId, Known>,
}

/// Mostly one command and one value a vertex; more after recoveries.
#[derive(Debug, Default)]
struct Known {
    commands: Few<Commands>,
    values: Few<Value>,
    is_committed: bool,
}

/// A first one in place, and others, each with its digest.
#[derive(Debug)]
struct Few<T> {
    first: Option<(T, u128)>,
    others: Vec<(T, u128)>,
}

/// What was met, by its digests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Met {
    /// Of commands and dependencies.
    pub(crate) value: u128,
    /// Of the commands alone.
    pub(crate) commands: u128,
    /// Whether the value was met for the first time.
    pub(crate) is_new: bool,
}

impl Values {
    /// The digest of commands in a vertex, and whether they are met there for the first time.
    pub(crate) fn commands(&mut self, vertex: VertexId, commands: &Commands) -> (u128, bool) {
        let known = self.vertices.entry(vertex).or_default();
        known.commands(commands)
    }

    /// A value in a vertex.
    pub(crate) fn value(&mut self, vertex: VertexId, value: &Value) -> Met {
        self.parts(vertex, &value.commands, &value.deps)
    }

    /// The value with the command that the vertex was asked for, whichever that is.
    pub(crate) fn value_of_asked(&mut self, vertex: VertexId, deps: &DepSet) -> Option<Met> {
        let commands = self.vertices.get(&vertex)?.commands.first.as_ref()?.0.clone();
        Some(self.parts(vertex, &commands, deps))
    }

    fn parts(&mut self, vertex: VertexId, commands: &Commands, deps: &DepSet) -> Met {
        let known = self.vertices.entry(vertex).or_default();
        let met = |value: &Value| is_same(&value.commands, commands) && value.deps == *deps;
        let earlier = known.values.digest(met);
        let (digest_commands, _) = known.commands(commands);
        let value = earlier.unwrap_or_else(|| digest(&(digest_commands, deps)));
        if earlier.is_none() {
            let (commands, deps) = (commands.clone(), deps.clone());
            known.values.push((Value { commands, deps }, value));
        }
        Met { value, commands: digest_commands, is_new: earlier.is_none() }
    }

    /// The vertex is held as committed; whether it was not before.
    pub(crate) fn commit(&mut self, vertex: VertexId) -> bool {
        let known = self.vertices.entry(vertex).or_default();
        !std::mem::replace(&mut known.is_committed, true)
    }

    /// All values met in a vertex, in words.
    pub(crate) fn words(&self, vertex: VertexId) -> String {
        let known = self.vertices.get(&vertex);
        let values = known.iter().flat_map(|known| known.values.iter());
        let words: Vec<_> =
            values.map(|(value, digest)| format!("{digest:032x} = {value:?}")).collect();
        words.join("; ")
    }
}

impl Known {
    fn commands(&mut self, commands: &Commands) -> (u128, bool) {
        if let Some(digest) = self.commands.digest(|known| is_same(known, commands)) {
            return (digest, false);
        }
        let digest = digest(commands);
        self.commands.push((commands.clone(), digest));
        (digest, true)
    }
}

impl<T> Few<T> {
    fn iter(&self) -> impl Iterator<Item = &(T, u128)> {
        self.first.iter().chain(&self.others)
    }

    fn digest(&self, is_it: impl Fn(&T) -> bool) -> Option<u128> {
        self.iter().find(|(known, _)| is_it(known)).map(|(_, digest)| *digest)
    }

    fn push(&mut self, one: (T, u128)) {
        match self.first {
            None => self.first = Some(one),
            Some(_) => self.others.push(one),
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: None, others: Vec::new() }
    }
}

/// Equal; nearly always the very same, since messages and records share them.
fn is_same(a: &Commands, b: &Commands) -> bool {
    match (a, b) {
        (Commands::Batch(x), Commands::Batch(y)) => Arc::ptr_eq(x, y) || x == y,
        _ => a == b,
    }
}

/// The same for equal values in every run: a hasher with fixed keys.
pub(crate) fn digest(value: &(impl Hash + ?Sized)) -> u128 {
    let mut hasher = SipHasher13::new();
    value.hash(&mut hasher);
    hasher.finish128().as_u128()
}
