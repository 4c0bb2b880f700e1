//! The dependency node: the role on the classic path.

use crate::ConflictIndex;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{DepSet, Epoch, ModeTable, NodeId, VertexId};
use althing_wire::limits::record_len;
use althing_wire::{
    Address, Depend, Depended, DependencyRecord, Effects, Held, Ignored, Inspect, Inspected,
    Message, PruneDependency, Pruned, Rewriting,
};
use std::collections::BTreeMap;

/// A dependency node. Idempotent: asked again about a vertex, also after a restart, it gives the
/// same answer. It knows no ballots: an answer is never a vote, so the union of any majority of
/// answers may be proposed in any ballot.
///
/// An answer given before a prune is given again after it as it was, without the new floor, and that
/// is safe. The floor stands in an answer for what the index has forgotten, and this answer was
/// computed before that: of the vertices now below the floor it holds, or leads to, each conflicting
/// one that had been entered here. One that was entered here later holds this vertex itself, and so
/// does everything that depends on it: then this vertex was executed before the floor was cut, since
/// all that the floor reaches was. One that was never entered here is another member's to report,
/// which every dependency quorum has (I2). Nothing that was forgotten is needed by whoever asks,
/// without being named to it (I6).
///
/// Durable: the answers, and the floor. Rebuilt from them: the index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DependencyNode {
    epoch: Epoch,
    index: ConflictIndex,
    /// One below the index's floor is still to be taken out of memory, and in no answer.
    held: BTreeMap<VertexId, Held>,
    /// Its own node, if a replica runs there: the only one that may prune it.
    replica: Option<NodeId>,
    /// Since the last prune, while not all that is kept is written again.
    rewriting: Option<Rewriting>,
}

impl DependencyNode {
    /// A node that has seen nothing.
    pub fn new(epoch: Epoch, modes: ModeTable) -> Self {
        let (index, held) = (ConflictIndex::new(modes), BTreeMap::new());
        Self { epoch, index, held, replica: None, rewriting: None }
    }

    /// The same, on the node `me`, which has a replica: that one alone says what may be forgotten.
    #[must_use]
    pub fn beside_replica(self, me: NodeId) -> Self {
        Self { replica: Some(me), ..self }
    }

    /// Takes back one record of a previous life.
    ///
    /// The records given are a suffix of all that were written, which begins not after the last
    /// `Pruned` that has a `Rewritten` behind it (without one they are all). An answer is one record
    /// and never another, so in whatever order and however often they come, they say the same.
    pub fn restore(&mut self, record: DependencyRecord) {
        let (vertex, commands, deps) = match record {
            DependencyRecord::Depended { vertex, commands, deps } => (vertex, commands, deps),
            DependencyRecord::Pruned { floor } => {
                self.held.retain(|vertex, _| !floor.contains(*vertex));
                if !is_planted(Mutant::FloorForgottenAtRestart) {
                    self.index.prune(&floor);
                }
                // Should this life end before the next prune, it is as if the last had gone on.
                self.rewriting = Some(Rewriting::default());
                return;
            }
            DependencyRecord::Rewritten => {
                self.rewriting = None;
                return;
            }
        };
        if !is_planted(Mutant::DependencyIndexForgotten) {
            self.index.enter(vertex, &commands);
        }
        self.held.insert(vertex, Held { commands, deps });
    }

    /// Below this it has forgotten everything: a prefix in each column.
    pub fn floor(&self) -> &DepSet {
        self.index.floor()
    }

    /// Whether all that it keeps stands behind its last `Pruned` record.
    pub fn is_rewritten(&self) -> bool {
        self.rewriting.is_none()
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
        if let Message::ReadDepend(read) = message {
            effects.send(from, self.index.answer_read(read));
            return Ok(());
        }
        if let Message::PruneDependency(prune) = message {
            return self.on_prune(from, prune, effects);
        }
        let Some(vertex) = message.vertex() else {
            return Err(Ignored::Misdirected);
        };
        if vertex.epoch != self.epoch {
            return Err(Ignored::OtherEpoch);
        }
        // Trap T16: nothing is recorded or entered, and nothing said as if the vertex were fresh.
        if matches!(message, Message::Depend(_) | Message::Inspect(_)) && self.is_pruned(vertex) {
            mark::hit(Mark::DependencyAskedOfPruned);
            effects.after_earlier().send(from, Pruned { vertex });
            return Ok(());
        }
        self.on_vertex(from, message, effects)?;
        self.rewrite(effects);
        Ok(())
    }

    fn on_vertex(
        &mut self,
        from: NodeId,
        message: Message,
        effects: &mut Effects<DependencyRecord>,
    ) -> Result<(), Ignored> {
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

    fn on_prune(
        &mut self,
        from: NodeId,
        prune: PruneDependency,
        effects: &mut Effects<DependencyRecord>,
    ) -> Result<(), Ignored> {
        if self.replica.is_some_and(|me| me != from) {
            return Err(Ignored::Misdirected);
        }
        if !self.index.prune(&prune.floor) {
            // Said from time to time: a node that hears nothing else gets on by it.
            let answer = if self.is_rewritten() { Err(Ignored::Repeated) } else { Ok(()) };
            self.rewrite(effects);
            return answer;
        }
        let floor = self.index.floor().clone();
        Rewriting::forget_some(&mut self.held, &floor);
        self.rewriting = Some(Rewriting::default());
        effects.append([DependencyRecord::Pruned { floor }]);
        Ok(())
    }

    fn is_pruned(&self, vertex: VertexId) -> bool {
        self.index.floor().contains(vertex) && !is_planted(Mutant::PrunedAnsweredAsFresh)
    }

    /// Writes the next few of the answers again, if it was pruned.
    fn rewrite(&mut self, effects: &mut Effects<DependencyRecord>) {
        self.index.sweep();
        let Some(rewriting) = &mut self.rewriting else { return };
        if !Rewriting::forget_some(&mut self.held, self.index.floor()) {
            return;
        }
        let write = |vertex, held: &Held, records: &mut Vec<DependencyRecord>| {
            let Held { commands, deps } = held.clone();
            let len = record_len(&commands, &deps);
            records.push(DependencyRecord::Depended { vertex, commands, deps });
            len
        };
        if rewriting.step(&self.held, write, DependencyRecord::Rewritten, effects) {
            mark::hit(Mark::DependencyRewritten);
            self.rewriting = None;
        }
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

    /// What a call records and says.
    fn outcome(effects: Effects<DependencyRecord>) -> (Vec<DependencyRecord>, Vec<Message>) {
        let (mut recorded, mut said) = (Vec::new(), Vec::new());
        for effect in effects {
            if let althing_wire::Effect::Append { records, then } = effect {
                recorded.extend(records);
                said.extend(then.into_iter().map(|(_, message)| message));
            }
        }
        (recorded, said)
    }

    /// Broken: a pruned vertex would be answered as if fresh (trap T16), also after a restart; or an
    /// answer above the floor would change, or be lost with a trimmed journal.
    #[test]
    fn a_pruned_node_says_so_and_keeps_the_rest() {
        mark::take();
        let begin =
            || DependencyNode::new(Epoch(0), ModeTable::read_write()).beside_replica(NodeId(1));
        let at = |seq| VertexId { seq, ..vertex(2) };
        let depend = |seq| Depend {
            vertex: at(seq),
            ballot: Ballot::classic(at(seq)),
            commands: write(),
            base: DepSet::default(),
        };
        let mut live = begin();
        tell(&mut live, NodeId(2), depend(1));
        tell(&mut live, NodeId(2), depend(2));
        let mut floor = DepSet::default();
        floor.insert_below(at(0).column(), 2);
        let prune = PruneDependency { floor: floor.clone() };
        let mut effects = Effects::default();
        let refused = live.handle(NodeId(2).into(), prune.clone().into(), &mut effects);
        assert_eq!(refused, Err(Ignored::Misdirected));
        let mut disk = outcome(tell(&mut live, NodeId(1), prune.clone())).0;
        disk.extend(outcome(tell(&mut live, NodeId(1), prune)).0);
        assert!(live.is_rewritten() && mark::take().contains(Mark::DependencyRewritten));
        let deps: DepSet = [at(1)].into_iter().collect();
        assert_eq!(
            disk,
            [
                DependencyRecord::Pruned { floor: floor.clone() },
                DependencyRecord::Depended { vertex: at(2), commands: write(), deps: deps.clone() },
                DependencyRecord::Rewritten,
            ]
        );

        let mut restored = begin();
        disk.into_iter().for_each(|record| restored.restore(record));
        for node in [&mut live, &mut restored] {
            let inspect = Inspect { vertex: at(1), ballot: Ballot::classic(at(1)) };
            for message in [inspect.into(), Message::from(depend(1))] {
                let said = outcome(tell(node, NodeId(2), message));
                assert_eq!(said, (vec![], vec![Pruned { vertex: at(1) }.into()]));
                assert!(mark::take().contains(Mark::DependencyAskedOfPruned));
            }
            assert_eq!(node.len(), 1);
            // Given before the prune: the same as then. Given after it: with the floor.
            let ballot = Ballot::classic(at(2));
            let again = outcome(tell(node, NodeId(2), depend(2))).1;
            assert_eq!(again, [Depended { vertex: at(2), ballot, deps: deps.clone() }.into()]);
            let mut deps = floor.clone();
            deps.insert(at(2));
            let (ballot, fresh) =
                (Ballot::classic(at(3)), outcome(tell(node, NodeId(2), depend(3))).1);
            assert_eq!(fresh, [Depended { vertex: at(3), ballot, deps }.into()]);
        }
    }
}
