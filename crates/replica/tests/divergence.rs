//! Replicas whose states are compared.

use althing_model::mark::{self, Mark};
use althing_model::{
    Command, Commands, DepSet, Epoch, Footprint, Membership, ModeTable, NodeId, Operation, Path,
    Pieces, Role, StateMachine, Unrestorable, Value, VertexId,
};
use althing_replica::{Config, Diverged, Limits, Replica, Timing};
use althing_wire::{
    Address, Commit, Effect, Effects, Frontier, Ignored, Message, ReplicaRecord, StateDigest,
};
use bytes::Bytes;

/// A machine whose state is a number.
struct Fixed(u64);

impl StateMachine for Fixed {
    fn apply(&mut self, _payload: &[u8]) -> Bytes {
        Bytes::new()
    }

    fn digest(&self) -> u64 {
        self.0
    }

    fn snapshot(&self) -> Pieces {
        Box::new(std::iter::empty())
    }

    fn restore(&mut self, _: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        Ok(())
    }
}

/// Node 0 of that many replicas, with this state.
fn replica(of: u32, state: u64) -> Replica {
    let all = Role::ALL.to_vec();
    let roles = (0..3.max(of)).map(|node| {
        let has_replica = node < of;
        let roles = all.iter().copied().filter(|role| has_replica || *role != Role::Replica);
        (NodeId(node), roles.collect())
    });
    let config = Config {
        me: NodeId(0),
        membership: Membership::new(Epoch(0), Path::Classic, 1, roles.collect()).unwrap(),
        modes: ModeTable::read_write(),
        has_voter: false,
        has_proposer: true,
        seed: 7,
        timing: Timing::default(),
        limits: Limits::default(),
    };
    let mut replica = Replica::new(config, Box::new(Fixed(state)));
    replica.start(0);
    replica
}

/// The replica executes its next barrier; what it sends on the way.
fn pass(replica: &mut Replica) -> usize {
    let seq = replica.barriers();
    let vertex = |seq| VertexId { epoch: Epoch(0), proposer: NodeId(1), seq };
    let mut deps = DepSet::default();
    deps.insert_below(vertex(0).column(), seq);
    let barrier = Command { operation: Operation::Barrier, footprint: Footprint::Everything };
    let value = Value { commands: Commands::Batch([barrier].into()), deps };
    let commit = Commit { vertex: vertex(seq), value };
    handle(replica, 1, commit.into()).unwrap()
}

/// Another replica tells its states behind barriers 1, 2, ..
fn tell(replica: &mut Replica, from: u32, states: &[u64]) -> Result<usize, Ignored> {
    let digest = |(at, state): (usize, &u64)| StateDigest { number: at as u64 + 1, digest: *state };
    let digests = states.iter().enumerate().map(digest).collect();
    handle(replica, from, Frontier { digests, ..Frontier::default() }.into())
}

fn handle(replica: &mut Replica, from: u32, message: Message) -> Result<usize, Ignored> {
    let mut effects: Effects<ReplicaRecord> = Effects::default();
    replica.handle(0, Address::Node(NodeId(from)), message, &mut effects)?;
    Ok(effects.into_iter().count())
}

fn diverged(number: u64, own: u64, other: u64, node: u32) -> Option<Diverged> {
    Some(Diverged { number, own, other, node: NodeId(node) })
}

/// Broken: a replica with a wrong state would answer for ever; or one with the right state would stop
/// since another's is wrong.
#[test]
fn a_replica_that_is_outvoted_stops_and_the_others_go_on() {
    mark::take();
    let mut wrong = replica(3, 66);
    pass(&mut wrong);
    tell(&mut wrong, 1, &[7]).unwrap();
    assert_eq!(wrong.diverged(), None, "the third decides");
    assert_eq!(tell(&mut wrong, 2, &[7]), Ok(0), "nothing leaves it any more");
    assert_eq!(wrong.diverged(), diverged(1, 66, 7, 1));
    let told = wrong.diverged().unwrap().to_string();
    assert!(
        told.contains("node 1: behind barrier 1 its digest is 0000000000000042 here"),
        "{told}"
    );
    assert_eq!(tell(&mut wrong, 2, &[7]), Err(Ignored::Diverged));
    assert_eq!(wrong.deadline(), None);
    let mut effects = Effects::default();
    wrong.on_deadline(1 << 40, &mut effects);
    assert!(effects.is_empty());
    assert!(!mark::take().contains(Mark::StatesAgreed));

    let mut right = replica(3, 7);
    pass(&mut right);
    assert_eq!(right.agreed_at(), None);
    tell(&mut right, 2, &[66]).unwrap();
    assert_eq!(right.agreed_at(), None);
    tell(&mut right, 1, &[7]).unwrap();
    assert!(mark::take().contains(Mark::StatesAgreed));
    assert_eq!((right.diverged(), right.agreed_at()), (None, Some(1)));
    assert_eq!(right.outvoted().iter().collect::<Vec<_>>(), [&NodeId(2)]);
    assert!(pass(&mut right) > 0, "it goes on");
    // It was given the state of one of the others.
    tell(&mut right, 2, &[7, 7]).unwrap();
    assert!(right.outvoted().is_empty());
    assert_eq!(right.agreed_at(), Some(2));
}

/// Broken: of two states that nobody else knows both would go on being answered from.
#[test]
fn where_no_majority_agrees_all_stop() {
    let mut of_two = replica(2, 66);
    pass(&mut of_two);
    tell(&mut of_two, 1, &[7]).unwrap();
    assert_eq!(of_two.diverged(), diverged(1, 66, 7, 1));

    let mut with_one_down = replica(3, 66);
    with_one_down.on_link(0, NodeId(2), false);
    pass(&mut with_one_down);
    tell(&mut with_one_down, 1, &[7]).unwrap();
    assert_eq!(with_one_down.diverged(), diverged(1, 66, 7, 1));

    let mut goes_down = replica(3, 66);
    pass(&mut goes_down);
    tell(&mut goes_down, 1, &[7]).unwrap();
    goes_down.on_link(0, NodeId(2), false);
    goes_down.on_deadline(1, &mut Effects::default());
    assert_eq!(goes_down.diverged(), diverged(1, 66, 7, 1));

    let mut all_differ = replica(3, 66);
    pass(&mut all_differ);
    tell(&mut all_differ, 1, &[7]).unwrap();
    tell(&mut all_differ, 2, &[8]).unwrap();
    assert_eq!(all_differ.diverged(), diverged(1, 66, 7, 1));

    // The third is up, and is not waited for longer than until the next barrier.
    let mut waits = replica(3, 66);
    pass(&mut waits);
    tell(&mut waits, 1, &[7]).unwrap();
    assert_eq!(waits.diverged(), None);
    pass(&mut waits);
    assert_eq!(waits.diverged(), diverged(1, 66, 7, 1));
}

/// Broken: a replica that is behind would be compared with states that it has still to reach, or one
/// that told before the others got there would never be compared.
#[test]
fn states_are_compared_behind_the_same_barrier() {
    let mut behind = replica(2, 7);
    tell(&mut behind, 1, &[8, 7]).unwrap();
    assert_eq!(behind.diverged(), None);
    pass(&mut behind);
    assert_eq!(behind.diverged(), diverged(1, 7, 8, 1));

    let mut ahead = replica(2, 7);
    (0..9).for_each(|_| {
        pass(&mut ahead);
    });
    tell(&mut ahead, 1, &[8]).unwrap();
    assert_eq!(ahead.diverged(), None, "that long ago nothing is kept");
    tell(&mut ahead, 1, &[8, 8]).unwrap();
    assert_eq!(ahead.diverged(), diverged(2, 7, 8, 1));
}

/// Broken: others would not hear of a replica's states, or of all that it ever had.
#[test]
fn a_frontier_tells_the_last_states() {
    let mut replica = replica(3, 7);
    (0..9).for_each(|_| {
        pass(&mut replica);
    });
    let mut effects = Effects::default();
    replica.on_deadline(1, &mut effects);
    let told = effects.into_iter().find_map(|effect| match effect {
        Effect::Send { message: Message::Frontier(frontier), .. } => Some(frontier.digests),
        _ => None,
    });
    let expected = (2..=9).map(|number| StateDigest { number, digest: 7 });
    assert_eq!(told.unwrap(), expected.collect::<Vec<_>>());
}
