//! What the conflict index costs a command, by what it holds: `cargo run --release -p
//! althing-dependency --example index_cost`.
//!
//! Each command is asked about and entered, as a voter does. The live vertices are on as many
//! resources, all of one proposer; the commands are of another and touch resources in no order, so
//! that the processor's caches do not help. Times are medians of rounds. In instructions, which no
//! cache and no neighbour disturbs:
//! ```text
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no \
//!     --toggle-collect='*ask_and_enter*' target/release/examples/index_cost LIVE
//! ```
//! which is then done for resources and that many live vertices alone; divide by the commands.

use althing_dependency::ConflictIndex;
use althing_model::{
    Command, Commands, DepSet, Epoch, Footprint, Mode, ModeTable, NodeId, Operation, Predicate,
    Range, VertexId,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// Commands of one round.
const COMMANDS: u64 = 1_000;
const ROUNDS: usize = 21;

/// Orders of one price conflict.
struct SamePrice;

impl Predicate for SamePrice {
    fn name(&self) -> &str {
        "same price"
    }

    fn conflict(&self, a: &[u8], b: &[u8]) -> bool {
        a == b
    }
}

fn main() {
    if let Some(live) = std::env::args().nth(1) {
        let live: u64 = live.parse().expect("the number of live vertices");
        let mut index = filled(live, write);
        ask_and_enter(&mut index, &commands(0, live, write));
        println!("{COMMANDS} commands, {live} live vertices");
        return;
    }
    println!("{:<44}{:>12}{:>16}", "commands, and what is live", "vertices", "ns a command");
    for live in [1_000, 10_000, 100_000, 1_000_000] {
        row("writes, among writes", live, filled(live, write), write);
    }
    let scan = |at| over(at, 4, Mode::READ);
    for live in [1_000, 100_000] {
        row("writes, among scans of 4 resources", live, filled(live, scan), write);
        for width in [1, 10, 100, 1_000] {
            let what = format!("scans of {width}, among writes");
            row(&what, live, filled(live, write), |at| over(at, width, Mode::READ));
        }
        row("scans of 4, among scans of 4", live, filled(live, scan), scan);
        row("deletions of 4, among scans of 4", live, filled(live, scan), |at| {
            over(at, 4, Mode::WRITE)
        });
    }
    let shown = |at: u64| Footprint::predicate(at.to_be_bytes().to_vec());
    for live in [10, 100, 1_000, 4_000, 100_000] {
        row("by predicate, among such", live, filled(live, shown), shown);
    }
}

/// The median of rounds.
fn row(
    what: &str,
    live: u64,
    mut index: ConflictIndex,
    footprint: impl Fn(u64) -> Footprint + Copy,
) {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            let begin = round as u64 * COMMANDS;
            let commands = commands(begin, live, footprint);
            let begun = Instant::now();
            ask_and_enter(&mut index, &commands);
            let took = begun.elapsed().as_nanos() as f64 / COMMANDS as f64;
            // What a round enters is forgotten before the next.
            let mut floor = DepSet::default();
            floor.insert_below(vertex(2, 0).column(), begin + COMMANDS);
            index.prune(&floor);
            while !index.is_swept() {
                index.sweep();
            }
            took
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what:<44}{live:>12}{:>16.0}", times[ROUNDS / 2]);
}

#[inline(never)]
fn ask_and_enter(index: &mut ConflictIndex, commands: &[(VertexId, Commands)]) {
    for (vertex, commands) in commands {
        black_box(index.dependencies(commands));
        index.enter(*vertex, commands);
    }
}

fn filled(live: u64, footprint: impl Fn(u64) -> Footprint) -> ConflictIndex {
    let modes = ModeTable::standard().with_predicate(Arc::new(SamePrice));
    let mut index = ConflictIndex::new(modes);
    for seq in 0..live {
        index.enter(vertex(1, seq), &command(footprint(seq)));
    }
    index
}

/// Commands of the second proposer from that sequence number on, on live resources.
fn commands(
    begin: u64,
    live: u64,
    footprint: impl Fn(u64) -> Footprint,
) -> Vec<(VertexId, Commands)> {
    let commands = (begin..begin + COMMANDS).map(|seq| {
        let at = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) % live;
        (vertex(2, seq), command(footprint(at)))
    });
    commands.collect()
}

fn vertex(proposer: u32, seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(proposer), seq }
}

fn command(footprint: Footprint) -> Commands {
    Commands::Batch([Command { operation: Operation::OpenSession, footprint }].into())
}

fn name(at: u64) -> String {
    format!("accounts/{at:010}")
}

fn write(at: u64) -> Footprint {
    Footprint::of([(name(at).into(), Mode::WRITE)])
}

fn over(at: u64, width: u64, mode: Mode) -> Footprint {
    let range = Range::between(name(at), name(at + width)).expect("it ascends");
    Footprint::with_ranges([], [(range, mode)])
}
