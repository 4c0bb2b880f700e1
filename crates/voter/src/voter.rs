//! One voter.

use althing_acceptor::Register;
use althing_dependency::ConflictIndex;
use althing_model::mark::{self, Mark};
use althing_model::mutant::{Mutant, is_planted};
use althing_model::{Ballot, Commands, DepSet, Epoch, ModeTable, NodeId, Value, VertexId};
use althing_wire::limits::record_len;
use althing_wire::{
    Accept, Accepted, Address, Chosen, Commit, Conclude, Concluded, Depend, Depended, Effects,
    FastQuorum, Ignored, Learned, Message, PreAccept, PreAccepted, Prepare, Promised,
    PruneAcceptor, Pruned, Refused, Rewriting, Vote, VoterRecord,
};
use std::collections::BTreeMap;

/// What a voter is told at its start.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Config {
    /// Its own node: the anchor of its proposer's vertices.
    pub me: NodeId,
    /// The epoch whose vertices it votes in.
    pub epoch: Epoch,
    /// Which modes commute.
    pub modes: ModeTable,
    /// Whether a replica runs on this node, to be told what is committed.
    pub has_replica: bool,
}

/// A voter.
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
/// Durable: promises, votes, dependency answers, commits and the floor. Rebuilt from them: the index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Voter {
    config: Config,
    index: ConflictIndex,
    /// One below the index's floor is still to be taken out of memory, and in no answer.
    vertices: BTreeMap<VertexId, Vertex>,
    /// Since the last prune, while not all that is kept is written again.
    rewriting: Option<Rewriting>,
}

/// What a voter knows of one vertex.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Vertex {
    /// Not known to be committed.
    Open(Open),
    /// Committed; nothing else can be said of it any more.
    Committed(Committed),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Committed {
    value: Value,
    /// With which commands it stands in the index, if it was entered: they are not the value's where
    /// a noop was committed. What is written again after a prune has to give the same index.
    entered: Option<Commands>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Open {
    register: Register,
    /// The dependencies computed here, by a vote of round 0 or for a recovery: the same whenever
    /// they are asked for. Kept apart from the vote, which later ballots overwrite.
    computed: Option<Computed>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Computed {
    commands: Commands,
    deps: DepSet,
}

impl Voter {
    /// A voter that has seen nothing.
    pub fn new(config: Config) -> Self {
        let index = ConflictIndex::new(config.modes.clone());
        Self { config, index, vertices: BTreeMap::new(), rewriting: None }
    }

    /// Takes back one record of a previous life.
    ///
    /// The records given are a suffix of all that were written, which begins not after the last
    /// [`VoterRecord::Pruned`] that has a [`VoterRecord::Rewritten`] behind it (without one they are
    /// all): a journal loses whole segments from its beginning. So in each vertex the promises rise,
    /// from wherever they begin, and nothing but answers that change nothing comes after a commit.
    /// What a suffix says of a vertex is its state or less, until [`VoterRecord::Kept`] puts the
    /// whole state in its place, below which no later record is.
    pub fn restore(&mut self, record: VoterRecord) {
        match record {
            VoterRecord::Promised { .. } if is_planted(Mutant::VoterPromiseForgotten) => {}
            VoterRecord::Promised { vertex, ballot } => {
                if let Some(open) = self.open(vertex) {
                    open.register.promise(ballot).expect("promises were recorded as they rose");
                    if is_planted(Mutant::VoteBallotOverwritten)
                        && let Some(vote) = open.register.vote().cloned()
                    {
                        let _ = open.register.cast(Vote { ballot, ..vote });
                    }
                }
            }
            VoterRecord::Voted { vertex, vote } => {
                let is_computed = vote.fast.is_some() && !is_planted(Mutant::VoterIndexForgotten);
                let computed = is_computed.then(|| vote.value.clone());
                if let Some(open) = self.open(vertex) {
                    open.register.cast(vote).expect("votes were recorded as promises rose");
                }
                if let Some(Value { commands, deps }) = computed {
                    self.restore_computed(vertex, commands, deps);
                }
            }
            VoterRecord::Depended { vertex, ballot, commands, deps } => {
                // Round 0: entered by a vote, committed since, and written again after a prune.
                if ballot.round == 0 && is_planted(Mutant::VoterIndexForgotten) {
                    return;
                }
                if let Some(open) = self.open(vertex)
                    && ballot.round > 0
                {
                    open.register.promise(ballot).expect("promises were recorded as they rose");
                }
                self.restore_computed(vertex, commands, deps);
            }
            VoterRecord::Pruned { floor } => {
                self.forget(&floor);
                if !is_planted(Mutant::FloorForgottenAtRestart) {
                    self.index.prune(&floor);
                }
                // Should this life end before the next prune, it is as if the last had gone on.
                self.rewriting = Some(Rewriting::default());
            }
            VoterRecord::Kept { vertex, promised, vote } => {
                let is_round_0 = vote.as_ref().is_some_and(|vote| vote.fast.is_some());
                let is_computed = is_round_0 && !is_planted(Mutant::VoterIndexForgotten);
                let computed = vote.as_ref().filter(|_| is_computed).map(|vote| vote.value.clone());
                let register = Register::kept(promised, vote);
                // An answer is never another, so one that an earlier record holds is right, also
                // where a crash left `Kept` without the answer behind it.
                let answered = match self.vertices.remove(&vertex) {
                    Some(Vertex::Open(open)) => open.computed,
                    Some(Vertex::Committed(_)) | None => None,
                };
                self.vertices.insert(vertex, Vertex::Open(Open { register, computed: answered }));
                if let Some(Value { commands, deps }) = computed {
                    self.restore_computed(vertex, commands, deps);
                }
            }
            VoterRecord::Rewritten => self.rewriting = None,
            VoterRecord::Committed { .. } if is_planted(Mutant::FastCommitForgotten) => {}
            VoterRecord::Committed { vertex, value } => {
                self.insert_committed(vertex, value);
            }
        }
    }

    /// The committed vertices, ascending: what the replica on this node is told after a restart.
    pub fn committed(&self) -> impl Iterator<Item = (VertexId, &Value)> {
        let kept = self.vertices.iter().filter(|(vertex, _)| !self.is_pruned(**vertex));
        kept.filter_map(|(vertex, state)| match state {
            Vertex::Committed(committed) => Some((*vertex, &committed.value)),
            Vertex::Open(_) => None,
        })
    }

    /// The promise and vote of a vertex that is not committed here.
    pub fn register(&self, vertex: VertexId) -> Option<&Register> {
        match self.vertices.get(&vertex).filter(|_| !self.is_pruned(vertex))? {
            Vertex::Open(open) => Some(&open.register),
            Vertex::Committed(_) => None,
        }
    }

    /// Below this it has forgotten everything: a prefix in each column.
    pub fn floor(&self) -> &DepSet {
        self.index.floor()
    }

    /// Whether all that it keeps stands behind its last [`VoterRecord::Pruned`].
    pub fn is_rewritten(&self) -> bool {
        self.rewriting.is_none()
    }

    /// How many vertices are in memory, those counted that a prune has still to take out of it.
    pub fn len(&self) -> usize {
        self.vertices.len()
    }

    /// Whether it has seen nothing.
    pub fn is_empty(&self) -> bool {
        self.vertices.is_empty()
    }

    /// Handles a message.
    ///
    /// # Errors
    /// Why it did nothing.
    pub fn handle(
        &mut self,
        from: Address,
        message: Message,
        effects: &mut Effects<VoterRecord>,
    ) -> Result<(), Ignored> {
        let Address::Node(from) = from else {
            return Err(Ignored::Misdirected);
        };
        if let Message::ReadDepend(read) = message {
            effects.send(from, self.index.answer_read(read));
            return Ok(());
        }
        if let Message::PruneAcceptor(prune) = message {
            return self.on_prune(from, prune, effects);
        }
        let Some(vertex) = message.vertex() else {
            return Err(Ignored::Misdirected);
        };
        if vertex.epoch != self.config.epoch {
            return Err(Ignored::OtherEpoch);
        }
        if self.is_pruned(vertex) {
            return self.on_pruned(from, vertex, message, effects);
        }
        self.on_vertex(from, vertex, message, effects)?;
        self.rewrite(effects);
        Ok(())
    }

    /// Trap T16: below the floor nothing is recorded or entered, and nothing said as if the vertex
    /// were fresh.
    fn on_pruned(
        &self,
        from: NodeId,
        vertex: VertexId,
        message: Message,
        effects: &mut Effects<VoterRecord>,
    ) -> Result<(), Ignored> {
        match message {
            // The replica may be behind, where its newest snapshot could not be read: what it learns is
            // in the snapshots of others, so it need not be recorded.
            Message::Commit(Commit { value, .. }) if self.config.has_replica => {
                mark::hit(Mark::CommitOfPruned);
                let learned = Learned { vertex, value };
                effects.after_earlier().send(self.config.me, learned);
                Ok(())
            }
            Message::Commit(_) => Err(Ignored::Repeated),
            Message::PreAccept(_)
            | Message::Conclude(_)
            | Message::Depend(_)
            | Message::Prepare(_)
            | Message::Accept(_) => {
                mark::hit(Mark::AskedOfPruned);
                effects.after_earlier().send(from, Pruned { vertex });
                Ok(())
            }
            _ => Err(Ignored::Misdirected),
        }
    }

    fn on_vertex(
        &mut self,
        from: NodeId,
        vertex: VertexId,
        message: Message,
        effects: &mut Effects<VoterRecord>,
    ) -> Result<(), Ignored> {
        if let Message::Commit(commit) = message {
            return self.on_commit(commit, effects);
        }
        if let Some(Vertex::Committed(committed)) = self.vertices.get(&vertex) {
            Self::on_committed(from, vertex, &committed.value, &message, effects);
            return Ok(());
        }
        match message {
            Message::PreAccept(pre_accept) => self.on_pre_accept(from, pre_accept, effects),
            Message::Conclude(conclude) => self.on_conclude(from, conclude, effects),
            Message::Depend(depend) => self.on_depend(from, depend, effects),
            Message::Prepare(prepare) => self.on_prepare(from, prepare, effects),
            Message::Accept(accept) => self.on_accept(from, accept, effects),
            _ => Err(Ignored::Misdirected),
        }
    }

    /// Whatever is asked of a committed vertex, the answer is its value.
    fn on_committed(
        from: NodeId,
        vertex: VertexId,
        value: &Value,
        message: &Message,
        effects: &mut Effects<VoterRecord>,
    ) {
        let then = effects.after_earlier();
        match message {
            Message::Conclude(conclude)
                if conclude.deps == value.deps
                    || is_planted(Mutant::ConcludedWhateverWasChosen) =>
            {
                mark::hit(Mark::ConcludeRepeated);
                then.send(from, Concluded { vertex });
            }
            _ => {
                mark::hit(Mark::AskedOfCommitted);
                then.send(from, Chosen { vertex, value: value.clone() });
            }
        }
    }

    fn on_pre_accept(
        &mut self,
        from: NodeId,
        pre_accept: PreAccept,
        effects: &mut Effects<VoterRecord>,
    ) -> Result<(), Ignored> {
        let PreAccept { vertex, commands, base, quorum, anchor } = pre_accept;
        if vertex.proposer != from {
            return Err(Ignored::NotTheOwner);
        }
        let ballot = Ballot::fast(vertex);
        if let Some(Vertex::Open(open)) = self.vertices.get(&vertex) {
            // Trap T3: after a promise to a recovery there is no vote in round 0, and no entry in
            // the index either.
            if open.register.promised() > ballot && !is_planted(Mutant::VoteAfterPromise) {
                mark::hit(Mark::PreAcceptRefused);
                let promised = open.register.promised();
                effects.after_earlier().send(from, Refused { vertex, ballot, promised });
                return Ok(());
            }
            if let Some(vote) = open.register.vote() {
                mark::hit(Mark::PreAcceptRepeated);
                // Trap T2: a resend changes nothing, its quorum least of all.
                let mut deps = vote.value.deps.clone();
                if is_planted(Mutant::VoterAnswersAfresh) {
                    deps.union(&self.index.dependencies(&commands));
                }
                effects.after_earlier().send(from, PreAccepted { vertex, deps });
                return Ok(());
            }
        }
        let is_joined = anchor == self.config.me || !is_planted(Mutant::AnchorsAnswerNotJoined);
        let base = if is_joined { base } else { DepSet::default() };
        let deps = self.compute(vertex, &commands, &base);
        let vote = Vote {
            ballot,
            value: Value { commands, deps: deps.clone() },
            fast: Some(FastQuorum { members: quorum, anchor }),
        };
        let open = self.open(vertex).expect("not committed: checked by the caller");
        open.register.cast(vote.clone()).expect("nothing above round 0 is promised: checked above");
        effects
            .append([VoterRecord::Voted { vertex, vote }])
            .send(from, PreAccepted { vertex, deps });
        Ok(())
    }

    fn on_conclude(
        &mut self,
        from: NodeId,
        conclude: Conclude,
        effects: &mut Effects<VoterRecord>,
    ) -> Result<(), Ignored> {
        let Conclude { vertex, deps } = conclude;
        if vertex.proposer != from {
            return Err(Ignored::NotTheOwner);
        }
        let ballot = Ballot::fast(vertex);
        let Some(Vertex::Open(open)) = self.vertices.get(&vertex) else {
            return Err(Ignored::Late);
        };
        // The fence of recovery's case d1: what promised a recovery takes no fast commit.
        if open.register.promised() > ballot && !is_planted(Mutant::ConcludeAfterPromise) {
            mark::hit(Mark::ConcludeRefused);
            let promised = open.register.promised();
            effects.after_earlier().send(from, Refused { vertex, ballot, promised });
            return Ok(());
        }
        let Some(vote) = open.register.vote() else {
            return Err(Ignored::Late);
        };
        let is_anchor = vote.fast.as_ref().is_some_and(|fast| fast.anchor == self.config.me);
        if !is_anchor || !vote.value.deps.is_subset(&deps) {
            return Err(Ignored::Contradiction);
        }
        let value = Value { commands: vote.value.commands.clone(), deps };
        self.commit(vertex, value, effects, Some(from));
        Ok(())
    }

    fn on_depend(
        &mut self,
        from: NodeId,
        depend: Depend,
        effects: &mut Effects<VoterRecord>,
    ) -> Result<(), Ignored> {
        let Depend { vertex, ballot, commands, base } = depend;
        // Rounds 0 and 1 have no dependency round of their own here: round 0 is one.
        if ballot.proposer != from || ballot.round < Ballot::FIRST_RECOVERY_ROUND {
            return Err(Ignored::NotTheOwner);
        }
        let open = self.open(vertex).expect("not committed: checked by the caller");
        if open.register.promised() > ballot {
            mark::hit(Mark::DependRefused);
            let promised = open.register.promised();
            effects.after_earlier().send(from, Refused { vertex, ballot, promised });
            return Ok(());
        }
        let computed = open.computed.clone();
        let deps = match computed {
            Some(computed) if computed.commands != commands => return Err(Ignored::Contradiction),
            Some(computed) => {
                mark::hit(Mark::DependRecorded);
                computed.deps
            }
            None => {
                mark::hit(Mark::ComputedForRecovery);
                self.compute(vertex, &commands, &base)
            }
        };
        let open = self.open(vertex).expect("not committed: checked by the caller");
        open.register.promise(ballot).expect("nothing higher is promised: checked above");
        effects
            .append([VoterRecord::Depended { vertex, ballot, commands, deps: deps.clone() }])
            .send(from, Depended { vertex, ballot, deps });
        Ok(())
    }

    fn on_prepare(
        &mut self,
        from: NodeId,
        prepare: Prepare,
        effects: &mut Effects<VoterRecord>,
    ) -> Result<(), Ignored> {
        let Prepare { vertex, ballot } = prepare;
        if ballot.proposer != from || ballot.round < Ballot::FIRST_RECOVERY_ROUND {
            return Err(Ignored::NotTheOwner);
        }
        let open = self.open(vertex).expect("not committed: checked by the caller");
        match open.register.promise(ballot) {
            Ok(()) => {
                let vote =
                    open.register.vote().cloned().filter(|_| !is_planted(Mutant::PromiseHidesVote));
                effects
                    .append([VoterRecord::Promised { vertex, ballot }])
                    .send(from, Promised { vertex, ballot, vote });
            }
            Err(_) if is_planted(Mutant::RefusalNotSent) => return Err(Ignored::Late),
            Err(promised) => {
                mark::hit(Mark::PrepareRefused);
                effects.after_earlier().send(from, Refused { vertex, ballot, promised });
            }
        }
        Ok(())
    }

    fn on_accept(
        &mut self,
        from: NodeId,
        accept: Accept,
        effects: &mut Effects<VoterRecord>,
    ) -> Result<(), Ignored> {
        let Accept { vertex, ballot, value } = accept;
        if ballot.proposer != from || !ballot.is_allowed_in(vertex) || ballot.round == 0 {
            return Err(Ignored::NotTheOwner);
        }
        let open = self.open(vertex).expect("not committed: checked by the caller");
        let overwrites = open.register.vote().is_some_and(|earlier| earlier.fast.is_some());
        let vote = Vote { ballot, value, fast: None };
        match open.register.cast(vote.clone()) {
            Ok(()) => {
                if overwrites {
                    mark::hit(Mark::VoteOverwrites);
                }
                effects
                    .append([VoterRecord::Voted { vertex, vote }])
                    .send(from, Accepted { vertex, ballot });
            }
            Err(_) if is_planted(Mutant::RefusalNotSent) => return Err(Ignored::Late),
            Err(promised) => {
                mark::hit(Mark::AcceptRefused);
                effects.after_earlier().send(from, Refused { vertex, ballot, promised });
            }
        }
        Ok(())
    }

    fn on_commit(
        &mut self,
        commit: Commit,
        effects: &mut Effects<VoterRecord>,
    ) -> Result<(), Ignored> {
        let Commit { vertex, value } = commit;
        if let Some(Vertex::Committed(known)) = self.vertices.get(&vertex) {
            assert_eq!(known.value, value, "two values committed in {vertex}");
            mark::hit(Mark::CommitRepeated);
            return Err(Ignored::Repeated);
        }
        self.commit(vertex, value, effects, None);
        Ok(())
    }

    /// Commits durably, before anyone outside hears of it (trap T1).
    fn commit(
        &mut self,
        vertex: VertexId,
        value: Value,
        effects: &mut Effects<VoterRecord>,
        concluded_for: Option<NodeId>,
    ) {
        self.insert_committed(vertex, value.clone());
        let mut then = effects.append([VoterRecord::Committed { vertex, value: value.clone() }]);
        if let Some(proposer) = concluded_for {
            then = then.send(proposer, Concluded { vertex });
        }
        if self.config.has_replica {
            then.send(self.config.me, Learned { vertex, value });
        }
    }

    /// A vertex is committed, whatever was known of it.
    fn insert_committed(&mut self, vertex: VertexId, value: Value) {
        let entered = match self.vertices.remove(&vertex) {
            Some(Vertex::Open(open)) => open.computed.map(|computed| computed.commands),
            Some(Vertex::Committed(earlier)) => earlier.entered,
            None => None,
        };
        // Mostly they are equal, and need not be in memory twice.
        let entered = entered.map(|commands| match commands == value.commands {
            true => value.commands.clone(),
            false => commands,
        });
        self.vertices.insert(vertex, Vertex::Committed(Committed { value, entered }));
    }

    fn on_prune(
        &mut self,
        from: NodeId,
        prune: PruneAcceptor,
        effects: &mut Effects<VoterRecord>,
    ) -> Result<(), Ignored> {
        if self.config.has_replica && from != self.config.me {
            return Err(Ignored::Misdirected);
        }
        if !self.index.prune(&prune.floor) {
            // Said from time to time: a voter that hears nothing else gets on by it.
            let answer = if self.is_rewritten() { Err(Ignored::Repeated) } else { Ok(()) };
            self.rewrite(effects);
            return answer;
        }
        let floor = self.index.floor().clone();
        Rewriting::forget_some(&mut self.vertices, &floor);
        if self.rewriting.replace(Rewriting::default()).is_some() {
            mark::hit(Mark::PrunedInRewriting);
        }
        effects.append([VoterRecord::Pruned { floor }]);
        Ok(())
    }

    fn forget(&mut self, floor: &DepSet) {
        self.vertices.retain(|vertex, _| !floor.contains(*vertex));
    }

    fn is_pruned(&self, vertex: VertexId) -> bool {
        self.index.floor().contains(vertex) && !is_planted(Mutant::PrunedAnsweredAsFresh)
    }

    /// Writes the next few of the vertices again, if it was pruned.
    fn rewrite(&mut self, effects: &mut Effects<VoterRecord>) {
        self.index.sweep();
        let Some(rewriting) = &mut self.rewriting else { return };
        if !Rewriting::forget_some(&mut self.vertices, self.index.floor()) {
            return;
        }
        let write = |vertex, state: &Vertex, records: &mut Vec<_>| match state {
            Vertex::Open(open) => open.write(vertex, records),
            Vertex::Committed(committed) => committed.write(vertex, records),
        };
        if rewriting.step(&self.vertices, write, VoterRecord::Rewritten, effects) {
            mark::hit(Mark::VoterRewritten);
            self.rewriting = None;
        }
    }

    /// The dependencies of `commands`, computed once for the vertex and entered in the index.
    fn compute(&mut self, vertex: VertexId, commands: &Commands, base: &DepSet) -> DepSet {
        let mut deps = self.index.dependencies(commands);
        deps.union(base);
        self.restore_computed(vertex, commands.clone(), deps.clone());
        deps
    }

    fn restore_computed(&mut self, vertex: VertexId, commands: Commands, deps: DepSet) {
        self.index.enter(vertex, &commands);
        let begin = || Vertex::Open(Open { register: Register::new(vertex), computed: None });
        match self.vertices.entry(vertex).or_insert_with(begin) {
            Vertex::Open(open) => open.computed = Some(Computed { commands, deps }),
            // At a restart only: the vote is trimmed, the commit is not, and this is written again.
            Vertex::Committed(committed) => committed.entered = Some(commands),
        }
    }

    /// The state of a vertex that is not committed here; begun if it is new.
    fn open(&mut self, vertex: VertexId) -> Option<&mut Open> {
        let begin = || Vertex::Open(Open { register: Register::new(vertex), computed: None });
        match self.vertices.entry(vertex).or_insert_with(begin) {
            Vertex::Open(open) => Some(open),
            Vertex::Committed(_) => None,
        }
    }
}

impl Open {
    /// Adds the records from which it is restored; returns about how many bytes they take.
    fn write(&self, vertex: VertexId, records: &mut Vec<VoterRecord>) -> usize {
        let (promised, vote) = (self.register.to_rewrite(vertex), self.register.vote().cloned());
        let mut len = vote.as_ref().map_or(0, |v| record_len(&v.value.commands, &v.value.deps));
        let is_round_0 = vote.as_ref().is_some_and(|vote| vote.fast.is_some());
        records.push(VoterRecord::Kept { vertex, promised, vote });
        // A vote of round 0 holds the answer itself: after a promise there is none (trap T3), so the
        // answer that the vote computed is the only one.
        if let Some(Computed { commands, deps }) = self.computed.clone().filter(|_| !is_round_0) {
            len += record_len(&commands, &deps);
            records.push(VoterRecord::Depended { vertex, ballot: promised, commands, deps });
        }
        len
    }
}

impl Committed {
    /// Adds the records from which it and its entry in the index are restored; returns about how
    /// many bytes they take.
    fn write(&self, vertex: VertexId, records: &mut Vec<VoterRecord>) -> usize {
        let value = self.value.clone();
        let mut len = record_len(&value.commands, &value.deps);
        if let Some(commands) = self.entered.clone() {
            // Below every promise, so that it is in order behind whatever an earlier record says.
            let (ballot, deps) = (Ballot::fast(vertex), value.deps.clone());
            len += record_len(&commands, &deps);
            records.push(VoterRecord::Depended { vertex, ballot, commands, deps });
        }
        records.push(VoterRecord::Committed { vertex, value });
        len
    }
}
