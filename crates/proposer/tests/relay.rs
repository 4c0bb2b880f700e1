//! A node that lost its disk proposes nothing: it passes submissions on.

use althing_model::mark::{self, Mark};
use althing_model::{
    DepSet, Epoch, Membership, NodeId, Operation, Path, Reply, SessionId, VertexId,
};
use althing_proposer::{Link, Relay};
use althing_wire::{
    Address, ClientId, Effect, Effects, Ignored, Message, Outcome, ProposerRecord, Recover,
    Relayed, Submit,
};

fn tell(
    relay: &mut Relay,
    from: Address,
    message: impl Into<Message>,
) -> (Result<(), Ignored>, Vec<(Address, Message)>) {
    let mut effects: Effects<ProposerRecord> = Effects::default();
    let result = relay.handle(5, from, message.into(), &mut effects);
    let sent = effects.into_iter().map(|effect| match effect {
        Effect::Send { to, message } => (to, message),
        Effect::Append { .. } => panic!("a relay records nothing"),
    });
    (result, sent.collect())
}

/// Broken: clients of a node that lost its disk would get no answer, another client's answer, or a
/// vertex of a number that is used already.
#[test]
fn a_lost_node_passes_submissions_on() {
    mark::take();
    let membership = Membership::colocated(3, 1, Path::Fast).unwrap();
    let mut relay = Relay::new(NodeId(0), &membership, u64::MAX, 1_000);
    let link = |round_trip, is_up| Link { round_trip: Some(round_trip), is_up };
    relay.on_link(NodeId(1), link(50, true));
    relay.on_link(NodeId(2), link(20, true));
    let submit = |ticket| Submit { ticket, operation: Operation::OpenSession };
    let (first, second) = (ClientId(7), ClientId(8));
    let mut tickets = Vec::new();
    for client in [first, second] {
        let (_, sent) = tell(&mut relay, client.into(), submit(3));
        let [(to, Message::Relay(request))] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(*to, NodeId(2).into());
        tickets.push(request.ticket);
    }
    assert!(mark::take().contains(Mark::Relayed));
    let opened = VertexId { epoch: Epoch(0), proposer: NodeId(2), seq: 4 };
    let outcome = Outcome::Executed(Reply::Opened(SessionId { opened, slot: 0 }));
    let relayed = Relayed { ticket: tickets[1], outcome: outcome.clone(), seen: DepSet::default() };
    // Turned away is for one copy of the request alone: another may be taken yet, and is told.
    let turned_away = Relayed { outcome: Outcome::Overloaded, ..relayed.clone() };
    assert_eq!(tell(&mut relay, NodeId(2).into(), turned_away), (Ok(()), vec![]));
    assert!(mark::take().contains(Mark::RelayTurnedAway));
    // Only of the node that was asked, and once.
    assert_eq!(tell(&mut relay, NodeId(1).into(), relayed.clone()).0, Err(Ignored::Late));
    let (_, sent) = tell(&mut relay, NodeId(2).into(), relayed.clone());
    assert_eq!(
        sent,
        [(
            second.into(),
            althing_wire::Answer { ticket: 3, outcome, seen: DepSet::default() }.into()
        )]
    );
    assert_eq!(tell(&mut relay, NodeId(2).into(), relayed).0, Err(Ignored::Late));
    // A proposer that is down gets nothing more; with none left, clients are told to try elsewhere.
    relay.on_link(NodeId(2), link(20, false));
    assert_eq!(relay.in_flight(), 0);
    let (_, sent) = tell(&mut relay, first.into(), submit(4));
    assert!(matches!(&sent[..], [(to, Message::Relay(_))] if *to == NodeId(1).into()));
    relay.on_link(NodeId(1), link(50, false));
    let (_, sent) = tell(&mut relay, first.into(), submit(5));
    assert!(matches!(&sent[..], [(_, Message::Answer(it))] if it.outcome == Outcome::Overloaded));
    // It recovers nothing.
    let recover = Recover { vertex: opened };
    assert_eq!(tell(&mut relay, NodeId(1).into(), recover), (Err(Ignored::Lost), vec![]));
}
