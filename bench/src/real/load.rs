//! The clients at work: closed loops, and open ones.

use super::recorder::Recorder;
use crate::keys::KeySpace;
use crate::{Load as Rule, Workload};
use althing_sdk::{Error, KvClient, KvError};
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, sleep_until};

/// After a command that failed for sure: whoever cannot be reached is not asked in a tight loop.
const FAILED_PAUSE: Duration = Duration::from_millis(20);

/// The clients of all regions.
pub(super) struct Load {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    /// Those of each region.
    handles: Vec<Vec<AbortHandle>>,
    /// How often the clients of each region began.
    lives: Vec<u64>,
}

/// What all clients have in common.
struct Shared {
    recorder: Arc<Recorder>,
    rule: Rule,
    seed: u64,
    keys: KeySpace,
    /// In each region.
    clients: usize,
    /// Clients begin one after the other during this time, lest they stay in step for ever.
    spread: Duration,
    warm_up: Duration,
    /// Commands so far, all clients together.
    commands: AtomicU64,
    /// Measured commands that began, by region.
    begun: Vec<AtomicU64>,
    /// Measured commands that ended, by client.
    ended: Vec<AtomicU64>,
}

impl Load {
    /// No client works yet. Keys begin with `prefix`.
    pub(super) fn new(
        recorder: Arc<Recorder>,
        workload: &Workload,
        prefix: &str,
        spread: Duration,
    ) -> Self {
        let (regions, clients) = (workload.regions.len(), workload.clients);
        let shared = Shared {
            recorder,
            rule: workload.load,
            seed: workload.seed,
            keys: KeySpace::new(workload, regions * clients, prefix),
            clients,
            spread,
            warm_up: Duration::from_millis(workload.warm_up_ms),
            commands: AtomicU64::new(0),
            begun: (0..regions).map(|_| AtomicU64::new(0)).collect(),
            ended: (0..regions * clients).map(|_| AtomicU64::new(0)).collect(),
        };
        let handles = vec![Vec::new(); regions];
        Self { shared: Arc::new(shared), tasks: JoinSet::new(), handles, lives: vec![0; regions] }
    }

    /// Lets the clients of a region begin, or go on with what they have left.
    pub(super) fn begin(&mut self, region: usize, kv: &KvClient) {
        let life = self.lives[region];
        self.lives[region] += 1;
        let place = Place { shared: self.shared.clone(), region, kv: kv.clone() };
        let first = region * self.shared.clients;
        let numbers = first..first + self.shared.clients;
        let randoms = numbers.clone().map(|number| random(self.shared.seed, number, life));
        self.handles[region] = match self.shared.rule {
            Rule::Open { rate, duration_ms } => {
                let arrivals = random(!self.shared.seed, region, life);
                let gaps = Exp::new(rate).expect("checked with the workload");
                let until = Duration::from_millis(duration_ms);
                let clients = numbers.zip(randoms).collect();
                vec![self.tasks.spawn(place.open(clients, arrivals, gaps, until))]
            }
            _ => numbers
                .zip(randoms)
                .map(|(number, random)| self.tasks.spawn(place.clone().closed(number, random)))
                .collect(),
        };
    }

    /// Stops the clients of a region where they are: what they have open is never answered.
    pub(super) fn stop(&mut self, region: usize) {
        self.handles[region].drain(..).for_each(|handle| handle.abort());
    }

    /// Waits until one more client is done; false when all are.
    pub(super) async fn one_ended(&mut self) -> bool {
        match self.tasks.join_next().await {
            None => false,
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(_) => true,
        }
    }

    /// Measured commands of a region that began.
    pub(super) fn begun(&self, region: usize) -> u64 {
        self.shared.begun[region].load(Relaxed)
    }
}

/// The simulator's clients draw from the same numbers.
fn random(seed: u64, number: usize, life: u64) -> Xoshiro256PlusPlus {
    let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number as u64);
    Xoshiro256PlusPlus::seed_from_u64(seed ^ life << 32)
}

/// Where clients are, and how they reach the cluster.
#[derive(Clone)]
struct Place {
    shared: Arc<Shared>,
    region: usize,
    kv: KvClient,
}

impl Place {
    /// One client, which sends its next command when the last one has ended.
    async fn closed(self, client: usize, mut random: Xoshiro256PlusPlus) {
        let shared = &self.shared;
        let (commands_max, until) = match shared.rule {
            Rule::Closed { commands } => (commands, Duration::MAX),
            Rule::ClosedFor { duration_ms } | Rule::Open { duration_ms, .. } => {
                (u64::MAX, Duration::from_millis(duration_ms))
            }
        };
        sleep(shared.spread.mul_f64(random.random())).await;
        while shared.ended[client].load(Relaxed) < commands_max && shared.recorder.now() < until {
            let due = shared.recorder.now();
            self.execute(client, due, &mut random).await;
        }
    }

    /// All clients of the region, which take turns in sending, whether or not the last command is
    /// answered.
    async fn open(
        self,
        mut clients: Vec<(usize, Xoshiro256PlusPlus)>,
        mut arrivals: Xoshiro256PlusPlus,
        gaps: Exp<f64>,
        until: Duration,
    ) {
        let recorder = &self.shared.recorder;
        let mut commands = JoinSet::new();
        let mut due = recorder.now();
        for turn in (0..clients.len()).cycle() {
            // Within a day, whatever the rate.
            due += Duration::from_secs_f64(gaps.sample(&mut arrivals).min(86_400.0));
            if due >= until {
                break;
            }
            sleep_until(recorder.at(due)).await;
            while commands.try_join_next().is_some() {}
            let (client, random) = &mut clients[turn];
            // Its draws are its own, however long earlier commands take.
            let mut drawn = random.clone();
            random.jump();
            let (place, client) = (self.clone(), *client);
            commands.spawn(async move { place.execute(client, due, &mut drawn).await });
        }
        while commands.join_next().await.is_some() {}
    }

    async fn execute(&self, client: usize, due: Duration, random: &mut Xoshiro256PlusPlus) {
        let Self { shared, region, kv } = self;
        let access = shared.keys.draw(client as u32, random);
        let command = shared.keys.command(access, shared.commands.fetch_add(1, Relaxed));
        let is_measured = due >= shared.warm_up;
        shared.begun[*region].fetch_add(u64::from(is_measured), Relaxed);
        let executed = shared.recorder.execute_due(due, client as u64, *region, kv, command);
        let outcome = executed.await;
        shared.ended[client].fetch_add(u64::from(is_measured), Relaxed);
        if matches!(outcome, Err(KvError::Command(Error::Failed(_)))) {
            sleep(FAILED_PAUSE).await;
        }
    }
}
