//! What a client asks for, and what it may expect to find at the end.
//!
//! A share of the commands is on one key that all clients share: mostly increments, each of which
//! answers another sum, so that their order is there to be checked. The others are on keys that only
//! this client writes, with values that are written once.

use althing_kv::{KvCommand, KvReply};
use althing_sdk::{Error, KvError};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

/// The key that all clients share.
pub const SHARED_KEY: &str = "shared";

/// Keys of each client's own.
const OWN_KEYS: u64 = 4;

/// Of commands on the shared key, the percentage that only read it.
const SHARED_READS_PERCENT: f64 = 25.0;

/// Of commands on own keys, the percentage that only read.
const OWN_READS_PERCENT: f64 = 34.0;

/// One client's commands.
#[derive(Debug)]
pub struct Workload {
    client: u64,
    conflict_percent: f64,
    written: u64,
    random: StdRng,
    ledger: Ledger,
}

impl Workload {
    /// The commands of one client, numbered, of which `conflict_percent` in a hundred are on the
    /// shared key.
    pub fn new(client: u64, conflict_percent: f64) -> Self {
        let random = StdRng::seed_from_u64(rand::random());
        Self { client, conflict_percent, written: 0, random, ledger: Ledger::default() }
    }

    /// The next command.
    pub fn next_command(&mut self) -> KvCommand {
        if self.chance(self.conflict_percent) {
            let key = Bytes::from_static(SHARED_KEY.as_bytes());
            return match self.chance(SHARED_READS_PERCENT) {
                true => KvCommand::Get { key },
                false => KvCommand::Increment { key, by: 1 },
            };
        }
        let key: Bytes =
            format!("client-{}/{}", self.client, self.random.random_range(0..OWN_KEYS)).into();
        if self.chance(OWN_READS_PERCENT) {
            return KvCommand::Get { key };
        }
        self.written += 1;
        KvCommand::Put { key, value: format!("{}:{}", self.client, self.written).into() }
    }

    /// How a command ended.
    pub fn ended(&mut self, command: &KvCommand, outcome: &Result<KvReply, KvError>) {
        self.ledger.ended(command, outcome);
    }

    /// What to expect at the end.
    pub fn into_ledger(self) -> Ledger {
        self.ledger
    }

    fn chance(&mut self, percent: f64) -> bool {
        self.random.random_range(0.0..100.0) < percent
    }
}

/// What one or several clients were promised, kept apart from the history on purpose: it finds a
/// lost write whatever the checker of histories thinks.
#[derive(Debug, Default)]
pub struct Ledger {
    registers: BTreeMap<Bytes, Register>,
    /// Increments of the shared key.
    increments: Increments,
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
struct Increments {
    acknowledged: u64,
    open: u64,
}

impl Ledger {
    fn ended(&mut self, command: &KvCommand, outcome: &Result<KvReply, KvError>) {
        let is_open = match outcome {
            Ok(_) => false,
            Err(KvError::Command(Error::Failed(_))) => return,
            Err(_) => true,
        };
        match command {
            KvCommand::Put { key, value } => {
                let register = self.registers.entry(key.clone()).or_default();
                match is_open {
                    true => register.open.push(value.clone()),
                    false => register.acknowledged = Some(value.clone()),
                }
            }
            KvCommand::Increment { .. } if is_open => self.increments.open += 1,
            KvCommand::Increment { .. } => self.increments.acknowledged += 1,
            _ => {}
        }
    }

    /// Several clients' as one. Their own keys are different ones.
    pub fn merged(ledgers: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        for ledger in ledgers {
            sum.registers.extend(ledger.registers);
            sum.increments.acknowledged += ledger.increments.acknowledged;
            sum.increments.open += ledger.increments.open;
        }
        sum
    }

    /// The keys that were written, the shared one apart.
    pub fn keys(&self) -> impl Iterator<Item = &Bytes> {
        self.registers.keys()
    }

    /// How many acknowledged puts a value of one of the keys shows to be lost: none or one.
    pub fn lost_put(&self, key: &Bytes, found: Option<&Bytes>) -> u64 {
        let Some(register) = self.registers.get(key) else {
            return 0;
        };
        let is_acknowledged = found == register.acknowledged.as_ref();
        let is_open = found.is_some_and(|found| register.open.contains(found));
        u64::from(!is_acknowledged && !is_open)
    }

    /// How many increments a value of the shared key shows to be lost, or done twice.
    pub fn lost_increments(&self, found: Option<&Bytes>) -> u64 {
        let Increments { acknowledged, open } = self.increments;
        let sum = match found {
            None => Some(0),
            Some(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
        };
        let Some(sum) = sum else {
            return acknowledged;
        };
        acknowledged.saturating_sub(sum) + sum.saturating_sub(acknowledged + open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(value: &'static str) -> KvCommand {
        KvCommand::Put { key: "k".into(), value: value.into() }
    }

    /// Broken: a lost write would be reported as none, or one that was never promised as lost.
    #[test]
    fn only_what_was_acknowledged_can_be_lost() {
        let (done, unknown) = (Ok(KvReply::Done), Err(KvError::Command(Error::Unknown)));
        let mut ledger = Ledger::default();
        ledger.ended(&put("a"), &done);
        ledger.ended(&put("b"), &unknown);
        let key = Bytes::from("k");
        let lost = |ledger: &Ledger, found: Option<&'static str>| {
            ledger.lost_put(&key, found.map(Bytes::from).as_ref())
        };
        assert_eq!(
            [Some("a"), Some("b"), Some("c"), None].map(|it| lost(&ledger, it)),
            [0, 0, 1, 1]
        );
        // The unknown one may come later still.
        ledger.ended(&put("c"), &done);
        assert_eq!([Some("a"), Some("b"), Some("c")].map(|it| lost(&ledger, it)), [1, 0, 0]);

        let increment = KvCommand::Increment { key: SHARED_KEY.into(), by: 1 };
        ledger.ended(&increment, &Ok(KvReply::Number(1)));
        ledger.ended(&increment, &unknown);
        let sums = [None, Some("1"), Some("2"), Some("3")];
        let lost = sums.map(|sum| ledger.lost_increments(sum.map(Bytes::from).as_ref()));
        assert_eq!(lost, [1, 0, 0, 1]);
    }
}
