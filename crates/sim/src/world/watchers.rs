//! Watchers: what they ask, what they are told, and whether that is right.

use super::World;
use super::clients::CLIENT_DELAY;
use crate::event::Event;
use crate::node::Arrived;
use crate::observe::digest;
use crate::trace::MessageName;
use althing_checker::{Violation, Watched};
use althing_client::{Told, WatchOutput};
use althing_model::{DepSet, Micros, NodeId, Role, SeqSet};
use althing_wire::{Address, ClientId, Message};
use rand::RngExt;

/// The connections of watchers, beside those of clients: this bit is set.
const WATCHER: u64 = 1 << 31;

/// The watcher whose connection that is, if it is one's, and which of those that had the number.
pub(super) fn watcher_of(ClientId(id): ClientId) -> Option<(usize, u64)> {
    (id & WATCHER != 0).then_some(((id & (WATCHER - 1)) as usize, id >> 32))
}

impl World<'_> {
    pub(super) fn begin_watchers(&mut self) {
        for (watcher, plan) in self.plan.watching.watchers.iter().enumerate() {
            let at = self.now + plan.begins_at;
            self.watchers[watcher].wake_at = at;
            self.queue.push(at, Event::WatcherWake { watcher });
        }
    }

    pub(super) fn wake_watcher(&mut self, watcher: usize) -> Result<(), Violation> {
        let it = &mut self.watchers[watcher];
        if it.wake_at != self.now {
            // Another wake-up was set since, for an earlier time.
            return Ok(());
        }
        it.wake_at = Micros::MAX;
        let mut out = Vec::new();
        it.watcher.on_deadline(self.now, &mut out);
        self.watcher_output(watcher, out)
    }

    /// A message of a node to a watcher leaves; the transport drops some.
    pub(super) fn tell_watcher(
        &mut self,
        (watcher, generation): (usize, u64),
        from: NodeId,
        message: Message,
    ) {
        let is_lost = self.plan.watching.lost_permille;
        let nth = self.events;
        if self.draw(("told", watcher, self.now, nth)).random_range(0..1000) < is_lost {
            return;
        }
        let message = Box::new(if self.plan.encodes { self.codec.pass(message) } else { message });
        let at = self.now + self.watcher_delay(watcher, from);
        self.queue.push(at, Event::Told { watcher, generation, from, message });
    }

    pub(super) fn told(
        &mut self,
        watcher: usize,
        generation: u64,
        from: NodeId,
        message: Message,
    ) -> Result<(), Violation> {
        if self.watchers[watcher].generation != generation {
            return Ok(());
        }
        self.mark(("told", watcher, from));
        let mut out = Vec::new();
        self.watchers[watcher].watcher.on_message(self.now, from, message, &mut out);
        self.watcher_output(watcher, out)
    }

    pub(super) fn watcher_takes(
        &mut self,
        watcher: usize,
        generation: u64,
    ) -> Result<(), Violation> {
        if self.watchers[watcher].generation != generation {
            return Ok(());
        }
        let mut out = Vec::new();
        self.watchers[watcher].watcher.on_taken(self.now, &mut out);
        self.watcher_output(watcher, out)
    }

    /// A node stopped, or is back.
    pub(super) fn watchers_see(&mut self, node: NodeId, is_up: bool) -> Result<(), Violation> {
        for watcher in 0..self.watchers.len() {
            let mut out = Vec::new();
            match is_up {
                true => self.watchers[watcher].watcher.on_up(self.now, node),
                false => self.watchers[watcher].watcher.on_down(self.now, node, &mut out),
            }
            self.watcher_output(watcher, out)?;
        }
        Ok(())
    }

    /// Does what a watcher wants done, and sets its alarm.
    fn watcher_output(&mut self, watcher: usize, out: Vec<WatchOutput>) -> Result<(), Violation> {
        for output in out {
            match output {
                WatchOutput::Send(node, message) => self.ask_as_watcher(watcher, node, message),
                WatchOutput::Told(told) => {
                    if self.take_in(watcher, told)? {
                        break;
                    }
                }
                WatchOutput::Compacted { token } => {
                    let it = &mut self.watchers[watcher];
                    let watched = std::mem::replace(&mut it.watched, Watched::new());
                    it.stored = None;
                    if let Some(begun) = it.begun_from.take() {
                        it.ended.push((begun, token, watched));
                    }
                    self.begin_watcher_again(watcher, None);
                }
            }
        }
        let it = &mut self.watchers[watcher];
        if let Some(deadline) = it.watcher.deadline()
            && deadline < it.wake_at
        {
            it.wake_at = deadline.max(self.now + 1);
            let at = it.wake_at;
            self.queue.push(at, Event::WatcherWake { watcher });
        }
        Ok(())
    }

    /// A watcher keeps what it was told; or loses the end of it, and begins again from the rest: then
    /// this says so.
    fn take_in(&mut self, watcher: usize, told: Told) -> Result<bool, Violation> {
        let plan = &self.plan.watching.watchers[watcher];
        let mut rng = self.draw(("take", watcher, self.now, self.events));
        let forgets = !self.is_healed && rng.random_range(0..1000) < plan.forgets_permille;
        let kept = match forgets {
            true => rng.random_range(0..=told.changes.len()),
            false => told.changes.len(),
        };
        let it = &mut self.watchers[watcher];
        if it.begun_from.is_none() && kept == told.changes.len() {
            it.begun_from = Some(told.token.clone());
        }
        for changes in &told.changes[..kept] {
            for change in &changes.changes {
                let words = || format!("{} in {}", change.request, change.vertex);
                it.watched.told(digest(&change.request), words)?;
            }
        }
        it.stored = match (kept.checked_sub(1), told.changes.is_empty()) {
            (Some(last), _) if forgets => Some(told.changes[last].token.clone()),
            (None, false) => it.stored.take(),
            _ => Some(told.token),
        };
        if !forgets {
            let takes = if self.is_healed { 0 } else { plan.takes };
            let generation = it.generation;
            self.queue.push(self.now + takes, Event::Take { watcher, generation });
            return Ok(false);
        }
        let token = it.stored.clone();
        self.begin_watcher_again(watcher, token);
        Ok(true)
    }

    /// Its connections end, and others begin.
    fn begin_watcher_again(&mut self, watcher: usize, token: Option<DepSet>) {
        let it = &mut self.watchers[watcher];
        let gone = client_id(watcher, it.generation);
        let turn: usize = self.draw(("turn", watcher, self.now)).random_range(0..64);
        self.watchers[watcher].begin_again(token, turn);
        let stopped: Vec<NodeId> =
            self.nodes.values().filter(|node| node.roles.is_none()).map(|node| node.id).collect();
        for node in self.nodes.values_mut() {
            let replica = node.roles.as_mut().and_then(|roles| roles.replica.as_mut());
            replica.into_iter().for_each(|replica| replica.on_client_gone(gone));
        }
        let mut nothing = Vec::new();
        let it = &mut self.watchers[watcher].watcher;
        stopped.into_iter().for_each(|node| it.on_down(self.now, node, &mut nothing));
        assert!(nothing.is_empty(), "it has asked nobody yet");
    }

    fn ask_as_watcher(&mut self, watcher: usize, node: NodeId, message: Message) {
        let at = self.now + self.watcher_delay(watcher, node);
        let from = Address::Client(client_id(watcher, self.watchers[watcher].generation));
        let message = if self.plan.encodes { self.codec.pass(message) } else { message };
        // A connection: it breaks when the node stops.
        let life = Some(self.nodes[&node].life);
        let arrived = Arrived { life, from, name: MessageName::LOCAL, message };
        self.queue.push(at, Event::Deliver { to: node, arrived });
    }

    fn watcher_delay(&self, watcher: usize, node: NodeId) -> Micros {
        CLIENT_DELAY + self.network.distance(self.watchers[watcher].home, node)
    }

    /// Watchers that have not been told all that a whole replica has committed.
    pub(crate) fn watchers_behind(&self) -> usize {
        let replicas = self.nodes.values().filter(|node| !node.stays_down);
        let replicas: Vec<_> = replicas
            .filter_map(|node| node.roles.as_ref().and_then(|roles| roles.replica.as_ref()))
            .collect();
        let is_behind = |token: &DepSet| {
            replicas.iter().any(|it| {
                it.committed().iter().any(|(column, set): (_, &SeqSet)| {
                    let mut above = set.ranges().flat_map(|(start, end)| start..end);
                    set.below() > token.prefix(*column)
                        || above.any(|seq| !token.contains(column.vertex(seq)))
                })
            })
        };
        let tokens = self.watchers.iter().map(|it| it.watcher.token());
        tokens.filter(|token| token.is_none_or(is_behind)).count()
    }

    /// The run is over: what watchers were told is what took effect.
    pub(crate) fn finish_watchers(&mut self) -> Result<(), Violation> {
        let has_replica = |node: &NodeId| self.plan.membership.has(*node, Role::Replica);
        let mut whole = self.nodes.values().filter(|node| !node.stays_down).map(|node| node.id);
        let Some(replica) = whole.rfind(has_replica) else { return Ok(()) };
        let modes = self.conflicts.modes();
        for it in &self.watchers {
            let Some(begun) = &it.begun_from else { continue };
            let token = it.watcher.token().cloned().unwrap_or_default();
            let last = [(begun, &token, &it.watched)];
            let all = it.ended.iter().map(|(from, to, watched)| (from, to, watched)).chain(last);
            for (from, to, watched) in all {
                self.observer.check_watched(replica, (from, to), &it.filter, modes, watched)?;
            }
        }
        Ok(())
    }
}

fn client_id(watcher: usize, generation: u64) -> ClientId {
    ClientId(generation << 32 | WATCHER | watcher as u64)
}
