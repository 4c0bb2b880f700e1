//! What is going to happen, in the order of virtual time.

use crate::Fault;
use crate::node::Arrived;
use althing_model::{Micros, NodeId};
use althing_wire::Answer;
use std::cmp::Reverse;
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
    /// Time, order, and the event's place: events are large, and a heap moves what it holds.
    heap: BinaryHeap<Reverse<(Micros, u64, u32)>>,
    events: Vec<Option<Event>>,
    free: Vec<u32>,
    scheduled: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Micros, event: Event) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() as u32 - 1
        });
        self.events[place as usize] = Some(event);
        self.scheduled += 1;
        self.heap.push(Reverse((at, self.scheduled, place)));
    }

    /// The next event, if it comes before or at `until`.
    pub(crate) fn pop(&mut self, until: Micros) -> Option<(Micros, Event)> {
        if self.heap.peek()?.0.0 > until {
            return None;
        }
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.free.push(place);
        let event = self.events[place as usize].take();
        Some((at, event.expect("a scheduled event is in its place until it is due")))
    }
}
