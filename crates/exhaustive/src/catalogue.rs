//! Every actor state, message and value met so far, each once and numbered, and what every stimulus
//! makes of every actor state: a role's code runs once for each pair, however many states share it.

use crate::actor::{Actor, Reaction, Stimulus};
use crate::cluster::{ACTORS_MAX, Cluster};
use crate::facts::{Facts, of_chosen, of_committed};
use crate::reduction::Reaches;
use crate::{Bounds, FastQuorums};
use althing_model::{Ballot, NodeId, Value, VertexId};
use althing_wire::Message;
use dashmap::DashMap;
use rustc_hash::{FxBuildHasher, FxHashMap};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

/// The number of an actor state: an actor, and all that it has ever sent.
pub(crate) type Number = u32;

/// A set of values, or of votes, by their numbers.
pub(crate) type Bits = u128;

/// What may happen to an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// The message of that number arrives.
    Deliver(u32),
    TimeOut(VertexId),
    Recover(VertexId),
    Restart,
}

/// A message between two nodes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Parcel {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) message: Message,
}

/// A vote above round 0.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Vote {
    vertex: VertexId,
    ballot: Ballot,
    value: Value,
}

/// An actor state and what can be seen of it.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Shared by the states that differ only in what was sent.
    pub(crate) actor: Arc<Actor>,
    /// [`Actor::digest`].
    pub(crate) digest: u128,
    /// Whom a proposer chooses for its fast quorums.
    other: NodeId,
    /// The numbers of what it has sent, by the place of the receiver.
    pub(crate) sent: [Vec<u32>; ACTORS_MAX],
    /// The same lists by their numbers.
    pub(crate) lists: [u32; ACTORS_MAX],
    /// The vertices that a timer may run out for.
    pub(crate) in_flight: Vec<VertexId>,
    pub(crate) shown: Shown,
}

/// What an actor shows of agreement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Shown {
    /// The values that it says are committed.
    pub(crate) committed: Bits,
    /// The votes that it has told.
    pub(crate) votes: Bits,
    pub(crate) facts: Facts,
}

impl Shown {
    /// Whether it shows all that `other` does.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.committed & other.committed == other.committed
            && self.votes & other.votes == other.votes
            && self.facts.has(other.facts)
    }
}

/// See the module.
pub(crate) struct Catalogue {
    pub(crate) cluster: Cluster,
    pub(crate) bounds: Bounds,
    entries: boxcar::Vec<Entry>,
    by_digest: Mutex<FxHashMap<u128, Number>>,
    actors: DashMap<(usize, u128), Arc<Actor>, FxBuildHasher>,
    parcels: Numbered<Parcel>,
    values: Numbered<(VertexId, Value)>,
    votes: Numbered<Vote>,
    lists: Numbered<Vec<u32>>,
    steps: DashMap<(Number, Event, bool), Option<Number>, FxBuildHasher>,
    pub(crate) reaches: Reaches,
    pub(crate) views: DashMap<(Number, Number, Number), u32, FxBuildHasher>,
    pub(crate) viewed: Numbered<(u128, Vec<u32>, Bits, Bits)>,
    verdicts: DashMap<(Bits, Bits), Facts, FxBuildHasher>,
}

impl Catalogue {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            cluster: Cluster::new(bounds.path),
            bounds,
            entries: boxcar::Vec::new(),
            by_digest: Mutex::default(),
            actors: DashMap::default(),
            parcels: Numbered::default(),
            values: Numbered::default(),
            votes: Numbered::default(),
            lists: Numbered::default(),
            steps: DashMap::default(),
            reaches: Reaches::default(),
            views: DashMap::default(),
            viewed: Numbered::default(),
            verdicts: DashMap::default(),
        }
    }

    pub(crate) fn entry(&self, number: Number) -> &Entry {
        &self.entries[number as usize]
    }

    pub(crate) fn parcel(&self, number: u32) -> &Parcel {
        self.parcels.get(number)
    }

    /// How many actor states there are, and how many messages.
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.entries.count(), self.parcels.list.count())
    }

    /// The actors at the beginning, `others` chosen for the fast quorums.
    pub(crate) fn begin(&self, others: [NodeId; 2]) -> Vec<Number> {
        (0..self.cluster.actors.len())
            .map(|place| {
                let other = others.get(place).copied().unwrap_or(NodeId(0));
                let reaction = Actor::begin(&self.cluster, &self.bounds, place, other);
                self.enter(place, other, None, reaction, None)
            })
            .collect()
    }

    /// The combinations of fast quorums: whom each proposer chooses beside its own voter.
    pub(crate) fn quorums(&self) -> Vec<[NodeId; 2]> {
        let [zero, one, two] = [NodeId(0), NodeId(1), NodeId(2)];
        match self.bounds.quorums {
            FastQuorums::Third => vec![[two, two]],
            FastQuorums::EachOther => vec![[one, zero]],
            FastQuorums::Ring => vec![[one, two]],
            FastQuorums::All => vec![[one, zero], [one, two], [two, zero], [two, two]],
        }
    }

    /// What the actor at `place` becomes; none if nothing changes, or the bounds forbid it.
    pub(crate) fn step(
        &self,
        place: usize,
        number: Number,
        event: Event,
        is_lost: bool,
    ) -> Option<Number> {
        let key = (number, event, is_lost);
        if let Some(known) = self.steps.get(&key) {
            return *known;
        }
        let next = self.run(place, number, event, is_lost);
        self.steps.insert(key, next);
        next
    }

    fn run(&self, place: usize, number: Number, event: Event, is_lost: bool) -> Option<Number> {
        let entry = self.entry(number);
        if entry.actor.broken.is_some() {
            return None;
        }
        let stimulus = match event {
            Event::Deliver(parcel) => {
                let Parcel { from, message, .. } = self.parcel(parcel);
                if entry.actor.may_ignore(&self.bounds, *from, message) {
                    return None;
                }
                Stimulus::Deliver { from: *from, message }
            }
            Event::TimeOut(vertex) => Stimulus::TimeOut(vertex),
            Event::Recover(vertex) => Stimulus::Recover(vertex),
            Event::Restart => Stimulus::Restart,
        };
        let other = entry.other;
        let reaction = entry.actor.react(&self.cluster, &self.bounds, other, &stimulus, is_lost);
        // What a proposer tries on its own accord is bounded; what a restart begins with is not.
        let is_own_accord = matches!(event, Event::TimeOut(_) | Event::Recover(_));
        if is_own_accord {
            let earlier = entry.actor.attempts();
            let is_beyond = reaction.actor.attempts().into_iter().any(|(vertex, count)| {
                count > earlier.get(&vertex).copied().unwrap_or(0)
                    && count > self.bounds.attempts_in(entry.actor.node, vertex.proposer)
            });
            if is_beyond {
                return None;
            }
        }
        let next = self.enter(place, other, Some(entry), reaction, Some(&stimulus));
        (next != number).then_some(next)
    }

    /// The number of what came of a stimulus.
    fn enter(
        &self,
        place: usize,
        other: NodeId,
        earlier: Option<&Entry>,
        reaction: Reaction,
        stimulus: Option<&Stimulus<'_>>,
    ) -> Number {
        let Reaction { actor, sent: new } = reaction;
        let mut sent = earlier.map(|entry| entry.sent.clone()).unwrap_or_default();
        let Shown { mut committed, mut votes, mut facts } =
            earlier.map(|entry| entry.shown).unwrap_or_default();
        for (to, message) in new {
            match &message {
                Message::Commit(it) => committed |= self.values.bit((it.vertex, it.value.clone())),
                Message::Chosen(it) => committed |= self.values.bit((it.vertex, it.value.clone())),
                Message::Learned(it) => committed |= self.values.bit((it.vertex, it.value.clone())),
                Message::Concluded(_) => facts = facts | Facts::FAST,
                Message::Refused(_) => facts = facts | Facts::REFUSED,
                Message::Accepted(told) => {
                    if let Some(Stimulus::Deliver { message: Message::Accept(asked), .. }) =
                        stimulus
                    {
                        assert_eq!((asked.vertex, asked.ballot), (told.vertex, told.ballot));
                        let value = asked.value.clone();
                        let vote = Vote { vertex: told.vertex, ballot: told.ballot, value };
                        votes |= self.votes.bit(vote);
                    }
                }
                _ => {}
            }
            let kind = message.kind();
            if kind == althing_wire::Kind::Commit && !self.bounds.commits {
                continue;
            }
            let Some(receiver) = self.cluster.receiver(kind, to) else { continue };
            let parcel = self.parcels.number(Parcel { from: actor.node, to, message });
            if let Err(at) = sent[receiver].binary_search(&parcel) {
                sent[receiver].insert(at, parcel);
            }
        }
        facts = facts | self.facts_of(&actor, &sent, votes);
        let mut hasher = SipHasher13::new();
        let own = actor.digest(&self.cluster, &self.bounds);
        let shown = Shown { committed, votes, facts };
        (place, other, own, &sent, shown).hash(&mut hasher);
        let digest = hasher.finish128().as_u128();
        let mut by_digest = self.by_digest.lock().expect("nothing panics while it is held");
        *by_digest.entry(digest).or_insert_with(|| {
            let in_flight = actor.in_flight();
            let shared = self.actors.entry((place, own)).or_insert_with(|| Arc::new(actor));
            let actor = Arc::clone(&shared);
            let lists = std::array::from_fn(|place| self.lists.number(sent[place].clone()));
            let entry = Entry { actor, digest: own, other, sent, lists, in_flight, shown };
            Number::try_from(self.entries.push(entry)).expect("fewer than 2^32 actor states")
        })
    }

    /// What one actor alone shows.
    fn facts_of(&self, actor: &Actor, sent: &[Vec<u32>], votes: Bits) -> Facts {
        let mut facts = Facts::default();
        if actor.broken.is_some() {
            facts = facts | Facts::BROKEN;
        }
        let mut proposed: FxHashMap<(VertexId, Ballot), &Value> = FxHashMap::default();
        let mut voted: FxHashMap<VertexId, Ballot> = FxHashMap::default();
        let mut vote = |vertex, ballot| {
            let earlier = voted.insert(vertex, ballot);
            if earlier.is_some_and(|earlier| earlier != ballot) {
                Facts::TWO_BALLOTS
            } else {
                Facts::default()
            }
        };
        for number in sent.iter().flatten() {
            match &self.parcel(*number).message {
                Message::Accept(accept) => {
                    let earlier = proposed.insert((accept.vertex, accept.ballot), &accept.value);
                    if earlier.is_some_and(|earlier| *earlier != accept.value) {
                        facts = facts | Facts::BALLOT_REUSED;
                    }
                }
                Message::PreAccepted(it) => {
                    facts = facts | vote(it.vertex, Ballot::fast(it.vertex))
                }
                _ => {}
            }
        }
        for number in numbers(votes) {
            let told = self.votes.get(number);
            facts = facts | vote(told.vertex, told.ballot);
        }
        facts
    }

    /// What actors show together: what each does, and what follows.
    pub(crate) fn together(&self, shown: impl IntoIterator<Item = Shown>) -> Facts {
        let (mut committed, mut voted, mut chosen) = (0, 0, 0);
        let mut facts = Facts::default();
        for one in shown {
            committed |= one.committed;
            // Two votes of three choose.
            chosen |= voted & one.votes;
            voted |= one.votes;
            facts = facts | one.facts;
        }
        facts | self.verdict(committed, chosen)
    }

    /// The largest sets of values that were found committed together, in words.
    pub(crate) fn largest_commits(&self) -> BTreeSet<BTreeSet<String>> {
        let sets: Vec<BTreeSet<String>> = self
            .verdicts
            .iter()
            .map(|verdict| {
                let (committed, chosen) = *verdict.key();
                let values = numbers(committed).map(|it| self.values.get(it).clone());
                let votes = numbers(chosen).map(|it| self.votes.get(it));
                let voted = votes.map(|vote| (vote.vertex, vote.value.clone()));
                values.chain(voted).map(|value| format!("{value:?}")).collect()
            })
            .collect();
        let is_largest = |set: &&BTreeSet<String>| {
            !sets.iter().any(|other| other.len() > set.len() && other.is_superset(set))
        };
        sets.iter().filter(is_largest).cloned().collect()
    }

    fn verdict(&self, committed: Bits, chosen: Bits) -> Facts {
        if let Some(known) = self.verdicts.get(&(committed, chosen)) {
            return *known;
        }
        let mut values: Vec<_> = numbers(committed).map(|it| self.values.get(it).clone()).collect();
        let mut facts = Facts::default();
        for number in numbers(chosen) {
            let Vote { vertex, ballot, value } = self.votes.get(number);
            facts = facts | of_chosen(self.bounds.path, *ballot, value);
            values.push((*vertex, value.clone()));
        }
        facts = facts
            | of_committed(&values, |vertex, commands| {
                self.cluster.may_have_submitted(vertex.proposer, commands, &self.bounds)
            });
        self.verdicts.insert((committed, chosen), facts);
        facts
    }
}

fn numbers(mut bits: Bits) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let number = (bits != 0).then(|| bits.trailing_zeros())?;
        bits &= bits - 1;
        Some(number)
    })
}

/// Things by number, each once.
pub(crate) struct Numbered<T> {
    list: boxcar::Vec<T>,
    numbers: Mutex<FxHashMap<T, u32>>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { list: boxcar::Vec::new(), numbers: Mutex::default() }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    pub(crate) fn number(&self, thing: T) -> u32 {
        let mut numbers = self.numbers.lock().expect("nothing panics while it is held");
        *numbers.entry(thing.clone()).or_insert_with(|| {
            u32::try_from(self.list.push(thing)).expect("fewer than 2^32 of anything")
        })
    }

    fn bit(&self, thing: T) -> Bits {
        let number = self.number(thing);
        assert!(number < Bits::BITS, "the bounds make more than {} values", Bits::BITS);
        1 << number
    }

    fn get(&self, number: u32) -> &T {
        &self.list[number as usize]
    }
}
