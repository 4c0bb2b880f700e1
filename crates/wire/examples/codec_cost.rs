//! What it costs to encode and decode the message that every command takes to every voter:
//! `cargo run --release -p althing-wire --example codec_cost`.

use althing_model::*;
use althing_wire::{Message, PreAccept};
use bytes::Bytes;
use std::hint::black_box;
use std::time::Instant;

fn main() {
    for dependencies in [0, 5, 50] {
        let message = pre_accept(dependencies);
        let body = message.encode();
        assert_eq!(Message::decode(message.kind(), body.clone()).as_ref(), Ok(&message));
        let encode = best_ns(|| message.encode());
        let decode = best_ns(|| Message::decode(message.kind(), black_box(body.clone())));
        println!(
            "PreAccept, {dependencies:2} deps, 128-byte payload: {:3} bytes, encode {encode:4.0} ns, decode {decode:4.0} ns",
            body.len()
        );
    }
}

/// A command on one key; each dependency is an extra above the prefix of one of five columns.
fn pre_accept(dependencies: u64) -> Message {
    let column = |proposer| Column { epoch: Epoch(0), proposer: NodeId(proposer) };
    let mut base = DepSet::default();
    for index in 0..dependencies {
        base.insert_below(column((index % 5) as u32), 100_000);
        base.insert(column((index % 5) as u32).vertex(100_002 + 7 * (index / 5)));
    }
    let vertex = column(1).vertex(100_100);
    PreAccept {
        vertex,
        commands: Commands::Batch(
            [Command {
                operation: Operation::Apply {
                    request: RequestId {
                        session: SessionId { opened: column(1).vertex(17), slot: 0 },
                        sequence: 1234,
                    },
                    acknowledged_below: 1200,
                    payload: vec![7; 128].into(),
                },
                footprint: Footprint::of([(Bytes::from_static(b"accounts/12345"), Mode(1))]),
            }]
            .into(),
        ),
        base,
        quorum: vec![NodeId(0), NodeId(1), NodeId(2)],
        anchor: NodeId(1),
    }
    .into()
}

/// The best mean of many short rounds: the machine's other work can only add.
fn best_ns<T>(mut work: impl FnMut() -> T) -> f64 {
    const ROUND: u32 = 1_000;
    (0..500)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..ROUND {
                black_box(work());
            }
            start.elapsed().as_nanos() as f64 / f64::from(ROUND)
        })
        .fold(f64::INFINITY, f64::min)
}
