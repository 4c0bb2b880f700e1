//! How long a replica takes to execute what waited: `cargo run --release -p althing-replica --example
//! backlog -- [CHAIN [COMPONENT]]`.
//!
//! A chain of dependent vertices is committed front to back, back to front, and all behind one that
//! comes last; a ring, each vertex depending on the next, is one component, executed when its last is
//! committed. Commands are empty: what is measured is the conflict graph, the session table and the
//! bookkeeping of the replica.

use althing_model::{
    Command, Commands, Epoch, Footprint, Membership, ModeTable, NodeId, Operation, Path, Pieces,
    StateMachine, Unrestorable, Value, VertexId,
};
use althing_replica::{Config, Limits, Replica, Timing};
use althing_wire::{Commit, Effects};
use bytes::Bytes;
use std::time::Instant;

/// A machine without a state.
struct Nothing;

impl StateMachine for Nothing {
    fn apply(&mut self, _: &[u8]) -> Bytes {
        Bytes::new()
    }

    fn digest(&self) -> u64 {
        0
    }

    fn snapshot(&self) -> Pieces {
        Box::new(std::iter::empty())
    }

    fn restore(&mut self, _: &mut dyn Iterator<Item = Bytes>) -> Result<(), Unrestorable> {
        Ok(())
    }
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|it| it.parse::<u64>());
    let mut number = |default| match numbers.next() {
        None => default,
        Some(Ok(number)) if number > 1 => number,
        Some(_) => {
            eprintln!("two numbers above 1 at most: how long the chain is, and the component");
            std::process::exit(2);
        }
    };
    let (chain, component) = (number(1_000_000), number(10_000));
    let previous = |seq: u64| seq.checked_sub(1);
    let next = |seq: u64| Some((seq + 1) % component);
    println!("{:<50}{:>12}{:>20}", "vertices", "seconds", "vertices a second");
    let run =
        |what: &str, order: &mut dyn Iterator<Item = u64>, dep: &dyn Fn(u64) -> Option<u64>| {
            let (mut replica, begun) = (replica(), Instant::now());
            let mut count = 0;
            for seq in order {
                count += 1;
                let value = value(dep(seq));
                let commit = Commit { vertex: vertex(seq), value };
                let mut effects = Effects::default();
                replica.handle(0, NodeId(1).into(), commit.into(), &mut effects).expect("a commit");
                drop(replica.take_steps());
            }
            let took = begun.elapsed().as_secs_f64();
            assert_eq!(replica.counters().executed, count, "something waits for ever");
            let what = format!("{count} {what}");
            println!("{what:<50}{took:>12.2}{:>20.0}", count as f64 / took);
        };
    run("in a chain, front to back", &mut (0..chain), &previous);
    run("in a chain, back to front", &mut (0..chain).rev(), &previous);
    run("in a chain, the first one last", &mut (1..chain).chain([0]), &previous);
    run("in one component", &mut (0..component), &next);
}

fn replica() -> Replica {
    let config = Config {
        me: NodeId(0),
        membership: Membership::colocated(3, 1, Path::Classic).expect("three nodes"),
        modes: ModeTable::read_write(),
        has_voter: false,
        has_proposer: true,
        seed: 1,
        timing: Timing::default(),
        limits: Limits::default(),
    };
    Replica::new(config, Box::new(Nothing))
}

fn vertex(seq: u64) -> VertexId {
    VertexId { epoch: Epoch(0), proposer: NodeId(1), seq }
}

fn value(dep: Option<u64>) -> Value {
    let operation = Operation::CloseSessions(Vec::new());
    let command = Command { operation, footprint: Footprint::NOTHING };
    Value {
        commands: Commands::Batch([command].into()),
        deps: dep.into_iter().map(vertex).collect(),
    }
}
