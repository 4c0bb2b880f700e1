//! How long the audit takes to find faults that were planted for it.
//!
//! ```text
//! cargo run --release -p althing-audit --example planted
//! ```
//! Prints for each fault how many cases it took with five seeds, and the first counterexample of one
//! of them; `-- --counterexamples` prints one of each.

mod faults;
mod shelf;

use althing_audit::{Audit, CommandAudit, Counterexample, Report};
use faults::{ByPredicate, ByResource, Fault};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use shelf::{Command, Shelf};
use std::process::ExitCode;
use std::sync::Arc;

/// Cases within which a fault is to be found.
const CASES: u32 = 10_000;

/// Few, next to each other, one the beginning of another, and one that differs in case alone.
const KEYS: [&str; 5] = ["A", "a", "az", "azz", "b"];

fn command() -> impl Strategy<Value = Command> {
    let key = || select(&KEYS[..]).prop_map(str::to_owned);
    let keys = || vec(key(), 0..4);
    let prefix = || select(&["", "a", "b", "az"][..]).prop_map(str::to_owned);
    let number = || -1i64..3;
    prop_oneof![
        key().prop_map(|key| Command::Get { key }),
        (key(), number()).prop_map(|(key, value)| Command::Put { key, value }),
        key().prop_map(|key| Command::Delete { key }),
        (key(), number(), number()).prop_map(|(key, expected, new)| Command::Cas {
            key,
            expected,
            new
        }),
        key().prop_map(|key| Command::Increment { key }),
        (key(), number()).prop_map(|(key, by)| Command::Add { key, by }),
        (keys(), number()).prop_map(|(keys, value)| Command::MultiPut { keys, value }),
        (key(), key()).prop_map(|(from, to)| Command::Copy { from, to }),
        (key(), key()).prop_map(|(from, to)| Command::Scan { from, to }),
        prefix().prop_map(|prefix| Command::Sum { prefix }),
        prefix().prop_map(|prefix| Command::Clear { prefix }),
        Just(Command::Count),
        (key(), 0u8..3).prop_map(|(key, item)| Command::Insert { key, item }),
        (key(), 0u8..3).prop_map(|(key, item)| Command::Append { key, item }),
        key().prop_map(|key| Command::Items { key }),
        Just(Command::Ping),
    ]
}

/// The shelf with a fault, in its conflict function or in itself.
fn audit(fault: Fault) -> CommandAudit<Command> {
    Audit::boxed(move || Box::new(Shelf::new(fault)), fault.conflicts())
        .commands(command(), Command::encode)
        .readable(move |command| {
            fault == Fault::ReadBesideAdds && matches!(command, Command::Get { .. })
        })
        .replies(|reply| String::from_utf8_lossy(reply).into_owned())
        .cases(CASES)
}

/// The shelf without a fault, under both of its conflict functions.
fn correct(cases: u32) -> [(&'static str, Result<Report, Box<Counterexample>>); 2] {
    let audit = |conflicts| {
        Audit::boxed(|| Box::new(Shelf::new(Fault::None)), conflicts)
            .commands(command(), Command::encode)
            .cases(cases)
            .run()
    };
    [
        ("by resources and ranges", audit(Arc::new(ByResource::new(Fault::None)))),
        ("by a predicate", audit(Arc::new(ByPredicate::new(Fault::None)))),
    ]
}

fn main() -> ExitCode {
    let shows_all = std::env::args().any(|argument| argument == "--counterexamples");
    let mut missed = 0;
    println!("{:<62} {:>22}  law", "fault", "cases, seeds 1 to 5");
    let mut shown = 0;
    for (fault, description) in Fault::ALL {
        let found: Vec<_> = (1..=5).map(|seed| audit(fault).seed(seed).run().err()).collect();
        let cases = found.iter().map(|found| match found {
            Some(found) => found.case.to_string(),
            None => "-".to_owned(),
        });
        let cases: Vec<String> = cases.collect();
        let law = found.iter().flatten().next().map_or(String::new(), |it| it.law.to_string());
        println!("{description:<62} {:>22}  {law}", cases.join(" "));
        missed += found.iter().filter(|found| found.is_none()).count();
        if let Some(found) = found.into_iter().flatten().next()
            && (shows_all || shown == 0)
        {
            shown += 1;
            println!("\n{found}\n");
        }
    }
    println!("\nwithout a fault:");
    for (name, result) in correct(CASES) {
        match result {
            Ok(report) => println!("{name}: {report}"),
            Err(found) => {
                missed += 1;
                println!("{name}: {found}");
            }
        }
    }
    if missed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: a wrong conflict function or machine passes the audit.
    #[test]
    fn each_planted_fault_is_found() {
        for (fault, description) in Fault::ALL {
            let found = audit(fault).seed(7).run();
            let found = found.map_err(|found| found.case);
            assert!(found.is_err(), "{description}: passes {CASES} cases");
        }
    }

    /// Broken: the audit finds fault with what is right.
    #[test]
    fn correct_functions_pass() {
        // As many as all but two of the faults take; `main` tries the rest.
        for (name, result) in correct(2_000) {
            let report = result.unwrap_or_else(|found| panic!("{name}: {found}"));
            assert!(report.commuting > 2_000, "{name}: {report}");
        }
    }
}
