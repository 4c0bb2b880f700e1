//! What must hold of each command by itself: it touches nothing if it says so, and a query changes
//! nothing and answers as the command would.

use super::run::Run;
use super::{Law, Outcome, Violation};
use crate::script::Script;
use crate::subject::Subject;
use althing_model::Footprint;
use bytes::Bytes;

/// Executes the case as it was drawn, twice, and checks its commands one by one.
pub(super) fn check(
    subject: &Subject,
    script: &Script,
    is_readable: &dyn Fn(usize) -> bool,
) -> Result<Run, Violation> {
    let order = script.order();
    let run = Run::new(subject, script, &order);
    run.agrees(&Run::new(subject, script, &order), &order, order.len())?;
    for at in order {
        let (before, after) = (run.digests[at], run.digests[at + 1]);
        if script.footprints[at] == Footprint::NOTHING && before != after {
            let finding = "its footprint names nothing, and the state's digest changed";
            let outcomes = vec![
                outcome("before", None, before),
                outcome("after", Some(run.replies[at].clone()), after),
            ];
            return Err(violation(Law::NothingTouched, finding.to_owned(), at, outcomes));
        }
    }
    check_queries(subject, script, &run, is_readable)?;
    Ok(run)
}

fn check_queries(
    subject: &Subject,
    script: &Script,
    run: &Run,
    is_readable: &dyn Fn(usize) -> bool,
) -> Result<(), Violation> {
    let mut machine = subject.prepared(&script.setup);
    for at in script.order() {
        let payload = &script.commands[at];
        let answer = machine.query(payload);
        if is_readable(at) {
            check_readable(subject, script, at, answer.is_some())?;
        }
        if let Some(answer) = answer {
            let (before, after) = (run.digests[at], run.digests[at + 1]);
            let queried = machine.digest();
            let finding = if queried != before {
                Some("a query changed the state's digest")
            } else if before != after {
                Some("it can be queried, and as a command it changed the state's digest")
            } else if answer != run.replies[at] {
                Some("a query answered otherwise than the command")
            } else {
                None
            };
            if let Some(finding) = finding {
                let outcomes = vec![
                    outcome("before", None, before),
                    outcome("query", Some(answer), queried),
                    outcome("command", Some(run.replies[at].clone()), after),
                ];
                return Err(violation(Law::Query, finding.to_owned(), at, outcomes));
            }
        }
        machine.apply(payload);
    }
    Ok(())
}

/// Whether a read can be answered without a vertex, as its user means it to be.
fn check_readable(
    subject: &Subject,
    script: &Script,
    at: usize,
    has_answer: bool,
) -> Result<(), Violation> {
    let modes = subject.conflicts.modes();
    let finding = match &script.footprints[at] {
        _ if !has_answer => "the machine's `query` does not answer it".to_owned(),
        Footprint::Resources(resources) if resources.len() == 1 => {
            let mode = resources[0].1;
            if modes.is_readable_unrecorded(mode) {
                return Ok(());
            }
            let observed: Vec<_> = modes.modes().filter(|it| !modes.commute(mode, *it)).collect();
            let name = |mode: &althing_model::Mode| modes.names().nth(mode.0.into()).unwrap_or("?");
            let loose = observed.iter().enumerate().find_map(|(nth, a)| {
                let b = observed[nth..].iter().find(|b| modes.commute(*a, **b))?;
                Some(format!(
                    "it observes updates in modes {} and {}, which commute with each other: two \
                     readers could see two of them in opposite orders",
                    name(a),
                    name(b)
                ))
            });
            loose.unwrap_or_else(|| format!("mode {} does not commute with itself", name(&mode)))
        }
        Footprint::Resources(resources) => {
            format!("it touches {} resources, and must touch one", resources.len())
        }
        _ => "it touches ranges, everything or a predicate, and must touch one resource".to_owned(),
    };
    Err(violation(Law::Readable, finding, at, Vec::new()))
}

fn outcome(way: &str, reply: Option<Bytes>, digest: u64) -> Outcome {
    Outcome { way: way.to_owned(), replies: vec![reply], digest: Some(digest) }
}

fn violation(law: Law, finding: String, at: usize, outcomes: Vec<Outcome>) -> Violation {
    Violation { law, finding, before: (0..at).collect(), commands: vec![at], outcomes }
}
