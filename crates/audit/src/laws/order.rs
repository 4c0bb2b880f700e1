//! Commands said to commute do: by pairs of neighbours, and by an order of the whole case.

use super::run::Run;
use super::{Law, Outcome, Violation};
use crate::limits::REPEATS;
use crate::report::Tally;
use crate::script::Script;
use crate::subject::Subject;

/// What the order of two commands changed.
enum Difference {
    /// A reply of theirs, or the state's digest.
    Now,
    /// Nothing that their replies or the digest told, but a later reply or digest: up to this
    /// position of the order.
    Later(usize),
}

/// Tries each two neighbours in both orders, in the state that those before them make: those said
/// to commute must, and of the others it is counted how often they did.
pub(super) fn check_neighbours(
    subject: &Subject,
    script: &Script,
    conflicts: &[Vec<bool>],
    base: &Run,
    kinds: &[String],
    tally: &mut Tally,
) -> Result<(), Violation> {
    let order = script.order();
    for at in 1..order.len() {
        let (a, b) = (at - 1, at);
        let (swapped, difference) = swap(subject, script, &order, base, a)?;
        if let Some(difference) = &difference
            && !conflicts[a][b]
        {
            return Err(violation(subject, script, &order, a, base, &swapped, difference));
        }
        tally.tried(&kinds[a], &kinds[b], conflicts[a][b], difference.is_none());
    }
    Ok(())
}

/// Executes the case in the order that is farthest from the one drawn, of those that leave
/// conflicting commands in theirs: what a replica elsewhere may do. If anything differs, the two
/// neighbours whose order made the difference are searched for on the way from one to the other.
pub(super) fn check_reordered(
    subject: &Subject,
    script: &Script,
    conflicts: &[Vec<bool>],
    base: &Run,
) -> Result<(), Violation> {
    let mut order = script.order();
    let target = farthest(&order, conflicts);
    if target == order {
        return Ok(());
    }
    let reordered = Run::new(subject, script, &target);
    if reordered.replies == base.replies && reordered.digests.last() == base.digests.last() {
        return Ok(());
    }
    let mut run = base.clone();
    for (to, command) in target.iter().enumerate() {
        let from = order.iter().position(|it| it == command).expect("an order of the same");
        for at in (to..from).rev() {
            let (swapped, difference) = swap(subject, script, &order, &run, at)?;
            if let Some(difference) = difference {
                return Err(violation(subject, script, &order, at, &run, &swapped, &difference));
            }
            order.swap(at, at + 1);
            run = swapped;
        }
    }
    // Every step agreed with the one before, so the last agrees with the first, and with
    // `reordered`, which executed the same.
    run.agrees(&reordered, &target, target.len())?;
    unreachable!("a difference of the ends is one of some step")
}

/// The order that takes the last command that may come first, again and again.
fn farthest(order: &[usize], conflicts: &[Vec<bool>]) -> Vec<usize> {
    let mut left = order.to_vec();
    let mut taken = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_free =
            |at: &usize| left[..*at].iter().all(|earlier| !conflicts[*earlier][left[*at]]);
        let at = (0..left.len()).rev().find(is_free).expect("the first is free");
        taken.push(left.remove(at));
    }
    taken
}

/// Executes `order` with the commands at `at` and after it in the other order. `run` executed it as
/// it is.
fn swap(
    subject: &Subject,
    script: &Script,
    order: &[usize],
    run: &Run,
    at: usize,
) -> Result<(Run, Option<Difference>), Violation> {
    let mut other = order.to_vec();
    other.swap(at, at + 1);
    let swapped = Run::new(subject, script, &other);
    // What is not deterministic is no matter of order.
    run.agrees(&swapped, order, at)?;
    let replies_differ = |command: usize| run.replies[command] != swapped.replies[command];
    let digests_differ = |position: usize| run.digests[position] != swapped.digests[position];
    if replies_differ(order[at]) || replies_differ(order[at + 1]) || digests_differ(at + 2) {
        return Ok((swapped, Some(Difference::Now)));
    }
    let later = at + 2..order.len();
    let later = later.clone().find(|it| replies_differ(order[*it]) || digests_differ(it + 1));
    Ok((swapped, later.map(Difference::Later)))
}

fn violation(
    subject: &Subject,
    script: &Script,
    order: &[usize],
    at: usize,
    run: &Run,
    swapped: &Run,
    difference: &Difference,
) -> Violation {
    let mut exchanged = order.to_vec();
    exchanged.swap(at, at + 1);
    for (order, run) in [(order, run), (&exchanged, swapped)] {
        for _ in 0..REPEATS {
            let again = Run::new(subject, script, order);
            if let Err(violation) = run.agrees(&again, order, order.len()) {
                return violation;
            }
        }
    }
    let (a, b) = (order[at], order[at + 1]);
    let probe = match difference {
        Difference::Now => None,
        Difference::Later(position) => Some(*position),
    };
    let later = probe.map(|position| order[at + 2..=position].to_vec()).unwrap_or_default();
    let commands: Vec<usize> = [a, b].into_iter().chain(later).collect();
    let digest_at = probe.map_or(at + 2, |position| position + 1);
    let names: Vec<String> = (0..commands.len()).map(crate::show::letter).collect();
    let outcome = |first: usize, second: usize, run: &Run| Outcome {
        way: [&names[first], &names[second]]
            .into_iter()
            .chain(&names[2..])
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        replies: commands.iter().map(|it| Some(run.replies[*it].clone())).collect(),
        digest: Some(run.digests[digest_at]),
    };
    let differs = |command: usize| run.replies[command] != swapped.replies[command];
    let law = match difference {
        Difference::Now => Law::Commute,
        Difference::Later(_) => Law::DigestTells,
    };
    let finding = match difference {
        Difference::Now => {
            let states = run.digests[at + 2] != swapped.digests[at + 2];
            let what = match (differs(a) || differs(b), states) {
                (true, true) => "replies and states differ",
                (true, false) => "replies differ",
                _ => "states differ",
            };
            let twice = match script.commands[a] == script.commands[b] {
                true => " (the two are equal, and each must be answered the same)",
                false => "",
            };
            format!("a and b are said to commute, and their {what} with their order{twice}")
        }
        Difference::Later(_) => {
            let what = match commands.len() {
                3 => "c",
                _ => "what follows",
            };
            format!(
                "a and b are said to commute, and gave equal replies and digests in both orders; \
                 but {what} tells the two states apart"
            )
        }
    };
    Violation {
        law,
        finding,
        before: order[..at].to_vec(),
        outcomes: vec![outcome(0, 1, run), outcome(1, 0, swapped)],
        commands,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Broken: the order tried breaks that of conflicting commands, and finds fault with what is
    /// right; or stays close to the one drawn.
    #[test]
    fn the_farthest_order_keeps_conflicting_commands_in_theirs() {
        let none = vec![vec![false; 4]; 4];
        assert_eq!(farthest(&[0, 1, 2, 3], &none), [3, 2, 1, 0]);
        let all = vec![vec![true; 4]; 4];
        assert_eq!(farthest(&[0, 1, 2, 3], &all), [0, 1, 2, 3]);
        let mut some = none;
        (some[1][3], some[3][1]) = (true, true);
        assert_eq!(farthest(&[0, 1, 2, 3], &some), [2, 1, 3, 0]);
    }
}
