//! What is going to happen, in the order of virtual time.

use crate::Fault;
use crate::node::Arrived;
use althing_checker::Shown;
use althing_model::{Micros, NodeId};
use althing_wire::{Message, SnapshotOffer};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

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
        /// An answer, to a submission or to a read.
        answer: Message,
        /// What the read showed.
        shown: Option<Box<Shown>>,
    },
    /// A node's message to a watcher.
    Told {
        watcher: usize,
        /// Only to that watcher of all that had the number.
        generation: u64,
        from: NodeId,
        message: Box<Message>,
    },
    WatcherWake {
        watcher: usize,
    },
    /// A watcher takes in the first of what it was told and has not taken in.
    Take {
        watcher: usize,
        generation: u64,
    },
    Synced {
        node: NodeId,
        life: u32,
    },
    /// The snapshot that a node writes is on disk, or could not be written.
    Written {
        node: NodeId,
        life: u32,
    },
    /// A copy of another node's snapshot arrives.
    Copied {
        node: NodeId,
        life: u32,
        from: NodeId,
        offer: SnapshotOffer,
    },
    /// A node that fetches a snapshot goes on with it.
    FetchWake {
        node: NodeId,
        life: u32,
    },
    /// A snapshot that was fetched is to be installed.
    Fetched {
        node: NodeId,
        life: u32,
        saved: SnapshotOffer,
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
    /// The time of the latest event that was taken, and what was scheduled for that very time since,
    /// mostly messages between the roles of one node. What the heap has for it was scheduled earlier.
    now: Micros,
    at_once: VecDeque<Event>,
}

impl Queue {
    /// Schedules an event, at the earliest for now.
    pub(crate) fn push(&mut self, at: Micros, event: Event) {
        if at == self.now {
            self.at_once.push_back(event);
            return;
        }
        assert!(at > self.now, "nothing happens in the past");
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
        let next = self.heap.peek().map(|Reverse((at, ..))| *at);
        if !self.at_once.is_empty() && next != Some(self.now) {
            if self.now > until {
                return None;
            }
            return self.at_once.pop_front().map(|event| (self.now, event));
        }
        if next? > until {
            return None;
        }
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.now = at;
        self.free.push(place);
        let event = self.events[place as usize].take();
        Some((at, event.expect("a scheduled event is in its place until it is due")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: what is scheduled for this very moment would pass what was scheduled for it earlier,
    /// and messages between the roles of a node would change their order.
    #[test]
    fn events_of_one_time_keep_their_order() {
        let mut queue = Queue::default();
        let wake = |client| Event::ClientWake { client };
        let pop = |queue: &mut Queue, until| match queue.pop(until) {
            Some((at, Event::ClientWake { client })) => Some((at, client)),
            _ => None,
        };
        for (at, client) in [(5, 2), (0, 0), (5, 3), (0, 1), (7, 6)] {
            queue.push(at, wake(client));
        }
        assert_eq!([pop(&mut queue, 4), pop(&mut queue, 4)], [Some((0, 0)), Some((0, 1))]);
        assert_eq!(pop(&mut queue, 4), None);
        assert_eq!(pop(&mut queue, 5), Some((5, 2)));
        queue.push(5, wake(4));
        queue.push(6, wake(5));
        let rest = std::iter::from_fn(|| pop(&mut queue, 9)).collect::<Vec<_>>();
        assert_eq!(rest, [(5, 3), (5, 4), (6, 5), (7, 6)]);
    }
}
