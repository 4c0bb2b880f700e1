//! Replicas that tell each other what they hold.

use althing_model::{
    Commands, DepSet, Epoch, Membership, ModeTable, NodeId, Path, Pieces, Role, StateMachine,
    Unrestorable, Value, VertexId,
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
        limits: Limits {
            catch_up_len_max: 1,
            catch_up_bytes_max: 1,
            frontier_extras_max: 1,
            ..Limits::default()
        },
    };
    let mut replica = Replica::new(config, Box::new(Nothing));
    replica.start(0);
    replica
}

fn commit(to: &mut Replica, proposer: u32, seq: u64) {
    let vertex = VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq };
    let value = Value { commands: Commands::Noop, deps: DepSet::default() };
    let from = Address::Node(NodeId(0));
    let mut effects: Effects<ReplicaRecord> = Effects::default();
    let _ = to.handle(0, from, Message::Commit(Commit { vertex, value }), &mut effects);
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
