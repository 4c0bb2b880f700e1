//! What goes wrong, as it happens.

use super::World;
use crate::event::Event;
use crate::fault::{Family, Fault, Trouble, Way};
use crate::trace::Traced;
use althing_checker::Violation;
use althing_model::{Micros, NodeId, Operation};

/// How long a node takes to notice that another is down or back.
const DETECT: Micros = 300_000;

impl World<'_> {
    /// Begins the episodes whose time has come; clients may ask for a barrier.
    pub(super) fn begin_episodes(&mut self) {
        while let Some(after) = self.plan.snapshots.asked_after.get(self.barriers_asked)
            && *after <= self.operations_ended
        {
            self.barriers_asked += 1;
            self.submit_over_everything(Operation::Barrier);
        }
        while let Some(episode) = self.plan.episodes.get(self.episodes_begun)
            && episode.after <= self.operations_ended
            && !self.is_healed
        {
            self.episodes_begun += 1;
            match episode.family {
                Family::CrashAll => self.counts.count(Trouble::CrashesOfAll),
                Family::Swizzle => self.counts.count(Trouble::Swizzles),
                Family::Strand => self.counts.count(Trouble::Strandings),
                Family::Lag => self.counts.count(Trouble::Lags),
                _ => {}
            }
            for (after, fault) in &episode.faults {
                self.queue.push(self.now + after, Event::Fault(*fault));
            }
        }
    }

    /// All faults end: the network is whole and every node runs, but for those with a lost disk.
    pub(crate) fn heal(&mut self) -> Result<(), Violation> {
        self.is_healed = true;
        self.network.heal_all();
        self.trace(|| Traced::Healed);
        for id in self.plan.membership.nodes() {
            let now = self.now;
            self.nodes.get_mut(&id).expect("a member").heal(now);
            self.restart(id)?;
        }
        for id in self.plan.membership.nodes() {
            self.detect(id)?;
        }
        Ok(())
    }

    pub(super) fn fault(&mut self, fault: Fault) -> Result<(), Violation> {
        if self.is_healed {
            return Ok(());
        }
        self.mark(format!("{fault:?}"));
        self.trace(|| Traced::Fault(fault));
        let now = self.now;
        let about = match fault {
            Fault::Crash(id) => return self.crash(id),
            Fault::Restart(id) => return self.restart(id),
            Fault::ClientGone(client) => return self.client_gone(client),
            Fault::Wipe(id) => {
                self.counts.count(Trouble::Wipes);
                self.crash(id)?;
                self.lose_disk(id, true);
                return Ok(());
            }
            Fault::LoseSnapshots(id) => {
                self.counts.count(Trouble::SnapshotsLost);
                self.crash(id)?;
                self.node_mut(id).shelf.lose();
                return Ok(());
            }
            Fault::Rot(id) => return self.rot(id),
            Fault::Burst(permille, length) => {
                self.counts.count(Trouble::Bursts);
                self.network.burst(now + length, permille);
                return Ok(());
            }
            Fault::Suspect { by, of, is_up } => {
                if !is_up {
                    self.counts.count(Trouble::Suspicions);
                }
                self.suspect(by, of, is_up);
                return self.apply(by, Vec::new());
            }
            Fault::Cut { node, way } => {
                let trouble = if way == Way::Both { Trouble::Cuts } else { Trouble::OneWayCuts };
                self.counts.count(trouble);
                self.network.cut(node, way);
                node
            }
            Fault::Block { from, to } => {
                self.counts.count(Trouble::Cuts);
                self.network.block(from, to);
                to
            }
            Fault::Mute { node, kind, to } => {
                self.counts.count(Trouble::Mutes);
                self.network.mute(node, kind, to);
                node
            }
            Fault::Heal(node) => {
                self.network.heal(node);
                node
            }
            Fault::CrashAt { node, record, edge, back } => {
                self.node_mut(node).crash_at = Some((record, edge, back));
                return Ok(());
            }
            Fault::SyncFails(node) => {
                self.node_mut(node).sync_fails = true;
                return Ok(());
            }
            Fault::Pause(node, length) => {
                self.counts.count(Trouble::Pauses);
                let it = self.node_mut(node);
                it.busy_until = it.busy_until.max(now + length);
                node
            }
            Fault::Slow(node, handling) => {
                self.counts.count_many(Trouble::SlowNodes, u64::from(handling > 0));
                self.node_mut(node).handling = handling;
                return Ok(());
            }
            Fault::SlowDisk(node, extra) => {
                self.counts.count_many(Trouble::SlowDisks, u64::from(extra > 0));
                self.node_mut(node).sync_extra = extra;
                return Ok(());
            }
            Fault::Jump(node, by) => {
                self.counts.count(Trouble::ClockJumps);
                self.node_mut(node).clock.jump(now, by);
                self.observer.clock_jumped(node, by);
                return self.apply(node, Vec::new());
            }
            Fault::Drift(node, ppm) => {
                self.counts.count(Trouble::ClockDrifts);
                self.node_mut(node).clock.drift(now, ppm);
                return self.apply(node, Vec::new());
            }
        };
        self.queue.push(now + DETECT, Event::Detect { node: about });
        Ok(())
    }

    /// A node stops.
    pub(super) fn crash(&mut self, id: NodeId) -> Result<(), Violation> {
        let mut rng = self.draw(("crash", id, self.now));
        let now = self.now;
        let node = self.node_mut(id);
        node.registry = None;
        if node.roles.take().is_none() {
            return Ok(());
        }
        let crashed = node.disk.crash(&mut rng);
        (node.fetch, node.copying) = (None, None);
        let writing = node.writing.take().map(|it| (it.snapshot.number, it.snapshot.pieces));
        node.shelf.crash(writing, &mut rng);
        node.busy_until = 0;
        node.inbox.clear();
        node.is_resuming = false;
        node.sync_fails = false;
        self.trace(|| Traced::Stopped(id));
        self.counts.count(Trouble::Crashes);
        self.counts.count_many(Trouble::Unsynced, crashed.lost);
        self.counts.count_many(Trouble::Survived, crashed.survived);
        self.queue.push(now + DETECT, Event::Detect { node: id });
        for client in 0..self.clients.len() {
            let mut out = Vec::new();
            self.clients[client].client.on_down(now, id, &mut out);
            self.client_output(client, out)?;
        }
        self.watchers_see(id, false)
    }

    /// A node stops where it was told to, and starts again later.
    pub(super) fn crash_at_edge(&mut self, id: NodeId) -> Result<(), Violation> {
        let (.., back) = self.node_mut(id).crash_at.take().expect("it was told to");
        self.counts.count(Trouble::EdgeCrashes);
        self.queue.push(self.now + back, Event::Fault(Fault::Restart(id)));
        self.crash(id)
    }

    /// A bit changes on a node's disk, which is then started from it.
    fn rot(&mut self, id: NodeId) -> Result<(), Violation> {
        self.crash(id)?;
        let mut rng = self.draw(("rot", id, self.now));
        let node = self.node_mut(id);
        if !node.is_lost && node.disk.rot(&mut rng) {
            node.has_rotten = true;
            self.counts.count(Trouble::BitRot);
        }
        self.restart(id)
    }

    fn restart(&mut self, id: NodeId) -> Result<(), Violation> {
        let node = &self.nodes[&id];
        if node.roles.is_some() || node.registry.is_some() || node.stays_down {
            return Ok(());
        }
        self.back(id)
    }

    /// A node starts, or asks first whether it may.
    pub(super) fn back(&mut self, id: NodeId) -> Result<(), Violation> {
        self.start_node(id)?;
        if self.nodes[&id].roles.is_none() {
            return Ok(());
        }
        self.counts.count(Trouble::Restarts);
        self.queue.push(self.now + DETECT, Event::Detect { node: id });
        for client in &mut self.clients {
            client.client.on_up(id);
        }
        self.watchers_see(id, true)
    }

    /// Others notice whether a node is up, and it notices them.
    pub(super) fn detect(&mut self, about: NodeId) -> Result<(), Violation> {
        for id in self.plan.membership.nodes().filter(|id| *id != about) {
            let is_up = |from: NodeId, to: NodeId| {
                self.nodes[&to].roles.is_some() && !self.network.is_cut(from, to)
            };
            let (there, back) = (is_up(id, about), is_up(about, id));
            self.suspect(id, about, there);
            self.suspect(about, id, back);
            self.apply(id, Vec::new())?;
        }
        self.apply(about, Vec::new())
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut crate::node::Node {
        self.nodes.get_mut(&id).expect("a member")
    }
}
