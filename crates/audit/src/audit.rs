//! An audit: set up by its user, and run.

use crate::counterexample::{Counterexample, Shown};
use crate::laws::{self, Law, Violation};
use crate::limits::{
    CASES, COMMANDS_MAX, PROGRESS_EVERY, REFUSED_PERCENT_MAX, SHRINK_ATTEMPTS_MAX,
};
use crate::report::{Report, Tally};
use crate::script::{self, Drawn, Script};
use crate::show::{self, ShownFootprint};
use crate::subject::Subject;
use althing_model::{Conflicts, Footprint, StateMachine};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A state machine and its conflict function, still without commands to try them with.
#[must_use = "nothing is audited before it has commands and is run"]
pub struct Audit {
    subject: Subject,
}

impl Audit {
    /// Of machines that this function makes, each in its first state, and their conflict function.
    pub fn new<M: StateMachine + 'static>(
        machine: impl Fn() -> M + 'static,
        conflicts: impl Conflicts + 'static,
    ) -> Self {
        Self::boxed(move || Box::new(machine()), Arc::new(conflicts))
    }

    /// The same of what has no type here, as nodes and the simulator have it.
    pub fn boxed(
        machine: impl Fn() -> Box<dyn StateMachine> + 'static,
        conflicts: Arc<dyn Conflicts>,
    ) -> Self {
        Self { subject: Subject { machine: Box::new(machine), conflicts } }
    }

    /// Tries it with commands drawn by a strategy, which become payloads by `encode`.
    ///
    /// A strategy for an audit draws from few keys, few numbers and all kinds of commands, so that
    /// commands meet: a fault that shows between a scan up to `"c"` and a write of `"c"` is found at
    /// once with four keys, and never with a million. Draw what is at the edge: empty keys, no keys,
    /// the same key twice, ranges that are empty, the largest number.
    pub fn commands<S: Strategy + 'static>(
        self,
        strategy: S,
        encode: impl Fn(&S::Value) -> Bytes + 'static,
    ) -> CommandAudit<S::Value>
    where
        S::Value: Clone + 'static,
    {
        CommandAudit {
            subject: self.subject,
            command: strategy.boxed(),
            setup: Just(Vec::new()).boxed(),
            encode: Box::new(encode),
            kind: Box::new(show::kind),
            is_readable: Box::new(|_| false),
            reply: Box::new(|reply| format!("{:?}", Bytes::copy_from_slice(reply))),
            cases: CASES,
            commands_max: COMMANDS_MAX,
            seed: 0,
            progress: Box::new(|_| ()),
        }
    }
}

/// How much of an audit is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Cases without a counterexample.
    pub cases_done: u32,
    /// Cases to try.
    pub cases: u32,
}

/// How replies are written.
type ShowReply = dyn Fn(&[u8]) -> String;

/// An audit that can be run.
#[must_use = "nothing is audited before it is run"]
pub struct CommandAudit<C> {
    subject: Subject,
    command: BoxedStrategy<C>,
    setup: BoxedStrategy<Vec<C>>,
    encode: Box<dyn Fn(&C) -> Bytes>,
    kind: Box<dyn Fn(&C) -> String>,
    is_readable: Box<dyn Fn(&C) -> bool>,
    reply: Box<ShowReply>,
    cases: u32,
    commands_max: usize,
    seed: u64,
    progress: Box<dyn Fn(Progress)>,
}

impl<C: Debug + Clone + 'static> CommandAudit<C> {
    /// How many cases are tried: 2,000 if nothing is said. A case is up to eight commands
    /// ([`Self::commands_max`]), of which each two neighbours are tried.
    pub fn cases(mut self, cases: u32) -> Self {
        self.cases = cases;
        self
    }

    /// How many commands a case has at most.
    pub fn commands_max(mut self, commands_max: usize) -> Self {
        self.commands_max = commands_max.max(1);
        self
    }

    /// What is drawn follows from the seed: 0 if nothing is said.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Commands that each case begins with, in the order drawn: for states that commands drawn one
    /// by one rarely make.
    pub fn setup(mut self, strategy: impl Strategy<Value = Vec<C>> + 'static) -> Self {
        self.setup = strategy.boxed();
        self
    }

    /// The kinds by which a report groups commands; by default, the first word of their `Debug`.
    pub fn kinds<K: Into<String>>(mut self, kind: impl Fn(&C) -> K + 'static) -> Self {
        self.kind = Box::new(move |command| kind(command).into());
        self
    }

    /// Which commands clients are to read without a vertex, linearizably: it is checked that the
    /// machine answers them, and that the mode table allows it.
    pub fn readable(mut self, is_readable: impl Fn(&C) -> bool + 'static) -> Self {
        self.is_readable = Box::new(is_readable);
        self
    }

    /// How a counterexample writes replies; by default, as bytes.
    pub fn replies<R: Into<String>>(mut self, show: impl Fn(&[u8]) -> R + 'static) -> Self {
        self.reply = Box::new(move |reply| show(reply).into());
        self
    }

    /// Is told now and then how far the audit is.
    pub fn progress(mut self, progress: impl Fn(Progress) + 'static) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Runs it.
    ///
    /// # Errors
    /// The first law found broken, by commands as few and as small as shrinking could make them.
    pub fn run(self) -> Result<Report, Box<Counterexample>> {
        // Several numbers of a seed that is mostly zeros, as the algorithm wants it.
        let mut seed = [0; 32];
        seed.chunks_exact_mut(8).zip(1u64..).for_each(|(chunk, salt)| {
            chunk.copy_from_slice(&self.seed.wrapping_mul(salt).wrapping_add(salt).to_le_bytes());
        });
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let config = Config { failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, rng);
        let strategy =
            script::drawn(self.setup.clone(), self.command.clone(), &self.kind, self.commands_max);
        let mut tally = Tally::default();
        for case in 1..=self.cases {
            let mut tree = match strategy.new_tree(&mut runner) {
                Ok(tree) => tree,
                Err(reason) => {
                    let finding = format!("the strategy draws nothing: {reason}");
                    return Err(self.vacuous(finding, None, case));
                }
            };
            if let Err(violation) = self.check(&tree.current(), &mut tally) {
                return Err(self.shrink(&mut tree, violation, case));
            }
            if case.is_multiple_of(PROGRESS_EVERY) {
                (self.progress)(Progress { cases_done: case, cases: self.cases });
            }
        }
        let drawn = tally.commands + tally.refused;
        if tally.refused * 100 > drawn * REFUSED_PERCENT_MAX {
            let refused = tally.refused;
            let finding = format!(
                "{refused} of {drawn} commands drawn were refused, over the {REFUSED_PERCENT_MAX} % \
                 allowed; such as a"
            );
            return Err(self.vacuous(finding, tally.refused_first, self.cases));
        }
        Ok(tally.report(self.seed, self.cases))
    }

    /// Runs it in a test.
    ///
    /// # Panics
    /// With the counterexample, if there is one.
    #[track_caller]
    pub fn assert(self) -> Report {
        match self.run() {
            Ok(report) => report,
            Err(found) => panic!("{found}"),
        }
    }

    fn check(&self, drawn: &Drawn<C>, tally: &mut Tally) -> Result<(), Violation> {
        let checked = catch_unwind(AssertUnwindSafe(|| {
            let script = Script::new(drawn, &self.subject, &self.encode);
            tally.commands += (script.setup.len() + script.commands.len()) as u64;
            tally.refused += script.refused.len() as u64;
            if tally.refused_first.is_none() {
                tally.refused_first = script.refused.first().map(|at| self.shown(drawn.nth(*at)));
            }
            self.sample(drawn, tally);
            let kind = |at: &usize| (self.kind)(&drawn.commands[*at]);
            let kinds: Vec<String> = script.drawn_at.iter().map(kind).collect();
            let is_readable = |at: usize| (self.is_readable)(&drawn.commands[script.drawn_at[at]]);
            let mut checked = laws::check(&self.subject, &script, &kinds, &is_readable, tally);
            if let Err(violation) = &mut checked {
                // From the script's numbers to those of what was drawn.
                for at in violation.before.iter_mut().chain(&mut violation.commands) {
                    *at = script.drawn_at[*at];
                }
            }
            checked
        }));
        checked.unwrap_or_else(|panic| {
            Err(Violation {
                law: Law::Lives,
                finding: format!("it panicked: {}", told(&*panic)),
                before: (0..drawn.commands.len()).collect(),
                commands: Vec::new(),
                outcomes: Vec::new(),
            })
        })
    }

    /// A command's footprint, if there is one: whatever else happens is found when the case is checked.
    fn footprint(&self, command: &C) -> Option<Footprint> {
        let footprint = || self.subject.conflicts.footprint(&(self.encode)(command)).ok();
        catch_unwind(AssertUnwindSafe(footprint)).ok().flatten()
    }

    /// Counts whether two commands drawn as they come conflict.
    fn sample(&self, drawn: &Drawn<C>, tally: &mut Tally) {
        let Some((a, b)) = &drawn.sample else { return };
        if let (Some(ours), Some(theirs)) = (self.footprint(a), self.footprint(b)) {
            tally.drawn(&(self.kind)(a), &(self.kind)(b), self.subject.conflict(&ours, &theirs));
        }
    }

    /// Looks for fewer and smaller commands that break the same law.
    fn shrink(
        &self,
        tree: &mut impl ValueTree<Value = Drawn<C>>,
        mut violation: Violation,
        case: u32,
    ) -> Box<Counterexample> {
        let mut drawn = tree.current();
        let mut attempts = 0;
        let mut goes_on = tree.simplify();
        while goes_on && attempts < SHRINK_ATTEMPTS_MAX {
            attempts += 1;
            let smaller = tree.current();
            goes_on = match self.check(&smaller, &mut Tally::default()) {
                Err(found) if found.law == violation.law => {
                    (drawn, violation) = (smaller, found);
                    tree.simplify()
                }
                // Too small, or of another fault.
                _ => tree.complicate(),
            };
        }
        self.counterexample(&drawn, violation, case, attempts)
    }

    fn counterexample(
        &self,
        drawn: &Drawn<C>,
        violation: Violation,
        case: u32,
        shrink_attempts: u32,
    ) -> Box<Counterexample> {
        let shown = |command: &C| self.shown(command);
        let numbered = |numbers: &[usize]| -> Vec<Shown> {
            numbers.iter().map(|at| shown(&drawn.commands[*at])).collect()
        };
        let reply = |reply: &Option<Bytes>| match reply {
            Some(reply) => (self.reply)(reply),
            None => "none yet".to_owned(),
        };
        let Violation { law, finding, before, commands, outcomes } = violation;
        Box::new(Counterexample {
            law,
            finding,
            before: drawn.setup.iter().map(shown).chain(numbered(&before)).collect(),
            commands: numbered(&commands),
            replies_shown: outcomes
                .iter()
                .map(|outcome| outcome.replies.iter().map(reply).collect())
                .collect(),
            outcomes,
            case,
            shrink_attempts,
            seed: self.seed,
        })
    }

    /// An audit that could try nothing, or too little.
    fn vacuous(&self, finding: String, command: Option<Shown>, case: u32) -> Box<Counterexample> {
        Box::new(Counterexample {
            law: Law::Accepted,
            finding,
            before: Vec::new(),
            commands: command.into_iter().collect(),
            outcomes: Vec::new(),
            replies_shown: Vec::new(),
            case,
            shrink_attempts: 0,
            seed: self.seed,
        })
    }

    fn shown(&self, command: &C) -> Shown {
        let payload = (self.encode)(command);
        let footprint =
            catch_unwind(AssertUnwindSafe(|| self.subject.conflicts.footprint(&payload)));
        let footprint = match footprint {
            Ok(Ok(footprint)) => {
                ShownFootprint(&footprint, self.subject.conflicts.modes()).to_string()
            }
            Ok(Err(invalid)) => format!("refused: {invalid}"),
            Err(_) => "the conflict function panics".to_owned(),
        };
        Shown { command: format!("{command:?}"), footprint, payload }
    }
}

/// What a panic said.
fn told(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned())
}
