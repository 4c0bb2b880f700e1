//! The traps of commit and recovery that a proposer must not fall into, each a short story told to
//! one proposer.

mod story;

use althing_model::{Ballot, Commands, DepSet, NodeId, Reply, SeqSet, Value, VertexId};
use althing_wire::{
    Accepted, Address, ClientId, Commit, Concluded, Depended, Executed, Message, PreAccepted,
    Promised, ProposerRecord, Recover, Refused, Vote,
};
use bytes::Bytes;
use story::{ME, Story, ballot_of, command, deps, fast_vote, has, other, own, proposed};

/// Broken: the fast path would be concluded on answers that a recovery does not count (trap T2).
#[test]
fn t2_answers_from_outside_the_quorum_do_not_conclude() {
    let mut story = Story::begin(5, 1, Vec::new(), &SeqSet::default());
    story.submit(0, "a");
    story.tell(ME, PreAccepted { vertex: own(0), deps: DepSet::default() });
    let quorum = story
        .sent()
        .iter()
        .find_map(|(_, message)| match message {
            Message::PreAccept(pre_accept) => Some(pre_accept.quorum.clone()),
            _ => None,
        })
        .unwrap();
    assert_eq!(quorum, [ME, NodeId(1), NodeId(2)]);
    for voter in [1, 3, 4] {
        story.tell(NodeId(voter), PreAccepted { vertex: own(0), deps: DepSet::default() });
    }
    assert!(!has(&story.sent(), |message| matches!(message, Message::Conclude(_))));
    story.tell(NodeId(2), PreAccepted { vertex: own(0), deps: DepSet::default() });
    assert!(has(&story.sent(), |message| matches!(message, Message::Conclude(_))));
}

/// Broken: a dependency that one voter alone reported would be committed fast although, with f = 2,
/// a recovery may miss it.
#[test]
fn a_dependency_of_one_voter_takes_the_slow_path_by_way_of_the_fence() {
    let mut story = Story::begin(5, 2, Vec::new(), &SeqSet::default());
    story.submit(0, "a");
    story.tell(ME, PreAccepted { vertex: own(0), deps: DepSet::default() });
    story.sent();
    for voter in [1, 2] {
        story.tell(NodeId(voter), PreAccepted { vertex: own(0), deps: DepSet::default() });
    }
    let alone = deps(&[other(4, 7)]);
    story.tell(NodeId(3), PreAccepted { vertex: own(0), deps: alone.clone() });
    // The anchor first, and nobody else until it has voted (trap T15).
    let sent = story.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, ME.into());
    let (ballot, value) = proposed(&sent).unwrap();
    assert_eq!((ballot, value.deps), (Ballot::classic(own(0)), alone));
    story.tell(ME, Accepted { vertex: own(0), ballot });
    assert_eq!(story.sent().len(), 4);
    // f + 1 votes, the anchor's among them.
    story.tell(NodeId(1), Accepted { vertex: own(0), ballot });
    assert!(story.sent().is_empty());
    story.tell(NodeId(2), Accepted { vertex: own(0), ballot });
    assert!(has(&story.sent(), |message| matches!(message, Message::Commit(_))));
}

/// Broken: others would hear of a fast commit before the anchor has it on disk (trap T1).
#[test]
fn t1_nobody_hears_of_a_fast_commit_before_the_anchor_recorded_it() {
    let mut story = Story::begin(3, 1, Vec::new(), &SeqSet::default());
    story.submit(0, "a");
    story.tell(ME, PreAccepted { vertex: own(0), deps: DepSet::default() });
    story.tell(NodeId(1), PreAccepted { vertex: own(0), deps: DepSet::default() });
    assert!(!has(&story.sent(), |message| matches!(message, Message::Commit(_))));
    story.tell(ME, Concluded { vertex: own(0) });
    let told: Vec<Address> = story
        .sent()
        .into_iter()
        .filter(|(_, message)| matches!(message, Message::Commit(Commit { .. })))
        .map(|(to, _)| to)
        .collect();
    assert_eq!(told, [NodeId(1).into(), NodeId(2).into()]);
}

/// Broken: a restarted proposer would put another value into a vertex that it had used, or leave a
/// hole that blocks execution for ever (trap T5, zoo Z9).
#[test]
fn t5_a_restart_reuses_no_vertex_and_leaves_no_hole() {
    let mut first = Story::begin(3, 1, Vec::new(), &SeqSet::default());
    first.submit(0, "a");
    let mut committed = SeqSet::default();
    committed.insert(0);
    let mut restarted = Story::begin(3, 1, first.disk, &committed);
    let recovered: Vec<VertexId> = restarted
        .sent()
        .iter()
        .filter_map(|(to, message)| match message {
            Message::Prepare(prepare) if *to == ME.into() => Some(prepare.vertex),
            _ => None,
        })
        .collect();
    assert_eq!(recovered, [own(1), own(2), own(3)]);
    restarted.submit(0, "a");
    let used = restarted.sent().iter().find_map(|(_, message)| match message {
        Message::PreAccept(pre_accept) => Some((pre_accept.vertex, pre_accept.base.clone())),
        _ => None,
    });
    let (vertex, base) = used.unwrap();
    assert_eq!(vertex, own(4));
    // What the chain forgot is replaced by the whole prefix (trap T18).
    assert_eq!(base.prefix(own(0).column()), 4);
}

/// Broken: a noop in the middle of a chain would cut it (trap T7, zoo Z3).
#[test]
fn t7_a_noop_depends_on_all_earlier_vertices_of_its_proposer() {
    let mut story = Story::begin(3, 1, Vec::new(), &SeqSet::default());
    let vertex = other(1, 6);
    story.tell(ME, Recover { vertex });
    let ballot = ballot_of(&story.sent());
    for voter in [0, 2] {
        story.tell(NodeId(voter), Promised { vertex, ballot, vote: None });
    }
    let mut prefix = DepSet::default();
    prefix.insert_below(vertex.column(), 6);
    let value = Value { commands: Commands::Noop, deps: prefix };
    assert_eq!(proposed(&story.sent()), Some((ballot, value)));
}

/// Broken: the value of a fast commit would be lost: the anchor is silent, all of the quorum that
/// answered voted (case d2); an answer from outside the quorum must not count (trap T2).
#[test]
fn d2_the_anchor_is_silent_and_the_quorum_s_answers_are_proposed() {
    let mut story = Story::begin(5, 1, Vec::new(), &SeqSet::default());
    let vertex = other(1, 0);
    story.tell(ME, Recover { vertex });
    let ballot = ballot_of(&story.sent());
    let vote = |seen: &[VertexId]| Some(fast_vote(vertex, deps(seen), &[1, 2, 3]));
    story.tell(NodeId(2), Promised { vertex, ballot, vote: vote(&[other(2, 0)]) });
    story.tell(NodeId(3), Promised { vertex, ballot, vote: vote(&[other(3, 0)]) });
    story.tell(NodeId(4), Promised { vertex, ballot, vote: vote(&[other(4, 0)]) });
    assert!(proposed(&story.sent()).is_none(), "three promises are no phase-1 quorum of 5, f = 1");
    story.tell(ME, Promised { vertex, ballot, vote: None });
    let value = Value { commands: command(), deps: deps(&[other(2, 0), other(3, 0)]) };
    assert_eq!(proposed(&story.sent()), Some((ballot, value)));
}

/// Broken: a recovery would propose the few dependencies that it happened to learn of: the anchor
/// answered, so that the fast path was not taken and a majority must be asked (case d1).
#[test]
fn d1_the_anchor_answered_and_a_majority_is_asked() {
    let mut story = Story::begin(5, 1, Vec::new(), &SeqSet::default());
    let vertex = other(1, 0);
    story.tell(ME, Recover { vertex });
    let ballot = ballot_of(&story.sent());
    let vote = Some(fast_vote(vertex, deps(&[other(2, 0)]), &[1, 2, 3]));
    story.tell(NodeId(1), Promised { vertex, ballot, vote });
    for voter in [0, 3, 4] {
        story.tell(NodeId(voter), Promised { vertex, ballot, vote: None });
    }
    let sent = story.sent();
    assert!(proposed(&sent).is_none());
    assert_eq!(sent.iter().filter(|(_, it)| matches!(it, Message::Depend(_))).count(), 4);
    story.tell(NodeId(4), Depended { vertex, ballot, deps: deps(&[other(4, 0)]) });
    assert!(proposed(&story.sent()).is_none(), "two of five are no majority");
    story.tell(NodeId(3), Depended { vertex, ballot, deps: DepSet::default() });
    let value = Value { commands: command(), deps: deps(&[other(2, 0), other(4, 0)]) };
    assert_eq!(proposed(&story.sent()), Some((ballot, value)));
}

/// Broken: a vote above round 0 would be passed over for a fast vote, or a lower one adopted.
#[test]
fn b_the_vote_in_the_highest_ballot_is_adopted() {
    let mut story = Story::begin(3, 1, Vec::new(), &SeqSet::default());
    let vertex = other(1, 0);
    story.tell(ME, Recover { vertex });
    let ballot = ballot_of(&story.sent());
    let fast = fast_vote(vertex, DepSet::default(), &[1, 2]);
    let slow = Value { commands: command(), deps: deps(&[other(2, 5)]) };
    let vote = Vote { ballot: Ballot::classic(vertex), value: slow.clone(), fast: None };
    story.tell(ME, Promised { vertex, ballot, vote: Some(fast) });
    story.tell(NodeId(2), Promised { vertex, ballot, vote: Some(vote) });
    assert_eq!(proposed(&story.sent()), Some((ballot, slow)));
}

/// Broken: duelling recoverers would refuse each other for ever (trap T10, zoo Z14).
#[test]
fn t10_whoever_is_refused_waits_and_comes_back_higher() {
    let mut story = Story::begin(3, 1, Vec::new(), &SeqSet::default());
    let vertex = other(1, 0);
    story.tell(ME, Recover { vertex });
    let ballot = ballot_of(&story.sent());
    let promised = Ballot { round: 7, proposer: NodeId(2) };
    story.tell(NodeId(2), Refused { vertex, ballot, promised });
    assert!(story.sent().is_empty());
    story.wait(50_000);
    assert!(story.sent().is_empty(), "it backs off for a while");
    story.wait(500_000);
    assert!(ballot_of(&story.sent()) > promised);
}

/// Broken: two attempts would share a ballot, and two values be chosen in it: after a restart, and
/// after a commit (trap T14).
#[test]
fn t14_every_attempt_has_a_higher_round_also_after_a_commit_and_a_restart() {
    let mut story = Story::begin(3, 1, Vec::new(), &SeqSet::default());
    let vertex = other(1, 0);
    story.tell(ME, Recover { vertex });
    let first = ballot_of(&story.sent());
    assert!(story.disk.contains(&ProposerRecord::Attempted { vertex, ballot: first }));
    for voter in [0, 2] {
        story.tell(NodeId(voter), Promised { vertex, ballot: first, vote: None });
    }
    for voter in [0, 2] {
        story.tell(NodeId(voter), Accepted { vertex, ballot: first });
    }
    assert!(has(&story.sent(), |message| matches!(message, Message::Commit(_))));
    story.tell(ME, Recover { vertex });
    let second = ballot_of(&story.sent());
    assert!(second > first);
    let mut restarted = Story::begin(3, 1, story.disk, &SeqSet::default());
    restarted.sent();
    restarted.tell(ME, Recover { vertex });
    assert!(ballot_of(&restarted.sent()) > second);
}

/// Broken: a client's command would be lost because its vertex was committed as a noop by others.
#[test]
fn a_command_whose_vertex_became_a_noop_gets_another() {
    let mut story = Story::begin(3, 1, Vec::new(), &SeqSet::default());
    story.submit(0, "a");
    story.sent();
    story.tell(ME, Executed { vertex: own(0), replies: Vec::new(), seen: DepSet::default() });
    assert!(has(&story.sent(), |message| {
        matches!(message, Message::PreAccept(pre_accept) if pre_accept.vertex == own(1))
    }));
    let reply = Reply::Applied(Bytes::from_static(b"done"));
    story.tell(ME, Executed { vertex: own(1), replies: vec![reply], seen: DepSet::default() });
    let sent = story.sent();
    assert!(
        matches!(&sent[..], [(Address::Client(ClientId(9)), Message::Answer(answer))] if answer.ticket == 0)
    );
}
