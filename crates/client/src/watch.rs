//! One watch: where it is asked for, how far it has been told, and where it goes on.
//!
//! It asks one node at a time, the nearest that is up, and goes on at the next where that one is gone,
//! silent, or cannot go on. From one node to the next it carries its token
//! (`althing_replica`, watching), so that nothing is lost on the way and nothing told twice.
//!
//! Each time it asks under another number, so that what an earlier node still says is known to be late.

use althing_model::mark::{self, Mark};
use althing_model::{DepSet, Filter, Jitter, Micros, NodeId, VertexId};
use althing_wire::limits::EXTRAS_MAX;
use althing_wire::{Change, Message, Unwatch, Watch, WatchEnd, WatchEnded, WatchTaken, Watched};
use std::collections::{BTreeSet, VecDeque};

/// A watch's settings. All times in microseconds.
#[derive(Debug, Clone)]
pub struct WatchConfig {
    /// The nodes to ask, the nearest first: those with a replica.
    pub nodes: Vec<NodeId>,
    /// A node that says nothing for so long is left; well above the time in which a replica tells idle
    /// watchers that it is there, and above that for which it waits for a token.
    pub silence: Micros,
    /// How long to wait when no node could go on, at first; randomised, and doubled up to 64 times.
    pub back_off: Micros,
    /// The numbers of its attempts begin here: no other watch of the same connections may use them.
    pub first_number: u64,
    /// For randomised back-off.
    pub seed: u64,
}

/// What one vertex changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The vertex.
    pub vertex: VertexId,
    /// Its commands that took effect and that the filter let through, in their order; at least one.
    pub changes: Vec<Change>,
    /// Where to go on behind it.
    pub token: DepSet,
}

/// What a watch wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchOutput {
    /// Send this to that node.
    Send(NodeId, Message),
    /// Tell whoever watches, and then say [`Watcher::on_taken`], once for each of these.
    Told(Told),
    /// It is over: no node that is up has what comes after the token. Read the state anew, and watch
    /// from the token that this gives.
    Compacted {
        /// Where it ended.
        token: DepSet,
    },
}

/// What a node told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What was changed, in the order of execution at that node; there may be nothing.
    pub changes: Vec<Changes>,
    /// Where to go on behind all of it.
    pub token: DepSet,
}

/// A watch.
#[derive(Debug)]
pub struct Watcher {
    config: WatchConfig,
    filter: Filter,
    /// None until a node has told one.
    token: Option<DepSet>,
    state: State,
    /// The number of the current attempt, or of the last.
    number: u64,
    down: Vec<bool>,
    /// Nodes that have forgotten what the token lacks.
    compacted: BTreeSet<usize>,
    /// Attempts since something was told.
    attempts: u32,
    /// The changes of a vertex of which not all were told yet.
    begun: Option<(VertexId, Vec<Change>)>,
    /// What was told and is not taken yet: the attempt and the number of each message.
    untaken: VecDeque<(u64, u64)>,
    jitter: Jitter,
}

/// What it is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It asks again then.
    Pausing { until: Micros },
    /// A node was asked, and has told messages below `next`.
    Asked { node: usize, next: u64, heard_at: Micros },
    /// It is over.
    Ended,
}

impl Watcher {
    /// A watch from a token, or from now on. It asks when [`Self::on_deadline`] is called first.
    pub fn new(config: WatchConfig, filter: Filter, token: Option<DepSet>) -> Self {
        assert!(!config.nodes.is_empty(), "a watch has a node to ask");
        Self {
            filter,
            token,
            state: State::Pausing { until: 0 },
            number: config.first_number,
            down: vec![false; config.nodes.len()],
            compacted: BTreeSet::new(),
            attempts: 0,
            begun: None,
            untaken: VecDeque::new(),
            jitter: Jitter::new(config.seed),
            config,
        }
    }

    /// Where to go on, behind all that was told; none before a node has told where it begins.
    pub fn token(&self) -> Option<&DepSet> {
        self.token.as_ref()
    }

    /// The node that it is asking.
    pub fn node(&self) -> Option<NodeId> {
        match self.state {
            State::Asked { node, .. } => Some(self.config.nodes[node]),
            State::Pausing { .. } | State::Ended => None,
        }
    }

    /// Whether a message of a node is for this watch.
    pub fn is_for(&self, message: &Message) -> bool {
        match message {
            Message::Watched(Watched { watch, .. })
            | Message::WatchEnded(WatchEnded { watch, .. }) => {
                *watch >= self.config.first_number && *watch <= self.number
            }
            _ => false,
        }
    }

    /// A node said something.
    pub fn on_message(
        &mut self,
        now: Micros,
        from: NodeId,
        message: Message,
        out: &mut Vec<WatchOutput>,
    ) {
        let State::Asked { node, next, .. } = self.state else { return };
        if self.config.nodes[node] != from {
            return;
        }
        match message {
            Message::Watched(told) if told.watch == self.number => {
                if told.number != next {
                    // One was lost: what follows may not be told before it.
                    mark::hit(Mark::WatchMissedOne);
                    self.leave(out);
                    return self.ask_next(now, node, out);
                }
                self.state = State::Asked { node, next: next + 1, heard_at: now };
                self.attempts = 0;
                self.compacted.clear();
                self.tell(told, out);
            }
            Message::WatchEnded(ended) if ended.watch == self.number => {
                if ended.why == WatchEnd::Compacted {
                    self.compacted.insert(node);
                }
                self.begun = None;
                self.ask_next(now, node, out);
            }
            _ => {}
        }
    }

    /// Whoever watches has taken in what it was told first of what it has not taken in.
    pub fn on_taken(&mut self, now: Micros, out: &mut Vec<WatchOutput>) {
        let Some((attempt, number)) = self.untaken.pop_front() else { return };
        if let State::Asked { node, next, .. } = self.state {
            // While it was not taken, the node may have had nothing to say.
            self.state = State::Asked { node, next, heard_at: now };
            if attempt == self.number {
                let taken = WatchTaken { watch: attempt, number };
                out.push(WatchOutput::Send(self.config.nodes[node], taken.into()));
            }
        }
    }

    /// A node's connection broke.
    pub fn on_down(&mut self, now: Micros, node: NodeId, out: &mut Vec<WatchOutput>) {
        let Some(index) = self.index_of(node) else { return };
        self.down[index] = true;
        if matches!(self.state, State::Asked { node, .. } if node == index) {
            self.begun = None;
            self.ask_next(now, index, out);
        }
    }

    /// A node is connected.
    pub fn on_up(&mut self, now: Micros, node: NodeId) {
        let Some(index) = self.index_of(node) else { return };
        self.down[index] = false;
        if let State::Pausing { until } = &mut self.state {
            *until = now.min(*until);
        }
    }

    /// The earliest time at which [`Self::on_deadline`] has something to do.
    pub fn deadline(&self) -> Option<Micros> {
        match self.state {
            // What was told is taken first: nobody is asked for more than can be taken.
            _ if !self.untaken.is_empty() => None,
            State::Pausing { until } => Some(until),
            State::Asked { heard_at, .. } => Some(heard_at.saturating_add(self.config.silence)),
            State::Ended => None,
        }
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, now: Micros, out: &mut Vec<WatchOutput>) {
        if self.deadline().is_none_or(|at| at > now) {
            return;
        }
        match self.state {
            State::Pausing { .. } => self.ask(now, out),
            State::Asked { node, .. } => {
                mark::hit(Mark::WatchedNodeSilent);
                self.leave(out);
                self.ask_next(now, node, out);
            }
            State::Ended => {}
        }
    }

    /// Whoever watches wants to be told no more.
    pub fn stop(&mut self, out: &mut Vec<WatchOutput>) {
        self.leave(out);
        self.state = State::Ended;
    }

    fn tell(&mut self, told: Watched, out: &mut Vec<WatchOutput>) {
        let mut all: Vec<(VertexId, Vec<Change>)> = self.begun.take().into_iter().collect();
        for change in told.changes {
            match all.last_mut() {
                Some((vertex, changes)) if *vertex == change.vertex => changes.push(change),
                _ => all.push((change.vertex, vec![change])),
            }
        }
        if told.is_cut {
            self.begun = all.pop();
        }
        let mut token = self.token.take().unwrap_or_default();
        let changes = all.into_iter().map(|(vertex, changes)| {
            token.insert(vertex);
            Changes { vertex, changes, token: token.clone() }
        });
        let changes: Vec<Changes> = changes.collect();
        if let Some(own) = &told.token {
            token.union(own);
        }
        self.token = Some(token.clone());
        self.untaken.push_back((told.watch, told.number));
        out.push(WatchOutput::Told(Told { changes, token }));
    }

    /// Says that it wants no more of the node that it asked.
    fn leave(&mut self, out: &mut Vec<WatchOutput>) {
        self.begun = None;
        if let State::Asked { node, .. } = self.state {
            let watch = self.number;
            out.push(WatchOutput::Send(self.config.nodes[node], Unwatch { watch }.into()));
        }
    }

    /// That node is not asked any more; the next is, or after a pause, or there is none.
    fn ask_next(&mut self, now: Micros, left: usize, out: &mut Vec<WatchOutput>) {
        let count = self.config.nodes.len();
        let mut others = (1..=count).map(|step| (left + step) % count);
        let may_be_asked = |node: &usize| !self.down[*node] && !self.compacted.contains(node);
        let next = others.find(may_be_asked);
        let is_none_left = (0..count).all(|node| self.down[node] || self.compacted.contains(&node));
        if is_none_left && !self.compacted.is_empty() {
            self.state = State::Ended;
            let token = self.token.clone().unwrap_or_default();
            out.push(WatchOutput::Compacted { token });
            return;
        }
        self.attempts += 1;
        match next {
            // Each is asked once before there is a pause.
            Some(next) if (self.attempts as usize) < count && self.untaken.is_empty() => {
                self.ask_node(now, next, out);
            }
            _ => {
                let exponent = (self.attempts / count as u32).min(6);
                let pause = self.jitter.around(self.config.back_off << exponent);
                self.state = State::Pausing { until: now + pause };
            }
        }
    }

    /// Asks the nearest node that is up.
    fn ask(&mut self, now: Micros, out: &mut Vec<WatchOutput>) {
        let count = self.config.nodes.len();
        let nearest = (0..count)
            .map(|step| (self.attempts as usize + step) % count)
            .find(|node| !self.down[*node] && !self.compacted.contains(node));
        match nearest {
            Some(node) => self.ask_node(now, node, out),
            None => {
                let pause = self.jitter.around(self.config.back_off << 6);
                self.state = State::Pausing { until: now + pause };
            }
        }
    }

    fn ask_node(&mut self, now: Micros, node: usize, out: &mut Vec<WatchOutput>) {
        let extras =
            |token: &DepSet| token.columns().map(|(_, row)| row.extras().len()).sum::<usize>();
        // Such a token fits no message; replicas tell shorter ones long before.
        if self.token.as_ref().is_some_and(|token| extras(token) > EXTRAS_MAX) {
            self.state = State::Ended;
            let token = self.token.clone().unwrap_or_default();
            out.push(WatchOutput::Compacted { token });
            return;
        }
        self.number += 1;
        self.state = State::Asked { node, next: 1, heard_at: now };
        let (watch, filter, token) = (self.number, self.filter.clone(), self.token.clone());
        let message = Watch { watch, filter, token }.into();
        out.push(WatchOutput::Send(self.config.nodes[node], message));
    }

    fn index_of(&self, node: NodeId) -> Option<usize> {
        self.config.nodes.iter().position(|known| *known == node)
    }
}
