//! What clients ask for while processes are killed, and what they were promised.
//!
//! Every value is written once; counters tell whether anything took effect twice. The ledger is kept
//! apart from the history on purpose: it finds a lost write whatever the checker of histories thinks.
//! Shared keys change from era to era, so that no key's history is too long to be searched.

use super::load::Commands;
use althing_kv::{KvCommand, KvReply};
use althing_sdk::{Error, KvError};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Keys that only one client writes, for each.
const OWN_KEYS: u64 = 4;

/// Counters, and registers, that all clients share in an era.
const SHARED_KEYS: u64 = 2;

/// One client's commands.
pub(super) struct Promises {
    client: u64,
    era: Arc<AtomicU64>,
    written: u64,
    random: StdRng,
    ledger: Ledger,
}

impl Promises {
    /// Of that client; `era` is advanced by whoever runs it.
    pub(super) fn new(client: u64, era: Arc<AtomicU64>, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed ^ client.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self { client, era, written: 0, random, ledger: Ledger::default() }
    }

    /// What this client may expect to find.
    pub(super) fn into_ledger(self) -> Ledger {
        self.ledger
    }

    fn shared(&mut self, kind: &str) -> Bytes {
        let era = self.era.load(Relaxed);
        format!("{kind}-{era}/{}", self.random.random_range(0..SHARED_KEYS)).into()
    }

    fn own(&mut self) -> Bytes {
        format!("own-{}/{}", self.client, self.random.random_range(0..OWN_KEYS)).into()
    }

    fn value(&mut self) -> Bytes {
        self.written += 1;
        format!("{}:{}", self.client, self.written).into()
    }
}

impl Commands for Promises {
    fn next_command(&mut self) -> KvCommand {
        match self.random.random_range(0..10) {
            0..3 => KvCommand::Increment { key: self.shared(COUNTER), by: 1 },
            3 => KvCommand::Get { key: self.shared(COUNTER) },
            4 => KvCommand::Put { key: self.shared("register"), value: self.value() },
            5 => KvCommand::Get { key: self.shared("register") },
            6 => KvCommand::Get { key: self.own() },
            _ => KvCommand::Put { key: self.own(), value: self.value() },
        }
    }

    fn ended(&mut self, command: &KvCommand, outcome: &Result<KvReply, KvError>) {
        self.ledger.ended(command, outcome);
    }
}

const COUNTER: &str = "counter";
const OWN: &str = "own";

/// What clients were promised.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    registers: BTreeMap<Bytes, Register>,
    counters: BTreeMap<Bytes, Counter>,
    /// Registers that several clients write: the history alone says what may be in them.
    others: BTreeMap<Bytes, ()>,
}

/// A key that one client writes, one command at a time.
#[derive(Debug, Default)]
struct Register {
    /// The value of the last acknowledged put.
    acknowledged: Option<Bytes>,
    /// Values of unknown outcome: each may take effect, even now.
    open: Vec<Bytes>,
}

/// Increments of one key, all by one.
#[derive(Debug, Default, Clone, Copy)]
struct Counter {
    acknowledged: u64,
    open: u64,
}

/// How often a promise was broken.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    /// Acknowledged writes that are not there.
    pub(super) lost: u64,
    /// Increments that took effect and were not asked for.
    pub(super) twice: u64,
}

impl Ledger {
    fn ended(&mut self, command: &KvCommand, outcome: &Result<KvReply, KvError>) {
        let is_open = match outcome {
            Ok(_) => false,
            Err(KvError::Command(Error::Failed(_))) => return,
            Err(_) => true,
        };
        match command {
            KvCommand::Put { key, value } if key.starts_with(OWN.as_bytes()) => {
                let register = self.registers.entry(key.clone()).or_default();
                match is_open {
                    true => register.open.push(value.clone()),
                    false => register.acknowledged = Some(value.clone()),
                }
            }
            KvCommand::Put { key, .. } => {
                self.others.insert(key.clone(), ());
            }
            KvCommand::Increment { key, .. } => {
                let counter = self.counters.entry(key.clone()).or_default();
                match is_open {
                    true => counter.open += 1,
                    false => counter.acknowledged += 1,
                }
            }
            _ => {}
        }
    }

    /// Several clients' as one. Their own keys are different ones.
    pub(super) fn merged(ledgers: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        for ledger in ledgers {
            sum.registers.extend(ledger.registers);
            sum.others.extend(ledger.others);
            for (key, counter) in ledger.counters {
                let into = sum.counters.entry(key).or_default();
                into.acknowledged += counter.acknowledged;
                into.open += counter.open;
            }
        }
        sum
    }

    /// Every key that was written.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Bytes> {
        self.registers.keys().chain(self.counters.keys()).chain(self.others.keys())
    }

    /// What the value of a key in the end says.
    pub(super) fn broken(&self, key: &Bytes, found: Option<&Bytes>) -> Broken {
        if let Some(counter) = self.counters.get(key) {
            let sum = match found {
                None => Some(0),
                Some(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
            };
            // What is no number has lost them all.
            let sum: u64 = sum.unwrap_or(0);
            let most = counter.acknowledged + counter.open;
            return Broken {
                lost: counter.acknowledged.saturating_sub(sum),
                twice: sum.saturating_sub(most),
            };
        }
        let Some(register) = self.registers.get(key) else { return Broken::default() };
        let is_acknowledged = found == register.acknowledged.as_ref();
        let is_open = found.is_some_and(|found| register.open.contains(found));
        Broken { lost: u64::from(!is_acknowledged && !is_open), twice: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(value: &'static str) -> KvCommand {
        KvCommand::Put { key: "own-0/1".into(), value: value.into() }
    }

    /// Broken: a lost write or a second increment would be reported as none, or one that was never
    /// promised as lost.
    #[test]
    fn only_what_was_acknowledged_can_be_lost() {
        let (done, unknown) = (Ok(KvReply::Done), Err(KvError::Command(Error::Unknown)));
        let mut ledger = Ledger::default();
        ledger.ended(&put("a"), &done);
        ledger.ended(&put("b"), &unknown);
        let lost = |found: Option<&'static str>| {
            ledger.broken(&"own-0/1".into(), found.map(Bytes::from).as_ref()).lost
        };
        assert_eq!([Some("a"), Some("b"), Some("c"), None].map(lost), [0, 0, 1, 1]);

        let mut other = Ledger::default();
        let increment = KvCommand::Increment { key: "counter-0/0".into(), by: 1 };
        other.ended(&increment, &Ok(KvReply::Number(1)));
        ledger.ended(&increment, &Ok(KvReply::Number(2)));
        ledger.ended(&increment, &unknown);
        let both = Ledger::merged([ledger, other]);
        let broken = |found: Option<&'static str>| {
            let Broken { lost, twice } =
                both.broken(&"counter-0/0".into(), found.map(Bytes::from).as_ref());
            (lost, twice)
        };
        let sums = [None, Some("1"), Some("2"), Some("3"), Some("5")].map(broken);
        assert_eq!(sums, [(2, 0), (1, 0), (0, 0), (0, 0), (0, 2)]);
        assert_eq!(both.keys().count(), 2);
    }

    /// Broken: clients never contend, never count, or write one value twice.
    #[test]
    fn commands_are_of_every_kind_and_values_of_their_own() {
        let era = Arc::new(AtomicU64::new(3));
        let mut client = Promises::new(7, era.clone(), 1);
        let commands: Vec<_> = (0..400).map(|_| client.next_command()).collect();
        let mut values = std::collections::BTreeSet::new();
        for command in &commands {
            if let KvCommand::Put { value, .. } = command {
                assert!(values.insert(value.clone()), "{value:?} is written twice");
            }
        }
        let counts = |command: &&KvCommand| matches!(command, KvCommand::Increment { .. });
        assert!(commands.iter().filter(counts).count() > 50);
        let shared = |command: &KvCommand| match command {
            KvCommand::Put { key, .. } => key.starts_with(b"register-3/"),
            _ => false,
        };
        assert!(commands.iter().any(shared));
    }
}
