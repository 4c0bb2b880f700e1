//! Random lives of one proposer that is pruned and restarted from what is left of its journal.

mod story;

use althing_model::{Ballot, Column, DepSet, Epoch, NodeId, Reply, SeqSet, Value, VertexId};
use althing_wire::{
    Chosen, Executed, Message, ProposerRecord, PruneProposer, Pruned, Recover, Refused,
};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use story::{ME, Story, command, other, own};

#[derive(Debug, Clone)]
enum Step {
    Submit,
    Execute(u64),
    Recover(u32, u64),
    Refuse(u32, u64, u32),
    Choose(u32, u64),
    Forgotten(u32, u64),
    Prune([u64; 3]),
    Wait,
    /// With the journal trimmed, or as it is.
    Restart(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let vertex = || (1u32..3, 0u64..6);
    prop_oneof![
        3 => Just(Step::Submit),
        2 => (0u64..20).prop_map(Step::Execute),
        4 => vertex().prop_map(|(p, s)| Step::Recover(p, s)),
        2 => (vertex(), 2u32..9).prop_map(|((p, s), round)| Step::Refuse(p, s, round)),
        2 => vertex().prop_map(|(p, s)| Step::Choose(p, s)),
        1 => vertex().prop_map(|(p, s)| Step::Forgotten(p, s)),
        2 => [0u64..4, 0u64..5, 0u64..5].prop_map(Step::Prune),
        2 => Just(Step::Wait),
        2 => any::<bool>().prop_map(Step::Restart),
    ]
}

/// What this proposer did in all its lives.
#[derive(Default)]
struct Past {
    life: u32,
    /// The life that proposed commands in an own vertex.
    used: BTreeMap<VertexId, u32>,
    /// The latest attempt at a vertex, and its life; none of it goes on once the vertex is done.
    attempts: BTreeMap<VertexId, (Ballot, u32)>,
    done: BTreeSet<VertexId>,
    floor: DepSet,
}

impl Past {
    fn look(&mut self, story: &mut Story) -> Result<(), TestCaseError> {
        for (_, message) in story.sent() {
            match message {
                Message::PreAccept(it) => {
                    let life = *self.used.entry(it.vertex).or_insert(self.life);
                    prop_assert_eq!(life, self.life, "{} is used again", it.vertex);
                }
                Message::Prepare(it) => {
                    let column = it.vertex.column();
                    prop_assert!(it.vertex.seq >= self.floor.prefix(column), "it is pruned");
                    if let Some((ballot, life)) = self.attempts.get(&it.vertex) {
                        let goes_on = *ballot == it.ballot
                            && *life == self.life
                            && !self.done.contains(&it.vertex);
                        prop_assert!(
                            it.ballot > *ballot || goes_on,
                            "{} again at {}",
                            it.ballot,
                            it.vertex
                        );
                    }
                    if self.attempts.get(&it.vertex).map(|it| it.0) != Some(it.ballot) {
                        self.done.remove(&it.vertex);
                    }
                    self.attempts.insert(it.vertex, (it.ballot, self.life));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn trimmed(disk: &[ProposerRecord]) -> Vec<ProposerRecord> {
    let end = disk.iter().rposition(|it| matches!(it, ProposerRecord::Rewritten)).unwrap_or(0);
    let is_pruned = |it: &ProposerRecord| matches!(it, ProposerRecord::Pruned { .. });
    let from = disk[..end].iter().rposition(is_pruned).unwrap_or(0);
    disk[from..].to_vec()
}

proptest! {
    /// Broken: a proposer that was pruned and restarted would use a sequence number or a ballot
    /// again, or attempt what is pruned (traps T5, T14, T16).
    #[test]
    fn no_number_and_no_ballot_is_used_twice(steps in prop::collection::vec(step(), 1..80)) {
        let mut past = Past::default();
        let mut story = Story::begin(3, 1, Vec::new(), &SeqSet::default());
        for (ticket, step) in (0..).zip(steps) {
            match step {
                Step::Submit => story.submit(ticket, "a"),
                Step::Execute(seq) if past.used.contains_key(&own(seq)) => {
                    past.done.insert(own(seq));
                    let replies = vec![Reply::Applied(Bytes::new())];
                    story.tell(ME, Executed { vertex: own(seq), replies, seen: DepSet::default() });
                }
                Step::Execute(_) => {}
                Step::Recover(proposer, seq) => {
                    story.tell(ME, Recover { vertex: other(proposer, seq) });
                }
                Step::Refuse(proposer, seq, round) => {
                    let vertex = other(proposer, seq);
                    if let Some((ballot, _)) = past.attempts.get(&vertex) {
                        let promised = Ballot { round, proposer: NodeId(2) };
                        let ballot = *ballot;
                        story.tell(NodeId(2), Refused { vertex, ballot, promised });
                    }
                }
                Step::Choose(proposer, seq) => {
                    let vertex = other(proposer, seq);
                    past.done.insert(vertex);
                    let value = Value { commands: command(), deps: DepSet::default() };
                    story.tell(NodeId(2), Chosen { vertex, value });
                }
                Step::Forgotten(proposer, seq) => {
                    past.done.insert(other(proposer, seq));
                    story.tell(NodeId(2), Pruned { vertex: other(proposer, seq) });
                }
                Step::Prune(prefixes) => {
                    let mut floor = DepSet::default();
                    for (proposer, below) in (0..).zip(prefixes) {
                        let column = Column { epoch: Epoch(0), proposer: NodeId(proposer) };
                        floor.insert_below(column, below);
                    }
                    past.floor.union(&floor);
                    story.tell(ME, PruneProposer { floor });
                }
                Step::Wait => story.wait(3_000_000),
                Step::Restart(is_trimmed) => {
                    past.look(&mut story)?;
                    let disk = if is_trimmed { trimmed(&story.disk) } else { story.disk };
                    past.life += 1;
                    story = Story::begin(3, 1, disk, &SeqSet::default());
                }
            }
            past.look(&mut story)?;
            for (what, len, limit) in story.proposer.sizes() {
                prop_assert!(len <= limit, "{what}: {len} of {limit}");
            }
        }
    }
}
