//! Clients at work, in closed loops and in open ones; what they see goes to a tally, and, if there is
//! one, to a recorder of histories.

use super::tally::Tally;
use crate::real::Recorder;
use althing_kv::{KvCommand, KvReply};
use althing_sdk::{Error, KvClient, KvError};
use rand::SeedableRng;
use rand_distr::{Distribution, Exp};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

/// After a command that failed for sure: whoever cannot be reached is not asked in a tight loop.
const FAILED_PAUSE: Duration = Duration::from_millis(20);

/// What one client asks for.
pub(super) trait Commands: Send + 'static {
    /// The next command.
    fn next_command(&mut self) -> KvCommand;

    /// How it ended; told to clients of closed loops.
    fn ended(&mut self, _command: &KvCommand, _outcome: &Result<KvReply, KvError>) {}
}

/// Whether clients may begin commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    Open,
    Shut,
    Over,
}

/// All clients of a run.
pub(super) struct Load<C> {
    shared: Arc<Shared>,
    clients: JoinSet<Vec<C>>,
    numbered: u64,
}

struct Shared {
    tally: Arc<Tally>,
    history: Option<Arc<Recorder>>,
    gate: watch::Sender<Gate>,
    /// Commands that closed loops may still begin.
    left: AtomicU64,
}

impl<C: Commands> Load<C> {
    /// No client works yet. Closed loops end after so many answers together, or when told to.
    pub(super) fn new(
        tally: Arc<Tally>,
        history: Option<Arc<Recorder>>,
        answers_max: Option<u64>,
    ) -> Self {
        let left = AtomicU64::new(answers_max.unwrap_or(u64::MAX));
        let shared = Shared { tally, history, gate: watch::Sender::new(Gate::Open), left };
        Self { shared: Arc::new(shared), clients: JoinSet::new(), numbered: 0 }
    }

    /// One more client of a node: it sends its next command when the last one has ended and it has
    /// thought for so long.
    pub(super) fn closed(&mut self, node: usize, kv: &KvClient, commands: C, think: Duration) {
        let client =
            Client { number: self.numbered, node, kv: kv.clone(), shared: self.shared.clone() };
        self.numbered += 1;
        self.clients.spawn(client.closed(commands, think));
    }

    /// Commands for a node at random times, so many a second until `until`, whatever is answered;
    /// sessions take turns.
    pub(super) fn open(
        &mut self,
        node: usize,
        sessions: &[KvClient],
        commands: C,
        rate: f64,
        until: Duration,
    ) {
        let numbers = self.numbered..;
        self.numbered += sessions.len() as u64;
        let clients = sessions.iter().zip(numbers).map(|(kv, number)| {
            Arc::new(Client { number, node, kv: kv.clone(), shared: self.shared.clone() })
        });
        self.clients.spawn(open(clients.collect(), commands, rate, until));
    }

    /// Lets nobody begin a command, until [`Self::resume`].
    pub(super) fn pause(&self) {
        self.shared.gate.send_replace(Gate::Shut);
    }

    /// Lets them go on.
    pub(super) fn resume(&self) {
        self.shared.gate.send_replace(Gate::Open);
    }

    /// Lets every client finish its command, and returns what they asked from.
    pub(super) async fn finish(self) -> Vec<C> {
        self.shared.gate.send_replace(Gate::Over);
        self.ended().await
    }

    /// Waits until all answers are there, or the time of open loads is over.
    pub(super) async fn ended(mut self) -> Vec<C> {
        let mut all = Vec::new();
        while let Some(client) = self.clients.join_next().await {
            all.extend(client.expect("a client does not panic, nobody aborts it"));
        }
        all
    }
}

struct Client {
    number: u64,
    node: usize,
    kv: KvClient,
    shared: Arc<Shared>,
}

impl Client {
    async fn closed<C: Commands>(self, mut commands: C, think: Duration) -> Vec<C> {
        let mut gate = self.shared.gate.subscribe();
        loop {
            let gate = gate.wait_for(|gate| *gate != Gate::Shut).await.map(|gate| *gate);
            if gate.is_ok_and(|gate| gate == Gate::Over) || !self.takes_one() {
                return vec![commands];
            }
            let command = commands.next_command();
            let outcome = self.execute(self.shared.tally.now(), command.clone()).await;
            commands.ended(&command, &outcome);
            if outcome.is_err() {
                self.shared.left.fetch_add(1, Relaxed);
            }
            if matches!(outcome, Err(KvError::Command(Error::Failed(_)))) {
                sleep(FAILED_PAUSE).await;
            }
            if !think.is_zero() {
                sleep(think).await;
            }
        }
    }

    /// Whether there is a command left for it.
    fn takes_one(&self) -> bool {
        let taken = self.shared.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        taken.is_ok()
    }

    async fn execute(&self, due: Duration, command: KvCommand) -> Result<KvReply, KvError> {
        let outcome = match &self.shared.history {
            Some(recorder) => recorder.execute(self.number, self.node, &self.kv, command).await,
            None => self.kv.execute(command).await,
        };
        self.shared.tally.ended(due, &outcome);
        outcome
    }
}

async fn open<C: Commands>(
    clients: Vec<Arc<Client>>,
    mut commands: C,
    rate: f64,
    until: Duration,
) -> Vec<C> {
    let gaps = Exp::new(rate).expect("a rate is above zero");
    let tally = clients[0].shared.tally.clone();
    let mut random = rand::rngs::StdRng::from_rng(&mut rand::rng());
    let mut running = JoinSet::new();
    let mut due = tally.now();
    for client in clients.iter().cycle() {
        due += Duration::from_secs_f64(gaps.sample(&mut random).min(86_400.0));
        if due >= until {
            break;
        }
        // The timer has a grain of a millisecond: what is due by now goes without one.
        if due > tally.now() {
            sleep_until(tally.at(due)).await;
        }
        while running.try_join_next().is_some() {}
        tally.sent(due);
        let (client, command) = (client.clone(), commands.next_command());
        running.spawn(async move { client.execute(due, command).await.is_ok() });
    }
    while running.join_next().await.is_some() {}
    vec![commands]
}
