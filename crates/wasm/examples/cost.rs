//! What a footprint costs that a module computes, beside one that the program computes itself.
//!
//! ```text
//! cargo run --release -p althing-wasm --example cost
//! ```

use althing_kv::{KvCommand, KvConflicts};
use althing_model::Conflicts;
use althing_wasm::{Limits, WasmConflicts};
use std::hint::black_box;
use std::time::Instant;

const CALLS: u32 = 20_000;
const RUNS: usize = 7;

fn main() {
    let module = wat::parse_str(include_str!("../modules/kv.wat")).expect("it is well-formed");
    let begun = Instant::now();
    let module =
        WasmConflicts::load(&module, Limits::default()).expect("it is a conflict function");
    println!("loading: {:.2} ms", begun.elapsed().as_secs_f64() * 1e3);
    let store = KvConflicts::default();
    println!("{:>14} {:>12} {:>12} {:>7}", "payload, bytes", "module, us", "program, us", "ratio");
    for len in [16, 100, 1_000, 10_000] {
        let value = vec![0; len].into();
        let payload = KvCommand::Put { key: "user/1234".into(), value }.encode();
        let module = median_us(&module, &payload);
        let program = median_us(&store, &payload);
        println!("{:>14} {module:>12.2} {program:>12.2} {:>7.0}", payload.len(), module / program);
    }
}

/// Microseconds for a call, the median of several runs.
fn median_us(conflicts: &dyn Conflicts, payload: &[u8]) -> f64 {
    let mut runs: Vec<f64> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..CALLS {
                black_box(conflicts.footprint(black_box(payload))).expect("it is a command");
            }
            begun.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs[RUNS / 2]
}
