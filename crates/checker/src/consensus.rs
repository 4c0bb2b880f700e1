//! ConsensusConsistency: a vertex has at most one committed value, for ever.
//!
//! Nothing resets it: a crash, a wipe or a new epoch must not change what was committed.

use std::fmt::Debug;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::Violation;

/// At most one value is ever committed in a vertex, on all nodes and across restarts.
///
/// The caller's digest must cover the whole value: command and dependencies.
#[derive(Debug)]
pub struct ConsensusConsistency<V> {
    committed: FxHashMap<V, First>,
    is_describing: bool,
}

/// The first commit that was heard of for a vertex.
#[derive(Debug)]
struct First {
    node: u32,
    digest: u128,
    description: Option<String>,
}

impl<V: Copy + Eq + Hash + Debug> ConsensusConsistency<V> {
    /// Remembers digests only. Enough to find a violation; its account shows one value in words.
    pub fn new() -> Self {
        Self { committed: FxHashMap::default(), is_describing: false }
    }

    /// Also remembers each first value in words, one string a vertex: for replaying a seed that
    /// failed.
    pub fn describing() -> Self {
        Self { is_describing: true, ..Self::new() }
    }

    /// `node` holds the value with that digest as committed in the vertex. `describe` is called
    /// when the words are needed.
    pub fn committed(
        &mut self,
        node: u32,
        vertex: V,
        digest: u128,
        describe: impl FnOnce() -> String,
    ) -> Result<(), Violation> {
        let Some(first) = self.committed.get(&vertex) else {
            let description = self.is_describing.then(describe);
            let first = First { node, digest, description };
            self.committed.insert(vertex, first);
            return Ok(());
        };
        if first.digest == digest {
            return Ok(());
        }
        let words = first.description.as_deref();
        Err(Violation::new(
            "ConsensusConsistency",
            format!(
                "{vertex:?} has two committed values: node {} holds {} (digest {:032x}), \
                 node {node} holds {} (digest {digest:032x})",
                first.node,
                words.unwrap_or("a value not described in this run"),
                first.digest,
                describe(),
            ),
        ))
    }

    /// How many vertices have a committed value.
    pub fn vertices(&self) -> usize {
        self.committed.len()
    }
}

impl<V: Copy + Eq + Hash + Debug> Default for ConsensusConsistency<V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two values in one vertex, the first failure of this protocol family, would pass.
    #[test]
    fn a_second_value_is_told_with_both_values() {
        let mut oracle = ConsensusConsistency::describing();
        oracle.committed(1, 7, 10, || "put a".into()).unwrap();
        oracle.committed(2, 7, 10, || "put a".into()).unwrap();
        oracle.committed(2, 8, 11, || "put b".into()).unwrap();
        let violation = oracle.committed(3, 7, 11, || "put b".into()).unwrap_err();
        let told = violation.to_string();
        for part in ["7 has two", "node 1 holds put a", "node 3 holds put b"] {
            assert!(told.contains(part), "{told}");
        }
        assert_eq!(oracle.vertices(), 2);
    }

    /// Every commit would cost a formatted string although nothing is wrong.
    #[test]
    fn words_are_made_only_when_needed() {
        let mut oracle = ConsensusConsistency::new();
        oracle.committed(1, 7, 10, || unreachable!()).unwrap();
        oracle.committed(1, 7, 10, || unreachable!()).unwrap();
        assert!(oracle.committed(1, 7, 11, || "put b".into()).is_err());
    }
}
