//! DurableAck: what a client was told is done is never lost.
//!
//! Asked at the end, after faults stopped: an acknowledged or observed operation must be in the
//! executed set of every healed replica, through snapshots or by its own execution.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use crate::lives::Lives;
use crate::{Checkpoint, Violation};

/// How many lost operations an account names; the rest are counted.
const LOST_NAMED_MAX: usize = 5;

/// Every acknowledged command is in the final executed set of every healed replica.
#[derive(Debug, Default)]
pub struct DurableAck {
    /// By command: the client's name for it in words.
    acknowledged: BTreeMap<u128, String>,
    lives: Lives<u128>,
}

impl DurableAck {
    /// Nothing acknowledged yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A client was told that the command is done, or saw its effect in a reply. The words name it
    /// in an account.
    pub fn acknowledged(&mut self, command: u128, words: impl FnOnce() -> String) {
        self.acknowledged.entry(command).or_insert_with(words);
    }

    /// The replica applied the command.
    pub fn executed(&mut self, replica: u32, command: u128) {
        self.lives.push(replica, command);
    }

    /// Where the replica's execution stands, to be kept beside a snapshot of it.
    pub fn checkpoint(&self, replica: u32) -> Checkpoint {
        self.lives.checkpoint(replica)
    }

    /// The replica starts again from a checkpoint, or, with `None`, from the empty state.
    pub fn restarted(&mut self, replica: u32, at: Option<Checkpoint>) -> Result<(), Violation> {
        self.lives.restarted(replica, at).map(|_| ())
    }

    /// The run is over and these replicas are healed: what was acknowledged must be there.
    pub fn finish(&self, healed: impl IntoIterator<Item = u32>) -> Result<(), Violation> {
        for replica in healed {
            let executed: FxHashSet<u128> = self.lives.log(replica).iter().copied().collect();
            let mut lost =
                self.acknowledged.iter().filter(|(command, _)| !executed.contains(command));
            let named: Vec<String> = lost
                .by_ref()
                .take(LOST_NAMED_MAX)
                .map(|(command, words)| format!("{words} ({command:032x})"))
                .collect();
            if named.is_empty() {
                continue;
            }
            return Err(Violation::new(
                "DurableAck",
                format!(
                    "replica {replica} is healed, executed {} commands, and lacks {} that clients \
                     were told are done: {}{}",
                    executed.len(),
                    named.len() + lost.clone().count(),
                    named.join(", "),
                    if lost.next().is_some() { ", ..." } else { "" }
                ),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A write that was acknowledged and then forgotten in a crash would pass.
    #[test]
    fn a_lost_acknowledged_command_is_told() {
        let mut oracle = DurableAck::new();
        oracle.executed(1, 10);
        oracle.executed(2, 10);
        oracle.acknowledged(10, || "put a".into());
        oracle.finish([1, 2]).unwrap();
        oracle.restarted(1, None).unwrap();
        let told = oracle.finish([1, 2]).unwrap_err().to_string();
        assert!(told.contains("replica 1 is healed"), "{told}");
        assert!(told.contains("lacks 1"), "{told}");
        assert!(told.contains("put a"), "{told}");
        oracle.finish([2]).unwrap();
    }

    /// A replica brought up by another's snapshot would be accused of losing what is in it.
    #[test]
    fn a_snapshot_counts_as_executed() {
        let mut oracle = DurableAck::new();
        oracle.executed(1, 10);
        oracle.acknowledged(10, || "put a".into());
        assert!(oracle.finish([3]).is_err());
        oracle.restarted(3, Some(oracle.checkpoint(1))).unwrap();
        oracle.finish([3]).unwrap();
    }
}
