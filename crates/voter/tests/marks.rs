//! The places in the voter's code that have a mark, each reached by a short story.

use althing_model::mark::{self, Mark};
use althing_model::{
    Ballot, Command, Commands, DepSet, Epoch, Footprint, Mode, ModeTable, NodeId, Operation, Value,
    VertexId,
};
use althing_voter::{Config, Voter};
use althing_wire::{
    Accept, Accepted, Chosen, Commit, Conclude, Concluded, Depend, Depended, Effect, Effects,
    Ignored, Message, PreAccept, PreAccepted, Prepare, Refused,
};
use bytes::Bytes;

const OWNER: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);
const VERTEX: VertexId = VertexId { epoch: Epoch(0), proposer: OWNER, seq: 0 };

/// The anchor of the owner's vertices, with a replica beside it.
fn anchor() -> Voter {
    // Tests may share a thread.
    mark::take();
    let modes = ModeTable::read_write();
    Voter::new(Config { me: OWNER, epoch: Epoch(0), modes, has_replica: false })
}

fn commands() -> Commands {
    let footprint = Footprint::of([(Bytes::from_static(b"a"), Mode(1))]);
    Commands::Batch([Command { operation: Operation::OpenSession, footprint }].into())
}

fn value() -> Value {
    Value { commands: commands(), deps: DepSet::default() }
}

fn pre_accept() -> PreAccept {
    let quorum = vec![OWNER, NodeId(3)];
    let (commands, base) = (commands(), DepSet::default());
    PreAccept { vertex: VERTEX, commands, base, quorum, anchor: OWNER }
}

fn recovery(round: u32) -> Ballot {
    Ballot { round, proposer: OTHER }
}

fn depend(round: u32) -> Depend {
    let (commands, base) = (commands(), DepSet::default());
    Depend { vertex: VERTEX, ballot: recovery(round), commands, base }
}

/// Tells the voter something, and returns what it says.
fn try_tell(
    voter: &mut Voter,
    from: NodeId,
    message: impl Into<Message>,
) -> Result<Vec<Message>, Ignored> {
    let mut effects = Effects::default();
    voter.handle(from.into(), message.into(), &mut effects)?;
    let said = effects.into_iter().flat_map(|effect| match effect {
        Effect::Append { then, .. } => then,
        Effect::Send { message, .. } => panic!("a voter promises whatever it says: {message:?}"),
    });
    Ok(said.map(|(_, message)| message).collect())
}

/// As [`try_tell`], of a message that must hit a mark and be answered by this.
#[track_caller]
fn expect(
    voter: &mut Voter,
    from: NodeId,
    message: impl Into<Message>,
    hit: Mark,
    said: impl Into<Message>,
) {
    mark::take();
    assert_eq!(try_tell(voter, from, message), Ok(vec![said.into()]));
    let marks = mark::take();
    assert!(marks.contains(hit), "{hit:?} was not hit: {marks:?}");
}

/// Broken: a lower ballot could still gather votes, or its proposer would not be told why not.
#[test]
fn promised_to_a_recovery() {
    let mut voter = anchor();
    let promised = recovery(5);
    try_tell(&mut voter, OWNER, pre_accept()).unwrap();
    try_tell(&mut voter, OTHER, Prepare { vertex: VERTEX, ballot: promised }).unwrap();
    let refused = |ballot| Refused { vertex: VERTEX, ballot, promised };
    let (zero, one) = (Ballot::fast(VERTEX), Ballot::classic(VERTEX));

    expect(&mut voter, OWNER, pre_accept(), Mark::PreAcceptRefused, refused(zero));
    let conclude = Conclude { vertex: VERTEX, deps: DepSet::default() };
    expect(&mut voter, OWNER, conclude, Mark::ConcludeRefused, refused(zero));
    expect(&mut voter, OTHER, depend(4), Mark::DependRefused, refused(recovery(4)));
    let prepare = Prepare { vertex: VERTEX, ballot: recovery(4) };
    expect(&mut voter, OTHER, prepare, Mark::PrepareRefused, refused(recovery(4)));
    let accept = Accept { vertex: VERTEX, ballot: one, value: value() };
    expect(&mut voter, OWNER, accept, Mark::AcceptRefused, refused(one));
}

/// Broken: what a voter said once it would say otherwise when it is asked again.
#[test]
fn answers_from_the_record() {
    let (mut voter, deps) = (anchor(), DepSet::default());
    let answer = PreAccepted { vertex: VERTEX, deps: deps.clone() };
    assert_eq!(try_tell(&mut voter, OWNER, pre_accept()), Ok(vec![answer.clone().into()]));
    expect(&mut voter, OWNER, pre_accept(), Mark::PreAcceptRepeated, answer);

    let conclude = Conclude { vertex: VERTEX, deps: deps.clone() };
    let concluded = Concluded { vertex: VERTEX };
    assert_eq!(try_tell(&mut voter, OWNER, conclude.clone()), Ok(vec![concluded.clone().into()]));
    expect(&mut voter, OWNER, conclude, Mark::ConcludeRepeated, concluded);
    let prepare = Prepare { vertex: VERTEX, ballot: recovery(2) };
    let chosen = Chosen { vertex: VERTEX, value: value() };
    expect(&mut voter, OTHER, prepare, Mark::AskedOfCommitted, chosen);
    let commit = Commit { vertex: VERTEX, value: value() };
    assert_eq!(try_tell(&mut voter, OTHER, commit), Err(Ignored::Repeated));
    assert!(mark::take().contains(Mark::CommitRepeated));

    // Another, which voted in round 0 and is asked by a recovery.
    let mut open = anchor();
    try_tell(&mut open, OWNER, pre_accept()).unwrap();
    let depended = Depended { vertex: VERTEX, ballot: recovery(2), deps };
    expect(&mut open, OTHER, depend(2), Mark::DependRecorded, depended);
}

/// Broken: a recovery would get no answer of who had not seen the command, or no vote of who had
/// voted in round 0.
#[test]
fn a_later_round_and_an_early_answer() {
    let mut unseen = anchor();
    let deps = DepSet::default();
    let depended = Depended { vertex: VERTEX, ballot: recovery(2), deps };
    expect(&mut unseen, OTHER, depend(2), Mark::ComputedForRecovery, depended);

    let mut voted = anchor();
    try_tell(&mut voted, OWNER, pre_accept()).unwrap();
    let ballot = Ballot::classic(VERTEX);
    let accept = Accept { vertex: VERTEX, ballot, value: value() };
    let accepted = Accepted { vertex: VERTEX, ballot };
    expect(&mut voted, OWNER, accept, Mark::VoteOverwrites, accepted);
}
