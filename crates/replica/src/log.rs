//! The values of committed vertices, for replicas that lack them.

use crate::barrier::value_len;
use althing_model::{Column, DepSet, Value, VertexId};
use std::collections::BTreeMap;

/// Committed vertices above a floor, which only rises.
#[derive(Debug, Default)]
pub(crate) struct Log {
    values: BTreeMap<VertexId, Value>,
    bytes: usize,
    floor: DepSet,
}

impl Log {
    /// Adds a committed vertex; one below the floor is forgotten already.
    pub(crate) fn insert(&mut self, vertex: VertexId, value: Value) {
        if vertex.seq < self.floor.prefix(vertex.column()) {
            return;
        }
        self.bytes += value_len(&value);
        if let Some(earlier) = self.values.insert(vertex, value) {
            self.bytes -= value_len(&earlier);
        }
    }

    pub(crate) fn get(&self, vertex: VertexId) -> Option<&Value> {
        self.values.get(&vertex)
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// What the values take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Everything below is forgotten.
    pub(crate) fn floor(&self) -> &DepSet {
        &self.floor
    }

    /// Forgets what is below the prefixes of `floor`. The work is that of the vertices forgotten.
    pub(crate) fn forget_below(&mut self, floor: &DepSet) {
        for (column, row) in floor.columns() {
            while let Some(vertex) = self.first_of(column).filter(|it| it.seq < row.below()) {
                let value = self.values.remove(&vertex).expect("it was just found");
                self.bytes -= value_len(&value);
            }
            self.floor.insert_below(column, row.below());
        }
    }

    /// The vertices from `from` on, ascending.
    pub(crate) fn from(&self, from: VertexId) -> impl Iterator<Item = (VertexId, &Value)> {
        self.values.range(from..).map(|(vertex, value)| (*vertex, value))
    }

    fn first_of(&self, column: Column) -> Option<VertexId> {
        let all = column.vertex(0)..=column.vertex(u64::MAX);
        self.values.range(all).next().map(|(vertex, _)| *vertex)
    }
}
