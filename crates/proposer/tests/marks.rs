//! The places in the proposer's code that have a mark, each reached by a short story.

mod story;

use althing_model::mark::Mark;
use althing_model::{Ballot, DepSet, NodeId, Operation, Path, Reply, SeqSet, SessionId, Value};
use althing_proposer::Limits;
use althing_wire::{
    Accepted, Address, Answer, Chosen, ClientId, Executed, Ignored, Message, Outcome, PreAccepted,
    Promised, ProposerRecord, Recover, Refused, Submit,
};
use bytes::Bytes;
use story::{ME, Story, ballot_of, command, deps, expect, has, other, own, prepared, proposed};

fn fast(n: u32, f: usize) -> Story {
    Story::new(Path::Fast, n, f, Story::limits())
}

/// A story whose first vertex has the anchor's answer, and asks the others.
fn voting(n: u32, f: usize) -> Story {
    let mut story = fast(n, f);
    story.submit(0, "a");
    story.tell(ME, PreAccepted { vertex: own(0), deps: DepSet::default() });
    story
}

/// Of five voters with f = 2, one alone reported a dependency: the anchor is asked for round 1.
fn fencing() -> Story {
    let mut story = voting(5, 2);
    for (voter, seen) in [(1, &[][..]), (2, &[]), (3, &[other(4, 7)])] {
        story.tell(NodeId(voter), PreAccepted { vertex: own(0), deps: deps(seen) });
    }
    story
}

fn answers(sent: &[(Address, Message)]) -> Vec<Answer> {
    let answers = sent.iter().filter_map(|(_, message)| match message {
        Message::Answer(answer) => Some(answer.clone()),
        _ => None,
    });
    answers.collect()
}

/// Broken: a proposer without room would queue without end, or propose a retry twice.
#[test]
fn a_full_queue_and_a_repeated_request() {
    let limits = Limits { queue_len_max: 1, in_flight_max: 1, ..Story::limits() };
    let mut story = Story::new(Path::Fast, 3, 1, limits);
    (0..3).for_each(|ticket| story.submit(ticket, "a"));
    expect(&[Mark::QueueFull]);
    assert_eq!(
        answers(&story.sent()),
        [Answer { ticket: 2, outcome: Outcome::Overloaded, seen: DepSet::default() }]
    );
    story.submit(1, "a");
    story.submit(0, "a");
    expect(&[Mark::RequestRepeated]);
    assert!(story.sent().is_empty());
    assert_eq!((story.proposer.queue_len(), story.proposer.own_in_flight()), (1, 1));
}

/// Broken: a batch would grow beyond its limit, or a number be used that is not reserved on disk.
#[test]
fn a_full_batch_waits_for_its_numbers() {
    let limits = Limits { in_flight_max: 1, batch_len_max: 2, reserve_len: 1, ..Story::limits() };
    let mut story = Story::new(Path::Fast, 3, 1, limits);
    story.submit(0, "a");
    story.withholds_numbers = true;
    (1..4).for_each(|ticket| story.submit(ticket, "a"));
    story.sent();
    let reply = Reply::Applied(Bytes::new());
    story.tell(
        ME,
        Executed { vertex: own(0), replies: vec![reply.clone()], seen: DepSet::default() },
    );
    expect(&[Mark::BatchFull]);
    let batches: Vec<usize> = story
        .sent()
        .iter()
        .filter_map(|(_, message)| match message {
            Message::PreAccept(pre_accept) => Some(pre_accept.commands.as_slice().len()),
            _ => None,
        })
        .collect();
    assert_eq!(batches, [2]);
    story.tell(
        ME,
        Executed { vertex: own(1), replies: vec![reply.clone(), reply], seen: DepSet::default() },
    );
    expect(&[Mark::NumbersAwaited]);
    assert!(!has(&story.sent(), |message| matches!(message, Message::PreAccept(_))));
    assert_eq!(story.proposer.queue_len(), 1);
}

/// Broken: what a proposer left open when it stopped would stay open (trap T5).
#[test]
fn a_restart_recovers_its_holes() {
    let disk = vec![ProposerRecord::Reserved { until: 3, resolved: 1 }];
    let mut story = Story::begin(3, 1, disk, &SeqSet::default());
    expect(&[Mark::RestartedWithHoles]);
    assert_eq!(prepared(&story.sent()), [own(1), own(2)]);
}

/// Broken: a vertex that somebody else committed would be worked on for ever, or its command lost.
#[test]
fn what_others_committed() {
    let mut story = fast(3, 1);
    story.submit(0, "a");
    story.tell(ME, Executed { vertex: own(0), replies: Vec::new(), seen: DepSet::default() });
    expect(&[Mark::ExecutedInFlight, Mark::ProposedAgain]);
    assert_eq!(story.proposer.own_in_flight(), 1, "the command is in its second vertex");
    let executed = Executed { vertex: own(0), replies: Vec::new(), seen: DepSet::default() };
    assert_eq!(story.try_tell(ME, executed), Err(Ignored::Repeated));
    expect(&[Mark::ExecutedUnasked]);
}

/// Broken: a client that is gone would be remembered for ever.
#[test]
fn clients_that_gave_up_are_forgotten() {
    let mut story = fast(3, 1);
    story.submit(0, "a");
    let value = Value { commands: command(), deps: DepSet::default() };
    story.tell(NodeId(1), Chosen { vertex: own(0), value });
    story.wait(61_000_000);
    expect(&[Mark::UnansweredForgotten]);
    story.sent();
    story.tell(
        ME,
        Executed {
            vertex: own(0),
            replies: vec![Reply::Applied(Bytes::new())],
            seen: DepSet::default(),
        },
    );
    assert!(answers(&story.sent()).is_empty());
}

/// Broken: a vertex would hang free of its proposer's earlier ones on a resource (trap T18).
#[test]
fn the_chain_s_three_ways() {
    let mut story = Story::new(Path::Fast, 3, 1, Limits { chain_len_max: 1, ..Story::limits() });
    let base = |story: &mut Story| match &story.sent()[..] {
        [(_, Message::PreAccept(pre_accept))] => pre_accept.base.clone(),
        other => panic!("no proposal: {other:?}"),
    };
    story.submit(0, "a");
    base(&mut story);
    story.submit(1, "b");
    expect(&[Mark::ChainOverflow]);
    base(&mut story);
    story.submit(2, "a");
    expect(&[Mark::ChainPrefix]);
    assert_eq!(base(&mut story).prefix(own(0).column()), 2);
    let session = SessionId { opened: other(1, 5), slot: 0 };
    let operation = Operation::CloseSessions(vec![session]);
    story.tell(ClientId(9), Submit { ticket: 3, operation });
    base(&mut story);
    story.submit(4, "a");
    expect(&[Mark::ChainEverything]);
    assert!(base(&mut story).contains(own(3)));
}

/// Broken: the fast path would not end where it cannot succeed, or not where it can.
#[test]
fn the_fast_path_s_ends() {
    let concludes = |story: &mut Story| has(&story.sent(), |it| matches!(it, Message::Conclude(_)));
    let mut two_of_four = voting(5, 2);
    for (voter, seen) in [(1, &[other(4, 7)][..]), (2, &[other(4, 7)]), (3, &[])] {
        two_of_four.tell(NodeId(voter), PreAccepted { vertex: own(0), deps: deps(seen) });
    }
    expect(&[Mark::FastDespiteDifference]);
    assert!(concludes(&mut two_of_four));

    let mut one_of_four = fencing();
    expect(&[Mark::FastThresholdMissed]);
    assert!(!concludes(&mut one_of_four));

    let mut silent = voting(3, 1);
    silent.wait(60_000);
    expect(&[Mark::FastPathTimedOut]);
    silent.sent();
    silent.tell(NodeId(2), PreAccepted { vertex: own(0), deps: DepSet::default() });
    assert!(!concludes(&mut silent), "a majority answered, and the fast path is given up");

    let mut hopeless = fast(3, 1);
    hopeless.cut(NodeId(1));
    hopeless.cut(NodeId(2));
    hopeless.submit(0, "a");
    expect(&[Mark::FastPathHopeless]);

    let mut cut = voting(3, 1);
    cut.sent();
    cut.cut(NodeId(1));
    expect(&[Mark::FastPathCut]);
    cut.wait(0);
    cut.tell(NodeId(2), PreAccepted { vertex: own(0), deps: DepSet::default() });
    assert!(proposed(&cut.sent()).is_some(), "round 1, at once");
}

/// Broken: a proposer would wait for ever for an anchor that has promised somebody's recovery.
#[test]
fn the_anchor_refuses() {
    let promised = Ballot { round: 4, proposer: NodeId(2) };
    let mut concluding = voting(3, 1);
    concluding.tell(NodeId(1), PreAccepted { vertex: own(0), deps: DepSet::default() });
    let (zero, one) = (Ballot::fast(own(0)), Ballot::classic(own(0)));
    for (mut story, ballot, mark) in [
        (voting(3, 1), zero, Mark::AnchoringRefused),
        (concluding, zero, Mark::ConclusionRefused),
        (fencing(), one, Mark::FenceRefused),
    ] {
        story.sent();
        story.tell(ME, Refused { vertex: own(0), ballot, promised });
        expect(&[mark]);
        story.wait(1_000_000);
        assert!(ballot_of(&story.sent()) > promised);
    }
}

/// Broken: an answer would count for another attempt than its own, or one voter twice.
#[test]
fn what_comes_late_or_twice() {
    let vertex = own(0);
    let ballot = Ballot::classic(vertex);
    let mut story = fencing();
    let late = PreAccepted { vertex, deps: DepSet::default() };
    assert_eq!(story.try_tell(NodeId(4), late), Err(Ignored::Late));
    expect(&[Mark::AnswerLate]);
    story.tell(ME, Accepted { vertex, ballot });
    assert_eq!(story.try_tell(NodeId(1), Accepted { vertex, ballot }), Ok(()));
    let twice = story.try_tell(NodeId(1), Accepted { vertex, ballot });
    assert_eq!(twice, Err(Ignored::Repeated));
    expect(&[Mark::VoteRepeated]);
    assert!(!has(&story.sent(), |message| matches!(message, Message::Commit(_))));
    story.tell(NodeId(2), Accepted { vertex, ballot });
    assert!(has(&story.sent(), |message| matches!(message, Message::Commit(_))));
    let late = story.try_tell(NodeId(3), Accepted { vertex, ballot });
    assert_eq!(late, Err(Ignored::Late));
    expect(&[Mark::VoteLate]);
    let late = story.try_tell(NodeId(3), Promised { vertex, ballot, vote: None });
    assert_eq!(late, Err(Ignored::Late));
    expect(&[Mark::PromiseLate]);
}

/// Broken: a lost message would be the end of its vertex.
#[test]
fn nobody_answers() {
    let again = |story: &mut Story, mark: Mark| {
        let first = story.sent();
        story.wait(300_000);
        expect(&[mark]);
        assert_eq!(story.sent(), first);
    };
    let mut anchoring = fast(3, 1);
    anchoring.submit(0, "a");
    again(&mut anchoring, Mark::AnchorAskedAgain);

    let mut recovery = fast(3, 1);
    let vertex = other(1, 0);
    recovery.tell(ME, Recover { vertex });
    again(&mut recovery, Mark::PreparesResent);
    recovery.wait(300_000);
    let ballot = ballot_of(&recovery.sent());
    for voter in [0, 2] {
        recovery.tell(NodeId(voter), Promised { vertex, ballot, vote: None });
    }
    again(&mut recovery, Mark::AcceptsResent);

    let mut classic = Story::new(Path::Classic, 3, 1, Story::limits());
    classic.submit(0, "a");
    again(&mut classic, Mark::DependenciesAskedAgain);
}
