//! Commands for a better placed proposer, at both ends.

mod story;

use althing_model::mark::Mark;
use althing_model::{DepSet, NodeId, Operation, Path, Reply, RequestId, SessionId, Value};
use althing_proposer::{Limits, Link};
use althing_wire::{
    Address, Answer, Chosen, ClientId, Demand, Distances, Executed, Forward, Ignored, Message,
    Outcome, Served, Submit,
};
use bytes::Bytes;
use story::{ME, Story, expect, has, own};

/// Round trips in milliseconds: node 0 is far from the others, node 1 amid them.
const MS: [[u64; 3]; 3] = [[0, 50, 60], [50, 0, 10], [60, 10, 0]];
const HUB: NodeId = NodeId(1);
const CLIENT: ClientId = ClientId(9);

fn limits() -> Limits {
    Limits { placements_max: 4, ..Story::limits() }
}

/// A proposer that knows all distances, and has a session of its own.
fn begin(limits: Limits) -> Story {
    let mut story = Story::new(Path::Fast, 3, 1, limits);
    for other in [1, 2] {
        let round_trip = Some(MS[0][other] * 1000);
        story.proposer.on_link(0, NodeId(other as u32), Link { round_trip, is_up: true });
        let round_trips = (0..).map(NodeId).zip(MS[other].map(|ms| ms * 1000)).collect();
        story.tell(NodeId(other as u32), Distances { round_trips });
    }
    story.tell(CLIENT, Submit { ticket: 0, operation: Operation::OpenSession });
    story.wait(0);
    story.sent();
    story
}

fn request(sequence: u64) -> RequestId {
    RequestId { session: SessionId { opened: own(0), slot: 0 }, sequence }
}

fn write(sequence: u64) -> Operation {
    let payload = Bytes::from_static(b"hot");
    Operation::Apply { request: request(sequence), acknowledged_below: 0, payload }
}

fn submit(story: &mut Story, sequence: u64) {
    story.tell(CLIENT, Submit { ticket: sequence, operation: write(sequence) });
}

/// The clients of all nodes touch the resource all the time.
fn contend(story: &mut Story) {
    let commands = (0..3).map(|node| (NodeId(node), 5_000)).collect();
    let resource = Bytes::from_static(b"hot");
    story.tell(ME, Demand { resource, window: 10_000_000, commands });
    story.wait(0);
}

fn answers(sent: &[(Address, Message)]) -> Vec<(Address, Answer)> {
    let answer = |(to, message): &(Address, Message)| match message {
        Message::Answer(answer) => Some((*to, answer.clone())),
        _ => None,
    };
    sent.iter().filter_map(answer).collect()
}

fn applied() -> Reply {
    Reply::Applied(Bytes::from_static(b"done"))
}

fn is_forwarded(sent: &[(Address, Message)]) -> bool {
    has(sent, |message| matches!(message, Message::Forward(_)))
}

fn is_proposed(sent: &[(Address, Message)]) -> bool {
    has(sent, |message| matches!(message, Message::PreAccept(_)))
}

/// Broken: a command would wait for far regions though another node can propose for all, its client
/// would not be answered, or answered twice.
#[test]
fn a_contended_command_goes_to_the_hub_and_its_client_hears_from_here() {
    let mut story = begin(limits());
    submit(&mut story, 1);
    assert!(is_proposed(&story.sent()), "nobody contends yet");
    contend(&mut story);
    expect(&[Mark::PlacedElsewhere]);
    submit(&mut story, 2);
    expect(&[Mark::Forwarded]);
    let forward = Forward { operation: write(2) };
    assert_eq!(story.sent(), [(HUB.into(), forward.into())]);
    // Asked again, it goes to whoever asked last, once.
    story.tell(ClientId(10), Submit { ticket: 77, operation: write(2) });
    assert!(story.sent().is_empty());
    let reply = applied();
    let served = Served { request: request(2), reply: reply.clone(), seen: DepSet::default() };
    assert_eq!(story.try_tell(HUB, served.clone()), Err(Ignored::Misdirected));
    story.tell(ME, served.clone());
    let answer = Answer { ticket: 77, outcome: Outcome::Executed(reply), seen: DepSet::default() };
    assert_eq!(story.sent(), [(ClientId(10).into(), answer.into())]);
    assert_eq!(story.try_tell(ME, served), Err(Ignored::Late));

    // Nobody contends any more; a session of another node is not told of here.
    let resource = Bytes::from_static(b"hot");
    story.tell(ME, Demand { resource, window: 10_000_000, commands: Vec::new() });
    submit(&mut story, 3);
    assert!(is_proposed(&story.sent()));
    contend(&mut story);
    story.submit(4, "hot");
    assert!(is_proposed(&story.sent()));
}

/// Broken: a client would wait for ever for a node that died or forgot.
#[test]
fn what_takes_too_long_is_proposed_at_home() {
    let mut story = begin(limits());
    contend(&mut story);
    submit(&mut story, 1);
    submit(&mut story, 2);
    story.sent();
    story.wait(100_000);
    assert!(!is_proposed(&story.sent()), "three round trips and a quarter of a second");
    story.wait(400_000);
    expect(&[Mark::ForwardTakenBack]);
    assert!(is_proposed(&story.sent()));
    assert_eq!(story.proposer.counters().taken_back, 2);
    // Whatever ails the hub, it is given nothing more for a while.
    contend(&mut story);
    submit(&mut story, 3);
    assert!(is_proposed(&story.sent()));
    assert_eq!(story.proposer.counters().forwarded, 2);
    story.wait(10_000_000);
    story.sent();
    contend(&mut story);
    submit(&mut story, 4);
    assert!(is_forwarded(&story.sent()));
    // A node that is believed down is not waited for, nor given anything.
    story.cut(HUB);
    assert_eq!(story.proposer.deadline(), Some(story.now));
    story.wait(0);
    assert_eq!(story.proposer.counters().taken_back, 3);
    story.sent();
    contend(&mut story);
    submit(&mut story, 5);
    assert!(!is_forwarded(&story.sent()));
}

/// Broken: a hub that is merely slow would be given commands again by its own late answers.
#[test]
fn late_answers_do_not_end_a_pause() {
    let mut story = begin(limits());
    contend(&mut story);
    submit(&mut story, 1);
    story.wait(300_000);
    submit(&mut story, 2);
    story.wait(200_000);
    assert_eq!(story.proposer.counters().taken_back, 1);
    story.tell(ME, Served { request: request(2), reply: applied(), seen: DepSet::default() });
    assert_eq!(answers(&story.sent()).len(), 1);
    contend(&mut story);
    submit(&mut story, 3);
    assert!(is_proposed(&story.sent()));
}

/// Broken: a client that asked again would wait for a copy at the hub, though the first was executed
/// here, and the hub be blamed.
#[test]
fn the_own_copy_answers_who_waits_for_the_forwarded_one() {
    let mut story = begin(limits());
    submit(&mut story, 1);
    let value = Value { commands: story::command(), deps: DepSet::default() };
    story.tell(ME, Chosen { vertex: own(1), value });
    contend(&mut story);
    story.sent();
    story.tell(ClientId(10), Submit { ticket: 77, operation: write(1) });
    assert!(is_forwarded(&story.sent()), "its vertex is committed, and may never be executed here");
    story.tell(ME, Executed { vertex: own(1), replies: vec![applied()], seen: DepSet::default() });
    let tickets: Vec<u64> = answers(&story.sent()).iter().map(|(_, it)| it.ticket).collect();
    assert_eq!(tickets, [1, 77]);
    story.wait(10_000_000);
    assert_eq!(story.proposer.counters().taken_back, 0);
}

/// Broken: a client would be told that its session is closed, and so that nothing happened, though
/// the hub's copy of its command took effect before; or be answered twice.
#[test]
fn what_was_taken_back_is_answered_by_whatever_comes_first() {
    let take_back = || {
        let mut story = begin(limits());
        contend(&mut story);
        submit(&mut story, 1);
        story.wait(500_000);
        assert_eq!(story.proposer.counters().taken_back, 1);
        story.sent();
        story
    };
    // The hub's copy first.
    let mut story = take_back();
    story.tell(ME, Served { request: request(1), reply: applied(), seen: DepSet::default() });
    let answer =
        Answer { ticket: 1, outcome: Outcome::Executed(applied()), seen: DepSet::default() };
    assert_eq!(answers(&story.sent()), [(CLIENT.into(), answer.clone())]);
    let (vertex, unknown) = (own(1), Reply::SessionUnknown);
    story.tell(ME, Executed { vertex, replies: vec![unknown], seen: DepSet::default() });
    assert_eq!(answers(&story.sent()), []);
    // The own copy first.
    let mut story = take_back();
    story.tell(ME, Executed { vertex, replies: vec![applied()], seen: DepSet::default() });
    let at_home = Answer { seen: [own(1)].into_iter().collect(), ..answer.clone() };
    assert_eq!(answers(&story.sent()), [(CLIENT.into(), at_home)]);
    let served = Served { request: request(1), reply: Reply::Forgotten, seen: DepSet::default() };
    assert_eq!(story.try_tell(ME, served), Err(Ignored::Late));
    assert_eq!(answers(&story.sent()), []);

    // Taken back, but not in a vertex yet: there is no need for one any more.
    let mut story = begin(Limits { in_flight_max: 1, ..limits() });
    contend(&mut story);
    submit(&mut story, 1);
    story.wait(500_000);
    assert_eq!(story.proposer.queue_len(), 1, "the opening is in flight");
    story.sent();
    story.tell(ME, Served { request: request(1), reply: applied(), seen: DepSet::default() });
    assert_eq!(answers(&story.sent()), [(CLIENT.into(), answer)]);
    assert_eq!(story.proposer.queue_len(), 0);
}

/// Broken: a forwarded command would be lost with a vertex that became a noop, or a client that has
/// nothing to do with it be answered.
#[test]
fn a_hub_proposes_again_what_became_a_noop_and_answers_nobody() {
    let mut story = begin(limits());
    let session = SessionId { opened: story::other(2, 0), slot: 0 };
    let payload = Bytes::from_static(b"hot");
    let request = RequestId { session, sequence: 1 };
    let operation = Operation::Apply { request, acknowledged_below: 0, payload };
    story.tell(NodeId(2), Forward { operation });
    story.sent();
    story.tell(ME, Executed { vertex: own(1), replies: Vec::new(), seen: DepSet::default() });
    assert!(is_proposed(&story.sent()));
    story.proposer.on_client_gone(CLIENT);
    story.tell(ME, Executed { vertex: own(2), replies: vec![applied()], seen: DepSet::default() });
    assert_eq!(story.sent(), []);
}

/// Broken: a hub would propose a request twice, keep commands without end, or take what is none.
#[test]
fn a_hub_proposes_what_it_is_given_once() {
    let limits = Limits { queue_len_max: 1, in_flight_max: 1, ..limits() };
    let mut story = begin(limits);
    assert_eq!(story.proposer.queue_len(), 0);
    let origin = NodeId(2);
    let session = SessionId { opened: story::other(2, 0), slot: 0 };
    let forward = |sequence| {
        let payload = Bytes::from_static(b"hot");
        let request = RequestId { session, sequence };
        Forward { operation: Operation::Apply { request, acknowledged_below: 0, payload } }
    };
    story.tell(origin, forward(1));
    expect(&[Mark::ForwardTaken]);
    assert_eq!(story.try_tell(origin, forward(1)), Err(Ignored::Repeated));
    assert_eq!(story.proposer.counters().taken, 1);
    assert_eq!(story.proposer.queue_len(), 1, "the opening is in flight");
    assert_eq!(story.try_tell(origin, forward(2)), Err(Ignored::Late));
    expect(&[Mark::ForwardTurnedAway]);
    let open = Forward { operation: Operation::OpenSession };
    assert_eq!(story.try_tell(origin, open), Err(Ignored::Contradiction));
    // Of a session that was opened elsewhere, the sender would never hear.
    assert_eq!(story.try_tell(HUB, forward(3)), Err(Ignored::NotTheOwner));
}

/// Broken: proposers would not know how far the others are from each other, or where nothing is
/// placed messages would be sent in vain.
#[test]
fn distances_are_told_when_they_are_new_and_now_and_then() {
    let mut story = begin(limits());
    story.wait(5_000_000);
    let told = |story: &mut Story| {
        let sent = story.sent();
        sent.iter().filter(|(_, message)| matches!(message, Message::Distances(_))).count()
    };
    assert_eq!(told(&mut story), 2);
    story.wait(500_000);
    assert_eq!(told(&mut story), 0);
    let link = |ms: u64| Link { round_trip: Some(ms * 1000), is_up: true };
    story.proposer.on_link(story.now, HUB, link(52));
    story.wait(0);
    assert_eq!(told(&mut story), 0, "hardly another");
    story.proposer.on_link(story.now, HUB, link(90));
    story.wait(0);
    assert_eq!(told(&mut story), 0, "not more often than once a second");
    story.wait(500_000);
    assert_eq!(told(&mut story), 2);
    story.wait(5_000_000);
    assert_eq!(told(&mut story), 2, "one may be lost");

    let mut off = begin(Story::limits());
    off.wait(5_000_000);
    assert_eq!(told(&mut off), 0);
    contend(&mut off);
    submit(&mut off, 1);
    assert!(!is_forwarded(&off.sent()));
}
