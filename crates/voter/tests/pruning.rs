//! What a voter does when it is pruned: what it says below its floor, what it writes down again, and
//! what a restart makes of that.

use althing_model::mark::{self, Mark};
use althing_model::{
    Ballot, Command, Commands, DepSet, Epoch, Footprint, Mode, ModeTable, NodeId, Operation, Value,
    VertexId,
};
use althing_voter::{Config, Voter};
use althing_wire::limits::{FORGOTTEN_MAX, REWRITTEN_VERTICES_MAX};
use althing_wire::{
    Accept, Chosen, Commit, Conclude, Depend, Depended, Effect, Effects, Ignored, Learned, Message,
    PreAccept, PreAccepted, Prepare, Promised, PruneAcceptor, Pruned, Vote, VoterRecord,
};
use bytes::Bytes;
use proptest::prelude::*;

const ME: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);

fn voter(has_replica: bool) -> Voter {
    Voter::new(Config { me: ME, epoch: Epoch(0), modes: ModeTable::read_write(), has_replica })
}

fn vertex(proposer: NodeId, seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer, seq }
}

fn write(resource: &[u8]) -> Commands {
    let footprint = Footprint::of([(Bytes::copy_from_slice(resource), Mode(1))]);
    Commands::Batch([Command { operation: Operation::OpenSession, footprint }].into())
}

fn pre_accept(vertex: VertexId, resource: &[u8]) -> PreAccept {
    let (quorum, anchor) = (vec![ME, OTHER], vertex.proposer);
    PreAccept { vertex, commands: write(resource), base: DepSet::default(), quorum, anchor }
}

fn ballot(round: u32) -> Ballot {
    Ballot { round, proposer: OTHER }
}

fn floor(seqs: [u64; 2]) -> DepSet {
    let column = |proposer| vertex(proposer, 0).column();
    DepSet::from_columns([(column(ME), seqs[0], vec![]), (column(OTHER), seqs[1], vec![])])
}

type Said = (Vec<VoterRecord>, Vec<Message>);

/// Tells the voter something: what it records, and what it says once that is on disk.
fn tell(voter: &mut Voter, from: NodeId, message: impl Into<Message>) -> Result<Said, Ignored> {
    let mut effects = Effects::default();
    let result = voter.handle(from.into(), message.into(), &mut effects);
    let (mut recorded, mut said) = (Vec::new(), Vec::new());
    for effect in effects {
        match effect {
            Effect::Append { records, then } => {
                recorded.extend(records);
                said.extend(then.into_iter().map(|(_, message)| message));
            }
            Effect::Send { message, .. } => panic!("a voter promises what it says: {message:?}"),
        }
    }
    result.map(|()| (recorded, said))
}

fn prune(voter: &mut Voter, seqs: [u64; 2]) -> Vec<VoterRecord> {
    let (records, said) = tell(voter, ME, PruneAcceptor { floor: floor(seqs) }).unwrap();
    assert!(said.is_empty());
    records
}

/// Has the voter write again all that it keeps: a floor repeated is a call like any other.
fn finish(voter: &mut Voter, disk: &mut Vec<VoterRecord>) {
    while !voter.is_rewritten() {
        disk.extend(tell(voter, ME, PruneAcceptor { floor: voter.floor().clone() }).unwrap().0);
    }
}

fn restored(records: &[VoterRecord]) -> Voter {
    let mut voter = voter(true);
    records.iter().cloned().for_each(|record| voter.restore(record));
    voter
}

/// The records that a trim leaves at the least: from the last `Pruned` with a `Rewritten` behind it.
fn trimmed(disk: &[VoterRecord]) -> &[VoterRecord] {
    let done = disk.iter().rposition(|record| *record == VoterRecord::Rewritten).unwrap_or(0);
    let is_pruned = |record: &VoterRecord| matches!(record, VoterRecord::Pruned { .. });
    &disk[disk[..done].iter().rposition(is_pruned).unwrap_or(0)..]
}

/// Broken: a recovery could choose a second value in a vertex that is executed (trap T16), or the
/// voter would remember what it was told to forget.
#[test]
fn below_the_floor_nothing_is_fresh() {
    mark::take();
    let mut voter = voter(true);
    let (old, value) = (vertex(OTHER, 0), Value { commands: write(b"a"), deps: floor([0, 0]) });
    tell(&mut voter, OTHER, pre_accept(old, b"a")).unwrap();
    assert_eq!(prune(&mut voter, [0, 1]), [VoterRecord::Pruned { floor: floor([0, 1]) }]);
    assert!(voter.is_empty());
    let depend =
        Depend { vertex: old, ballot: ballot(2), commands: write(b"a"), base: DepSet::default() };
    let questions: [Message; 5] = [
        pre_accept(old, b"a").into(),
        Conclude { vertex: old, deps: DepSet::default() }.into(),
        depend.into(),
        Prepare { vertex: old, ballot: ballot(2) }.into(),
        Accept { vertex: old, ballot: ballot(2), value: value.clone() }.into(),
    ];
    for question in questions {
        let said = tell(&mut voter, OTHER, question);
        assert_eq!(said, Ok((vec![], vec![Pruned { vertex: old }.into()])));
        assert!(mark::take().contains(Mark::AskedOfPruned));
    }
    // The replica may be behind, and still be in want of it.
    let learned = Learned { vertex: old, value: value.clone() };
    let said = tell(&mut voter, OTHER, Commit { vertex: old, value });
    assert_eq!(said, Ok((vec![], vec![learned.into()])));
    assert!(mark::take().contains(Mark::CommitOfPruned));
    assert!(voter.is_empty());
    // What conflicts with it depends on the floor.
    let new = vertex(OTHER, 1);
    let (_, said) = tell(&mut voter, OTHER, pre_accept(new, b"a")).unwrap();
    assert_eq!(said, [PreAccepted { vertex: new, deps: floor([0, 1]) }.into()]);
}

/// Broken: any replica could make a voter forget what the one on its node has not executed; or a
/// voter without one could never be pruned.
#[test]
fn its_own_replica_prunes_it_if_it_has_one() {
    let from_other = PruneAcceptor { floor: floor([1, 1]) };
    assert_eq!(tell(&mut voter(true), OTHER, from_other.clone()), Err(Ignored::Misdirected));
    let mut alone = voter(false);
    tell(&mut alone, OTHER, from_other).unwrap();
    // The floor is a join, and never falls.
    tell(&mut alone, ME, PruneAcceptor { floor: floor([0, 3]) }).unwrap();
    assert_eq!(*alone.floor(), floor([1, 3]));
    finish(&mut alone, &mut Vec::new());
    let lower = PruneAcceptor { floor: floor([1, 2]) };
    assert_eq!(tell(&mut alone, ME, lower), Err(Ignored::Repeated));
}

/// Broken: a large rewrite would stall the voter, or the journal be trimmed to records that do not
/// hold all.
#[test]
fn a_rewrite_goes_bit_by_bit_and_begins_again() {
    mark::take();
    let (mut voter, mut disk) = (voter(true), Vec::new());
    let len = REWRITTEN_VERTICES_MAX as u64 + 9;
    for seq in 0..len {
        let prepare = Prepare { vertex: vertex(OTHER, seq), ballot: ballot(2) };
        disk.extend(tell(&mut voter, OTHER, prepare).unwrap().0);
    }
    let rewritten = |from: u64, until: u64| {
        (from..until).map(|seq| VoterRecord::Kept {
            vertex: vertex(OTHER, seq),
            promised: ballot(2),
            vote: None,
        })
    };
    prune(&mut voter, [0, 1]);
    let (records, _) = tell(&mut voter, ME, PruneAcceptor { floor: floor([0, 1]) }).unwrap();
    let end = 1 + REWRITTEN_VERTICES_MAX as u64;
    assert_eq!(records, rewritten(1, end).collect::<Vec<_>>());
    assert!(!voter.is_rewritten() && !mark::take().contains(Mark::PrunedInRewriting));
    disk.extend(prune(&mut voter, [0, 2]));
    assert!(mark::take().contains(Mark::PrunedInRewriting));
    finish(&mut voter, &mut disk);
    assert!(mark::take().contains(Mark::VoterRewritten));
    let all: Vec<_> = [VoterRecord::Pruned { floor: floor([0, 2]) }]
        .into_iter()
        .chain(rewritten(2, len))
        .chain([VoterRecord::Rewritten])
        .collect();
    assert_eq!(trimmed(&disk), all);
}

/// Broken: a prune of many vertices would stall the voter, or leave some in memory or in sight.
#[test]
fn what_is_forgotten_goes_bit_by_bit_and_is_out_of_sight_at_once() {
    let mut voter = voter(true);
    let len = 2 * FORGOTTEN_MAX as u64;
    for seq in 0..=len {
        let value = Value { commands: write(b"a"), deps: DepSet::default() };
        tell(&mut voter, OTHER, Commit { vertex: vertex(OTHER, seq), value }).unwrap();
    }
    let mut disk = prune(&mut voter, [0, len]);
    assert_eq!(voter.len(), 1 + FORGOTTEN_MAX);
    assert_eq!(voter.committed().count(), 1);
    let old = vertex(OTHER, len - 1);
    let said = tell(&mut voter, OTHER, Prepare { vertex: old, ballot: ballot(2) }).unwrap();
    assert_eq!(said, (vec![], vec![Pruned { vertex: old }.into()]));
    finish(&mut voter, &mut disk);
    assert_eq!((voter.len(), disk.len()), (1, 3));
}

/// Broken: after a trim and a restart a voter would vote below its promise, lose its vote, answer
/// otherwise than it had, forget a commit or its floor, or leave a conflict out.
#[test]
fn what_is_written_again_is_all_that_is_kept() {
    let (mut live, mut disk) = (voter(true), Vec::new());
    let (promised, voted, answered) = (vertex(OTHER, 1), vertex(OTHER, 2), vertex(OTHER, 3));
    let (committed, noop) = (vertex(ME, 1), vertex(ME, 2));
    let depend = |round| Depend {
        vertex: answered,
        ballot: ballot(round),
        commands: write(b"c"),
        base: DepSet::default(),
    };
    let value = Value { commands: write(b"a"), deps: DepSet::default() };
    let of_noop = Value { commands: Commands::Noop, deps: floor([2, 0]) };
    let told: [(NodeId, Message); 8] = [
        (OTHER, pre_accept(vertex(OTHER, 0), b"c").into()),
        (OTHER, Prepare { vertex: promised, ballot: ballot(5) }.into()),
        (OTHER, pre_accept(voted, b"b").into()),
        (OTHER, depend(2).into()),
        (ME, pre_accept(committed, b"a").into()),
        (ME, pre_accept(noop, b"d").into()),
        (OTHER, Commit { vertex: committed, value: value.clone() }.into()),
        (OTHER, Commit { vertex: noop, value: of_noop }.into()),
    ];
    for (from, message) in told {
        disk.extend(tell(&mut live, from, message).unwrap().0);
    }
    disk.extend(prune(&mut live, [1, 1]));
    finish(&mut live, &mut disk);

    let mut again = restored(trimmed(&disk));
    assert_eq!(*again.floor(), floor([1, 1]));
    let lower = Prepare { vertex: promised, ballot: ballot(3) };
    assert!(matches!(&tell(&mut again, OTHER, lower).unwrap().1[..], [Message::Refused(_)]));
    let vote = Vote {
        ballot: Ballot::fast(voted),
        value: Value { commands: write(b"b"), deps: DepSet::default() },
        fast: Some(althing_wire::FastQuorum { members: vec![ME, OTHER], anchor: OTHER }),
    };
    let prepare = Prepare { vertex: voted, ballot: ballot(4) };
    let said = tell(&mut again, OTHER, prepare).unwrap().1;
    assert_eq!(said, [Promised { vertex: voted, ballot: ballot(4), vote: Some(vote) }.into()]);
    // The answer is the one of before the prune: without the new floor.
    let deps: DepSet = [vertex(OTHER, 0)].into_iter().collect();
    let said = tell(&mut again, OTHER, depend(3)).unwrap().1;
    assert_eq!(said, [Depended { vertex: answered, ballot: ballot(3), deps }.into()]);
    let prepare = Prepare { vertex: committed, ballot: ballot(2) };
    let said = tell(&mut again, OTHER, prepare).unwrap().1;
    assert_eq!(said, [Chosen { vertex: committed, value }.into()]);
    let (seen, conflicts) = (vertex(OTHER, 7), [(b"a", committed), (b"d", noop)]);
    for (offset, (resource, on)) in conflicts.into_iter().enumerate() {
        let seen = vertex(OTHER, seen.seq + offset as u64);
        let mut deps = floor([1, 1]);
        deps.insert(on);
        let said = tell(&mut again, OTHER, pre_accept(seen, resource)).unwrap().1;
        assert_eq!(said, [PreAccepted { vertex: seen, deps }.into()]);
    }
}

/// One thing told to a voter.
#[derive(Debug, Clone)]
enum Step {
    PreAccept(NodeId, u64),
    Depend(NodeId, u64, u32),
    Prepare(NodeId, u64, u32),
    Accept(NodeId, u64, u32),
    Commit(NodeId, u64),
    Prune([u64; 2]),
}

/// The value of a vertex, and the resource that it touches: functions of the vertex, since two
/// values in one ballot are a fault that the voter asserts against. Every fifth becomes a noop.
fn value_of(vertex: VertexId) -> Value {
    let commands = match (vertex.seq + u64::from(vertex.proposer.0)) % 5 {
        0 => Commands::Noop,
        _ => write(&[resource_of(vertex)]),
    };
    Value { commands, deps: DepSet::default() }
}

fn resource_of(vertex: VertexId) -> u8 {
    (vertex.seq % 3) as u8
}

impl Step {
    fn message(&self) -> (NodeId, Message) {
        let commands_of = |vertex| write(&[resource_of(vertex)]);
        match *self {
            Self::PreAccept(proposer, seq) => {
                let vertex = vertex(proposer, seq);
                (proposer, pre_accept(vertex, &[resource_of(vertex)]).into())
            }
            Self::Depend(proposer, seq, round) => {
                let vertex = vertex(proposer, seq);
                let (commands, base) = (commands_of(vertex), DepSet::default());
                (OTHER, Depend { vertex, ballot: ballot(round), commands, base }.into())
            }
            Self::Prepare(proposer, seq, round) => {
                let vertex = vertex(proposer, seq);
                (OTHER, Prepare { vertex, ballot: ballot(round) }.into())
            }
            Self::Accept(proposer, seq, round) => {
                let vertex = vertex(proposer, seq);
                let value = value_of(vertex);
                (OTHER, Accept { vertex, ballot: ballot(round), value }.into())
            }
            Self::Commit(proposer, seq) => {
                let vertex = vertex(proposer, seq);
                (OTHER, Commit { vertex, value: value_of(vertex) }.into())
            }
            Self::Prune(seqs) => (ME, PruneAcceptor { floor: floor(seqs) }.into()),
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let node = || prop_oneof![Just(ME), Just(OTHER)];
    let (seq, round) = (|| 0..12u64, || 2..6u32);
    prop_oneof![
        4 => (node(), seq()).prop_map(|(n, s)| Step::PreAccept(n, s)),
        2 => (node(), seq(), round()).prop_map(|(n, s, b)| Step::Depend(n, s, b)),
        2 => (node(), seq(), round()).prop_map(|(n, s, b)| Step::Prepare(n, s, b)),
        2 => (node(), seq(), round()).prop_map(|(n, s, b)| Step::Accept(n, s, b)),
        2 => (node(), seq()).prop_map(|(n, s)| Step::Commit(n, s)),
        1 => [0..8u64, 0..8u64].prop_map(Step::Prune),
    ]
}

/// What is visible of a voter: what it says to a question about each vertex, and to later commands
/// on each resource. Asked of clones, so that no question changes the next one's answer.
fn visible(voter: &Voter) -> Vec<(VertexId, Result<Vec<Message>, Ignored>)> {
    let mut seen = Vec::new();
    let mut ask = |from, vertex, message: Message| {
        seen.push((vertex, tell(&mut voter.clone(), from, message).map(|(_, said)| said)));
    };
    for proposer in [ME, OTHER] {
        // The last are new to every voter: they ask the index.
        for seq in (0..12).chain(20..23) {
            let vertex = vertex(proposer, seq);
            for round in [2, 4, 9] {
                ask(OTHER, vertex, Step::Prepare(proposer, seq, round).message().1);
                ask(OTHER, vertex, Step::Depend(proposer, seq, round).message().1);
            }
            ask(proposer, vertex, Step::PreAccept(proposer, seq).message().1);
            ask(proposer, vertex, Conclude { vertex, deps: floor([30, 30]) }.into());
        }
    }
    seen
}

/// The floor is all by which a pruned voter's answer may differ from another's.
fn above(said: Result<Vec<Message>, Ignored>, floor: &DepSet) -> Result<Vec<Message>, Ignored> {
    let mut said = said?;
    for message in &mut said {
        let deps = match message {
            Message::PreAccepted(m) => &mut m.deps,
            Message::Depended(m) => &mut m.deps,
            Message::Promised(Promised { vote: Some(vote), .. }) => &mut vote.value.deps,
            _ => continue,
        };
        deps.union(floor);
    }
    Ok(said)
}

proptest! {
    /// Broken: a restart, with or without a trimmed journal, would change what a voter says; or a
    /// prune would change more than what is below the floor.
    #[test]
    fn a_restart_and_a_prune_change_nothing_that_is_kept(
        steps in prop::collection::vec(step(), 1..80),
        cut in any::<prop::sample::Index>(),
    ) {
        let (mut live, mut twin, mut disk) = (voter(true), voter(true), Vec::new());
        for step in &steps {
            let (from, message) = step.message();
            // Both see the same, but what the pruned one is past handling.
            let is_pruned = message.vertex().is_some_and(|v| live.floor().contains(v));
            if !is_pruned && !matches!(step, Step::Prune(_)) {
                let _ = tell(&mut twin, from, message.clone());
            }
            if let Ok((records, _)) = tell(&mut live, from, message) {
                disk.extend(records);
            }
        }
        let seen = visible(&live);
        prop_assert_eq!(&visible(&restored(&disk)), &seen);
        let least = trimmed(&disk);
        prop_assert_eq!(&visible(&restored(least)), &seen);
        // A journal is cut between segments, somewhere at or before that.
        let begin = cut.index(disk.len() - least.len() + 1);
        let between = restored(&disk[begin..]);
        prop_assert_eq!(&visible(&between), &seen);
        // Written again by whoever was restored, it is still the same.
        let (mut next, mut next_disk) = (between, Vec::new());
        let mut raised = next.floor().clone();
        raised.insert_below(vertex(NodeId(9), 0).column(), 1);
        let prune = PruneAcceptor { floor: raised.clone() };
        next_disk.extend(tell(&mut next, ME, prune.clone()).unwrap().0);
        finish(&mut next, &mut next_disk);
        tell(&mut live, ME, prune).unwrap();
        prop_assert_eq!(visible(&restored(&next_disk)), visible(&live));

        let floor = live.floor().clone();
        for ((vertex, said), (_, of_twin)) in visible(&live).into_iter().zip(visible(&twin)) {
            if !floor.contains(vertex) {
                prop_assert_eq!(above(said, &floor), above(of_twin, &floor), "{}", vertex);
            }
        }
    }
}
