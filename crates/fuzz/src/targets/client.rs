//! The client's state machine under any answers.

use crate::scope::Scope;
use crate::target::any_bytes;
use crate::targets::replica::later;
use crate::{Outcomes, Target};
use althing_client::{Client, Config, Consistency, Ended, OperationId, Output};
use althing_model::{NodeId, Path, Role};
use althing_wire::{Kind, Message, Party};
use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use std::collections::BTreeSet;

pub(crate) const TARGET: Target =
    Target { name: "client", run, len_max: 768, generate: any_bytes, words: &[] };

/// Deadlines after which every operation has ended, whatever was answered.
const DEADLINES_MAX: usize = 2000;

fn run(data: &[u8], outcomes: &mut Outcomes) {
    // Bytes that end early end the story.
    let _ = live(&mut Unstructured::new(data), outcomes);
}

fn live(bytes: &mut Unstructured<'_>, outcomes: &mut Outcomes) -> Result<()> {
    let scope = Scope::draw(bytes, Path::Fast, Party::Node(Role::Proposer))?;
    let nodes: Vec<NodeId> = scope.membership.nodes().collect();
    let timing = (bytes.int_in_range(10_000..=2_000_000)?, bytes.int_in_range(1..=10_000_000)?);
    let mut client = Client::new(Config {
        nodes: nodes.clone(),
        attempt: timing.0,
        give_up: timing.1,
        back_off: bytes.int_in_range(0..=100_000)?,
        seed: 1,
    });
    let (mut now, mut out, mut open) = (0, Vec::new(), BTreeSet::new());
    let told = tell(bytes, &scope, &nodes, &mut client, &mut now, &mut open, outcomes);
    // Liveness: with nobody answering any more, everything ends by its time.
    for _ in 0..DEADLINES_MAX {
        let Some(deadline) = client.deadline().filter(|_| client.in_flight() > 0) else { break };
        now = now.max(deadline);
        client.on_deadline(now, &mut out);
        take(&mut out, &mut open, outcomes);
    }
    assert_eq!(client.in_flight(), 0, "operations that never end");
    assert!(open.is_empty(), "operations that ended without a word: {open:?}");
    told
}

fn tell(
    bytes: &mut Unstructured<'_>,
    scope: &Scope,
    nodes: &[NodeId],
    client: &mut Client,
    now: &mut u64,
    open: &mut BTreeSet<OperationId>,
    outcomes: &mut Outcomes,
) -> Result<()> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let node = *bytes.choose(nodes)?;
        match bytes.int_in_range(0..=9)? {
            0 | 1 => {
                open.insert(client.submit(*now, Bytes::from_static(b"payload"), &mut out));
            }
            2 => client.on_down(*now, node, &mut out),
            3 => client.on_up(node),
            8 => {
                use Consistency::{Linearizable, Session, Stale};
                let consistency = *bytes.choose(&[Linearizable, Session, Stale])?;
                open.insert(client.read(*now, Bytes::from_static(b"r"), consistency, &mut out));
            }
            9 => {
                let message = scope.message(bytes, Kind::ReadAnswer, node.into())?;
                let Message::ReadAnswer(answer) = message else {
                    unreachable!("that kind was asked for")
                };
                outcomes.note(std::mem::discriminant(&answer.outcome));
                client.on_read_answer(*now, node, answer, &mut out);
            }
            4 => {
                *now = later(bytes, *now, client.deadline())?;
                client.on_deadline(*now, &mut out);
            }
            _ => {
                let Message::Answer(answer) = scope.message(bytes, Kind::Answer, node.into())?
                else {
                    unreachable!("that kind was asked for")
                };
                outcomes.note((std::mem::discriminant(&answer.outcome), client.session()));
                client.on_answer(*now, node, answer, &mut out);
            }
        }
        take(&mut out, open, outcomes);
    }
    Ok(())
}

/// Judges what the client wants done.
fn take(out: &mut Vec<Output>, open: &mut BTreeSet<OperationId>, outcomes: &mut Outcomes) {
    for output in out.drain(..) {
        match output {
            Output::Send(_, submit) => {
                let message = Message::from(submit);
                let read = Message::decode(Kind::Submit, message.encode());
                assert_eq!(read, Ok(message), "a command that no node takes");
            }
            Output::Read(_, read) => {
                let message = Message::from(read);
                let read = Message::decode(Kind::Read, message.encode());
                assert_eq!(read, Ok(message), "a read that no node takes");
            }
            Output::Ended(Ended { operation, outcome, node, .. }) => {
                outcomes.note(("ended", std::mem::discriminant(&outcome), node.is_some()));
                assert!(open.remove(&operation), "{operation:?} ends twice");
            }
        }
    }
}
