//! The course of one run: clients connect and work, a region may be killed, everything is read back
//! and the history is checked.

use super::commits::Meter;
use super::load::Load;
use super::read_back::read_back;
use super::recorder::Recorder;
use super::{Progress, Told};
use crate::figures::Figures;
use crate::{BenchError, Load as Rule, RegionRun, Workload};
use althing_checker::{RegisterMap, Specification, Verdict};
use althing_local::LocalCluster;
use althing_sdk::{Client, KvClient};
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

/// The client number of the one that reads back, which no client of the load has.
const READER: u64 = u64::MAX;

/// Keys that are read back at most: of more, the first ones.
const READ_BACK_MAX: usize = 10_000;

/// Between two looks at how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long a run goes on without an answer before it is given up, as in the simulator.
const PATIENCE: Duration = Duration::from_secs(60);

/// Commands that the clients of a region may have in flight in an open load.
const IN_FLIGHT_MAX: usize = 1 << 14;

/// A region as its clients see it.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) region: String,
    /// How they reach the cluster.
    pub(super) client: althing_sdk::Config,
    /// The pages of its nodes, HOST:PORT.
    pub(super) pages: Vec<String>,
    /// See [`RegionRun::bound_us`].
    pub(super) bound_us: u64,
}

/// A run, decided.
pub(super) struct Course<'a> {
    pub(super) workload: &'a Workload,
    /// In the workload's order.
    pub(super) sites: &'a [Site],
    /// What the names of all keys begin with.
    pub(super) prefix: &'a str,
    /// See [`Load`].
    pub(super) spread: Duration,
    pub(super) has_fast_path: bool,
    pub(super) progress: Progress<'a>,
}

/// What came of a run.
pub(super) struct Measured {
    pub(super) regions: Vec<RegionRun>,
    pub(super) seconds: f64,
    pub(super) linearizable: Option<bool>,
    /// The keys that were used.
    pub(super) keys: Vec<Bytes>,
    /// Clients of the regions that are up.
    pub(super) clients: Vec<(usize, KvClient)>,
}

/// What happens beside the clients' work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    WarmedUp,
    Crash(usize),
    Restart(usize),
}

impl Course<'_> {
    /// Runs it. `cluster` is the one that regions are killed in: its nodes are the sites.
    pub(super) async fn run(
        &self,
        mut cluster: Option<&mut LocalCluster>,
    ) -> Result<Measured, BenchError> {
        let connecting: Vec<_> =
            self.sites.iter().map(|site| tokio::spawn(self.connect(site))).collect();
        let mut clients = Vec::new();
        for connecting in connecting {
            clients.push(Some(connecting.await.expect("connecting does not panic")?));
        }
        let mut meters: Vec<Meter> =
            self.sites.iter().map(|site| Meter::new(&site.pages)).collect();
        for meter in &mut meters {
            meter.begin().await;
        }
        let recorder = Arc::new(Recorder::start());
        let mut load = Load::new(recorder.clone(), self.workload, self.prefix, self.spread);
        for (region, kv) in clients.iter().enumerate() {
            load.begin(region, kv.as_ref().expect("just connected"));
        }
        let mut turns = self.turns();
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = (0, recorder.now());
        loop {
            let next = turns.front().map_or(Duration::from_secs(86_400), |(at, _)| *at);
            tokio::select! {
                is_one_more = load.one_ended() => if !is_one_more { break },
                () = sleep_until(recorder.at(next)) => {
                    let (_, turn) = turns.pop_front().expect("a day has not passed");
                    let cluster = cluster.as_deref_mut();
                    self.take(turn, cluster, &mut load, &mut clients, &mut meters).await?;
                }
                _ = ticks.tick() => {
                    let answered = recorder.answered();
                    (self.progress)(Told::Answered(answered as u64));
                    match answered == last.0 {
                        false => last = (answered, recorder.now()),
                        true if recorder.now() < last.1 + PATIENCE => {}
                        true => {
                            self.say(&format!("no answer in {PATIENCE:?}: the run is given up"));
                            (0..self.sites.len()).for_each(|region| load.stop(region));
                        }
                    }
                }
            }
        }
        (self.progress)(Told::Answered(recorder.answered() as u64));
        // The measured part ends here.
        let samples = recorder.samples();
        let mut shares = Vec::new();
        for meter in meters {
            let share = meter.fast_share().await;
            shares.push(share.filter(|_| self.has_fast_path));
        }
        let clients: Vec<(usize, KvClient)> =
            (0..).zip(clients).filter_map(|(region, kv)| kv.map(|kv| (region, kv))).collect();
        let keys = keys_of(&recorder);
        let read = keys.iter().take(READ_BACK_MAX).cloned();
        let read = read_back(&recorder, READER, read, &clients).await;
        let unread = read.iter().filter(|(_, outcome)| outcome.is_err()).count();
        if unread > 0 {
            self.say(&format!("{unread} of {} keys could not be read back", read.len()));
        }
        let linearizable = self.judged(&recorder.verdict().await);

        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let mut figures: Vec<Figures> = self.sites.iter().map(|_| Figures::new()).collect();
        let warm_up = Duration::from_millis(self.workload.warm_up_ms);
        for sample in &samples {
            let is_measured = sample.submitted >= warm_up;
            let took = us(sample.latency());
            figures[sample.region].answered(us(sample.answered), took, is_measured);
        }
        let first = samples.iter().map(|sample| sample.submitted).min().unwrap_or_default();
        let end = samples.iter().map(|sample| sample.answered).max().unwrap_or_default();
        let regions = self.sites.iter().zip(figures).zip(shares).enumerate();
        let regions = regions.map(|(region, ((site, mut figures), fast_share))| {
            let latency = std::mem::replace(&mut figures.latency, RegionRun::histogram());
            RegionRun {
                name: site.region.clone(),
                unanswered: load.begun(region).saturating_sub(latency.len()),
                latency,
                bound_us: site.bound_us,
                fast_share,
                timeline: figures.timeline(us(end)),
            }
        });
        let regions = regions.collect();
        let seconds = end.saturating_sub(first).as_secs_f64();
        Ok(Measured { regions, seconds, linearizable, keys, clients })
    }

    /// Connects the clients of a region, and opens their session: what that takes, a round trip and a
    /// commit, is no command's latency.
    fn connect(
        &self,
        site: &Site,
    ) -> impl Future<Output = Result<KvClient, BenchError>> + Send + use<> {
        let (region, mut config) = (site.region.clone(), site.client.clone());
        config.in_flight_max = match self.workload.load {
            Rule::Open { .. } => IN_FLIGHT_MAX,
            _ => config.in_flight_max.max(self.workload.clients),
        };
        let nothing = format!("{}session", self.prefix);
        async move {
            let client = Client::connect(config).await;
            let failed = |source| BenchError::Connect { region, source: Arc::new(source) };
            let kv = KvClient::new(client.map_err(failed)?);
            // If it fails, the first command shows why.
            let _ = kv.get(nothing).await;
            Ok(kv)
        }
    }

    fn turns(&self) -> VecDeque<(Duration, Turn)> {
        let ms = Duration::from_millis;
        let mut turns = vec![(ms(self.workload.warm_up_ms), Turn::WarmedUp)];
        if let Some(crash) = &self.workload.crash {
            let region = self.workload.regions.iter().position(|it| *it == crash.region);
            let region = region.expect("checked with the workload");
            turns.push((ms(crash.at_ms), Turn::Crash(region)));
            turns.extend(crash.until_ms.map(|until_ms| (ms(until_ms), Turn::Restart(region))));
        }
        turns.sort_by_key(|(at, _)| *at);
        turns.into()
    }

    async fn take(
        &self,
        turn: Turn,
        cluster: Option<&mut LocalCluster>,
        load: &mut Load,
        clients: &mut [Option<KvClient>],
        meters: &mut [Meter],
    ) -> Result<(), BenchError> {
        let cluster = || cluster.expect("without one no workload with a crash gets here");
        match turn {
            Turn::WarmedUp if self.workload.warm_up_ms == 0 => {}
            Turn::WarmedUp => {
                for meter in meters {
                    meter.begin().await;
                }
            }
            Turn::Crash(region) => {
                meters[region].pause().await;
                cluster().kill(region);
                // The clients of a region go with it.
                load.stop(region);
                clients[region] = None;
                self.say(&format!("{} is killed (SIGKILL)", self.sites[region].region));
            }
            Turn::Restart(region) => {
                let cluster = cluster();
                cluster.start_again(region)?;
                cluster.ready(region).await?;
                meters[region].resume().await;
                let kv = self.connect(&self.sites[region]).await?;
                load.begin(region, &kv);
                clients[region] = Some(kv);
                self.say(&format!("{} is started again, and ready", self.sites[region].region));
            }
        }
        Ok(())
    }

    fn judged(&self, verdict: &Verdict) -> Option<bool> {
        match verdict {
            Verdict::Linearizable { .. } => Some(true),
            Verdict::NotLinearizable(account) => {
                self.say(&account.to_string());
                Some(false)
            }
            Verdict::Undecided { operations, decided, steps, .. } => {
                self.say(&format!(
                    "{operations} operations on the same keys were too many to check in {steps} \
                     steps; the first {decided} are in order"
                ));
                None
            }
        }
    }

    fn say(&self, text: &str) {
        (self.progress)(Told::Said(text));
    }
}

/// The keys of all operations, in the order of their names.
fn keys_of(recorder: &Recorder) -> Vec<Bytes> {
    let history = recorder.history();
    let keys = history.operations().iter().flat_map(|it| RegisterMap.keys(&it.input));
    let keys: BTreeSet<_> = keys.collect();
    keys.into_iter().map(|key| Bytes::copy_from_slice(key.bytes())).collect()
}
