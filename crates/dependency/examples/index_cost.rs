//! What the conflict index costs a command, by what it holds: `cargo run --release -p
//! althing-dependency --example index_cost`.
//!
//! Each command is asked about and entered, as a voter does. The live vertices are on as many
//! resources, or ranges, all of one proposer; the commands are of another and touch resources in no
//! order, so that the processor's caches do not help. Times are medians of rounds. In instructions,
//! which no cache and no neighbour disturbs, one row at a time:
//! ```text
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no \
//!     --toggle-collect='*ask_and_enter*' target/release/examples/index_cost ROW LIVE
//! ```
//! where the last word of what it prints is by how many commands to divide.

use althing_dependency::ConflictIndex;
use althing_model::{
    Command, Commands, DepSet, Epoch, Footprint, Mode, ModeTable, NodeId, Operation, Predicate,
    Range, VertexId,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

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

/// What is measured.
struct Row {
    what: &'static str,
    /// What the live vertices touch, by their number.
    live: fn(u64) -> Footprint,
    /// What the commands touch, by the number of a live one.
    command: fn(u64) -> Footprint,
    /// Commands of one round; of those by predicate few, since each looks at those before it.
    commands: u64,
}

const ROWS: [Row; 8] = [
    Row { what: "writes, among writes", live: write, command: write, commands: 1_000 },
    Row { what: "writes, among scans of 4", live: scan::<4>, command: write, commands: 1_000 },
    Row { what: "scans of 1, among writes", live: write, command: scan::<1>, commands: 1_000 },
    Row { what: "scans of 10, among writes", live: write, command: scan::<10>, commands: 1_000 },
    Row { what: "scans of 100, among writes", live: write, command: scan::<100>, commands: 1_000 },
    Row { what: "scans of 4, among such", live: scan::<4>, command: scan::<4>, commands: 1_000 },
    Row {
        what: "deletions of 4, among scans",
        live: scan::<4>,
        command: deletion,
        commands: 1_000,
    },
    Row { what: "by predicate, among such", live: shown, command: shown, commands: 20 },
];

fn main() {
    let arguments: Vec<u64> = std::env::args()
        .skip(1)
        .map(|it| it.parse().expect("two numbers: the row, from 0, and how many are live"))
        .collect();
    if let [row, live] = arguments[..] {
        let row = &ROWS[row as usize];
        let mut index = filled(live, row.live);
        // The first range puts the resources in order.
        enter_first(&mut index, &commands(0, 1, live, row.command));
        let commands = commands(1, row.commands, live, row.command);
        ask_and_enter(&mut index, &commands);
        println!("{}, {live} live: {}", row.what, row.commands);
        return;
    }
    println!("{:<32}{:>12}{:>16}", "commands, and what is live", "vertices", "ns a command");
    for row in &ROWS {
        for live in [1_000, 100_000, 1_000_000] {
            println!("{:<32}{live:>12}{:>16.0}", row.what, median(row, live));
        }
    }
}

/// The median of rounds.
fn median(row: &Row, live: u64) -> f64 {
    let mut index = filled(live, row.live);
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|round| {
            let begin = round as u64 * row.commands;
            let commands = commands(begin, row.commands, live, row.command);
            let begun = Instant::now();
            ask_and_enter(&mut index, &commands);
            let took = begun.elapsed().as_nanos() as f64 / row.commands as f64;
            // What a round enters is forgotten before the next.
            let mut floor = DepSet::default();
            floor.insert_below(vertex(2, 0).column(), begin + row.commands);
            index.prune(&floor);
            while !index.is_swept() {
                index.sweep();
            }
            took
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}

fn enter_first(index: &mut ConflictIndex, commands: &[(VertexId, Commands)]) {
    for (vertex, commands) in commands {
        index.enter(*vertex, commands);
    }
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
    count: u64,
    live: u64,
    footprint: impl Fn(u64) -> Footprint,
) -> Vec<(VertexId, Commands)> {
    let commands = (begin..begin + count).map(|seq| {
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

fn scan<const WIDTH: u64>(at: u64) -> Footprint {
    over(at, WIDTH, Mode::READ)
}

fn deletion(at: u64) -> Footprint {
    over(at, 4, Mode::WRITE)
}

fn shown(at: u64) -> Footprint {
    Footprint::predicate(at.to_be_bytes().to_vec())
}
