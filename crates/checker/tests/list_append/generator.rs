//! Random histories that are right by construction: lists to which each transaction does all of its
//! steps at one moment between its invocation and its return.

use althing_checker::list_append::{Appends, ListHistory, Step};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

/// What to generate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) transactions: usize,
    pub(crate) clients: usize,
    pub(crate) keys: u64,
    /// Of 100: how many are given up by their client, to take effect late or never.
    pub(crate) unknown: u32,
    /// Of 100: how many fail.
    pub(crate) failed: u32,
}

/// A history that can be changed: what happened when, and what each transaction did.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    events: Vec<Event>,
    pub(crate) transactions: Vec<Done>,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Invoked(usize),
    Returned(usize),
    Failed(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) steps: Vec<Step>,
    /// Events, counted from the beginning; it never returned where that is missing.
    pub(crate) invoked: usize,
    pub(crate) returned: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Idle,
    Invoked(usize),
    Effective(usize),
}

impl Draft {
    pub(crate) fn new(seed: u64, plan: Plan) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut draft = Self { events: Vec::new(), transactions: Vec::new() };
        let mut lists: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut clients = vec![Stage::Idle; plan.clients];
        let mut limbo = Vec::new();
        while draft.transactions.len() < plan.transactions
            || clients.iter().any(|stage| !matches!(stage, Stage::Idle))
        {
            if !limbo.is_empty() && rng.random_range(0..8) == 0 {
                let late = limbo.swap_remove(rng.random_range(0..limbo.len()));
                if rng.random_bool(0.5) {
                    draft.take_effect(late, &mut lists);
                }
            }
            let client = rng.random_range(0..clients.len());
            clients[client] = match clients[client] {
                Stage::Idle if draft.transactions.len() == plan.transactions => Stage::Idle,
                Stage::Idle => Stage::Invoked(draft.invoke(&mut rng, plan)),
                Stage::Invoked(number) => {
                    let fate = rng.random_range(0..100);
                    if fate < plan.unknown {
                        limbo.push(number);
                        Stage::Idle
                    } else if fate < plan.unknown + plan.failed {
                        draft.events.push(Event::Failed(number));
                        Stage::Idle
                    } else {
                        draft.take_effect(number, &mut lists);
                        Stage::Effective(number)
                    }
                }
                Stage::Effective(number) => {
                    if rng.random_range(0..100) >= plan.unknown {
                        draft.transactions[number].returned = Some(draft.events.len());
                        draft.events.push(Event::Returned(number));
                    }
                    Stage::Idle
                }
            };
        }
        draft
    }

    fn invoke(&mut self, rng: &mut StdRng, plan: Plan) -> usize {
        let number = self.transactions.len();
        let step = |place| {
            let key = format!("k{}", rng.random_range(0..plan.keys));
            match rng.random_bool(0.5) {
                true => Step::append(key, (number * 10 + place) as u64),
                false => Step::read(key, []),
            }
        };
        let count = [1, 2, 2, 3, 4][number % 5];
        let steps = (0..count).map(step).collect();
        self.transactions.push(Done { steps, invoked: self.events.len(), returned: None });
        self.events.push(Event::Invoked(number));
        number
    }

    fn take_effect(&mut self, number: usize, lists: &mut BTreeMap<String, Vec<u64>>) {
        for step in &mut self.transactions[number].steps {
            match step {
                Step::Append { key, element } => {
                    lists.entry(key.to_string()).or_default().push(*element);
                }
                Step::Read { key, list } => {
                    *list = lists.get(&key.to_string()).cloned().unwrap_or_default();
                }
            }
        }
    }

    /// As the checker takes it.
    pub(crate) fn history(&self) -> ListHistory {
        let mut history = ListHistory::new();
        let mut ids = Vec::new();
        for event in &self.events {
            match event {
                Event::Invoked(number) => {
                    let steps = &self.transactions[*number].steps;
                    ids.push(history.invoked(*number as u64, 0, appends(steps)));
                }
                Event::Returned(number) => {
                    let steps = self.transactions[*number].steps.clone();
                    history.returned(ids[*number], 0, steps);
                }
                Event::Failed(number) => history.failed(ids[*number]),
            }
        }
        history
    }

    /// The reads of those that returned: which transaction and which of its steps.
    pub(crate) fn reads(&self) -> Vec<(usize, usize)> {
        let mut reads = Vec::new();
        for (number, done) in self.transactions.iter().enumerate() {
            for (place, step) in done.steps.iter().enumerate() {
                if done.returned.is_some() && matches!(step, Step::Read { .. }) {
                    reads.push((number, place));
                }
            }
        }
        reads
    }

    pub(crate) fn list(&mut self, (number, place): (usize, usize)) -> &mut Vec<u64> {
        match &mut self.transactions[number].steps[place] {
            Step::Read { list, .. } => list,
            Step::Append { .. } => panic!("an append reads nothing"),
        }
    }

    /// The transaction that appended it: elements are numbered after them.
    pub(crate) fn writer(element: u64) -> usize {
        element as usize / 10
    }
}

fn appends(steps: &[Step]) -> Appends {
    let appends = steps.iter().filter_map(|step| match step {
        Step::Append { key, element } => Some((key.clone(), *element)),
        Step::Read { .. } => None,
    });
    appends.collect()
}
