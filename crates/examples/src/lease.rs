//! Locks that are held for a time, with fencing tokens.
//!
//! A client acquires a lock for so long, and gets a token: a number that is higher each time the lock
//! changes hands. Whatever the lock protects is told the token with every request and refuses those
//! that are lower than the highest it has seen; so a client that was asleep while its lease ran out
//! does no harm when it wakes.
//!
//! # Time comes with the commands
//! A state machine must not look at a clock: replicas execute at different times. Each command carries
//! the time at which its client sent it, a stamp. A lock's time is the highest stamp that it has met,
//! so that it never goes back, and a lease is over when the lock's time says so. The price: a client
//! whose clock is fast ends the leases of others early, never the promise of the tokens; and nobody's
//! lease ends before somebody asks. A stamp far in the future stays for good: let a front that one
//! trusts put the stamps in.
//!
//! # Conflicts
//! Commands on different locks commute. On one lock everything that changes it conflicts: who comes
//! first is what a lock is about. That is no loss where few contend for one lock, and where many do,
//! they want to wait. `Holder` reads, and does not move the lock's time: with that it would be a write.

use crate::saved;
use althing_model::{
    CommandInvalid, Conflicts, ConflictsId, Footprint, Mode, ModeTable, Pieces, StateMachine,
    Unrestorable,
};
use bytes::Bytes;
use imbl::OrdMap;
use serde::{Deserialize, Serialize};

/// Milliseconds for which a lock may be held without being renewed: a day.
pub const HOLD_MS_MAX: u64 = 86_400_000;

/// What clients ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Takes the lock if it is free, or renews it if the owner has it: [`Reply::Held`] by whom it is
    /// held afterwards.
    Acquire {
        /// The lock.
        lock: String,
        /// Who wants it: another name for each client.
        owner: String,
        /// The client's time, in milliseconds since 1970.
        stamp_ms: u64,
        /// For how long, at most [`HOLD_MS_MAX`].
        hold_ms: u64,
    },
    /// Gives the lock back, if this token still holds it: [`Reply::Free`], or [`Reply::Held`] by
    /// another.
    Release {
        /// The lock.
        lock: String,
        /// What its owner was given.
        token: u64,
        /// The client's time.
        stamp_ms: u64,
    },
    /// Asks who holds it at a time: [`Reply::Held`] or [`Reply::Free`].
    Holder {
        /// The lock.
        lock: String,
        /// The client's time.
        stamp_ms: u64,
    },
}

/// What the service answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Somebody holds it.
    Held {
        /// Who.
        owner: String,
        /// The fencing token.
        token: u64,
        /// Until when, in milliseconds since 1970 as the lock's clients count them.
        until_ms: u64,
    },
    /// Nobody holds it.
    Free,
}

/// The conflict function: every lock is a resource.
#[derive(Debug, Clone)]
pub struct ByLock {
    modes: ModeTable,
}

impl Default for ByLock {
    fn default() -> Self {
        Self { modes: ModeTable::read_write() }
    }
}

impl Conflicts for ByLock {
    fn modes(&self) -> &ModeTable {
        &self.modes
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        let (lock, mode) = match crate::decode(payload)? {
            Command::Acquire { hold_ms, .. } if hold_ms > HOLD_MS_MAX => {
                let text = format!("{hold_ms} ms is over the {HOLD_MS_MAX} allowed: renew instead");
                return Err(CommandInvalid(text));
            }
            Command::Acquire { lock, .. } | Command::Release { lock, .. } => (lock, Mode::WRITE),
            Command::Holder { lock, .. } => (lock, Mode::READ),
        };
        Ok(Footprint::of([(lock.into(), mode)]))
    }

    fn id(&self) -> ConflictsId {
        ConflictsId::named("examples/lease", 1, &self.modes)
    }
}

/// What is known of a lock that somebody has held.
#[derive(Debug, Clone, Default, Hash, Serialize, Deserialize)]
struct Lock {
    /// The highest stamp that it has met.
    now_ms: u64,
    /// The last token given out.
    token: u64,
    /// Who has it, and until when; it may be over.
    held: Option<(String, u64)>,
}

impl Lock {
    /// At a time.
    fn seen_at(&self, now_ms: u64) -> Reply {
        match &self.held {
            Some((owner, until_ms)) if *until_ms > now_ms => {
                Reply::Held { owner: owner.clone(), token: self.token, until_ms: *until_ms }
            }
            _ => Reply::Free,
        }
    }
}

/// The state machine: all locks that were ever held. One that is forgotten would give out its tokens
/// again.
#[derive(Debug, Clone, Default)]
pub struct Leases {
    locks: OrdMap<String, Lock>,
}

impl Leases {
    /// Executes one command.
    pub fn execute(&mut self, command: Command) -> Reply {
        match command {
            Command::Acquire { lock, owner, stamp_ms, hold_ms } => {
                let lock = self.locks.entry(lock).or_default();
                lock.now_ms = lock.now_ms.max(stamp_ms);
                let until_ms = lock.now_ms.saturating_add(hold_ms);
                match lock.seen_at(lock.now_ms) {
                    Reply::Held { owner: holder, until_ms: before, .. } if holder == owner => {
                        // A renewal that arrives late does not shorten what was granted.
                        lock.held = Some((owner, until_ms.max(before)));
                    }
                    Reply::Held { .. } => {}
                    Reply::Free => {
                        lock.token += 1;
                        lock.held = Some((owner, until_ms));
                    }
                }
                lock.seen_at(lock.now_ms)
            }
            Command::Release { lock, token, stamp_ms } => {
                let Some(lock) = self.locks.get_mut(&lock) else { return Reply::Free };
                lock.now_ms = lock.now_ms.max(stamp_ms);
                if lock.token == token {
                    lock.held = None;
                }
                lock.seen_at(lock.now_ms)
            }
            Command::Holder { lock, stamp_ms } => match self.locks.get(&lock) {
                Some(lock) => lock.seen_at(lock.now_ms.max(stamp_ms)),
                None => Reply::Free,
            },
        }
    }
}

impl StateMachine for Leases {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        let command = crate::decode(payload).expect("the conflict function took it");
        crate::encode(&self.execute(command))
    }

    fn query(&self, payload: &[u8]) -> Option<Bytes> {
        let command = crate::decode(payload).ok()?;
        let reads = matches!(command, Command::Holder { .. });
        // A clone shares the state.
        reads.then(|| crate::encode(&self.clone().execute(command)))
    }

    fn digest(&self) -> u64 {
        saved::digest(&self.locks)
    }

    fn snapshot(&self) -> Pieces {
        saved::pieces(self.locks.clone())
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        self.locks = saved::restore(pieces)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_audit::Audit;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn command() -> impl Strategy<Value = Command> {
        let name = |names: &'static [&'static str]| select(names).prop_map(str::to_owned);
        let lock = move || name(&["a", "b"]);
        let stamp_ms = || prop_oneof![9 => 0u64..6, 1 => Just(u64::MAX)];
        prop_oneof![
            2 => (lock(), name(&["x", "y"]), stamp_ms(), 0u64..4).prop_map(
                |(lock, owner, stamp_ms, hold_ms)| {
                    Command::Acquire { lock, owner, stamp_ms, hold_ms }
                }
            ),
            1 => (lock(), 0u64..4, stamp_ms())
                .prop_map(|(lock, token, stamp_ms)| Command::Release { lock, token, stamp_ms }),
            1 => (lock(), stamp_ms())
                .prop_map(|(lock, stamp_ms)| Command::Holder { lock, stamp_ms }),
        ]
    }

    /// Broken: two replicas tell two clients that they hold one lock.
    #[test]
    fn the_leases_keep_the_laws() {
        let report = Audit::new(Leases::default, ByLock::default())
            .commands(command(), crate::encode)
            // All that changes a lock conflicts, so that whoever asks needs no vertex.
            .readable(|command| matches!(command, Command::Holder { .. }))
            .cases(1_000)
            .assert();
        assert_eq!(report.lost().count(), 0, "{report}");
    }

    proptest! {
        /// Broken: a token is given to two owners, or a later owner gets a lower one: what the lock
        /// protects would listen to somebody whose lease is over.
        #[test]
        fn tokens_rise_with_owners(commands in prop::collection::vec(command(), 0..40)) {
            let mut leases = Leases::default();
            let mut last: std::collections::BTreeMap<String, (u64, String)> = Default::default();
            for command in commands {
                let Command::Acquire { lock, owner, .. } = command.clone() else {
                    leases.execute(command);
                    continue;
                };
                let Reply::Held { owner: holder, token, .. } = leases.execute(command) else {
                    continue;
                };
                let (highest, by) = last.get(&lock).cloned().unwrap_or_default();
                prop_assert!(token > highest || token == highest && holder == by);
                prop_assert!(holder == owner || holder == by);
                last.insert(lock, (token, holder));
            }
        }
    }

    /// Broken: a slow clock, or a renewal that was long on its way, takes a lease from its owner.
    #[test]
    fn time_never_goes_back() {
        let acquire = |owner: &str, stamp_ms, hold_ms| {
            let (lock, owner) = ("door".to_owned(), owner.to_owned());
            Command::Acquire { lock, owner, stamp_ms, hold_ms }
        };
        let held =
            |owner: &str, token, until_ms| Reply::Held { owner: owner.to_owned(), token, until_ms };
        let mut leases = Leases::default();
        assert_eq!(leases.execute(acquire("a", 100, 50)), held("a", 1, 150));
        assert_eq!(leases.execute(acquire("a", 20, 10)), held("a", 1, 150));
        assert_eq!(leases.execute(acquire("b", 149, 50)), held("a", 1, 150));
        assert_eq!(leases.execute(acquire("b", 150, 50)), held("b", 2, 200));
        let release = Command::Release { lock: "door".into(), token: 1, stamp_ms: 160 };
        assert_eq!(leases.execute(release), held("b", 2, 200));
    }
}
