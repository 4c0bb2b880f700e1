//! The smallest cycle of the gravest class.

use std::collections::VecDeque;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;
use rustc_hash::FxHashMap;

use super::account;
use super::graph::{Edge, Graph, Kind};
use super::{Anomaly, Class, ListHistory};

/// Of each component only the cycles through so many transactions, or so many `rw`, are compared: one
/// that is larger is wrong beyond doubt, and its very smallest cycle is hardly worth the wait.
const COMPARED_MAX: usize = 1000;

/// Of each component so many `rw` are tried for a cycle that has no other. Beyond that the cycle shown
/// may be of a class that is less grave than the gravest.
const TRIED_MAX: usize = 50_000;

/// Classes from the gravest on: whether reads count, at most how many `rw`, and whether real time
/// counts.
const CLASSES: [(Class, bool, Rw, bool); 8] = [
    (Class::G0, false, Rw::None, false),
    (Class::G1c, true, Rw::None, false),
    (Class::GSingle, true, Rw::One, false),
    (Class::G2, true, Rw::Any, false),
    (Class::G0RealTime, false, Rw::None, true),
    (Class::G1cRealTime, true, Rw::None, true),
    (Class::GSingleRealTime, true, Rw::One, true),
    (Class::G2RealTime, true, Rw::Any, true),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rw {
    None,
    One,
    Any,
}

/// A cycle: each node with the edge to the next.
pub(super) type Cycle<'h> = Vec<(usize, Edge<'h>)>;

/// What a graph with a cycle shows.
pub(super) fn anomaly(history: &ListHistory, graph: &Graph<'_>) -> Anomaly {
    for (class, has_reads, rw, has_real_time) in CLASSES {
        let may_follow = |kind| match kind {
            Kind::Ww => true,
            Kind::Wr => has_reads,
            Kind::Rw => rw == Rw::Any,
            Kind::Rt => has_real_time,
        };
        let cycle = match rw {
            Rw::One => smallest_with_one_rw(graph, may_follow),
            Rw::None | Rw::Any => smallest(graph, may_follow),
        };
        if let Some(cycle) = cycle {
            return account::of_cycle(history, graph, class, &cycle);
        }
    }
    unreachable!("the last class takes any cycle, and there is one")
}

fn smallest<'h>(graph: &Graph<'h>, may_follow: impl Fn(Kind) -> bool) -> Option<Cycle<'h>> {
    let mut found: Option<Cycle<'h>> = None;
    for component in components(graph, &may_follow) {
        let transactions = component.iter().filter(|node| graph.operation(**node).is_some());
        for start in transactions.take(COMPARED_MAX) {
            let cycle = path(graph, *start, *start, &may_follow);
            found = smaller(graph, found, cycle);
        }
    }
    found
}

/// A cycle of one `rw`, and for the rest of what may be followed.
fn smallest_with_one_rw<'h>(
    graph: &Graph<'h>,
    may_follow: impl Fn(Kind) -> bool,
) -> Option<Cycle<'h>> {
    let mut found: Option<Cycle<'h>> = None;
    for component in components(graph, &|kind| kind == Kind::Rw || may_follow(kind)) {
        let edges = component.iter().flat_map(|node| {
            let edges = graph.edges(*node).iter().filter(|edge| edge.kind == Kind::Rw);
            edges.map(|edge| (*node, *edge))
        });
        let inside = edges.filter(|(_, edge)| component.binary_search(&edge.to).is_ok());
        for (tried, (node, edge)) in inside.take(TRIED_MAX).enumerate() {
            if found.is_some() && tried >= COMPARED_MAX {
                break;
            }
            if let Some(mut cycle) = path(graph, edge.to, node, &may_follow) {
                cycle.insert(0, (node, edge));
                found = smaller(graph, found, Some(cycle));
            }
        }
    }
    found
}

/// By how many transactions there are in them.
fn smaller<'h>(
    graph: &Graph<'h>,
    one: Option<Cycle<'h>>,
    other: Option<Cycle<'h>>,
) -> Option<Cycle<'h>> {
    let len = |cycle: &Cycle<'h>| {
        cycle.iter().filter(|(node, _)| graph.operation(*node).is_some()).count()
    };
    match (one, other) {
        (Some(one), Some(other)) => Some(if len(&other) < len(&one) { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// The nodes that are on cycles, component by component.
fn components(graph: &Graph<'_>, may_follow: &impl Fn(Kind) -> bool) -> Vec<Vec<usize>> {
    let mut followed: DiGraph<(), (), usize> = DiGraph::default();
    let nodes: Vec<_> = (0..graph.nodes()).map(|_| followed.add_node(())).collect();
    for node in 0..graph.nodes() {
        for edge in graph.edges(node).iter().filter(|edge| may_follow(edge.kind)) {
            followed.add_edge(nodes[node], nodes[edge.to], ());
        }
    }
    let components = kosaraju_scc(&followed).into_iter();
    // No node has an edge to itself.
    let mut components: Vec<Vec<usize>> = components
        .filter(|component| component.len() > 1)
        .map(|component| component.into_iter().map(|node| node.index()).collect())
        .collect();
    components.iter_mut().for_each(|component| component.sort_unstable());
    components
}

/// The way with the fewest transactions from one node to another, of one edge at least. Instants
/// cost nothing.
fn path<'h>(
    graph: &Graph<'h>,
    from: usize,
    to: usize,
    may_follow: &impl Fn(Kind) -> bool,
) -> Option<Cycle<'h>> {
    // By node: with how many transactions it was reached, and how.
    let mut reached: FxHashMap<usize, (u32, usize, Edge<'h>)> = FxHashMap::default();
    let mut next = VecDeque::from([(from, 0)]);
    while let Some((node, distance)) = next.pop_front() {
        if node == to && distance > 0 {
            break;
        }
        for edge in graph.edges(node).iter().filter(|edge| may_follow(edge.kind)) {
            let cost = u32::from(graph.operation(edge.to).is_some());
            let is_nearer = |(known, ..): &(u32, usize, Edge<'h>)| distance + cost < *known;
            if reached.get(&edge.to).is_none_or(is_nearer) {
                reached.insert(edge.to, (distance + cost, node, *edge));
                match cost {
                    0 => next.push_front((edge.to, distance)),
                    _ => next.push_back((edge.to, distance + 1)),
                }
            }
        }
    }
    let mut path = Vec::new();
    let mut at = to;
    loop {
        let (_, before, edge) = *reached.get(&at)?;
        path.push((before, edge));
        if before == from {
            break;
        }
        at = before;
    }
    path.reverse();
    Some(path)
}
