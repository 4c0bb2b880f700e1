//! What surrounds a role under test: a disk that may lose its unsynced tail, and everyone whom the
//! role talks to, whose decoders and tables judge what it says.

use crate::Outcomes;
use crate::scope::Scope;
use althing_model::{Ballot, VertexId};
use althing_wire::{Address, Effect, Effects, Ignored, Message, NodeRecord};
use arbitrary::{Result, Unstructured};
use std::collections::BTreeMap;

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
    /// How often the role crashed.
    life: u32,
    /// In which life each ballot was begun with: in no other again (trap T14), also where the journal
    /// was trimmed.
    begun: BTreeMap<(VertexId, Ballot), u32>,
}

impl<R: Clone + Into<NodeRecord>> World<R> {
    pub(crate) fn new() -> Self {
        Self {
            records: Vec::new(),
            synced: 0,
            waiting: Vec::new(),
            sent: Vec::new(),
            to_self: Vec::new(),
            life: 0,
            begun: BTreeMap::new(),
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
        self.life += 1;
        Ok(self.records.clone())
    }

    /// The journal lets go of what its role has written again: of as much as it likes, a segment at
    /// a time.
    pub(crate) fn trim(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let needed = self.needed_from();
        let gone = bytes.int_in_range(0..=needed)?;
        self.drop_first(gone);
        Ok(())
    }

    /// The same, of all that is not needed.
    pub(crate) fn trim_all(&mut self) {
        self.drop_first(self.needed_from());
    }

    /// The place of the last `Pruned` that is on disk with a `Rewritten` behind it.
    fn needed_from(&self) -> usize {
        let is = |record: &R, what: &str| {
            let kind = record.clone().into().kind();
            let name = NodeRecord::KINDS.iter().find(|(number, _)| *number == kind);
            name.expect("a kind of the table").1.ends_with(what)
        };
        let synced = &self.records[..self.synced];
        let end = synced.iter().rposition(|record| is(record, "Rewritten"));
        let begin = end.and_then(|end| synced[..end].iter().rposition(|it| is(it, "Pruned")));
        begin.unwrap_or(0)
    }

    fn drop_first(&mut self, count: usize) {
        self.records.drain(..count);
        self.synced -= count;
        self.waiting.iter_mut().for_each(|(at, _, _)| *at -= count);
    }

    /// Everything that the role ever appended and neither lost nor let go of.
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
        let begins = match &message {
            Message::PreAccept(m) => Some((m.vertex, Ballot::fast(m.vertex))),
            Message::Depend(m) if m.ballot.round < Ballot::FIRST_RECOVERY_ROUND => {
                Some((m.vertex, m.ballot))
            }
            Message::Prepare(m) => Some((m.vertex, m.ballot)),
            _ => None,
        };
        if let Some((vertex, ballot)) = begins {
            let life = *self.begun.entry((vertex, ballot)).or_insert(self.life);
            assert_eq!(life, self.life, "{ballot} of {vertex} is begun with in two lives");
        }
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
