//! Replicas compare their states, and one that differs stops before it answers anything more.
//!
//! A state machine that is not deterministic, or a conflict function that lets commands commute that do
//! not, leads replicas to different states, and nothing in the protocol notices. But at the n-th barrier
//! all have executed the same (`protocol` section 5), so that their digests there must be equal. Each
//! tells the others its last few with every frontier.
//!
//! Who is wrong, the digests do not say; the majority of all replicas is taken to be right. Those that
//! differ from it stop. Where a majority agrees on nothing, everyone who sees two digests stops: at once
//! when nobody who is up has still to tell, at the next barrier otherwise. Until a barrier comes what
//! was answered may have been wrong: this bounds the damage, and names it.

use crate::Replica;
use althing_model::mark::{self, Mark};
use althing_model::{NodeId, Role};
use althing_wire::limits::STATE_DIGESTS_MAX;
use althing_wire::{Frontier, StateDigest};
use std::collections::{BTreeMap, BTreeSet};

/// This replica's state is another than the others', at a point where all have executed the same: it
/// does nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the state here is not that of node {}: behind barrier {number} its digest is {own:016x} here and \
     {other:016x} there, though both executed the same commands. Either the state machine is not \
     deterministic, or commands are said to commute that do not, or the nodes run different programs: \
     find out which, and end it; then move this node's snapshots away, so that it fetches one of the others",
    node.0
)]
pub struct Diverged {
    /// Behind which barrier.
    pub number: u64,
    /// The digest of the state here.
    pub own: u64,
    /// The digest of the state there.
    pub other: u64,
    /// Where: a replica of the majority, if there is one.
    pub node: NodeId,
}

/// The digests behind the last barriers, here and at other replicas.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    own: BTreeMap<u64, u64>,
    /// What each told last.
    told: BTreeMap<NodeId, BTreeMap<u64, u64>>,
    /// The last barrier at which a majority has the state that is here.
    agreed: Option<u64>,
    /// Those that do not have it.
    outvoted: BTreeSet<NodeId>,
    diverged: Option<Diverged>,
}

/// What the digests behind one barrier say.
enum Verdict {
    /// A majority has the state that is here; these have not.
    Agreed(BTreeSet<NodeId>),
    /// Too few have told.
    Open,
    /// Another digest, and who told it: it is a majority's, or there is none.
    Diverged(NodeId, u64),
}

impl Digests {
    /// To be told to others.
    pub(crate) fn own(&self) -> Vec<StateDigest> {
        let digest =
            |(number, digest): (&u64, &u64)| StateDigest { number: *number, digest: *digest };
        self.own.iter().map(digest).collect()
    }

    /// Of `replicas` in all, those of `down` tell nothing.
    fn judge(&self, number: u64, replicas: &BTreeSet<NodeId>, down: &BTreeSet<NodeId>) -> Verdict {
        let own = self.own[&number];
        let told: BTreeMap<NodeId, u64> = self
            .told
            .iter()
            .filter_map(|(node, digests)| Some((*node, *digests.get(&number)?)))
            .collect();
        let is_majority = |digest: u64, mine: usize| {
            let same = told.values().filter(|other| **other == digest).count();
            2 * (mine + same) > replicas.len()
        };
        let mut others = told.iter().filter(|(_, digest)| **digest != own);
        if is_majority(own, 1) {
            return Verdict::Agreed(others.map(|(node, _)| *node).collect());
        }
        let Some(first) = others.clone().next() else {
            return Verdict::Open;
        };
        let outvoting = others.find(|(_, digest)| is_majority(**digest, 0));
        let is_last = self.own.last_key_value().is_some_and(|(last, _)| *last == number);
        let to_tell = |node: &&NodeId| !told.contains_key(node) && !down.contains(node);
        match outvoting {
            Some((node, other)) => Verdict::Diverged(*node, *other),
            // One is this replica itself.
            None if is_last && replicas.iter().filter(to_tell).count() > 1 => Verdict::Open,
            None => Verdict::Diverged(*first.0, *first.1),
        }
    }
}

impl Replica {
    /// Why it does nothing any more, if so.
    pub fn diverged(&self) -> Option<Diverged> {
        self.digests.diverged
    }

    /// The last barrier behind which a majority of the replicas is known to have the state that is here.
    pub fn agreed_at(&self) -> Option<u64> {
        self.digests.agreed
    }

    /// Other replicas whose state is not that of the majority, which has the one that is here.
    pub fn outvoted(&self) -> &BTreeSet<NodeId> {
        &self.digests.outvoted
    }

    /// What is executed is what the last barrier reaches, and nothing else.
    pub(crate) fn digest_state(&mut self) {
        let digests = &mut self.digests.own;
        digests.insert(self.number, self.machine.digest());
        while digests.len() > STATE_DIGESTS_MAX {
            digests.pop_first();
        }
        self.compare();
    }

    /// Another replica told its digests.
    pub(crate) fn note_digests(&mut self, from: NodeId, frontier: &Frontier) {
        let told = frontier.digests.iter().map(|told| (told.number, told.digest)).collect();
        self.digests.told.insert(from, told);
        // Unless it still has another state: it may have been given one of the others'.
        self.digests.outvoted.remove(&from);
        self.compare();
    }

    /// Compares what is known: others may have told more, or be down.
    pub(crate) fn compare(&mut self) {
        let replicas: BTreeSet<NodeId> = self.config.membership.with(Role::Replica).collect();
        let numbers: Vec<u64> = self.digests.own.keys().copied().collect();
        for number in numbers {
            match self.digests.judge(number, &replicas, &self.down) {
                Verdict::Open => {}
                Verdict::Agreed(outvoted) => {
                    mark::hit(Mark::StatesAgreed);
                    let agreed = &mut self.digests.agreed;
                    *agreed = (*agreed).max(Some(number));
                    self.digests.outvoted.extend(outvoted);
                }
                Verdict::Diverged(node, other) => {
                    let own = self.digests.own[&number];
                    let diverged = Diverged { number, own, other, node };
                    self.digests.diverged.get_or_insert(diverged);
                }
            }
        }
    }
}
