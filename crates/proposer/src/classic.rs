//! The classic path: dependency round, then round 1 (Simple BPaxos; `protocol` section 3).

use crate::fast::union;
use crate::work::Work;
use crate::{CommitPath, Proposer};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Ballot, Commands, DepSet, Micros, NodeId, Value, VertexId};
use althing_wire::{Depend, Depended, Effects, Ignored, ProposerRecord};
use std::collections::{BTreeMap, BTreeSet};

impl Proposer {
    pub(crate) fn propose_classic(
        &mut self,
        now: Micros,
        vertex: VertexId,
        commands: Commands,
        base: DepSet,
        effects: &mut Effects<ProposerRecord>,
    ) {
        self.begin(now, vertex, Work::Depending { commands, base, answers: BTreeMap::new() });
        self.ask_dependencies(now, vertex, effects);
    }

    /// Asks the dependency nodes that have not answered: in the classic round or a recovery's.
    pub(crate) fn ask_dependencies(
        &mut self,
        now: Micros,
        vertex: VertexId,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let nodes = self.dependency_nodes();
        let (ballot, commands, base, answers) = match self.work_mut(vertex) {
            Some(Work::Depending { commands, base, answers }) => {
                (Ballot::classic(vertex), commands, base, answers)
            }
            Some(Work::Consulting { ballot, commands, base, answers }) => {
                (*ballot, commands, base, answers)
            }
            _ => unreachable!("only these steps ask for dependencies"),
        };
        for node in nodes.iter().filter(|node| !answers.contains_key(node)) {
            let (commands, base) = (commands.clone(), base.clone());
            effects.send(*node, Depend { vertex, ballot, commands, base });
        }
        let patience = self.farthest(nodes) + self.config.timing.retry;
        self.set_timer(vertex, now + patience);
    }

    pub(crate) fn on_depended(
        &mut self,
        now: Micros,
        node: NodeId,
        depended: Depended,
        effects: &mut Effects<ProposerRecord>,
    ) -> Result<(), Ignored> {
        let Depended { vertex, ballot, deps } = depended;
        let answers = match self.work_mut(vertex) {
            Some(Work::Depending { answers, .. }) if ballot == Ballot::classic(vertex) => answers,
            Some(Work::Consulting { ballot: current, answers, .. }) if ballot == *current => {
                answers
            }
            _ => return Err(Ignored::Late),
        };
        if answers.contains_key(&node) {
            return Err(Ignored::Repeated);
        }
        answers.insert(node, deps);
        self.count_dependencies(now, vertex, effects);
        Ok(())
    }

    /// With a dependency quorum of answers their union is safe to propose: any two quorums share a
    /// node, which saw two conflicting commands in some order (I2).
    pub(crate) fn count_dependencies(
        &mut self,
        now: Micros,
        vertex: VertexId,
        effects: &mut Effects<ProposerRecord>,
    ) {
        let quorum = self.membership().dependency_quorums().dependency();
        let (ballot, value, path) = match self.work_mut(vertex) {
            Some(Work::Depending { commands, answers, .. })
                if answers.len() + usize::from(is_planted(Mutant::DependencyQuorumTooSmall))
                    >= quorum =>
            {
                let value = Value { commands: commands.clone(), deps: union(answers.values()) };
                (Ballot::classic(vertex), value, CommitPath::Classic)
            }
            Some(Work::Consulting { ballot, commands, base, answers })
                if answers.len() + usize::from(is_planted(Mutant::ConsultQuorumTooSmall))
                    >= quorum =>
            {
                // The base has every answer learnt in phase 1, the proposer's chain with it.
                let mut deps = union(answers.values());
                deps.union(base);
                (*ballot, Value { commands: commands.clone(), deps }, CommitPath::Recovered)
            }
            _ => return,
        };
        self.propose(now, vertex, ballot, value, BTreeSet::new(), path, effects);
    }
}
