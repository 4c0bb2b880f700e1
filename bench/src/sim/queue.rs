//! What is going to happen, in the order of virtual time.

use althing_model::Micros;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events by time, and at one time in the order in which they were scheduled: what one node sends
/// to another arrives in order, since a link's delay is constant.
#[derive(Debug)]
pub(super) struct Queue<E> {
    /// Time, order, and the event's place: events are large, and a heap moves what it holds.
    heap: BinaryHeap<Reverse<(Micros, u64, u32)>>,
    events: Vec<Option<E>>,
    free: Vec<u32>,
    scheduled: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), events: Vec::new(), free: Vec::new(), scheduled: 0 }
    }
}

impl<E> Queue<E> {
    pub(super) fn push(&mut self, at: Micros, event: E) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            self.events.len() as u32 - 1
        });
        self.events[place as usize] = Some(event);
        self.scheduled += 1;
        self.heap.push(Reverse((at, self.scheduled, place)));
    }

    /// The next event and its time.
    pub(super) fn pop(&mut self) -> Option<(Micros, E)> {
        let Reverse((at, _, place)) = self.heap.pop()?;
        self.free.push(place);
        let event = self.events[place as usize].take();
        Some((at, event.expect("a scheduled event is in its place until it is due")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a link would overtake itself, or a run would depend on the heap's whims.
    #[test]
    fn events_of_one_time_keep_their_order() {
        let mut queue = Queue::default();
        for (at, event) in [(5, 'c'), (3, 'a'), (5, 'd'), (3, 'b'), (4, 'x')] {
            queue.push(at, event);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [(3, 'a'), (3, 'b'), (4, 'x'), (5, 'c'), (5, 'd')]);
    }
}
