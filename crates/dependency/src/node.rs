//! The dependency node: the role on the classic path.

use crate::ConflictIndex;
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
        let DependencyRecord { vertex, commands, deps } = record;
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
            let deps = held.deps.clone();
            effects.after_earlier().send(from, Depended { vertex, ballot, deps });
            return Ok(());
        }
        let deps = self.answer(vertex, &commands, &base);
        self.held.insert(vertex, Held { commands: commands.clone(), deps: deps.clone() });
        effects
            .append([DependencyRecord { vertex, commands, deps: deps.clone() }])
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
