//! The dependency node: the role on the classic path.

use crate::ConflictIndex;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{DepSet, Epoch, ModeTable, NodeId, VertexId};
use althing_wire::{
    Address, Depend, Depended, DependencyRecord, Effects, Held, Ignored, Inspect, Inspected,
    Message,
};
use std::collections::BTreeMap;

/// A dependency node. Idempotent: asked again about a vertex, also after a restart, it gives the
/// same answer. It knows no ballots: an answer is never a vote, so the union of any majority of
/// answers may be proposed in any ballot.
///
/// Durable: the answers. Rebuilt from them: the index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DependencyNode {
    epoch: Epoch,
    index: ConflictIndex,
    held: BTreeMap<VertexId, Held>,
}

impl DependencyNode {
    /// A node that has seen nothing.
    pub fn new(epoch: Epoch, modes: ModeTable) -> Self {
        Self { epoch, index: ConflictIndex::new(modes), held: BTreeMap::new() }
    }

    /// Takes back one record of a previous life.
    pub fn restore(&mut self, record: DependencyRecord) {
        let DependencyRecord::Depended { vertex, commands, deps } = record else {
            return;
        };
        if !is_planted(Mutant::DependencyIndexForgotten) {
            self.index.enter(vertex, &commands);
        }
        self.held.insert(vertex, Held { commands, deps });
    }

    /// How many vertices it holds.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether it has seen nothing.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Handles a message.
    ///
    /// # Errors
    /// Why it did nothing.
    pub fn handle(
        &mut self,
        from: Address,
        message: Message,
        effects: &mut Effects<DependencyRecord>,
    ) -> Result<(), Ignored> {
        let Address::Node(from) = from else {
            return Err(Ignored::Misdirected);
        };
        if message.vertex().is_some_and(|vertex| vertex.epoch != self.epoch) {
            return Err(Ignored::OtherEpoch);
        }
        match message {
            Message::Depend(depend) => self.on_depend(from, depend, effects),
            Message::Inspect(inspect) => self.on_inspect(from, inspect, effects),
            _ => Err(Ignored::Misdirected),
        }
    }

    fn on_depend(
        &mut self,
        from: NodeId,
        depend: Depend,
        effects: &mut Effects<DependencyRecord>,
    ) -> Result<(), Ignored> {
        let Depend { vertex, ballot, commands, base } = depend;
        if ballot.proposer != from || !ballot.is_allowed_in(vertex) {
            return Err(Ignored::NotTheOwner);
        }
        if let Some(held) = self.held.get(&vertex) {
            if held.commands != commands {
                return Err(Ignored::Contradiction);
            }
            mark::hit(Mark::ClassicDependRepeated);
            let deps = held.deps.clone();
            effects.after_earlier().send(from, Depended { vertex, ballot, deps });
            return Ok(());
        }
        let deps = self.answer(vertex, &commands, &base);
        self.held.insert(vertex, Held { commands: commands.clone(), deps: deps.clone() });
        effects
            .append([DependencyRecord::Depended { vertex, commands, deps: deps.clone() }])
            .send(from, Depended { vertex, ballot, deps });
        Ok(())
    }

    fn on_inspect(
        &mut self,
        from: NodeId,
        inspect: Inspect,
        effects: &mut Effects<DependencyRecord>,
    ) -> Result<(), Ignored> {
        let Inspect { vertex, ballot } = inspect;
        let held = self.held.get(&vertex).cloned();
        mark::hit(if held.is_some() { Mark::InspectedHeld } else { Mark::InspectedUnknown });
        effects.after_earlier().send(from, Inspected { vertex, ballot, held });
        Ok(())
    }

    fn answer(
        &mut self,
        vertex: VertexId,
        commands: &althing_model::Commands,
        base: &DepSet,
    ) -> DepSet {
        let mut deps = self.index.dependencies(commands);
        deps.union(base);
        self.index.enter(vertex, commands);
        deps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Ballot, Command, Commands, Footprint, Mode, Operation};
    use bytes::Bytes;

    fn vertex(proposer: u32) -> VertexId {
        VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq: 0 }
    }

    fn write() -> Commands {
        let footprint = Footprint::of([(Bytes::from_static(b"a"), Mode(1))]);
        Commands::Batch([Command { operation: Operation::OpenSession, footprint }].into())
    }

    /// What the node says.
    fn tell(
        node: &mut DependencyNode,
        from: NodeId,
        message: impl Into<Message>,
    ) -> Effects<DependencyRecord> {
        let mut effects = Effects::default();
        node.handle(from.into(), message.into(), &mut effects).expect("it answers");
        effects
    }

    /// Broken: asked again, a node would answer otherwise than it did; or a recovery would not be
    /// told of a command that is held.
    #[test]
    fn answers_are_given_again_and_told() {
        mark::take();
        let mut node = DependencyNode::new(Epoch(0), ModeTable::read_write());
        let ask = |node: &mut DependencyNode, of: VertexId| {
            let (ballot, base) = (Ballot::classic(of), DepSet::default());
            let depend = Depend { vertex: of, ballot, commands: write(), base };
            tell(node, of.proposer, depend)
        };
        ask(&mut node, vertex(1));
        ask(&mut node, vertex(2));
        let again = ask(&mut node, vertex(1));
        assert!(mark::take().contains(Mark::ClassicDependRepeated));
        let mut expected = Effects::default();
        let ballot = Ballot::classic(vertex(1));
        let deps = DepSet::default();
        let first = Depended { vertex: vertex(1), ballot, deps: deps.clone() };
        expected.after_earlier().send(NodeId(1), first);
        assert_eq!(again, expected);

        let ballot = Ballot { round: 2, proposer: NodeId(3) };
        let mut inspect = |of: VertexId, held: Option<Held>, hit: Mark| {
            let mut expected = Effects::default();
            let inspected = Inspected { vertex: of, ballot, held };
            expected.after_earlier().send(NodeId(3), inspected);
            assert_eq!(tell(&mut node, NodeId(3), Inspect { vertex: of, ballot }), expected);
            assert!(mark::take().contains(hit));
        };
        inspect(vertex(1), Some(Held { commands: write(), deps }), Mark::InspectedHeld);
        inspect(vertex(9), None, Mark::InspectedUnknown);
    }
}
