//! The model as stateright explores it.

use crate::catalogue::{Catalogue, Event, Number};
use crate::cluster::{ACTORS_MAX, PROPOSERS};
use crate::facts::Facts;
use crate::{Bounds, Recoveries};
use althing_model::{Epoch, NodeId, Path, VertexId};
use stateright::{Model, Property};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// All behaviours of the cluster within the bounds.
pub struct Exhaustive {
    catalogue: Catalogue,
    search: Search,
    /// While set, no state has a next one.
    is_cut_off: Arc<AtomicBool>,
}

/// How the behaviours are gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Search {
    /// Every state.
    Full,
    /// Without states that only differ in the order of steps that do not depend on each other (see
    /// the module `reduction`).
    Reduced,
}

/// Every actor by the number of its state, and what is used up of the bounds.
///
/// What was sent is part of its sender's state, and stays for ever: a message may arrive never, or
/// late, or again, so that nothing needs to be said of loss, order and duplication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    actors: [Number; ACTORS_MAX],
    /// What tells it apart: in a reduced search less than `actors`.
    view: [u32; ACTORS_MAX],
    crashes: u8,
    /// In a reduced search, the proposer and the vertex that have the focus.
    focus: Option<Focus>,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.view, self.crashes, self.focus).hash(hasher);
    }
}

/// A proposer, by its place, in the middle of something for a vertex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Focus {
    place: u8,
    owner: u8,
    seq: u8,
}

/// Something that happens, and the state that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    what: What,
    next: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// An actor handles an event; with `is_lost` its node crashes before the step is on disk.
    Step { place: usize, event: Event, is_lost: bool },
    /// A node restarts.
    Restart { node: NodeId },
}

impl Exhaustive {
    /// The model within these bounds.
    pub fn new(bounds: Bounds, search: Search) -> Self {
        Self { catalogue: Catalogue::new(bounds), search, is_cut_off: Arc::default() }
    }

    /// Its bounds.
    pub fn bounds(&self) -> &Bounds {
        &self.catalogue.bounds
    }

    /// How many different states of single roles, and how many different messages, were met.
    pub fn parts(&self) -> (usize, usize) {
        self.catalogue.len()
    }

    /// While it is set, no state has a next one: that ends an exploration early.
    pub(crate) fn cut_off(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_cut_off)
    }

    /// The largest sets of values that were found committed together, in words.
    pub fn largest_commits(&self) -> BTreeSet<BTreeSet<String>> {
        self.catalogue.largest_commits()
    }

    /// An action in words, one line for each step.
    pub fn describe(&self, state: &State, action: &Action) -> Vec<String> {
        let places = self.places();
        let handled = (PROPOSERS as usize..places)
            .filter(|place| state.actors[*place] != action.next.actors[*place])
            .flat_map(|place| {
                let (node, _) = self.catalogue.cluster.actors[place];
                let way =
                    self.catalogue.way(&state.actors[..places], place, action.next.actors[place]);
                way.into_iter().map(move |parcel| (node, parcel))
            })
            .filter(|_| self.search == Search::Reduced)
            .map(|(_, parcel)| self.format_parcel(parcel));
        handled.chain([self.format_action(action)]).collect()
    }

    fn format_parcel(&self, parcel: u32) -> String {
        let parcel = self.catalogue.parcel(parcel);
        format!("{} -> {}  {:?}", parcel.from, parcel.to, parcel.message)
    }

    /// What a state shows.
    pub fn facts(&self, state: &State) -> Facts {
        thread_local! {
            // The checker asks for one state's properties one after the other.
            static LAST: Cell<Option<(State, Facts)>> = const { Cell::new(None) };
        }
        if let Some((last, facts)) = LAST.get()
            && last == *state
        {
            return facts;
        }
        let actors = &state.actors[..self.places()];
        let facts = match self.search {
            Search::Full => {
                self.catalogue.together(actors.iter().map(|it| self.catalogue.entry(*it).shown))
            }
            Search::Reduced => self.catalogue.facts_ahead(actors),
        };
        LAST.set(Some((*state, facts)));
        facts
    }

    fn viewed(&self, mut state: State) -> State {
        state.view = state.actors;
        if self.search == Search::Reduced {
            let places = self.places();
            for place in PROPOSERS as usize..places {
                state.view[place] = self.catalogue.view(&state.actors[..places], place);
            }
        }
        state
    }

    fn places(&self) -> usize {
        self.catalogue.cluster.actors.len()
    }

    /// The vertices that `proposer` may be asked to recover.
    fn recoverable(&self, proposer: u32) -> impl Iterator<Item = VertexId> {
        let bounds = *self.bounds();
        let seqs = u64::from(bounds.commands) + bounds.reserve_len;
        (0..PROPOSERS)
            .filter(move |owner| bounds.may_recover(NodeId(proposer), NodeId(*owner)))
            .flat_map(move |owner| {
                (0..seqs).map(move |seq| VertexId { epoch: Epoch(0), proposer: NodeId(owner), seq })
            })
    }

    /// What may happen to the actor at `place`.
    fn events(&self, state: &State, place: usize, mut each: impl FnMut(Event)) {
        for sender in &state.actors[..self.places()] {
            for parcel in &self.catalogue.entry(*sender).sent[place] {
                each(Event::Deliver(*parcel));
            }
        }
        if place < PROPOSERS as usize {
            for vertex in &self.catalogue.entry(state.actors[place]).in_flight {
                each(Event::TimeOut(*vertex));
            }
            self.recoverable(place as u32).for_each(|vertex| each(Event::Recover(vertex)));
        }
    }

    /// The state after a crash of `node`, in which the actor at `already` has restarted.
    fn crashed(&self, mut state: State, node: NodeId, already: Option<usize>) -> State {
        state.crashes += 1;
        for place in 0..self.places() {
            if self.catalogue.cluster.actors[place].0 == node && Some(place) != already {
                let number = state.actors[place];
                let next = self.catalogue.step(place, number, Event::Restart, false);
                state.actors[place] = next.unwrap_or(number);
            }
        }
        state
    }
}

impl Exhaustive {
    /// Everything that may happen.
    fn all_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let may_crash = state.crashes < self.bounds().crashes;
        for place in 0..self.places() {
            let number = state.actors[place];
            let node = self.catalogue.cluster.actors[place].0;
            self.events(state, place, |event| {
                if let Some(next) = self.catalogue.step(place, number, event, false) {
                    let mut state = *state;
                    state.actors[place] = next;
                    let what = What::Step { place, event, is_lost: false };
                    actions.push(Action { what, next: state });
                }
                if may_crash && let Some(next) = self.catalogue.step(place, number, event, true) {
                    let mut state = *state;
                    state.actors[place] = next;
                    let what = What::Step { place, event, is_lost: true };
                    let next = self.crashed(state, node, Some(place));
                    actions.push(Action { what, next });
                }
            });
        }
        if may_crash {
            for node in self.catalogue.cluster.membership.nodes() {
                let next = self.crashed(*state, node, None);
                if next.actors != state.actors {
                    actions.push(Action { what: What::Restart { node }, next });
                }
            }
        }
    }

    /// The same, rearranged (see the module `reduction`).
    fn reduced_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let may_crash = state.crashes < self.bounds().crashes;
        let used = &state.actors[..self.places()];
        for place in 0..PROPOSERS as usize {
            if state.focus.is_some_and(|focus| usize::from(focus.place) != place) {
                continue;
            }
            // What it does by itself, or with an answer that is there already.
            self.events(state, place, |event| self.move_proposer(state, place, event, actions));
            // What it does with the last answer of a batch.
            for responder in PROPOSERS as usize..self.places() {
                for (after, answer, to) in &self.catalogue.reach(used, responder).batches {
                    if *to == place {
                        let mut state = *state;
                        state.actors[responder] = *after;
                        let event = Event::Deliver(*answer);
                        self.move_proposer(&state, place, event, actions);
                    }
                }
            }
        }
        if may_crash {
            self.crash_nodes(state, actions);
        }
    }

    fn move_proposer(&self, state: &State, place: usize, event: Event, actions: &mut Vec<Action>) {
        let number = state.actors[place];
        let may_crash = state.crashes < self.bounds().crashes;
        let Some(vertex) = self.vertex(event) else { return };
        let focus = Focus {
            place: place as u8,
            owner: vertex.proposer.0 as u8,
            seq: u8::try_from(vertex.seq).expect("the bounds are small"),
        };
        if state.focus.is_some_and(|other| other != focus) {
            return;
        }
        for is_lost in [false, true] {
            if is_lost && !may_crash {
                continue;
            }
            let Some(next) = self.catalogue.step(place, number, event, is_lost) else { return };
            let mut after = *state;
            after.actors[place] = next;
            if is_lost {
                let node = self.catalogue.cluster.actors[place].0;
                after = self.crashed(after, node, Some(place));
            }
            after.focus = (!self.is_seen(number, next)).then_some(focus);
            actions.push(Action { what: What::Step { place, event, is_lost }, next: after });
        }
    }

    /// Whether others can tell that a proposer moved, or it begins or ends to work on a vertex.
    fn is_seen(&self, before: Number, after: Number) -> bool {
        let (before, after) = (self.catalogue.entry(before), self.catalogue.entry(after));
        before.lists != after.lists
            || before.shown != after.shown
            || before.in_flight != after.in_flight
    }

    fn vertex(&self, event: Event) -> Option<VertexId> {
        match event {
            Event::Deliver(parcel) => self.catalogue.parcel(parcel).message.vertex(),
            Event::TimeOut(vertex) | Event::Recover(vertex) => Some(vertex),
            Event::Restart => None,
        }
    }

    /// Crashes that are no part of a proposer's step.
    fn crash_nodes(&self, state: &State, actions: &mut Vec<Action>) {
        let catalogue = &self.catalogue;
        let used = &state.actors[..self.places()];
        for node in catalogue.cluster.membership.nodes() {
            // A proposer that is in the middle of something for a vertex may as well crash before.
            if state.focus.is_some() {
                continue;
            }
            let mut crash = |state: State, already: Option<usize>| {
                let next = self.crashed(state, node, already);
                if next.actors != state.actors || already.is_some() {
                    actions.push(Action { what: What::Restart { node }, next });
                }
            };
            crash(*state, None);
            // A responder that restarts as another than it was, or sends what is not on disk: not
            // without a planted fault.
            for place in PROPOSERS as usize..self.places() {
                if catalogue.cluster.actors[place].0 != node {
                    continue;
                }
                let requests = || {
                    used[..PROPOSERS as usize]
                        .iter()
                        .flat_map(|it| &catalogue.entry(*it).sent[place])
                };
                for number in &catalogue.reach(used, place).states {
                    let mut state = *state;
                    state.actors[place] = *number;
                    if catalogue.step(place, *number, Event::Restart, false).is_some() {
                        crash(state, None);
                    }
                    for request in requests() {
                        let lost = catalogue.step(place, *number, Event::Deliver(*request), true);
                        if let Some(next) = lost {
                            state.actors[place] = next;
                            crash(state, Some(place));
                        }
                    }
                }
            }
        }
    }
}

impl Model for Exhaustive {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let states = self.catalogue.quorums().into_iter().map(|others| {
            let mut actors = [0; ACTORS_MAX];
            for (place, number) in self.catalogue.begin(others).into_iter().enumerate() {
                actors[place] = number;
            }
            self.viewed(State { actors, view: actors, crashes: 0, focus: None })
        });
        states.collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if self.is_cut_off.load(Ordering::Relaxed) {
            return;
        }
        match self.search {
            Search::Full => self.all_actions(state, actions),
            Search::Reduced => self.reduced_actions(state, actions),
        }
    }

    fn next_state(&self, _: &State, action: Action) -> Option<State> {
        Some(self.viewed(action.next))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always(
                "I1 at most one value is committed in a vertex",
                |model: &Self, state| !model.facts(state).has(Facts::TWO_VALUES),
            ),
            Property::always(
                "I2 conflicting committed vertices are ordered",
                |model: &Self, state| !model.facts(state).has(Facts::UNORDERED),
            ),
            Property::always("only what was submitted is committed", |model: &Self, state| {
                !model.facts(state).has(Facts::INVENTED)
            }),
            Property::always("one value a ballot", |model: &Self, state| {
                !model.facts(state).has(Facts::BALLOT_REUSED)
            }),
            Property::always("no assertion of a role fails", |model: &Self, state| {
                !model.facts(state).has(Facts::BROKEN)
            }),
            Property::sometimes("committed in round 1", |model: &Self, state| {
                model.facts(state).has(Facts::ROUND_1)
            }),
        ];
        let bounds = self.bounds();
        if bounds.rival {
            properties.extend([
                Property::sometimes("both commands committed", |model: &Self, state| {
                    model.facts(state).has(Facts::BOTH)
                }),
                Property::sometimes(
                    "two vertices that depend on each other",
                    |model: &Self, state| model.facts(state).has(Facts::CYCLE),
                ),
            ]);
        }
        if bounds.path == Path::Fast {
            properties.push(Property::sometimes("fast commit", |model: &Self, state| {
                model.facts(state).has(Facts::FAST)
            }));
        }
        if bounds.recoveries != Recoveries::None || bounds.crashes > 0 {
            properties.extend([
                Property::sometimes("recovered with its command", |model: &Self, state| {
                    model.facts(state).has(Facts::RECOVERED)
                }),
                Property::sometimes("recovered as a noop", |model: &Self, state| {
                    model.facts(state).has(Facts::NOOP)
                }),
                Property::sometimes("two ballots voted in", |model: &Self, state| {
                    model.facts(state).has(Facts::TWO_BALLOTS)
                }),
                Property::sometimes("refused", |model: &Self, state| {
                    model.facts(state).has(Facts::REFUSED)
                }),
            ]);
        }
        if bounds.crashes > 0 {
            properties.push(Property::sometimes(
                "all crashes happened",
                |model: &Self, state: &State| state.crashes == model.bounds().crashes,
            ));
        }
        properties
    }

    fn format_action(&self, action: &Action) -> String {
        let actor = |place: usize| {
            let (node, party) = self.catalogue.cluster.actors[place];
            format!("{party:?} of {node}")
        };
        match action.what {
            What::Restart { node } => format!("{node} crashes and restarts"),
            What::Step { place, event, is_lost } => {
                let what = match event {
                    Event::Deliver(parcel) => self.format_parcel(parcel),
                    Event::TimeOut(vertex) => {
                        format!("{} loses patience with {vertex}", actor(place))
                    }
                    Event::Recover(vertex) => format!("{} is to recover {vertex}", actor(place)),
                    Event::Restart => format!("{} restarts", actor(place)),
                };
                let lost =
                    if is_lost { "; its node crashes before the step is on disk" } else { "" };
                format!("{what}{lost}")
            }
        }
    }
}

impl fmt::Debug for Exhaustive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exhaustive").field("bounds", self.bounds()).finish_non_exhaustive()
    }
}
