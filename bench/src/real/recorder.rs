//! What all clients did and saw: the history that is checked, and how long each answer took.

use althing_checker::register_map::{Blob, Input, Output};
use althing_checker::{History, OperationId, RegisterMap, Verdict, linearizable};
use althing_kv::{KvCommand, KvReply};
use althing_sdk::{Error, KvClient, KvError};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Values up to this length stand in the history as they are; of a longer one its beginning, its
/// length and a hash, so that a long run of long payloads can be kept.
const VALUE_LEN_MAX: usize = 64;

/// An operation that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The region of the client.
    pub region: usize,
    /// When it was submitted, or was to be, from the recorder's beginning.
    pub submitted: Duration,
    /// When it was answered.
    pub answered: Duration,
}

impl Sample {
    /// How long it took.
    pub fn latency(&self) -> Duration {
        self.answered.saturating_sub(self.submitted)
    }
}

/// Records what clients do. They share one, so that its order of events is what happened.
#[derive(Debug)]
pub struct Recorder {
    begun: Instant,
    records: Mutex<Records>,
}

#[derive(Debug, Default)]
struct Records {
    history: History<Input, Output>,
    samples: Vec<Sample>,
    unknown: u64,
    failed: u64,
}

impl Recorder {
    /// Nothing was done yet; time begins.
    pub fn start() -> Self {
        Self { begun: Instant::now(), records: Mutex::default() }
    }

    /// The time since the beginning.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// When that time is.
    pub fn at(&self, time: Duration) -> tokio::time::Instant {
        (self.begun + time).into()
    }

    /// Executes a command, recorded as done by `client` in `region`.
    ///
    /// # Errors
    /// As the store's client says.
    pub async fn execute(
        &self,
        client: u64,
        region: usize,
        kv: &KvClient,
        command: KvCommand,
    ) -> Result<KvReply, KvError> {
        self.execute_due(self.now(), client, region, kv, command).await
    }

    /// The same for a command that was to be submitted at the time `due`: what it is late by counts
    /// as its latency.
    ///
    /// # Errors
    /// As the store's client says.
    pub async fn execute_due(
        &self,
        due: Duration,
        client: u64,
        region: usize,
        kv: &KvClient,
        command: KvCommand,
    ) -> Result<KvReply, KvError> {
        let operation = self.records().history.invoked(client, ns(self.now()), input(&command));
        let outcome = kv.execute(command).await;
        let answered = self.now();
        self.ended(operation, answered, &outcome);
        if outcome.is_ok() {
            self.records().samples.push(Sample { region, submitted: due, answered });
        }
        outcome
    }

    fn ended(&self, id: OperationId, at: Duration, outcome: &Result<KvReply, KvError>) {
        let mut records = self.records();
        match outcome {
            Ok(reply) => records.history.returned(id, ns(at), output(reply)),
            Err(KvError::Command(Error::Failed(_))) => {
                records.failed += 1;
                records.history.failed(id);
            }
            // It stays open: it may take effect at any later moment.
            Err(_) => records.unknown += 1,
        }
    }

    /// All operations so far.
    pub fn history(&self) -> History<Input, Output> {
        self.records().history.clone()
    }

    /// All that were answered so far, in the order of their answers.
    pub fn samples(&self) -> Vec<Sample> {
        self.records().samples.clone()
    }

    /// The samples from that place on.
    pub fn samples_from(&self, place: usize) -> Vec<Sample> {
        self.records().samples.get(place..).map(<[_]>::to_vec).unwrap_or_default()
    }

    /// How many were answered so far.
    pub fn answered(&self) -> usize {
        self.records().samples.len()
    }

    /// Whether one order explains the history.
    pub async fn verdict(&self) -> Verdict {
        let history = self.history();
        let check = move || linearizable::check(&RegisterMap, &history, linearizable::BUDGET_STEPS);
        tokio::task::spawn_blocking(check).await.expect("the checker does not panic")
    }

    /// How many ended with an unknown outcome, and how many failed for sure.
    pub fn unknown_and_failed(&self) -> (u64, u64) {
        let records = self.records();
        (records.unknown, records.failed)
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        // Every change is one call, complete or not begun.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The command in the checker's words.
fn input(command: &KvCommand) -> Input {
    match command {
        KvCommand::Get { key } => Input::get(&key[..]),
        KvCommand::Put { key, value } => Input::put(&key[..], blob(value)),
        KvCommand::Delete { key } => Input::delete(&key[..]),
        KvCommand::CompareAndSwap { key, expected, new } => Input::CompareAndSwap {
            key: key[..].into(),
            expected: expected.as_ref().map(|value| blob(value)),
            new: new.as_ref().map(|value| blob(value)),
        },
        KvCommand::Increment { key, by } | KvCommand::Add { key, by } => {
            Input::increment(&key[..], *by)
        }
        KvCommand::MultiPut { pairs } => Input::MultiPut {
            entries: pairs.iter().map(|(key, value)| (key[..].into(), blob(value))).collect(),
        },
        KvCommand::MultiGet { keys } => {
            Input::MultiGet { keys: keys.iter().map(|key| key[..].into()).collect() }
        }
        KvCommand::Redis(_) => unreachable!("no workload asks for it: {command:?}"),
        KvCommand::Transaction(_) => {
            unreachable!("no load has transactions: the specification of registers knows none")
        }
    }
}

/// The reply in the checker's words.
fn output(reply: &KvReply) -> Output {
    let value = |value: &Option<bytes::Bytes>| value.as_ref().map(|value| blob(value));
    match reply {
        KvReply::Value(found) => Output::Value(value(found)),
        KvReply::Done => Output::Done,
        KvReply::Deleted(existed) => Output::Existed(*existed),
        KvReply::Swapped { swapped: true, .. } => Output::Done,
        KvReply::Swapped { swapped: false, actual } => Output::DiffersHolding(value(actual)),
        KvReply::Number(sum) => Output::Integer(*sum),
        KvReply::Values(found) => Output::Values(found.iter().map(value).collect()),
        KvReply::NotANumber
        | KvReply::Overflow
        | KvReply::TooLong { .. }
        | KvReply::WrongType
        | KvReply::Redis(_)
        | KvReply::Transaction(_)
        | KvReply::NotACommand => Output::NotAnInteger,
    }
}

/// The value as the history keeps it; see [`VALUE_LEN_MAX`].
fn blob(value: &[u8]) -> Blob {
    if value.len() <= VALUE_LEN_MAX {
        return value.into();
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(value);
    let mut kept = value[..VALUE_LEN_MAX].to_vec();
    kept.extend(value.len().to_le_bytes());
    kept.extend(hasher.finish().to_le_bytes());
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a long value that came back with another end would be taken for the one written.
    #[test]
    fn long_values_differ_where_they_differ() {
        let long = vec![7; 100_000];
        let mut other = long.clone();
        other[99_999] = 8;
        assert_eq!(blob(&long), blob(&long.clone()));
        assert_ne!(blob(&long), blob(&other));
        assert_ne!(blob(&long), blob(&long[..99_999]));
        assert!(blob(&long).bytes().len() < 100);
        assert_eq!(blob(b"short").bytes(), b"short");
    }
}
