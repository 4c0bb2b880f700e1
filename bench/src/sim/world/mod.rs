//! The virtual world: nodes of one protocol in their regions, clients beside them, and one queue of
//! events in virtual time.

mod failure;
mod submission;

use super::clients::{Client, Operation};
use super::history::Recorder;
use super::node::{Commits, Out, ProtocolNode};
use super::queue::Queue;
use super::settings::Settings;
use crate::figures::Figures;
use crate::keys::KeySpace;
use crate::{Load, Workload};
use althing_checker::Violation;
use althing_model::Micros;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// How long a run goes on without an answer before it is given up, in virtual microseconds: much
/// longer than any recovery or election takes.
const PATIENCE: Micros = 60_000_000;

/// How long nodes may take to execute what the others have, after the last answer.
const DRAIN: Micros = 10_000_000;

/// How often progress is told, in answers.
const PROGRESS_EVERY: u64 = 1 << 12;

/// Something that happens.
enum Event<M> {
    Deliver { from: u8, to: u8, life: u8, message: M },
    Wake { node: u8 },
    Connect { client: u32, life: u8 },
    Arrive { region: u8 },
    WarmedUp,
    Crash { node: u8 },
    Restart { node: u8 },
    Notice { node: u8, of: u8, is_up: bool },
}

/// A node of the protocol and what the simulator knows of it.
struct Place<P> {
    node: P,
    is_up: bool,
    /// How often it crashed: what was meant for an earlier life does not reach this one.
    life: u8,
    wake_at: Micros,
    executed: u64,
}

/// A run in progress.
pub(super) struct World<'a, P: ProtocolNode> {
    workload: &'a Workload,
    settings: &'a Settings,
    progress: &'a dyn Fn(f64),
    now: Micros,
    queue: Queue<Event<P::Message>>,
    /// One way, from row to column, in microseconds.
    distances: Vec<Vec<Micros>>,
    places: Vec<Place<P>>,
    clients: Vec<Client>,
    operations: Vec<Operation>,
    keys: KeySpace,
    figures: Vec<Figures>,
    recorder: Option<Recorder>,
    out: Out<P::Message>,
    arrivals: Xoshiro256PlusPlus,
    /// Which client of a region the next arrival belongs to.
    turn: Vec<usize>,
    warm_up: Micros,
    /// No command begins after it.
    ends_at: Micros,
    commands_max: u64,
    ended: u64,
    /// Operations whose client lost its node.
    abandoned: u64,
    first_submitted: Option<Micros>,
    last_answered: Micros,
}

/// What came of a run.
pub(super) struct Finished {
    pub(super) figures: Vec<Figures>,
    pub(super) commits: Vec<Commits>,
    pub(super) seconds: f64,
    pub(super) end: Micros,
    pub(super) verdict: Option<Result<(), Violation>>,
}

impl<'a, P: ProtocolNode> World<'a, P> {
    /// `nodes` stand in the workload's regions, `distances` apart.
    pub(super) fn new(
        workload: &'a Workload,
        settings: &'a Settings,
        distances: Vec<Vec<Micros>>,
        nodes: Vec<P>,
        progress: &'a dyn Fn(f64),
    ) -> Self {
        let regions = nodes.len();
        let total = regions * workload.clients;
        let clients = (0..total).map(|it| Client::new(it / workload.clients, it, workload.seed));
        let keys = KeySpace::new(workload, total, "");
        let crashing = workload.crash.as_ref().map(|crash| &crash.region);
        let stays_up = |region: &&String| Some(*region) != crashing;
        let witness = workload.regions.iter().position(|region| stays_up(&region));
        let recorder = settings.checks.then(|| {
            let witness = witness.expect("there are several regions, and one crashes");
            Recorder::new(keys.names(), workload, witness)
        });
        let ms = |ms: u64| ms * 1000;
        let (ends_at, commands_max) = match workload.load {
            Load::Closed { commands } => (Micros::MAX, commands),
            Load::ClosedFor { duration_ms } | Load::Open { duration_ms, .. } => {
                (ms(duration_ms), u64::MAX)
            }
        };
        let place = |node| Place { node, is_up: true, life: 0, wake_at: Micros::MAX, executed: 0 };
        Self {
            workload,
            settings,
            progress,
            now: 0,
            queue: Queue::default(),
            distances,
            places: nodes.into_iter().map(place).collect(),
            clients: clients.collect(),
            operations: Vec::new(),
            keys,
            figures: (0..regions).map(|_| Figures::new()).collect(),
            recorder,
            out: Out::default(),
            arrivals: Xoshiro256PlusPlus::seed_from_u64(!workload.seed),
            turn: vec![0; regions],
            warm_up: ms(workload.warm_up_ms),
            ends_at,
            commands_max,
            ended: 0,
            abandoned: 0,
            first_submitted: None,
            last_answered: 0,
        }
    }

    /// Runs it to its end.
    pub(super) fn run(mut self) -> Finished {
        self.begin();
        while !self.is_done() && self.now < self.last_answered.max(self.warm_up) + PATIENCE {
            self.step();
        }
        let commits = self.places.iter_mut().map(|it| it.node.take_commits()).collect();
        self.drain();
        for operation in self.operations.iter().filter(|it| !it.is_ended && it.is_measured) {
            self.figures[self.clients[operation.client as usize].region].unanswered += 1;
        }
        let first = self.first_submitted.unwrap_or(0);
        Finished {
            figures: self.figures,
            commits,
            seconds: self.last_answered.saturating_sub(first) as f64 / 1e6,
            end: self.last_answered,
            verdict: self.recorder.map(|recorder| recorder.check()),
        }
    }

    fn begin(&mut self) {
        let nodes = self.places.len();
        for node in 0..nodes {
            self.with_node(node, |node, now, out| node.start(now, out));
            for other in (0..nodes).filter(|other| *other != node) {
                let link = self.link(node, other, true);
                self.with_node(node, |node, now, out| node.on_link(now, other, link, out));
            }
        }
        // Not all at one time: they would stay in step for ever.
        let spread = self.distances.iter().flatten().max().copied().unwrap_or(0).max(1);
        for client in 0..self.clients.len() {
            let at = self.clients[client].rng.random_range(0..2 * spread);
            self.queue.push(at, Event::Connect { client: client as u32, life: 0 });
        }
        if let Load::Open { .. } = self.workload.load {
            for region in 0..nodes {
                self.schedule_arrival(region);
            }
        }
        self.queue.push(self.warm_up, Event::WarmedUp);
        if let Some(crash) = &self.workload.crash {
            let node = self.workload.regions.iter().position(|it| *it == crash.region);
            let node = node.expect("checked with the workload") as u8;
            self.queue.push(crash.at_ms * 1000, Event::Crash { node });
            if let Some(until_ms) = crash.until_ms {
                self.queue.push(until_ms * 1000, Event::Restart { node });
            }
        }
    }

    /// Whether every client has what it was to have.
    fn is_done(&self) -> bool {
        let is_open = self.ended + self.abandoned < self.operations.len() as u64;
        if is_open || self.first_submitted.is_none() {
            return false;
        }
        match self.workload.load {
            Load::Closed { commands } => {
                self.clients.iter().all(|client| client.is_gone || client.counted >= commands)
            }
            _ => self.now >= self.ends_at,
        }
    }

    /// Does the next event.
    fn step(&mut self) {
        let Some((at, event)) = self.queue.pop() else {
            // Nobody will ever do anything: as good as having waited.
            self.now = Micros::MAX;
            return;
        };
        self.now = at;
        match event {
            Event::Deliver { from, to, life, message } => {
                let place = &self.places[usize::from(to)];
                if place.is_up && place.life == life {
                    self.with_node(usize::from(to), |node, now, out| {
                        node.on_message(now, usize::from(from), message, out);
                    });
                }
            }
            Event::Wake { node } => self.wake(usize::from(node)),
            Event::Connect { client, life } => self.connect(client, life),
            Event::Arrive { region } => self.arrive(usize::from(region)),
            Event::WarmedUp => {
                for place in &mut self.places {
                    place.node.take_commits();
                }
            }
            Event::Crash { node } => self.crash(usize::from(node)),
            Event::Restart { node } => self.restart(usize::from(node)),
            Event::Notice { node, of, is_up } => {
                let (node, of) = (usize::from(node), usize::from(of));
                if self.places[node].is_up && self.places[of].is_up == is_up {
                    let link = self.link(node, of, is_up);
                    self.with_node(node, |node, now, out| node.on_link(now, of, link, out));
                }
            }
        }
    }

    /// Lets the nodes that are up execute what was committed.
    fn drain(&mut self) {
        let until = self.now.saturating_add(DRAIN);
        let operations = self.operations.len() as u64;
        let lags = |it: &Place<P>| it.is_up && it.executed < operations;
        while self.now < until && self.places.iter().any(lags) {
            self.step();
        }
    }

    /// Calls a node and does what it wants done.
    fn with_node(&mut self, node: usize, call: impl FnOnce(&mut P, Micros, &mut Out<P::Message>)) {
        let mut out = std::mem::take(&mut self.out);
        call(&mut self.places[node].node, self.now, &mut out);
        // What clients do at once calls the node again.
        loop {
            for (to, message) in out.sends.drain(..) {
                let at = self.now + self.distances[node][to];
                let life = self.places[to].life;
                let (from, to) = (node as u8, to as u8);
                self.queue.push(at, Event::Deliver { from, to, life, message });
            }
            for request in out.executed.drain(..) {
                let client = &self.clients[request.client as usize];
                self.places[node].executed += 1;
                if let Some(recorder) = &mut self.recorder {
                    recorder.executed(node, client.operations[request.sequence as usize]);
                }
            }
            let next = if let Some(client) = out.connected.pop_front() {
                self.clients[client as usize].is_connected = true;
                self.next_of(client)
            } else if let Some((request, outcome)) = out.answers.pop_front() {
                self.answered(request, outcome)
            } else {
                break;
            };
            if let Some(request) = next {
                self.places[node].node.on_submit(self.now, request, &mut out);
            }
        }
        self.out = out;
        let place = &mut self.places[node];
        if let Some(deadline) = place.node.deadline()
            && deadline < place.wake_at
        {
            place.wake_at = deadline.max(self.now + 1);
            self.queue.push(place.wake_at, Event::Wake { node: node as u8 });
        }
    }

    fn wake(&mut self, node: usize) {
        let place = &mut self.places[node];
        if place.wake_at != self.now || !place.is_up {
            // Another wake-up was set since, for an earlier time.
            return;
        }
        place.wake_at = Micros::MAX;
        let is_due = place.node.deadline().is_some_and(|at| at <= self.now);
        self.with_node(node, |node, now, out| {
            if is_due {
                node.on_deadline(now, out);
            }
        });
    }

    /// How much of the run is over.
    fn share_done(&self) -> f64 {
        let total = match self.workload.load {
            Load::Closed { commands } => self.clients.len() as f64 * commands as f64,
            _ => return (self.now as f64 / self.ends_at as f64).min(1.0),
        };
        (self.ended as f64 / total).min(1.0)
    }
}
