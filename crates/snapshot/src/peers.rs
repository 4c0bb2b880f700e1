//! What peers offer, and how well they keep it.

use std::collections::{BTreeMap, BTreeSet};

use althing_model::NodeId;

use crate::digest::Digest;
use crate::limits::{FAULTS_MAX, LOSSES_MAX, OFFERS_MAX, TIMEOUT_DOUBLINGS_MAX};
use crate::message::Offer;
use crate::name::Name;

/// All peers that offered something.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    peers: BTreeMap<NodeId, Peer>,
}

#[derive(Debug, Default)]
struct Peer {
    /// By barrier.
    offers: BTreeMap<u64, Offer>,
    /// Time-outs, and chunks changed on the way, since its last good chunk.
    losses: u32,
    /// Chunks that it sent and were not what it offered.
    faults: u32,
}

impl Peers {
    /// Notes an offer; the oldest but the one that is being fetched goes for it.
    pub(crate) fn offer(&mut self, from: NodeId, offer: Offer, fetched: Option<Offer>) {
        let offers = &mut self.peers.entry(from).or_default().offers;
        offers.insert(offer.number, offer);
        if offers.len() > OFFERS_MAX {
            let oldest = offers.values().find(|offer| Some(**offer) != fetched);
            let oldest = oldest.expect("at most one is being fetched").number;
            offers.remove(&oldest);
        }
    }

    /// Forgets what the peer offered of this barrier.
    pub(crate) fn forget(&mut self, from: NodeId, number: u64) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.offers.remove(&number);
        }
    }

    pub(crate) fn remove(&mut self, from: NodeId) {
        self.peers.remove(&from);
    }

    /// Forgets all offers of these contents.
    pub(crate) fn reject(&mut self, digest: Digest) {
        for peer in self.peers.values_mut() {
            peer.offers.retain(|_, offer| offer.digest != digest);
        }
    }

    pub(crate) fn offers(&self, from: NodeId, offer: Offer) -> bool {
        self.peers.get(&from).is_some_and(|peer| peer.offers.get(&offer.number) == Some(&offer))
    }

    /// The peer sent what it offered.
    pub(crate) fn proven(&mut self, from: NodeId) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.losses = 0;
        }
    }

    /// Nothing came of the peer, or something changed on the way.
    pub(crate) fn lost(&mut self, from: NodeId, number: u64) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.losses += 1;
        if peer.losses >= LOSSES_MAX {
            peer.losses = 0;
            peer.offers.remove(&number);
        }
    }

    /// The peer sent what it did not offer.
    pub(crate) fn at_fault(&mut self, from: NodeId, number: u64) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.faults += 1;
        if peer.faults >= FAULTS_MAX {
            peer.faults = 0;
            peer.offers.remove(&number);
        }
    }

    /// How long a peer has for an answer: the longer, the more often it failed.
    pub(crate) fn timeout(&self, from: NodeId, timeout_us: u64) -> u64 {
        let losses = self.peers.get(&from).map_or(0, |peer| peer.losses);
        timeout_us.saturating_mul(1 << losses.min(TIMEOUT_DOUBLINGS_MAX))
    }

    /// Of those that offer this, the one that failed least; of equals, the present
    /// one.
    pub(crate) fn source(&self, offer: Offer, present: Option<NodeId>) -> Option<NodeId> {
        self.peers
            .iter()
            .filter(|(id, _)| self.offers(**id, offer))
            .min_by_key(|(id, peer)| (peer.faults, peer.losses, Some(**id) != present, **id))
            .map(|(id, _)| *id)
    }

    /// The offer to fetch: one of which a part is here, else the newest, else what
    /// most peers have.
    pub(crate) fn best(&self, newer_than: Option<u64>, here: &BTreeSet<Name>) -> Option<Offer> {
        let mut offered: BTreeMap<Offer, usize> = BTreeMap::new();
        for offer in self.peers.values().flat_map(|peer| peer.offers.values()) {
            *offered.entry(*offer).or_default() += 1;
        }
        offered
            .into_iter()
            .filter(|(offer, _)| Some(offer.number) > newer_than)
            .max_by_key(|(offer, peers)| {
                (here.contains(&Name::Fetch(offer.number, offer.digest)), offer.number, *peers)
            })
            .map(|(offer, _)| offer)
    }
}
