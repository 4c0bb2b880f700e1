//! SameBarrier: the n-th barrier is the same point of the order at every replica.
//!
//! A snapshot is named by how many barriers are executed in it, and installed by a replica that
//! executed fewer. That loses nothing only if what is executed at the n-th is the same everywhere.

use rustc_hash::FxHashMap;

use crate::{Checkpoint, Violation};

/// At the n-th barrier all replicas have executed equally many commands. That these are the same
/// ones in the same order follows, since a barrier conflicts with all of them.
#[derive(Debug, Default)]
pub struct SameBarrier {
    /// By number: who passed it first, with how many commands.
    passed: FxHashMap<u64, (u32, usize)>,
}

impl SameBarrier {
    /// No barrier was passed.
    pub fn new() -> Self {
        Self::default()
    }

    /// The replica has executed the n-th barrier and the rest of its component.
    ///
    /// # Errors
    /// Another one had executed more, or less, by then.
    pub fn passed(&mut self, replica: u32, number: u64, at: Checkpoint) -> Result<(), Violation> {
        let (first, position) = *self.passed.entry(number).or_insert((replica, at.position()));
        if position == at.position() {
            return Ok(());
        }
        Err(Violation::new(
            "SameBarrier",
            format!(
                "at barrier {number}, replica {replica} has executed {} commands, and replica \
                 {first} had {position}",
                at.position()
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DurableAck;

    /// Broken: snapshots of one number could hold different commands, and one of them be lost.
    #[test]
    fn a_barrier_passed_with_other_commands_is_told() {
        let (mut log, mut oracle) = (DurableAck::new(), SameBarrier::new());
        log.executed(1, 10);
        oracle.passed(1, 1, log.checkpoint(1)).unwrap();
        log.executed(2, 10);
        oracle.passed(2, 1, log.checkpoint(2)).unwrap();
        log.executed(3, 10);
        log.executed(3, 11);
        let told = oracle.passed(3, 1, log.checkpoint(3)).unwrap_err().to_string();
        assert!(told.contains("replica 3 has executed 2"), "{told}");
    }
}
