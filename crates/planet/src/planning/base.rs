//! A placement but for its last node: what each choice of that node costs, with little arithmetic.

use super::{Protocol, Question};

/// What a placement costs all clients, before it is divided by the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    /// Weight times latency, added up, in thousandths of a microsecond.
    pub(super) sum: u128,
    /// The greatest latency, in microseconds.
    pub(super) worst: u64,
}

/// What does not change while placements are compared.
#[derive(Debug)]
pub(super) struct Arithmetic<'a> {
    question: &'a Question,
    protocol: Protocol,
    /// Sizes of the quorums, without the node that asks.
    others: Vec<usize>,
    /// What all clients' ways to a node and back cost, by place.
    ways: Vec<Cost>,
    weights: u128,
}

/// All nodes but the last.
#[derive(Debug)]
pub(super) struct Base<'a> {
    arithmetic: &'a Arithmetic<'a>,
    nodes: Vec<usize>,
    /// The nearest of them to each client region, with its distance.
    homes: Vec<(u64, usize)>,
    /// From each of them to the others, ascending.
    distances: Vec<Vec<u64>>,
}

/// What the search for a last node reuses from one choice to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// How long a node waits for its quorums, by place; of the nodes alone.
    waits: Vec<u64>,
    distances: Vec<u64>,
}

impl<'a> Arithmetic<'a> {
    pub(super) fn new(question: &'a Question, protocol: Protocol) -> Self {
        let quorums = protocol.quorums(question.n, question.f);
        let clients = &question.clients;
        let ways = (0..question.round_trips.len).map(|node| {
            let way = |client: usize| question.round_trips.us(client, node);
            let sum = clients
                .iter()
                .map(|it| u128::from(it.weight.thousandths()) * u128::from(way(it.at)))
                .sum();
            Cost { sum, worst: clients.iter().map(|it| way(it.at)).max().unwrap_or_default() }
        });
        Self {
            question,
            protocol,
            others: quorums.into_iter().map(|size| size - 1).collect(),
            ways: ways.collect(),
            weights: clients.iter().map(|it| u128::from(it.weight.thousandths())).sum(),
        }
    }

    pub(super) fn base(&'a self, nodes: &[usize]) -> Base<'a> {
        let question = self.question;
        let homes = question.clients.iter().map(|it| question.nearest(it.at, nodes)).collect();
        let distances = nodes.iter().map(|&node| {
            let others = nodes.iter().filter(|&&other| other != node);
            let mut us: Vec<u64> =
                others.map(|&other| question.round_trips.us(node, other)).collect();
            us.sort_unstable();
            us
        });
        Base { arithmetic: self, nodes: nodes.to_vec(), homes, distances: distances.collect() }
    }
}

impl Base<'_> {
    /// What these nodes and `last` cost.
    pub(super) fn cost_with(&self, last: usize, scratch: &mut Scratch) -> Cost {
        let Arithmetic { question, protocol, others, ways, weights } = self.arithmetic;
        let round_trips = &question.round_trips;
        let Scratch { waits, distances } = scratch;
        waits.resize(round_trips.len, 0);
        for (&node, sorted) in self.nodes.iter().zip(&self.distances) {
            let us = round_trips.us(node, last);
            waits[node] = others.iter().map(|&size| nth_with(sorted, us, size)).sum();
        }
        distances.clear();
        distances.extend(self.nodes.iter().map(|&node| round_trips.us(last, node)));
        distances.sort_unstable();
        waits[last] = others.iter().map(|&size| nth(distances, size)).sum();

        let through = |client: usize, node: usize| round_trips.us(client, node) + waits[node];
        let nodes = || self.nodes.iter().copied().chain([last]);
        match protocol {
            Protocol::Leader | Protocol::LeaderMajority => {
                let led = nodes().map(|leader| Cost {
                    sum: ways[leader].sum + weights * u128::from(waits[leader]),
                    worst: ways[leader].worst + waits[leader],
                });
                let places = nodes();
                let best = led.zip(places).min_by_key(|(cost, place)| (cost.sum, *place));
                best.expect("there are nodes").0
            }
            Protocol::Bound => self.total(|at, _| {
                nodes().map(|node| through(at, node)).min().expect("there are nodes")
            }),
            Protocol::Fast | Protocol::Classic | Protocol::Epaxos => {
                self.total(|at, home| through(at, home.min((round_trips.us(at, last), last)).1))
            }
        }
    }

    /// Over all client regions, each with its place and its nearest node so far.
    fn total(&self, latency_us: impl Fn(usize, (u64, usize)) -> u64) -> Cost {
        let clients = &self.arithmetic.question.clients;
        let none = Cost { sum: 0, worst: 0 };
        clients.iter().zip(&self.homes).fold(none, |cost, (client, home)| {
            let us = latency_us(client.at, *home);
            let weighted = u128::from(client.weight.thousandths()) * u128::from(us);
            Cost { sum: cost.sum + weighted, worst: cost.worst.max(us) }
        })
    }
}

/// The n-th of these, counted from 1; the 0-th is no distance.
fn nth(sorted: &[u64], n: usize) -> u64 {
    n.checked_sub(1).map_or(0, |at| sorted[at])
}

/// The n-th of these and one more: the new one, unless it falls before or after that rank.
fn nth_with(sorted: &[u64], more: u64, n: usize) -> u64 {
    match n {
        0 => 0,
        _ => more.clamp(nth(sorted, n - 1), sorted.get(n - 1).copied().unwrap_or(u64::MAX)),
    }
}
