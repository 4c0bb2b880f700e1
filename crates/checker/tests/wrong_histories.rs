//! One history for each way of being wrong that must be noticed, with its right twin beside it; and
//! the sizes that runs have.

mod generator;

use althing_checker::register_map::{Input, Output};
use althing_checker::{Account, History, OperationId, Outcome, RegisterMap, Verdict, linearizable};
use generator::Plan;

/// A history as it is told: one operation after the other, or several at once.
#[derive(Default)]
struct Story {
    history: History<Input, Output>,
}

impl Story {
    /// One operation after all before it.
    fn then(mut self, client: u64, input: Input, output: Output) -> Self {
        let operation = self.history.invoked(client, 0, input);
        self.history.returned(operation, 0, output);
        self
    }

    fn unknown(mut self, client: u64, input: Input) -> Self {
        self.history.invoked(client, 0, input);
        self
    }

    fn failed(mut self, client: u64, input: Input) -> Self {
        let operation = self.history.invoked(client, 0, input);
        self.history.failed(operation);
        self
    }

    /// Operations that all overlap.
    fn at_once<const N: usize>(mut self, all: [(u64, Input, Output); N]) -> Self {
        let begun =
            all.map(|(client, input, output)| (self.history.invoked(client, 0, input), output));
        for (operation, output) in begun {
            self.history.returned(operation, 0, output);
        }
        self
    }

    fn is_right(&self) {
        let verdict = linearizable::check(&RegisterMap, &self.history, linearizable::BUDGET_STEPS);
        assert!(matches!(verdict, Verdict::Linearizable { .. }), "{verdict:?}");
    }

    /// Returns the account for a look at its words.
    fn is_wrong(&self) -> Account {
        match linearizable::check(&RegisterMap, &self.history, linearizable::BUDGET_STEPS) {
            Verdict::NotLinearizable(account) => account,
            verdict => panic!("{verdict:?}"),
        }
    }
}

fn story() -> Story {
    Story::default()
}

fn put(value: &str) -> Input {
    Input::put("k", value)
}

fn get() -> Input {
    Input::get("k")
}

fn saw(value: &str) -> Output {
    Output::Value(Some(value.into()))
}

fn swap(expected: &str, new: &str) -> Input {
    Input::CompareAndSwap {
        key: "k".into(),
        expected: Some(expected.into()),
        new: Some(new.into()),
    }
}

const NOTHING: Output = Output::Value(None);

/// A read that misses a write which returned before it began would pass.
#[test]
fn stale_read() {
    let writes = || story().then(1, put("a"), Output::Done).then(1, put("b"), Output::Done);
    writes().then(2, get(), saw("b")).is_right();
    let account = writes().then(2, get(), saw("a")).is_wrong();
    assert!(account.culprit.starts_with("client 2 [4, 5] Get"), "{account}");
    assert_eq!(account.keys, ["\"k\""]);
}

/// An acknowledged write that is gone would pass.
#[test]
fn lost_write() {
    story().then(1, put("a"), Output::Done).then(1, get(), NOTHING).is_wrong();
    story().then(1, put("a"), Output::Done).then(1, get(), saw("a")).is_right();
}

/// A value from nowhere would pass.
#[test]
fn read_of_a_value_never_written() {
    let account = story().then(1, put("a"), Output::Done).then(2, get(), saw("z")).is_wrong();
    assert!(account.explanation.contains("could have left what it saw"), "{account}");
}

/// Two readers that see two writes in opposite orders would pass.
#[test]
fn two_reads_in_opposite_order() {
    let writes = || story().at_once([(1, put("a"), Output::Done), (2, put("b"), Output::Done)]);
    // The writes overlap, so either may be last, but not first one and then the other.
    writes().then(3, get(), saw("a")).is_right();
    writes().then(3, get(), saw("b")).is_right();
    writes().then(3, get(), saw("a")).then(4, get(), saw("b")).is_wrong();
}

/// The same over two keys, where each key alone is right.
#[test]
fn two_multi_reads_in_opposite_order() {
    let both = || Input::MultiGet { keys: vec!["x".into(), "y".into()] };
    let values = |x: Option<&str>, y: Option<&str>| {
        Output::Values(vec![x.map(Into::into), y.map(Into::into)])
    };
    let with = |second: Output| {
        story().at_once([
            (1, Input::put("x", "1"), Output::Done),
            (2, Input::put("y", "1"), Output::Done),
            (3, both(), values(Some("1"), None)),
            (4, both(), second),
        ])
    };
    with(values(Some("1"), Some("1"))).is_right();
    with(values(None, Some("1"))).is_wrong();
}

/// A retried increment that took effect twice would pass.
#[test]
fn double_increment() {
    let once = || story().then(1, Input::increment("k", 1), Output::Integer(1));
    once().then(2, get(), saw("1")).is_right();
    once().then(2, get(), saw("2")).is_wrong();
    once().then(2, Input::increment("k", 1), Output::Integer(3)).is_wrong();
    // Two clients that are told the same sum.
    once().then(2, Input::increment("k", 1), Output::Integer(1)).is_wrong();
}

/// Two swaps from one value would both pass.
#[test]
fn lost_update_under_swap() {
    let put_a = || story().then(1, put("a"), Output::Done);
    put_a()
        .at_once([(1, swap("a", "b"), Output::Done), (2, swap("a", "c"), Output::Differs)])
        .is_right();
    put_a()
        .at_once([(1, swap("a", "b"), Output::Done), (2, swap("a", "c"), Output::Done)])
        .is_wrong();
    put_a().then(1, swap("a", "b"), Output::Differs).is_wrong();
    put_a().then(1, swap("x", "b"), Output::DiffersHolding(Some("c".into()))).is_wrong();
}

/// A multi-key write seen in part would pass.
#[test]
fn torn_multi_write() {
    let write =
        Input::MultiPut { entries: vec![("x".into(), "1".into()), ("y".into(), "1".into())] };
    let with = |y: Output| {
        story()
            .at_once([(1, write.clone(), Output::Done)])
            .at_once([])
            .then(2, Input::get("x"), saw("1"))
            .then(2, Input::get("y"), y)
    };
    with(saw("1")).is_right();
    with(NOTHING).is_wrong();
}

/// An operation whose client was told that it did not happen, and that did, would pass.
#[test]
fn a_failed_operation_that_took_effect() {
    story().failed(1, put("a")).then(2, get(), saw("a")).is_wrong();
    story().failed(1, put("a")).then(2, get(), NOTHING).is_right();
    story()
        .failed(1, Input::increment("k", 1))
        .then(2, Input::increment("k", 1), Output::Integer(2))
        .is_wrong();
}

/// A read of a write that was invoked only after the read had returned would pass.
#[test]
fn an_operation_seen_before_it_was_invoked() {
    story().then(2, get(), saw("a")).then(1, put("a"), Output::Done).is_wrong();
    story().then(2, get(), saw("a")).unknown(1, put("a")).is_wrong();
    story().at_once([(2, get(), saw("a")), (1, put("a"), Output::Done)]).is_right();
}

/// A sequentially consistent store, which answers from the past, would pass.
#[test]
fn order_of_real_time_violated() {
    // Each client's own view is in order; the second write returned before the read began.
    let account = story()
        .then(1, put("a"), Output::Done)
        .then(2, put("b"), Output::Done)
        .then(3, get(), saw("a"))
        .then(3, get(), saw("b"))
        .is_wrong();
    assert!(account.culprit.starts_with("client 3 [4, 5]"), "{account}");
    // Also with increments, which the sorting does not decide.
    story()
        .then(1, Input::increment("k", 1), Output::Integer(2))
        .then(2, Input::increment("k", 1), Output::Integer(1))
        .is_wrong();
}

/// A deletion that is undone, or reported wrongly, would pass.
#[test]
fn deletions() {
    let gone = || {
        story().then(1, put("a"), Output::Done).then(1, Input::delete("k"), Output::Existed(true))
    };
    gone().then(2, get(), NOTHING).then(2, Input::delete("k"), Output::Existed(false)).is_right();
    gone().then(2, get(), saw("a")).is_wrong();
    gone().then(2, Input::delete("k"), Output::Existed(true)).is_wrong();
    gone().then(2, Input::increment("k", 1), Output::Integer(1)).is_right();
}

/// A client that gave up would make right runs look wrong, or hide wrong ones.
#[test]
fn unknown_outcomes_take_effect_late_or_never() {
    // Never.
    story().unknown(1, put("a")).then(2, get(), NOTHING).is_right();
    // Late: after other operations have come and gone.
    story()
        .unknown(1, put("a"))
        .then(2, put("b"), Output::Done)
        .then(2, get(), saw("b"))
        .then(2, get(), saw("a"))
        .is_right();
    // But not twice,
    story()
        .unknown(1, put("a"))
        .then(2, get(), saw("a"))
        .then(2, put("b"), Output::Done)
        .then(2, get(), saw("b"))
        .then(2, get(), saw("a"))
        .is_wrong();
    // and not undone.
    story().unknown(1, put("a")).then(2, get(), saw("a")).then(2, get(), NOTHING).is_wrong();
    // Two increments of unknown outcome explain two steps, not three.
    let unknown = || {
        let by_one = || Input::increment("k", 1);
        story().unknown(1, by_one()).unknown(2, by_one())
    };
    unknown().then(3, Input::increment("k", 1), Output::Integer(1)).is_right();
    unknown().then(3, Input::increment("k", 1), Output::Integer(3)).is_right();
    unknown().then(3, Input::increment("k", 1), Output::Integer(4)).is_wrong();
    // A swap of unknown outcome needs what it expects.
    let put_a = || story().then(1, put("a"), Output::Done);
    put_a().unknown(2, swap("a", "b")).then(3, get(), saw("b")).is_right();
    put_a().unknown(2, swap("x", "b")).then(3, get(), saw("b")).is_wrong();
    put_a()
        .unknown(2, swap("x", "b"))
        .unknown(3, swap("a", "x"))
        .then(4, get(), saw("b"))
        .is_right();
}

/// A part that cannot be decided would be reported as right.
#[test]
fn a_spent_budget_is_told() {
    let story = story().then(1, Input::increment("k", 1), Output::Integer(1));
    let verdict = linearizable::check(&RegisterMap, &story.history, 0);
    let Verdict::Undecided { operations, steps, .. } = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!((operations, steps), (1, 0));
}

/// Broken: of a part that is too much for the search, not even the beginning would be looked at.
#[test]
fn a_prefix_of_what_cannot_be_decided_is_checked() {
    let plan = Plan { operations: 400, clients: 30, unknown: 0, failed: 0 };
    let history = generator::history(7, &plan, generator::hot_key);
    let budget = 300;
    let Verdict::Undecided { operations, decided, .. } =
        linearizable::check(&RegisterMap, &history, budget)
    else {
        panic!("decided in {budget} steps");
    };
    assert_eq!(operations, 400);
    assert!(decided > 0 && decided <= 200, "{decided}");
    // One wrong answer at the very beginning.
    let mut story = story().then(1, Input::get("hot"), saw("never written"));
    for operation in history.operations() {
        let Outcome::Returned { output, .. } = &operation.outcome else { continue };
        story = story.then(1, operation.input.clone(), output.clone());
    }
    let verdict = linearizable::check(&RegisterMap, &story.history, 2);
    assert!(matches!(verdict, Verdict::NotLinearizable(_)), "{verdict:?}");
}

/// Broken: an order that does not explain what clients saw would be taken for one that does.
#[test]
fn an_order_explains_a_history_or_does_not() {
    let right = story()
        .unknown(3, put("c"))
        .at_once([(1, put("a"), Output::Done), (2, put("b"), Output::Done)])
        .then(4, get(), saw("b"))
        .failed(5, put("d"))
        .history;
    let ids: Vec<OperationId> = right.ids().collect();
    let [unknown, a, b, read, failed] = ids[..] else { panic!("five operations") };
    let explained = |order: &[OperationId]| linearizable::explains(&RegisterMap, &right, order);
    explained(&[a, b, read]).unwrap();
    explained(&[a, unknown, b, read]).unwrap();
    explained(&[a, b, read, unknown]).unwrap();
    for (order, why) in [
        (vec![b, a, read], "the output there is"),
        (vec![a, b, unknown, read], "the output there is"),
        (vec![read, a, b], "the output there is"),
        (vec![a, read], "the output there is"),
        (vec![a, b], "it never took effect"),
        (vec![a, b, failed, read], "it took effect"),
        (vec![a, b, read, read], "it took effect twice"),
    ] {
        let told = explained(&order).unwrap_err().to_string();
        assert!(told.contains(why), "{order:?}: {told}");
    }
    // Against real time, with outputs that fit.
    let stale = story().then(1, put("a"), Output::Done).then(2, get(), NOTHING).history;
    let ids: Vec<OperationId> = stale.ids().collect();
    let told = linearizable::explains(&RegisterMap, &stale, &[ids[1], ids[0]]).unwrap_err();
    assert!(told.to_string().contains("stands after one that was invoked"), "{told}");
}

/// An operation on no key at all would bring the checker down, or be left out.
#[test]
fn operations_on_no_key() {
    let none = || Input::MultiGet { keys: Vec::new() };
    story().then(1, none(), Output::Values(Vec::new())).is_right();
    story().then(1, none(), Output::Values(vec![None])).is_wrong();
}

/// Runs of the sizes that the simulator and the real cluster produce would stay undecided, or a
/// single wrong answer among thousands would drown.
#[test]
fn whole_runs_are_decided_and_one_wrong_answer_is_found() {
    let plan =
        |operations, clients, unknown| Plan { operations, clients, unknown, failed: unknown };
    type Choose = fn(&mut rand::rngs::StdRng, usize, usize) -> Input;
    let runs: [(Plan, Choose); 6] = [
        (plan(100_000, 50, 0), generator::private_keys),
        (plan(20_000, 50, 10), generator::private_keys),
        (plan(5_000, 40, 0), generator::hot_key),
        (plan(5_000, 40, 10), generator::hot_key),
        (plan(5_000, 40, 10), generator::hot_swaps),
        (plan(2_000, 20, 10), generator::hot_pairs),
    ];
    for (seed, (plan, choose)) in (1..).zip(runs) {
        let history = generator::history(seed, &plan, choose);
        Story { history: history.clone() }.is_right();
        let is_get = |input: &Input| matches!(input, Input::Get { .. });
        let wrong = generator::with_two_outputs_swapped(seed, &history, 1_000, is_get);
        let history = wrong.expect("thousands of reads differ");
        Story { history }.is_wrong();
    }
}

/// A perturbed history would be taken for right now and then.
#[test]
fn swapped_outputs_are_rejected_on_many_seeds() {
    let plan = Plan { operations: 300, clients: 8, unknown: 10, failed: 10 };
    for seed in 0..200 {
        let history = generator::history(seed, &plan, generator::hot_key);
        Story { history: history.clone() }.is_right();
        // Far apart in the run, they add to different puts.
        let may = |input: &Input| matches!(input, Input::Increment { .. });
        let wrong = generator::with_two_outputs_swapped(seed, &history, 100, may);
        let history = wrong.expect("a hundred increments differ");
        Story { history }.is_wrong();
    }
}
