//! What surrounds a role under test: a disk that may lose its unsynced tail, and everyone whom the
//! role talks to, whose decoders and tables judge what it says.

use crate::Outcomes;
use crate::scope::Scope;
use althing_wire::{Address, Effect, Effects, Ignored, Message, NodeRecord};
use arbitrary::{Result, Unstructured};

/// Messages remembered, to be answered.
const SENT_MAX: usize = 64;

/// A role's surroundings.
#[derive(Debug)]
pub(crate) struct World<R> {
    /// All that was appended.
    records: Vec<R>,
    /// How many of them are on disk.
    synced: usize,
    /// What leaves when so many records are on disk.
    waiting: Vec<(usize, Address, Message)>,
    /// What left, the latest last.
    pub(crate) sent: Vec<(Address, Message)>,
    /// What the role told itself, and has not been told yet.
    pub(crate) to_self: Vec<Message>,
}

impl<R: Clone + Into<NodeRecord>> World<R> {
    pub(crate) fn new() -> Self {
        Self {
            records: Vec::new(),
            synced: 0,
            waiting: Vec::new(),
            sent: Vec::new(),
            to_self: Vec::new(),
        }
    }

    /// Carries a role's effects out, as far as a node would before the next sync.
    pub(crate) fn take(
        &mut self,
        scope: &Scope,
        effects: &mut Effects<R>,
        outcomes: &mut Outcomes,
    ) {
        for effect in effects.drain() {
            match effect {
                Effect::Send { to, message } => {
                    outcomes.note(("sent", message.kind()));
                    self.send(scope, to, message);
                }
                Effect::Append { records, then } => {
                    for record in records {
                        let node_record = record.clone().into();
                        let (kind, body) = (node_record.kind(), node_record.encode());
                        outcomes.note(("appended", kind));
                        assert_eq!(
                            NodeRecord::decode(kind, body).as_ref(),
                            Ok(&node_record),
                            "a record that no restart could read"
                        );
                        self.records.push(record);
                    }
                    let at = self.records.len();
                    for (to, message) in then {
                        outcomes.note(("durably sent", message.kind()));
                        self.waiting.push((at, to, message));
                    }
                }
            }
        }
    }

    /// All that was appended is on disk: what waited for it leaves.
    pub(crate) fn sync(&mut self, scope: &Scope) {
        self.synced = self.records.len();
        for (_, to, message) in std::mem::take(&mut self.waiting) {
            self.send(scope, to, message);
        }
    }

    /// The node crashes: a tail of what was not synced is lost, and so is what waited for it. What
    /// the next life reads.
    pub(crate) fn crash(&mut self, bytes: &mut Unstructured<'_>) -> Result<Vec<R>> {
        let kept = bytes.int_in_range(self.synced..=self.records.len())?;
        self.records.truncate(kept);
        self.synced = kept;
        self.waiting.clear();
        self.to_self.clear();
        Ok(self.records.clone())
    }

    /// Everything that the role ever appended and did not lose.
    pub(crate) fn records(&self) -> impl Iterator<Item = R> + '_ {
        self.records.iter().cloned()
    }

    fn send(&mut self, scope: &Scope, to: Address, message: Message) {
        let (kind, body) = (message.kind(), message.encode());
        assert_eq!(
            Message::decode(kind, body).as_ref(),
            Ok(&message),
            "a message that no peer takes"
        );
        assert!(kind.may_come_from(&scope.membership, scope.me), "{kind:?} is not its to send");
        if let Address::Node(node) = to
            && scope.membership.nodes().any(|member| member == node)
        {
            let receiver = kind.receiver_at(&scope.membership, node);
            assert!(receiver.is_some(), "{node} has no role that takes {kind:?}");
        }
        if let (Address::Node(node), Message::Reserved(_)) = (to, &message)
            && node == scope.me
        {
            self.to_self.push(message);
            return;
        }
        if self.sent.len() >= SENT_MAX {
            self.sent.remove(0);
        }
        self.sent.push((to, message));
    }
}

/// Notes how a message was taken, and what came of the one before.
pub(crate) fn note(
    outcomes: &mut Outcomes,
    previous: &mut Option<(althing_wire::Kind, Option<Ignored>)>,
    kind: althing_wire::Kind,
    taken: std::result::Result<(), Ignored>,
) {
    let now = (kind, taken.err());
    outcomes.note(now);
    outcomes.note((*previous, now));
    *previous = Some(now);
}
