//! Watched: a watcher is told of every command that it asked for and that took effect behind the
//! point from which it began, of each once, and of conflicting ones in the order in which replicas
//! execute them.
//!
//! That nothing is told twice is asked at once. What should have been told is known at the end, when
//! every replica has executed everything.

use crate::Violation;
use rustc_hash::{FxHashMap, FxHashSet};

/// What one watcher was told, over all the nodes that it was told by.
#[derive(Debug, Default)]
pub struct Watched {
    told: Vec<u128>,
    members: FxHashSet<u128>,
}

impl Watched {
    /// Nothing told yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The watcher was told of a command.
    ///
    /// # Errors
    /// When it had been told.
    pub fn told(&mut self, command: u128, words: impl FnOnce() -> String) -> Result<(), Violation> {
        if !self.members.insert(command) {
            return Err(violation(format!("it was told twice of {}", words())));
        }
        self.told.push(command);
        Ok(())
    }

    /// How many commands it was told of.
    pub fn len(&self) -> usize {
        self.told.len()
    }

    /// Whether it was told of none.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// The watcher lost what it was told after the first `len` commands, and goes on from there.
    pub fn forget_after(&mut self, len: usize) {
        for command in self.told.drain(len..) {
            self.members.remove(&command);
        }
    }

    /// The run is over: these commands should have been told, in this order where they conflict.
    ///
    /// # Errors
    /// When one was not told, or another was, or two that conflict in the wrong order.
    pub fn finish(
        &self,
        expected: impl IntoIterator<Item = u128>,
        conflict: impl Fn(u128, u128) -> bool,
        words: impl Fn(u128) -> String,
    ) -> Result<(), Violation> {
        let places: FxHashMap<u128, usize> = expected.into_iter().zip(0..).collect();
        let mut missing: Vec<(&u128, &usize)> =
            places.iter().filter(|(command, _)| !self.members.contains(command)).collect();
        missing.sort_unstable_by_key(|(_, place)| **place);
        if let Some((command, _)) = missing.first() {
            return Err(violation(format!(
                "it was never told of {}, and of {} more",
                words(**command),
                missing.len() - 1
            )));
        }
        if let Some(more) = self.told.iter().find(|command| !places.contains_key(command)) {
            return Err(violation(format!(
                "it was told of {}, which it had not asked for, or which lies before its beginning",
                words(*more)
            )));
        }
        for (index, later) in self.told.iter().enumerate() {
            let swapped = self.told[..index]
                .iter()
                .find(|earlier| places[*earlier] > places[later] && conflict(**earlier, *later));
            if let Some(earlier) = swapped {
                return Err(violation(format!(
                    "it was told of {} before {}: replicas execute them the other way round",
                    words(*earlier),
                    words(*later)
                )));
            }
        }
        Ok(())
    }
}

fn violation(account: String) -> Violation {
    Violation::new("Watched", format!("a watcher: {account}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(told: &[u128]) -> Result<Watched, Violation> {
        let mut watched = Watched::new();
        for command in told {
            watched.told(*command, || command.to_string())?;
        }
        Ok(watched)
    }

    /// Commands of the same parity conflict.
    fn finish(watched: &Watched, expected: &[u128]) -> Result<(), Violation> {
        let expected = expected.iter().copied();
        watched.finish(expected, |a, b| a % 2 == b % 2, |command| command.to_string())
    }

    /// Broken: a change told twice at a move would pass.
    #[test]
    fn told_twice_is_found_at_once() {
        let found = watched(&[1, 2, 1]).unwrap_err();
        assert!(found.account.contains("told twice of 1"), "{found}");
        let mut again = watched(&[1, 2]).unwrap();
        again.forget_after(1);
        assert_eq!(again.told(2, String::new), Ok(()));
        assert_eq!((again.len(), again.is_empty()), (2, false));
    }

    /// Broken: a lost change, or one too many, would pass.
    #[test]
    fn what_is_missing_or_too_much_is_found() {
        let all = watched(&[1, 2, 3]).unwrap();
        assert_eq!(finish(&all, &[1, 2, 3]), Ok(()));
        let found = finish(&all, &[1, 2, 3, 4, 5]).unwrap_err();
        assert!(found.account.contains("never told of 4, and of 1 more"), "{found}");
        let found = finish(&all, &[1, 2]).unwrap_err();
        assert!(found.account.contains("told of 3"), "{found}");
    }

    /// Broken: changes of one key told in another order than they happened in would pass, or those of
    /// different keys would not.
    #[test]
    fn only_conflicting_commands_keep_an_order() {
        assert_eq!(finish(&watched(&[2, 1, 3]).unwrap(), &[1, 2, 3]), Ok(()));
        let found = finish(&watched(&[3, 2, 1]).unwrap(), &[1, 2, 3]).unwrap_err();
        assert!(found.account.contains("told of 3 before 1"), "{found}");
    }
}
