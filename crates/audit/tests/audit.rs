//! What an audit promises its user, on a machine of one number.

use althing_audit::{Audit, CommandAudit, Law};
use althing_model::{
    CommandInvalid, Conflicts, Footprint, Mode, ModeTable, Pieces, StateMachine, Unrestorable,
};
use bytes::Bytes;
use proptest::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

/// What may be done to the number.
#[derive(Debug, Clone, Copy)]
enum Command {
    Add(u8),
    Double,
    Panic,
    Refused,
}

impl Command {
    fn encode(&self) -> Bytes {
        match self {
            Self::Add(by) => Bytes::copy_from_slice(&[*by]),
            Self::Double => Bytes::from_static(b"double"),
            Self::Panic => Bytes::from_static(b"panic!"),
            Self::Refused => Bytes::new(),
        }
    }
}

#[derive(Default)]
struct Number(u64);

impl StateMachine for Number {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        match payload {
            [by] => self.0 = self.0.wrapping_add(u64::from(*by)),
            b"double" => self.0 = self.0.wrapping_mul(2),
            _ => panic!("what to do with {payload:?}?"),
        }
        Bytes::new()
    }

    fn digest(&self) -> u64 {
        self.0
    }

    fn snapshot(&self) -> Pieces {
        Box::new(std::iter::once(Bytes::copy_from_slice(&self.0.to_be_bytes())))
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        let number = pieces.next().and_then(|piece| piece[..].try_into().ok());
        self.0 = u64::from_be_bytes(number.ok_or_else(|| Unrestorable("no number".into()))?);
        Ok(())
    }
}

/// Every command touches the number in one mode.
struct OneMode(ModeTable);

const CHANGE: Mode = Mode(0);

impl OneMode {
    fn new(commutes: bool) -> Self {
        let table = ModeTable::new(&["change"]);
        Self(if commutes { table.commuting(CHANGE, CHANGE) } else { table })
    }
}

impl Conflicts for OneMode {
    fn modes(&self) -> &ModeTable {
        &self.0
    }

    fn footprint(&self, payload: &[u8]) -> Result<Footprint, CommandInvalid> {
        match payload {
            [] => Err(CommandInvalid("it is empty".into())),
            _ => Ok(Footprint::of([("number".into(), CHANGE)])),
        }
    }
}

fn audit(
    commutes: bool,
    strategy: impl Strategy<Value = Command> + 'static,
) -> CommandAudit<Command> {
    Audit::new(Number::default, OneMode::new(commutes))
        .commands(strategy, Command::encode)
        .cases(200)
}

fn adds() -> impl Strategy<Value = Command> {
    any::<u8>().prop_map(Command::Add)
}

/// Broken: a counterexample holds more than it takes, or cannot be read, or does not say what to do.
#[test]
fn a_counterexample_is_minimal_and_readable() {
    let found = audit(true, prop_oneof![adds(), Just(Command::Double)]).seed(3).run().unwrap_err();
    assert_eq!(found.law, Law::Commute);
    assert_eq!(found.before, []);
    // Nothing smaller does: adding 0 commutes with doubling.
    let mut commands: Vec<&str> = found.commands.iter().map(|it| &it.command[..]).collect();
    commands.sort();
    assert_eq!(commands, ["Add(1)", "Double"]);
    assert_eq!(found.seed, 3);
    let text = found.to_string();
    for part in ["their states differ", "change \"number\"", "a b:", "b a:", "what to do:"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// Broken: a run cannot be repeated from its seed, or another seed tries the same.
#[test]
fn everything_follows_from_the_seed() {
    let run = |seed| {
        let audit = audit(true, prop_oneof![20 => adds(), 1 => Just(Command::Double)]);
        audit.seed(seed).run().unwrap_err()
    };
    assert_eq!(run(1), run(1));
    let cases: std::collections::BTreeSet<u32> = (0..10).map(|seed| run(seed).case).collect();
    assert!(cases.len() > 2, "{cases:?}");
}

/// Broken: commands wait for each other that always commute, and the report does not say so, or
/// says it of those that do not.
#[test]
fn what_conflicts_for_nothing_is_reported() {
    let report = audit(false, prop_oneof![adds(), Just(Command::Double)]).run().unwrap();
    let lost: Vec<_> = report.lost().map(|(a, b, _)| (a, b)).collect();
    assert_eq!(lost, [("Add", "Add"), ("Double", "Double")]);
    assert_eq!(report.conflict_share(), 1.0);
    let needed = report.conflict_share_needed();
    assert!((0.3..0.7).contains(&needed), "two in four pairs are of two kinds: {needed}");
    let gain = report.gain(1);
    assert_eq!(gain.undisturbed, 0.0);
    assert!((gain.undisturbed_then - (1.0 - needed)).abs() < 1e-9, "{gain}");
    let text = report.to_string();
    assert!(text.contains("Add with Add") && text.contains("nothing to doubt"), "{text}");
}

/// Broken: an audit that tried nothing passes.
#[test]
fn an_audit_of_refused_commands_does_not_pass() {
    let strategy = prop_oneof![1 => adds(), 3 => Just(Command::Refused)];
    let found = audit(true, strategy).run().unwrap_err();
    assert_eq!(found.law, Law::Accepted);
    assert_eq!(found.commands[0].command, "Refused");
    assert!(found.commands[0].footprint.contains("it is empty"), "{found}");
    let report = audit(true, prop_oneof![3 => adds(), 1 => Just(Command::Refused)]).run().unwrap();
    assert!(report.refused > 0 && report.refused < report.commands, "{report}");
    let found = audit(true, adds().prop_filter("never", |_| false)).run().unwrap_err();
    assert!(found.finding.contains("draws nothing"), "{found}");
}

/// Broken: a machine that panics ends the audit without telling which command did it.
#[test]
fn a_panic_is_a_counterexample() {
    let found = audit(false, prop_oneof![adds(), Just(Command::Panic)]).run().unwrap_err();
    assert_eq!(found.law, Law::Lives);
    assert!(found.finding.contains("what to do with"), "{found}");
    let before: Vec<&str> = found.before.iter().map(|it| &it.command[..]).collect();
    assert_eq!(before, ["Panic"]);
}

/// Broken: the setup is not what each case begins with.
#[test]
fn the_setup_comes_first() {
    let adds_0 = Just(Command::Add(0));
    // Adding 0 and doubling commute in a machine that holds 0, and nowhere else.
    let double = || audit(true, prop_oneof![adds_0, Just(Command::Double)]);
    assert!(double().run().is_ok());
    let setup = Just(vec![Command::Add(7), Command::Double]);
    let strategy = prop_oneof![Just(Command::Add(0)), Just(Command::Panic)];
    let found = audit(true, strategy).setup(setup).run().unwrap_err();
    let before: Vec<&str> = found.before.iter().map(|it| &it.command[..]).collect();
    assert_eq!(before, ["Add(7)", "Double", "Panic"]);
}

/// Broken: whoever waits for a long audit is not told how far it is.
#[test]
fn progress_is_told() {
    let told = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&told);
    let report = audit(true, adds()).progress(move |progress| kept.borrow_mut().push(progress));
    report.run().unwrap();
    let told = told.borrow();
    assert!(told.len() >= 3, "{told:?}");
    assert!(told.iter().all(|it| it.cases == 200 && it.cases_done <= 200), "{told:?}");
    assert!(told.is_sorted_by_key(|it| it.cases_done), "{told:?}");
}

/// Answers what `answer` says, whatever it is asked.
struct Answers {
    number: Number,
    answer: Option<&'static str>,
}

impl StateMachine for Answers {
    fn apply(&mut self, payload: &[u8]) -> Bytes {
        self.number.apply(payload)
    }

    fn query(&self, _payload: &[u8]) -> Option<Bytes> {
        self.answer.map(Bytes::from)
    }

    fn digest(&self) -> u64 {
        self.number.digest()
    }

    fn snapshot(&self) -> Pieces {
        self.number.snapshot()
    }

    fn restore(&mut self, pieces: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        self.number.restore(pieces)
    }
}

/// Broken: who reads without a vertex is told what no order of commands explains, and the audit does
/// not see it; or a machine without queries is found fault with.
#[test]
fn queries_answer_as_commands_do() {
    let run = |answer, commutes, command: Command, is_readable: bool| {
        let machine = move || Answers { number: Number::default(), answer };
        Audit::new(machine, OneMode::new(commutes))
            .commands(Just(command), Command::encode)
            .readable(move |_| is_readable)
            .cases(50)
            .run()
            .map_err(|found| (found.law, found.finding))
    };
    let law = |result: Result<_, (Law, String)>| result.err().map(|(law, _)| law);
    assert_eq!(law(run(None, true, Command::Add(0), false)), None);
    // Adding nothing changes nothing, and answers nothing.
    assert_eq!(law(run(Some(""), true, Command::Add(0), false)), None);
    assert_eq!(law(run(Some("1"), true, Command::Add(0), false)), Some(Law::Query));
    assert_eq!(law(run(Some(""), true, Command::Add(1), false)), Some(Law::Query));
    // In a mode that commutes with itself, and with which all others do.
    assert_eq!(law(run(Some(""), true, Command::Add(0), true)), None);
    let (law, finding) = run(Some(""), false, Command::Add(0), true).unwrap_err();
    assert_eq!(law, Law::Readable);
    assert!(finding.contains("does not commute with itself"), "{finding}");
    let (law, finding) = run(None, true, Command::Add(0), true).unwrap_err();
    assert_eq!(law, Law::Readable);
    assert!(finding.contains("does not answer"), "{finding}");
}
