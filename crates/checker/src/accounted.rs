//! Accounted: every operation that a client began has an ending, none is missing.
//!
//! Without it a harness that drops operations on the floor passes every other check.

use std::collections::BTreeMap;

use crate::Violation;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Done, with an output.
    Done,
    /// It did not happen and never will.
    Failed,
    /// It may have happened, may happen yet, or never.
    Unknown,
}

/// Every operation ends exactly once.
#[derive(Debug, Default)]
pub struct Accounted {
    operations: BTreeMap<u64, Option<Ending>>,
}

impl Accounted {
    /// Nothing begun yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An operation begins, under a number of the caller's.
    pub fn began(&mut self, operation: u64) -> Result<(), Violation> {
        match self.operations.insert(operation, None) {
            None => Ok(()),
            Some(_) => Err(violation(format!("operation {operation} began twice"))),
        }
    }

    /// It ends.
    pub fn ended(&mut self, operation: u64, ending: Ending) -> Result<(), Violation> {
        match self.operations.get_mut(&operation) {
            Some(slot @ None) => {
                *slot = Some(ending);
                Ok(())
            }
            Some(Some(first)) => Err(violation(format!(
                "operation {operation} ended twice: {first:?}, then {ending:?}"
            ))),
            None => {
                Err(violation(format!("operation {operation} ended ({ending:?}) but never began")))
            }
        }
    }

    /// The run is over: how many operations were done, failed for sure, and unknown.
    pub fn finish(&self) -> Result<[usize; 3], Violation> {
        let mut missing = self.operations.iter().filter(|(_, e)| e.is_none());
        if let Some((operation, _)) = missing.next() {
            let others = missing.count();
            return Err(violation(format!(
                "operation {operation} (and {others} more) never ended"
            )));
        }
        let count = |ending| self.operations.values().filter(move |e| **e == Some(ending));
        Ok([Ending::Done, Ending::Failed, Ending::Unknown].map(|ending| count(ending).count()))
    }
}

fn violation(account: String) -> Violation {
    Violation::new("Accounted", account)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A harness that loses an operation would look as good as one that checks it.
    #[test]
    fn an_operation_without_an_end_or_with_two_is_told() {
        let mut oracle = Accounted::new();
        oracle.began(1).unwrap();
        oracle.began(2).unwrap();
        assert!(oracle.began(2).is_err());
        oracle.ended(1, Ending::Done).unwrap();
        let told = oracle.finish().unwrap_err().to_string();
        assert!(told.contains("operation 2 (and 0 more)"), "{told}");
        oracle.ended(2, Ending::Unknown).unwrap();
        assert_eq!(oracle.finish().unwrap(), [1, 0, 1]);
        assert!(oracle.ended(2, Ending::Done).is_err());
        assert!(oracle.ended(3, Ending::Done).is_err());
    }
}
