//! How fast histories are checked: `cargo run --release --example speed`.

#[path = "../tests/generator/mod.rs"]
mod generator;

use std::time::Instant;

use althing_checker::register_map::{Input, Output};
use althing_checker::{
    ColumnDependencies, CommittedConflicts, Footprint, History, RegisterMap, SameOrder, Verdict,
    Vertex, linearizable,
};
use generator::Plan;

fn main() {
    oracles();
    let plan =
        |operations, clients, unknown| Plan { operations, clients, unknown, failed: unknown };
    let private = generator::history(1, &plan(100_000, 50, 0), generator::private_keys);
    timed("100,000 operations, 5,000 private keys", &private);
    let hot = generator::history(1, &plan(5_000, 40, 0), generator::hot_key);
    timed("5,000 operations, 40 clients, one key", &hot);
    let faulty = generator::history(1, &plan(5_000, 40, 10), generator::hot_key);
    timed("the same with 1 % unknown and 1 % failed", &faulty);
    let puts = generator::history(1, &plan(5_000, 40, 10), |_, _, number| match number % 2 {
        0 => Input::get("hot"),
        _ => Input::put("hot", number.to_string()),
    });
    timed("5,000 gets and puts, 40 clients, one key, 1 % unknown", &puts);
    let swaps = generator::history(1, &plan(5_000, 40, 10), generator::hot_swaps);
    timed("5,000 gets, puts, swaps, deletes, 40 clients, one key, 1 % unknown", &swaps);
    let pairs = generator::history(1, &plan(5_000, 40, 10), generator::hot_pairs);
    timed("5,000 single and multi-key, 10 keys, 40 clients, 1 % unknown", &pairs);
    let mixed = generator::history(1, &plan(5_000, 40, 0), generator::mixed);
    timed("5,000 mixed on 3 keys and 4 values, 40 clients", &mixed);
    for (name, history) in [
        ("private keys", private),
        ("one key", hot),
        ("one key, unknown and failed", faulty),
        ("gets and puts", puts),
        ("swaps", swaps),
        ("single and multi-key", pairs),
        ("mixed", mixed),
    ] {
        let is_get = |input: &Input| matches!(input, Input::Get { .. });
        let wrong = generator::with_two_outputs_swapped(7, &history, 1_000, is_get);
        timed(&format!("{name}, two outputs swapped"), &wrong.expect("thousands of gets differ"));
    }
}

fn timed(name: &str, history: &History<Input, Output>) {
    let begun = Instant::now();
    let verdict = linearizable::check(&RegisterMap, history, linearizable::BUDGET_STEPS);
    let took = begun.elapsed();
    let words = match verdict {
        Verdict::Linearizable { checker, .. } => format!("linearizable by {checker}"),
        Verdict::NotLinearizable(account) => format!("not linearizable: {}", account.culprit),
        Verdict::Undecided { steps, .. } => format!("undecided after {steps} steps"),
    };
    let rate = history.operations().len() as f64 / took.as_secs_f64();
    println!("{name}: {took:.1?}, {rate:.0} operations/s, {words}");
}

/// 100,000 commands of 5 proposers on one key, half reads: each depends on the latest of every
/// proposer, and 3 replicas execute them.
fn oracles() {
    let commutes = |a: u8, b: u8| a == 0 && b == 0;
    let (mut conflicts, mut order) = (
        CommittedConflicts::new(althing_checker::Commutes::new(commutes)),
        SameOrder::new(althing_checker::Commutes::new(commutes)),
    );
    let count = 100_000;
    let begun = Instant::now();
    for number in 0..count {
        let footprint: [(&[u8], u8); 1] = [(b"hot", (number % 2) as u8)];
        let latest: Vec<[u64; 1]> = (0..5).map(|c| [(number + 4 - c) / 5]).collect();
        let deps = (0..5).zip(&latest).filter(|(_, latest)| latest[0] > 0);
        let deps: Vec<(u64, [u64; 1])> = deps.map(|(c, latest)| (c, [latest[0] - 1])).collect();
        let deps = deps.iter().map(|(column, extras)| ColumnDependencies {
            column: *column,
            prefix: 0,
            extras,
        });
        let vertex = Vertex { column: number % 5, seq: number / 5 };
        let footprint = Some(Footprint::Resources(&footprint));
        conflicts.committed(vertex, footprint, deps).expect("ordered");
    }
    println!("CommittedConflicts: {:.0?} a commit", begun.elapsed() / count as u32);
    let begun = Instant::now();
    for replica in 0..3 {
        for number in 0..count {
            let footprint: [(&[u8], u8); 1] = [(b"hot", (number % 2) as u8)];
            let footprint = Footprint::Resources(&footprint);
            order.executed(replica, number.into(), footprint).expect("one order");
        }
    }
    println!("SameOrder: {:.0?} an execution", begun.elapsed() / (3 * count) as u32);
}
