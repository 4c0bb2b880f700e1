//! Fewer states, the same findings: voters move only when a proposer hears of it.
//!
//! Call *responders* the voters, dependency nodes and acceptors: they only answer proposers. Take
//! any run of the model, up to a state that breaks a property. What was sent stays deliverable for
//! ever, so steps of different actors never disable each other, and they commute unless one uses
//! what the other sends. Therefore the run can be rearranged without changing what any actor goes
//! through:
//!
//! 1. A responder's steps move to just before the first step of a proposer that uses an answer which
//!    the last of them gave; so they come in *batches*, each followed at once by the use of its last
//!    answer. Steps after a responder's last used answer move to the end of the run.
//! 2. A proposer's steps move to just before its next step that sends something new, or shows a
//!    commit; steps after the last such are left out, since nobody can tell. So while a proposer is
//!    between two such steps (it has the *focus*) the other proposer does not move.
//! 3. What responders do at the end of the run (1.) is not explored as states, but looked ahead at
//!    from every state: each responder alone, since they do not talk to each other.
//!
//! A restart is a step of the proposer on its node. The responders there restart as what they were,
//! and where they do not (a planted fault) the restart counts as using what they did.
//!
//! All properties are of the kind that stays violated (or reached) for the rest of a run, since what
//! was sent is part of the state; so it does not matter that the rearranged run violates it later.

use crate::catalogue::{Catalogue, Event, Number, Shown};
use crate::cluster::PROPOSERS;
use crate::facts::Facts;
use althing_wire::Message;
use dashmap::DashMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::sync::Arc;

/// Where a responder can get to by what was sent to it.
#[derive(Debug)]
pub(crate) struct Reach {
    /// Its states; the first is where it is.
    pub(crate) states: Vec<Number>,
    /// A batch of steps, by the state after it, and a new answer of its last step: the message and
    /// the place of the proposer.
    pub(crate) batches: Vec<(Number, u32, usize)>,
    /// What it can show; what less than another shows is left out.
    shown: Vec<Shown>,
}

/// [`Reach`] by the responder's state and the lists of what the two proposers sent to it.
pub(crate) type Reaches = DashMap<(Number, u32, u32), Arc<Reach>, FxBuildHasher>;

impl Catalogue {
    /// Where the responder at `place` can get to.
    pub(crate) fn reach(&self, actors: &[Number], place: usize) -> Arc<Reach> {
        let [zero, one] = [self.entry(actors[0]), self.entry(actors[1])];
        let key = (actors[place], zero.lists[place], one.lists[place]);
        if let Some(known) = self.reaches.get(&key) {
            return Arc::clone(&known);
        }
        let requests: Vec<u32> = zero.sent[place].iter().chain(&one.sent[place]).copied().collect();
        let reach = Arc::new(self.explore(actors[place], place, &requests));
        self.reaches.insert(key, Arc::clone(&reach));
        reach
    }

    /// Numbers that are equal for states of the responder at `place` that only differ in answers for
    /// which the proposers have no use any more: from there on they cannot be told apart.
    ///
    /// An answer to a question that its proposer has moved on from is never of use again: ballots
    /// and steps only rise. Only that somebody knows the value may be of use at any time.
    pub(crate) fn view(&self, actors: &[Number], place: usize) -> u32 {
        let key = (actors[place], actors[0], actors[1]);
        if let Some(known) = self.views.get(&key) {
            return *known;
        }
        let entry = self.entry(actors[place]);
        let open: Vec<u32> = (0..PROPOSERS as usize)
            .flat_map(|proposer| {
                entry.sent[proposer].iter().copied().filter(move |answer| {
                    matches!(self.parcel(*answer).message, Message::Chosen(_))
                        || self
                            .step(proposer, actors[proposer], Event::Deliver(*answer), false)
                            .is_some()
                })
            })
            .collect();
        let view =
            self.viewed.number((entry.digest, open, entry.shown.committed, entry.shown.votes));
        self.views.insert(key, view);
        view
    }

    fn explore(&self, from: Number, place: usize, requests: &[u32]) -> Reach {
        let mut states = vec![from];
        let mut index = FxHashMap::from_iter([(from, 0)]);
        let mut steps: Vec<(usize, usize)> = Vec::new();
        // For each answer, the states after a step that gave it.
        let mut ends: FxHashMap<(u32, usize), Vec<usize>> = FxHashMap::default();
        let mut at = 0;
        while at < states.len() {
            let number = states[at];
            for request in requests {
                let Some(next) = self.step(place, number, Event::Deliver(*request), false) else {
                    continue;
                };
                let end = *index.entry(next).or_insert_with(|| {
                    states.push(next);
                    states.len() - 1
                });
                steps.push((at, end));
                let (before, after) = (self.entry(number), self.entry(next));
                for proposer in 0..PROPOSERS as usize {
                    let earlier = &before.sent[proposer];
                    for answer in &after.sent[proposer] {
                        if earlier.binary_search(answer).is_err() {
                            ends.entry((*answer, proposer)).or_default().push(end);
                        }
                    }
                }
            }
            at += 1;
        }
        let mut batches = Vec::new();
        for ((answer, proposer), ends) in ends {
            let later = after(states.len(), &steps, &ends);
            let mut ends: Vec<_> = ends.into_iter().filter(|end| !later[*end]).collect();
            ends.sort_unstable();
            ends.dedup();
            batches.extend(ends.into_iter().map(|end| (states[end], answer, proposer)));
        }
        batches.sort_unstable();
        let mut shown: Vec<Shown> = Vec::new();
        for state in &states {
            let new = self.entry(*state).shown;
            if !shown.iter().any(|one| one.covers(&new)) {
                shown.retain(|one| !new.covers(one));
                shown.push(new);
            }
        }
        Reach { states, batches, shown }
    }

    /// The steps of a batch: the numbers of what the responder handles on its shortest way.
    pub(crate) fn way(&self, actors: &[Number], place: usize, to: Number) -> Vec<u32> {
        let requests: Vec<u32> = actors[..PROPOSERS as usize]
            .iter()
            .flat_map(|proposer| self.entry(*proposer).sent[place].iter().copied())
            .collect();
        let mut ways: Vec<(Number, Vec<u32>)> = vec![(actors[place], Vec::new())];
        let mut at = 0;
        while at < ways.len() {
            let (number, way) = ways[at].clone();
            if number == to {
                return way;
            }
            for request in &requests {
                let next = self.step(place, number, Event::Deliver(*request), false);
                if let Some(next) = next
                    && ways.iter().all(|(known, _)| *known != next)
                {
                    ways.push((next, way.iter().copied().chain([*request]).collect()));
                }
            }
            at += 1;
        }
        Vec::new()
    }

    /// What a state shows, and what it would if responders went on by themselves.
    pub(crate) fn facts_ahead(&self, actors: &[Number]) -> Facts {
        let proposers: Vec<Shown> =
            actors[..PROPOSERS as usize].iter().map(|it| self.entry(*it).shown).collect();
        // Those that show nothing, whatever they do, make no difference.
        let choices: Vec<Arc<Reach>> = (PROPOSERS as usize..actors.len())
            .map(|place| self.reach(actors, place))
            .filter(|reach| reach.shown != [Shown::default()])
            .collect();
        let mut facts = Facts::default();
        let mut picked = vec![0; choices.len()];
        loop {
            let responders = choices.iter().zip(&picked).map(|(reach, at)| reach.shown[*at]);
            facts = facts | self.together(proposers.iter().copied().chain(responders));
            // The next combination.
            let Some(place) =
                (0..picked.len()).find(|at| picked[*at] + 1 < choices[*at].shown.len())
            else {
                return facts;
            };
            picked[place] += 1;
            picked[..place].fill(0);
        }
    }
}

/// Which of `len` states one or more `steps` lead to from any of `starts`. A role never comes back to
/// a state that it left: what it sent, promised and recorded only grows.
fn after(len: usize, steps: &[(usize, usize)], starts: &[usize]) -> Vec<bool> {
    let mut later = vec![false; len];
    let mut is_start = vec![false; len];
    starts.iter().for_each(|start| is_start[*start] = true);
    loop {
        let mut is_done = true;
        for (from, to) in steps {
            if (is_start[*from] || later[*from]) && !later[*to] {
                later[*to] = true;
                is_done = false;
            }
        }
        if is_done {
            return later;
        }
    }
}
