//! Snapshots of a story's nodes: cut where a barrier is executed, saved and installed when the script
//! says so.

use crate::cluster::{Cluster, Result};
use crate::show;
use althing_checker::Checkpoint;
use althing_model::{DepSet, NodeId, Operation};
use althing_replica::{Snapshot, Step, piece};
use althing_wire::{SnapshotHeader, SnapshotOffer};
use bytes::Bytes;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A snapshot on disk.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    pub(crate) offer: SnapshotOffer,
    pub(crate) pieces: Vec<(u8, Bytes)>,
    /// What was executed where it was cut.
    pub(crate) at: Checkpoint,
    cut: DepSet,
}

/// A snapshot that is being written, and what was executed where it was cut.
#[derive(Debug)]
pub(crate) struct Writing {
    snapshot: Snapshot,
    at: Checkpoint,
}

impl Cluster {
    /// A replica executed this: perhaps the last vertex of a component with a barrier.
    pub(crate) fn pass_barrier(&mut self, id: NodeId, step: &Step) -> Result {
        let node = self.node(id)?;
        let (left, has_barrier) = &mut node.component;
        if *left == 0 {
            *left = step.component_len;
        }
        *left -= 1;
        let mut commands = step.value.commands.as_slice().iter();
        if commands.any(|command| command.operation == Operation::Barrier) {
            *has_barrier = true;
            node.barriers += 1;
        }
        if *left == 0 && std::mem::take(has_barrier) {
            let number = node.barriers;
            let at = self.oracles.passed(id, number).map_err(|violation| violation.to_string())?;
            self.node(id)?.passed.insert(number, at);
        }
        Ok(())
    }

    /// Takes the snapshot that a replica cut, if it cut one.
    pub(crate) fn take_snapshot(&mut self, id: NodeId) -> Result {
        let Some(roles) = &mut self.node(id)?.roles else { return Ok(()) };
        let Some(snapshot) = roles.take_snapshot() else { return Ok(()) };
        let number = snapshot.number;
        let at = self.node(id)?.passed.get(&number).copied();
        let at = at.ok_or_else(|| format!("{id} cut snapshot {number} before its barrier"))?;
        self.node(id)?.writing = Some(Writing { snapshot, at });
        self.say(format!("{id} cuts snapshot {number}"));
        Ok(())
    }

    /// The snapshot that a node has cut is on disk.
    pub(crate) fn save(&mut self, id: NodeId) -> Result {
        let now = self.now();
        let node = self.node(id)?;
        if node.roles.is_none() {
            return Err(format!("{id} is down"));
        }
        let writing = node.writing.take();
        let Writing { snapshot, at } = writing.ok_or_else(|| format!("{id} has cut none"))?;
        let number = snapshot.number;
        let pieces: Vec<(u8, Bytes)> = snapshot.pieces.collect();
        let header = pieces.iter().find(|(kind, _)| *kind == piece::HEADER);
        let header = header.and_then(|(_, header)| SnapshotHeader::decode(header.clone()).ok());
        let cut = header.ok_or("a snapshot begins with its header")?.cut;
        let offer = named(number, &pieces);
        self.oracles.saved(id, &cut);
        self.say(format!("{id} saves snapshot {number}, which holds {}", show::deps(&cut)));
        let node = self.node(id)?;
        node.disk.saved = Some(Saved { offer, pieces, at, cut });
        let roles = node.roles.as_mut().expect("looked at above");
        let mut effects = Vec::new();
        roles.on_saved(now, offer, &mut effects);
        self.apply(id, effects)?;
        self.finish()
    }

    /// Takes the offer of a snapshot that a replica lacks, if it got one.
    pub(crate) fn take_offer(&mut self, id: NodeId) -> Result {
        let Some(roles) = &mut self.node(id)?.roles else { return Ok(()) };
        if let Some(offered) = roles.take_offer() {
            self.node(id)?.offered = Some(offered);
        }
        Ok(())
    }

    /// A node fetches the snapshot that it was offered, and installs it.
    pub(crate) fn install(&mut self, id: NodeId) -> Result {
        let now = self.now();
        let offered = self.node(id)?.offered.take();
        let (from, offer) = offered.ok_or_else(|| format!("{id} was offered none"))?;
        let kept = self.node(from)?.disk.saved.clone();
        let saved = kept.filter(|saved| saved.offer == offer);
        let saved = saved.ok_or_else(|| format!("{from} has a newer one"))?;
        self.oracles.saved(id, &saved.cut);
        let node = self.node(id)?;
        node.disk.saved = Some(saved.clone());
        let roles = node.roles.as_mut().ok_or_else(|| format!("{id} is down"))?;
        let (mut pieces, mut effects) = (saved.pieces.iter().cloned(), Vec::new());
        let installed = roles.install(now, offer, &mut pieces, &mut effects);
        if !installed.map_err(|error| error.to_string())? {
            return Err(format!("{id} has executed as much"));
        }
        let number = offer.number;
        node.barriers = number;
        node.began_from = Some(number);
        node.executed.clear();
        let told = self.oracles.goes_on_from(id, Some(saved.at));
        told.map_err(|violation| violation.to_string())?;
        self.say(format!("{id} installs snapshot {number} of {from}"));
        self.apply(id, effects)?;
        self.finish()
    }

    /// Lets go of what a node does not need any more of its records.
    pub(crate) fn trim(&mut self, id: NodeId) -> Result {
        let node = self.node(id)?;
        let Some(keep) = node.trim.keep() else { return Ok(()) };
        match node.disk.trim(keep) {
            0 => {}
            1 => self.say(format!("{id} trims 1 record")),
            gone => self.say(format!("{id} trims {gone} records")),
        }
        Ok(())
    }
}

fn named(number: u64, pieces: &[(u8, Bytes)]) -> SnapshotOffer {
    let mut hasher = DefaultHasher::new();
    (number, pieces).hash(&mut hasher);
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&hasher.finish().to_be_bytes());
    let len = pieces.iter().map(|(_, bytes)| bytes.len() as u64).sum();
    SnapshotOffer { number, len, digest }
}
