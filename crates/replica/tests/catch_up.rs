//! Replicas that tell each other what they hold.

use althing_model::mark::{self, Mark};
use althing_model::{
    Command, Commands, DepSet, Epoch, Footprint, Membership, ModeTable, NodeId, Operation, Path,
    Pieces, RequestId, Role, SessionId, StateMachine, Unrestorable, Value, VertexId,
};
use althing_replica::{Config, Limits, Replica, Timing};
use althing_wire::{Address, Commit, Effect, Effects, Frontier, Message, ReplicaRecord};
use bytes::Bytes;

struct Nothing;

impl StateMachine for Nothing {
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

/// Node 0 proposes; nodes 1 and 2 are replicas that say and send as little as possible at a time.
fn replica(me: u32) -> Replica {
    let little = Limits {
        catch_up_len_max: 1,
        catch_up_bytes_max: 1,
        frontier_extras_max: 1,
        ..Limits::default()
    };
    limited(me, little)
}

fn limited(me: u32, limits: Limits) -> Replica {
    let roles = |node: u32| match node {
        0 => vec![Role::Proposer, Role::Dependency, Role::Acceptor],
        1 | 2 => vec![Role::Replica, Role::Proposer, Role::Dependency, Role::Acceptor],
        _ => unreachable!("three nodes"),
    };
    let nodes = (0..3).map(|node| (NodeId(node), roles(node)));
    let config = Config {
        me: NodeId(me),
        membership: Membership::new(Epoch(0), Path::Classic, 1, nodes.collect()).unwrap(),
        modes: ModeTable::read_write(),
        has_voter: false,
        has_proposer: true,
        seed: 7,
        timing: Timing { recover: 1_000_000_000, catch_up: 100, ..Timing::default() },
        limits,
    };
    let mut replica = Replica::new(config, Box::new(Nothing));
    replica.start(0);
    replica
}

fn commit(to: &mut Replica, proposer: u32, seq: u64) {
    commit_at(0, to, vertex(proposer, seq), Commands::Noop);
}

fn commit_at(now: u64, to: &mut Replica, vertex: VertexId, commands: Commands) {
    let value = Value { commands, deps: DepSet::default() };
    let from = Address::Node(NodeId(0));
    let mut effects: Effects<ReplicaRecord> = Effects::default();
    let _ = to.handle(now, from, Message::Commit(Commit { vertex, value }), &mut effects);
}

fn vertex(proposer: u32, seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq }
}

/// A replica that another has told to be ahead by so many vertices of proposer 0, at rest until then.
fn far_behind(by: u64, limits: Limits) -> Replica {
    let mut replica = limited(1, limits);
    let mut committed = DepSet::default();
    committed.insert_below(vertex(0, 0).column(), by);
    let frontier = Message::Frontier(Frontier { committed, ..Frontier::default() });
    replica.handle(0, Address::Node(NodeId(2)), frontier, &mut Effects::default()).unwrap();
    replica
}

/// Whom it asks now, if anyone.
fn asked(replica: &mut Replica, now: u64) -> Vec<Address> {
    let mut effects = Effects::default();
    replica.on_deadline(now, &mut effects);
    let asks = sent(effects).filter(|(_, message)| matches!(message, Message::Frontier(_)));
    asks.map(|(to, _)| to).collect()
}

fn sent(effects: Effects<ReplicaRecord>) -> impl Iterator<Item = (Address, Message)> {
    effects.into_iter().flat_map(|effect| match effect {
        Effect::Send { to, message } => vec![(to, message)],
        Effect::Append { then, .. } => then,
    })
}

/// One tells what it holds, the other answers, until it lacks nothing: after how many rounds.
fn rounds_until_equal(behind: &mut Replica, ahead: &mut Replica) -> Option<u64> {
    for round in 1..=200 {
        let now = round * 1000;
        let mut effects = Effects::default();
        behind.on_deadline(now, &mut effects);
        let frontiers: Vec<Frontier> = sent(effects)
            .filter_map(|(_, message)| match message {
                Message::Frontier(frontier) => Some(frontier),
                _ => None,
            })
            .collect();
        for frontier in frontiers {
            let mut effects = Effects::default();
            let from = Address::Node(NodeId(1));
            ahead.handle(now, from, Message::Frontier(frontier), &mut effects).unwrap();
            for (_, message) in sent(effects) {
                let from = Address::Node(NodeId(2));
                let _ = behind.handle(now, from, message, &mut Effects::default());
            }
        }
        if behind.committed() == ahead.committed() {
            return Some(round);
        }
    }
    None
}

/// Broken: a replica that lacks one vertex would be sent others, which it has, for ever: an answer
/// has room for so many, and a frontier names only so many.
#[test]
fn what_is_lacking_is_sent_before_what_may_be_lacking() {
    let (mut behind, mut ahead) = (replica(1), replica(2));
    for seq in 0..40 {
        // Of the first column number 0 is committed nowhere, so that all others stand by themselves.
        for replica in [&mut behind, &mut ahead] {
            commit(replica, 0, seq + 1);
        }
        commit(&mut ahead, 1, seq);
        if seq != 3 {
            commit(&mut behind, 1, seq);
        }
    }
    assert_eq!(rounds_until_equal(&mut behind, &mut ahead), Some(1));
}

/// Broken: what lies beyond the numbers that a frontier names would never be sent while a number
/// below them is committed nowhere.
#[test]
fn what_a_frontier_does_not_name_is_sent_in_the_end() {
    let (mut behind, mut ahead) = (replica(1), replica(2));
    // Number 0 is committed nowhere, and number 9 only at one.
    for seq in 1..20 {
        commit(&mut ahead, 0, seq);
        if seq != 9 {
            commit(&mut behind, 0, seq);
        }
    }
    assert!(rounds_until_equal(&mut behind, &mut ahead).is_some());
}

/// Broken: a node that was away would be sent the same vertices again and again while it takes them in,
/// or wait although it has taken them in.
#[test]
fn who_is_far_behind_asks_again_when_it_has_the_answer() {
    mark::take();
    let ahead = [Address::Node(NodeId(2))];
    let four = Limits { catch_up_len_max: 4, ..Limits::default() };
    let mut replica = far_behind(11, four);
    assert_eq!(asked(&mut replica, 0), ahead);
    assert!(replica.deadline() >= Some(50), "an answer takes its time");
    for now in 1..4 {
        commit_at(now, &mut replica, vertex(0, now), Commands::Noop);
        assert_eq!(asked(&mut replica, now), []);
    }
    // What the other one is not known to have is no part of its answer.
    commit_at(4, &mut replica, vertex(0, 11), Commands::Noop);
    assert_eq!(asked(&mut replica, 4), []);
    assert!(!mark::take().contains(Mark::AskedAgainAtOnce));
    commit_at(5, &mut replica, vertex(0, 4), Commands::Noop);
    assert!(mark::take().contains(Mark::AskedAgainAtOnce));
    assert_eq!(asked(&mut replica, 5), ahead);

    // One comes, and then no more: that was all.
    commit_at(6, &mut replica, vertex(0, 5), Commands::Noop);
    assert_eq!(replica.deadline(), Some(31));
    assert_eq!(asked(&mut replica, 31), ahead);
    // Four are left: those are all that can come.
    for now in 32..36 {
        commit_at(now, &mut replica, vertex(0, now - 26), Commands::Noop);
    }
    assert!(mark::take().contains(Mark::AskedAgainAtOnce));
    // With nothing left it asks as ever, whoever may have more.
    assert_eq!(asked(&mut replica, 36), ahead);
    commit_at(37, &mut replica, vertex(0, 10), Commands::Noop);
    assert!(replica.deadline() >= Some(36 + 50));
}

/// Broken: a node that was away while long values were written would wait after each answer, since its
/// bytes and not its vertices are what fills it.
#[test]
fn an_answer_of_long_values_is_full_as_well() {
    let mut replica = far_behind(9, Limits { catch_up_bytes_max: 100, ..Limits::default() });
    // Too little to hurry.
    assert_eq!(asked(&mut replica, 0), [Address::Node(NodeId(2))]);
    let long = |seq| {
        let session = SessionId { opened: vertex(0, 0), slot: 0 };
        let request = RequestId { session, sequence: seq };
        let payload = Bytes::from_static(&[0; 40]);
        let operation = Operation::Apply { request, acknowledged_below: 0, payload };
        Commands::Batch([Command { operation, footprint: Footprint::NOTHING }].into())
    };
    commit_at(1, &mut replica, vertex(0, 0), long(0));
    commit_at(2, &mut replica, vertex(0, 1), long(1));
    assert!(replica.deadline() >= Some(50));

    let limits = Limits { catch_up_len_max: 8, catch_up_bytes_max: 100, ..Limits::default() };
    let mut replica = far_behind(9, limits);
    assert_eq!(asked(&mut replica, 0), [Address::Node(NodeId(2))]);
    commit_at(1, &mut replica, vertex(0, 0), long(0));
    assert_eq!(replica.deadline(), Some(26));
    // A third one would be too much.
    commit_at(2, &mut replica, vertex(0, 1), long(1));
    assert_eq!(asked(&mut replica, 2), [Address::Node(NodeId(2))]);
}
