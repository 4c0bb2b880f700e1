//! Pruning at a proposer, barriers, and the window of a session: short stories.

mod story;

use althing_model::mark::Mark;
use althing_model::{
    Ballot, Column, Commands, DepSet, Epoch, NodeId, Operation, Path, Reply, RequestId, SeqSet,
    SessionId, Value, VertexId,
};
use althing_proposer::Limits;
use althing_wire::{
    Accepted, Address, Answer, BarrierDue, Chosen, ClientId, Executed, Forward, Ignored, Inspected,
    Message, NodeRecord, Outcome, PreAccepted, Promised, ProposerRecord, PruneProposer, Pruned,
    Recover, Refused, Submit,
};
use bytes::Bytes;
use story::{ME, Story, ballot_of, command, deps, expect, other, own, prepared, proposed};

const CLIENT: ClientId = ClientId(9);

fn fast(n: u32, f: usize) -> Story {
    Story::new(Path::Fast, n, f, Story::limits())
}

/// A floor: the first so many vertices of each proposer, by number.
fn floor(prefixes: &[u64]) -> DepSet {
    let mut floor = DepSet::default();
    for (proposer, below) in (0..).zip(prefixes) {
        floor.insert_below(Column { epoch: Epoch(0), proposer: NodeId(proposer) }, *below);
    }
    floor
}

fn prune(prefixes: &[u64]) -> PruneProposer {
    PruneProposer { floor: floor(prefixes) }
}

fn pre_accepts(sent: &[(Address, Message)]) -> Vec<(VertexId, Commands)> {
    let mut found: Vec<_> = sent
        .iter()
        .filter_map(|(_, message)| match message {
            Message::PreAccept(it) => Some((it.vertex, it.commands.clone())),
            _ => None,
        })
        .collect();
    found.dedup();
    found
}

fn operations(commands: &Commands) -> Vec<Operation> {
    commands.as_slice().iter().map(|command| command.operation.clone()).collect()
}

fn sequences(commands: &Commands) -> Vec<u64> {
    let requests = commands.as_slice().iter().filter_map(|it| it.operation.request());
    requests.map(|request| request.sequence).collect()
}

fn apply(sequence: u64, acknowledged_below: u64) -> Operation {
    let session = SessionId { opened: other(1, 0), slot: 0 };
    let request = RequestId { session, sequence };
    Operation::Apply { request, acknowledged_below, payload: Bytes::from_static(b"a") }
}

fn answers(sent: &[(Address, Message)]) -> Vec<Answer> {
    let answers = sent.iter().filter_map(|(_, message)| match message {
        Message::Answer(answer) => Some(answer.clone()),
        _ => None,
    });
    answers.collect()
}

/// What a driver leaves of the journal: all from the last pruning on that was written to its end.
fn trimmed(disk: &[ProposerRecord]) -> Vec<ProposerRecord> {
    let end = disk.iter().rposition(|it| matches!(it, ProposerRecord::Rewritten)).unwrap_or(0);
    let is_pruned = |it: &ProposerRecord| matches!(it, ProposerRecord::Pruned { .. });
    let from = disk[..end].iter().rposition(is_pruned).unwrap_or(0);
    disk[from..].to_vec()
}

/// Broken: replicas would get a barrier for each time that they ask, or cut a snapshot in the middle
/// of a vertex.
#[test]
fn a_barrier_is_proposed_once_and_alone() {
    let limits = Limits { in_flight_max: 1, ..Story::limits() };
    let mut story = Story::new(Path::Fast, 3, 1, limits);
    story.submit(0, "a");
    story.submit(1, "b");
    assert_eq!(story.try_tell(ME, BarrierDue), Ok(()));
    expect(&[Mark::BarrierProposed]);
    story.submit(2, "c");
    assert_eq!(story.try_tell(ME, BarrierDue), Err(Ignored::Repeated));
    expect(&[Mark::BarrierUnderWay]);
    assert_eq!(story.try_tell(NodeId(1), BarrierDue), Err(Ignored::Misdirected));
    let mut vertices = Vec::new();
    for seq in 0..4 {
        let proposed = pre_accepts(&story.sent());
        assert_eq!(proposed.len(), 1);
        vertices.push(operations(&proposed[0].1));
        let is_barrier = vertices[seq] == [Operation::Barrier];
        if is_barrier {
            assert!(proposed[0].1.as_slice()[0].footprint == althing_model::Footprint::Everything);
            assert_eq!(story.try_tell(ME, BarrierDue), Err(Ignored::Repeated), "in flight");
        }
        let reply = if is_barrier { Reply::Passed } else { Reply::Applied(Bytes::new()) };
        story.tell(
            ME,
            Executed { vertex: own(seq as u64), replies: vec![reply], seen: DepSet::default() },
        );
    }
    let expected = [
        vec![apply_of(0, "a")],
        vec![apply_of(1, "b")],
        vec![Operation::Barrier],
        vec![apply_of(2, "c")],
    ];
    assert_eq!(vertices, expected);
    // It passed: the next one may come.
    assert_eq!(story.try_tell(ME, BarrierDue), Ok(()));
    assert_eq!(pre_accepts(&story.sent()).len(), 1);
}

fn apply_of(sequence: u64, payload: &'static str) -> Operation {
    let session = SessionId { opened: other(1, 0), slot: 0 };
    let request = RequestId { session, sequence };
    let payload = Bytes::from_static(payload.as_bytes());
    Operation::Apply { request, acknowledged_below: 0, payload }
}

/// Broken: a barrier whose vertex became a noop would be lost, with it the snapshot; or an operator
/// who asked for one would not be answered.
#[test]
fn barriers_become_noops_and_are_asked_for_by_clients() {
    let mut story = fast(3, 1);
    story.tell(ME, BarrierDue);
    story.sent();
    story.tell(ME, Executed { vertex: own(0), replies: Vec::new(), seen: DepSet::default() });
    let again = pre_accepts(&story.sent());
    assert_eq!((again[0].0, operations(&again[0].1)), (own(1), vec![Operation::Barrier]));
    story.tell(
        ME,
        Executed { vertex: own(1), replies: vec![Reply::Passed], seen: DepSet::default() },
    );
    assert!(answers(&story.sent()).is_empty());
    story.tell(CLIENT, Submit { ticket: 7, operation: Operation::Barrier });
    story.tell(
        ME,
        Executed { vertex: own(2), replies: vec![Reply::Passed], seen: DepSet::default() },
    );
    let passed = Answer {
        ticket: 7,
        outcome: Outcome::Executed(Reply::Passed),
        seen: [own(2)].into_iter().collect(),
    };
    assert_eq!(answers(&story.sent()), [passed]);
}

/// Broken: a second value would be proposed in a vertex that others have pruned (trap T16).
#[test]
fn t16_nothing_is_proposed_in_a_pruned_vertex() {
    let none = DepSet::default();
    let anchored = |n, f| {
        let mut story = fast(n, f);
        story.submit(0, "a");
        story
    };
    let voting = |n, f| {
        let mut story = anchored(n, f);
        story.tell(ME, PreAccepted { vertex: own(0), deps: DepSet::default() });
        story
    };
    let mut concluding = voting(3, 1);
    concluding.tell(NodeId(1), PreAccepted { vertex: own(0), deps: none.clone() });
    let mut fencing = voting(5, 2);
    for (voter, seen) in [(1, &[][..]), (2, &[]), (3, &[other(4, 7)])] {
        fencing.tell(NodeId(voter), PreAccepted { vertex: own(0), deps: deps(seen) });
    }
    let mut proposing = voting(5, 2);
    for (voter, seen) in [(1, &[][..]), (2, &[]), (3, &[other(4, 7)])] {
        proposing.tell(NodeId(voter), PreAccepted { vertex: own(0), deps: deps(seen) });
    }
    proposing.tell(ME, Accepted { vertex: own(0), ballot: Ballot::classic(own(0)) });
    let mut waiting = voting(3, 1);
    let promised = Ballot { round: 4, proposer: NodeId(2) };
    let ballot = Ballot::fast(own(0));
    waiting.tell(NodeId(2), Refused { vertex: own(0), ballot, promised });
    let mut depending = Story::new(Path::Classic, 3, 1, Story::limits());
    depending.submit(0, "a");
    let steps = [anchored(3, 1), voting(3, 1), concluding, fencing, proposing, waiting, depending];
    for mut story in steps {
        story.sent();
        assert_eq!(story.proposer.own_in_flight(), 1);
        assert_eq!(story.try_tell(NodeId(1), Pruned { vertex: own(0) }), Ok(()));
        expect(&[Mark::PrunedInFlight]);
        story.wait(10_000_000);
        assert!(story.sent().is_empty());
        assert_eq!((story.proposer.in_flight(), story.proposer.own_in_flight()), (0, 0));
        // Its client still waits: the replica here executes it.
        story.tell(
            ME,
            Executed {
                vertex: own(0),
                replies: vec![Reply::Applied(Bytes::new())],
                seen: DepSet::default(),
            },
        );
        assert_eq!(answers(&story.sent()).len(), 1);
    }

    // Recoveries: preparing, consulting.
    let vertex = other(1, 0);
    let mut preparing = fast(3, 1);
    preparing.tell(ME, Recover { vertex });
    let ballot = ballot_of(&preparing.sent());
    preparing.tell(NodeId(1), Pruned { vertex });
    expect(&[Mark::PrunedInFlight]);
    preparing.tell(NodeId(2), Promised { vertex, ballot, vote: None });
    preparing.tell(ME, Promised { vertex, ballot, vote: None });
    assert!(proposed(&preparing.sent()).is_none());
    assert_eq!(preparing.try_tell(NodeId(2), Pruned { vertex }), Err(Ignored::Late));
    // It is not below the floor here: another attempt may be asked for, in a higher ballot (T14).
    preparing.tell(ME, Recover { vertex });
    assert!(ballot_of(&preparing.sent()) > ballot);

    let mut consulting = Story::new(Path::Classic, 3, 1, Story::limits());
    consulting.tell(ME, Recover { vertex });
    let ballot = ballot_of(&consulting.sent());
    let held = Some(althing_wire::Held { commands: command(), deps: DepSet::default() });
    for node in [0, 2] {
        consulting.tell(NodeId(node), Promised { vertex, ballot, vote: None });
        consulting.tell(NodeId(node), Inspected { vertex, ballot, held: held.clone() });
    }
    consulting.tell(NodeId(1), Pruned { vertex });
    expect(&[Mark::PrunedInFlight]);
    assert_eq!(consulting.proposer.in_flight(), 0);
}

/// Broken: clients would wait for replies that were lost when their replica installed a snapshot, or
/// a request be proposed once more than needed.
#[test]
fn what_lost_its_replies_is_proposed_again() {
    let mut story = fast(3, 1);
    story.tell(CLIENT, Submit { ticket: 50, operation: Operation::OpenSession });
    story.submit(1, "a");
    story.tell(ME, BarrierDue);
    story.submit(2, "b");
    let proposed = pre_accepts(&story.sent());
    assert_eq!(proposed.len(), 4);
    // The second request was committed, and its client asked again: that copy is in vertex 4.
    let value = Value { commands: command(), deps: DepSet::default() };
    story.tell(NodeId(1), Chosen { vertex: own(3), value });
    story.submit(2, "b");
    story.submit(3, "c");
    story.sent();
    assert_eq!(story.try_tell(NodeId(1), prune(&[4])), Err(Ignored::Misdirected));
    assert_eq!(story.try_tell(ME, prune(&[4])), Ok(()));
    expect(&[Mark::PrunedUnanswered, Mark::ProposerPruned]);
    let again = pre_accepts(&story.sent());
    let all: Vec<Operation> = again.iter().flat_map(|(_, it)| operations(it)).collect();
    assert_eq!(all, [Operation::OpenSession, apply_of(1, "a")], "no barrier, no second copy");
    assert!(again.iter().all(|(vertex, _)| vertex.seq >= 6));
    // A client that asks now is told that its request is under way.
    story.submit(1, "a");
    expect(&[Mark::RequestRepeated]);
    assert!(pre_accepts(&story.sent()).is_empty());
    let reply = Reply::Applied(Bytes::new());
    for (vertex, commands) in again {
        let replies = vec![reply.clone(); commands.as_slice().len()];
        story.tell(ME, Executed { vertex, replies, seen: DepSet::default() });
    }
    story.tell(ME, Executed { vertex: own(4), replies: vec![reply], seen: DepSet::default() });
    let tickets: Vec<u64> = answers(&story.sent()).iter().map(|it| it.ticket).collect();
    assert_eq!(tickets, [50, 1, 2]);
    assert_eq!(story.try_tell(ME, prune(&[4])), Err(Ignored::Repeated));
}

/// Broken: the next vertex on a resource would hang free of those that were forgotten (rule C1).
#[test]
fn what_the_chain_forgets_is_in_the_prefix() {
    let mut story = fast(3, 1);
    story.submit(0, "a");
    story.submit(1, "b");
    story.tell(
        ME,
        Executed {
            vertex: own(0),
            replies: vec![Reply::Applied(Bytes::new())],
            seen: DepSet::default(),
        },
    );
    story.tell(ME, prune(&[1]));
    story.sent();
    assert_eq!(story.proposer.sizes()[3].1, 1, "one resource is remembered");
    let base = |story: &mut Story| match &story.sent()[..] {
        [(_, Message::PreAccept(pre_accept))] => pre_accept.base.clone(),
        other => panic!("one proposal: {other:?}"),
    };
    story.submit(5, "b");
    assert!(base(&mut story).contains(own(1)));
    story.submit(6, "z");
    let base = base(&mut story);
    assert_eq!(base.prefix(own(0).column()), 1);
}

/// Broken: a restarted proposer would attempt what is pruned (trap T16), walk over all vertices that
/// ever were, or use a number again.
#[test]
fn a_restart_keeps_the_floor() {
    let mut story = fast(3, 1);
    story.tell(ME, Recover { vertex: other(1, 8) });
    story.tell(ME, Recover { vertex: other(1, 9) });
    let far = 1 << 40;
    assert_eq!(story.try_tell(ME, prune(&[far, 9])), Ok(()));
    expect(&[Mark::ProposerPruned]);
    assert_eq!(story.proposer.in_flight(), 1);
    let pruned = Recover { vertex: other(1, 8) };
    assert_eq!(story.try_tell(ME, pruned.clone()), Err(Ignored::Late));
    expect(&[Mark::RecoveryOfPruned]);
    let disk = trimmed(&story.disk);
    assert!(matches!(disk[0], ProposerRecord::Pruned { .. }));
    let mut committed = SeqSet::default();
    committed.insert_range(1 << 39, (1 << 40) + 2);
    let mut restarted = Story::begin(3, 1, disk, &committed);
    assert_eq!(restarted.try_tell(ME, pruned), Err(Ignored::Late));
    let recovered = prepared(&restarted.sent());
    assert!(recovered.iter().all(|vertex| vertex.seq >= far), "{recovered:?}");
    restarted.submit(0, "a");
    assert!(pre_accepts(&restarted.sent())[0].0.seq >= far);
    assert_eq!(restarted.try_tell(ME, prune(&[far, 9])), Err(Ignored::Repeated));
}

/// Broken: the journal would be cut before all attempts were written again, and a ballot be used for
/// two attempts after a restart (trap T14).
#[test]
fn t14_many_attempts_are_written_again_bit_by_bit() {
    let mut story = fast(3, 1);
    for seq in 0..100 {
        story.tell(ME, Recover { vertex: other(1, seq) });
    }
    // One that is done with, in a higher round than the others.
    let done = other(2, 3);
    story.tell(ME, Recover { vertex: done });
    let ballot = Ballot { round: 2, proposer: ME };
    let promised = Ballot { round: 30, proposer: NodeId(2) };
    story.tell(NodeId(2), Refused { vertex: done, ballot, promised });
    story.wait(2_000_000);
    let value = Value { commands: command(), deps: DepSet::default() };
    story.tell(NodeId(2), Chosen { vertex: done, value: value.clone() });
    story.disk.clear();
    story.sent();

    story.tell(ME, prune(&[0, 10]));
    let is_end = |it: &ProposerRecord| *it == ProposerRecord::Rewritten;
    let attempts = |disk: &[ProposerRecord]| {
        disk.iter().filter(|it| matches!(it, ProposerRecord::Attempted { .. })).count()
    };
    assert_eq!(attempts(&story.disk), 64);
    assert!(!story.disk.iter().any(is_end));
    // What is done with meanwhile is covered too, though the walk does not find it any more.
    story.tell(NodeId(2), Chosen { vertex: other(1, 99), value });
    expect(&[Mark::RewrittenLater]);
    assert_eq!(story.disk.iter().filter(|it| is_end(it)).count(), 1);
    assert_eq!(attempts(&story.disk), 90 + 1);

    let mut restarted = Story::begin(3, 1, story.disk, &SeqSet::default());
    restarted.sent();
    for vertex in [done, other(1, 99), other(1, 10)] {
        restarted.tell(ME, Recover { vertex });
        assert!(ballot_of(&restarted.sent()).round > 31, "{vertex}");
    }
}

/// Broken: after a refusal that names the classic round, a prune would write an attempt in that round
/// of another's vertex, which no ballot of this proposer's is; a restart reads no such record, so that
/// the node would not start again.
#[test]
fn a_refused_first_round_is_no_attempt_of_all_vertices() {
    let mut story = fast(3, 1);
    story.submit(0, "a");
    let vertex = pre_accepts(&story.sent())[0].0;
    let (ballot, promised) = (Ballot::fast(vertex), Ballot::classic(vertex));
    story.tell(ME, Refused { vertex, ballot, promised });
    let value = Value { commands: command(), deps: DepSet::default() };
    story.tell(NodeId(1), Chosen { vertex, value });
    story.disk.clear();
    // The lowest column of the floor is another's.
    story.tell(ME, prune(&[0, 10]));
    let is_end = |it: &ProposerRecord| *it == ProposerRecord::Rewritten;
    assert!(story.disk.iter().any(is_end));
    for record in story.disk {
        let record = NodeRecord::from(record);
        assert_eq!(NodeRecord::decode(record.kind(), record.encode()), Ok(record));
    }
}

/// Broken: replicas would have to remember the replies of one session without end.
#[test]
fn a_session_s_window() {
    let limits = Limits { session_window: 4, ..Story::limits() };
    let mut story = Story::new(Path::Fast, 3, 1, limits);
    let submit = |story: &mut Story, sequence, acknowledged_below| {
        let operation = apply(sequence, acknowledged_below);
        story.tell(CLIENT, Submit { ticket: sequence, operation });
        let sent = story.sent();
        (pre_accepts(&sent).iter().flat_map(|(_, it)| sequences(it)).collect(), answers(&sent))
    };
    let turned_away = Answer { ticket: 4, outcome: Outcome::Overloaded, seen: DepSet::default() };
    assert_eq!(submit(&mut story, 3, 0), (vec![3], vec![]));
    assert_eq!(submit(&mut story, 4, 0), (vec![], vec![turned_away]));
    expect(&[Mark::SessionWindowFull]);
    assert_eq!(story.proposer.counters().overloaded, 1);
    assert_eq!(submit(&mut story, 4, 1), (vec![4], vec![]));
    let forward = |sequence| Forward { operation: apply(sequence, 4) };
    assert_eq!(story.try_tell(NodeId(1), forward(8)), Err(Ignored::Late));
    expect(&[Mark::SessionWindowFull]);
    assert_eq!(story.try_tell(NodeId(1), forward(7)), Ok(()));
}
