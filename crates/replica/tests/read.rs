//! Reads that no vertex carries, each kind by a short story.

use althing_model::mark::{self, Mark};
use althing_model::{
    Column, Command, CommandInvalid, Commands, Conflicts, DepSet, Epoch, Footprint, Membership,
    Mode, ModeTable, NodeId, Operation, Path, Pieces, Reply, RequestId, SessionId, StateMachine,
    Unrestorable, Value, VertexId,
};
use althing_replica::{Config, Limits, Replica, Timing};
use althing_wire::{
    Address, ClientId, Commit, Consistency, Effect, Effects, Executed, Ignored, Message, Read,
    ReadAnswer, ReadDelay, ReadDepend, ReadDepended, ReadOutcome, ReadScope, Recover,
    ReplicaRecord,
};
use bytes::Bytes;
use std::sync::Arc;

const ME: NodeId = NodeId(0);
const CLIENT: ClientId = ClientId(7);
/// How long a read may wait.
const READ: u64 = 800;

/// Counts what was applied.
struct Count(u8);

impl StateMachine for Count {
    fn apply(&mut self, _payload: &[u8]) -> Bytes {
        self.0 += 1;
        Bytes::copy_from_slice(&[self.0])
    }

    fn query(&self, payload: &[u8]) -> Option<Bytes> {
        payload.starts_with(b"r").then(|| Bytes::copy_from_slice(&[self.0]))
    }

    fn digest(&self) -> u64 {
        self.0.into()
    }

    fn snapshot(&self) -> Pieces {
        Box::new(std::iter::empty())
    }

    fn restore(&mut self, _: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        Ok(())
    }
}

/// `r` reads, `w` writes, `a` adds; what follows are resources of one letter. No adds commute but with
/// each other.
struct Letters(ModeTable);

impl Conflicts for Letters {
    fn modes(&self) -> &ModeTable {
        &self.0
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        let (kind, resources) =
            payload.split_first().ok_or_else(|| CommandInvalid("it is empty".into()))?;
        let mode = Mode(match kind {
            b'r' => 0,
            b'w' => 1,
            _ => 2,
        });
        let resources = resources.iter().map(|it| (Bytes::copy_from_slice(&[*it]), mode));
        Ok(Footprint::of(resources))
    }
}

fn modes(adds_commute: bool) -> ModeTable {
    let table = ModeTable::new(&["read", "write", "add"]).commuting(Mode(0), Mode(0));
    if adds_commute { table.commuting(Mode(2), Mode(2)) } else { table }
}

fn replica_of(modes: ModeTable, limits: Limits) -> Replica {
    // Tests may share a thread.
    mark::take();
    let config = Config {
        me: ME,
        modes: modes.clone(),
        has_voter: false,
        has_proposer: true,
        seed: 1,
        timing: Timing { recover: 30_000, catch_up: 1 << 40, read: READ, ..Timing::default() },
        limits,
        membership: Membership::colocated(3, 1, Path::Classic).unwrap(),
    };
    let mut replica = Replica::new(config, Box::new(Count(0))).reading(Arc::new(Letters(modes)));
    replica.start(0);
    // What it asks others at its start.
    wait(&mut replica, 0);
    replica
}

fn replica() -> Replica {
    replica_of(modes(false), Limits::default())
}

fn vertex(proposer: u32, seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq }
}

fn set(vertices: &[VertexId]) -> DepSet {
    vertices.iter().copied().collect()
}

fn request(sequence: u64) -> RequestId {
    RequestId { session: SessionId { opened: vertex(2, 0), slot: 0 }, sequence }
}

fn commit(vertex: VertexId, operation: Operation, deps: DepSet) -> Commit {
    let command = Command { operation, footprint: Footprint::NOTHING };
    Commit { vertex, value: Value { commands: Commands::Batch([command].into()), deps } }
}

/// A session that is opened in a vertex.
fn open(vertex: VertexId, deps: &[VertexId]) -> Commit {
    commit(vertex, Operation::OpenSession, set(deps))
}

fn tell(
    replica: &mut Replica,
    now: u64,
    from: impl Into<Address>,
    message: impl Into<Message>,
) -> Result<Vec<(Address, Message)>, Ignored> {
    let mut effects = Effects::default();
    replica.handle(now, from.into(), message.into(), &mut effects)?;
    Ok(sent(effects))
}

fn wait(replica: &mut Replica, now: u64) -> Vec<(Address, Message)> {
    let mut effects = Effects::default();
    replica.on_deadline(now, &mut effects);
    sent(effects).into_iter().filter(|(_, it)| !matches!(it, Message::Frontier(_))).collect()
}

fn sent(effects: Effects<ReplicaRecord>) -> Vec<(Address, Message)> {
    let sent = effects.into_iter().flat_map(|effect| match effect {
        Effect::Send { to, message } => vec![(to, message)],
        Effect::Append { then, .. } => then,
    });
    sent.collect()
}

fn read(payload: &'static str, consistency: Consistency) -> Read {
    Read { ticket: 3, payload: payload.into(), consistency }
}

fn ask(
    replica: &mut Replica,
    payload: &'static str,
    consistency: Consistency,
) -> Vec<(Address, Message)> {
    tell(replica, 0, CLIENT, read(payload, consistency)).unwrap()
}

/// What the client is answered, if it is.
fn outcome(sent: &[(Address, Message)]) -> Option<ReadOutcome> {
    sent.iter().find_map(|(to, message)| match message {
        Message::ReadAnswer(ReadAnswer { ticket: 3, outcome }) => {
            assert_eq!(*to, CLIENT.into());
            Some(outcome.clone())
        }
        _ => None,
    })
}

/// Under which number, and of what, the dependency nodes are asked; and which of them.
fn asked(sent: &[(Address, Message)]) -> (u64, ReadScope, Vec<u32>) {
    let asks: Vec<(u32, &ReadDepend)> = sent
        .iter()
        .filter_map(|(to, message)| match (to, message) {
            (Address::Node(to), Message::ReadDepend(ask)) => Some((to.0, ask)),
            _ => None,
        })
        .collect();
    let (_, first) = asks.first().expect("somebody is asked");
    let first = (*first).clone();
    assert!(asks.iter().all(|(_, ask)| **ask == first));
    (first.read, first.scope, asks.iter().map(|(to, _)| *to).collect())
}

fn depended(read: u64, deps: &[VertexId]) -> ReadDepended {
    ReadDepended { read, deps: set(deps) }
}

fn done(reply: u8, seen: &[VertexId]) -> Option<ReadOutcome> {
    let reply = Bytes::copy_from_slice(&[reply]);
    Some(ReadOutcome::Done { reply, seen: set(seen), lag: None })
}

#[track_caller]
fn expect(mark: Mark) {
    let marks = mark::take();
    assert!(marks.contains(mark), "{mark:?} was not hit: {marks:?}");
}

/// Broken: a read would show a state from before what was answered already, or be answered twice, or
/// count one node's word for a majority's.
#[test]
fn a_linearizable_read_waits_for_what_a_majority_knows() {
    let mut replica = replica();
    let sent = ask(&mut replica, "rx", Consistency::Linearizable);
    assert_eq!(outcome(&sent), None);
    let (read, scope, nodes) = asked(&sent);
    assert_eq!(scope, ReadScope::Resource(Bytes::from_static(b"x"), Mode(0)));
    assert_eq!(nodes, [0, 1, 2]);
    let write = vertex(1, 0);
    assert_eq!(tell(&mut replica, 1, NodeId(0), depended(read, &[write])).unwrap(), []);
    let again = tell(&mut replica, 1, NodeId(0), depended(read, &[]));
    assert_eq!(again, Err(Ignored::Repeated));
    let other = tell(&mut replica, 1, NodeId(2), depended(read + 1, &[]));
    assert_eq!(other, Err(Ignored::Late));
    assert_eq!(tell(&mut replica, 1, NodeId(2), depended(read, &[])).unwrap(), []);
    expect(Mark::ReadWaited);
    // Its dependency is not committed here yet.
    let sent = tell(&mut replica, 2, NodeId(1), open(write, &[vertex(2, 0)])).unwrap();
    assert_eq!(outcome(&sent), None);
    let sent = tell(&mut replica, 3, NodeId(2), open(vertex(2, 0), &[])).unwrap();
    assert_eq!(outcome(&sent), done(0, &[write, vertex(2, 0)]));
    expect(Mark::ReadUnrecorded);
    let late = tell(&mut replica, 4, NodeId(1), depended(read, &[]));
    assert_eq!(late, Err(Ignored::Late));
    assert_eq!(replica.reads_len(), 0);
}

/// Broken: two reads could see two updates in opposite orders; or what is no read would be one.
#[test]
fn what_may_not_do_without_a_vertex_becomes_a_command() {
    let command = Some(ReadOutcome::Command);
    let linearizable = || Consistency::Linearizable;
    let mut strict = replica();
    for payload in ["rxy", "r", "wx", "ax"] {
        assert_eq!(outcome(&ask(&mut strict, payload, linearizable())), command, "{payload}");
    }
    expect(Mark::ReadAsCommand);
    let mut commuting = replica_of(modes(true), Limits::default());
    assert_eq!(outcome(&ask(&mut commuting, "rx", linearizable())), command);
    // The machine does not answer it.
    assert_eq!(outcome(&ask(&mut strict, "wx", Consistency::Stale)), command);
    assert_eq!(outcome(&ask(&mut strict, "rxy", Consistency::Stale)), done(0, &[]));
    let invalid = Some(ReadOutcome::Invalid("it is empty".into()));
    assert_eq!(outcome(&ask(&mut strict, "", Consistency::Stale)), invalid);
    assert_eq!(strict.counters().reads.commands, 5);
}

/// Broken: a client would wait for ever at a node that is cut off or far behind; or a lost question
/// would never be asked again.
#[test]
fn a_read_without_a_quorum_is_given_up() {
    let mut replica = replica();
    let (read, ..) = asked(&ask(&mut replica, "rx", Consistency::Linearizable));
    tell(&mut replica, 1, NodeId(1), depended(read, &[])).unwrap();
    let (again, _, nodes) = asked(&wait(&mut replica, READ / 8));
    assert_eq!((again, nodes), (read, vec![0, 2]));
    let sent = wait(&mut replica, READ);
    assert_eq!(outcome(&sent), Some(ReadOutcome::Later(ReadDelay::NoQuorum)));
    expect(Mark::ReadGivenUp);

    let sent = tell(&mut replica, READ, CLIENT, read_of_x()).unwrap();
    let (read, ..) = asked(&sent);
    for node in [1, 2] {
        tell(&mut replica, READ, NodeId(node), depended(read, &[vertex(1, 0)])).unwrap();
    }
    let sent = wait(&mut replica, 2 * READ);
    assert_eq!(outcome(&sent), Some(ReadOutcome::Later(ReadDelay::Behind)));
    assert_eq!(replica.reads_len(), 0);
    // Others may still need what it waited for.
    let sent = wait(&mut replica, 100_000);
    assert_eq!(sent, [(NodeId(1).into(), Recover { vertex: vertex(1, 0) }.into())]);
}

fn read_of_x() -> Read {
    read("rx", Consistency::Linearizable)
}

/// Broken: a client would not see its own write, or see something older than before, after it changed
/// its node.
#[test]
fn a_session_s_read_waits_for_its_token() {
    let mut replica = replica();
    let empty = Consistency::Session(DepSet::default());
    assert_eq!(outcome(&ask(&mut replica, "rxy", empty)), done(0, &[]));
    let token = set(&[vertex(1, 1), vertex(2, 0)]);
    let token = || Consistency::Session(token.clone());
    assert_eq!(ask(&mut replica, "rx", token()), []);
    expect(Mark::SessionReadWaited);
    let sent = tell(&mut replica, 1, NodeId(1), open(vertex(1, 1), &[])).unwrap();
    assert_eq!(outcome(&sent), None);
    let sent = tell(&mut replica, 1, NodeId(2), open(vertex(2, 0), &[])).unwrap();
    let seen = [vertex(1, 1), vertex(2, 0)];
    assert_eq!(outcome(&sent), done(0, &seen));
    assert_eq!(outcome(&ask(&mut replica, "rx", token())), done(0, &seen));
}

/// Broken: whoever invents a token has the cluster recover vertices that nobody proposed; or what a
/// dead node left behind is never recovered for the one who saw it.
#[test]
fn a_token_that_nobody_knows_is_refused() {
    let foreign = Column { epoch: Epoch(0), proposer: NodeId(9) };
    let mut replica = replica();
    let token = Consistency::Session(set(&[foreign.vertex(0)]));
    assert!(matches!(outcome(&ask(&mut replica, "rx", token)), Some(ReadOutcome::Invalid(_))));

    let token = || Consistency::Session(set(&[vertex(1, 1)]));
    assert_eq!(ask(&mut replica, "rx", token()), []);
    let (read, scope, nodes) = asked(&wait(&mut replica, READ / 8));
    assert_eq!((scope, nodes), (ReadScope::Everything, vec![0, 1, 2]));
    assert_eq!(tell(&mut replica, 150, NodeId(0), depended(read, &[])).unwrap(), []);
    let sent = tell(&mut replica, 150, NodeId(1), depended(read, &[vertex(1, 0)])).unwrap();
    assert_eq!(outcome(&sent), None);
    // It may be about to be heard of: they are asked again, until there is no time left.
    asked(&wait(&mut replica, READ * 7 / 8));
    for node in [1, 2] {
        let nothing = depended(read, &[]);
        assert_eq!(tell(&mut replica, READ * 7 / 8, NodeId(node), nothing).unwrap(), []);
    }
    let sent = wait(&mut replica, READ);
    assert_eq!(outcome(&sent), Some(ReadOutcome::TokenUnknown));
    expect(Mark::TokenUnknown);
    assert_eq!(wait(&mut replica, 100_000), [], "nothing is recovered");

    // One of them has heard of something later.
    let sent = tell(&mut replica, 100_000, CLIENT, Read { consistency: token(), ..read_of_x() });
    assert_eq!(sent.unwrap(), []);
    let (read, ..) = asked(&wait(&mut replica, 100_000 + READ / 8));
    for (node, deps) in [(0, vec![]), (2, vec![vertex(1, 7)])] {
        let depended = depended(read, &deps);
        assert_eq!(tell(&mut replica, 100_200, NodeId(node), depended).unwrap(), []);
    }
    let sent = wait(&mut replica, 200_000);
    assert!(
        sent.contains(&(NodeId(1).into(), Recover { vertex: vertex(1, 1) }.into())),
        "{sent:?}"
    );
}

/// Broken: a stale read would wait, or claim to be newer than it is, or a replica that has just begun
/// would claim to know.
#[test]
fn a_stale_read_is_answered_at_once_with_its_lag() {
    let lag = |sent: &[(Address, Message)]| match outcome(sent) {
        Some(ReadOutcome::Done { lag, .. }) => lag,
        other => panic!("no answer: {other:?}"),
    };
    let mut replica = replica();
    let stale = || Read { consistency: Consistency::Stale, ..read_of_x() };
    let sent = tell(&mut replica, 1_000, CLIENT, stale()).unwrap();
    assert_eq!(lag(&sent), None);
    let (probe, scope, _) = asked(&sent);
    assert_eq!(scope, ReadScope::Everything);
    let write = vertex(1, 0);
    for node in [0, 1] {
        tell(&mut replica, 3_000, NodeId(node), depended(probe, &[write])).unwrap();
    }
    assert_eq!(lag(&tell(&mut replica, 4_000, CLIENT, stale()).unwrap()), None);
    tell(&mut replica, 5_000, NodeId(1), open(write, &[])).unwrap();
    // Not since it was executed, nor since the answers came: since they were asked for.
    assert_eq!(lag(&tell(&mut replica, 9_000, CLIENT, stale()).unwrap()), Some(8_000));
}

/// Broken: clients could fill the memory with reads, or those of one that is gone stay for ever.
#[test]
fn reads_that_wait_are_limited_and_go_with_their_client() {
    let mut replica = replica_of(modes(false), Limits { reads_len_max: 1, ..Limits::default() });
    ask(&mut replica, "rx", Consistency::Linearizable);
    let sent = ask(&mut replica, "ry", Consistency::Linearizable);
    assert_eq!(outcome(&sent), Some(ReadOutcome::Later(ReadDelay::Overloaded)));
    replica.on_client_gone(CLIENT);
    assert_eq!(replica.reads_len(), 0);
    asked(&ask(&mut replica, "ry", Consistency::Linearizable));
}

/// Broken: a client that was given an earlier reply would later see a state from before it, since the
/// second vertex of its request does not lead to what the first one did.
#[test]
fn a_repeated_reply_shows_what_the_first_vertex_led_to() {
    let mut replica = replica();
    let apply = || Operation::Apply {
        request: request(0),
        acknowledged_below: 0,
        payload: Bytes::from_static(b"rx"),
    };
    let session = vertex(2, 0);
    tell(&mut replica, 0, NodeId(2), open(session, &[])).unwrap();
    tell(&mut replica, 0, NodeId(1), open(vertex(1, 0), &[])).unwrap();
    let first = commit(vertex(2, 1), apply(), set(&[session, vertex(1, 0)]));
    tell(&mut replica, 0, NodeId(2), first).unwrap();
    let second = commit(vertex(0, 0), apply(), set(&[session]));
    let sent = tell(&mut replica, 0, NodeId(0), second).unwrap();
    let replies = vec![Reply::Applied(Bytes::from_static(&[1]))];
    let seen = set(&[vertex(0, 0), vertex(1, 0), session, vertex(2, 1)]);
    let executed = Executed { vertex: vertex(0, 0), replies, seen };
    assert_eq!(sent, [(NodeId(0).into(), executed.into())]);
}
