//! The traps of the fast path that a voter must not fall into, each a short story told to one voter.

use althing_model::{
    Ballot, Command, Commands, DepSet, Epoch, Footprint, Mode, ModeTable, NodeId, Operation, Value,
    VertexId,
};
use althing_voter::{Config, Voter};
use althing_wire::{
    Accept, Accepted, Chosen, Commit, Conclude, Concluded, Depend, Effect, Effects, Ignored,
    Learned, Message, PreAccept, PreAccepted, Prepare, Promised, Refused, VoterRecord,
};
use bytes::Bytes;

const OWNER: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);

fn config(me: NodeId) -> Config {
    Config { me, epoch: Epoch(0), modes: ModeTable::read_write(), has_replica: true }
}

fn vertex(proposer: NodeId, seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer, seq }
}

fn write(resource: &'static str) -> Commands {
    let footprint = Footprint::of([(Bytes::from_static(resource.as_bytes()), Mode(1))]);
    Commands::Batch([Command { operation: Operation::OpenSession, footprint }].into())
}

fn pre_accept(vertex: VertexId, base: DepSet) -> PreAccept {
    let quorum = vec![vertex.proposer, NodeId(3)];
    PreAccept { vertex, commands: write("a"), base, quorum, anchor: vertex.proposer }
}

fn recovery(vertex: VertexId) -> Prepare {
    Prepare { vertex, ballot: Ballot { round: 2, proposer: OTHER } }
}

/// Tells the voter a message, and returns what it answers once its records are on disk.
fn tell(voter: &mut Voter, from: NodeId, message: impl Into<Message>) -> Vec<Message> {
    try_tell(voter, from, message).expect("it does something").1
}

fn try_tell(
    voter: &mut Voter,
    from: NodeId,
    message: impl Into<Message>,
) -> Result<(Vec<VoterRecord>, Vec<Message>), Ignored> {
    let mut effects = Effects::default();
    voter.handle(from.into(), message.into(), &mut effects)?;
    let (mut recorded, mut answers) = (Vec::new(), Vec::new());
    for effect in effects {
        match effect {
            Effect::Append { records, then } => {
                recorded.extend(records);
                answers.extend(then.into_iter().map(|(_, message)| message));
            }
            Effect::Send { message, .. } => {
                panic!("a voter promises whatever it says: {message:?}")
            }
        }
    }
    Ok((recorded, answers))
}

/// Broken: after a restart the anchor would deny a fast commit that others had heard of, and a
/// recovery would be free to choose (trap T1).
#[test]
fn t1_a_fast_commit_survives_the_anchor_s_restart() {
    let vertex = vertex(OWNER, 0);
    let mut anchor = Voter::new(config(OWNER));
    let mut disk = Vec::new();
    let (records, _) = try_tell(&mut anchor, OWNER, pre_accept(vertex, DepSet::default())).unwrap();
    disk.extend(records);
    let deps: DepSet = [self::vertex(OTHER, 4)].into_iter().collect();
    let value = Value { commands: write("a"), deps: deps.clone() };
    let (records, answers) = try_tell(&mut anchor, OWNER, Conclude { vertex, deps }).unwrap();
    // The commit is in the very append that makes it visible.
    assert_eq!(records, [VoterRecord::Committed { vertex, value: value.clone() }]);
    assert_eq!(
        answers,
        [Concluded { vertex }.into(), Learned { vertex, value: value.clone() }.into()]
    );
    disk.extend(records);
    let mut restarted = Voter::new(config(OWNER));
    disk.into_iter().for_each(|record| restarted.restore(record));
    assert_eq!(tell(&mut restarted, OTHER, recovery(vertex)), [Chosen { vertex, value }.into()]);
}

/// Broken: a resend with another quorum would let a recovery count other voters than the proposer
/// did (trap T2).
#[test]
fn t2_a_resend_changes_neither_quorum_nor_answer() {
    let vertex = vertex(OWNER, 0);
    let mut voter = Voter::new(config(NodeId(3)));
    let first = tell(&mut voter, OWNER, pre_accept(vertex, DepSet::default()));
    // In the meantime it has seen another conflicting vertex.
    tell(&mut voter, OTHER, pre_accept(self::vertex(OTHER, 0), DepSet::default()));
    let mut resent = pre_accept(vertex, DepSet::default());
    resent.quorum = vec![OWNER, OTHER];
    assert_eq!(tell(&mut voter, OWNER, resent), first);
    match &tell(&mut voter, OTHER, recovery(vertex))[..] {
        [Message::Promised(Promised { vote: Some(vote), .. })] => {
            assert_eq!(vote.fast.as_ref().unwrap().members, [OWNER, NodeId(3)]);
        }
        other => panic!("no vote: {other:?}"),
    }
}

/// Broken: a voter would vote for the fast path after it promised a recovery (trap T3).
#[test]
fn t3_no_vote_in_round_0_after_a_promise_and_no_entry_in_the_index() {
    let vertex = vertex(OWNER, 0);
    let mut voter = Voter::new(config(NodeId(3)));
    tell(&mut voter, OTHER, recovery(vertex));
    let promised = recovery(vertex).ballot;
    assert_eq!(
        tell(&mut voter, OWNER, pre_accept(vertex, DepSet::default())),
        [Refused { vertex, ballot: Ballot::fast(vertex), promised }.into()]
    );
    let later = self::vertex(OTHER, 0);
    let deps = DepSet::default();
    assert_eq!(
        tell(&mut voter, OTHER, pre_accept(later, DepSet::default())),
        [PreAccepted { vertex: later, deps }.into()]
    );
}

/// Broken: a site that is not the anchor would conclude, and the anchor promise otherwise (trap
/// T12).
#[test]
fn t12_only_the_anchor_concludes() {
    let vertex = vertex(OWNER, 0);
    let mut voter = Voter::new(config(NodeId(3)));
    tell(&mut voter, OWNER, pre_accept(vertex, DepSet::default()));
    let conclude = Conclude { vertex, deps: DepSet::default() };
    assert_eq!(try_tell(&mut voter, OWNER, conclude).unwrap_err(), Ignored::Contradiction);
}

/// Broken: late answers would conclude round 0 after round 1 was sent, and a second value be
/// committed (trap T15); or a recovery's promise would not keep the anchor from concluding.
#[test]
fn t15_the_anchor_never_concludes_after_a_higher_ballot() {
    let vertex = vertex(OWNER, 0);
    let conclude = Conclude { vertex, deps: DepSet::default() };
    let refused = |promised| {
        let ballot = Ballot::fast(vertex);
        [Message::from(Refused { vertex, ballot, promised })]
    };

    let mut fenced = Voter::new(config(OWNER));
    tell(&mut fenced, OWNER, pre_accept(vertex, DepSet::default()));
    let ballot = Ballot::classic(vertex);
    let value = Value { commands: write("a"), deps: DepSet::default() };
    assert_eq!(
        tell(&mut fenced, OWNER, Accept { vertex, ballot, value }),
        [Accepted { vertex, ballot }.into()]
    );
    assert_eq!(tell(&mut fenced, OWNER, conclude.clone()), refused(ballot));

    let mut promised = Voter::new(config(OWNER));
    tell(&mut promised, OWNER, pre_accept(vertex, DepSet::default()));
    tell(&mut promised, OTHER, recovery(vertex));
    assert_eq!(tell(&mut promised, OWNER, conclude), refused(recovery(vertex).ballot));
}

/// Broken: asked again by another recovery, a voter would compute other dependencies, and two
/// unions of "the same" answers differ.
#[test]
fn a_dependency_answer_is_given_once() {
    let vertex = vertex(OWNER, 0);
    let mut voter = Voter::new(config(NodeId(3)));
    let depend = |round| {
        let ballot = Ballot { round, proposer: OTHER };
        Depend { vertex, ballot, commands: write("a"), base: DepSet::default() }
    };
    let deps_of = |answers: Vec<Message>| match &answers[..] {
        [Message::Depended(depended)] => depended.deps.clone(),
        other => panic!("no answer: {other:?}"),
    };
    let first = deps_of(tell(&mut voter, OTHER, depend(2)));
    tell(&mut voter, OTHER, pre_accept(self::vertex(OTHER, 0), DepSet::default()));
    assert_eq!(deps_of(tell(&mut voter, OTHER, depend(3))), first);
}

/// Broken: the fast path would be voted for by whoever asks, in a vertex of somebody else.
#[test]
fn a_stranger_cannot_use_the_owner_s_rounds() {
    let vertex = vertex(OWNER, 0);
    let mut voter = Voter::new(config(NodeId(3)));
    let deps = DepSet::default();
    let refused =
        |voter: &mut Voter, message: Message| try_tell(voter, OTHER, message).unwrap_err();
    let pre_accept = pre_accept(vertex, deps.clone());
    assert_eq!(refused(&mut voter, pre_accept.into()), Ignored::NotTheOwner);
    let conclude = Conclude { vertex, deps: deps.clone() };
    assert_eq!(refused(&mut voter, conclude.into()), Ignored::NotTheOwner);
    let value = Value { commands: write("a"), deps };
    let accept = Accept { vertex, ballot: Ballot::classic(vertex), value: value.clone() };
    assert_eq!(refused(&mut voter, accept.into()), Ignored::NotTheOwner);
    // What is committed anyone may say, and it is learnt once.
    let commit = Commit { vertex, value };
    assert_eq!(tell(&mut voter, OTHER, commit.clone()).len(), 1);
    assert_eq!(refused(&mut voter, commit.into()), Ignored::Repeated);
}
