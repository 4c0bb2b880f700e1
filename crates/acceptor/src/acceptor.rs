//! The acceptor: the role on the classic path.

use crate::Register;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{DepSet, Epoch, NodeId, VertexId};
use althing_wire::limits::record_len;
use althing_wire::{
    Accept, Accepted, AcceptorRecord, Address, Effects, Ignored, Message, Prepare, Promised,
    PruneAcceptor, Pruned, Refused, Rewriting, Vote,
};
use std::collections::BTreeMap;

/// An acceptor. Durable: promises and votes, and the floor below which it has forgotten them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Acceptor {
    epoch: Epoch,
    registers: BTreeMap<VertexId, Register>,
    /// Its own node, if a replica runs there: the only one that may prune it.
    replica: Option<NodeId>,
    /// What is forgotten: a prefix in each column. A register below is one still to be taken out of
    /// memory, and in no answer.
    floor: DepSet,
    /// Since the last prune, while not all that is kept is written again.
    rewriting: Option<Rewriting>,
}

impl Acceptor {
    /// An acceptor that has promised nothing.
    pub fn new(epoch: Epoch) -> Self {
        let (registers, floor) = (BTreeMap::new(), DepSet::default());
        Self { epoch, registers, replica: None, floor, rewriting: None }
    }

    /// The same, on the node `me`, which has a replica: that one alone says what may be forgotten.
    #[must_use]
    pub fn beside_replica(self, me: NodeId) -> Self {
        Self { replica: Some(me), ..self }
    }

    /// Takes back one record of a previous life.
    ///
    /// The records given are a suffix of all that were written, which begins not after the last
    /// `Pruned` that has a `Rewritten` behind it (without one they are all). So in each vertex the
    /// promises rise, from wherever they begin: what a suffix says is the state or less, and `Kept`
    /// puts the whole state in its place, below which no later record is.
    pub fn restore(&mut self, record: AcceptorRecord) {
        let restored = match record {
            AcceptorRecord::Promised { .. } if is_planted(Mutant::AcceptorPromiseForgotten) => {
                return;
            }
            AcceptorRecord::Pruned { floor } => {
                if !is_planted(Mutant::FloorForgottenAtRestart) {
                    self.floor.union(&floor);
                }
                self.forget(&floor);
                // Should this life end before the next prune, it is as if the last had gone on.
                self.rewriting = Some(Rewriting::default());
                return;
            }
            AcceptorRecord::Kept { vertex, promised, vote } => {
                self.registers.insert(vertex, Register::kept(promised, vote));
                return;
            }
            AcceptorRecord::Rewritten => {
                self.rewriting = None;
                return;
            }
            AcceptorRecord::Promised { vertex, ballot } => self.register(vertex).promise(ballot),
            AcceptorRecord::Voted { vertex, ballot, value } => {
                self.register(vertex).cast(Vote { ballot, value, fast: None })
            }
        };
        restored.expect("records are written in the order of promises, which only rise");
    }

    /// The promise and vote of a vertex, if there are any.
    pub fn get(&self, vertex: VertexId) -> Option<&Register> {
        self.registers.get(&vertex).filter(|_| !self.is_pruned(vertex))
    }

    /// Below this it has forgotten everything: a prefix in each column.
    pub fn floor(&self) -> &DepSet {
        &self.floor
    }

    /// Whether all that it keeps stands behind its last `Pruned` record.
    pub fn is_rewritten(&self) -> bool {
        self.rewriting.is_none()
    }

    /// How many vertices it has promised or voted in.
    pub fn len(&self) -> usize {
        self.registers.len()
    }

    /// Whether it has promised nothing.
    pub fn is_empty(&self) -> bool {
        self.registers.is_empty()
    }

    /// Handles a message.
    ///
    /// # Errors
    /// Why it did nothing.
    pub fn handle(
        &mut self,
        from: Address,
        message: Message,
        effects: &mut Effects<AcceptorRecord>,
    ) -> Result<(), Ignored> {
        let Address::Node(from) = from else {
            return Err(Ignored::Misdirected);
        };
        if let Message::PruneAcceptor(prune) = message {
            return self.on_prune(from, prune, effects);
        }
        let Some(vertex) = message.vertex() else {
            return Err(Ignored::Misdirected);
        };
        if vertex.epoch != self.epoch {
            return Err(Ignored::OtherEpoch);
        }
        // Trap T16: nothing is recorded, and nothing said as if the vertex were fresh.
        if matches!(message, Message::Prepare(_) | Message::Accept(_)) && self.is_pruned(vertex) {
            mark::hit(Mark::AcceptorAskedOfPruned);
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
        effects: &mut Effects<AcceptorRecord>,
    ) -> Result<(), Ignored> {
        match message {
            Message::Prepare(prepare) => self.on_prepare(from, prepare, effects),
            Message::Accept(accept) => self.on_accept(from, accept, effects),
            _ => Err(Ignored::Misdirected),
        }
    }

    fn on_prepare(
        &mut self,
        from: NodeId,
        prepare: Prepare,
        effects: &mut Effects<AcceptorRecord>,
    ) -> Result<(), Ignored> {
        let Prepare { vertex, ballot } = prepare;
        if ballot.proposer != from || !ballot.is_allowed_in(vertex) {
            return Err(Ignored::NotTheOwner);
        }
        let register = self.register(vertex);
        match register.promise(ballot) {
            Ok(()) => {
                let vote =
                    register.vote().cloned().filter(|_| !is_planted(Mutant::PromiseHidesVote));
                effects
                    .append([AcceptorRecord::Promised { vertex, ballot }])
                    .send(from, Promised { vertex, ballot, vote });
            }
            Err(_) if is_planted(Mutant::RefusalNotSent) => return Err(Ignored::Late),
            Err(promised) => {
                mark::hit(Mark::AcceptorPrepareRefused);
                effects.after_earlier().send(from, Refused { vertex, ballot, promised });
            }
        }
        Ok(())
    }

    fn on_accept(
        &mut self,
        from: NodeId,
        accept: Accept,
        effects: &mut Effects<AcceptorRecord>,
    ) -> Result<(), Ignored> {
        let Accept { vertex, ballot, value } = accept;
        if ballot.proposer != from || !ballot.is_allowed_in(vertex) || ballot.round == 0 {
            return Err(Ignored::NotTheOwner);
        }
        let register = self.register(vertex);
        match register.cast(Vote { ballot, value: value.clone(), fast: None }) {
            Ok(()) => {
                effects
                    .append([AcceptorRecord::Voted { vertex, ballot, value }])
                    .send(from, Accepted { vertex, ballot });
            }
            Err(_) if is_planted(Mutant::RefusalNotSent) => return Err(Ignored::Late),
            Err(promised) => {
                mark::hit(Mark::AcceptorAcceptRefused);
                effects.after_earlier().send(from, Refused { vertex, ballot, promised });
            }
        }
        Ok(())
    }

    fn on_prune(
        &mut self,
        from: NodeId,
        prune: PruneAcceptor,
        effects: &mut Effects<AcceptorRecord>,
    ) -> Result<(), Ignored> {
        if self.replica.is_some_and(|me| me != from) {
            return Err(Ignored::Misdirected);
        }
        let mut floor = self.floor.clone();
        floor.union(&prune.floor.prefixes());
        if floor == self.floor {
            // Said from time to time: an acceptor that hears nothing else gets on by it.
            let answer = if self.is_rewritten() { Err(Ignored::Repeated) } else { Ok(()) };
            self.rewrite(effects);
            return answer;
        }
        self.floor = floor.clone();
        Rewriting::forget_some(&mut self.registers, &self.floor);
        self.rewriting = Some(Rewriting::default());
        effects.append([AcceptorRecord::Pruned { floor }]);
        Ok(())
    }

    fn forget(&mut self, floor: &DepSet) {
        self.registers.retain(|vertex, _| !floor.contains(*vertex));
    }

    fn is_pruned(&self, vertex: VertexId) -> bool {
        self.floor.contains(vertex) && !is_planted(Mutant::PrunedAnsweredAsFresh)
    }

    /// Writes the next few of the registers again, if it was pruned.
    fn rewrite(&mut self, effects: &mut Effects<AcceptorRecord>) {
        let Some(rewriting) = &mut self.rewriting else { return };
        if !Rewriting::forget_some(&mut self.registers, &self.floor) {
            return;
        }
        let write = |vertex, register: &Register, records: &mut Vec<AcceptorRecord>| {
            let (promised, vote) = (register.to_rewrite(vertex), register.vote().cloned());
            let len = vote.as_ref().map_or(0, |v| record_len(&v.value.commands, &v.value.deps));
            records.push(AcceptorRecord::Kept { vertex, promised, vote });
            len
        };
        if rewriting.step(&self.registers, write, AcceptorRecord::Rewritten, effects) {
            mark::hit(Mark::AcceptorRewritten);
            self.rewriting = None;
        }
    }

    fn register(&mut self, vertex: VertexId) -> &mut Register {
        self.registers.entry(vertex).or_insert_with(|| Register::new(vertex))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use althing_model::{Ballot, Commands, DepSet, Value};

    fn vertex() -> VertexId {
        VertexId { epoch: Epoch(0), proposer: NodeId(1), seq: 0 }
    }

    fn prepare(round: u32, proposer: u32) -> (Address, Message) {
        let proposer = NodeId(proposer);
        let prepare = Prepare { vertex: vertex(), ballot: Ballot { round, proposer } };
        (proposer.into(), prepare.into())
    }

    /// Broken: a restarted acceptor would vote below a ballot that it had promised.
    #[test]
    fn a_promise_survives_a_restart() {
        let mut first = Acceptor::new(Epoch(0));
        let mut effects = Effects::default();
        let (from, message) = prepare(3, 2);
        first.handle(from, message, &mut effects).unwrap();
        let mut second = Acceptor::new(Epoch(0));
        for effect in effects {
            if let althing_wire::Effect::Append { records, .. } = effect {
                records.into_iter().for_each(|record| second.restore(record));
            }
        }
        assert_eq!(second.get(vertex()), first.get(vertex()));
        let mut effects = Effects::default();
        let value = Value { commands: Commands::Noop, deps: DepSet::default() };
        let ballot = Ballot::classic(vertex());
        let accept = Accept { vertex: vertex(), ballot, value };
        second.handle(NodeId(1).into(), accept.into(), &mut effects).unwrap();
        let mut expected = Effects::default();
        let promised = Ballot { round: 3, proposer: NodeId(2) };
        expected.after_earlier().send(NodeId(1), Refused { vertex: vertex(), ballot, promised });
        assert_eq!(effects, expected);
    }

    /// Broken: a proposer of a lower ballot would not be told, or get what it asks for.
    #[test]
    fn refusals_leave_their_marks() {
        mark::take();
        let mut acceptor = Acceptor::new(Epoch(0));
        let (from, higher) = prepare(3, 2);
        acceptor.handle(from, higher, &mut Effects::default()).unwrap();
        let promised = Ballot { round: 3, proposer: NodeId(2) };
        let refused = |ballot| {
            let mut expected = Effects::default();
            let refused = Refused { vertex: vertex(), ballot, promised };
            expected.after_earlier().send(ballot.proposer, refused);
            expected
        };

        let mut effects = Effects::default();
        let (from, lower) = prepare(2, 2);
        acceptor.handle(from, lower, &mut effects).unwrap();
        assert_eq!(effects, refused(Ballot { round: 2, proposer: NodeId(2) }));
        assert!(mark::take().contains(Mark::AcceptorPrepareRefused));

        let mut effects = Effects::default();
        let value = Value { commands: Commands::Noop, deps: DepSet::default() };
        let ballot = Ballot::classic(vertex());
        let accept = Accept { vertex: vertex(), ballot, value };
        acceptor.handle(NodeId(1).into(), accept.into(), &mut effects).unwrap();
        assert_eq!(effects, refused(ballot));
        assert!(mark::take().contains(Mark::AcceptorAcceptRefused));
    }

    /// Broken: anyone could propose in the rounds that need no phase 1.
    #[test]
    fn a_stranger_s_ballot_is_ignored() {
        let mut acceptor = Acceptor::new(Epoch(0));
        let mut effects = Effects::default();
        let (_, message) = prepare(3, 2);
        let refused = acceptor.handle(NodeId(9).into(), message, &mut effects);
        assert_eq!(refused, Err(Ignored::NotTheOwner));
        let (from, message) = prepare(1, 2);
        assert_eq!(acceptor.handle(from, message, &mut effects), Err(Ignored::NotTheOwner));
        assert!(effects.is_empty() && acceptor.is_empty());
    }

    fn tell(
        acceptor: &mut Acceptor,
        from: NodeId,
        message: impl Into<Message>,
    ) -> Result<(Vec<AcceptorRecord>, Vec<Message>), Ignored> {
        let mut effects = Effects::default();
        acceptor.handle(from.into(), message.into(), &mut effects)?;
        let (mut recorded, mut said) = (Vec::new(), Vec::new());
        for effect in effects {
            if let althing_wire::Effect::Append { records, then } = effect {
                recorded.extend(records);
                said.extend(then.into_iter().map(|(_, message)| message));
            }
        }
        Ok((recorded, said))
    }

    /// Broken: a pruned vertex could get a second value (trap T16), also after a restart; or a
    /// promise or vote above the floor would be lost with a trimmed journal.
    #[test]
    fn a_pruned_acceptor_says_so_and_keeps_the_rest() {
        mark::take();
        let at = |seq| VertexId { seq, ..vertex() };
        let ballot = |round| Ballot { round, proposer: NodeId(2) };
        let value = Value { commands: Commands::Noop, deps: DepSet::default() };
        let mut live = Acceptor::new(Epoch(0)).beside_replica(NodeId(1));
        let accept =
            |seq, round| Accept { vertex: at(seq), ballot: ballot(round), value: value.clone() };
        tell(&mut live, NodeId(2), accept(0, 2)).unwrap();
        tell(&mut live, NodeId(2), accept(1, 2)).unwrap();
        tell(&mut live, NodeId(2), Prepare { vertex: at(1), ballot: ballot(5) }).unwrap();

        let floor: DepSet = [at(0)].into_iter().collect();
        let prune = PruneAcceptor { floor: floor.clone() };
        assert_eq!(tell(&mut live, NodeId(2), prune.clone()), Err(Ignored::Misdirected));
        let mut disk = tell(&mut live, NodeId(1), prune.clone()).unwrap().0;
        disk.extend(tell(&mut live, NodeId(1), prune.clone()).unwrap().0);
        assert!(live.is_rewritten() && mark::take().contains(Mark::AcceptorRewritten));
        assert_eq!(tell(&mut live, NodeId(1), prune), Err(Ignored::Repeated));
        let vote = Some(Vote { ballot: ballot(2), value: value.clone(), fast: None });
        assert_eq!(
            disk,
            [
                AcceptorRecord::Pruned { floor },
                AcceptorRecord::Kept { vertex: at(1), promised: ballot(5), vote },
                AcceptorRecord::Rewritten,
            ]
        );
        // Before what a trim leaves at the least, a record may stand whose own past is gone.
        let older = AcceptorRecord::Promised { vertex: at(1), ballot: ballot(3) };
        let mut restored = Acceptor::new(Epoch(0)).beside_replica(NodeId(1));
        restored.restore(older);
        disk.into_iter().for_each(|record| restored.restore(record));
        assert_eq!(restored, live);
        let prepare = Prepare { vertex: at(0), ballot: ballot(9) };
        for message in [prepare.into(), Message::from(accept(0, 9))] {
            let said = tell(&mut restored, NodeId(2), message).unwrap();
            assert_eq!(said, (vec![], vec![Pruned { vertex: at(0) }.into()]));
            assert!(mark::take().contains(Mark::AcceptorAskedOfPruned));
        }
        assert_eq!(restored, live);
    }
}
