//! What is going to happen, in the order of virtual time.

use crate::Fault;
use crate::node::Arrived;
use althing_model::{Micros, NodeId};
use althing_wire::Answer;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Something that happens.
pub(crate) enum Event {
    Deliver {
        to: NodeId,
        arrived: Arrived,
    },
    /// A node that was busy goes on with what arrived.
    Resume {
        node: NodeId,
        life: u32,
    },
    Answer {
        client: usize,
        /// Only to that client of all that had the number.
        generation: u64,
        from: NodeId,
        answer: Answer,
    },
    Synced {
        node: NodeId,
        life: u32,
    },
    Wake {
        node: NodeId,
    },
    ClientWake {
        client: usize,
    },
    Fault(Fault),
    /// Others notice whether a node is up.
    Detect {
        node: NodeId,
    },
}

/// Events by time, and at one time in the order in which they were scheduled.
#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Scheduled>>,
    scheduled: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Micros, event: Event) {
        self.scheduled += 1;
        self.heap.push(Reverse(Scheduled { at, order: self.scheduled, event }));
    }

    /// The next event, if it comes before or at `until`.
    pub(crate) fn pop(&mut self, until: Micros) -> Option<(Micros, Event)> {
        if self.heap.peek()?.0.at > until {
            return None;
        }
        self.heap.pop().map(|Reverse(next)| (next.at, next.event))
    }
}

struct Scheduled {
    at: Micros,
    order: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
