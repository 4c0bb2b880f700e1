//! Snapshots: written while the replica goes on, fetched by those that lack what they hold.

use super::World;
use crate::event::Event;
use crate::fault::Trouble;
use crate::node::Writing;
use crate::shelf::{Pieces, listed, offer};
use crate::trace::Traced;
use althing_checker::{Checkpoint, Violation};
use althing_model::{DepSet, Micros, NodeId, Operation};
use althing_replica::{Snapshot, Step, piece};
use althing_roles::NodeEffect;
use althing_snapshot::Chunk;
use althing_wire::{Address, Message, SnapshotAsk, SnapshotChunk, SnapshotHeader, SnapshotOffer};
use rand::RngExt;

/// A fetch is polled no more often.
const POLL_LEAST: Micros = 1_000;

/// What the oracles know of a snapshot.
#[derive(Debug, Clone)]
pub(super) struct Point {
    /// What was executed where it was cut.
    at: Checkpoint,
    cut: DepSet,
}

impl World<'_> {
    /// A replica executed this, and perhaps cut a snapshot on the way.
    pub(super) fn executed(
        &mut self,
        id: NodeId,
        steps: Vec<Step>,
        snapshot: Option<Snapshot>,
    ) -> Result<(), Violation> {
        let (mut left, mut has_barrier, mut cut_at) = (0, false, None);
        for step in steps {
            self.observer.executed(id, &step)?;
            self.trace(|| Traced::Executed { node: id, vertex: step.vertex });
            if left == 0 {
                left = step.component_len;
            }
            left -= 1;
            let mut commands = step.value.commands.as_slice().iter();
            if commands.any(|command| command.operation == Operation::Barrier) {
                self.node_mut(id).barriers += 1;
                has_barrier = true;
            }
            if left == 0 && std::mem::take(&mut has_barrier) {
                let number = self.nodes[&id].barriers;
                let at = self.observer.passed(id, number)?;
                if snapshot.as_ref().is_some_and(|it| it.number == number) {
                    cut_at = Some(at);
                }
            }
        }
        let Some(snapshot) = snapshot else { return Ok(()) };
        let at = cut_at.unwrap_or_else(|| self.observer.checkpoint(id));
        let number = snapshot.number;
        self.trace(|| Traced::Snapshot { node: id, number, what: "begun" });
        let (least, most) = self.plan.snapshots.write;
        let took = self.draw(("write", id, number)).random_range(least..=most);
        let node = self.node_mut(id);
        node.writing = Some(Writing { snapshot, at });
        let life = node.life;
        self.queue.push(self.now + took, Event::Written { node: id, life });
        Ok(())
    }

    /// A snapshot is written: only now are its pieces made, while the replica has gone on.
    pub(super) fn written(&mut self, id: NodeId, life: u32) -> Result<(), Violation> {
        let now = self.now;
        let fails = !self.is_healed
            && self.draw(("fails", id, now)).random_range(0..1000)
                < self.plan.snapshots.fails_permille;
        let node = self.nodes.get_mut(&id).expect("a member");
        if node.life != life || node.roles.is_none() {
            return Ok(());
        }
        if node.busy_until > now {
            self.queue.push(node.busy_until, Event::Written { node: id, life });
            return Ok(());
        }
        let Some(Writing { snapshot, at }) = node.writing.take() else { return Ok(()) };
        let number = snapshot.number;
        let mut pieces = snapshot.pieces.peekable();
        let cut = pieces.peek().and_then(|(kind, header)| {
            assert_eq!(*kind, piece::HEADER, "a snapshot begins with its header");
            SnapshotHeader::decode(header.clone()).ok().map(|header| header.cut)
        });
        let cut = cut.expect("a snapshot begins with its header");
        let saved = if fails { None } else { node.shelf.save(number, Box::new(pieces)) };
        let local = node.local(now);
        let roles = node.roles.as_mut().expect("it runs");
        let mut effects = Vec::new();
        match saved {
            Some(saved) => {
                self.observer.saved(id, &cut);
                self.points.insert((number, saved.digest), Point { at, cut });
                roles.on_saved(local, saved, &mut effects);
                self.counts.count(Trouble::SnapshotsSaved);
            }
            None => {
                roles.replica.as_mut().expect("it cut a snapshot").on_not_saved(number);
                self.counts.count(Trouble::SnapshotsFailed);
            }
        }
        let what = if saved.is_some() { "saved" } else { "not saved" };
        self.trace(|| Traced::Snapshot { node: id, number, what });
        self.mark(("written", id, number, saved.map(|it| it.digest)));
        self.apply(id, effects)
    }

    /// A replica was offered a snapshot that it lacks.
    pub(super) fn offered(
        &mut self,
        id: NodeId,
        from: NodeId,
        offer: SnapshotOffer,
    ) -> Result<(), Violation> {
        let timeout = 4 * self.plan.network.delay.1 + 100_000;
        let longest = self.plan.snapshots.write.1;
        let round_trip = 2 * self.network.distance(id, from);
        let took = self.draw(("copy", id, self.now)).random_range(0..=longest);
        let now = self.now;
        let node = self.node_mut(id);
        if node.fetch.is_none() {
            node.fetch = node.shelf.fetch(node.barriers + 1, timeout);
        }
        if let Some(fetch) = &mut node.fetch {
            fetch.on_offer(from, listed(offer));
            return self.poll_fetch(id);
        }
        if node.copying.is_some_and(|under_way| under_way.number >= offer.number) {
            return Ok(());
        }
        node.copying = Some(offer);
        let life = node.life;
        let at = now + round_trip + took;
        self.queue.push(at, Event::Copied { node: id, life, from, offer });
        Ok(())
    }

    pub(super) fn copied(
        &mut self,
        id: NodeId,
        life: u32,
        from: NodeId,
        offer: SnapshotOffer,
    ) -> Result<(), Violation> {
        let node = &self.nodes[&id];
        if node.life != life || node.roles.is_none() || node.copying != Some(offer) {
            return Ok(());
        }
        let is_cut = self.network.is_cut(from, id) || self.network.is_cut(id, from);
        let source = &self.nodes[&from];
        let pieces = match source.roles.is_some() && !is_cut {
            true => source.shelf.read_if(offer),
            false => None,
        };
        let node = self.node_mut(id);
        node.copying = None;
        if let Some(pieces) = pieces
            && node.shelf.put(offer, pieces)
        {
            self.fetched(id, offer)?;
        }
        Ok(())
    }

    /// A snapshot of another node is on disk here; it is installed a moment later.
    fn fetched(&mut self, id: NodeId, saved: SnapshotOffer) -> Result<(), Violation> {
        self.counts.count(Trouble::SnapshotsFetched);
        let number = saved.number;
        self.trace(|| Traced::Snapshot { node: id, number, what: "fetched" });
        let Some(point) = self.points.get(&(number, saved.digest)) else {
            let account = format!("{id} fetched a snapshot that no replica cut: {saved:?}");
            return Err(Violation::new("SnapshotGenuine", account));
        };
        self.observer.saved(id, &point.cut);
        let took = self.draw(("install", id, self.now)).random_range(0..=self.plan.network.delay.1);
        let life = self.nodes[&id].life;
        self.queue.push(self.now + took, Event::Fetched { node: id, life, saved });
        Ok(())
    }

    pub(super) fn install(
        &mut self,
        id: NodeId,
        life: u32,
        saved: SnapshotOffer,
    ) -> Result<(), Violation> {
        let now = self.now;
        let node = self.node_mut(id);
        if node.life != life || node.roles.is_none() {
            return Ok(());
        }
        // A newer one is in its place: that one is installed.
        let Some(pieces) = node.shelf.read_if(saved) else { return Ok(()) };
        let local = node.local(now);
        let roles = node.roles.as_mut().expect("it runs");
        let mut effects: Vec<NodeEffect> = Vec::new();
        let had_effect = install(roles, local, saved, pieces, &mut effects).map_err(|account| {
            Violation::new("SnapshotGenuine", format!("{id} cannot install: {account}"))
        })?;
        let number = saved.number;
        self.mark(("installed", id, number, had_effect));
        if had_effect {
            node_installed(self, id, saved)?;
        } else {
            self.trace(|| Traced::Snapshot { node: id, number, what: "overtaken" });
        }
        self.apply(id, effects)
    }

    /// Where the oracles have to take a replica that starts from that snapshot.
    pub(super) fn checkpoint_of(&self, saved: SnapshotOffer) -> Option<Checkpoint> {
        self.points.get(&(saved.number, saved.digest)).map(|point| point.at)
    }

    /// A part of a snapshot is asked for.
    pub(super) fn on_snapshot_ask(
        &mut self,
        id: NodeId,
        from: NodeId,
        ask: SnapshotAsk,
    ) -> Result<(), Violation> {
        let chunk = self.nodes[&id].shelf.serve(ask);
        self.send(id, Address::Node(from), Message::SnapshotChunk(chunk))
    }

    /// A part of a snapshot came.
    pub(super) fn on_snapshot_chunk(
        &mut self,
        id: NodeId,
        from: NodeId,
        chunk: SnapshotChunk,
    ) -> Result<(), Violation> {
        let node = self.node_mut(id);
        let Some(fetch) = &mut node.fetch else { return Ok(()) };
        let SnapshotChunk { number, offset, checksum, bytes } = chunk;
        if bytes.is_empty() {
            fetch.on_refused(from, number);
        } else if fetch.on_chunk(from, &Chunk { number, offset, checksum, bytes }).is_err() {
            // One as new was saved here meanwhile.
            node.fetch = None;
        }
        self.poll_fetch(id)
    }

    pub(super) fn wake_fetch(&mut self, id: NodeId, life: u32) -> Result<(), Violation> {
        let now = self.now;
        let node = self.node_mut(id);
        if node.life != life || node.roles.is_none() || node.fetch_at != now {
            return Ok(());
        }
        node.fetch_at = Micros::MAX;
        self.poll_fetch(id)
    }

    fn poll_fetch(&mut self, id: NodeId) -> Result<(), Violation> {
        let now = self.now;
        let node = self.node_mut(id);
        let Some(fetch) = &mut node.fetch else { return Ok(()) };
        let Ok(asks) = fetch.poll(now) else {
            node.fetch = None;
            return Ok(());
        };
        let finished = fetch.finished();
        if finished.is_some() || fetch.is_starved() {
            node.fetch = None;
        } else if let Some(at) = fetch.wake_at() {
            let at = at.max(now + POLL_LEAST);
            if at < node.fetch_at || node.fetch_at <= now {
                node.fetch_at = at;
                let life = node.life;
                self.queue.push(at, Event::FetchWake { node: id, life });
            }
        }
        for (peer, ask) in asks {
            let ask = SnapshotAsk { number: ask.number, offset: ask.offset, len: ask.len };
            self.send(id, Address::Node(peer), Message::SnapshotAsk(ask))?;
        }
        match finished {
            Some(finished) => self.fetched(id, offer(&finished)),
            None => Ok(()),
        }
    }
}

fn install(
    roles: &mut althing_roles::Roles,
    local: Micros,
    saved: SnapshotOffer,
    pieces: Pieces,
    effects: &mut Vec<NodeEffect>,
) -> Result<bool, String> {
    let mut pieces = pieces.into_iter();
    roles.install(local, saved, &mut pieces, effects).map_err(|error| error.to_string())
}

fn node_installed(
    world: &mut World<'_>,
    id: NodeId,
    saved: SnapshotOffer,
) -> Result<(), Violation> {
    let at = world.checkpoint_of(saved);
    world.observer.restarted(id, at)?;
    world.node_mut(id).barriers = saved.number;
    world.counts.count(Trouble::SnapshotsInstalled);
    let number = saved.number;
    world.trace(|| Traced::Snapshot { node: id, number, what: "installed" });
    Ok(())
}
