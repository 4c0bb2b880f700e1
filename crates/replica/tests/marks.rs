//! The places in the replica's code that have a mark, each reached by a short story.

use althing_model::mark::{self, Mark};
use althing_model::{
    Command, Commands, DepSet, Epoch, Footprint, Membership, Mode, ModeTable, NodeId, Operation,
    Path, Pieces, Reply, RequestId, Role, SessionId, StateMachine, Unrestorable, Value, VertexId,
};
use althing_replica::{Config, Limits, Replica, Timing};
use althing_wire::{
    Address, Commit, Effect, Effects, Executed, Frontier, Ignored, Message, Recover, ReplicaRecord,
    Served,
};
use bytes::Bytes;
use std::collections::BTreeMap;

const ME: NodeId = NodeId(0);
/// Later than anything here: nobody asks unasked for what is missing.
const NEVER: u64 = 1 << 40;

/// A machine that does nothing.
struct Idle;

impl StateMachine for Idle {
    fn apply(&mut self, _payload: &[u8]) -> Bytes {
        Bytes::new()
    }

    fn digest(&self) -> u64 {
        0
    }

    fn snapshot(&self) -> Pieces {
        Box::new(std::iter::empty())
    }

    fn restore(&mut self, _: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        Ok(())
    }
}

fn replica(membership: Membership) -> Replica {
    // Tests may share a thread.
    mark::take();
    let timing = Timing { recover: 1_000, catch_up: NEVER, ..Timing::default() };
    let limits = Limits::default();
    let config = Config {
        me: ME,
        modes: ModeTable::read_write(),
        has_voter: false,
        has_proposer: membership.has(ME, Role::Proposer),
        seed: 1,
        timing,
        limits,
        membership,
    };
    let mut replica = Replica::new(config, Box::new(Idle));
    replica.start(NEVER);
    replica
}

fn colocated() -> Membership {
    Membership::colocated(3, 1, Path::Classic).unwrap()
}

/// Replicas 0 and 1, proposers 2 and 3, and everything else on nodes of its own.
fn apart() -> Membership {
    let mut roles = BTreeMap::new();
    for (role, count) in
        [(Role::Replica, 2), (Role::Proposer, 2), (Role::Dependency, 3), (Role::Acceptor, 3)]
    {
        for _ in 0..count {
            roles.insert(NodeId(roles.len() as u32), vec![role]);
        }
    }
    Membership::new(Epoch(0), Path::Classic, 1, roles).unwrap()
}

fn vertex(proposer: u32, seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq }
}

fn noop() -> Value {
    Value { commands: Commands::Noop, deps: DepSet::default() }
}

/// A command that waits for `dep`.
fn after(dep: VertexId) -> Value {
    let command = Command { operation: Operation::OpenSession, footprint: Footprint::NOTHING };
    let commands = Commands::Batch([command].into());
    Value { commands, deps: [dep].into_iter().collect() }
}

fn tell(
    replica: &mut Replica,
    from: NodeId,
    message: impl Into<Message>,
) -> Result<Vec<(Address, Message)>, Ignored> {
    let mut effects = Effects::default();
    replica.handle(0, from.into(), message.into(), &mut effects)?;
    Ok(sent(effects))
}

/// When the next thing is due, the replica does it.
fn wait(replica: &mut Replica) -> Vec<(Address, Message)> {
    let mut effects = Effects::default();
    let at = replica.deadline().expect("something is due");
    replica.on_deadline(at, &mut effects);
    sent(effects)
}

fn sent(effects: Effects<ReplicaRecord>) -> Vec<(Address, Message)> {
    let sent = effects.into_iter().flat_map(|effect| match effect {
        Effect::Send { to, message } => vec![(to, message)],
        Effect::Append { then, .. } => then,
    });
    sent.collect()
}

#[track_caller]
fn expect(mark: Mark) {
    let marks = mark::take();
    assert!(marks.contains(mark), "{mark:?} was not hit: {marks:?}");
}

/// Broken: a commit would be executed twice, or not reach a replica that missed it.
#[test]
fn commits_come_twice_and_by_catching_up() {
    let mut replica = replica(colocated());
    let commit = Commit { vertex: vertex(1, 0), value: noop() };
    tell(&mut replica, NodeId(1), commit.clone()).unwrap();
    expect(Mark::NoopExecuted);
    assert_eq!(replica.take_steps().len(), 1);
    assert_eq!(tell(&mut replica, NodeId(2), commit.clone()), Err(Ignored::Repeated));
    expect(Mark::LearntTwice);
    assert!(replica.take_steps().is_empty());
    let frontier = Frontier::default();
    let told = tell(&mut replica, NodeId(2), frontier).unwrap();
    expect(Mark::CaughtUp);
    assert_eq!(told, [(NodeId(2).into(), commit.into())]);
}

/// Broken: where proposers have no replica beside them nobody would answer their clients (Z11).
#[test]
fn a_proposer_without_a_replica_is_told() {
    let mut replica = replica(apart());
    let commit = Commit { vertex: vertex(2, 0), value: noop() };
    let told = tell(&mut replica, NodeId(2), commit).unwrap();
    expect(Mark::AnsweredByOther);
    let executed = Executed { vertex: vertex(2, 0), replies: Vec::new(), seen: DepSet::default() };
    assert_eq!(told, [(NodeId(2).into(), executed.into())]);
}

/// Broken: a vertex that its proposer left behind would block others for ever (trap T10).
#[test]
fn whom_a_blocked_replica_asks() {
    let blocker = vertex(2, 0);
    let blocked = |proposer| Commit { vertex: vertex(proposer, 0), value: after(blocker) };
    let ask = |to: u32| vec![(NodeId(to).into(), Recover { vertex: blocker }.into())];

    let mut beside = replica(colocated());
    tell(&mut beside, NodeId(1), blocked(1)).unwrap();
    assert_eq!(wait(&mut beside), ask(2));
    expect(Mark::RecoveryAskedOfOwner);
    assert_eq!(wait(&mut beside), ask(0));
    expect(Mark::RecoveryAskedHere);

    let mut alone = replica(apart());
    tell(&mut alone, NodeId(2), blocked(3)).unwrap();
    alone.on_link(0, NodeId(2), false);
    assert_eq!(wait(&mut alone), ask(3));
    expect(Mark::RecoveryAskedInTurn);
}

/// Broken: a node that was away would recover, one by one, what it is about to be sent; or wait for
/// ever for what nobody sends it.
#[test]
fn what_another_replica_has_is_recovered_only_if_it_does_not_come() {
    let blocker = vertex(2, 5);
    let ask = vec![(NodeId(2).into(), Recover { vertex: blocker }.into())];
    let blocked = || {
        let mut replica = replica(colocated());
        let blocked = Commit { vertex: vertex(1, 0), value: after(blocker) };
        tell(&mut replica, NodeId(1), blocked).unwrap();
        let mut committed = DepSet::default();
        committed.insert_below(blocker.column(), 6);
        let frontier = Frontier { committed, ..Frontier::default() };
        tell(&mut replica, NodeId(1), frontier).unwrap();
        replica
    };

    let mut nothing_comes = blocked();
    for _ in 0..3 {
        assert_eq!(wait(&mut nothing_comes), []);
        expect(Mark::RecoveryLeftToCatchUp);
    }
    assert_eq!(wait(&mut nothing_comes), ask);

    let mut more_comes = blocked();
    for seq in 0..5 {
        assert_eq!(wait(&mut more_comes), []);
        assert_eq!(wait(&mut more_comes), []);
        let commit = Commit { vertex: vertex(2, seq), value: noop() };
        tell(&mut more_comes, NodeId(1), commit).unwrap();
    }

    let mut left_alone = blocked();
    left_alone.on_link(0, NodeId(1), false);
    assert_eq!(wait(&mut left_alone), ask);
}

/// Broken: everyone would wait a time-out for what a dead node left behind, or all would recover it
/// at once and duel (trap T10).
#[test]
fn what_a_dead_proposer_left_is_recovered_at_once_by_one() {
    // Proposers 0 and 1 are left of three: the even ones are this node's to begin with.
    let first_ask = |seq: u64, is_known_before: bool| {
        let mut replica = replica(colocated());
        replica.on_link(0, NodeId(2), true);
        let cut = |replica: &mut Replica| replica.on_link(0, NodeId(2), false);
        if is_known_before {
            cut(&mut replica);
        }
        let blocked = Commit { vertex: vertex(1, 0), value: after(vertex(2, seq)) };
        tell(&mut replica, NodeId(1), blocked).unwrap();
        if !is_known_before {
            assert!(replica.deadline().unwrap() > 0);
            cut(&mut replica);
        }
        replica.deadline().unwrap()
    };
    for is_known_before in [true, false] {
        assert_eq!(first_ask(0, is_known_before), 0);
        expect(Mark::RecoveryAskedAtOnce);
        assert!(first_ask(1, is_known_before) > 0);
        assert_eq!(first_ask(2, is_known_before), 0);
    }
}

/// Broken: a node that has just started, or is cut off itself, would take all others for dead, and
/// recover what they are about to commit.
#[test]
fn what_a_live_proposer_has_in_flight_has_its_time_out() {
    let first_ask = |links: &[(u64, u32, bool)], now: u64| {
        let mut replica = replica(colocated());
        links.iter().for_each(|(at, node, is_up)| replica.on_link(*at, NodeId(*node), *is_up));
        let commit = Commit { vertex: vertex(1, 0), value: after(vertex(2, 0)) };
        replica.handle(now, NodeId(1).into(), commit.into(), &mut Effects::default()).unwrap();
        replica.deadline().unwrap() - now
    };
    assert_eq!(first_ask(&[(0, 2, true), (5, 2, false)], 9), 0);
    assert!(first_ask(&[(0, 2, false)], 9) > 0, "it was not found yet");
    let alone = [(0, 1, true), (0, 2, true), (5, 2, false), (6, 1, false)];
    assert!(first_ask(&alone, 9) > 0, "nobody is left to promise");
    assert!(first_ask(&[(0, 2, true), (5, 2, false)], 5_000) > 0, "it lives, or who sent this?");
    assert!(first_ask(&[(0, 2, true), (5, 2, false), (7, 2, true)], 9) > 0, "it is back");
}

/// Broken: the client of a forwarded command would never be answered, or one of another region's.
#[test]
fn a_forwarded_request_is_told_at_home() {
    let mut replica = replica(colocated());
    let opened = VertexId { epoch: Epoch(0), proposer: ME, seq: 0 };
    let open = Command { operation: Operation::OpenSession, footprint: Footprint::NOTHING };
    let commands = Commands::Batch([open].into());
    let mut effects = Effects::default();
    let mut commit = |vertex: VertexId, commands: Commands, deps: DepSet| {
        let value = Value { commands, deps };
        let commit = Commit { vertex, value };
        replica.handle(0, vertex.proposer.into(), commit.into(), &mut effects).unwrap();
        let told: Vec<Message> = effects
            .drain()
            .flat_map(|effect| match effect {
                Effect::Append { then, .. } => then,
                Effect::Send { .. } => Vec::new(),
            })
            .filter(|(to, message)| *to == ME.into() && matches!(message, Message::Served(_)))
            .map(|(_, message)| message)
            .collect();
        told
    };
    assert!(commit(opened, commands, DepSet::default()).is_empty());

    let request = RequestId { session: SessionId { opened, slot: 0 }, sequence: 7 };
    let stranger = VertexId { proposer: NodeId(2), ..opened };
    let of = |request| Command {
        operation: Operation::Apply { request, acknowledged_below: 0, payload: Bytes::new() },
        footprint: Footprint::of([(Bytes::from_static(b"hot"), Mode(1))]),
    };
    let other = RequestId { session: SessionId { opened: stranger, slot: 0 }, ..request };
    let commands = Commands::Batch([of(other), of(request)].into());
    assert!(commit(stranger, Commands::Noop, DepSet::default()).is_empty());
    let hub = VertexId { proposer: NodeId(1), ..opened };
    let told = commit(hub, commands, [opened, stranger].into_iter().collect());
    let reply = Reply::Applied(Bytes::new());
    let seen = [opened, hub].into_iter().collect();
    assert_eq!(told, [Served { request, reply, seen }.into()]);
    assert!(mark::take().contains(Mark::ServedElsewhere));

    // What is proposed here is told in the ordinary way.
    let own = VertexId { seq: 1, ..opened };
    let again = RequestId { sequence: 8, ..request };
    let commands = Commands::Batch([of(again)].into());
    assert!(commit(own, commands, [opened, hub].into_iter().collect()).is_empty());
}
