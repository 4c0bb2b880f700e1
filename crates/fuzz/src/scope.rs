//! A small world in which messages are honest: a few vertices, ballots, sessions and requests, each
//! vertex with one value that is ever committed, each ballot with one that is ever proposed.

use althing_kv::{KvCommand, KvConflicts};
use althing_model::{
    Ballot, Column, Command, Commands, Conflicts, DepSet, Filter, Footprint, Membership, Mode,
    ModeSet, NodeId, Operation, Path, Range, Reply, RequestId, Role, Scope as WatchScope,
    SessionId, Value, VertexId,
};
use althing_wire::{
    Accept, Accepted, Address, Answer, BarrierDue, Chosen, ClientId, Commit, Conclude, Concluded,
    Consistency, Demand, Depend, Depended, Distances, Executed, FastQuorum, Forward, Frontier,
    Held, Inspect, Inspected, Kind, Learned, Message, Outcome, Party, PreAccept, PreAccepted,
    Prepare, Promised, PruneAcceptor, PruneDependency, PruneProposer, Pruned, Read, ReadAnswer,
    ReadDelay, ReadDepend, ReadDepended, ReadOutcome, ReadScope, Recover, Refused, Register,
    Registered, Relay, Relayed, Reserved, Served, SnapshotAsk, SnapshotChunk, SnapshotOffer,
    StateDigest, Submit, Unwatch, Vote, Watch, WatchEnd, WatchEnded, WatchTaken, Watched,
};
use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Sequence numbers in use in each column.
const SEQS: u64 = 6;
/// Vertices below this open sessions.
const SESSION_SEQS: u64 = 2;
/// Rounds in use.
const ROUNDS: u32 = 6;

/// Messages that the node itself takes, and none of its roles: see `snapshot_file` and `registry`.
const OF_THE_NODE: [Kind; 4] =
    [Kind::SnapshotAsk, Kind::SnapshotChunk, Kind::Register, Kind::Registered];

/// Who there is, and the functions that give vertices and ballots their values.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) membership: Membership,
    /// The node under test.
    pub(crate) me: NodeId,
    /// Tells the values of one input from those of another.
    salt: u64,
    /// Whether of any two vertices with commands at least one depends on the other, as if all were
    /// in conflict (I2): replicas agree on what a barrier holds only where the conflicting ones are.
    is_ordered: bool,
}

impl Scope {
    /// A cluster on that path: of three nodes or five that have every role, or, on the classic
    /// path, with roles apart.
    pub(crate) fn draw(bytes: &mut Unstructured<'_>, path: Path, party: Party) -> Result<Self> {
        // Numbers of nodes are the operator's, and may be any.
        let first = if bytes.ratio(1, 4)? { u32::MAX - 11 } else { 0 };
        let (n, f) = *bytes.choose(&[(3, 1), (5, 1), (5, 2)])?;
        let is_apart = path == Path::Classic && bytes.arbitrary()?;
        let roles = (0..n).map(|index| {
            let roles = match (is_apart, index) {
                (false, _) => Role::ALL.to_vec(),
                (true, 0) => vec![Role::Dependency, Role::Acceptor, Role::Proposer],
                (true, _) => vec![Role::Dependency, Role::Acceptor],
            };
            (NodeId(first + index), roles)
        });
        let apart = is_apart.then_some([
            vec![Role::Proposer],
            vec![Role::Proposer, Role::Replica],
            vec![Role::Replica],
            vec![Role::Replica],
        ]);
        let apart = apart.into_iter().flatten().zip(first + 6..);
        let roles = roles.chain(apart.map(|(roles, index)| (NodeId(index), roles)));
        let membership = Membership::new(althing_model::Epoch(0), path, f, roles.collect())
            .expect("these roles make a cluster");
        let candidates: Vec<NodeId> =
            membership.nodes().filter(|node| party.is_at(&membership, *node)).collect();
        let me = *bytes.choose(&candidates)?;
        let salt = bytes.int_in_range(0..=15)?;
        Ok(Self { membership, me, salt, is_ordered: false })
    }

    /// The same, where committed values are ordered.
    pub(crate) fn ordered(self) -> Self {
        Self { is_ordered: true, ..self }
    }

    /// Whether there is a voter on the node under test.
    pub(crate) fn has_voter(&self) -> bool {
        Party::Voter.is_at(&self.membership, self.me)
    }

    /// A message of a kind that this party of the node under test receives, and one of those who
    /// may send it.
    pub(crate) fn message_to(
        &self,
        bytes: &mut Unstructured<'_>,
        party: Party,
    ) -> Result<(Address, Message)> {
        let kinds: Vec<Kind> = Kind::ALL
            .iter()
            .copied()
            .filter(|kind| kind.receiver_at(&self.membership, self.me) == Some(party))
            // What a proposer tells itself is in order: see `World`.
            .filter(|kind| *kind != Kind::Reserved)
            .filter(|kind| !OF_THE_NODE.contains(kind))
            .filter(|kind| *kind != Kind::Learned || self.has_voter())
            .collect();
        let kind = *bytes.choose(&kinds)?;
        let from = match kind {
            Kind::Submit | Kind::Watch | Kind::WatchTaken | Kind::Unwatch => {
                ClientId(bytes.int_in_range(0..=2)?).into()
            }
            Kind::Learned | Kind::Served | Kind::Demand => self.me.into(),
            // Another's is ignored where there is a replica on the node itself.
            Kind::PruneAcceptor
            | Kind::PruneDependency
            | Kind::PruneProposer
            | Kind::BarrierDue
                if self.membership.has(self.me, Role::Replica) && bytes.ratio(7, 8)? =>
            {
                self.me.into()
            }
            _ => {
                let senders: Vec<NodeId> = self.membership.nodes().collect();
                let may = |node: &NodeId| kind.may_come_from(&self.membership, *node);
                let senders: Vec<NodeId> = senders.into_iter().filter(may).collect();
                Address::Node(*bytes.choose(&senders)?)
            }
        };
        Ok((from, self.message(bytes, kind, from)?))
    }

    /// A message of that kind and sender.
    pub(crate) fn message(
        &self,
        bytes: &mut Unstructured<'_>,
        kind: Kind,
        from: Address,
    ) -> Result<Message> {
        let owner = match from {
            Address::Node(node) => node,
            Address::Client(_) => self.me,
        };
        Ok(match kind {
            Kind::Submit => {
                let operation = self.operation(bytes.arbitrary()?);
                Submit { ticket: bytes.int_in_range(0..=3)?, operation }.into()
            }
            Kind::Answer => {
                let outcome = match bytes.int_in_range(0..=7)? {
                    0 => Outcome::Overloaded,
                    1 => Outcome::Invalid("no".to_owned()),
                    _ => Outcome::Executed(self.reply(bytes)?),
                };
                let ticket = bytes.int_in_range(0..=5)?;
                Answer { ticket, outcome, seen: self.deps(bytes)? }.into()
            }
            Kind::Read => {
                let consistency = match bytes.int_in_range(0..=3)? {
                    0 => Consistency::Linearizable,
                    1 => Consistency::Stale,
                    _ => Consistency::Session(self.deps(bytes)?),
                };
                let payload = Bytes::copy_from_slice(&[bytes.int_in_range(b'a'..=b'd')?]);
                Read { ticket: bytes.int_in_range(0..=3)?, payload, consistency }.into()
            }
            Kind::ReadAnswer => {
                let outcome = match bytes.int_in_range(0..=4)? {
                    0 => ReadOutcome::Command,
                    1 => ReadOutcome::Later(ReadDelay::Behind),
                    2 => ReadOutcome::TokenUnknown,
                    3 => ReadOutcome::Invalid("no".to_owned()),
                    _ => ReadOutcome::Done {
                        reply: Bytes::from_static(b"x"),
                        seen: self.deps(bytes)?,
                        lag: bytes.arbitrary::<bool>()?.then_some(5),
                    },
                };
                ReadAnswer { ticket: bytes.int_in_range(0..=5)?, outcome }.into()
            }
            Kind::ReadDepend => {
                let resource = Bytes::copy_from_slice(&[bytes.int_in_range(b'a'..=b'd')?]);
                let scope = match bytes.int_in_range(0..=3)? {
                    0 => ReadScope::Everything,
                    mode => ReadScope::Resource(resource, Mode(mode)),
                };
                ReadDepend { read: bytes.int_in_range(0..=3)?, scope }.into()
            }
            Kind::ReadDepended => {
                // A replica numbers its reads from anywhere.
                ReadDepended { read: bytes.arbitrary()?, deps: self.deps(bytes)? }.into()
            }
            Kind::PreAccept => {
                // Those of the sender's own vertices: the connection's certificate says who it is.
                let vertex = VertexId { proposer: owner, ..self.vertex(bytes)? };
                let FastQuorum { members, anchor } = self.quorum(bytes, vertex)?;
                let (commands, base) = (self.commands(vertex), self.deps(bytes)?);
                PreAccept { vertex, commands, base, quorum: members, anchor }.into()
            }
            Kind::PreAccepted => {
                PreAccepted { vertex: self.vertex(bytes)?, deps: self.deps(bytes)? }.into()
            }
            Kind::Conclude => {
                // A vertex is concluded with its committed value, and only if that has commands.
                let mut vertex = VertexId { proposer: owner, ..self.vertex(bytes)? };
                while self.committed(vertex).commands.is_noop() {
                    vertex.seq += 1;
                }
                Conclude { vertex, deps: self.committed(vertex).deps }.into()
            }
            Kind::Concluded => Concluded { vertex: self.vertex(bytes)? }.into(),
            Kind::Depend => {
                let (vertex, ballot) = self.attempt(bytes, 1, Some(owner))?;
                let (commands, base) = (self.commands(vertex), self.deps(bytes)?);
                Depend { vertex, ballot, commands, base }.into()
            }
            Kind::Depended => {
                let (vertex, ballot) = self.attempt(bytes, 1, Some(self.me))?;
                Depended { vertex, ballot, deps: self.deps(bytes)? }.into()
            }
            Kind::Inspect => {
                let (vertex, ballot) = self.attempt(bytes, 2, Some(owner))?;
                Inspect { vertex, ballot }.into()
            }
            Kind::Inspected => {
                let (vertex, ballot) = self.attempt(bytes, 2, Some(self.me))?;
                Inspected { vertex, ballot, held: self.held(bytes, vertex)? }.into()
            }
            Kind::Prepare => {
                let (vertex, ballot) = self.attempt(bytes, 2, Some(owner))?;
                Prepare { vertex, ballot }.into()
            }
            Kind::Promised => {
                let (vertex, ballot) = self.attempt(bytes, 2, Some(self.me))?;
                Promised { vertex, ballot, vote: self.vote(bytes, vertex, ballot)? }.into()
            }
            Kind::Accept => {
                let (vertex, ballot) = self.attempt(bytes, 1, Some(owner))?;
                Accept { vertex, ballot, value: self.proposed(vertex, ballot) }.into()
            }
            Kind::Accepted => {
                let (vertex, ballot) = self.attempt(bytes, 1, Some(self.me))?;
                Accepted { vertex, ballot }.into()
            }
            Kind::Refused => {
                let (vertex, ballot) = self.attempt(bytes, 0, Some(self.me))?;
                let (_, higher) = self.attempt(bytes, 2, None)?;
                Refused { vertex, ballot, promised: higher.max(ballot) }.into()
            }
            Kind::Chosen => {
                let vertex = self.vertex(bytes)?;
                Chosen { vertex, value: self.committed(vertex) }.into()
            }
            Kind::Commit => {
                let vertex = self.vertex(bytes)?;
                Commit { vertex, value: self.committed(vertex) }.into()
            }
            Kind::Learned => {
                let vertex = self.vertex(bytes)?;
                Learned { vertex, value: self.committed(vertex) }.into()
            }
            Kind::Executed => {
                let vertex = self.vertex(bytes)?;
                let count = bytes.int_in_range(0..=3)?;
                let replies = (0..count).map(|_| self.reply(bytes)).collect::<Result<_>>()?;
                Executed { vertex, replies, seen: self.deps(bytes)? }.into()
            }
            Kind::Recover => Recover { vertex: self.vertex(bytes)? }.into(),
            Kind::Frontier => {
                let (committed, held) = (self.deps(bytes)?, self.floor(bytes)?);
                // Seldom, since a replica whose state is another than theirs stops.
                let numbers = if bytes.ratio(1, 8)? { 0..bytes.int_in_range(0..=4)? } else { 0..0 };
                let digest = |number| Ok(StateDigest { number, digest: bytes.arbitrary()? });
                let digests = numbers.map(digest).collect::<Result<_>>()?;
                Frontier { committed, held, digests }.into()
            }
            Kind::Pruned => Pruned { vertex: self.vertex(bytes)? }.into(),
            Kind::PruneAcceptor => PruneAcceptor { floor: self.floor(bytes)? }.into(),
            Kind::PruneDependency => PruneDependency { floor: self.floor(bytes)? }.into(),
            Kind::PruneProposer => PruneProposer { floor: self.floor(bytes)? }.into(),
            Kind::BarrierDue => BarrierDue.into(),
            Kind::SnapshotOffer => SnapshotOffer {
                number: bytes.int_in_range(0..=5)?,
                len: bytes.int_in_range(1..=10_000)?,
                digest: bytes.arbitrary()?,
            }
            .into(),
            Kind::SnapshotAsk => SnapshotAsk {
                number: bytes.int_in_range(0..=5)?,
                offset: bytes.int_in_range(0..=10_000)?,
                len: bytes.int_in_range(1..=1_000)?,
            }
            .into(),
            Kind::SnapshotChunk => SnapshotChunk {
                number: bytes.int_in_range(0..=5)?,
                offset: bytes.int_in_range(0..=10_000)?,
                checksum: bytes.arbitrary()?,
                bytes: Bytes::copy_from_slice(&bytes.arbitrary::<[u8; 8]>()?),
            }
            .into(),
            Kind::Relay => {
                let operation = self.operation(bytes.arbitrary()?);
                Relay { ticket: bytes.int_in_range(0..=3)?, operation }.into()
            }
            Kind::Relayed => {
                let outcome = Outcome::Executed(self.reply(bytes)?);
                let ticket = bytes.int_in_range(0..=3)?;
                Relayed { ticket, outcome, seen: self.deps(bytes)? }.into()
            }
            Kind::Register => {
                Register { incarnation: bytes.arbitrary()?, is_lost: bytes.arbitrary()? }.into()
            }
            Kind::Registered => Registered { incarnation: bytes.arbitrary()? }.into(),
            Kind::Reserved => Reserved { until: bytes.int_in_range(0..=300)? }.into(),
            Kind::Served => {
                let session = self.session(bytes.arbitrary()?);
                let request = RequestId { session, sequence: bytes.int_in_range(0..=3)? };
                Served { request, reply: self.reply(bytes)?, seen: self.deps(bytes)? }.into()
            }
            Kind::Demand => Demand {
                resource: Bytes::copy_from_slice(&[bytes.int_in_range(b'a'..=b'd')?]),
                window: bytes.int_in_range(0..=20_000_000)?,
                commands: self.node_numbers(bytes)?,
            }
            .into(),
            Kind::Forward => Forward { operation: self.operation(bytes.arbitrary()?) }.into(),
            Kind::Watch => {
                let scope = match bytes.int_in_range(0..=2)? {
                    0 => WatchScope::Everything,
                    1 => WatchScope::Range(Range::prefix("a")),
                    _ => WatchScope::Resource("b".into()),
                };
                let token = bytes.arbitrary::<bool>()?.then(|| self.deps(bytes)).transpose()?;
                let filter = Filter { scope, modes: ModeSet(bytes.arbitrary()?) };
                Watch { watch: bytes.int_in_range(0..=3)?, filter, token }.into()
            }
            Kind::WatchTaken => {
                WatchTaken { watch: bytes.int_in_range(0..=3)?, number: bytes.int_in_range(0..=9)? }
                    .into()
            }
            Kind::Unwatch => Unwatch { watch: bytes.int_in_range(0..=3)? }.into(),
            Kind::Watched => Watched {
                watch: bytes.int_in_range(0..=3)?,
                number: bytes.int_in_range(0..=9)?,
                changes: Vec::new(),
                is_cut: bytes.arbitrary()?,
                token: Some(self.deps(bytes)?),
            }
            .into(),
            Kind::WatchEnded => {
                WatchEnded { watch: bytes.int_in_range(0..=3)?, why: WatchEnd::Behind }.into()
            }
            Kind::Distances => Distances { round_trips: self.node_numbers(bytes)? }.into(),
        })
    }

    /// A vertex, mostly of a proposer of the cluster.
    pub(crate) fn vertex(&self, bytes: &mut Unstructured<'_>) -> Result<VertexId> {
        let column = self.column(bytes)?;
        Ok(column.vertex(bytes.int_in_range(0..=SEQS - 1)?))
    }

    /// A vertex and a ballot of it, of `least` or higher, by that proposer or anyone's.
    fn attempt(
        &self,
        bytes: &mut Unstructured<'_>,
        least: u32,
        by: Option<NodeId>,
    ) -> Result<(VertexId, Ballot)> {
        let mut vertex = self.vertex(bytes)?;
        let round = bytes.int_in_range(least..=ROUNDS)?;
        let proposer = match by {
            Some(proposer) => proposer,
            None => self.column(bytes)?.proposer,
        };
        if round < Ballot::FIRST_RECOVERY_ROUND {
            vertex.proposer = proposer;
        }
        Ok((vertex, Ballot { round, proposer }))
    }

    /// Whose vertices there are: of three proposers at most, so that few inputs fill their columns.
    fn owners(&self) -> Vec<NodeId> {
        let is_me = |node: &NodeId| *node == self.me;
        let all = || self.membership.with(Role::Proposer);
        let mine = all().filter(is_me);
        mine.chain(all().filter(|node| !is_me(node))).take(3).collect()
    }

    /// The first so many vertices in the order that committed values follow, if they are ordered.
    pub(crate) fn first(&self, count: usize) -> Vec<VertexId> {
        let mut owners = self.owners();
        owners.sort_unstable();
        let epoch = self.membership.epoch();
        let of_seq = |seq| {
            let columns = owners.iter().map(move |proposer| Column { epoch, proposer: *proposer });
            columns.map(move |column| column.vertex(seq))
        };
        (0..SEQS).flat_map(of_seq).take(count).collect()
    }

    fn column(&self, bytes: &mut Unstructured<'_>) -> Result<Column> {
        let proposers = self.owners();
        let epoch = self.membership.epoch();
        let choices = if self.is_ordered { 29 } else { 31 };
        Ok(match bytes.int_in_range(0..=choices)? {
            // Another epoch, and no proposer of this one: both pass the decoder.
            31 => Column { epoch: althing_model::Epoch(1), proposer: proposers[0] },
            30 => Column { epoch, proposer: NodeId(77) },
            choice => Column { epoch, proposer: proposers[choice as usize % proposers.len()] },
        })
    }

    /// A number for some of the proposers, ascending.
    fn node_numbers(&self, bytes: &mut Unstructured<'_>) -> Result<Vec<(NodeId, u64)>> {
        let mut numbers = Vec::new();
        for node in self.membership.with(Role::Proposer) {
            if bytes.arbitrary()? {
                numbers.push((node, bytes.int_in_range(0..=400_000)?));
            }
        }
        Ok(numbers)
    }

    pub(crate) fn deps(&self, bytes: &mut Unstructured<'_>) -> Result<DepSet> {
        let count = bytes.int_in_range(0..=4)?;
        let columns = (0..count).map(|_| {
            let column = self.column(bytes)?;
            let below = bytes.int_in_range(0..=SEQS)?;
            let extras = (0..bytes.int_in_range(0..=2)?)
                .map(|_| bytes.int_in_range(0..=SEQS - 1))
                .collect::<Result<_>>()?;
            Ok((column, below, extras))
        });
        Ok(DepSet::from_columns(columns.collect::<Result<Vec<_>>>()?))
    }

    /// A prefix in each of some columns.
    pub(crate) fn floor(&self, bytes: &mut Unstructured<'_>) -> Result<DepSet> {
        let mut floor = DepSet::default();
        for _ in 0..bytes.int_in_range(1..=3)? {
            floor.insert_below(self.column(bytes)?, bytes.int_in_range(1..=SEQS)?);
        }
        Ok(floor)
    }

    fn quorum(&self, bytes: &mut Unstructured<'_>, vertex: VertexId) -> Result<FastQuorum> {
        let mut members: Vec<NodeId> = self.membership.voters().collect();
        let fast = self.membership.acceptor_quorums().fast();
        while members.len() > fast {
            let out = bytes.choose_index(members.len())?;
            // The anchor is beside the vertex's own proposer, and a member.
            let out = if members[out] == vertex.proposer { (out + 1) % members.len() } else { out };
            members.remove(out);
        }
        if !members.contains(&vertex.proposer) {
            members.push(vertex.proposer);
            members.sort_unstable();
        }
        Ok(FastQuorum { members, anchor: vertex.proposer })
    }

    pub(crate) fn vote(
        &self,
        bytes: &mut Unstructured<'_>,
        vertex: VertexId,
        below: Ballot,
    ) -> Result<Option<Vote>> {
        Ok(match bytes.int_in_range(0..=3)? {
            0 => None,
            1 | 2 if self.membership.path() == Path::Fast => {
                let value = Value { commands: self.commands(vertex), deps: self.deps(bytes)? };
                let fast = Some(self.quorum(bytes, vertex)?);
                Some(Vote { ballot: Ballot::fast(vertex), value, fast })
            }
            _ => {
                let round = bytes.int_in_range(1..=below.round.saturating_sub(1).max(1))?;
                let proposer = match round {
                    1 => vertex.proposer,
                    _ => self.column(bytes)?.proposer,
                };
                let ballot = Ballot { round, proposer };
                Some(Vote { ballot, value: self.proposed(vertex, ballot), fast: None })
            }
        })
    }

    pub(crate) fn held(
        &self,
        bytes: &mut Unstructured<'_>,
        vertex: VertexId,
    ) -> Result<Option<Held>> {
        let commands = self.commands(vertex);
        Ok(bytes.arbitrary::<bool>()?.then_some(Held { commands, deps: self.deps(bytes)? }))
    }

    pub(crate) fn reply(&self, bytes: &mut Unstructured<'_>) -> Result<Reply> {
        Ok(match bytes.int_in_range(0..=7)? {
            0 => Reply::Opened(self.session(bytes.arbitrary()?)),
            1 => Reply::Closed,
            2 => Reply::SessionUnknown,
            3 => Reply::Forgotten,
            _ => Reply::Applied(Bytes::from_static(b"reply")),
        })
    }

    /// What the vertex's proposer wants executed in it: a function of the vertex.
    pub(crate) fn commands(&self, vertex: VertexId) -> Commands {
        let drawn = self.hash((vertex, "commands"));
        if vertex.seq >= SESSION_SEQS && drawn >> 32 & 3 == 0 {
            // Alone in its vertex.
            let (operation, footprint) = (Operation::Barrier, Footprint::Everything);
            return Commands::Batch([Command { operation, footprint }].into());
        }
        let opens = if vertex.seq < SESSION_SEQS { 2 } else { 0 };
        let batch = (0..opens + 1 + drawn % 3).map(|slot| {
            let operation = if slot < opens {
                Operation::OpenSession
            } else {
                self.operation(self.hash((drawn, slot)) as u16)
            };
            let footprint = match &operation {
                Operation::OpenSession => Footprint::NOTHING,
                Operation::CloseSessions(_) | Operation::Barrier => Footprint::Everything,
                Operation::Apply { payload, .. } => {
                    let by_key = KvConflicts::default().footprint(payload);
                    wider(by_key.expect("it is a command"), self.hash((drawn, slot, "wider")))
                }
            };
            Command { operation, footprint }
        });
        Commands::Batch(batch.collect())
    }

    /// The one value that is ever committed in the vertex.
    pub(crate) fn committed(&self, vertex: VertexId) -> Value {
        self.value_of(vertex, self.hash((vertex, "committed")))
    }

    /// The one value that is ever proposed in the ballot; often the committed one.
    fn proposed(&self, vertex: VertexId, ballot: Ballot) -> Value {
        match self.hash((vertex, ballot)) {
            drawn if drawn.is_multiple_of(2) => self.committed(vertex),
            drawn => self.value_of(vertex, drawn),
        }
    }

    fn value_of(&self, vertex: VertexId, drawn: u64) -> Value {
        let mut deps = DepSet::default();
        if drawn.is_multiple_of(5) {
            deps.insert_below(vertex.column(), vertex.seq);
            return Value { commands: Commands::Noop, deps };
        }
        let mut owners = self.owners();
        // The same at every node.
        owners.sort_unstable();
        for (index, proposer) in owners.into_iter().enumerate() {
            let column = Column { proposer, ..vertex.column() };
            let drawn = self.hash((drawn, index));
            if self.is_ordered {
                deps.insert_below(column, vertex.seq + u64::from(proposer < vertex.proposer));
            }
            match drawn % 8 {
                0..3 => {}
                3 | 4 => deps.insert_below(column, drawn >> 8 & 3),
                5 | 6 => deps.insert(column.vertex((drawn >> 8) % SEQS)),
                // Wide: whatever an anchor computed is below it, so that it may conclude.
                _ => deps.insert_below(column, SEQS),
            }
        }
        let commands = self.commands(vertex);
        let sessions = commands.as_slice().iter().filter_map(|it| it.operation.session());
        sessions.for_each(|session| deps.insert(session.opened));
        Value { commands, deps }
    }

    fn session(&self, drawn: u16) -> SessionId {
        let owners = self.owners();
        let column = Column {
            epoch: self.membership.epoch(),
            proposer: owners[usize::from(drawn) % owners.len()],
        };
        SessionId {
            opened: column.vertex(u64::from(drawn >> 4) % SESSION_SEQS),
            slot: u32::from(drawn >> 8) % 2,
        }
    }

    fn operation(&self, drawn: u16) -> Operation {
        let key = |at: u16| Bytes::copy_from_slice(&[b'a' + (drawn >> at & 3) as u8]);
        let command = match drawn % 8 {
            0 => return Operation::OpenSession,
            1 if drawn >> 12 == 0 => {
                return Operation::CloseSessions(vec![self.session(drawn >> 3)]);
            }
            2 => KvCommand::Get { key: key(4) },
            3 => KvCommand::Add { key: key(4), by: 1 },
            4 => KvCommand::MultiPut { pairs: vec![(key(4), key(6)), (key(8), key(6))] },
            _ => KvCommand::Put { key: key(4), value: key(8) },
        };
        Operation::Apply {
            request: RequestId {
                session: self.session(drawn >> 6),
                sequence: u64::from(drawn >> 10 & 3),
            },
            acknowledged_below: u64::from(drawn >> 13),
            payload: command.encode(),
        }
    }

    fn hash(&self, of: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.salt, of).hash(&mut hasher);
        hasher.finish()
    }
}

/// Now and then a command over a range, or one that only a predicate can judge.
fn wider(by_key: Footprint, drawn: u64) -> Footprint {
    let mode = Mode((drawn >> 8) as u8 % 3);
    match drawn % 8 {
        0 => Footprint::with_ranges([], [(Range::prefix(""), mode)]),
        1 => {
            let resources = by_key.resources().to_vec();
            let range = resources.first().map(|(key, _)| (Range::from(key.clone()), mode));
            Footprint::with_ranges(resources, range)
        }
        2 => Footprint::predicate(vec![drawn as u8 >> 3 & 3]),
        _ => by_key,
    }
}
