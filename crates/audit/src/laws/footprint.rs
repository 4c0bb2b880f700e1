//! Footprints follow from payloads alone, and the relation between them is symmetric.

use super::{Law, Violation};
use crate::script::Script;
use crate::show::ShownFootprint;
use crate::subject::Subject;
use althing_model::{CommandInvalid, Footprint};
use std::thread;

pub(super) fn check(subject: &Subject, script: &Script) -> Result<(), Violation> {
    check_pure(subject, script)?;
    check_symmetric(subject, script)
}

fn check_pure(subject: &Subject, script: &Script) -> Result<(), Violation> {
    // Not the subject itself, whose machines need not be shared between threads.
    let conflicts = &subject.conflicts;
    let footprints = || -> Vec<Result<Footprint, CommandInvalid>> {
        script.commands.iter().map(|payload| conflicts.footprint(payload)).collect()
    };
    let again = footprints();
    // A role has a thread of its own, and several ask the same function.
    let elsewhere = thread::scope(|scope| scope.spawn(footprints).join());
    let elsewhere = elsewhere.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    for (what, others) in [("asked again", again), ("asked on another thread", elsewhere)] {
        for (at, (first, other)) in script.footprints.iter().zip(others).enumerate() {
            if other.as_ref() != Ok(first) {
                let show = |footprint| ShownFootprint(footprint, subject.conflicts.modes());
                let other = match &other {
                    Ok(other) => show(other).to_string(),
                    Err(invalid) => format!("no footprint ({invalid})"),
                };
                return Err(Violation {
                    law: Law::FootprintPure,
                    finding: format!(
                        "one payload was given two footprints: {} at first, and {what}, {other}",
                        show(first),
                    ),
                    before: Vec::new(),
                    commands: vec![at],
                    outcomes: Vec::new(),
                });
            }
        }
    }
    Ok(())
}

fn check_symmetric(subject: &Subject, script: &Script) -> Result<(), Violation> {
    let footprints = &script.footprints;
    for (b, theirs) in footprints.iter().enumerate() {
        for (a, ours) in footprints[..b].iter().enumerate() {
            let forth = subject.conflict(ours, theirs);
            if forth != subject.conflict(theirs, ours) {
                let (yes, no) = if forth { ("(a, b)", "(b, a)") } else { ("(b, a)", "(a, b)") };
                return Err(Violation {
                    law: Law::Symmetric,
                    finding: format!("{yes} conflict, and {no} do not"),
                    before: Vec::new(),
                    commands: vec![a, b],
                    outcomes: Vec::new(),
                });
            }
        }
    }
    Ok(())
}
