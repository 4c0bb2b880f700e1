//! What waits for a role.

use crate::snapshots::{Done, Task};
use althing_model::NodeId;
use althing_proposer::Link;
use althing_wire::{Address, ClientId, Message};
use crossbeam::channel::{Receiver, Sender, unbounded};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::sync::oneshot;

/// Something that a role is to handle.
#[derive(Debug)]
pub(crate) enum Input {
    /// A message, and how many bytes of the network's share it takes: none for one of this node.
    Message { from: Address, message: Message, bytes: usize },
    /// What is known of the link to a node.
    Link(NodeId, Link),
    /// A client's connection is over.
    ClientGone(ClientId),
    /// Someone wants the state machine's digest.
    Digest(oneshot::Sender<u64>),
    /// What the snapshots' thread is to do for the replica.
    Task(Task),
    /// What became of it, for the replica.
    Done(Done),
    /// The node is shutting down: nothing that comes after this is handled.
    Stop,
}

/// The inbox of one role: a queue without end for the roles of this node, whose messages are bounded
/// by what is in flight, and with one for the network, which can be held up.
#[derive(Debug)]
pub(crate) struct Inbox {
    sender: Sender<Input>,
    receiver: Receiver<Input>,
    len_max: usize,
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl Inbox {
    pub(crate) fn new(len_max: usize, bytes_max: usize) -> Self {
        let (sender, receiver) = unbounded();
        Self { sender, receiver, len_max, bytes: AtomicUsize::new(0), bytes_max }
    }

    /// How many inputs wait.
    pub(crate) fn len(&self) -> usize {
        self.receiver.len()
    }

    /// Whether a message of that length may come in from the network. Several connections ask at
    /// once, so that it may be exceeded by a message of each.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.len() < self.len_max && self.bytes.load(Relaxed) + bytes <= self.bytes_max
    }

    /// Puts an input in.
    pub(crate) fn put(&self, input: Input) {
        if let Input::Message { bytes, .. } = &input {
            self.bytes.fetch_add(*bytes, Relaxed);
        }
        self.sender.send(input).expect("this holds the receiver as well");
    }

    /// The queue's end, for the role's loop, which says how much it [`Self::took`].
    pub(crate) fn receiver(&self) -> &Receiver<Input> {
        &self.receiver
    }

    /// Gives room back.
    pub(crate) fn took(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_wire::Reserved;

    /// Broken: a flooding peer fills the memory, or a full inbox never takes anything again.
    #[test]
    fn the_network_is_held_up_by_number_and_by_bytes() {
        let message = |bytes| Input::Message {
            from: NodeId(1).into(),
            message: Reserved { until: 1 }.into(),
            bytes,
        };
        let inbox = Inbox::new(2, 100);
        assert!(inbox.has_room(100) && !inbox.has_room(101));
        inbox.put(message(60));
        assert!(inbox.has_room(40) && !inbox.has_room(41));
        inbox.put(message(0));
        assert!(!inbox.has_room(0), "two wait already");
        inbox.put(message(0));
        assert_eq!(inbox.len(), 3, "those of this node enter all the same");
        for _ in 0..3 {
            inbox.receiver().recv().unwrap();
        }
        inbox.took(60);
        assert!(inbox.has_room(100));
    }
}
