//! Who comes before whom, in every order that explains the history.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::ListHistory;
use super::lists::Lists;
use crate::register_map::Blob;
use crate::{OperationId, Outcome};

/// Why one transaction comes before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its element comes before the other's.
    Ww,
    /// Its element was seen by the other.
    Wr,
    /// It did not see the other's element.
    Rw,
    /// It returned before the other was invoked: a way over instants.
    Rt,
}

/// An edge, with what it rests on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge<'h> {
    pub(super) to: usize,
    pub(super) kind: Kind,
    /// The list, and the later element: none in real time.
    pub(super) on: Option<(&'h Blob, u64)>,
}

/// The effective transactions, then the instants: one for each return, each after the one before.
/// With them real time takes as many edges as there are events, and not all pairs.
#[derive(Debug)]
pub(super) struct Graph<'h> {
    transactions: Vec<OperationId>,
    edges: Vec<Vec<Edge<'h>>>,
}

impl<'h> Graph<'h> {
    pub(super) fn new(history: &ListHistory, lists: &Lists<'h>) -> Self {
        let transactions: Vec<OperationId> = lists.effective.iter().copied().collect();
        let edges = vec![Vec::new(); transactions.len()];
        let mut graph = Self { transactions, edges };
        graph.add_dependencies(lists);
        graph.add_real_time(history);
        graph
    }

    /// The operation of a node; none of an instant.
    pub(super) fn operation(&self, node: usize) -> Option<OperationId> {
        self.transactions.get(node).copied()
    }

    /// Transactions and instants.
    pub(super) fn nodes(&self) -> usize {
        self.edges.len()
    }

    pub(super) fn edges(&self, node: usize) -> &[Edge<'h>] {
        &self.edges[node]
    }

    fn add_dependencies(&mut self, lists: &Lists<'h>) {
        let nodes: BTreeMap<OperationId, usize> =
            self.transactions.iter().copied().zip(0..).collect();
        for (key, list) in &lists.lists {
            let mut add = |from: &OperationId, to: &OperationId, kind, element: u64| {
                if from != to {
                    let edge = Edge { to: nodes[to], kind, on: Some((key, element)) };
                    self.edges[nodes[from]].push(edge);
                }
            };
            for (pair, element) in list.writers.windows(2).zip(list.longest.iter().skip(1)) {
                add(&pair[0], &pair[1], Kind::Ww, *element);
            }
            for (writer, element) in &list.unread {
                if let Some(last) = list.writers.last() {
                    add(last, writer, Kind::Ww, *element);
                }
            }
            for (reader, seen) in &list.reads {
                if let Some(last) = seen.len().checked_sub(1) {
                    add(&list.writers[last], reader, Kind::Wr, seen[last]);
                }
                match list.writers.get(seen.len()) {
                    Some(next) => add(reader, next, Kind::Rw, list.longest[seen.len()]),
                    None => {
                        for (writer, element) in &list.unread {
                            add(reader, writer, Kind::Rw, *element);
                        }
                    }
                }
            }
        }
    }

    fn add_real_time(&mut self, history: &ListHistory) {
        // By event: the node, and whether it returns there.
        let mut events: BTreeMap<u64, (usize, bool)> = BTreeMap::new();
        for (node, id) in self.transactions.iter().enumerate() {
            let operation = &history.operations()[id.number()];
            events.insert(operation.invoked.event, (node, false));
            if let Outcome::Returned { at, .. } = &operation.outcome {
                events.insert(at.event, (node, true));
            }
        }
        let mut latest = None;
        for (node, returns) in events.into_values() {
            let edge = |to| Edge { to, kind: Kind::Rt, on: None };
            if returns {
                let instant = self.edges.len();
                self.edges.push(Vec::new());
                self.edges[node].push(edge(instant));
                if let Some(before) = latest.replace(instant) {
                    self.edges[before].push(edge(instant));
                }
            } else if let Some(before) = latest {
                self.edges[before].push(edge(node));
            }
        }
    }

    /// An order along all edges, if there is one: always the first invoked of those that may come.
    pub(super) fn order(&self) -> Option<Vec<OperationId>> {
        let mut before = vec![0u32; self.nodes()];
        for edge in self.edges.iter().flatten() {
            before[edge.to] += 1;
        }
        let free = (0..self.nodes()).filter(|node| before[*node] == 0);
        let mut free: BinaryHeap<Reverse<usize>> = free.map(Reverse).collect();
        let mut placed = 0;
        let mut order = Vec::with_capacity(self.transactions.len());
        while let Some(Reverse(node)) = free.pop() {
            placed += 1;
            order.extend(self.operation(node));
            for edge in self.edges(node) {
                before[edge.to] -= 1;
                if before[edge.to] == 0 {
                    free.push(Reverse(edge.to));
                }
            }
        }
        (placed == self.nodes()).then_some(order)
    }
}
