//! Which live watchers a command concerns.

use super::Key;
use althing_model::{Filter, Footprint, Scope};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// The live watchers, those of one resource by its name.
#[derive(Debug, Default)]
pub(crate) struct Index {
    resources: BTreeMap<Bytes, BTreeSet<Key>>,
    /// Those of ranges and of everything are asked one by one.
    others: BTreeSet<Key>,
}

impl Index {
    pub(crate) fn insert(&mut self, key: Key, filter: &Filter) {
        match &filter.scope {
            Scope::Resource(name) => {
                self.resources.entry(name.clone()).or_default().insert(key);
            }
            Scope::Range(_) | Scope::Everything => {
                self.others.insert(key);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: Key, filter: &Filter) {
        self.others.remove(&key);
        if let Scope::Resource(name) = &filter.scope
            && let Some(keys) = self.resources.get_mut(name)
        {
            keys.remove(&key);
            if keys.is_empty() {
                self.resources.remove(name);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.others.is_empty()
    }

    /// Adds those whom a command may concern: their filters have the last word.
    pub(crate) fn candidates(&self, footprint: &Footprint, found: &mut BTreeSet<Key>) {
        found.extend(&self.others);
        match footprint {
            Footprint::Resources(names) => {
                let keys = names.iter().filter_map(|(name, _)| self.resources.get(name));
                found.extend(keys.flatten());
            }
            _ => found.extend(self.resources.values().flatten()),
        }
    }
}
