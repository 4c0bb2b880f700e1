//! Datagrams in flight, in the order that they are due.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::clients::ClientId;
use crate::config::Direction;

/// A datagram on its way.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// When it arrives at the other end.
    pub(crate) due: Instant,
    /// Whose it is.
    pub(crate) client: ClientId,
    /// Which way it goes.
    pub(crate) direction: Direction,
    /// What it carries.
    pub(crate) payload: Box<[u8]>,
}

/// The queue: bounded, and first in first out among those due at one instant.
#[derive(Debug)]
pub(crate) struct DueQueue {
    heap: BinaryHeap<Entry>,
    entered: u64,
    bytes: usize,
    datagrams_max: usize,
    bytes_max: usize,
}

impl DueQueue {
    pub(crate) fn new(datagrams_max: usize, bytes_max: usize) -> DueQueue {
        DueQueue { heap: BinaryHeap::new(), entered: 0, bytes: 0, datagrams_max, bytes_max }
    }

    /// Whether a datagram of this length still fits; asked before it is copied.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.heap.len() < self.datagrams_max && self.bytes + len <= self.bytes_max
    }

    /// Takes a datagram that [`DueQueue::has_room`] for.
    pub(crate) fn push(&mut self, datagram: InFlight) {
        assert!(self.has_room(datagram.payload.len()), "the caller asks before it copies");
        self.bytes += datagram.payload.len();
        self.heap.push(Entry { place: self.entered, datagram });
        self.entered += 1;
    }

    /// When the first datagram is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.datagram.due)
    }

    /// Takes out the first datagram if it is due by `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<InFlight> {
        if self.next_due()? > now {
            return None;
        }
        let datagram = self.heap.pop()?.datagram;
        self.bytes -= datagram.payload.len();
        Some(datagram)
    }
}

#[derive(Debug)]
struct Entry {
    place: u64,
    datagram: InFlight,
}

/// The greatest entry is the one due first: the heap of the library hands out the greatest.
impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        let due = (other.datagram.due, other.place);
        due.cmp(&(self.datagram.due, self.place))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn datagram(due: Instant, payload: &[u8]) -> InFlight {
        let (client, direction) = (ClientId::default(), Direction::There);
        InFlight { due, client, direction, payload: payload.into() }
    }

    #[test]
    fn by_due_time_and_then_by_arrival() {
        // Broken if two datagrams due at one instant could change places.
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut queue = DueQueue::new(10, 100);
        for (ms, payload) in [(5, b"c"), (1, b"a"), (5, b"d"), (2, b"b"), (5, b"e")] {
            queue.push(datagram(at(ms), payload));
        }
        assert_eq!(queue.next_due(), Some(at(1)));
        assert!(queue.pop_due(start).is_none());
        let mut order = Vec::new();
        while let Some(datagram) = queue.pop_due(at(5)) {
            order.extend_from_slice(&datagram.payload);
        }
        assert_eq!(order, b"abcde");
    }

    #[test]
    fn both_bounds_hold_and_free_again() {
        // Broken if a flood could take all memory, or a full queue never emptied.
        let now = Instant::now();
        let mut queue = DueQueue::new(2, 10);
        queue.push(datagram(now, &[0; 8]));
        assert!(queue.has_room(2) && !queue.has_room(3));
        queue.push(datagram(now, &[]));
        assert!(!queue.has_room(0));
        queue.pop_due(now).unwrap();
        assert!(queue.has_room(10));
    }
}
