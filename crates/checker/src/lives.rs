//! What each replica did, life by life: a crash takes a replica back to what it had kept.
//!
//! A replica's execution is a log. A restart begins a new life whose log starts with a prefix of
//! an earlier one: of its own, or, when it installs a snapshot, of the replica that took it.

use std::collections::BTreeMap;

use crate::Violation;

/// A place in a replica's log: what it had executed at that moment.
///
/// Take one where the replica takes a snapshot (or makes its execution durable), keep it beside
/// that snapshot, and hand it to `restarted` when a replica starts from it. Oracles that are told
/// of the same executed commands give equal checkpoints, so one serves all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checkpoint {
    replica: u32,
    life: usize,
    position: usize,
}

impl Checkpoint {
    /// How many commands had been executed there.
    pub fn position(&self) -> usize {
        self.position
    }
}

/// A log per replica and life. Dead lives are kept, since a checkpoint may point into them.
#[derive(Debug)]
pub(crate) struct Lives<E> {
    by_replica: BTreeMap<u32, Vec<Vec<E>>>,
}

impl<E> Default for Lives<E> {
    fn default() -> Self {
        Self { by_replica: BTreeMap::new() }
    }
}

impl<E: Clone> Lives<E> {
    pub(crate) fn push(&mut self, replica: u32, event: E) {
        let lives = self.by_replica.entry(replica).or_insert_with(|| vec![Vec::new()]);
        let life = lives.last_mut().expect("made with one life");
        life.push(event);
    }

    /// The log of the replica's present life.
    pub(crate) fn log(&self, replica: u32) -> &[E] {
        let lives = self.by_replica.get(&replica);
        lives.and_then(|l| l.last()).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn checkpoint(&self, replica: u32) -> Checkpoint {
        let lives = self.by_replica.get(&replica);
        Checkpoint {
            replica,
            life: lives.map_or(0, |l| l.len() - 1),
            position: self.log(replica).len(),
        }
    }

    /// Begins a new life from the checkpoint, or from nothing; its log so far is returned.
    pub(crate) fn restarted(
        &mut self,
        replica: u32,
        at: Option<Checkpoint>,
    ) -> Result<&[E], Violation> {
        let log = match at {
            None => Vec::new(),
            Some(at) => {
                let lives = self.by_replica.get(&at.replica);
                let life = lives.and_then(|l| l.get(at.life)).map_or(&[][..], |l| l);
                let Some(prefix) = life.get(..at.position) else {
                    return Err(Violation::new(
                        "Checkpoint",
                        format!(
                            "replica {replica} restarted from {at:?}, which no replica reached"
                        ),
                    ));
                };
                prefix.to_vec()
            }
        };
        let lives = self.by_replica.entry(replica).or_default();
        lives.push(log);
        Ok(lives.last().expect("pushed just now"))
    }
}
