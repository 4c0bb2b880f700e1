//! Peers that serve, and a network that loses, doubles, changes and delays.

use std::collections::BTreeMap;

use althing_journal::memory::MemoryDisk;
use althing_model::NodeId;
use althing_snapshot::limits::TIMEOUT_US;
use althing_snapshot::{Ask, Chunk, Fetch, Offer, Piece, Refusal, SnapshotError, Store, Taken};
use althing_snapshot::{limits, serve};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{open, write};

pub(crate) const A: NodeId = NodeId(1);
pub(crate) const B: NodeId = NodeId(2);

/// In a thousand messages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) lost: u32,
    pub(crate) doubled: u32,
    pub(crate) changed: u32,
    pub(crate) delay_us: u64,
}

pub(crate) struct World {
    pub(crate) now: u64,
    pub(crate) peers: BTreeMap<NodeId, Store<MemoryDisk>>,
    /// Those that do not answer.
    silent: Vec<NodeId>,
    /// Changes the bytes that a peer sends, before their checksum is made.
    pub(crate) lies: BTreeMap<NodeId, fn(&Ask, &mut [u8])>,
    pub(crate) faults: Faults,
    pub(crate) asked: Vec<(NodeId, Ask)>,
    pub(crate) taken: Vec<Taken>,
    on_the_way: BTreeMap<(u64, u64), (NodeId, Result<Chunk, u64>)>,
    messages: u64,
    rng: ChaCha8Rng,
}

impl World {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        Self {
            now: 0,
            peers: BTreeMap::new(),
            silent: Vec::new(),
            lies: BTreeMap::new(),
            faults,
            asked: Vec::new(),
            taken: Vec::new(),
            on_the_way: BTreeMap::new(),
            messages: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// A peer that has this snapshot.
    pub(crate) fn peer(&mut self, id: NodeId, number: u64, pieces: &[Piece]) -> Offer {
        let (store, _) = open(&MemoryDisk::new(), 4);
        let offer = write(&store, number, pieces).unwrap();
        self.peers.insert(id, store);
        offer
    }

    /// With a peer of another world.
    pub(crate) fn with_peer(mut self, id: NodeId, store: Store<MemoryDisk>) -> Self {
        self.peers.insert(id, store);
        self
    }

    /// From now on nothing comes of this peer, nor what is on its way.
    pub(crate) fn silence(&mut self, id: NodeId) {
        self.silent.push(id);
        self.on_the_way.retain(|_, (from, _)| *from != id);
    }

    /// All peers that answer say what they have.
    pub(crate) fn offer(&self, fetch: &mut Fetch<MemoryDisk>) {
        for (id, store) in self.peers.iter().filter(|(id, _)| !self.silent.contains(id)) {
            for offer in store.list() {
                fetch.on_offer(*id, offer);
            }
        }
    }

    /// Polls, carries the asks, and delivers the next message or waits for the
    /// next time-out. Says whether there was either.
    pub(crate) fn step(&mut self, fetch: &mut Fetch<MemoryDisk>) -> Result<bool, SnapshotError> {
        for (peer, ask) in fetch.poll(self.now)? {
            self.asked.push((peer, ask));
            self.carry(peer, ask);
        }
        let wake_at = fetch.wake_at().map(|at| at.max(self.now));
        match self.on_the_way.first_key_value().map(|((at, _), _)| *at) {
            Some(at) if wake_at.is_none_or(|wake_at| at <= wake_at) => {
                self.now = self.now.max(at);
                let (_, (from, message)) = self.on_the_way.pop_first().unwrap();
                match message {
                    Ok(chunk) => self.taken.push(fetch.on_chunk(from, &chunk)?),
                    Err(number) => fetch.on_refused(from, number),
                }
                Ok(true)
            }
            _ => {
                self.now = wake_at.unwrap_or(self.now);
                Ok(wake_at.is_some())
            }
        }
    }

    /// Until it is finished; peers are asked for offers when there are none.
    pub(crate) fn run(&mut self, fetch: &mut Fetch<MemoryDisk>) -> Result<Offer, SnapshotError> {
        for _ in 0..100_000 {
            if let Some(finished) = fetch.finished() {
                return Ok(finished);
            }
            if fetch.is_starved() {
                self.offer(fetch);
            }
            self.step(fetch)?;
        }
        panic!("not finished after {} s: {fetch:?}", self.now / 1_000_000)
    }

    fn carry(&mut self, peer: NodeId, ask: Ask) {
        if self.silent.contains(&peer) || self.happens(self.faults.lost) {
            return;
        }
        let answer = match serve(&self.peers[&peer], ask) {
            Ok(chunk) => {
                let mut bytes = chunk.bytes.to_vec();
                if let Some(lie) = self.lies.get(&peer) {
                    lie(&ask, &mut bytes);
                }
                Ok(Chunk::new(chunk.number, chunk.offset, bytes.into()))
            }
            Err(Refusal::Gone { number }) => Err(number),
            Err(other) => panic!("{ask:?}: {other}"),
        };
        for _ in 0..1 + u32::from(self.happens(self.faults.doubled)) {
            let mut answer = answer.clone();
            if let Ok(chunk) = &mut answer
                && self.happens(self.faults.changed)
            {
                self.change(chunk);
            }
            let at = self.now + 1000 + self.rng.random_range(0..=self.faults.delay_us);
            self.messages += 1;
            self.on_the_way.insert((at, self.messages), (peer, answer));
        }
    }

    fn change(&mut self, chunk: &mut Chunk) {
        let mut bytes = chunk.bytes.to_vec();
        match self.rng.random_range(0..4) {
            0 => bytes.truncate(self.rng.random_range(0..bytes.len())),
            1 => chunk.checksum ^= 1,
            2 => chunk.offset += self.rng.random_range(1..2 * limits::CHUNK_BYTES as u64),
            _ => {
                let at = self.rng.random_range(0..bytes.len());
                bytes[at] ^= 0x10;
            }
        }
        chunk.bytes = bytes.into();
    }

    fn happens(&mut self, of_a_thousand: u32) -> bool {
        self.rng.random_range(0..1000) < of_a_thousand
    }
}

/// Fetches anything newer than the store has.
pub(crate) fn fetch(store: &Store<MemoryDisk>) -> Fetch<MemoryDisk> {
    Fetch::new(store.clone(), 0, TIMEOUT_US)
}
