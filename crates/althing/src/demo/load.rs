//! Closed-loop clients: each sends its next command when the last one is answered.

use super::workload::{Ledger, Workload};
use althing_bench::real::Recorder;
use althing_sdk::{Error, KvClient, KvError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Clients of one region begin one after the other during this time, so that they do not all wait
/// for the same round trips.
const STAGGER: Duration = Duration::from_millis(500);

/// After a command that failed for sure: whoever cannot be reached is not asked in a tight loop.
const FAILED_PAUSE: Duration = Duration::from_millis(20);

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    recorder: Arc<Recorder>,
    is_over: Arc<AtomicBool>,
    clients: JoinSet<Ledger>,
    numbered: u64,
}

impl Load {
    /// No clients yet.
    pub fn new(recorder: Arc<Recorder>) -> Self {
        Self { recorder, is_over: Arc::default(), clients: JoinSet::new(), numbered: 0 }
    }

    /// Lets `count` clients of a region begin. They share a session and its connections, as the
    /// tasks of one application server do.
    pub fn begin(&mut self, region: usize, kv: &KvClient, count: usize, conflict_percent: f64) {
        for place in 0..count {
            let client = Client {
                number: self.numbered,
                region,
                kv: kv.clone(),
                recorder: self.recorder.clone(),
                is_over: self.is_over.clone(),
            };
            self.numbered += 1;
            let delay = STAGGER.mul_f64(place as f64 / count as f64);
            self.clients.spawn(client.run(delay, conflict_percent));
        }
    }

    /// Lets every client finish its command, and returns what they were promised.
    pub async fn finish(mut self) -> Ledger {
        self.is_over.store(true, Relaxed);
        let mut ledgers = Vec::new();
        while let Some(ledger) = self.clients.join_next().await {
            ledgers.push(ledger.expect("a client does not panic, nobody aborts it"));
        }
        Ledger::merged(ledgers)
    }
}

struct Client {
    number: u64,
    region: usize,
    kv: KvClient,
    recorder: Arc<Recorder>,
    is_over: Arc<AtomicBool>,
}

impl Client {
    async fn run(self, delay: Duration, conflict_percent: f64) -> Ledger {
        sleep(delay).await;
        let mut workload = Workload::new(self.number, conflict_percent);
        while !self.is_over.load(Relaxed) {
            let command = workload.next_command();
            let executed =
                self.recorder.execute(self.number, self.region, &self.kv, command.clone());
            let outcome = executed.await;
            workload.ended(&command, &outcome);
            if matches!(outcome, Err(KvError::Command(Error::Failed(_)))) {
                sleep(FAILED_PAUSE).await;
            }
        }
        workload.into_ledger()
    }
}
