//! Phase 1: one leader after another.

use super::{Ballot, Entry, LeaderNode, Leadership, Message};
use crate::sim::node::Out;
use std::collections::BTreeMap;

impl LeaderNode {
    /// Follows whoever has this ballot.
    pub(super) fn follow(&mut self, ballot: Ballot, out: &mut Out<Message>) {
        if ballot.1 != self.me {
            self.leadership = Leadership::None;
        }
        self.promised = ballot;
        if self.leader != ballot.1 {
            self.leader = ballot.1;
            self.send_again(out);
        }
    }

    /// What has no reply goes to the new leader.
    fn send_again(&mut self, out: &mut Out<Message>) {
        let mut waiting: Vec<_> = self.waiting.values().cloned().collect();
        waiting.sort_unstable_by_key(|command| command.request.id);
        for command in waiting {
            match self.leader == self.me {
                true => self.lead(command, out),
                false => out.send(self.leader, Message::Forward(command)),
            }
        }
    }

    /// Phase 1.
    pub(super) fn elect(&mut self, out: &mut Out<Message>) {
        self.promised = (self.promised.0 + 1, self.me);
        self.leader = self.me;
        let mut votes = BTreeMap::new();
        merge(&mut votes, self.votes_from(self.executed));
        self.leadership = Leadership::Electing { promises: 1, votes, queue: Vec::new() };
        let ballot = self.promised;
        for other in self.others() {
            out.send(other, Message::Prepare { ballot, from: self.executed });
        }
        self.send_again(out);
    }

    /// Its votes, what is chosen counting as one that cannot be outdone.
    pub(super) fn votes_from(&self, from: u64) -> Vec<(u64, Ballot, Entry)> {
        let votes = self.log.range(from..).map(|(slot, (at, entry))| (*slot, *at, entry.clone()));
        let chosen = self.chosen.range(from..);
        let chosen = chosen.map(|(slot, entry)| (*slot, (u32::MAX, 0), entry.clone()));
        votes.chain(chosen).collect()
    }

    pub(super) fn on_promise(&mut self, votes: Vec<(u64, Ballot, Entry)>, out: &mut Out<Message>) {
        let Leadership::Electing { promises, votes: known, queue } = &mut self.leadership else {
            return;
        };
        *promises += 1;
        merge(known, votes);
        if *promises < self.quorums.phase1 {
            return;
        }
        let (mut votes, queue) = (std::mem::take(known), std::mem::take(queue));
        let next = votes.last_key_value().map_or(self.executed, |(slot, _)| slot + 1);
        self.leadership = Leadership::Leading { next, open: BTreeMap::new() };
        for slot in self.executed..next {
            let entry = votes.remove(&slot).and_then(|(_, entry)| entry);
            self.propose(slot, entry, out);
        }
        for command in queue {
            self.lead(command, out);
        }
    }
}

/// Keeps, of each slot, the vote in the highest ballot.
fn merge(known: &mut BTreeMap<u64, (Ballot, Entry)>, votes: Vec<(u64, Ballot, Entry)>) {
    for (slot, ballot, entry) in votes {
        if known.get(&slot).is_none_or(|(earlier, _)| *earlier < ballot) {
            known.insert(slot, (ballot, entry));
        }
    }
}
