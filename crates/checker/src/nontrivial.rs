//! Nontriviality: only what a client submitted is ever committed, or a noop.

use std::fmt::Debug;

use rustc_hash::FxHashSet;

use crate::Violation;

/// Every committed command was submitted before.
#[derive(Debug, Default)]
pub struct Nontriviality {
    submitted: FxHashSet<u128>,
}

impl Nontriviality {
    /// Nothing submitted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A client submits the command with that digest. The digest covers the request id and the
    /// whole command, so that a command damaged on its way is another one.
    pub fn submitted(&mut self, digest: u128) {
        self.submitted.insert(digest);
    }

    /// The command (`None`: a noop) is committed in the vertex.
    pub fn committed<V: Debug>(
        &self,
        vertex: V,
        digest: Option<u128>,
        describe: impl FnOnce() -> String,
    ) -> Result<(), Violation> {
        match digest {
            Some(digest) if !self.submitted.contains(&digest) => Err(Violation::new(
                "Nontriviality",
                format!(
                    "{vertex:?} committed what no client submitted: {} (digest {digest:032x})",
                    describe()
                ),
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A command made up by recovery, or damaged in a buffer, would pass.
    #[test]
    fn a_command_from_nowhere_is_told() {
        let mut oracle = Nontriviality::new();
        oracle.submitted(1);
        oracle.committed(7, Some(1), || unreachable!()).unwrap();
        oracle.committed(8, None, || unreachable!()).unwrap();
        let told = oracle.committed(9, Some(2), || "put z".into()).unwrap_err();
        assert!(told.to_string().contains("9 committed"), "{told}");
        assert!(told.to_string().contains("put z"), "{told}");
    }
}
