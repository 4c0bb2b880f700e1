//! The places of recovery that have a mark, each reached by a short story.

mod story;

use althing_model::mark::Mark;
use althing_model::{Ballot, Commands, DepSet, NodeId, Path, Value};
use althing_proposer::Limits;
use althing_wire::{
    Address, Chosen, Held, Ignored, Inspected, Message, Promised, Recover, Refused, Vote,
};
use story::{
    ME, Story, ballot_of, command, deps, expect, fast_vote, has, other, prepared, proposed,
};

fn fast(n: u32, f: usize) -> Story {
    Story::new(Path::Fast, n, f, Story::limits())
}

fn asks(sent: &[(Address, Message)]) -> usize {
    sent.iter().filter(|(_, message)| matches!(message, Message::Depend(_))).count()
}

/// Broken: two recoverers would stop each other, or too many run at a time (trap T10).
#[test]
fn duelling_recoveries() {
    let mut story = Story::new(Path::Fast, 3, 1, Limits { recoveries_max: 1, ..Story::limits() });
    let (first, second) = (other(1, 0), other(2, 0));
    story.tell(ME, Recover { vertex: first });
    let ballot = ballot_of(&story.sent());
    assert_eq!(story.try_tell(ME, Recover { vertex: first }), Err(Ignored::Repeated));
    expect(&[Mark::RecoveryRepeated]);
    story.tell(ME, Recover { vertex: second });
    expect(&[Mark::RecoveryPostponed]);
    assert!(story.sent().is_empty());
    let promised = Ballot { round: 9, proposer: NodeId(1) };
    story.tell(NodeId(2), Refused { vertex: first, ballot, promised });
    expect(&[Mark::RecoveryRefused]);
    story.wait(1_000_000);
    expect(&[Mark::RecoveryResumed]);
    assert!(ballot_of(&story.sent()) > promised);
    let value = Value { commands: command(), deps: DepSet::default() };
    story.tell(NodeId(2), Chosen { vertex: first, value });
    assert_eq!(prepared(&story.sent()), [second]);
}

/// Broken: a recovery would take another case than the first that matches (section 4).
#[test]
fn recovery_case_by_case() {
    let vertex = other(1, 0);
    let (two, three) = (deps(&[other(2, 0)]), deps(&[other(3, 0)]));
    let vote = |seen: &DepSet| Some(fast_vote(vertex, seen.clone(), &[1, 2, 3]));
    let value = |deps: &DepSet| Value { commands: command(), deps: deps.clone() };
    let classic = Vote { ballot: Ballot::classic(vertex), value: value(&three), fast: None };
    let recover = |promises: [(u32, Option<Vote>); 4]| {
        let mut story = fast(5, 1);
        story.tell(ME, Recover { vertex });
        let ballot = ballot_of(&story.sent());
        for (voter, vote) in promises {
            story.tell(NodeId(voter), Promised { vertex, ballot, vote });
        }
        story.sent()
    };

    let mut told = fast(5, 1);
    told.tell(ME, Recover { vertex });
    told.sent();
    told.tell(NodeId(3), Chosen { vertex, value: value(&two) });
    expect(&[Mark::RecoveryLearntCommit]);
    assert!(has(&told.sent(), |message| {
        matches!(message, Message::Commit(commit) if commit.value == value(&two))
    }));

    let sent = recover([(0, None), (2, vote(&two)), (3, Some(classic)), (4, None)]);
    expect(&[Mark::RecoveryAdoptedVote]);
    assert_eq!(proposed(&sent).map(|(_, value)| value), Some(value(&three)));

    let sent = recover([(0, None), (2, None), (3, None), (4, None)]);
    expect(&[Mark::RecoveryFoundNothing]);
    assert_eq!(proposed(&sent).map(|(_, value)| value.commands), Some(Commands::Noop));

    let sent = recover([(0, None), (1, vote(&two)), (2, vote(&two)), (3, vote(&three))]);
    expect(&[Mark::RecoveryAnchorAnswered]);
    assert!(proposed(&sent).is_some(), "three answers are a majority");

    let sent = recover([(0, None), (2, vote(&two)), (3, None), (4, None)]);
    expect(&[Mark::RecoveryMemberWithoutVote]);
    assert_eq!((proposed(&sent), asks(&sent)), (None, 4));

    let sent = recover([(0, None), (2, vote(&two)), (3, vote(&three)), (4, None)]);
    expect(&[Mark::RecoveryRebuilt]);
    let mut both = two.clone();
    both.union(&three);
    assert_eq!(proposed(&sent).map(|(_, value)| value), Some(value(&both)));
}

/// Broken: on the classic path a command that somebody holds would be dropped, or one that nobody
/// holds waited for.
#[test]
fn classic_recovery_case_by_case() {
    let vertex = other(1, 0);
    let recover = |held: Option<Held>| {
        let mut story = Story::new(Path::Classic, 3, 1, Story::limits());
        story.tell(ME, Recover { vertex });
        let ballot = ballot_of(&story.sent());
        for node in [0, 2] {
            story.tell(NodeId(node), Promised { vertex, ballot, vote: None });
        }
        story.tell(NodeId(0), Inspected { vertex, ballot, held: None });
        story.tell(NodeId(2), Inspected { vertex, ballot, held });
        story.sent()
    };
    let sent = recover(None);
    expect(&[Mark::ClassicFoundNothing]);
    assert_eq!(proposed(&sent).map(|(_, value)| value.commands), Some(Commands::Noop));
    let sent = recover(Some(Held { commands: command(), deps: DepSet::default() }));
    expect(&[Mark::ClassicConsulted]);
    assert_eq!((proposed(&sent), asks(&sent)), (None, 2));
}
