//! What a role wants done: data, never an action.

use crate::Message;
use althing_model::NodeId;
use althing_model::mutant::{Mutant, is_planted};

/// A connection of a client, numbered by the node that accepted it; it means nothing elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// Where a message goes. Which role of a node receives it follows from the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A node, possibly the sender's own.
    Node(NodeId),
    /// A client connected to the sender's node.
    Client(ClientId),
}

impl From<NodeId> for Address {
    fn from(node: NodeId) -> Self {
        Self::Node(node)
    }
}

impl From<ClientId> for Address {
    fn from(client: ClientId) -> Self {
        Self::Client(client)
    }
}

/// A message that promises nothing: it may leave at once.
pub trait Plain: Into<Message> {}

/// A message that promises something (a dependency answer, a promise, a vote, a commit, a reply, an
/// attempt): it leaves when everything that its sender appended before it is on disk.
pub trait Durable: Into<Message> {}

/// One thing that a role wants done; the caller does them in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect<R> {
    /// Send now.
    Send {
        /// To whom.
        to: Address,
        /// What.
        message: Message,
    },
    /// Append `records` to the journal, and send `then` once they, and all records that this role
    /// appended before, are on disk. Without records it is a wait for the earlier ones.
    Append {
        /// What to append.
        records: Vec<R>,
        /// What it makes visible.
        then: Vec<(Address, Message)>,
    },
}

/// The effects of a call, collected by the caller so that one buffer serves many calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects<R> {
    list: Vec<Effect<R>>,
}

impl<R> Default for Effects<R> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<R> Effects<R> {
    /// Sends a message that promises nothing.
    pub fn send(&mut self, to: impl Into<Address>, message: impl Plain) {
        self.list.push(Effect::Send { to: to.into(), message: message.into() });
    }

    /// Appends records; what they make visible is added to the answer of this call.
    pub fn append(&mut self, records: impl IntoIterator<Item = R>) -> Then<'_, R> {
        self.list.push(Effect::Append { records: records.into_iter().collect(), then: Vec::new() });
        Then { list: &mut self.list }
    }

    /// Nothing new to record: what follows waits for what this role appended before.
    pub fn after_earlier(&mut self) -> Then<'_, R> {
        self.append([])
    }

    /// Takes the effects, in order, and leaves none.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Effect<R>> {
        self.list.drain(..)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

impl<R> IntoIterator for Effects<R> {
    type Item = Effect<R>;
    type IntoIter = std::vec::IntoIter<Effect<R>>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

/// What an append makes visible once it is on disk.
#[derive(Debug)]
pub struct Then<'a, R> {
    /// The effects so far; the append is the last of them.
    list: &'a mut Vec<Effect<R>>,
}

impl<R> Then<'_, R> {
    /// Sends `message` once the append is on disk.
    pub fn send(self, to: impl Into<Address>, message: impl Durable) -> Self {
        let (to, message) = (to.into(), message.into());
        if is_told_early(&message) {
            let before = self.list.len() - 1;
            self.list.insert(before, Effect::Send { to, message });
            return self;
        }
        match self.list.last_mut() {
            Some(Effect::Append { then, .. }) => then.push((to, message)),
            _ => unreachable!("whoever holds this has just pushed an append"),
        }
        self
    }
}

/// Whether a planted fault tells this before it is on disk.
fn is_told_early(message: &Message) -> bool {
    match message {
        Message::PreAccepted(_) => is_planted(Mutant::PreAcceptedEarly),
        Message::Accepted(_) => is_planted(Mutant::AcceptedEarly),
        Message::Promised(_) => is_planted(Mutant::PromisedEarly),
        Message::Depended(_) => is_planted(Mutant::DependedEarly),
        Message::Concluded(_) => is_planted(Mutant::ConcludedEarly),
        Message::Prepare(_) => is_planted(Mutant::PrepareEarly),
        _ => false,
    }
}
