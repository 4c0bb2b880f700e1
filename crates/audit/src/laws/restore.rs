//! Snapshots: of the state as it is at the call, and whole.

use super::run::Run;
use super::{Law, Outcome, Violation};
use crate::script::Script;
use crate::subject::Subject;
use althing_model::{PIECE_LEN_MAX, StateMachine};
use bytes::Bytes;

/// Takes a snapshot in the midst of the case, executes the rest, asks for the pieces only then, and
/// restores them into a fresh machine and into one that is not; both must go on as the one did of
/// which the snapshot was taken, and the next two commands must commute there, too.
pub(super) fn check(
    subject: &Subject,
    script: &Script,
    conflicts: &[Vec<bool>],
    base: &Run,
) -> Result<(), Violation> {
    let order = script.order();
    let (before, rest) = order.split_at(script.cut);
    let mut machine = subject.prepared(&script.setup);
    for command in before {
        machine.apply(&script.commands[*command]);
    }
    let pieces = machine.snapshot();
    for command in rest {
        machine.apply(&script.commands[*command]);
    }
    let pieces: Vec<Bytes> = pieces.collect();
    let broken = |finding: String, commands: Vec<usize>, outcomes| Violation {
        law: Law::Restorable,
        finding,
        before: before.to_vec(),
        commands,
        outcomes,
    };
    if let Some(piece) = pieces.iter().find(|piece| piece.len() > PIECE_LEN_MAX) {
        let finding = format!("a piece of {} bytes, over the {PIECE_LEN_MAX} allowed", piece.len());
        return Err(broken(finding, Vec::new(), Vec::new()));
    }
    let mut swapped = rest.to_vec();
    let has_pair = rest.len() > 1 && !conflicts[rest[0]][rest[1]];
    if has_pair {
        swapped.swap(0, 1);
    }
    let fresh = "a fresh machine";
    let targets: [(&str, Box<dyn StateMachine>, &[usize]); 3] = [
        (fresh, (subject.machine)(), rest),
        ("a machine that had executed the whole case", machine, rest),
        (fresh, (subject.machine)(), &swapped),
    ];
    for (target, mut machine, rest) in targets {
        if let Err(error) = machine.restore(&mut pieces.iter().cloned()) {
            let finding = format!("{target} refused the snapshot: {error}");
            return Err(broken(finding, Vec::new(), Vec::new()));
        }
        let expected = base.digests[script.cut];
        let digest = machine.digest();
        if digest != expected {
            let outcome = |way: &str, digest| Outcome {
                way: way.to_owned(),
                replies: Vec::new(),
                digest: Some(digest),
            };
            let finding = format!("{target} was restored, and has another digest");
            let outcomes = vec![outcome("saved", expected), outcome("restored", digest)];
            return Err(broken(finding, Vec::new(), outcomes));
        }
        let mut executed = Vec::new();
        let mut replies = Vec::new();
        for command in rest {
            let reply = machine.apply(&script.commands[*command]);
            executed.push(*command);
            replies.push(reply.clone());
            // The digest is that of the original where both executed the same.
            let is_same_set = executed.len() != 1 || !has_pair || executed[0] == order[script.cut];
            let position = script.cut + executed.len();
            let digest = machine.digest();
            let digests_differ = is_same_set && digest != base.digests[position];
            if reply != base.replies[*command] || digests_differ {
                let saved = executed.iter().map(|it| base.replies[*it].clone()).collect();
                let outcome = |way: &str, replies: Vec<Bytes>, digest| Outcome {
                    way: way.to_owned(),
                    replies: replies.into_iter().map(Some).collect(),
                    digest: Some(digest),
                };
                let finding = format!(
                    "{target} was restored, and went on otherwise than the one of which the \
                     snapshot was taken"
                );
                let outcomes = vec![
                    outcome("saved", saved, base.digests[position]),
                    outcome("restored", replies, digest),
                ];
                return Err(broken(finding, executed, outcomes));
            }
        }
    }
    Ok(())
}
